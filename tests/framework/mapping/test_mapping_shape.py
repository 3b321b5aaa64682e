"""All problems of a mapping are reported at once, worded as by Segment."""

from __future__ import annotations

from typing import Any

import pytest

from framework.errors import MappingError, PayloadValidationError
from framework.mapping import check_mapping_shape, compile_mapping, mapping_faults
from framework.paths import JSON

TEXT_OR = "should be a string or a mapping directive but it is"
DEEP: Any = "x"
for _ in range(120):
    DEEP = [DEEP]

SHAPES: list[tuple[JSON, list[str]]] = [
    ({"a": {"@path": 5}}, [f"/a/@path {TEXT_OR} a number."]),
    ({"a": {"@path": {"x": 1}}}, [f"/a/@path {TEXT_OR} an object."]),
    ({"a": {"@arrayPath": []}}, [f"/a/@arrayPath {TEXT_OR} an undefined."]),
    (
        {"a": {"@arrayPath": {"@path": "b"}}},
        ["/a/@arrayPath should be an array but it is an object."],
    ),
    ({"a": {"@if": []}}, ["/a/@if should be an object but it is an array."]),
    ({"a": {"@if": {"@path": "b"}}}, ["/a/@if should be an object but it is a directive."]),
    ({"a": {"@nope": 1}}, ["/a has an invalid directive: @nope."]),
    ({"a": {"@path": "b", "c": 1}}, ["/a should only have one @-prefixed key but it has 2 keys."]),
    (
        {"a": {"@replace": {}}},
        [
            '/a/@replace should have field "pattern" but it doesn\'t.',
            '/a/@replace should have field "value" but it doesn\'t.',
        ],
    ),
    (
        {"a": {"@replace": {"pattern": "", "value": "x"}}},
        ["/a/@replace/pattern should be a string of length 1 or greater."],
    ),
    (
        {"a": {"@replace": {"pattern": "😀" * 6, "value": "x"}}},
        ["/a/@replace/pattern should be a string of length 10 or less."],
    ),
    (
        {"a": {"@replace": {"pattern": 1, "global": "x", "value": "x"}}},
        [
            "/a/@replace/pattern should be a string but it is a number.",
            "/a/@replace/global should be a boolean but it is a string.",
        ],
    ),
    (
        {"a": {"@json": {"mode": 'a"b', "value": 1}}},
        ['/a/@json/mode should be one of encode, decode but it is "a\\"b".'],
    ),
    (
        {"a": {"@json": {"mode": True, "value": 1}}},
        ["/a/@json/mode should be a string but it is a boolean."],
    ),
    (
        {"a": {"@merge": {"objects": [None]}}},
        ["/ should be a object or a mapping directive but it is a null."],
    ),
    ({"a": {"@merge": {"objects": [{"@path": 1}, {"@path": 2}]}}}, [f"/@path {TEXT_OR} a number."]),
    (
        {"b": {"@path": 1}, "a": {"@path": 2}},
        [f"/b/@path {TEXT_OR} a number.", f"/a/@path {TEXT_OR} a number."],
    ),
    (DEEP, ["A mapping may have at most 100 levels and 20,000 values."]),
    ([1] * 20_001, ["A mapping may have at most 100 levels and 20,000 values."]),
    ({"a": [{"@path": 5}]}, []),
    ({"a": {"@literal": {"b": {"@nope": 1}}}}, []),
    ({"a": {"@case": {"operator": "loud", "value": "x"}}}, []),
    ("text", []),
    (None, []),
]


@pytest.mark.parametrize(("raw", "problems"), SHAPES)
def test_shape_problems_equal_those_of_segment(raw: JSON, problems: list[str]) -> None:
    assert check_mapping_shape(raw) == problems


@pytest.mark.parametrize(("raw", "problems"), [case for case in SHAPES if case[1]])
def test_a_mapping_with_shape_problems_is_not_compiled(raw: JSON, problems: list[str]) -> None:
    """All problems are reported together, ordered by path."""
    with pytest.raises(MappingError) as refused:
        compile_mapping(raw)

    assert list(refused.value.problems) == sorted(problems)
    assert str(refused.value) == "\n".join(sorted(problems))
    assert mapping_faults(raw) == sorted(problems)


NO_ROOT = (
    "/__segment_internal_directive should be an object with one directive that takes an object."
)
ROOTS: list[JSON] = [None, 5, "x", {}, {"@path": "$.a"}, {"@merge": {}, "@if": {}}]


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (None, "A mapping must be an object, got null."),
        *(({"__segment_internal_directive": root, "u": 1}, NO_ROOT) for root in ROOTS),
        (
            {"__segment_internal_directive": {"@nope": {}}, "u": 1},
            "/ has an invalid directive: @nope.",
        ),
    ],
)
def test_an_invalid_root_is_rejected(raw: JSON, problem: str) -> None:
    with pytest.raises(MappingError) as refused:
        compile_mapping(raw)

    assert list(refused.value.problems) == [problem]


NO_LIST = {"@merge": {"direction": "left", "objects": {"@path": "$.l"}}}
FAULTS: list[tuple[JSON, str]] = [
    ({"@nope": 1}, "`/a/0` has an invalid directive: @nope."),
    ({"@if": []}, "`/a/0/@if` must be an object, got array."),
    ({"@if": {"exists": 0}}, "`/a/0/@if` needs a value to test in `exists` or `blank`."),
    ({"@case": "x"}, "`/a/0/@case` must be an object, got string."),
    ({"@case": {"value": "x"}}, "`/a/0/@case/operator` must be one of lower, upper."),
    (
        {"@case": {"operator": "loud", "value": {"@path": "$.s"}}},
        "`/a/0/@case/operator` must be one of lower, upper.",
    ),
    ({"@replace": 5}, "`/a/0/@replace` must be an object, got number."),
    ({"@replace": {"value": "x"}}, "`/a/0/@replace/pattern` must be a non-empty string."),
    (
        {"@replace": {"pattern": "longer than ten", "value": {"@path": "$.s"}}},
        "`/a/0/@replace/pattern` must have at most 10 characters.",
    ),
    ({"@arrayPath": None}, "`/a/0/@arrayPath` must be a list, got null."),
    ({"@merge": 5}, "`/a/0/@merge` must be an object, got number."),
    ({"@merge": {"objects": []}}, "`/a/0/@merge/direction` must be one of left, right."),
    (NO_LIST, "`/a/0/@merge/objects` must be a list, got object."),
    ({"@flatten": None}, "`/a/0/@flatten` must be an object, got null."),
    ({"@flatten": {"value": 1}}, "`/a/0/@flatten/separator` must be a non-empty string."),
    (
        {"@flatten": {"value": 1, "separator": 5}},
        "`/a/0/@flatten/separator` must be a string, got number.",
    ),
    ({"@json": None}, "`/a/0/@json` must be an object, got null."),
    ({"@json": {"value": 1}}, "`/a/0/@json/mode` must be one of encode, decode."),
    (
        {"@json": {"mode": "encode", "value": ""}},
        "`/a/0/@json/value` must be a directive, an object, a list or a non-empty value.",
    ),
    ({"@transform": "x"}, "`/a/0/@transform` must be an object, got string."),
    ({"@transform": {"apply": {}}}, "`/a/0/@transform` must have a `mapping`."),
    (
        {"@transform": {"apply": 5, "mapping": {}}},
        "`/a/0/@transform/apply` must be an object, got number.",
    ),
    (
        {"@transform": {"apply": {"x": {"@path": 5}}, "mapping": {}}},
        f"`/a/0/@transform/apply` is not a valid mapping: /x/@path {TEXT_OR} a number.",
    ),
    ({"@liquid": 5}, "`/a/0/@liquid` must be a string, got number."),
    ({"@liquid": "x" * 1001}, "`/a/0/@liquid` has a template of more than 1,000 characters."),
    ({"@jinja": "x" * 4001}, "`/a/0/@jinja` has a template of more than 4,000 characters."),
]


@pytest.mark.parametrize(("directive", "fault"), FAULTS)
def test_problems_that_segment_finds_per_event_are_reported_at_once(
    directive: JSON, fault: str
) -> None:
    """Lists are not checked; such a mapping compiles, lists the fault, and fails when evaluated."""
    mapping = compile_mapping({"a": [directive]})

    assert mapping.faults == (fault,)
    assert mapping_faults({"a": [directive]}) == [fault]
    for way in (mapping.resolve, mapping.interpret):
        with pytest.raises(PayloadValidationError) as refused:
            way({"s": "text"})
        message = fault
        if "must be a string, got number" in fault and "separator" in fault:
            message = "`/a/0/@flatten/separator` must give a string, got number."
        assert str(refused.value) == message
        assert refused.value.status == 400


@pytest.mark.parametrize("directive", [directive for directive, _ in FAULTS])
def test_a_fault_that_is_not_evaluated_has_no_effect(directive: JSON) -> None:
    mapping = compile_mapping(
        {"a": {"@if": {"exists": {"@path": "$.a"}, "then": [directive], "else": "fine"}}}
    )

    assert mapping.resolve({}) == mapping.interpret({}) == {"a": "fine"}


def test_a_json_mode_that_is_not_known_gives_no_value() -> None:
    mapping = compile_mapping({"a": [{"@json": {"mode": "pretty", "value": 1}}]})

    assert mapping.resolve({}) == {"a": [None]}
    assert mapping.faults == ("`/a/0/@json/mode` must be one of encode, decode.",)


REFUSED_EVENTS: list[tuple[JSON, JSON, str]] = [
    ({"a": 1}, None, "The event must be an object, got null."),
    ({"a": 1}, [], "The event must be an object, got array."),
    ({"a": {"@path": {"@path": "$.x"}}}, {}, "`/a/@path` must give a string, got nothing."),
    (
        {"a": {"@template": {"@path": "$.x"}}},
        {"x": []},
        "`/a/@template` must give a string, got array.",
    ),
    (
        {"a": {"@arrayPath": ["$.l", {"@transform": {"apply": {"b": 1}, "mapping": {"c": 2}}}]}},
        {"l": [None]},
        "`/a/@arrayPath/1/@transform` must be applied to an object, got null.",
    ),
    (
        {"a": [{"@flatten": {"value": {"b": 1}, "separator": {"@path": "$.sep"}}}]},
        {"sep": 1},
        "`/a/0/@flatten/separator` must give a string, got number.",
    ),
]


@pytest.mark.parametrize(("raw", "event", "text"), REFUSED_EVENTS)
def test_an_event_that_cannot_be_mapped_is_refused(raw: JSON, event: JSON, text: str) -> None:
    mapping = compile_mapping(raw)

    for way in (mapping.resolve, mapping.interpret):
        with pytest.raises(PayloadValidationError) as refused:
            way(event)
        assert str(refused.value) == text
