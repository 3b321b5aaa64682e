"""What coalescing sends, and what becomes of the rest, judged by applying events one at a time.

A ledger keeps people in lists. Its oracle shares no code with the delivery: it looks at what
arrived at the ledger, and at the outcomes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framework import (
    Action,
    Batching,
    DefinitionError,
    DeletionRequest,
    Destination,
    Payload,
    Settings,
    Subscription,
    hookimpl,
)
from framework import field as declared
from framework.delivery import Connection, Retry, connect
from framework.errors import PluginError
from framework.events import EventFile
from framework.plugins import open_plugin
from framework.relay import run_file
from framework.results import Delivered, Failed, Result, Skipped

MODES = ("none", "last", "membership", "merge")
PEOPLE, LISTS = "uvw", "AB"
Event = dict[str, Any]


class Nothing(Settings):
    """No settings."""


class Change(Payload):
    """A change of one person in one list."""

    n: int = declared("N", mapping={"@path": "$.n"})
    who: str = declared("Who", mapping={"@path": "$.userId"})
    list: str = declared("List", mapping={"@path": "$.properties.list"})
    patch: dict[str, Any] = declared("Patch", mapping={"@path": "$.properties.patch"})


Row = tuple[str, str, str, int, Mapping[str, Any], bool | None]
"""Action, list, person, number, patch and membership."""


@dataclass
class Call:
    """One call: rows that arrived, or deleted people."""

    rows: list[Row] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)


def merged(action: Action, older: Change, newer: Change) -> Change:
    """Merge two changes: what is newer wins key by key, and a drop forgets."""
    if action.slug == "drop":
        return newer
    return Change(n=newer.n, who=newer.who, list=newer.list, patch={**older.patch, **newer.patch})


def ledger(
    calls: list[Call], mode: str, limits: Mapping[str, Any], weigh: Callable[[Any], int] | None
) -> Any:
    """Give a destination that appends every call to *calls*."""
    given: dict[str, Any] = {"coalesce": mode, "merge": merged if mode == "merge" else None}
    rules = Batching(keys=("list",), lane="people", weigh=weigh, **given, **limits)
    actions = [
        Action(slug=slug, title=slug, payload=Change, batching=rules, trigger=f'event = "{slug}"')
        for slug in ("put", "drop")
    ]

    def perform_batch(
        action: Action, payloads: Sequence[Change], memberships: Sequence[bool | None]
    ) -> list[Result]:
        rows: list[Row] = [
            (action.slug, one.list, one.who, one.n, one.patch, membership)
            for one, membership in zip(payloads, memberships, strict=True)
        ]
        calls.append(Call(rows))
        bad = Failed(400, "BAD", "The patch is bad.")
        return [bad if "bad" in one.patch else Delivered() for one in payloads]

    def delete_users(requests: Sequence[DeletionRequest]) -> None:
        calls.append(Call(deleted=[one.user_id or "" for one in requests]))

    hooks: dict[str, Callable[..., Any]] = {
        "destination": lambda: Destination(slug="ledger", name="Ledger"),
        "settings": lambda: Nothing,
        "actions": lambda: actions,
        "identify": lambda payloads: [one.who for one in payloads],
        "perform_batch": perform_batch,
        "delete_users": delete_users,
    }
    return SimpleNamespace(**{name: hookimpl(hook) for name, hook in hooks.items()})


def opened(
    calls: list[Call],
    mode: str,
    limits: Mapping[str, Any],
    weigh: Callable[[Any], int] | None = None,
) -> Connection:
    chosen = [Subscription(action=slug, name=slug) for slug in ("put", "drop")]
    plugin = open_plugin(ledger(calls, mode, limits, weigh))
    transport = httpx.MockTransport(lambda _: httpx.Response(500))
    return connect(plugin, {}, chosen, transport=transport, retry=Retry.never(), strict=True)


def change(action: str, who: str, room: str, patch: Event, *, adds: bool | None) -> Event:
    personas = {"computation_class": "audience", "computation_key": "k"}
    properties = {"list": room, "patch": patch, **({} if adds is None else {"k": adds})}
    return {
        "type": "track",
        "event": action,
        "userId": who,
        "properties": properties,
        "context": {"personas": personas},
    }


changes = st.builds(
    lambda action, who, room, patch, adds: change(action, who, room, patch, adds=adds),
    st.sampled_from(("put", "put", "drop")),
    st.sampled_from(PEOPLE),
    st.sampled_from(f"AA{LISTS}"),
    st.dictionaries(st.sampled_from("xyz"), st.integers(0, 3), max_size=2)
    | st.sampled_from(({"bad": 1},)),
    st.sampled_from((True, False, None)),
)
others = st.sampled_from(
    (
        {"type": "page"},
        {**change("put", "u", "A", {}, adds=True), "integrations": {"Ledger": False}},
        {**change("put", "", "A", {}, adds=True)},
    )
)
deletions = st.builds(lambda who: {"type": "delete", "userId": who}, st.sampled_from(PEOPLE))
histories = st.lists(
    st.one_of(changes, changes, changes, changes, others, deletions), max_size=30
).map(lambda events: [{**event, "n": n} for n, event in enumerate(events)])
limits = st.builds(
    lambda rows, size: {"max_size": rows, "max_bytes": size},
    st.sampled_from((1, 2, 2, 2, 3, 1_000)),
    st.sampled_from((4_000_000, 4_000_000, 200, 90, 40)),
)
modes = st.sampled_from(MODES)

Outcomes = dict[tuple[int, str], Result]


def judge(mode: str, events: Sequence[Event], calls: Sequence[Call], outcomes: Outcomes) -> None:
    """Check everything that is promised about a history."""
    by_number: dict[int, Event] = dict(enumerate(events))
    sent = [row for call in calls for row in call.rows]
    numbers = [row[3] for row in sent]
    assert len(set(numbers)) == len(numbers)
    check_outcomes(by_number, sent, outcomes)
    for call in calls:
        people = [row[2] for row in call.rows]
        assert len(set(people)) == len(people)
        assert len({row[:2] for row in call.rows}) <= 1
    check_barriers(by_number, calls)
    rows_by_person: dict[tuple[int, str, str], list[int]] = {}
    segment = 0
    for number, event in by_number.items():
        segment += event["type"] == "delete"
        if is_change(event):
            key = segment, event["properties"]["list"], event["userId"]
            rows_by_person.setdefault(key, []).append(number)
    for (_, room, who), history in rows_by_person.items():
        own = [row for row in sent if row[1:3] == (room, who) and row[3] in history]
        assert [row[3] for row in own] == sorted(row[3] for row in own)
        CHECKS[mode](by_number, history, own, outcomes)


def is_change(event: Event) -> bool:
    return event["type"] == "track" and bool(event["userId"]) and "integrations" not in event


def outcome_of(outcomes: Outcomes, event: Event) -> Result:
    return outcomes[event["n"], event["event"]]


def check_outcomes(events: Mapping[int, Event], sent: Sequence[Any], outcomes: Outcomes) -> None:
    """There is exactly one outcome for each event and subscription, and it is true."""
    expected = {
        (n, name)
        for n, event in events.items()
        for name in (("(deletions)",) if event["type"] == "delete" else ("put", "drop"))
    }
    assert outcomes.keys() == expected
    arrived = {(row[3], row[0]): row for row in sent}
    for place, result in outcomes.items():
        row = arrived.get(place)
        if place[1] == "(deletions)":
            assert isinstance(result, Delivered)
        elif row is not None:
            assert isinstance(result, Failed if "bad" in row[4] else Delivered)
        else:
            assert not isinstance(result, Delivered)


def check_barriers(events: Mapping[int, Event], calls: Sequence[Call]) -> None:
    """Each deletion comes after everything before it, and before everything after it."""
    requests = [n for n, event in events.items() if event["type"] == "delete"]
    order: list[tuple[int, bool]] = []
    for call in calls:
        order += [(requests.pop(0), True) for _ in call.deleted]
        order += [(row[3], False) for row in call.rows]
    assert not requests
    for place, (number, deletes) in enumerate(order):
        if deletes:
            assert all(before < number for before, _ in order[:place])
            assert all(after > number for after, _ in order[place + 1 :])
    people = [who for call in calls for who in call.deleted]
    assert people == [event["userId"] for event in events.values() if event["type"] == "delete"]


def check_none(
    events: Mapping[int, Event], history: list[int], own: list[Any], outcomes: Outcomes
) -> None:
    del events, outcomes
    assert [row[3] for row in own] == history


def check_last(
    events: Mapping[int, Event], history: list[int], own: list[Any], outcomes: Outcomes
) -> None:
    numbers = [row[3] for row in own]
    assert numbers[-1] == history[-1]
    for n in set(history) - {*numbers}:
        assert outcome_of(outcomes, events[n]) == SUPERSEDED


def check_membership(
    events: Mapping[int, Event], history: list[int], own: list[Any], outcomes: Outcomes
) -> None:
    known = [n for n in history if "k" in events[n]["properties"]]
    numbers = [row[3] for row in own]
    assert set(history) - {*known} <= {*numbers}
    assert not known or known[-1] in numbers
    for n in set(history) - {*numbers}:
        assert outcome_of(outcomes, events[n]) == SUPERSEDED


def check_merge(
    events: Mapping[int, Event], history: list[int], own: list[Any], outcomes: Outcomes
) -> None:
    """Consecutive rows are sent as one; the state is that of one at a time."""
    told = iter([(row[0], row[4]) for row in own])
    group: list[int] = []
    for n in history:
        group.append(n)
        if n not in {row[3] for row in own}:
            continue
        action, patch = next(told)
        assert {events[one]["event"] for one in group} == {action}
        expected: dict[str, Any] = {}
        for one in group:
            part = events[one]["properties"]["patch"]
            expected = {**expected, **part} if action == "put" else part
        assert patch == expected
        result = outcome_of(outcomes, events[n])
        for one in group[:-1]:
            merged_result = outcome_of(outcomes, events[one])
            if isinstance(result, Failed):
                assert merged_result == result
            else:
                assert isinstance(merged_result, Skipped)
                assert merged_result.code == "SUPERSEDED"
                assert merged_result.reason.startswith("Merged into ")
                assert str(n) in merged_result.reason or str(n + 1) in merged_result.reason
        group = []
    assert not group


SUPERSEDED = Skipped("SUPERSEDED", "A later event about the same identifier was sent instead.")
CHECKS = {
    "none": check_none,
    "last": check_last,
    "membership": check_membership,
    "merge": check_merge,
}


def completed(
    connection: Connection, completions: Iterator[Any], outcomes: Outcomes, first: int = 0
) -> None:
    names = [*(one.name for one in connection.subscriptions), "(deletions)"]
    for some in completions:
        for completion in some:
            for position in completion.positions:
                place = position - first, names[completion.subscription]
                assert place not in outcomes
                outcomes[place] = completion.result


@settings(max_examples=600, deadline=None)
@given(mode=modes, events=histories, rules=limits)
def test_a_delivery_coalesces_as_declared(
    mode: str, events: list[Event], rules: dict[str, int]
) -> None:
    calls: list[Call] = []
    with opened(calls, mode, rules) as connection:
        report = connection.deliver(events)
    outcomes: Outcomes = {}
    for item in report.items:
        assert item.result is not None
        assert (item.position, item.subscription) not in outcomes
        outcomes[item.position, item.subscription] = item.result
    judge(mode, events, calls, outcomes)


@settings(max_examples=600, deadline=None)
@given(
    mode=modes,
    events=histories,
    rules=limits,
    sizes=st.lists(st.integers(1, 8), min_size=1, max_size=4),
    bulk=st.booleans(),
    threads=st.sampled_from((0, 0, 0, 2)),
    weigh=st.sampled_from((None, lambda payload: 10 * len(payload.patch))),
)
def test_a_stream_coalesces_as_declared(
    mode: str,
    events: list[Event],
    rules: dict[str, int],
    sizes: list[int],
    *,
    bulk: bool,
    threads: int,
    weigh: Callable[[Any], int] | None,
) -> None:
    """In pieces of any size, by one way or the other, with and without threads."""
    calls: list[Call] = []
    outcomes: Outcomes = {}
    with opened(calls, mode, rules, weigh) as connection:
        sender = connection.stream(threads=threads)
        start = number = 0
        while start < len(events):
            stop = start + sizes[number % len(sizes)]
            some = events[start:stop]
            if bulk:
                taken = sender.intake.add(some, range(start, start + len(some)))
                completed(connection, sender.add_from_intake(taken), outcomes)
            else:
                completed(connection, sender.add(enumerate(some, start)), outcomes)
            unsettled = {
                (position, index)
                for index, spans in sender.pending().items()
                for span in spans
                for position in span
            }
            names = [one.name for one in connection.subscriptions]
            assert not {(at, names[index]) for at, index in unsettled} & outcomes.keys()
            start, number = stop, number + 1
        completed(connection, sender.flush(), outcomes)
        completed(connection, sender.close(), outcomes)
        assert sender.pending() == {}
        assert (sender.intake.objects, sender.intake.events) == ({}, {})
    judge(mode, events, calls, outcomes)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    mode=modes,
    events=histories,
    rules=limits,
    threads=st.sampled_from((0, 3)),
    stops=st.lists(st.integers(1, 10), max_size=3),
)
def test_a_run_over_a_file_coalesces_as_declared(
    tmp_path: Path,
    mode: str,
    events: list[Event],
    rules: dict[str, int],
    threads: int,
    stops: list[int],
) -> None:
    """Runs that stop at a limit and resume come to the same, each event with one outcome."""
    calls: list[Call] = []
    file, log, checkpoint = (tmp_path / name for name in ("events", "outcomes", "checkpoint"))
    checkpoint.unlink(missing_ok=True)
    file.write_text("".join(f"{json.dumps(event)}\n" for event in events))
    segments: list[int] = []
    for limit in [*stops, None]:
        with opened(calls, mode, rules) as connection, EventFile(str(file)) as source:
            summary = run_file(
                connection, source, checkpoint=checkpoint, outcomes=log, limit=limit,
                threads=threads,
            )  # fmt: skip
        segments.append(summary.lines)
    assert summary.finished
    outcomes: Outcomes = {}
    for line in log.read_text().splitlines():
        row = json.loads(line)
        place = row["line"] - 1, row["subscription"]
        assert place not in outcomes
        outcomes[place] = result_of(row)
    assert sum(summary.outcomes.values()) == len(outcomes)
    for start, stop in zip([0, *segments], segments, strict=False):
        some = [{**event, "n": n} for n, event in enumerate(events[start:stop])]
        judge(
            mode,
            some,
            [shifted(call, start) for call in between(calls, start, stop, events)],
            {(n - start, name): one for (n, name), one in outcomes.items() if start <= n < stop},
        )


def between(calls: list[Call], start: int, stop: int, events: list[Event]) -> list[Call]:
    """Return the calls about events in a range, of which deletions are known by their number."""
    deleted = [n for n, event in enumerate(events) if event["type"] == "delete"]
    found = []
    for call in calls:
        numbers = [row[3] for row in call.rows] or [deleted.pop(0) for _ in call.deleted]
        if all(start <= n < stop for n in numbers):
            found.append(call)
    return found


def shifted(call: Call, by: int) -> Call:
    return Call([(*row[:3], row[3] - by, *row[4:]) for row in call.rows], call.deleted)


def result_of(row: Event) -> Result:
    if row["outcome"] == "delivered":
        return Delivered()
    if row["outcome"] == "failed":
        return Failed(row["status"], row["code"], row["message"], row["reporter"])
    return Skipped(row["code"], row["message"])


# Single rules


def entered(who: str, n: int, patch: Event | None = None, *, adds: bool | None = True) -> Event:
    return {**change("put", who, "A", patch or {"x": n}, adds=adds), "n": n}


def test_partial_updates_are_all_sent_by_default() -> None:
    """Two partial updates of one person are two calls, in order, and nothing is lost."""
    calls: list[Call] = []
    with opened(calls, "none", {}) as connection:
        report = connection.deliver([entered("u", 0, {"town": 1}), entered("u", 1, {"plan": 2})])
    assert [[row[4] for row in call.rows] for call in calls] == [[{"town": 1}], [{"plan": 2}]]
    assert [one.result for one in report.items if one.matched] == [Delivered(), Delivered()]


def test_partial_updates_can_be_merged() -> None:
    calls: list[Call] = []
    with opened(calls, "merge", {}) as connection:
        report = connection.deliver([entered("u", 0, {"town": 1}), entered("u", 1, {"plan": 2})])
    assert [[row[4] for row in call.rows] for call in calls] == [[{"town": 1, "plan": 2}]]
    assert [one.result for one in report.items if one.matched] == [
        Skipped("SUPERSEDED", "Merged into the event at position 1, which was sent."),
        Delivered(),
    ]


def test_an_event_without_membership_supersedes_nothing() -> None:
    """An addition is sent although a later event about the person says nothing of it."""
    calls: list[Call] = []
    events = [entered("u", 0), entered("u", 1, adds=None), entered("u", 2, adds=False)]
    with opened(calls, "membership", {}) as connection:
        report = connection.deliver(events[:2])
        whole = connection.deliver(events)
    assert [[(row[3], row[5]) for row in call.rows] for call in calls] == [
        [(0, True)], [(1, None)], [(1, None)], [(2, False)],
    ]  # fmt: skip
    assert [one.result for one in report.items if one.matched] == [Delivered(), Delivered()]
    assert [one.result for one in whole.items if one.matched] == [
        SUPERSEDED, Delivered(), Delivered(),
    ]  # fmt: skip


def connected_to(source: Any) -> Connection:
    transport = httpx.MockTransport(lambda _: httpx.Response(500))
    return connect(open_plugin(source), {}, [Subscription(action="put")], transport=transport)


def raising(*_: Any) -> Any:
    raise ValueError("no")


@pytest.mark.parametrize(
    ("name", "function", "code", "message"),
    [
        ("merge", raising, "INTERNAL_ERROR", "Destination `ledger` raised ValueError."),
        (
            "merge",
            lambda *_: None,
            "RESULT_TYPE",
            "`merge` of Batching must return a Change, got nothing.",
        ),
        ("weigh", raising, "INTERNAL_ERROR", "Destination `ledger` raised ValueError."),
        (
            "weigh",
            lambda _: "9",
            "RESULT_TYPE",
            "`weigh` of Batching must return a number of bytes, got str.",
        ),
    ],
)
def test_a_function_that_fails_fails_its_rows(
    name: str, function: Any, code: str, message: str
) -> None:
    """Rows that cannot be merged or weighed fail; others are sent."""
    calls: list[Call] = []
    source = ledger(calls, "merge", {}, None)
    first, second = source.actions()
    rules = replace(first.batching, **{name: function})
    changed = [replace(one, batching=rules) for one in (first, second)]
    source.actions = hookimpl(lambda: changed)
    events = [entered("u", 0), entered("v", 1), entered("u", 2)]
    with connected_to(source) as connection:
        found = connection.deliver(events).results
    failed = Failed(500, code, message)
    assert [found[0], found[2]] == [failed, failed]
    assert found[1] == (failed if name == "weigh" else Delivered())
    assert [row[3] for call in calls for row in call.rows] == ([] if name == "weigh" else [1])


def test_an_empty_identifier_fails_its_row() -> None:
    calls: list[Call] = []
    source = ledger(calls, "none", {}, None)
    source.identify = hookimpl(
        lambda payloads: ["" if one.who == "u" else one.who for one in payloads]
    )
    with connected_to(source) as connection:
        found = connection.deliver([entered("u", 0), entered("v", 1)]).results
    message = "The identifier is empty: the event does not say who it is about."
    assert found == [Failed(400, "NO_IDENTIFIER", message), Delivered()]
    assert [row[3] for call in calls for row in call.rows] == [1]


ADDS, UNKNOWN = entered("u", 0, adds=True), entered("v", 1, adds=None)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("memberships", [True, None]),
        ("events", [ADDS, UNKNOWN]),
        ("sync_mode", None),
        ("columns", ["u", "v"]),
    ],
)
def test_identify_gets_what_it_names(name: str, expected: Any) -> None:
    got: list[Any] = []

    def keep(value: Any) -> list[str]:
        got.append(list(value["who"]) if name == "columns" else value)
        return ["u", "v"]

    source = ledger([], "none", {}, None)
    source.identify = hookimpl(eval(f"lambda {name}: keep({name})", {"keep": keep}))  # noqa: S307
    with connected_to(source) as connection:
        sender = connection.stream()
        completed(
            connection, sender.add_from_intake(sender.intake.add([ADDS, UNKNOWN], [0, 1])), {}
        )
        completed(connection, sender.flush(), {})
    assert got == [expected]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (
            {"coalesce": "latest"},
            (
                'There is no value of `coalesce` "latest". Did you mean `last`? '
                "Known values: last, membership, merge, none."
            ),
        ),
        (
            {"coalesce": "merge"},
            '`coalesce="merge"` of Batching needs a function: `merge(action, older, newer)`.',
        ),
        (
            {"merge": merged},
            '`merge` of Batching has no effect without `coalesce="merge"`.',
        ),
        (
            {"weigh": 3},
            "`weigh` of Batching must be a function: `weigh(payload)` returns bytes.",
        ),
    ],
)
def test_rules_that_mean_nothing_are_refused(given: Any, problem: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        Batching(**given)
    assert str(caught.value) == problem


def test_actions_of_one_lane_coalesce_alike() -> None:
    rules = Batching(lane="l", coalesce="none"), Batching(lane="l", coalesce="last")
    actions = tuple(
        Action(slug=slug, title=slug, payload=Change, batching=one)
        for slug, one in zip(("put", "drop"), rules, strict=True)
    )
    with pytest.raises(DefinitionError, match="share the lane `l`"):
        Destination(slug="ledger", name="Ledger", actions=actions)


def test_coalescing_needs_the_hook_that_identifies() -> None:
    source = ledger([], "last", {}, None)
    del source.identify
    with pytest.raises(PluginError) as caught:
        open_plugin(source)
    assert "needs the hook `identify`: it says who a payload is about." in str(caught.value)
