"""An intake and two workers on a PostgreSQL store, killed and frozen at random while they work."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx

from destinations.criteo_audiences.sandbox import CriteoOptions, CriteoSandbox
from framework.errors import StorageError
from framework.relay import PostgresStore, connection_statuses
from framework.sandbox import Server
from tests.deliveries import event, members_after, members_of
from tests.postgres import Server as Database
from tests.proof.conftest import ORIGIN, Bench
from tests.relay_chaos import _install
from tests.relaying import KEY, until

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

RATE: Final = 250
FAILING: Final = 0.05
PEOPLE: Final = 30
AUDIENCES: Final = ("spring", "summer")

MENDED: Final = 60.0
"""Seconds after a thaw in which all memberships have to be right, on a machine however busy."""


class WorkerChaos:
    """A client posts events to an intake; one of two workers delivers them to a partner.

    In each of some rounds, the worker that owns the connection is killed, or frozen while a call of
    it is under way: that call reaches the partner after another worker has taken over and gone on.
    In others the server of the store or the intake is killed.
    In the end `wrong` holds everything that is not as the acknowledged events make it.
    """

    def __init__(self, folder: Path, database: Database, seed: int) -> None:
        site = folder / "site"
        _install(site)
        self.bench = Bench(folder, site)
        self.bench.configure(batch_size=5)
        self.database = database
        self._chance = random.Random(seed)  # noqa: S311 - repeatable moments, no secrets
        options = CriteoOptions(rate_limit=RATE, rate_window="sliding")
        self.criteo = CriteoSandbox(options=options)
        self.acknowledged: list[dict[str, Any]] = []
        self.wrong: list[str] = []
        self.incidents: Counter[str] = Counter()
        self.takeovers: list[float] = []
        self.mended: list[float] = []
        self.late = 0
        self.busiest = 0
        self._latest: deque[float] = deque()
        self._lock = threading.Lock()
        self._holding = threading.Event()
        self._held = threading.Event()
        self._release = threading.Event()
        self._posting = threading.Event()
        self._posting.set()
        self._resting = threading.Event()
        self._stop = threading.Event()
        self._numbers = itertools.count()
        self._url = ""

    def run(self, kinds: Iterable[str]) -> None:
        """Let incidents happen: `late`, `killed`, `server` or `intake`; compare in the end."""
        with ExitStack() as stack:
            partner = stack.enter_context(Server(self._partner))
            store = stack.enter_context(PostgresStore(self.database.url))
            self._intake = stack.enter_context(self._started("intake", partner.url))
            workers = [stack.enter_context(self._started("worker", partner.url)) for _ in range(2)]
            client = threading.Thread(target=self._send, daemon=True)
            client.start()
            for kind in kinds:
                time.sleep(self._chance.uniform(0.3, 1.5))
                self.incidents[kind] += 1
                if kind == "late":
                    self._freeze(store)
                elif kind == "server":
                    self.database.stop("immediate")
                    time.sleep(self._chance.uniform(0.0, 1.0))
                    self.database.start()
                elif kind == "intake":
                    self._intake.kill()
                    self._intake.wait()
                    self._intake = stack.enter_context(self._started("intake", partner.url))
                else:
                    until(lambda: self._owner(store) != 0)
                    killed = self._owner(store)
                    os.kill(killed, signal.SIGKILL)
                    begun = time.monotonic()
                    until(lambda: self._owner(store) not in {0, killed})  # noqa: B023 - used at once
                    self.takeovers.append(time.monotonic() - begun)
                    workers.append(stack.enter_context(self._started("worker", partner.url)))
            self._stop.set()
            client.join(30)
            until(lambda: _settled(store), 120)
            self._compare()
            for one in workers:
                one.terminate()

    def report(self) -> str:
        """Return what was seen, in one line."""
        return (
            f"{len(self.acknowledged)} events acknowledged, {dict(self.incidents)}, "
            f"{self.late} late calls, taken over in {_seconds(self.takeovers)}, "
            f"mended in {_seconds(self.mended)}, {self.busiest} requests in the busiest minute: "
            f"{'; '.join(self.wrong) or 'nothing is wrong'}"
        )

    @contextmanager
    def _started(self, role: str, url: str) -> Iterator[subprocess.Popen[str]]:
        command = [
            sys.executable, "-m", "framework", "relay", "--role", role,
            "--store", self.database.url,
        ]  # fmt: skip
        if role == "intake":
            command += ["--listen", "127.0.0.1:0", "--write-key", KEY]
        else:
            command += ["-c", str(self.bench.connection), "--endpoint", f"{ORIGIN}={url}"]
            command += ["--from-start"]
        with (
            (self.bench.folder / f"{role}.log").open("a") as log,
            subprocess.Popen(
                command, env=self.bench.environment, stdout=subprocess.PIPE, stderr=log, text=True
            ) as process,
        ):
            try:
                assert process.stdout
                told = process.stdout.readline().partition(": ")[2].strip()
                assert told, (self.bench.folder / f"{role}.log").read_text()
                if role == "intake":
                    self._url = told
                yield process
            finally:
                process.kill()

    def _owner(self, store: PostgresStore) -> int:
        """Return the process that owns the connection, 0 if there is none now."""
        try:
            found = [one.owner for one in store.cursors() if one.owner]
        except StorageError:
            return 0
        return int(found[0].partition("/")[2]) if found else 0

    def _freeze(self, store: PostgresStore) -> None:
        """Freeze the owner within a call, which arrives late; everything must be right soon."""
        until(lambda: self._owner(store) != 0)
        self._held.clear()
        self._release.clear()
        self._holding.set()
        self._held.wait(15)
        self._holding.clear()
        frozen = self._owner(store)
        os.kill(frozen, signal.SIGSTOP)
        begun = time.monotonic()
        until(lambda: self._owner(store) not in {0, frozen})
        self.takeovers.append(time.monotonic() - begun)
        time.sleep(self._chance.uniform(0.2, 1.0))
        self._posting.clear()
        assert self._resting.wait(30)
        until(lambda: _settled(store), 60)
        self._release.set()
        os.kill(frozen, signal.SIGCONT)
        begun = time.monotonic()
        right = begun
        while time.monotonic() < begun + MENDED:
            if self._differences() or not _settled(store):
                right = time.monotonic()
            elif time.monotonic() > right + 2:
                break
            time.sleep(0.02)
        self.mended.append(right - begun)
        if differences := self._differences():
            self.wrong.append(f"after a thaw: {differences}")
        self._posting.set()

    def _partner(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Fail some requests, and hold one back while asked to."""
        amends = environ["PATH_INFO"].endswith("/contact-list")
        with self._lock:
            self._count(environ["PATH_INFO"])
            holds = amends and self._holding.is_set()
            fails = not holds and self._chance.random() < FAILING
            if holds:
                self._holding.clear()
        if fails:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start_response("503 Service Unavailable", [("Content-Type", "application/json")])
            return [b"{}"]
        if holds:
            self._held.set()
            self._release.wait(25)
            self.late += 1
        with self._lock:
            return self.criteo(environ, start_response)

    def _count(self, path: str) -> None:
        if path.endswith("/token"):
            return
        now = time.monotonic()
        self._latest.append(now)
        while self._latest[0] < now - 60:
            self._latest.popleft()
        self.busiest = max(self.busiest, len(self._latest))

    def _send(self) -> None:
        while not self._stop.is_set():
            if not self._posting.is_set():
                self._resting.set()
                self._posting.wait(1)
                continue
            self._resting.clear()
            events = [self._event() for _ in range(self._chance.randint(1, 6))]
            while not self._post(events):
                time.sleep(0.02)
            self.acknowledged += events
            time.sleep(0.05)

    def _post(self, events: list[dict[str, Any]]) -> bool:
        try:
            response = httpx.post(
                f"{self._url}/v1/batch",
                json={"batch": events},
                auth=(KEY, ""),
                trust_env=False,
                timeout=10,
            )
        except (httpx.TransportError, httpx.UnsupportedProtocol):
            return False
        return response.status_code == 200

    def _event(self) -> dict[str, Any]:
        person = f"user{self._chance.randrange(PEOPLE)}@example.com"
        enters = self._chance.random() < 0.6
        made = event(person, self._chance.choice(AUDIENCES), enters=enters)
        return {**made, "messageId": f"m{next(self._numbers)}"}

    def _differences(self) -> str:
        wanted, held = members_after(self.acknowledged), members_of(self.criteo)
        return ", ".join(
            f"{name}: {len(wanted.get(name, set()) ^ held.get(name, set()))} wrong"
            for name in sorted({*wanted, *held})
            if wanted.get(name, set()) != held.get(name, set())
        )

    def _compare(self) -> None:
        if differences := self._differences():
            self.wrong.append(differences)
        if self.busiest > RATE:
            self.wrong.append(f"{self.busiest} requests in a minute")
        if len(self.acknowledged) <= self.incidents.total():
            self.wrong.append("hardly anything was acknowledged")


def _settled(store: PostgresStore) -> bool:
    try:
        found = connection_statuses(store)
    except StorageError:
        return False
    return bool(found) and all(one.waiting == 0 and one.doubts == 0 for one in found)


def _seconds(found: list[float]) -> str:
    return ", ".join(f"{one:.1f}" for one in found) + " s" if found else "no time"
