"""A mapping and a shape fused into one function have the same result as one after the other."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.codegen import JSONReader, SourceCode
from framework.definition import (
    AllOrNone,
    AtMostOne,
    Field,
    FieldRule,
    OneOf,
    compile_shape,
)
from framework.definition.coercion import REFUSED, equal_json
from framework.definition.fields import FieldTable
from framework.definition.shape import Shape
from framework.errors import PayloadValidationError
from framework.mapping import Mapping, check_mapping_shape, compile_mapping
from framework.paths import JSON
from tests.framework.definition.tables import KEYS, MODES, VALUES, tables

PATHS = st.sampled_from(["$.a", "$.b", "$.any", "$.a.b", "$.list", "$.list[0].a", ""])
SCALARS = (
    PATHS.map(lambda path: {"@path": path})
    | PATHS.map(lambda path: {"@template": f"{{{{{path}}}}}"})
    | PATHS.map(lambda path: {"@case": {"operator": "upper", "value": {"@path": path}}})
    | PATHS.map(lambda path: {"@replace": {"pattern": "x", "value": {"@path": path}}})
    | PATHS.map(
        lambda path: {"@if": {"exists": {"@path": path}, "then": "v", "else": {"@path": "$.b"}}}
    )
    | VALUES
)
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "a": VALUES,
        "b": VALUES,
        "any": VALUES,
        "list": VALUES | st.lists(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3)),
    },
)


@st.composite
def mapped(draw: st.DrawFn, fields: FieldTable) -> JSON:
    """Return an object with mostly the keys of *fields* and mostly values of their types."""
    keys = draw(st.lists(st.sampled_from([*fields, "more", "dynamicAuthSettings"]), unique=True))
    return {key: draw(_mapped_to(fields.get(key, Field()))) for key in keys}


def _mapped_to(field: Field) -> st.SearchStrategy[JSON]:
    inside = mapped(field.properties or {})
    listed = st.tuples(PATHS, inside).map(lambda both: {"@arrayPath": list(both)})
    return SCALARS | inside | listed


@st.composite
def cases(draw: st.DrawFn) -> tuple[dict[str, Field], JSON, JSON]:
    """Return a table, a mapping to it and an event."""
    table = draw(tables())
    return table, draw(mapped(table)), draw(EVENTS)


def in_one(mapping: Mapping, shape: Shape) -> Callable[[JSON, str | None], Any]:
    """Return one function for both; REFUSED if either rejects; objects and values agree."""
    as_object, as_values = (fused(mapping, shape, whole=whole) for whole in (True, False))

    def run(event: JSON, mode: str | None) -> Any:
        made, values = as_object(event, mode), as_values(event, mode)
        assert (made is REFUSED) is (values is REFUSED)
        assert made is REFUSED or (equal_json(made, values) and list(made) == list(values))
        return made

    return run


def fused(mapping: Mapping, shape: Shape, *, whole: bool) -> Callable[[JSON, str | None], Any]:
    """Return one function that builds the shaped object directly, or from its values at the end."""
    code = SourceCode()
    with code.block("def both(event, sync_mode):"):
        reader = JSONReader(code, "event")
        reader.load(sorted(mapping.paths, key=lambda path: path.parts))
        values = mapping.emit(code, reader)
        given = code, values, "sync_mode", f"return {code.literal(REFUSED)}"
        made = shape.emit_object(*given) if whole else code.object(shape.emit(*given))
        code.line(f"return {made}")
    both = code.build("both")

    def run(event: JSON, mode: str | None) -> Any:
        try:
            return both(event, mode)
        except PayloadValidationError:
            return REFUSED

    return run


def one_after_the_other(mapping: Mapping, shape: Shape, event: JSON, mode: str | None) -> Any:
    try:
        shaped, problems = shape.interpret(mapping.interpret(event), sync_mode=mode)
    except PayloadValidationError:
        return REFUSED
    return REFUSED if problems else shaped


KINDS = st.sampled_from([OneOf, AllOrNone, AtMostOne])


@settings(max_examples=100, deadline=None)
@given(cases(), MODES, st.lists(st.tuples(KINDS, st.sets(st.integers(0, 5), min_size=2))))
def test_both_in_one_function_do_what_the_plain_ones_do(
    case: tuple[dict[str, Field], JSON, JSON],
    mode: str | None,
    chosen: list[tuple[type[FieldRule], set[int]]],
) -> None:
    table, raw, event = case
    if not table or check_mapping_shape(raw):
        return
    keys = list(table)
    rules = [kind(*(keys[at] for at in places if at < len(keys))) for kind, places in chosen]
    rules = [rule for rule in rules if len(rule.keys) > 1]
    mapping, shape = compile_mapping(raw), compile_shape(table, rules=rules)
    before = copy.deepcopy(event)

    expected = one_after_the_other(mapping, shape, event, mode)
    made = in_one(mapping, shape)(event, mode)

    assert event == before
    assert (made is REFUSED) is (expected is REFUSED)
    assert made is REFUSED or equal_json(made, expected)


ITEM = {"id": Field(required=True), "n": Field(type="number"), "tags": Field(multiple=True)}
TABLE = {
    "page": Field(type="object", properties={"url": Field(), "n": Field(type="integer")}),
    "items": Field(type="object", multiple=True, properties=ITEM),
    "wide": Field(type="object", properties={"a": Field()}, additional_properties=True),
}
MAPPED = {
    "page": {"url": {"@path": "$.url"}, "n": {"@path": "$.n"}, "more": {"@path": "$.url"}},
    "items": {
        "@arrayPath": [
            "$.list",
            {"id": {"@path": "$.id"}, "n": {"@path": "$.n"}, "tags": {"@path": "$.tags"}},
        ]
    },
    "wide": {"b": {"@path": "$.n"}},
}


@pytest.mark.parametrize(
    ("event", "made"),
    [
        ({}, {"page": {}, "wide": {}}),
        ({"url": "u", "n": "5"}, {"page": {"url": "u", "n": 5}, "wide": {"b": "5"}}),
        ({"url": None, "n": None}, {"page": {}, "wide": {"b": None}}),
        ({"url": ""}, {"page": {"url": ""}, "wide": {}}),
        ({"n": "x"}, REFUSED),
        ({"list": []}, {"page": {}, "items": [], "wide": {}}),
        (
            {"list": [{"id": "a", "n": 2.5, "tags": "t"}, {"id": None, "n": None, "tags": None}]},
            {
                "page": {},
                "items": [{"id": "a", "n": 2.5, "tags": ["t"]}, {"id": "", "n": 0, "tags": [""]}],
                "wide": {},
            },
        ),
        ({"list": {"id": 7}}, {"page": {}, "items": [{"id": "7"}], "wide": {}}),
        ({"list": ["text"]}, REFUSED),
        ({"list": "text"}, REFUSED),
        ({"list": None}, {"page": {}, "wide": {}}),
    ],
)
def test_objects_and_lists_are_made_of_shaped_values(event: JSON, made: Any) -> None:
    """Only keys of the table are kept, and empty values are dropped as elsewhere."""
    mapping, shape = compile_mapping(MAPPED), compile_shape(TABLE)

    assert in_one(mapping, shape)(event, None) == made
    assert one_after_the_other(mapping, shape, event, None) == made


def test_what_nobody_declared_may_refuse_an_event() -> None:
    """A mapping is evaluated completely, also where the shape drops its values."""
    items = {"@arrayPath": ["$.list", {"a": {"@template": "{{a}}{{a}}"}}]}
    mapping, shape = compile_mapping({"more": items}), compile_shape({"a": Field()})

    assert in_one(mapping, shape)({"list": [{"a": "x"}]}, None) == {}
    assert in_one(mapping, shape)({"list": [{"a": "x" * 600_000}]}, None) is REFUSED
