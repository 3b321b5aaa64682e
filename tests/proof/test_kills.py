"""A run that is killed repeatedly loses nothing, duplicates nothing, and ends correctly."""

from __future__ import annotations

import json
import random
import subprocess
import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, Self

import pytest

from destinations.criteo_audiences.sandbox import CriteoOptions, CriteoSandbox
from framework.sandbox import DroppedConnectionError, Server
from tests.deliveries import counted, each_once, event, members_after, members_of, rows_of, write

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

    from tests.proof.conftest import Bench

KILLS = 25
TOKEN = "/oauth2/token"
Moment = Literal["before", "after", "answered"]
"""When a process dies: its call had no effect, had one and no answer, or was answered."""
MOMENTS: tuple[Moment, ...] = ("before", "after", "answered")


class Partner:
    """The Criteo sandbox at one address for all runs, as checkpoints are for an address.

    Each run has a trap: from its *call*-th request on the sandbox holds all responses, and nothing
    that comes later has an effect, so that the run gets no further before it is killed.
    """

    def __init__(self, criteo: CriteoSandbox) -> None:
        self._criteo = criteo
        self._lock = threading.Lock()
        self._calls_left, self._moment = 0, "before"
        self.sprung, self._dead = threading.Event(), threading.Event()
        self._begun = self.amended = False

    def trap(self, call: int, moment: Moment) -> None:
        """Set a trap for the next run, as the last one is dead."""
        with self._lock:
            self._dead.set()
            self._calls_left, self._moment = call, moment
            self.sprung, self._dead = threading.Event(), threading.Event()
            self._begun = self.amended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._dead.set()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with self._lock:
            # A run begins with a token. What comes before was sent by a run that is dead now.
            self._begun = self._begun or environ["PATH_INFO"] == TOKEN
            self._calls_left -= self._begun
            left, moment, sprung, dead = self._calls_left, self._moment, self.sprung, self._dead
            begun = self._begun
        if not begun or left < 0 or (left == 0 and moment == "before"):
            if begun:
                sprung.set()
                dead.wait()
            raise DroppedConnectionError
        answer = self._criteo(environ, start_response)
        if left == 0:
            sprung.set()
            if moment == "after":
                dead.wait()
        else:
            self.amended = self.amended or environ["REQUEST_METHOD"] == "PATCH"
        return answer


def history(chance: random.Random) -> list[dict[str, Any]]:
    people = [f"user{number}@example.com" for number in range(60)]
    return [
        event(chance.choice(people), chance.choice(("spring", "summer")), enters=enters)
        for enters in chance.choices((True, False), (2, 1), k=420)
    ]


def saved(bench: Bench) -> list[tuple[int, int]]:
    """Return what changes with every checkpoint."""
    found = [path.stat() for path in bench.folder.glob("*.checkpoint")]
    return [(one.st_ino, one.st_mtime_ns) for one in found]


@pytest.mark.parametrize("processes", [1, 2])
def test_kills_change_nothing(bench: Bench, processes: int) -> None:
    """Each kill is a SIGKILL at a random request, before its effect, after it, or answered.

    Some come at a random time before that, for example while the run starts.
    """
    chance = random.Random(20 + processes)  # noqa: S311 - repeatable moments, no secrets
    events = history(chance)
    write(bench.events, events)
    bench.configure(batch_size=3)
    criteo = CriteoSandbox(options=CriteoOptions(rate_limit=1_000_000))
    with Partner(criteo) as partner, Server(partner) as server:
        command = bench.command(server.url, "--quiet", "--processes", processes)
        for _ in range(KILLS):
            partner.trap(chance.randint(1, 6), chance.choice(MOMENTS))
            before, fate = saved(bench), chance.choice(("early", "at once", "saved"))
            early = chance.uniform(0, 1) if fate == "early" else None
            with subprocess.Popen(command, env=bench.environment) as process:
                while not partner.sprung.wait(0.02 if early is None else early) and early is None:
                    assert process.poll() is None, "the run came to its end too soon"
                while fate == "saved" and partner.amended and saved(bench) == before:
                    with suppress(subprocess.TimeoutExpired):
                        raise AssertionError(process.wait(0.02))
                process.kill()
        (checkpoint,) = bench.folder.glob("*.checkpoint")
        assert json.loads(checkpoint.read_bytes())["read"]["lines"] > 0
        partner.trap(1_000_000, "answered")
        finished = subprocess.run(command, env=bench.environment, check=False)
    assert finished.returncode == 0
    assert members_of(criteo) == members_after(events)
    assert counted(bench.outcomes) == each_once(range(1, len(events) + 1))
    assert {row["outcome"] for row in rows_of(bench.outcomes)} == {"delivered", "skipped"}
