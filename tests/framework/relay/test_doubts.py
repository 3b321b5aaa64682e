"""Late calls of a former owner are undone: its people are sent once more, as the ledger knows."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from typing import Any

import pytest

from destinations.criteo_audiences.sandbox import CriteoSandbox
from framework.delivery import Connection, Member, MemberChange, Patience, RateStores
from framework.errors import ConfigurationError
from framework.relay import Doubt, EventStore, PostgresStore, Relay, RelayRoute, SQLiteStore
from framework.relay import connection_statuses as statuses
from framework.sandbox import Fault, FrozenClock
from framework.state_store import StateStore
from tests.deliveries import event, members_of, opened
from tests.framework.relay.test_relay_ledger import ADA, BOB, Gate
from tests.relaying import until

SOON = Patience(run_for=math.inf, first=0.01, cap=0.02)


class Machine:
    """A relay on a machine of its own, with a gate to the common partner."""

    def __init__(self, url: str, criteo: CriteoSandbox, stack: ExitStack) -> None:
        self.store = stack.enter_context(PostgresStore(url))
        self.gate = Gate(criteo)
        self._criteo = criteo
        route = RelayRoute(name="ads", stream="events", open_connection=self._open, patience=SOON)
        self.relay = Relay(self.store, [route], from_start=True, waits=True)
        self.relay.start()
        stack.callback(self._stop)

    @property
    def owns(self) -> bool:
        (worker,) = self.relay.workers()
        return worker.state == "delivering"

    def lose(self) -> None:
        """Lose the connection, as a process does that is frozen for too long."""
        (worker,) = self.relay._workers
        assert worker._owner
        backend = worker._owner._session._session.info.backend_pid  # type: ignore[attr-defined]
        with self.store._address.open() as session:
            session.execute("select pg_terminate_backend(%s, 5000)", (backend,))

    def append(self, *events: dict[str, Any]) -> None:
        self.store.append("events", [json.dumps(one).encode() for one in events])

    def _open(self, _: RateStores, __: StateStore) -> Connection:
        return opened(self._criteo, self.gate)

    def _stop(self) -> None:
        self.gate.open.set()
        assert self.relay.stop(20)


def settled(store: EventStore) -> bool:
    return all(one.waiting == 0 and one.doubts == 0 for one in statuses(store))


@pytest.fixture
def criteo() -> CriteoSandbox:
    return CriteoSandbox(clock=FrozenClock())


def test_a_late_call_of_a_former_owner_is_undone(postgres_url: str, criteo: CriteoSandbox) -> None:
    with ExitStack() as stack:
        first = Machine(postgres_url, criteo, stack)
        until(lambda: first.owns)
        first.append(event(BOB))
        until(lambda: settled(first.store))
        first.gate.open.clear()
        first.gate.waiting.clear()
        first.append(event(ADA), event(BOB, enters=False))
        assert first.gate.waiting.wait(10)
        second = Machine(postgres_url, criteo, stack)
        first.lose()
        until(lambda: second.owns)
        second.append(event(ADA, enters=False), event(BOB))
        until(lambda: members_of(criteo) == {"spring": {BOB}} and settled(second.store))
        calls = criteo.calls.total()
        first.gate.open.set()  # the calls that were under way reach the partner now
        until(lambda: criteo.calls.total() > calls)
        late = time.monotonic()
        until(lambda: members_of(criteo) == {"spring": {BOB}} and settled(second.store))
        assert time.monotonic() - late < 5.0
        time.sleep(0.5)
        assert members_of(criteo) == {"spring": {BOB}}
        assert second.store.ledger.doubts("ads") == 0
        (audience,) = second.store.ledger.audiences()
        assert (audience.members, audience.pending) == (1, 0)


@contextmanager
def relaying(store: EventStore, criteo: CriteoSandbox, **options: Any) -> Iterator[Relay]:
    route = RelayRoute(
        name="ads",
        stream="events",
        open_connection=lambda *_: opened(criteo),
        patience=SOON,
        **options,
    )
    relay = Relay(store, [route], from_start=True)
    relay.start()
    try:
        yield relay
    finally:
        assert relay.stop(20)


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[EventStore]:
    with (
        SQLiteStore(tmp_path_factory.mktemp("store") / "events.db")
        if request.param == "sqlite"
        else PostgresStore(request.getfixturevalue("postgres_url"))
    ) as opened_store:
        yield opened_store


def doubted(store: EventStore, identifier: str) -> Doubt:
    (audience,) = store.ledger.audiences()
    (person,) = store.ledger.digests([sha256(identifier.encode()).hexdigest()])
    return Doubt(audience.audience, person, identifier, audience.account)


def test_doubts_are_sent_as_the_ledger_knows_and_then_forgotten(
    store: EventStore, criteo: CriteoSandbox
) -> None:
    with relaying(store, criteo):
        store.append("events", [json.dumps(event(one)).encode() for one in (ADA, BOB)])
        store.append("events", [json.dumps(event(BOB, enters=False)).encode()])
        until(lambda: members_of(criteo) == {"spring": {ADA}} and settled(store))
        damage(criteo, {BOB})
        store.ledger.doubt("ads", [doubted(store, ADA), doubted(store, BOB)])
        until(lambda: members_of(criteo) == {"spring": {ADA}})
        until(lambda: settled(store))
        (audience,) = store.ledger.audiences()
        assert (audience.members, audience.pending) == (1, 0)


def damage(criteo: CriteoSandbox, members: set[str]) -> None:
    """Change the list `spring` as late calls would."""
    with opened(criteo) as connection:
        before = members_of(criteo)["spring"]
        connection.deliver([event(one, enters=False) for one in sorted(before - members)])
        connection.deliver([event(one) for one in sorted(members - before)])
    assert members_of(criteo)["spring"] == members


def test_doubts_that_the_partner_refuses_for_now_stay(
    store: EventStore, criteo: CriteoSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("framework.relay.worker._DOUBTS_AGAIN", 0.1)
    with relaying(store, criteo):
        store.append("events", [json.dumps(event(ADA)).encode()])
        until(lambda: settled(store))
        criteo.inject(Fault("server-error", "amend", times=9))  # more than one call repeats
        before = criteo.calls["amend"]
        store.ledger.doubt("ads", [doubted(store, ADA)])
        until(lambda: criteo.calls["amend"] > before)
        assert store.ledger.doubts("ads") == 1
        until(lambda: criteo.calls["amend"] == before + 10)
        until(lambda: settled(store))
        (audience,) = store.ledger.audiences()
        assert (audience.members, audience.pending) == (1, 0)


def test_doubts_about_another_account_are_not_sent(
    store: EventStore, criteo: CriteoSandbox
) -> None:
    """The connection has other settings now."""
    with relaying(store, criteo):
        store.append("events", [json.dumps(event(ADA)).encode()])
        until(lambda: settled(store))
        calls = criteo.calls.total()
        store.ledger.doubt("ads", [doubted(store, ADA)._replace(account="another")])
        until(lambda: store.ledger.doubts("ads") == 0)
        assert criteo.calls.total() == calls
        (audience,) = store.ledger.audiences()
        assert (audience.members, audience.pending) == (1, 0)


def test_without_a_ledger_doubts_are_forgotten(store: EventStore, criteo: CriteoSandbox) -> None:
    with relaying(store, criteo):
        store.append("events", [json.dumps(event(ADA)).encode()])
        until(lambda: settled(store))
    store.ledger.doubt("ads", [doubted(store, ADA)])
    with relaying(store, criteo, ledger=False):
        until(lambda: store.ledger.doubts("ads") == 0)


def test_nobody_in_doubt_is_confirmed_where_single_people_cannot_be_sent(
    store: EventStore, criteo: CriteoSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the owner has saved them as confirmed after the doubt."""

    def members_of_nobody(_: Connection) -> None:
        raise ConfigurationError("Single members cannot be changed.")

    monkeypatch.setattr("framework.relay.doubt_delivery.MemberEvents", members_of_nobody)
    with relaying(store, criteo):
        store.append("events", [json.dumps(event(ADA)).encode()])
        until(lambda: settled(store))
    doubt = doubted(store, ADA)
    store.ledger.doubt("ads", [doubt])
    claim = store.claim("ads")
    assert claim
    version = claim.memberships(doubt.account).look_up(doubt.audience, [doubt.person]).version
    confirmed = MemberChange(doubt.audience, doubt.person, Member(True, True, 1), version)
    claim.save_members([confirmed])
    claim.release()
    with relaying(store, criteo):
        until(lambda: settled(store))
        (audience,) = store.ledger.audiences()
        assert (audience.members, audience.pending) == (1, 1)
        store.append("events", [json.dumps(event(ADA)).encode()])
        until(lambda: store.ledger.audiences()[0].pending == 0)
