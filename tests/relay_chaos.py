"""A relay that is killed, frozen and stopped at random, between a client and a failing partner."""

from __future__ import annotations

import io
import itertools
import json
import random
import signal
import sqlite3
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable
from contextlib import closing
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx

from destinations.criteo_audiences.sandbox import CriteoOptions, CriteoSandbox
from framework.clock import MovableClock
from framework.relay import DeadLetter, DeadLetterFilter, DeadLetters, SQLiteStore
from framework.sandbox import DroppedConnectionError, Server
from tests.deliveries import event, members_after, members_of
from tests.disks import Disk
from tests.proof.conftest import ORIGIN, Bench
from tests.relaying import KEY, RelayProcess, until

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

FAILING: Final = 0.05
"""The share of the partner's responses that are failures."""

POISON: Final = 0.03
"""The share of the client's events that no partner can take."""

APART: Final = 600.0
"""Seconds by which the clocks of the partner and of each relay are apart from the client's."""

RATE: Final = 250
"""The partner's limit: requests in any minute."""

NOBODY: Final = "no address"
PEOPLE: Final = 40
AUDIENCES: Final = ("spring", "summer", "autumn")
BROKEN: Final = "winter"
"""An audience whose every change fails until the partner is repaired; it only grows."""

SETTLED: Final = 420.0
"""Seconds for the last relay: a key that has failed often is tried again after five minutes."""

_SHIFT_CLOCK: Final = """
import os, time
_time, _by = time.time, float(os.environ.get("CHAOS_CLOCK", 0))
time.time = lambda: _time() + _by
"""


class Chaos:
    """A relay in *folder*, a client and a partner; *seed* decides the incidents.

    The relay is killed, frozen for a moment, or asked to stop, and starts again with a clock that
    is right or ten minutes off; so is the partner's. The partner fails at times, drops every
    connection for *outage* seconds in the middle, and never takes a change of one audience before
    it is repaired at the end, when what has failed is replayed.

    With a *disk*, which has to be mounted, the store is there and its power is cut at times.

    In the end, `acknowledged` are the events that the relay took, and `wrong` is everything that is
    not as these events make it.
    """

    def __init__(
        self, folder: Path, seed: int, *, outage: float = 3.0, disk: Disk | None = None
    ) -> None:
        site = folder / "site"
        _install(site)
        self.bench = Bench(folder, site)
        self.bench.configure(batch_size=5)
        self._chance = random.Random(seed)  # noqa: S311 - repeatable events, no secrets
        self._moments = random.Random(seed)  # noqa: S311 - the same; of the incidents alone
        self._clock = MovableClock()
        self._clock.move(self._chance.choice((-APART, APART)))
        self.criteo = CriteoSandbox(
            options=CriteoOptions(rate_limit=RATE, rate_window="sliding"), clock=self._clock
        )
        self.acknowledged: list[dict[str, Any]] = []
        self.wrong: list[str] = []
        self.calls: Counter[str] = Counter()
        self.incidents: Counter[str] = Counter()
        self.busiest = 0
        self.repeated = 0
        self._latest: deque[float] = deque()
        self._states: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()
        self._outage = outage
        self._disk = disk
        self._store = (disk.place if disk else folder) / "events.db"
        self._down_until = 0.0
        self._repaired = False
        self._url = ""
        self._stop = threading.Event()
        self._numbers = itertools.count()

    def run(self, incidents: int) -> None:
        """Let so many incidents happen, repair everything, let the last relay finish; compare."""
        with Server(self._partner) as server:
            client = threading.Thread(target=self._send, daemon=True)
            client.start()
            for number in range(incidents):
                if number == incidents // 2:
                    self._down_until = time.monotonic() + self._outage
                with self._start(server.url) as relay:
                    self._url = relay.url
                    time.sleep(self._moments.uniform(0.05, 0.8))
                    self._end(relay)
            with self._start(server.url) as relay:
                self._url = relay.url
                time.sleep(0.5)
                self._stop.set()
                client.join(30)
                until(lambda: _waiting(relay) == 0, SETTLED)
                with SQLiteStore(self._store) as store:
                    letters = store.dead_letters.list(most=1_000_000)
                    self._replay(store.dead_letters)
                assert relay.terminate()[0] == 0
        self._compare({one.message_id for one in letters})

    def report(self) -> str:
        """Return what was seen, in one line."""
        found = "; ".join(self.wrong) or "nothing is wrong"
        return (
            f"{len(self.acknowledged)} events acknowledged, {dict(self.incidents)}, "
            f"requests {dict(self.calls)}, {self.busiest} in the busiest minute, "
            f"{self.repeated} rows that changed nothing: {found}"
        )

    def _start(self, url: str) -> RelayProcess:
        bench = self.bench
        arguments = [
            "relay", "--store", f"sqlite:{self._store}", "-c", bench.connection,
            "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--write-key", KEY,
            "--endpoint", f"{ORIGIN}={url}", "--tries", 3, "--give-up-after", "3s",
        ]  # fmt: skip
        command = [sys.executable, "-m", "framework", *map(str, arguments)]
        off = self._moments.choice((0.0, 0.0, -APART, APART))
        return RelayProcess(command, {**bench.environment, "CHAOS_CLOCK": str(off)})

    def _end(self, relay: RelayProcess) -> None:
        """Freeze the relay at times; then kill it, or ask it to stop."""
        if self._moments.random() < 0.25:
            self.incidents["frozen"] += 1
            relay.send(signal.SIGSTOP)
            time.sleep(self._moments.uniform(0.1, 1.5))
            relay.send(signal.SIGCONT)
            time.sleep(self._moments.uniform(0.0, 0.3))
        kinds = ("killed", "terminated", "interrupted", "without power")
        kind = self._moments.choices(kinds, (0.7, 0.2, 0.1, 0.5 if self._disk else 0))[0]
        self.incidents[kind] += 1
        if self._disk and kind == "without power":
            relay.freeze()
            acknowledged = len(self.acknowledged)
            self._disk.cut()
            relay.kill()
            self._disk.restore()
            self._count_stored(acknowledged)
        elif kind == "killed":
            relay.kill()
        else:
            asked = signal.SIGTERM if kind == "terminated" else signal.SIGINT
            assert relay.terminate(asked)[0] == 0

    def _count_stored(self, acknowledged: int) -> None:
        """Compare the events that a store has ever taken with those that were acknowledged."""
        with closing(sqlite3.connect(self._store)) as database:
            ((stored,),) = database.execute("select coalesce(sum(lines), 0) from streams")
        if stored < acknowledged:
            self.wrong.append(f"{acknowledged - stored} acknowledged events lost")

    def _partner(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Fail some requests, before or after their effect."""
        with self._lock:
            return self._answer(environ, start_response)

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if time.monotonic() < self._down_until:
            self.calls["dropped"] += 1
            raise DroppedConnectionError
        self._count(environ["PATH_INFO"])
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        date = ("Date", formatdate(self._clock.time(), usegmt=True))

        def start(status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
            return start_response(status, [*headers, date])

        kind = self._chance.choices(
            ("answered", "refused", "unanswered"), (1 - FAILING, FAILING / 2, FAILING / 2)
        )[0]
        if not self._repaired and self._is_broken(environ["PATH_INFO"]):
            kind = "broken"
        self.calls[kind] += 1
        if kind in {"answered", "unanswered"}:
            self._note(environ["PATH_INFO"], body)
        if kind == "unanswered":
            list(self.criteo(environ, lambda *_: lambda _: None))
        if kind == "answered":
            return self.criteo(environ, start)
        start("503 Service Unavailable", [("Content-Type", "application/json")])
        return [b"{}"]

    def _count(self, path: str) -> None:
        """Count a request in the minute that it ends."""
        if path.endswith("/token"):
            return
        now = time.monotonic()
        self._latest.append(now)
        while self._latest[0] < now - 60:
            self._latest.popleft()
        self.busiest = max(self.busiest, len(self._latest))

    def _note(self, path: str, body: bytes) -> None:
        """Count the rows of an amendment that repeat what was said of a person last."""
        if not path.endswith("/contact-list"):
            return
        attributes = json.loads(body)["data"]["attributes"]
        for one in attributes["identifiers"]:
            self.repeated += self._states.get((path, one)) == attributes["operation"]
            self._states[path, one] = attributes["operation"]

    def _is_broken(self, path: str) -> bool:
        segments = self.criteo.describe("members")["segments"]
        broken = [str(one["id"]) for one in segments if one["name"] == BROKEN]
        return path.endswith("/contact-list") and path.split("/")[-2] in broken

    def _send(self) -> None:
        """Post batches one after the other, each until it is acknowledged."""
        while not self._stop.is_set():
            events = [self._event() for _ in range(self._chance.randint(1, 6))]
            while not self._post(events):
                time.sleep(0.02)  # also after the stop: what was not answered may be stored
            self.acknowledged += events
            time.sleep(0.01)

    def _post(self, events: list[dict[str, Any]]) -> bool:
        try:
            response = httpx.post(
                f"{self._url}/v1/batch",
                json={"batch": events},
                auth=(KEY, ""),
                trust_env=False,
                timeout=5,
            )
        except (httpx.TransportError, httpx.UnsupportedProtocol):  # before the first relay, too
            return False
        return response.status_code == 200

    def _event(self) -> dict[str, Any]:
        person = f"user{self._chance.randrange(PEOPLE)}@example.com"
        if self._chance.random() < POISON:
            person = NOBODY
        enters = self._chance.random() < 0.6
        audience = self._chance.choice((*AUDIENCES, BROKEN))
        made = event(person, audience, enters=enters or audience == BROKEN)
        return {**made, "messageId": f"m{next(self._numbers)}"}

    def _replay(self, letters: DeadLetters) -> None:
        """Replay what failed at the broken audience: in vain, then repaired until it is delivered.

        A replay tries a letter only for some seconds, and the partner fails at times.
        """

        def left() -> list[DeadLetter]:
            return [one for one in letters.list(most=1_000_000) if is_of_broken(one)]

        def request(found: list[DeadLetter]) -> None:
            if ids := [one.id for one in found if not one.replay]:
                assert letters.replay(DeadLetterFilter(ids=ids)) == len(ids)

        def is_delivered() -> bool:
            request(found := left())
            return not found

        before = left()
        request(before)
        until(lambda: not any(one.replay for one in left()), 120)
        after = {one.id: one.tries for one in left()}
        people = {_person_of(one) for one in left()}
        if any(
            after[one.id] != one.tries + 1 if one.id in after else _person_of(one) not in people
            for one in before
        ):
            self.wrong.append("a replay in vain is not counted, or has lost letters")
        self._repaired = True
        until(is_delivered, 120)

    def _compare(self, told: set[str]) -> None:
        poison = {one["messageId"] for one in self.acknowledged if _email_of(one) == NOBODY}
        valid = [one for one in self.acknowledged if _email_of(one) != NOBODY]
        wanted, held = members_after(valid), members_of(self.criteo)
        for name in sorted({*wanted, *held}):
            missing = wanted.get(name, set()) - held.get(name, set())
            extra = held.get(name, set()) - wanted.get(name, set())
            if missing or extra:
                self.wrong.append(f"{name}: {len(missing)} missing, {len(extra)} too many")
        if len(self.acknowledged) <= self.incidents.total():
            self.wrong.append("hardly anything was acknowledged")
        if silent := poison - told:
            self.wrong.append(f"{len(silent)} refused events without a dead letter")
        if self.busiest > RATE:
            self.wrong.append(f"{self.busiest} requests in a minute")


def _email_of(one: dict[str, Any]) -> str:
    email: str = one["context"]["traits"]["email"]
    return email


def _person_of(letter: DeadLetter) -> str:
    """Return who a letter is about; of several, a replay may send the last one only."""
    return _email_of(json.loads(letter.event))


def is_of_broken(letter: DeadLetter) -> bool:
    """Return whether an event was given up because the partner never took it."""
    one = json.loads(letter.event)
    return one["properties"]["audience_key"] == BROKEN and _email_of(one) != NOBODY


def _waiting(relay: RelayProcess) -> float:
    found = relay.metrics().items()
    return sum(number for name, number in found if name.startswith("actions_waiting_lines"))


def _install(site: Path) -> None:
    """Write what an installer writes for this project's destinations, and a movable clock."""
    details = site / "action_destinations-0.1.0.dist-info"
    details.mkdir(parents=True)
    (details / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: action-destinations\nVersion: 0.1.0\n"
    )
    (details / "entry_points.txt").write_text(
        "[action_destinations]\nactions-criteo-audiences = destinations.criteo_audiences\n"
    )
    (site / "sitecustomize.py").write_text(_SHIFT_CLOCK)
