"""A relay that is killed at random moments, between a client and a partner that fails at times."""

from __future__ import annotations

import itertools
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from destinations.criteo_audiences.sandbox import CriteoOptions, CriteoSandbox
from framework.sandbox import Server
from tests.deliveries import event, members_after, members_of
from tests.proof.conftest import ORIGIN, Bench
from tests.relaying import KEY, RelayProcess, until

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

FAILING = 0.05
"""The share of the partner's responses that are failures."""

PEOPLE = 40
AUDIENCES = ("spring", "summer", "autumn")


class Chaos:
    """A relay in *folder*, a client and a partner; *seed* decides the moments.

    In the end, `acknowledged` are the events that the relay took, `wrong` the lists whose members
    are not those that these events make.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        site = folder / "site"
        _install(site)
        self.bench = Bench(folder, site)
        self.bench.configure(batch_size=5)
        self.criteo = CriteoSandbox(options=CriteoOptions(rate_limit=1_000_000))
        self.acknowledged: list[dict[str, Any]] = []
        self.wrong: list[str] = []
        self.calls: Counter[str] = Counter()
        self._chance = random.Random(seed)  # noqa: S311 - repeatable moments, no secrets
        self._url = ""
        self._stop = threading.Event()
        self._numbers = itertools.count()

    def run(self, kills: int) -> None:
        """Kill the relay so many times, let the last one finish, and compare."""
        with Server(self._partner) as server:
            client = threading.Thread(target=self._send, daemon=True)
            for number in range(kills):
                with self._start(server.url) as relay:
                    self._url = relay.url
                    if not number:
                        client.start()
                    time.sleep(self._chance.uniform(0.05, 0.8))
                    relay.kill()
            with self._start(server.url) as relay:
                self._url = relay.url
                time.sleep(0.5)
                self._stop.set()
                client.join(30)
                until(lambda: _waiting(relay) == 0, 120)
                assert relay.terminate()[0] == 0
        self._compare()

    def report(self) -> str:
        """Return what was seen, in one line."""
        found = "; ".join(self.wrong) or "no list is wrong"
        return f"{len(self.acknowledged)} events acknowledged, {dict(self.calls)}: {found}"

    def _start(self, url: str) -> RelayProcess:
        bench = self.bench
        arguments = [
            "relay", "--store", f"sqlite:{bench.folder / 'events.db'}", "-c", bench.connection,
            "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--write-key", KEY,
            "--endpoint", f"{ORIGIN}={url}",
        ]  # fmt: skip
        command = [sys.executable, "-m", "framework", *map(str, arguments)]
        return RelayProcess(command, bench.environment)

    def _partner(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Fail some requests, before or after their effect."""
        kind = self._chance.choices(
            ("answered", "refused", "unanswered"), (1 - FAILING, FAILING / 2, FAILING / 2)
        )[0]
        self.calls[kind] += 1
        if kind == "refused":
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if kind == "unanswered":
            list(self.criteo(environ, lambda *_: lambda _: None))
        if kind == "answered":
            return self.criteo(environ, start_response)
        start_response("503 Service Unavailable", [("Content-Type", "application/json")])
        return [b"{}"]

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
        except httpx.TransportError:
            return False
        return response.status_code == 200

    def _event(self) -> dict[str, Any]:
        person = f"user{self._chance.randrange(PEOPLE)}@example.com"
        enters = self._chance.random() < 0.6
        made = event(person, self._chance.choice(AUDIENCES), enters=enters)
        return {**made, "messageId": f"m{next(self._numbers)}"}

    def _compare(self) -> None:
        wanted, held = members_after(self.acknowledged), members_of(self.criteo)
        for name in sorted({*wanted, *held}):
            missing = wanted.get(name, set()) - held.get(name, set())
            extra = held.get(name, set()) - wanted.get(name, set())
            if missing or extra:
                self.wrong.append(f"{name}: {len(missing)} missing, {len(extra)} too many")


def _waiting(relay: RelayProcess) -> float:
    found = relay.metrics().items()
    return sum(number for name, number in found if name.startswith("actions_waiting_lines"))


def _install(site: Path) -> None:
    """Write what an installer writes for this project's destinations."""
    details = site / "action_destinations-0.1.0.dist-info"
    details.mkdir(parents=True)
    (details / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: action-destinations\nVersion: 0.1.0\n"
    )
    (details / "entry_points.txt").write_text(
        "[action_destinations]\ncriteo_audiences = destinations.criteo_audiences\n"
    )
