"""Batches are of one kind, never too large, lose nothing, and the last word about one wins."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from framework.definition import Batching
from framework.delivery.batching import Batch, Batcher, Parcel

LANE = Batching(keys=("audience",), max_size=3, max_bytes=100, lane="membership")
STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "remove"]), st.sampled_from("AB"), st.sampled_from("uvwxyz")),
    max_size=40,
)


def deliver(steps: list[tuple[str, str, str]], batching: Batching) -> list[Batch]:
    batcher = Batcher()
    batches: list[Batch] = []
    for position, (action, audience, person) in enumerate(steps):
        route = 0 if action == "add" else 1
        parcel = Parcel(position, route, None, (audience,), identifier=person, size=10)
        batches += batcher.add(parcel, "membership", action, batching)
    return batches + list(batcher.flush())


@given(STEPS)
def test_applying_the_batches_equals_applying_the_events(steps: list[tuple[str, str, str]]) -> None:
    """The members after all calls are those after the events, one at a time."""
    expected: dict[str, set[str]] = {"A": set(), "B": set()}
    for action, audience, person in steps:
        (expected[audience].add if action == "add" else expected[audience].discard)(person)

    members: dict[str, set[str]] = {"A": set(), "B": set()}
    for batch in deliver(steps, LANE):
        people = {str(parcel.identifier) for parcel in batch.parcels}
        if batch.action == "add":
            members[batch.key[0]] |= people
        else:
            members[batch.key[0]] -= people

    assert expected == members


@given(STEPS)
def test_every_parcel_settles_exactly_once(steps: list[tuple[str, str, str]]) -> None:
    """Sent, shared and superseded parcels together are the parcels that came."""
    batches = deliver(steps, LANE)

    settled = [
        one.position for batch in batches for parcel in batch.parcels for one in parcel.all()
    ]

    assert list(range(len(steps))) == sorted(settled)


@given(STEPS, st.integers(1, 4), st.integers(10, 45))
def test_batches_keep_their_limits(
    steps: list[tuple[str, str, str]], max_size: int, max_bytes: int
) -> None:
    """No batch has more parcels or bytes than allowed, none is empty, keys never mix."""
    rules = Batching(keys=("audience",), max_size=max_size, max_bytes=max_bytes, lane="membership")

    for batch in deliver(steps, rules):
        assert 1 <= len(batch.parcels) <= max_size
        assert sum(parcel.size for parcel in batch.parcels) <= max_bytes
        assert {parcel.key for parcel in batch.parcels} == {batch.key}
        assert len({parcel.identifier for parcel in batch.parcels}) == len(batch.parcels)


def test_a_shared_and_a_superseded_parcel_travel_with_the_one_that_is_sent() -> None:
    """Add, add again, remove: one removal is sent, two parcels settle behind it."""
    (batch,) = deliver([("add", "A", "u"), ("add", "A", "u"), ("remove", "A", "u")], LANE)

    (sent,) = batch.parcels
    assert (batch.action, sent.position, batch.reason) == ("remove", 2, "end")
    assert sorted(one.position for one in sent.superseded) == [0, 1]
    assert sent.shared == []


def test_parcels_without_identifier_are_all_sent_in_order() -> None:
    """Nothing is coalesced where nobody says whom a payload is about."""
    batcher = Batcher()
    rules = Batching(max_size=2)
    batches = [b for p in range(3) for b in batcher.add(Parcel(p, 0, None), 0, "send", rules)]
    batches += batcher.flush()

    assert [[parcel.position for parcel in batch.parcels] for batch in batches] == [[0, 1], [2]]
    assert [batch.reason for batch in batches] == ["count", "end"]


def test_a_slow_batch_is_due_after_its_age() -> None:
    """A batch leaves when its oldest parcel has waited for `max_age` seconds."""
    now = [0.0]
    batcher = Batcher(lambda: now[0])
    rules = Batching(max_size=10, max_age=5)
    list(batcher.add(Parcel(0, 0, None), 0, "send", rules))
    now[0] = 4.9
    early = list(batcher.due())
    now[0] = 5.0
    (late,) = batcher.due()

    assert early == []
    assert (late.reason, len(late.parcels), batcher.waiting) == ("age", 1, 0)


def test_the_fullest_pile_makes_room() -> None:
    """When too much waits, the largest batch goes early."""
    batcher = Batcher()
    rules = Batching(max_size=10)
    for position, lane in enumerate("aab"):
        list(batcher.add(Parcel(position, 0, None), lane, "send", rules))

    (batch,) = batcher.largest()

    assert ([parcel.position for parcel in batch.parcels], batch.reason) == ([0, 1], "room")
    assert batcher.waiting == 1


def test_repetitions_count_as_waiting_and_leave_together() -> None:
    """So a file that says the same thing without end does not fill the memory."""
    batcher = Batcher()
    rules = Batching(max_size=10)
    for position in range(5):
        list(batcher.add(Parcel(position, 0, None, identifier="ada"), "lane", "send", rules))
    assert batcher.waiting == 5

    (batch,) = batcher.largest()

    assert len(list(batch.parcels[0].all())) == 5
    assert batcher.waiting == 0
