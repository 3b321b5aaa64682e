"""Where the reference reads a trigger differently, and the model of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from framework.errors import TriggerError
from framework.linting import difference, reference_matches
from framework.linting.segment_reader import UnreadError, reference_tree
from framework.triggers import evaluate, parse

ROOT = Path(__file__).parent.parent.parent.parent
RECORDED = ROOT / "tests" / "cases" / "conformance" / "fql.jsonl"


def recorded(kind: str) -> list[dict[str, Any]]:
    with RECORDED.open(encoding="utf-8") as lines:
        return [case for case in map(json.loads, lines) if case["kind"] == kind]


def test_the_model_gives_every_recorded_answer() -> None:
    """For all recorded matches, quirks or not, the prediction is what was observed."""
    cases = recorded("fql_match")
    predicted = {case["id"]: reference_matches(case["fql"], case["event"]) for case in cases}

    assert predicted == {case["id"]: case["expected"]["match"] for case in cases}
    assert any(note.startswith("quirk:") for case in cases for note in case.get("note", ()))


def test_the_model_reads_every_recorded_tree() -> None:
    def tree(text: str) -> dict[str, Any] | None:
        try:
            return reference_tree(text)
        except UnreadError:
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
    assert reference_matches(text, event) is answer


@pytest.mark.parametrize(
    ("text", "reading", "reasons"),
    [
        (
            "type = a and event = b or event = c",
            'type = "a" or event = "b" or event = "c"',
            ["joins everything at one level by the last `and` or `or` there"],
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
            ["needs white space around `!=`, `>=`, `<=`, `<` and `>`"],
        ),
        (
            "(type = a) or(event = b)",
            'type = "a" and event = "b"',
            ["takes `and(` and `or(` for no joint"],
        ),
        (
            "type = a OR event = b",
            'type = "a" and event = "b"',
            ["knows `and` and `or` in lower case only"],
        ),
        (
            "properties.and = x",
            'properties.properties . "and"',
            ["takes the key `and`, `or` or `null` for a word of its own"],
        ),
        (
            "type = a and (!event = b)",
            'type = "a" and event = "b"',
            ["ignores `!` before anything"],
        ),
        ("type\r\n= a", None, ["takes a carriage return for no white space"]),
        ("event = nul", 'event = "n"', ["loses letters of a short bare word at the end"]),
        ("type = null", 'type = "null"', ["compares `type` and `event` with the text `null`"]),
        (
            "properties.vip != true",
            'properties.vip != "true"',
            ["finds every boolean different with `!=`"],
        ),
        (
            'match(event, "A")',
            'match(event, "*")',
            ["knows one star, at the start or end of a pattern"],
        ),
        (
            "type in [a, b]",
            'type in "["',
            ["knows no `in`, no lists and no functions but `contains` and `match`"],
        ),
        ("length(properties.a) > 2", None, ["knows no `in`, no lists and no functions but"]),
        (
            'contains(properties.a.b, "x") or match(properties.a, "y z")',
            'contains(properties.a.b, "x") or match(properties.a, "* z")',
            ["knows one star, at the start or end of a pattern"],
        ),
    ],
)
def test_a_difference_is_shown_by_an_event(
    text: str, reading: str | None, reasons: list[str]
) -> None:
    """The event is a proof: both sides really answer differently on it."""
    found = difference(text)

    assert found is not None
    assert found.reading == reading
    assert [reason[: len(start)] for reason, start in zip(found.reasons, reasons, strict=True)] == (
        reasons
    )
    assert parse(text).matches(found.event) is found.ours
    assert reference_matches(text, found.event) is found.theirs
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
def test_where_both_read_the_same_there_is_no_difference(text: str) -> None:
    assert difference(text) is None


@pytest.mark.parametrize(
    "text",
    [
        'type = "track" and (event = "A" or event = "B") and !contains(name, "x")',
        " and ".join(f"properties.p{n} = {n}" for n in range(30)),
    ],
)
def test_readings_of_one_form_are_compared_condition_by_condition(text: str) -> None:
    """However many fields there are: no whole event has to be tried."""
    spent: list[int] = []
    assert difference(text, spent.append) is None
    assert len(spent) == 1


def test_the_work_of_a_comparison_is_told_before_it_is_done() -> None:
    def spend(steps: int) -> None:
        raise TimeoutError(steps)

    for text in ("type = a", "type in [a]", "!userId = b"):
        with pytest.raises(TimeoutError):
            difference(text, spend)


def test_the_message_says_what_differs() -> None:
    found = difference("type = a OR event = b")

    assert found is not None
    assert found.message == (
        'The reference reads it as `type = "a" and event = "b"`: it knows `and` and `or` in lower '
        'case only. There it does not match {"type": "az", "event": "b"}; here it matches it.'
    )


def test_the_message_of_a_text_that_the_reference_cannot_read() -> None:
    found = difference("properties.a>5")

    assert found is not None
    assert found.message == (
        "The reference cannot read it: it needs white space around `!=`, `>=`, `<=`, `<` and `>`. "
        'There it does not match {"properties": {"a": 6}}; here it matches it.'
    )


def test_a_group_of_ignored_conditions_makes_the_reference_fail() -> None:
    found = difference("(groupId = x) and type = a")

    assert found is not None
    assert found.theirs is None
    assert found.message == (
        'The reference reads it as `() and type = "a"`: it ignores conditions on fields other than '
        "context, event, name, properties, traits, type, userId. "
        'There it fails on {"groupId": "x", "type": "a"}; here it matches it.'
    )


def test_a_text_that_is_no_trigger_has_no_difference() -> None:
    with pytest.raises(TriggerError, match=r"\AExpected a value after `=`\."):
        difference("type =")


def test_canonical_text_avoids_what_only_the_spelling_made_different() -> None:
    """Printed in canonical form, a trigger with odd spelling means the same to both."""
    for text in ("type='a' OR properties.and>=5", "(event=x)or(name=no)", "type\r\n= a"):
        trigger = parse(text)
        assert difference(text) is not None
        assert difference(str(trigger)) is None
        assert evaluate(trigger.tree, {"type": "a", "event": "x"}) is True
