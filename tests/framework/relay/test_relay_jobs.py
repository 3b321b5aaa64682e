"""Jobs that a partner finishes later, over a store: kept, asked for, and submitted once."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from framework import Accepted, Subscription, connect, open_plugin
from framework.delivery import Connection, KeptTokens, Patience, RateStores, Retry
from framework.delivery.jobs import JobRecord, Jobs
from framework.errors import StorageError
from framework.relay import EventStore, PostgresStore, Relay, RelayRoute, SQLiteStore, kept_jobs
from framework.relay import connection_statuses as statuses
from framework.sandbox import SandboxTransport
from framework.state_store import StateStore
from tests.relaying import until

BULK = Path(__file__).parents[2] / "plugins" / "acme_bulk"
SOON = Patience(run_for=math.inf, first=0.01, cap=0.02)


class Bench:
    """A store with events, a partner that imports uploads later, and relays between them."""

    def __init__(self, store: EventStore) -> None:
        self.store = store
        module = _module("acme_bulk")
        self.plugin = open_plugin(module)
        self.sandbox: Any = self.plugin.call("sandbox")
        events = [
            {"type": "track", "messageId": f"m{at}", "properties": {"email": email, "value": at}}
            for at, email in enumerate(["ann@example.com", "bob", "cy@example.com"])
        ]
        store.append("events", [json.dumps(one).encode() for one in events])

    @contextmanager
    def relaying(self) -> Iterator[None]:
        route = RelayRoute(
            name="bulk",
            stream="events",
            open_connection=self._open,
            patience=SOON,
        )
        relay = Relay(self.store, [route], from_start=True)
        relay.start()
        try:
            yield
        finally:
            assert relay.stop(20)

    def settled(self) -> bool:
        return all(one.waiting == 0 for one in statuses(self.store))

    def jobs(self) -> list[JobRecord]:
        return kept_jobs(self.store.state, "bulk")

    def _open(self, rates: RateStores, state: StateStore) -> Connection:
        return connect(
            self.plugin,
            {"account": "a-1"},
            [Subscription(action="upload", name="Rows")],
            transport=SandboxTransport(self.sandbox),
            retry=Retry.never(),
            rates=rates,
            tokens=KeptTokens(state),
        )


@pytest.fixture(params=["sqlite", "postgres"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    with (
        SQLiteStore(tmp_path / "events.db")
        if request.param == "sqlite"
        else PostgresStore(request.getfixturevalue("postgres_url"))
    ) as store:
        yield Bench(store)


def test_a_relay_asks_for_jobs_until_they_are_finished(bench: Bench) -> None:
    with bench.relaying():
        until(lambda: bench.settled() and not bench.jobs())
    assert [len(one) for one in bench.sandbox.uploads.values()] == [3]
    (letter,) = bench.store.dead_letters.list()
    assert (letter.code, letter.line) == ("WRONG_LINE", 2)


def test_the_next_relay_goes_on_with_a_job(bench: Bench) -> None:
    bench.sandbox.patience = math.inf
    with bench.relaying():
        until(lambda: bool(bench.sandbox.asked))
    (job,) = bench.jobs()
    assert (job.ticket, job.size, bench.settled()) == ("u1", 3, False)
    bench.sandbox.patience = 0
    with bench.relaying():
        until(lambda: bench.settled() and not bench.jobs())
    assert len(bench.sandbox.keys) == 1


def test_a_ticket_that_could_not_be_stored_is_found(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted, failures = Jobs.submitted, iter([True, True])

    def fail_twice(jobs: Jobs, record: JobRecord, accepted: Accepted) -> JobRecord:
        if next(failures, False):
            raise StorageError("The disk is full.")
        return submitted(jobs, record, accepted)

    monkeypatch.setattr(Jobs, "submitted", fail_twice)
    with bench.relaying():
        until(lambda: bench.settled() and not bench.jobs())
    assert len(bench.sandbox.keys) == 1


def _module(name: str) -> Any:
    """Import a module of the plugin, which is not installed."""
    for one in (name, f"{name}_sandbox"):
        spec = importlib.util.spec_from_file_location(one, BULK / f"{one}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[one] = module
        spec.loader.exec_module(module)
    return sys.modules[name]
