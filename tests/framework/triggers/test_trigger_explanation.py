"""Explanations of triggers: truths, values and blockers."""

from __future__ import annotations

from typing import Any

import pytest

from framework.paths import MISSING
from framework.triggers import Explanation, parse


def test_an_explanation_shows_every_condition_with_its_truth_and_values() -> None:
    trigger = parse('type = track and (event = "A" or properties.total > 5)')

    found = trigger.explain({"type": "track", "event": "B"})

    assert (found.join, found.truth, found.matched) == ("and", None, False)
    assert found.parts[0] == Explanation(
        'type = "track"', "condition", True, (("type", "track"),), ()
    )
    assert found.parts[1].join == "or"
    assert [(part.text, part.truth, part.saw) for part in found.parts[1].parts] == [
        ('event = "A"', False, (("event", "B"),)),
        ("properties.total > 5", None, (("properties.total", MISSING),)),
    ]


@pytest.mark.parametrize(
    ("text", "event", "blockers"),
    [
        ("type = a", {"type": "a"}, []),
        ("type = a and event = b and name = c", {"event": "b"}, ['type = "a"', 'name = "c"']),
        ("type = a or (event = b and name = c)", {"event": "b"}, ['type = "a"']),
        ("(type = a and userId = u) or event = b", {}, ['event = "b"']),
        ("not (type = a or event = b)", {"type": "a", "event": "x"}, ['type = "a"']),
        ("not (type = a and event = b)", {"type": "a", "event": "b"}, ['type = "a"']),
        ("!contains(name, x)", {}, ['contains(name, "x")']),
    ],
)
def test_the_blockers_are_a_smallest_set_that_prevents_a_match(
    text: str, event: dict[str, Any], blockers: list[str]
) -> None:
    assert [found.text for found in parse(text).explain(event).blockers] == blockers


@pytest.mark.parametrize(
    ("text", "event", "reason"),
    [
        ("type = a", {"type": "a"}, "The trigger matches."),
        (
            'event = "Order Completed"',
            {"event": "Order Viewed"},
            """The trigger does not match: \
`event = "Order Completed"` is not met (`event` is "Order Viewed").""",
        ),
        (
            "type = a and !(event = b) and !contains(properties.x, y)",
            {"event": "b"},
            """The trigger does not match: `type = "a"` is not met (`type` is missing); \
`event = "b"` is met but must not be (`event` is "b"); \
`contains(properties.x, "y")` cannot be evaluated (`properties.x` is missing).""",
        ),
        (
            "properties.a = length(properties.b)",
            {"properties": {"a": None, "b": list(range(100))}},
            """The trigger does not match: `properties.a = length(properties.b)` \
cannot be evaluated (`properties.a` is null and `properties.b` is \
[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,…).""",
        ),
    ],
)
def test_the_reason_is_one_sentence(text: str, event: dict[str, Any], reason: str) -> None:
    """Long values are shortened, so that messages never contain whole events."""
    assert parse(text).explain(event).reason == reason


def test_an_explanation_has_a_json_form() -> None:
    found = parse("type = a or !(event = b)").explain({"event": "b"})

    assert found.to_json() == {
        "condition": 'type = "a" or !(event = "b")',
        "join": "or",
        "truth": False,
        "parts": [
            {
                "condition": 'type = "a"',
                "join": "condition",
                "truth": False,
                "saw": [{"field": "type"}],
            },
            {
                "condition": '!(event = "b")',
                "join": "not",
                "truth": False,
                "parts": [
                    {
                        "condition": 'event = "b"',
                        "join": "condition",
                        "truth": True,
                        "saw": [{"field": "event", "value": "b"}],
                    }
                ],
            },
        ],
    }
