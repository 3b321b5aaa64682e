"""Differences from Segment's implementation of triggers, and its model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from framework.errors import TriggerError
from framework.linting import difference, segment_matches
from framework.linting.segment_reader import UnreadableError, segment_tree
from framework.triggers import evaluate, parse

ROOT = Path(__file__).parent.parent.parent.parent
RECORDED = ROOT / "tests" / "cases" / "conformance" / "fql.jsonl"


def recorded(kind: str) -> list[dict[str, Any]]:
    with RECORDED.open(encoding="utf-8") as lines:
        return [case for case in map(json.loads, lines) if case["kind"] == kind]


def test_the_model_reproduces_every_recorded_result() -> None:
    """The prediction equals the observation for all recorded matches, including unusual ones."""
    cases = recorded("fql_match")
    predicted = {case["id"]: segment_matches(case["fql"], case["event"]) for case in cases}

    assert predicted == {case["id"]: case["expected"]["match"] for case in cases}
    assert any(note.startswith("quirk:") for case in cases for note in case.get("note", ()))


def test_the_model_parses_every_recorded_trigger_alike() -> None:
    def tree(text: str) -> dict[str, Any] | None:
        try:
            return segment_tree(text)
        except UnreadableError:
            return None

    cases = recorded("fql_parse")

    assert {case["id"]: tree(case["fql"]) for case in cases} == {
        case["id"]: case["expected"].get("ast") for case in cases
    }


@pytest.mark.parametrize(
    ("text", "event", "answer"),
    [
        ("type = track", {"type": "track"}, True),
        ("type = track and event = A or event = B", {"event": "B"}, True),
        ("!(type = track)", {"type": "track"}, True),
        ("((type = track))", {"type": "track"}, False),
        ("type = track and ()", {"type": "track"}, None),
        ("type = ", {"type": "eos"}, True),
        ("event = no", {"event": "n"}, True),
        ('type = "a"and event = "b"', {"type": "a"}, True),
        ("properties.a.b = 0", {"properties": {"a": 0}}, True),
        ("properties.list.length > 1", {"properties": {"list": [1, 2]}}, True),
        ('properties.text.0 = "a"', {"properties": {"text": "abc"}}, False),
        (r'properties.text.\0 = "a"', {"properties": {"text": "abc"}}, True),
        ("contains(", {}, False),
        ("type", {}, False),
        ("!", {}, False),
        ("properties.a = 1.", {"properties": {"a": 1}}, False),
        ("(type = a", {"type": "a"}, False),
    ],
)
def test_the_reference_is_predicted(text: str, event: dict[str, Any], answer: object) -> None:
    assert segment_matches(text, event) is answer


@pytest.mark.parametrize(
    ("text", "reading", "reasons"),
    [
        (
            "type = a and event = b or event = c",
            'type = "a" or event = "b" or event = "c"',
            ["joins all conditions at one level by the last `and` or `or` there"],
        ),
        ("type = a and (event = b or (name = c))", None, ["cannot read a group inside a group"]),
        (
            'type = a and (contains(event, "b") or name = c)',
            'type = "a" or contains(event, "b") or name = "c"',
            ["ends a group at the closing parenthesis of a function in it"],
        ),
        (
            "!(type = a)",
            'type = "a"',
            ["ignores `!` before anything but `contains` and `match`"],
        ),
        (
            "not contains(event, a)",
            'contains(event, "a")',
            ["ignores the word `not`"],
        ),
        (
            "type = a and groupId = b",
            'type = "a"',
            ["ignores conditions on fields other than context, event, name, properties, traits"],
        ),
        (
            "contains(type, a) or event = b",
            'event = "b"',
            ["ignores a function of the field `type`"],
        ),
        (
            "type = 'a'",
            "type = \"'a'\"",
            ["keeps single quotes as part of the value"],
        ),
        (
            "properties.a>5",
            None,
            ["requires whitespace around `!=`, `>=`, `<=`, `<` and `>`"],
        ),
        (
            "(type = a) or(event = b)",
            'type = "a" and event = "b"',
            ["does not recognize `and(` and `or(` as operators"],
        ),
        (
            "type = a OR event = b",
            'type = "a" and event = "b"',
            ["recognizes `and` and `or` in lower case only"],
        ),
        (
            "properties.and = x",
            'properties.properties . "and"',
            ["reads the keys `and`, `or` and `null` as separate words"],
        ),
        (
            "type = a and (!event = b)",
            'type = "a" and event = "b"',
            ["ignores `!` before anything"],
        ),
        ("type\r\n= a", None, ["does not treat a carriage return as whitespace"]),
        ("event = nul", 'event = "n"', ["drops letters of a short unquoted word at the end"]),
        ("type = null", 'type = "null"', ["compares `type` and `event` with the text `null`"]),
        (
            "properties.vip != true",
            'properties.vip != "true"',
            ["treats every boolean as different with `!=`"],
        ),
        (
            'match(event, "A")',
            'match(event, "*")',
            ["supports one star only, at the start or end of a pattern"],
        ),
        (
            "type in [a, b]",
            'type in "["',
            ["supports no `in`, no lists and no functions except `contains` and `match`"],
        ),
        ("length(properties.a) > 2", None, ["supports no `in`, no lists and no functions except"]),
        (
            'contains(properties.a.b, "x") or match(properties.a, "y z")',
            'contains(properties.a.b, "x") or match(properties.a, "* z")',
            ["supports one star only, at the start or end of a pattern"],
        ),
    ],
)
def test_a_difference_is_shown_by_an_event(
    text: str, reading: str | None, reasons: list[str]
) -> None:
    """The event is evidence: both implementations have different results on it."""
    found = difference(text)

    assert found is not None
    assert found.reading == reading
    assert [reason[: len(start)] for reason, start in zip(found.reasons, reasons, strict=True)] == (
        reasons
    )
    assert parse(text).matches(found.event) is found.ours
    assert segment_matches(text, found.event) is found.theirs
    assert found.ours is not found.theirs


@pytest.mark.parametrize(
    "text",
    [
        'type = "track" and event = "Order Completed"',
        'type = "track" and (event = "A" or event = "B") and properties.total >= 100.5',
        '!contains(event, "x") or match(name, "A*") or userId != null',
        "(type = a AND event = b)",
        'properties.missing != 7 and traits.plan != "x" and context.active = true',
        " and ".join(f'event != "{n}"' for n in range(30)),
        " and ".join(f"properties.p{n} = {n}" for n in range(30)),
    ],
)
def test_equal_readings_have_no_difference(text: str) -> None:
    assert difference(text) is None


@pytest.mark.parametrize(
    "text",
    [
        'type = "track" and (event = "A" or event = "B") and !contains(name, "x")',
        " and ".join(f"properties.p{n} = {n}" for n in range(30)),
    ],
)
def test_equal_structures_are_compared_condition_by_condition(text: str) -> None:
    """No complete event is tried, so the number of fields does not matter."""
    spent: list[int] = []
    assert difference(text, spent.append) is None
    assert len(spent) == 1


def test_a_comparison_announces_its_steps() -> None:
    def spend(steps: int) -> None:
        raise TimeoutError(steps)

    for text in ("type = a", "type in [a]", "!userId = b"):
        with pytest.raises(TimeoutError):
            difference(text, spend)


def test_the_message_describes_the_difference() -> None:
    found = difference("type = a OR event = b")

    assert found is not None
    assert found.message == (
        'Segment\'s implementation reads it as `type = "a" and event = "b"`: '
        "it recognizes `and` and `or` in lower case only. "
        'It does not match {"type": "az", "event": "b"}; this framework matches it.'
    )


def test_the_message_about_a_text_that_segment_cannot_read() -> None:
    found = difference("properties.a>5")

    assert found is not None
    assert found.message == (
        "Segment's implementation cannot read it: "
        "it requires whitespace around `!=`, `>=`, `<=`, `<` and `>`. "
        'It does not match {"properties": {"a": 6}}; this framework matches it.'
    )


def test_segment_fails_on_a_group_of_ignored_conditions() -> None:
    found = difference("(groupId = x) and type = a")

    assert found is not None
    assert found.theirs is None
    assert found.message == (
        'Segment\'s implementation reads it as `() and type = "a"`: it ignores conditions on '
        "fields "
        "other than context, event, name, properties, traits, type, userId. "
        'It fails on {"groupId": "x", "type": "a"}; this framework matches it.'
    )


def test_an_invalid_trigger_raises() -> None:
    with pytest.raises(TriggerError, match=r"\AExpected a value after `=`\."):
        difference("type =")


def test_the_canonical_form_avoids_differences_in_spelling() -> None:
    """In canonical form, a trigger with unusual spelling has the same meaning for both."""
    for text in ("type='a' OR properties.and>=5", "(event=x)or(name=no)", "type\r\n= a"):
        trigger = parse(text)
        assert difference(text) is not None
        assert difference(str(trigger)) is None
        assert evaluate(trigger.tree, {"type": "a", "event": "x"}) is True
