"""The smallest change that makes an event match."""

from __future__ import annotations

import random
from typing import Any

import pytest

from framework.linting import Change, nearest_change
from framework.paths import Path
from framework.triggers import parse

TRACK = {"type": "track", "event": "Order Placed", "properties": {"total": 20, "plan": "free"}}

CASES = [
    ('type = "track"', []),
    ('type = "identify"', ['Set `$.type` to "identify".']),
    ('type != "track"', ['Set `$.type` to "identify".']),
    ('event = "Order Placed" and properties.total > 30', ["Set `$.properties.total` to 31."]),
    ('type = "page" or properties.plan = "pro"', ['Set `$.type` to "page".']),
    ('type = "page" and name = "Home"', ['Set `$.type` to "page".', 'Set `$.name` to "Home".']),
    ("properties.total >= 3 and properties.total < 5", ["Set `$.properties.total` to 4."]),
    ("properties.plan = null", ["Remove `$.properties.plan`."]),
    ("userId != null", ['Set `$.userId` to "value".']),
    ('contains(event, "Refund")', ['Set `$.event` to "Refund".']),
    ('!contains(event, "Order")', ['Set `$.event` to "order".']),
    ('match(event, "a*[b-c]?\\*")', ['Set `$.event` to "abx*".']),
    ('!match(event, "*[!a]*")', ['Set `$.event` to "".']),
    ('properties.plan in ["pro", "team"]', ['Set `$.properties.plan` to "pro".']),
    (
        "properties.a in properties.list",
        ['Set `$.properties.a` to "value".', 'Set `$.properties.list` to ["value"].'],
    ),
    ('typeof(properties.plan) = "number"', ["Set `$.properties.plan` to 1."]),
    ("length(properties.plan) = 6", ['Set `$.properties.plan` to "xxxxxx".']),
    ('lowercase(event) = "sent"', ['Set `$.event` to "sent".']),
    ("properties.items.\\0.sku = 7", ["Set `$.properties.items[0].sku` to 7."]),
    ("properties.total = 1 and properties.total = 2", None),
]


@pytest.mark.parametrize(("trigger", "expected"), CASES)
def test_the_fewest_changes_are_found(trigger: str, expected: list[str] | None) -> None:
    """They are shown in words; contradictory conditions have none."""
    changes = nearest_change(parse(trigger), TRACK)
    assert (None if changes is None else list(map(str, changes))) == expected


def test_a_change_leaves_the_event_as_it_is() -> None:
    """The result is a copy, with missing parents created."""
    event: dict[str, Any] = {"a": [{"b": 1}]}
    assert Change(Path(("a", "0", "b")), 2).apply(event) == {"a": [{"b": 2}]}
    assert Change(Path(("x", "y")), 2).apply(event) == {"a": [{"b": 1}], "x": {"y": 2}}
    assert event == {"a": [{"b": 1}]}


def test_a_change_as_json() -> None:
    """Only changes of kind `set` have a value."""
    set_, remove = nearest_change(parse("a = 1 and b = null"), {"b": 2}) or ()
    assert set_.to_json() == {
        "path": "$.a",
        "kind": "set",
        "value": 1,
        "text": "Set `$.a` to 1.",
    }
    assert remove.to_json() == {"path": "$.b", "kind": "remove", "text": "Remove `$.b`."}


LEAVES = (
    'type = "track"',
    'event != "Order Placed"',
    "properties.total > 10",
    "properties.total <= 3",
    "properties.plan = null",
    "properties.vip = true",
    'contains(properties.plan, "pro")',
    'match(event, "Order *")',
    'properties.plan in ["pro", "team"]',
    "length(properties.plan) >= 4",
    'typeof(properties.total) != "string"',
    'uppercase(properties.plan) = "PRO"',
)


def _generated(chance: random.Random, depth: int = 0) -> str:
    if depth == 3 or chance.random() < 0.35:
        leaf = chance.choice(LEAVES)
        return f"!({leaf})" if chance.random() < 0.25 else leaf
    joined = chance.choice((" and ", " or ")).join(
        _generated(chance, depth + 1) for _ in range(chance.randint(2, 3))
    )
    return f"!({joined})" if chance.random() < 0.2 else f"({joined})"


def _event(chance: random.Random) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, values in {
        "type": ("track", "identify"),
        "event": ("Order Placed", "Signed Up", 3),
        "properties": ({}, {"total": 20, "plan": "pro"}, {"total": "2", "plan": None}, "text"),
    }.items():
        if chance.random() < 0.8:
            made[key] = chance.choice(values)
    return made


def test_a_change_makes_the_event_match() -> None:
    """Every suggestion works, and most random triggers and events have one."""
    chance = random.Random(20)  # noqa: S311 - the same triggers every time
    found = 0
    for _ in range(200):
        trigger, event = parse(_generated(chance)), _event(chance)
        changes = nearest_change(trigger, event)
        if changes is None:
            continue
        found += 1
        for change in changes:
            event = change.apply(event)
        assert trigger.matches(event), (str(trigger), changes)
    assert found > 150
