"""Batches are of one kind, never too large, lose nothing, and coalesce as is declared."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.definition import Aliases, Batching, Target
from framework.delivery.batching import MANY_LANES, Batcher
from framework.delivery.lanes import MAX_LEVELS
from framework.delivery.row_groups import Batch, RowGroup, size_of_all

LANE = Batching(keys=("audience",), max_size=3, max_bytes=100, lane="membership", coalesce="last")
STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "remove"]), st.sampled_from("AB"), st.sampled_from("uvwxyz")),
    max_size=40,
)
Step = tuple[str, str, str]


def groups(steps: list[tuple[int, Step]], rules: Batching) -> Iterator[RowGroup]:
    """Give numbered steps as a connection with a subscription for each action brings them."""
    for action in ("add", "remove"):
        for audience in "AB":
            mine = [(n, who) for n, (act, key, who) in steps if (act, key) == (action, audience)]
            if mine:
                row_ids, people = [n for n, _ in mine], [who * 7 for _, who in mine]
                yield RowGroup(action, rules, "membership", (audience,), row_ids, people)


def deliver(steps: list[Step], rules: Batching, together: int = 1) -> list[Batch]:
    """Take steps in, so many at once, and give every batch."""
    return delivered(steps, rules, together)[0]


def delivered(
    steps: list[Step], rules: Batching, together: int = 1
) -> tuple[list[Batch], list[int]]:
    """Take steps in, so many at once, and give every batch, and the superseded rows."""
    batcher = Batcher()
    batches: list[Batch] = []
    numbered = list(enumerate(steps))
    for start in range(0, len(steps), together):
        batches += batcher.add(groups(numbered[start : start + together], rules))
    batches += batcher.flush()
    assert batcher.waiting == 0
    return batches, batcher.superseded


@given(STEPS, st.integers(1, 41))
def test_applying_the_batches_equals_applying_the_events(steps: list[Step], together: int) -> None:
    """The members after all calls are those after the events, one at a time."""
    expected: dict[str, set[str]] = {"A": set(), "B": set()}
    for action, audience, person in steps:
        (expected[audience].add if action == "add" else expected[audience].discard)(person * 7)

    members: dict[str, set[str]] = {"A": set(), "B": set()}
    for batch in deliver(steps, LANE, together):
        people = set(batch.identifiers or ())
        if batch.action == "add":
            members[batch.key[0]] |= people
        else:
            members[batch.key[0]] -= people

    assert expected == members


@given(STEPS, st.integers(1, 41))
def test_lanes_without_rows_are_forgotten_without_a_trace(steps: list[Step], together: int) -> None:
    """The batches of a lane are the same, even if that happens whenever rows come."""
    numbered = list(enumerate(steps))
    kept, forgetful = Batcher(), Batcher()
    with pytest.MonkeyPatch.context() as patched:
        for start in range(0, len(steps), together):
            some = numbered[start : start + together]
            expected = list(kept.add(groups(some, LANE)))
            patched.setattr(forgetful, "_many", 0)
            assert list(forgetful.add(groups(some, LANE))) == expected
    expected, found = list(kept.flush()), list(forgetful.flush())
    for audience in "AB":
        assert [one for one in found if one.key == (audience,)] == [
            one for one in expected if one.key == (audience,)
        ]
    assert len(found) == len(expected)


def test_a_lane_for_each_user_does_not_fill_memory() -> None:
    """There may be millions of users in a day."""
    rules = Batching(keys=("user",), max_size=1)
    batcher = Batcher()
    for number in range(5 * MANY_LANES):
        group = RowGroup("send", rules, "send", (f"u{number}",), [number])
        (batch,) = batcher.add([group])
        assert batch.row_ids == [number]
    assert len([*batcher.due()]) == 0
    assert batcher.lanes <= MANY_LANES


@given(STEPS, st.integers(1, 41))
def test_every_row_settles_exactly_once(steps: list[Step], together: int) -> None:
    """Sent and superseded rows together are the rows that came."""
    batches, superseded = delivered(steps, LANE, together)
    sent = [row_id for batch in batches for row_id in batch.all_row_ids()]

    assert list(range(len(steps))) == sorted([*sent, *superseded])


@pytest.mark.parametrize("coalesce", ["none", "last"])
@given(steps=STEPS, together=st.integers(2, 41))
def test_rows_taken_in_together_come_to_the_same_as_one_by_one(
    coalesce: Any, steps: list[Step], together: int
) -> None:
    """As long as no batch closes meanwhile, the same rows are sent in the same batches."""
    rules = Batching(keys=("audience",), lane="membership", coalesce=coalesce)

    def shown(batches: list[Batch]) -> list[Any]:
        return sorted((one.action, one.key, sorted(one.row_ids)) for one in batches)

    assert shown(deliver(steps, rules, together)) == shown(deliver(steps, rules))


@given(STEPS, st.integers(1, 4), st.integers(10, 45), st.integers(1, 41))
def test_batches_keep_their_limits(
    steps: list[Step], max_size: int, max_bytes: int, together: int
) -> None:
    """No batch has more rows or bytes than allowed, none is empty, keys never mix."""
    rules = replace(LANE, max_size=max_size, max_bytes=max_bytes)

    for batch in deliver(steps, rules, together):
        assert 1 <= len(batch.row_ids) <= max_size
        assert len(batch.row_ids) == 1 or 10 * len(batch.row_ids) <= max_bytes
        assert {steps[row_id][:2] for row_id in batch.all_row_ids()} <= {
            (action, batch.key[0]) for action in ("add", "remove")
        }
        assert len(set(batch.identifiers or ())) == len(batch.row_ids)


@pytest.mark.parametrize("together", [1, 3])
def test_superseded_rows_are_known_before_the_batch_is_sent(together: int) -> None:
    """Add, add again, remove: one removal is sent, and two rows are known to be superseded."""
    steps = [("add", "A", "u"), ("add", "A", "u"), ("remove", "A", "u")]
    batcher = Batcher()
    numbered = list(enumerate(steps))
    for start in range(0, len(steps), together):
        assert not [*batcher.add(groups(numbered[start : start + together], LANE))]
    (batch,) = batcher.flush()

    assert (batch.action, batch.row_ids, batch.reason) == ("remove", [2], "end")
    assert batcher.superseded == [0, 1]


def test_rows_without_identifier_are_all_sent_in_order() -> None:
    """Nothing is coalesced where nobody says who a payload is about."""
    batcher = Batcher()
    batches = list(
        batcher.add([RowGroup("send", Batching(max_size=2), 0, (), range(3), None, "abc")])
    )
    batches += batcher.flush()

    assert [batch.row_ids for batch in batches] == [[0, 1], [2]]
    assert [batch.reason for batch in batches] == ["count", "end"]


def test_a_slow_batch_is_due_after_its_age() -> None:
    """A batch leaves when its oldest row has waited for `max_age` seconds."""
    now = [0.0]
    batcher = Batcher(lambda: now[0])
    list(batcher.add([row(0, Batching(max_size=10, max_age=5))]))
    now[0] = 4.9
    early = list(batcher.due())
    now[0] = 5.0
    (late,) = batcher.due()

    assert early == []
    assert (late.reason, len(late.row_ids), batcher.waiting) == ("age", 1, 0)


def row(row_id: int, rules: Batching, lane: str = "", who: str | None = None) -> RowGroup:
    return RowGroup("send", rules, lane, (), [row_id], None if who is None else [who], [row_id])


def test_the_largest_batch_makes_room() -> None:
    """When too much waits, the largest batch goes early."""
    batcher = Batcher()
    for position, lane in enumerate("aab"):
        list(batcher.add([row(position, Batching(max_size=10), lane)]))

    (batch,) = batcher.largest()

    assert (batch.row_ids, batch.reason) == ([0, 1], "room")
    assert batcher.waiting == 1


def test_merged_rows_count_as_waiting_and_leave_together() -> None:
    """So a file that says the same thing without end does not fill the memory."""
    batcher = Batcher()
    rules = Batching(max_size=10, coalesce="merge", merge=lambda _, older, newer: older | newer)
    for position in range(5):
        list(batcher.add([row(position, rules, who="ada")]))
    assert batcher.waiting == 5

    (batch,) = batcher.largest()

    assert (batch.row_ids, batch.merged) == ([4], {4: [0, 1, 2, 3]})
    assert batcher.waiting == 0


def test_an_identifier_is_once_in_a_batch_and_others_travel_with_its_first_row() -> None:
    """Without coalescing, repetitions are sent in order, in as few batches as that takes."""
    batcher = Batcher()
    rules = Batching(max_size=10, max_bytes=10_000)
    people = ["ada", "ada", "bob", "ada", "bob", "cyd"]
    (group,) = [RowGroup("send", rules, "", (), range(6), people)]
    assert not [*batcher.add([group])]

    batches = [*batcher.flush()]

    assert [batch.row_ids for batch in batches] == [[0, 2, 5], [1, 4], [3]]
    assert batcher.superseded == []


def test_a_full_batch_sends_first_what_was_there_before_it() -> None:
    """A batch that is full waits for nothing, but keeps the order about each identifier."""
    batcher = Batcher()
    small, large = Batching(max_size=2, lane="one"), Batching(max_size=9, lane="one")
    added = RowGroup("add", large, "one", (), [0, 1, 2], ["ada", "bob", "cyd"])
    removed = RowGroup("remove", small, "one", (), [3, 4], ["bob", "ada"])

    batches = [*batcher.add([added, removed])]

    sent = [(batch.action, batch.row_ids, batch.reason) for batch in batches]
    assert sent == [("add", [0, 1, 2], "order"), ("remove", [3, 4], "count")]


def test_one_person_without_end_does_not_fill_the_memory() -> None:
    """Beyond a few repetitions, the earliest are sent early."""
    batcher = Batcher()
    batches: list[Batch] = []
    for position in range(100):
        batches += batcher.add([row(position, Batching(max_size=10), who="ada")])
        assert batcher.waiting <= MAX_LEVELS + 10

    batches += batcher.flush()

    assert [batch.row_ids for batch in batches] == [[row_id] for row_id in range(100)]


@pytest.mark.parametrize("value", [2**70, "\ud800", float("nan")])
def test_the_size_of_any_payload_can_be_told(value: Any) -> None:
    sizes = [size_of_all([one]) for one in ({"text": "a"}, {"text": value})]
    assert sizes[0] == len('{"text":"a"},')
    assert sizes[1] >= len(json.dumps({"text": ""}))
    assert size_of_all([{"text": "a"}, {"text": value}]) == sum(sizes)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["add", "remove"]),
            st.sampled_from("ABC"),
            st.none() | st.sampled_from("uv"),
            st.integers(1, 2),
            st.integers(1, 20),
        ),
        max_size=4,
    )
)
def test_single_rows_are_batched_alike_with_and_without_earlier_ones(
    rows: list[tuple[str, str, str | None, int, int]],
) -> None:
    """A flush of single rows skips the steps that only several rows need."""
    known = {audience: who is not None for _, audience, who, _, _ in reversed(rows)}

    def groups() -> Iterator[RowGroup]:
        for row_id, (action, audience, who, max_size, max_bytes) in enumerate(rows):
            rules = Batching(keys=("audience",), max_size=max_size, max_bytes=max_bytes)
            identifiers = [who or "w"] if known[audience] else None
            yield RowGroup(
                action,
                rules,
                audience,
                (audience,),
                [row_id],
                identifiers,
                [] if identifiers else [{}],
            )

    short, long = Batcher(), Batcher()
    expected = [*long.add(groups()), *long.flush()]

    assert list(short.flush(list(groups()))) == expected
    assert short.waiting == long.waiting == 0


def _form_of(identifiers: Sequence[str]) -> str | None:
    upper = {one.isupper() for one in identifiers}
    return None if len(upper) > 1 else str(upper)


def _lower(identifiers: Sequence[str]) -> list[str]:
    return [one.lower() for one in identifiers]


def _target(key: Mapping[str, Any]) -> Target:
    """Return the target of a key: the list A is known by two namings."""
    name = key["list"]
    return Target(name, "id" if name.isdecimal() else "name", "lists")


JOINED = Batching(
    keys=("list",),
    max_size=3,
    lane="membership",
    target=_target,
    aliases=Aliases(form_of=_form_of, canonical=_lower),
    coalesce="last",
)
LISTS = {"A": "A", "1": "A", "B": "B"}
ENTRIES = st.lists(
    st.tuples(
        st.sampled_from(["add", "remove"]),
        st.sampled_from(sorted(LISTS)),
        st.sampled_from(["u", "v", "w", "U", "V"]),
        st.sampled_from(["", "x"]),
    ),
    max_size=40,
)
Entry = tuple[str, str, str, str]


def joined_groups(
    numbered: list[tuple[int, Entry]], rules: Batching = JOINED
) -> Iterator[RowGroup]:
    """Yield groups that agree in action, list and agreement, the last action first."""
    together: dict[tuple[str, str, str], list[tuple[int, str]]] = {}
    for number, (action, name, person, agreement) in numbered:
        together.setdefault((action, name, agreement), []).append((number, person))
    for (action, name, agreement), rows in sorted(together.items(), reverse=True):
        yield RowGroup(
            action,
            rules,
            "membership",
            (name,),
            [number for number, _ in rows],
            [person for _, person in rows],
            target=_target({"list": name}),
            agreement=agreement,
        )


@pytest.mark.parametrize("coalesce", ["none", "last", "membership"])
@given(entries=ENTRIES, together=st.integers(1, 41), flushing=st.booleans())
def test_forms_and_namings_end_as_if_applied_one_at_a_time(
    *, coalesce: Any, entries: list[Entry], together: int, flushing: bool
) -> None:
    """Order holds across actions, forms, agreements, and names that mean the same."""
    expected: dict[str, set[str]] = {"A": set(), "B": set()}
    for action, name, person, _ in entries:
        held = expected[LISTS[name]]
        (held.add if action == "add" else held.discard)(person.lower())
    batcher, batches = Batcher(), list[Batch]()
    rules = replace(JOINED, coalesce=coalesce)
    numbered = list(enumerate(entries))
    for start in range(0, len(entries), together):
        some = list(joined_groups(numbered[start : start + together], rules))
        batches += batcher.flush(some) if flushing else batcher.add(some)
    batches += batcher.flush()

    members: dict[str, set[str]] = {"A": set(), "B": set()}
    for batch in batches:
        people = {one.lower() for one in batch.identifiers or ()}
        assert len(people) == len(batch.identifiers or ()) <= 3
        if batch.action == "add":
            members[LISTS[batch.key[0]]] |= people
        else:
            members[LISTS[batch.key[0]]] -= people
    assert members == expected
    row_ids = [row_id for batch in batches for row_id in batch.all_row_ids()]
    assert sorted([*row_ids, *batcher.superseded]) == list(range(len(entries)))
    assert coalesce != "none" or not batcher.superseded
    assert batcher.waiting == 0


def test_what_is_sent_keeps_its_form() -> None:
    batcher = Batcher()
    entries = [("add", "A", person, "") for person in ("u", "V", "U")]
    (batch,) = [*batcher.add(joined_groups(list(enumerate(entries)))), *batcher.flush()]
    assert batch.identifiers == ["V", "U"]
    assert batch.row_ids == [1, 2]


def test_batches_of_names_that_may_mean_the_same_wait_for_all_earlier_ones() -> None:
    batcher = Batcher()
    entries = [("add", "A", "u", ""), ("add", "B", "u", "")]
    (*_,) = batcher.add(joined_groups(list(enumerate(entries))))
    assert [batch.barrier for batch in batcher.flush()] == [False, False]
    mixed = [(number + 2, ("remove", name, "u", "")) for number, name in enumerate("1A")]
    assert [batch.barrier for batch in batcher.flush(list(joined_groups(mixed)))] == [True, True]
