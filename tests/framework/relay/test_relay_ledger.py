"""The ledger of memberships in a relay: over restarts, replays, changes of owners, and without."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from destinations.criteo_audiences.sandbox import CriteoSandbox
from framework.delivery import (
    Audience,
    Connection,
    Member,
    MemberChange,
    Patience,
    RateStores,
)
from framework.errors import StorageError
from framework.relay import (
    ConnectionIdentity,
    EventStore,
    PostgresStore,
    Relay,
    RelayRoute,
    SQLiteStore,
)
from framework.relay import connection_statuses as statuses
from framework.relay.delivery_ledger import clear_account
from framework.relay.worker import RelayWorker
from framework.sandbox import Fault, FrozenClock, SandboxTransport
from framework.state_store import StateStore
from tests.deliveries import ADD, REMOVE, event, opened
from tests.relaying import until

ADA, BOB = "ada@example.com", "bob@example.com"
SAVE_EVERY = "framework.relay.stream_session.SAVE_EVERY"
SOON = Patience(run_for=math.inf, first=0.01, cap=0.02)


class Gate(httpx.BaseTransport):
    """Passes requests to a sandbox; what is about lists waits while the gate is closed."""

    def __init__(self, criteo: CriteoSandbox) -> None:
        self._inner = SandboxTransport(criteo)
        self.open = threading.Event()
        self.open.set()
        self.waiting = threading.Event()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/contact-list"):
            self.waiting.set()
            assert self.open.wait(30)
        return self._inner.handle_request(request)


class Bench:
    """A store, a sandbox of the partner, and relays between them."""

    def __init__(self, store: EventStore) -> None:
        self.store = store
        self.criteo = CriteoSandbox(clock=FrozenClock())
        self.gate = Gate(self.criteo)
        self.patience = SOON
        self.results: dict[tuple[str, str, str], int] = {}

    def append(self, *events: dict[str, Any]) -> None:
        self.store.append("events", [json.dumps(one).encode() for one in events])

    def route(self, **options: Any) -> RelayRoute:
        return RelayRoute(
            name="ads",
            stream="events",
            open_connection=self._open,
            patience=self.patience,
            **options,
        )

    @contextmanager
    def relaying(self, **options: Any) -> Iterator[Relay]:
        relay = Relay(self.store, [self.route(**options)], from_start=True)
        relay.start()
        try:
            yield relay
        finally:
            assert relay.stop(20)
            self.results = dict(relay.workers()[0].results)

    def deliver(self, *events: dict[str, Any], **options: Any) -> dict[str, int]:
        """Relay events in a new relay; return the number of results by code."""
        with self.relaying(**options):
            self.append(*events)
            until(self.settled)
        found: dict[str, int] = {}
        for (_, outcome, code), number in self.results.items():
            if code != "NOT_MATCHED":
                found[code or outcome] = found.get(code or outcome, 0) + number
        return found

    def settled(self) -> bool:
        return all(one.waiting == 0 for one in statuses(self.store))

    def members(self) -> list[tuple[bool, bool]]:
        """Return for each person whether it is wanted and confirmed in the only audience."""
        (audience,) = self.store.ledger.audiences()
        return [member[:2] for _, member in self.store.ledger.members(audience.id)]

    def _open(self, _: RateStores, __: StateStore) -> Connection:
        return opened(self.criteo, self.gate)


@pytest.fixture(params=["sqlite", "postgres"])
def bench(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bench]:
    monkeypatch.setattr(SAVE_EVERY, 0.05)
    with (
        SQLiteStore(tmp_path / "events.db")
        if request.param == "sqlite"
        else PostgresStore(request.getfixturevalue("postgres_url"))
    ) as store:
        yield Bench(store)


def test_what_changes_nothing_makes_no_call_after_a_restart(bench: Bench) -> None:
    events = [event(ADA), event(BOB, enters=False)]
    assert bench.deliver(*events) == {"delivered": 2}
    before = bench.criteo.calls.total()
    assert bench.deliver(*events, *events) == {"UNCHANGED": 2, "SUPERSEDED": 2}
    assert bench.criteo.calls.total() == before
    assert sorted(bench.members()) == [(False, True), (True, True)]
    assert bench.results[ADD, "skipped", "UNCHANGED"] == 1
    assert bench.results[REMOVE, "skipped", "UNCHANGED"] == 1


def test_a_call_that_an_owner_made_and_never_saved_is_not_believed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StorageError("The disk is gone.")

    bench.deliver(event(ADA))
    monkeypatch.setattr(SAVE_EVERY, 1.0)
    with bench.relaying() as relay:
        owner = relay._workers[0]._owner
        with monkeypatch.context() as patch:
            patch.setattr(owner, "save", fail)
            bench.append(event(ADA, enters=False))
            until(lambda: bench.criteo.members("spring") == frozenset())
            assert bench.members() == [(True, False)]
        until(bench.settled)
    assert bench.members() == [(False, True)]


def test_a_failed_event_is_wanted_until_its_replay_is_confirmed(bench: Bench) -> None:
    bench.patience = Patience(tries=1, total=0.0, run_for=math.inf, first=0.01)
    bench.criteo.inject(Fault("server-error", "amend", times=9))
    bench.deliver(event(ADA))
    assert bench.members() == [(True, False)]
    bench.criteo._plan.clear()
    assert bench.store.dead_letters.replay() == 1
    with bench.relaying():
        until(lambda: bench.store.dead_letters.count() == 0)
    assert bench.members() == [(True, True)]
    assert bench.criteo.members("spring") == {ADA}
    before = bench.criteo.calls.total()
    assert bench.deliver(event(ADA)) == {"UNCHANGED": 1}
    assert bench.criteo.calls.total() == before


def test_a_replay_is_sent_whatever_is_known(bench: Bench) -> None:
    bench.patience = Patience(tries=1, total=0.0, run_for=math.inf, first=0.01)
    bench.criteo.inject(Fault("server-error", "amend", times=9))
    bench.deliver(event(ADA))
    bench.criteo._plan.clear()
    bench.deliver(event(ADA))
    assert bench.members() == [(True, True)]
    amended = bench.criteo.calls["amend"]
    assert bench.store.dead_letters.replay() == 1
    with bench.relaying():
        until(lambda: bench.store.dead_letters.count() == 0)
    assert bench.criteo.calls["amend"] == amended + 1
    assert bench.members() == [(True, True)]


def test_without_its_ledger_a_relay_sends_all_and_what_was_known_counts_no_longer(
    bench: Bench,
) -> None:
    bench.deliver(event(ADA))
    assert bench.deliver(event(ADA), ledger=False) == {"delivered": 1}
    assert bench.members() == [(True, False)]
    assert bench.deliver(event(ADA)) == {"delivered": 1}
    assert bench.deliver(event(ADA)) == {"UNCHANGED": 1}


def test_a_partner_that_starts_empty_has_no_members(bench: Bench) -> None:
    options = {"sent_to": "the sandbox", "starts_empty": True}
    bench.deliver(event(ADA), **options)
    assert bench.deliver(event(ADA), event(BOB), **options) == {"delivered": 2}


def test_two_applications_of_one_advertiser_change_the_same_audiences() -> None:
    criteo = CriteoSandbox(clock=FrozenClock())

    def account(**settings: str) -> str:
        with opened(criteo, settings=settings) as connection:
            return ConnectionIdentity.of(connection, "ads").account

    assert account(client_id="a second application") == account()
    assert account(advertiser_id="1") != account()


def test_only_the_audiences_of_one_account_are_cleared(bench: Bench) -> None:
    spring = Audience("membership", "scope", "name", "spring")
    claim = bench.store.claim("ads")
    assert claim
    for account in ("first", "second"):
        version = claim.memberships(account).look_up(spring, []).version
        claim.save_members([MemberChange(spring, bytes(16), Member(True, True, 1), version)])
    claim.release()
    clear_account(bench.store, "first")
    found = {one.account: one.pending for one in bench.store.ledger.audiences()}
    assert found == {"first": 1, "second": 0}


def test_what_is_sent_elsewhere_has_a_ledger_of_its_own(bench: Bench) -> None:
    bench.deliver(event(ADA))
    bench.store.drop("ads")
    bench.deliver(event(ADA), sent_to="`https://api.criteo.com` at `http://127.0.0.1:1`")
    (audience,) = bench.store.ledger.audiences()
    assert audience.account.endswith("at `http://127.0.0.1:1`")


def test_whom_a_lost_owner_may_still_reach_is_doubted(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its call is under way while the connection is taken away; nobody knows which comes last."""
    monkeypatch.setattr(RelayWorker, "_resolve_doubts", lambda *_: None)
    monkeypatch.setattr(RelayWorker, "_has_doubts", lambda _: False)
    bench.deliver(event(BOB))
    monkeypatch.setattr(SAVE_EVERY, 1.0)
    bench.gate.open.clear()
    bench.gate.waiting.clear()
    with bench.relaying():
        bench.append(event(ADA))
        assert bench.gate.waiting.wait(30)
        assert bench.store.drop("ads")
        until(lambda: "ads" in {one.connection for one in statuses(bench.store)})
        bench.gate.open.set()
    owner = bench.store.own("ads", "events")
    assert owner is not None
    (doubt,) = owner.doubts()
    (ada,) = bench.store.ledger.digests([sha256(ADA.encode()).hexdigest()])
    assert (doubt.audience.name, doubt.identifier, doubt.person) == ("spring", ADA, ada)
