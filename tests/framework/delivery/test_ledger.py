"""What a ledger of memberships leaves out of a delivery, and what it believes afterwards."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from destinations.criteo_audiences.sandbox import CriteoSandbox
from framework import (
    Action,
    Aliases,
    Batching,
    DeletionRequest,
    Destination,
    Payload,
    Settings,
    Subscription,
    Target,
    hookimpl,
    open_plugin,
)
from framework import field as declared
from framework.delivery import Audience, Connection, Ledger, Member, Patience, Sender, connect
from framework.errors import OwnershipLostError, StorageError
from framework.relay import Claim, SQLiteStore
from framework.results import DELIVERED, Accepted, Delivered, Failed, Result, Skipped, Unconfirmed
from framework.sandbox import Fault, FrozenClock
from tests.deliveries import event, opened

ADA, BOB, CYD = "ada@example.com", "bob@example.com", "cyd@example.com"
SPRING = Audience("membership", '["email", null]', "name", "spring")


class Desk:
    """A connection with a ledger in a store; `restart` is a new process."""

    def __init__(self, path: Path, connection: Connection) -> None:
        self.path = path
        self.connection = connection
        self._open()

    def _open(self) -> None:
        self.store = SQLiteStore(self.path)
        claim = self.store.claim("ads")
        assert claim
        self.claim: Claim = claim
        self.memberships = claim.memberships("account")
        self.ledger = Ledger(self.memberships, lambda: 1_800_000_000)

    def restart(self) -> None:
        """Start again from what is saved."""
        self.store.close()
        self._open()

    def save(self) -> None:
        self.ledger.save(self.claim.save_members)

    def deliver(self, *events: dict[str, Any], **options: Any) -> list[str]:
        """Deliver events together; return the outcome of each as a word or a code."""
        sender = self.connection.stream(ledger=self.ledger, **options)
        return words(sender, events, len(self.connection.subscriptions))

    def members(self, audience: Audience = SPRING) -> dict[str, tuple[bool, bool]]:
        """Return who is wanted and confirmed in an audience, by the first letter."""
        self.save()
        people = dict(zip("abc", self.memberships.digests(list(map(identity, "abc"))), strict=True))
        found = self.memberships.look_up(audience, [*people.values()]).members
        return {name: found[digest][:2] for name, digest in people.items() if digest in found}

    def close(self) -> None:
        self.connection.close()
        self.store.close()


def identity(name: str) -> str:
    """Return the canonical identity of a person, for Criteo and for the toy below."""
    address = next(one for one in (ADA, BOB, CYD) if one.startswith(name))
    return sha256(address.encode()).hexdigest()


def words(sender: Sender, events: Sequence[dict[str, Any]], size: int) -> list[str]:
    found: dict[tuple[int, int], Result] = {}
    for completions in (*sender.add(enumerate(events)), *sender.flush(), *sender.close()):
        for completion in completions:
            for position, subscription, result in completion.each():
                assert (position, subscription) not in found
                found[position, subscription] = result
    told = []
    for position in range(len(events)):
        mine = [found.get((position, index)) for index in range(-1, size)]
        told.append(next((word for one in mine if (word := _word(one))), "open"))
    return told


def _word(result: Result | None) -> str:
    if result is None or (isinstance(result, Skipped) and result.code == "NOT_MATCHED"):
        return ""
    assert not isinstance(result, Accepted)
    return "delivered" if isinstance(result, Delivered) else result.code


def enter(email: str, audience: str = "spring") -> dict[str, Any]:
    return event(email, audience)


def leave(email: str, audience: str = "spring") -> dict[str, Any]:
    return event(email, audience, enters=False)


@pytest.fixture
def criteo() -> CriteoSandbox:
    return CriteoSandbox(clock=FrozenClock())


@pytest.fixture
def desk(tmp_path: Path, criteo: CriteoSandbox) -> Iterator[Desk]:
    desk = Desk(tmp_path / "events.db", opened(criteo))
    yield desk
    desk.close()


def amended(criteo: CriteoSandbox) -> list[tuple[str, int]]:
    """Return operation and number of identifiers of each amendment."""
    return [
        (name, one.note[name])
        for one in criteo.requests
        if one.route == "amend"
        for name in ("add", "remove")
        if name in one.note
    ]


# What changes nothing is not sent


def test_what_changes_nothing_makes_no_call(desk: Desk, criteo: CriteoSandbox) -> None:
    assert desk.deliver(enter(ADA), enter(BOB)) == ["delivered"] * 2
    before = criteo.calls.total()
    assert desk.deliver(enter(ADA), enter(BOB)) == ["UNCHANGED"] * 2
    assert criteo.calls.total() == before
    assert desk.deliver(leave(ADA)) == ["delivered"]
    before = criteo.calls.total()
    assert desk.deliver(leave(ADA)) == ["UNCHANGED"]
    assert desk.deliver(enter(BOB)) == ["UNCHANGED"]
    assert criteo.calls.total() == before
    assert criteo.members("spring") == {BOB}
    assert desk.members() == {"a": (False, True), "b": (True, True)}


def test_what_changes_nothing_makes_no_call_after_a_restart(
    desk: Desk, criteo: CriteoSandbox
) -> None:
    desk.deliver(enter(ADA), leave(BOB))
    desk.save()
    assert desk.ledger.unsaved == 0
    desk.restart()
    before = criteo.calls.total()
    assert desk.deliver(enter(ADA), leave(BOB)) == ["UNCHANGED"] * 2
    assert criteo.calls.total() == before


def test_only_what_changes_something_is_sent(desk: Desk, criteo: CriteoSandbox) -> None:
    desk.deliver(enter(ADA), enter(BOB))
    assert desk.deliver(enter(ADA), enter(CYD), enter(BOB)) == [
        "UNCHANGED",
        "delivered",
        "UNCHANGED",
    ]
    assert amended(criteo) == [("add", 2), ("add", 1)]


def test_every_form_of_an_identifier_is_one_person(desk: Desk) -> None:
    desk.deliver(enter(ADA), enter(BOB))
    mixed = desk.deliver(enter(identity("a")), enter(BOB.upper()), enter(CYD))
    assert mixed == ["UNCHANGED", "UNCHANGED", "delivered"]


def test_audiences_are_told_apart(desk: Desk, criteo: CriteoSandbox) -> None:
    desk.deliver(enter(ADA, "spring"))
    assert desk.deliver(enter(ADA, "autumn")) == ["delivered"]
    assert desk.deliver(enter(ADA, "spring"), enter(ADA, "autumn")) == ["UNCHANGED"] * 2
    assert criteo.members("autumn") == {ADA}


def test_what_is_superseded_is_not_looked_at(desk: Desk, criteo: CriteoSandbox) -> None:
    desk.deliver(enter(ADA))
    before = criteo.calls.total()
    assert desk.deliver(leave(ADA), enter(ADA)) == ["SUPERSEDED", "UNCHANGED"]
    assert criteo.calls.total() == before


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_leave_out_the_same(desk: Desk, criteo: CriteoSandbox, threads: int) -> None:
    events = [enter(ADA), enter(BOB, "autumn"), leave(CYD)]
    assert desk.deliver(*events, threads=threads) == ["delivered"] * 3
    before = criteo.calls.total()
    assert desk.deliver(*events, threads=threads) == ["UNCHANGED"] * 3
    assert criteo.calls.total() == before


# What may have changed is not confirmed


def test_a_call_that_is_under_way_at_a_crash_is_not_confirmed(
    desk: Desk, criteo: CriteoSandbox
) -> None:
    """The enter is saved; the exit takes effect, and nothing is saved any more."""
    desk.deliver(enter(ADA))
    desk.save()
    assert desk.deliver(leave(ADA)) == ["delivered"]
    desk.restart()
    assert criteo.members("spring") == frozenset()
    assert desk.deliver(enter(ADA)) == ["delivered"]
    assert criteo.members("spring") == {ADA}


def test_what_was_never_saved_is_sent_again(desk: Desk) -> None:
    desk.deliver(enter(ADA))
    desk.restart()
    assert desk.deliver(enter(ADA)) == ["delivered"]


@pytest.mark.parametrize("kind", ["server-error", "drop-after", "drop-before", "html"])
def test_a_failed_call_leaves_its_people_wanted_and_unconfirmed(
    desk: Desk, criteo: CriteoSandbox, kind: str
) -> None:
    desk.deliver(enter(BOB))
    criteo.inject(Fault(kind, "amend", times=9))
    failed = desk.deliver(enter(ADA), leave(BOB))
    assert not {"delivered", "UNCHANGED"} & {*failed}
    assert desk.members() == {"a": (True, False), "b": (False, False)}
    criteo._plan.clear()
    assert desk.deliver(enter(ADA), leave(BOB)) == ["delivered"] * 2
    assert desk.members() == {"a": (True, True), "b": (False, True)}
    assert criteo.members("spring") == {ADA}


def test_a_failed_call_may_change_what_is_not_saved_yet(desk: Desk, criteo: CriteoSandbox) -> None:
    desk.deliver(enter(ADA))
    criteo.inject(Fault("drop-after", "amend", times=9))
    desk.deliver(leave(ADA))
    criteo._plan.clear()
    assert desk.members() == {"a": (False, False)}
    assert desk.deliver(enter(ADA)) == ["delivered"]
    assert criteo.members("spring") == {ADA}


def test_since_is_kept_while_the_same_is_wanted(desk: Desk) -> None:
    times = iter([100, 200, 300, 400])
    desk.ledger = Ledger(desk.memberships, lambda: next(times))
    (ada,) = desk.memberships.digests([identity("a")])

    def since() -> Member:
        desk.save()
        return desk.memberships.look_up(SPRING, [ada]).members[ada]

    desk.deliver(enter(ADA))
    assert since() == Member(True, True, 100)
    desk.memberships.unconfirm(SPRING, [ada])
    desk.deliver(enter(ADA))
    assert since() == Member(True, True, 100)
    desk.deliver(leave(ADA))
    assert since() == Member(False, True, 300)


@pytest.mark.parametrize("method", ["digests", "look_up", "unconfirm"])
def test_nothing_is_sent_without_the_store(
    desk: Desk, criteo: CriteoSandbox, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    desk.deliver(enter(ADA))
    desk.save()
    before = criteo.calls.total()

    def fail(*_: object) -> None:
        raise StorageError("The disk is gone.")

    with monkeypatch.context() as patch:
        patch.setattr(desk.memberships, method, fail)
        assert desk.deliver(leave(ADA)) == ["STORE_FAILED"]
        patience = Patience(run_for=0.05, first=0.01)
        assert desk.deliver(leave(ADA), patience=patience) == ["open"]
    assert criteo.calls.total() == before
    assert desk.deliver(leave(ADA)) == ["delivered"]


def test_who_lost_the_connection_sends_no_changes(desk: Desk, criteo: CriteoSandbox) -> None:
    desk.deliver(enter(ADA))
    desk.save()
    before = criteo.calls.total()
    desk.claim.release()
    assert desk.deliver(leave(ADA)) == ["STORE_FAILED"]
    assert criteo.calls.total() == before


# Lists that are gone, or that may be the same


def test_a_list_that_is_gone_gets_its_known_members_again(
    desk: Desk, criteo: CriteoSandbox
) -> None:
    desk.deliver(enter(ADA), enter(BOB))
    desk.save()
    delete_lists(criteo)
    assert desk.deliver(enter(ADA), enter(CYD)) == ["delivered"] * 2
    assert criteo.members("spring") == {ADA, CYD}
    assert desk.members() == {"a": (True, True), "b": (True, False), "c": (True, True)}
    assert desk.deliver(enter(BOB)) == ["delivered"]
    assert criteo.members("spring") == {ADA, BOB, CYD}


def test_nobody_is_in_a_list_that_does_not_exist(desk: Desk, criteo: CriteoSandbox) -> None:
    assert desk.deliver(leave(ADA)) == ["NO_AUDIENCE"]
    assert desk.deliver(leave(BOB)) == ["NO_AUDIENCE"]
    before = criteo.calls.total()
    assert desk.deliver(leave(ADA), leave(BOB)) == ["UNCHANGED"] * 2
    assert criteo.calls.total() == before
    desk.deliver(enter(CYD))
    assert desk.members() == {"a": (False, True), "b": (False, True), "c": (True, True)}


def test_a_removal_that_finds_no_list_forgets_the_members(
    desk: Desk, criteo: CriteoSandbox
) -> None:
    desk.deliver(enter(ADA), enter(BOB))
    delete_lists(criteo)
    assert desk.deliver(leave(ADA)) == ["NO_AUDIENCE"]
    assert desk.members() == {"a": (False, True), "b": (True, False)}


def test_nothing_is_left_out_where_a_list_may_have_two_names(
    tmp_path: Path, criteo: CriteoSandbox
) -> None:
    list_id = {"@path": "$.properties.id"}
    desk = Desk(tmp_path / "events.db", opened(criteo, contact_list_id=list_id))
    desk.deliver(enter(ADA))
    by_id = leave(ADA)
    by_id["properties"]["id"] = "70001"
    assert desk.deliver(by_id) == ["delivered"]
    assert desk.deliver(enter(ADA)) == ["delivered"]
    assert desk.deliver(enter(ADA)) == ["delivered"]
    assert desk.members() == {"a": (True, False)}
    assert criteo.members("spring") == {ADA}
    desk.close()


def delete_lists(criteo: CriteoSandbox) -> None:
    criteo._state.segments.clear()


# A destination that shows every part

Calls = list[tuple[str, list[str]]]


class Nothing(Settings):
    """No settings."""


class Change(Payload):
    """A change of one person in one list."""

    who: str = declared("Who", mapping={"@path": "$.userId"})
    list: str = declared("List", mapping={"@path": "$.list"})


def _target(key: Mapping[str, Any]) -> Target:
    return Target(key["list"], "name", ("email", None))


def _canonical(identifiers: Sequence[str]) -> list[str]:
    return [identity(one[0]) if "@" in one else one for one in identifiers]


def toy(
    answer: Callable[..., Any],
    *,
    membership: bool | None = None,
    declares: bool = True,
    alone: bool = False,
    time_limit: float = 0.2,
    hooks: Mapping[str, Callable[..., Any]] | None = None,
    **limits: Any,
) -> Connection:
    """Open a destination whose calls *answer* receives; events say whether they add."""
    aliases = Aliases(form_of=lambda _: None, canonical=_canonical)
    rules = Batching(
        keys=("list",),
        lane="membership",
        target=_target if declares else None,
        aliases=aliases,
        coalesce="membership",
        **limits,
    )
    action = Action(
        slug="change",
        title="Change",
        payload=Change,
        batching=rules,
        trigger='type = "track"',
        membership=membership,
        time_limit=time_limit,
    )
    own: dict[str, Callable[..., Any]] = {
        "destination": lambda: Destination(slug="toy", name="Toy"),
        "settings": lambda: Nothing,
        "actions": lambda: [action],
        "identify": lambda payloads: [one.who for one in payloads],
        "perform" if alone else "perform_batch": answer,
        **(hooks or {}),
    }
    plugin = open_plugin(SimpleNamespace(**{one: hookimpl(hook) for one, hook in own.items()}))
    return connect(plugin, {}, [Subscription(action="change", name="change")], strict=True)


def change(who: str, *, joins: bool | None = True, **more: Any) -> dict[str, Any]:
    personas = {"computation_class": "audience", "computation_key": "in"}
    properties = {} if joins is None else {"in": joins}
    context = {"personas": personas}
    own = {"userId": who, "context": context, "properties": properties, "list": "spring"}
    return {"type": "track", **own, **more}


@pytest.fixture
def toys(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    desks: list[Desk] = []

    def make(answer: Callable[..., Any], **options: Any) -> Desk:
        path = tmp_path / f"{len(desks)}.db"
        desks.append(Desk(path, toy(answer, **options)))
        return desks[-1]

    yield make
    for desk in desks:
        desk.close()


def test_an_event_that_neither_adds_nor_removes_makes_its_person_unconfirmed(
    toys: Callable[..., Desk],
) -> None:
    calls: list[list[bool | None]] = []

    def perform_batch(memberships: Sequence[bool | None]) -> None:
        calls.append([*memberships])

    desk = toys(perform_batch)
    assert desk.deliver(change(ADA), change(BOB, joins=False)) == ["delivered"] * 2
    assert desk.deliver(change(ADA, joins=None), change(CYD, joins=None)) == ["delivered"] * 2
    assert desk.members() == {"a": (True, False), "b": (False, True)}
    assert desk.deliver(change(ADA), change(BOB, joins=False)) == ["delivered", "UNCHANGED"]
    assert calls == [[True, False], [None, None], [True]]


@pytest.mark.parametrize(
    "result",
    [
        Failed(400, "BAD", "No."),
        Unconfirmed("SOME", "Some were rejected."),
        Skipped("NO_AUDIENCE", "No list."),
        Skipped("OTHER", "For another reason."),
    ],
)
def test_only_what_the_partner_accepted_confirms_an_addition(
    toys: Callable[..., Desk], result: Result
) -> None:
    desk = toys(lambda payloads: [result, DELIVERED][: len(payloads)], membership=True)
    desk.deliver(change(ADA), change(BOB))
    assert desk.members() == {"a": (True, False), "b": (True, True)}


@pytest.mark.parametrize(("code", "confirmed"), [("NO_AUDIENCE", True), ("OTHER", False)])
def test_a_skipped_removal_confirms_it_only_without_an_audience(
    toys: Callable[..., Desk], code: str, *, confirmed: bool
) -> None:
    desk = toys(lambda: Skipped(code, "Skipped."), membership=False)
    desk.deliver(change(ADA))
    assert desk.members() == {"a": (False, confirmed)}


def test_a_destination_that_does_not_say_what_rows_change_has_no_ledger(
    toys: Callable[..., Desk],
) -> None:
    desk = toys(lambda: None, declares=False)
    assert not desk.connection.has_audiences
    assert desk.deliver(change(ADA)) == ["delivered"]
    assert desk.deliver(change(ADA)) == ["delivered"]
    assert desk.store.ledger.audiences() == []
    assert toys(lambda: None).connection.has_audiences


def test_one_call_per_event_leaves_out_the_same(toys: Callable[..., Desk]) -> None:
    calls: list[str] = []

    def perform(identifier: str) -> Result:
        calls.append(identifier)
        return Failed(400, "BAD", "No.") if identifier == BOB else DELIVERED

    desk = toys(perform, alone=True)
    desk.deliver(change(ADA), change(BOB))
    found = desk.deliver(change(BOB), change(ADA), change(CYD))
    assert found == ["BAD", "UNCHANGED", "delivered"]
    assert calls == [ADA, BOB, BOB, CYD]


def test_a_call_that_is_given_up_confirms_what_came_before_it(
    toys: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("framework.delivery.workers.GRACE", 0.0)
    release = threading.Event()
    slow: list[str] = []

    def perform(identifier: str) -> None:
        if identifier in slow:
            release.wait(20)

    desk = toys(perform, alone=True)
    desk.deliver(change(BOB))
    slow.append(CYD)
    found = desk.deliver(change(ADA), change(BOB), change(CYD))
    release.set()
    assert found == ["delivered", "UNCHANGED", "TIME_LIMIT"]
    assert desk.members() == {"a": (True, True), "b": (True, True), "c": (True, False)}


def test_halves_are_made_of_what_was_sent(toys: Callable[..., Desk]) -> None:
    """A refused batch is halved to isolate the invalid row; what changes nothing is not in it."""
    calls: list[list[str]] = []

    def perform_batch(identifiers: Sequence[str]) -> Result:
        calls.append([*identifiers])
        return Failed(400, "BAD", "No.", "partner") if CYD in identifiers else DELIVERED

    desk = toys(perform_batch)
    desk.deliver(change(BOB))
    events = [change(ADA), change(BOB), change(CYD)]
    found = desk.deliver(*events, patience=Patience(run_for=60))
    assert found == ["delivered", "UNCHANGED", "BAD"]
    assert calls == [[BOB], [ADA, CYD], [ADA], [CYD]]
    assert desk.members() == {"a": (True, True), "b": (True, True), "c": (True, False)}


@pytest.mark.parametrize("threads", [0, 2])
def test_what_fails_temporarily_is_held_without_what_changes_nothing(
    toys: Callable[..., Desk], threads: int
) -> None:
    calls: list[list[str]] = []

    def perform_batch(identifiers: Sequence[str]) -> Result:
        calls.append([*identifiers])
        return Failed(503, "DOWN", "No.", "partner") if len(calls) in {2, 3} else DELIVERED

    desk = toys(perform_batch)
    desk.deliver(change(BOB))
    patience = Patience(run_for=60, first=0.01)
    found = desk.deliver(change(ADA), change(BOB), patience=patience, threads=threads)
    assert found == ["delivered", "UNCHANGED"]
    assert calls == [[BOB], [ADA], [ADA], [ADA]]
    assert desk.members() == {"a": (True, True), "b": (True, True)}


def test_a_batch_without_a_call_proves_nothing_about_the_partner(
    toys: Callable[..., Desk],
) -> None:
    """After a failure of the connection one batch probes it, and it is one that is sent."""
    calls: list[list[str]] = []

    def perform_batch(identifiers: Sequence[str]) -> Result:
        calls.append([*identifiers])
        down = Failed(503, "DOWN", "No.", "partner", scope="connection")
        return down if len(calls) == 2 else DELIVERED

    desk = toys(perform_batch)
    desk.deliver(change(BOB, list="autumn"))
    events = [change(ADA), change(BOB, list="autumn"), change(CYD, list="winter")]
    found = desk.deliver(*events, patience=Patience(run_for=60, first=0.01))
    assert found == ["delivered", "UNCHANGED", "delivered"]
    assert calls == [[BOB], [ADA], [ADA], [CYD]]


def test_the_members_that_a_destination_forgets_are_sent(toys: Callable[..., Desk]) -> None:
    calls: list[list[str]] = []

    def perform_batch(
        identifiers: Sequence[str], forget_members: Callable[[], None]
    ) -> list[Result]:
        calls.append([*identifiers])
        if CYD in identifiers:
            forget_members()
        return [DELIVERED] * len(identifiers)

    desk = toys(perform_batch)
    desk.deliver(change(ADA), change(BOB, joins=False))
    found = desk.deliver(change(ADA), change(BOB, joins=False), change(CYD))
    assert found == ["delivered", "UNCHANGED", "delivered"]
    assert calls == [[ADA, BOB], [CYD], [ADA]]
    assert desk.members() == {"a": (True, True), "b": (False, True), "c": (True, True)}


def test_who_lost_the_connection_forgets_no_members(toys: Callable[..., Desk]) -> None:
    """The call fails like any call of who lost the connection, and is no bug of the destination."""
    desk: Desk

    def perform_batch(forget_members: Callable[[], None]) -> None:
        desk.claim.release()
        forget_members()

    def delete_users(requests: Sequence[DeletionRequest]) -> None:
        raise AssertionError(requests)

    desk = toys(perform_batch, hooks={"delete_users": delete_users})
    assert desk.deliver(change(ADA)) == ["OWNERSHIP_LOST"]
    assert desk.deliver(delete(ADA)) == ["STORE_FAILED"]
    desk.restart()
    assert desk.members() == {}


# Everything is sent


def test_a_ledger_that_sends_all_learns_from_it(desk: Desk, criteo: CriteoSandbox) -> None:
    desk.deliver(enter(ADA))
    ledger = desk.ledger
    desk.ledger = ledger.sending_all()
    assert desk.deliver(enter(ADA), enter(BOB)) == ["delivered"] * 2
    desk.ledger = ledger
    assert desk.deliver(enter(ADA), enter(BOB)) == ["UNCHANGED"] * 2
    assert amended(criteo) == [("add", 1), ("add", 2)]


def test_two_calls_at_a_time_about_one_person_confirm_nothing(
    toys: Callable[..., Desk],
) -> None:
    """Which of them came last at the partner is not known."""

    def perform_batch(identifiers: Sequence[str]) -> None:
        if BOB in identifiers and not inner:
            inner.append(True)
            again = desk.connection.stream(ledger=desk.ledger.sending_all())
            words(again, [change(ADA, joins=False)], 1)

    inner: list[bool] = []
    desk = toys(perform_batch)
    assert desk.deliver(change(ADA), change(BOB)) == ["delivered"] * 2
    assert desk.members() == {"a": (True, False), "b": (True, True)}
    assert desk.deliver(change(ADA)) == ["delivered"]
    assert desk.members() == {"a": (True, True), "b": (True, True)}


@pytest.mark.parametrize("saved_before", [False, True])
def test_what_a_call_under_way_may_change_is_not_saved_as_confirmed(
    toys: Callable[..., Desk], *, saved_before: bool
) -> None:
    seen: list[dict[str, tuple[bool, bool]]] = []
    desk: Desk
    desk = toys(lambda: seen.append(desk.members()))
    desk.deliver(change(ADA))
    if saved_before:
        desk.save()
    desk.deliver(change(ADA, joins=False))
    assert seen == [{}, {"a": (True, False)}]
    assert desk.members() == {"a": (False, True)}


def test_who_may_still_be_reached_by_calls_is_known_until_they_are_saved(
    toys: Callable[..., Desk],
) -> None:
    called: list[list[str]] = []
    desk: Desk

    def perform_batch() -> None:
        desk.save()
        called.append([one for _, _, one in desk.ledger.called()])

    desk = toys(perform_batch)
    desk.deliver(change(ADA), change(BOB))
    assert [one for _, _, one in desk.ledger.called()] == [ADA, BOB]
    desk.deliver(change(CYD))
    assert called == [[ADA, BOB], [CYD]]
    desk.save()
    assert desk.ledger.called() == []


def test_the_later_of_two_calls_at_a_time_confirms_nothing_either(
    toys: Callable[..., Desk],
) -> None:
    """The earlier call may reach the partner last."""
    begun, go = threading.Event(), threading.Event()

    def perform_batch(identifiers: Sequence[str]) -> None:
        if BOB not in identifiers:
            begun.set()
            assert go.wait(10)

    desk = toys(perform_batch, time_limit=30.0)
    again = desk.connection.stream(ledger=desk.ledger.sending_all())
    late = threading.Thread(target=words, args=(again, [change(ADA, joins=False)], 1))

    late.start()
    assert begun.wait(10)
    assert desk.deliver(change(ADA), change(BOB)) == ["delivered"] * 2
    assert desk.members() == {"a": (True, False), "b": (True, True)}
    go.set()
    late.join()
    assert desk.members() == {"a": (False, False), "b": (True, True)}


def test_a_call_under_way_is_not_over_when_an_earlier_one_ends(desk: Desk) -> None:
    ledger = desk.ledger.sending_all()
    person = [identity("a")]
    first = ledger.begin(SPRING, person, [True], [ADA])
    second = ledger.begin(SPRING, person, [False], [ADA])
    ledger.settle(first, [0], [DELIVERED])
    third = ledger.begin(SPRING, person, [True], [ADA])
    ledger.settle(third, [0], [DELIVERED])
    assert desk.members() == {"a": (True, False)}
    ledger.settle(second, [0], [DELIVERED])
    assert desk.members() == {"a": (False, False)}


def test_a_call_that_began_before_its_audience_was_cleared_confirms_nothing(
    toys: Callable[..., Desk],
) -> None:
    """Also if a newer call has seen meanwhile that it was cleared."""
    desk: Desk

    def perform_batch(identifiers: Sequence[str]) -> None:
        if ADA in identifiers:
            (status,) = desk.store.ledger.audiences()
            desk.store.ledger.clear(status.id)
            words(desk.connection.stream(ledger=desk.ledger), [change(BOB)], 1)

    desk = toys(perform_batch, time_limit=30.0)
    desk.deliver(change(ADA))
    assert desk.members() == {"a": (True, False), "b": (True, True)}


# Requests to delete users


def delete(who: str) -> dict[str, Any]:
    return {"type": "delete", "userId": who}


@pytest.mark.parametrize("asks", [False, True])
def test_nobody_counts_as_a_member_after_users_were_deleted(
    toys: Callable[..., Desk], *, asks: bool
) -> None:
    def delete_users(requests: Sequence[DeletionRequest]) -> list[Result]:
        return [DELIVERED] * len(requests)

    def delete_and_forget(
        requests: Sequence[DeletionRequest], forget_members: Callable[[], None]
    ) -> list[Result]:
        forget_members()
        return [DELIVERED] * len(requests)

    desk = toys(lambda: None, hooks={"delete_users": delete_and_forget if asks else delete_users})
    desk.deliver(change(ADA), change(BOB), change(CYD, joins=False))
    assert desk.deliver(delete(ADA)) == ["delivered"]
    assert desk.members() == {"b": (True, False), "c": (False, True)}
    desk.deliver(change(ADA), change(BOB))
    desk.save()
    desk.restart()
    assert desk.deliver(delete(ADA)) == ["delivered"]
    assert desk.members() == {"b": (True, False), "c": (False, True)}


def test_a_destination_decides_itself_whether_a_deletion_changes_audiences(
    toys: Callable[..., Desk],
) -> None:
    def delete_users(
        requests: Sequence[DeletionRequest], forget_members: Callable[[], None]
    ) -> list[Result]:
        del forget_members
        return [Failed(400, "BAD", "No.")] * len(requests)

    desk = toys(lambda: None, hooks={"delete_users": delete_users})
    desk.deliver(change(ADA), change(BOB))
    assert desk.deliver(delete(ADA)) == ["BAD"]
    assert desk.members() == {"a": (True, True), "b": (True, True)}


def test_a_destination_that_cannot_delete_users_keeps_its_ledger(desk: Desk) -> None:
    desk.deliver(enter(ADA))
    assert desk.deliver(delete(ADA)) == ["DELETION_NOT_SUPPORTED"]
    assert desk.members() == {"a": (True, True)}


def test_nobody_is_deleted_without_the_store(toys: Callable[..., Desk]) -> None:
    deleted: list[object] = []

    def delete_users(requests: Sequence[DeletionRequest]) -> None:
        deleted.append(requests)

    desk = toys(lambda: None, hooks={"delete_users": delete_users})
    desk.store.close()
    assert desk.deliver(delete(ADA)) == ["STORE_FAILED"]
    assert deleted == []
    desk._open()


# Saving


def test_nothing_is_lost_if_it_cannot_be_saved(desk: Desk) -> None:
    desk.deliver(enter(ADA))

    def fail(_: object) -> None:
        raise StorageError("The disk is full.")

    with pytest.raises(StorageError):
        desk.ledger.save(fail)
    assert desk.ledger.unsaved == 1
    assert desk.members() == {"a": (True, True)}
    desk.claim.release()
    desk.ledger.save(lambda _: None)
    with pytest.raises(OwnershipLostError):
        desk.claim.check()
