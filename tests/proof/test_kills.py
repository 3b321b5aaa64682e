"""A run that is killed repeatedly loses nothing, duplicates nothing, and ends correctly."""

from __future__ import annotations

import random
import subprocess
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

from destinations.criteo_audiences.sandbox import CriteoOptions, CriteoSandbox
from framework.sandbox import DroppedConnectionError, Server
from tests.deliveries import counted, each_once, event, members_after, members_of, rows_of, write

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

    from tests.proof.conftest import Bench

KILLS = 50
Moment = Literal["before", "after", "answered"]
"""When a process dies: its call had no effect, had one and no answer, or was answered."""


class Trap:
    """The Criteo sandbox for one run: from the *call*-th request on it holds all responses.

    Nothing that comes later has an effect, so that a run gets no further before it is killed.
    """

    def __init__(self, criteo: CriteoSandbox, call: int, moment: Moment) -> None:
        self._criteo = criteo
        self._lock = threading.Lock()
        self._calls_left, self._moment = call, moment
        self.sprung, self.dead = threading.Event(), threading.Event()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with self._lock:
            self._calls_left -= 1
            left = self._calls_left
        if left < 0 or (left == 0 and self._moment == "before"):
            self._hold()
            raise DroppedConnectionError
        answer = self._criteo(environ, start_response)
        if left == 0 and self._moment == "after":
            self._hold()
        elif left == 0:
            self.sprung.set()
        return answer

    def _hold(self) -> None:
        self.sprung.set()
        self.dead.wait()


def history(chance: random.Random) -> list[dict[str, Any]]:
    people = [f"user{number}@example.com" for number in range(60)]
    return [
        event(chance.choice(people), chance.choice(("spring", "summer")), enters=enters)
        for enters in chance.choices((True, False), (2, 1), k=420)
    ]


def test_fifty_kills_change_nothing(bench: Bench) -> None:
    """Each kill is a SIGKILL at a random request: before its effect, after it, or answered.

    Some of the runs use worker processes.
    """
    chance = random.Random(20)  # noqa: S311 - repeatable moments, no secrets
    events = history(chance)
    write(bench.events, events)
    bench.configure(batch_size=3)
    criteo = CriteoSandbox(options=CriteoOptions(rate_limit=1_000_000))
    for _ in range(KILLS):
        moments: tuple[Moment, ...] = ("before", "after", "answered")
        trap = Trap(criteo, chance.randint(1, 6), chance.choice(moments))
        several = ["--processes", str(chance.randint(1, 2))]
        with Server(trap) as server:
            command = bench.command(server.url, "--quiet", *several)
            with subprocess.Popen(command, env=bench.environment) as process:
                while not trap.sprung.wait(0.02):
                    assert process.poll() is None, "the run came to its end too soon"
                process.kill()
            trap.dead.set()
    with Server(criteo) as server:
        command = bench.command(server.url, "--quiet")
        finished = subprocess.run(command, env=bench.environment, check=False)
    assert finished.returncode == 0
    assert members_of(criteo) == members_after(events)
    assert counted(bench.outcomes) == each_once(range(1, len(events) + 1))
    assert {row["outcome"] for row in rows_of(bench.outcomes)} == {"delivered", "skipped"}
