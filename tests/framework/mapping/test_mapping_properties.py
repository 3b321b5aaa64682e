"""Compiled and interpreted mappings agree, change no input, and raise one kind of error."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.errors import PayloadValidationError
from framework.mapping import check_mapping_shape, compile_mapping
from framework.mapping.javascript import encode
from framework.paths import JSON, Path

KEYS = ("a", "b", "c d", "list", "0", "size", "")
SCALARS: tuple[JSON, ...] = (
    None,
    True,
    False,
    0,
    1,
    -2.5,
    1e21,
    "",
    "x",
    "Ab-c",
    "5",
    "[1]",
    "{{a}}",
)
PATHS = (
    "$.a",
    "$.b",
    "$.list",
    "$.a.b",
    "$.list[0]",
    "$.a.0.b",
    "$['c d'].a",
    "",
    "$.no.a",
    "a.size",
)


def scalars() -> st.SearchStrategy[JSON]:
    return st.sampled_from(SCALARS)


def json_values() -> st.SearchStrategy[JSON]:
    return st.recursive(
        scalars(),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
        ),
        max_leaves=10,
    )


EVENTS = st.dictionaries(st.sampled_from(KEYS), json_values(), max_size=6)


def directives(inner: st.SearchStrategy[JSON]) -> st.SearchStrategy[JSON]:
    """Return directives with arbitrary parts, valid and invalid."""
    path = st.sampled_from(PATHS)
    objects = st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)
    parts: dict[str, st.SearchStrategy[JSON]] = {
        "@path": path | inner,
        "@template": st.sampled_from(["{{a}}-{{b.0}}", "{{{ list }}}", "{{", "t"]) | inner,
        "@literal": inner,
        "@if": st.fixed_dictionaries(
            {}, optional={"exists": inner, "blank": inner, "then": inner, "else": inner}
        ),
        "@case": st.fixed_dictionaries(
            {"operator": st.sampled_from(["lower", "upper", "no"]), "value": inner}
        ),
        "@replace": st.fixed_dictionaries(
            {"pattern": st.sampled_from(["a", "-", "."]), "value": inner},
            optional={
                "replacement": st.sampled_from(["", "$&"]),
                "ignorecase": st.booleans(),
                "global": st.booleans(),
                "pattern2": st.sampled_from(["b", ""]),
            },
        ),
        "@arrayPath": st.tuples(path | inner, inner).map(list),
        "@merge": st.fixed_dictionaries(
            {
                "direction": st.sampled_from(["left", "right"]),
                "objects": st.lists(objects | inner, max_size=3),
            }
        ),
        "@flatten": st.fixed_dictionaries(
            {"value": inner, "separator": st.sampled_from([".", "_"])},
            optional={"omitArrays": st.booleans()},
        ),
        "@json": st.fixed_dictionaries(
            {"mode": st.sampled_from(["encode", "decode"]), "value": inner}
        ),
        "@transform": st.fixed_dictionaries({"apply": objects, "mapping": objects | inner}),
        "@excludeWhenNull": inner,
        "@liquid": st.sampled_from(["{{ a | upcase }}", "{{ list.size }}{{ b }}", "{{"]),
        "@jinja": st.sampled_from(["{{ a }}{{ list }}", "{{ a.b.c }}", "{{ 1 / 0 }}"]),
    }
    return st.one_of([st.fixed_dictionaries({name: part}) for name, part in parts.items()])


MAPPINGS = st.dictionaries(
    st.sampled_from(("f", "g", "h")),
    st.recursive(
        scalars(),
        lambda inner: (
            directives(inner)
            | st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)
        ),
        max_leaves=8,
    ),
    max_size=3,
)


def outcome(way: Callable[[JSON], Any], event: JSON) -> Any:
    try:
        return encode(way(event))
    except PayloadValidationError as error:
        return error.status, str(error)


@settings(max_examples=400)
@given(MAPPINGS, EVENTS)
def test_compiled_and_interpreted_mappings_agree(raw: JSON, event: JSON) -> None:
    """Both return the same value or raise the same error, and change neither mapping nor event."""
    if check_mapping_shape(raw):
        return
    before = copy.deepcopy((raw, event))
    mapping = compile_mapping(raw)

    assert outcome(mapping.resolve, event) == outcome(mapping.interpret, event)
    assert (raw, event) == before


def only(paths: frozenset[Path], event: JSON) -> JSON:
    """Return an event with values at some paths only."""
    kept: dict[str, Any] = {}
    for path in paths:
        if not path.parts:
            return event
        if path.parts[0] in event:
            kept[path.parts[0]] = event[path.parts[0]]
    return kept


@settings(max_examples=150)
@given(MAPPINGS, EVENTS)
def test_a_mapping_reads_nothing_but_its_paths(raw: JSON, event: JSON) -> None:
    if check_mapping_shape(raw):
        return
    mapping = compile_mapping(raw)

    assert outcome(mapping.resolve, only(mapping.paths, event)) == outcome(mapping.resolve, event)


SEEDS: tuple[JSON, ...] = (
    {"@path": "$.a"},
    {"@template": "{{a}}{{list[0]}}"},
    {"@if": {"blank": {"@path": "$.a"}, "then": {"@path": "$.b"}, "else": {"@path": "$.list"}}},
    {"@case": {"operator": "upper", "value": {"@path": "$.b"}}},
    {"@replace": {"pattern": "a", "value": {"@path": "$.a"}, "ignorecase": True}},
    {"@arrayPath": ["$.list", {"x": {"@path": "$.a"}, "y": {"@path": ""}}]},
    {"@merge": {"direction": "left", "objects": [{"@path": "$.a"}, {"x": {"@path": "$.b"}}]}},
    {"@flatten": {"value": {"@path": ""}, "separator": "."}},
    {"@json": {"mode": "encode", "value": {"@path": ""}}},
    {"@json": {"mode": "decode", "value": {"@path": "$.b"}}},
    {"@transform": {"apply": {"a": {"@path": "$.list"}}, "mapping": {"b": {"@path": "$.a[0].a"}}}},
    {"@excludeWhenNull": {"@path": ""}},
    {"@liquid": "{{ a | default: b | upcase }}{% if list.size > 1 %}{{ list | join }}{% endif %}"},
    {"@jinja": "{% for x in list %}{{ x.a }}{% endfor %}{{ b|upper }}"},
    {"@path": {"@path": "$.b"}},
)


def made(random_source: random.Random, depth: int = 0) -> JSON:
    """Return any JSON value."""
    kind = random_source.random()
    if depth < 4 and kind < 0.3:
        return {random_source.choice(KEYS): made(random_source, depth + 1) for _ in range(3)}
    if depth < 4 and kind < 0.5:
        return [made(random_source, depth + 1) for _ in range(random_source.randint(0, 3))]
    return random_source.choice(SCALARS)


def test_ten_thousand_events_and_mappings_raise_nothing_unexpected() -> None:
    """Every event results in a JSON value or in one kind of error."""
    source = random.Random(7)  # noqa: S311 - the same events every time
    mappings = [compile_mapping({"f": seed, "g": [seed, 1]}) for seed in SEEDS]
    delivered = 0
    for number in range(10_000):
        event = {key: made(source) for key in KEYS}
        try:
            json.dumps(mappings[number % len(mappings)].resolve(event))
        except PayloadValidationError:
            continue
        delivered += 1

    assert 5_000 < delivered < 10_000


def chain(levels: int) -> JSON:
    """Return a mapping that doubles its input at every level."""
    inner: JSON = {"@path": ""}
    for _ in range(levels):
        inner = {
            "@transform": {"apply": {"x": {"@path": ""}, "y": {"@path": ""}}, "mapping": inner}
        }
    return {"f": inner}


def deep_lists() -> JSON:
    value: JSON = 1
    for _ in range(300):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("directive", "refusal"),
    [
        ({"@template": "{{huge}}"}, "`/f/@template` would produce more than 1,000,000 characters."),
        (
            {"@template": "{{huge}}" * 9},
            "`/f/@template` would produce more than 1,000,000 characters.",
        ),
        ({"@template": "{{deep}}"}, "`/f/@template` got a value nested more than 200 levels deep."),
        (
            {
                "@replace": {
                    "pattern": "x",
                    "replacement": "abcdefghij",
                    "value": {"@path": "$.long"},
                }
            },
            "`/f/@replace` would produce more than 1,000,000 characters.",
        ),
        (
            {"@json": {"mode": "encode", "value": {"@path": "$.huge"}}},
            "`/f/@json` would produce more than 1,000,000 characters.",
        ),
        (
            {"@json": {"mode": "encode", "value": {"@path": "$.deep"}}},
            "`/f/@json` got a value nested more than 200 levels deep.",
        ),
        (
            {"@json": {"mode": "decode", "value": {"@path": "$.nested"}}},
            "`/f/@json` got a value nested more than 200 levels deep.",
        ),
        (
            {"@flatten": {"value": {"@path": "$.deep"}, "separator": "."}},
            "`/f/@flatten` got a value nested more than 200 levels deep.",
        ),
        (
            {"@flatten": {"value": {"@path": "$.wide"}, "separator": "."}},
            "`/f/@flatten` would produce more than 1,000,000 characters.",
        ),
        (
            {"@excludeWhenNull": {"@path": "$.tree"}},
            "`/f/@excludeWhenNull` got a value nested more than 200 levels deep.",
        ),
    ],
)
def test_what_would_grow_beyond_bounds_is_refused(directive: JSON, refusal: str) -> None:
    tree: JSON = 1
    for _ in range(300):
        tree = {"a": tree}
    event = {
        "huge": "x" * 10_000_000,
        "long": "x" * 200_000,
        "deep": deep_lists(),
        "nested": "[" * 100_000,
        "wide": {"k" * 1000: [0] * 5_000},
        "tree": tree,
        "a": [1] * 5,
    }
    mapping = compile_mapping({"f": directive})

    for way in (mapping.resolve, mapping.interpret):
        with pytest.raises(PayloadValidationError) as refused:
            way(event)
        assert str(refused.value) == refusal


def test_transforms_inside_each_other_are_weighed() -> None:
    """Each level may double its input, and fails with a message beyond the limit."""
    mapping = compile_mapping(chain(20))
    inner = "/mapping/@transform" * 15

    for way in (mapping.resolve, mapping.interpret):
        with pytest.raises(PayloadValidationError) as refused:
            way({"a": 1})
        assert str(refused.value) == (
            f"`/f/@transform{inner}` would be applied to more than 200,000 values."
        )
    assert compile_mapping(chain(3)).resolve({"a": 1}) == {"f": doubled(doubled(doubled({"a": 1})))}


def doubled(value: JSON) -> JSON:
    return {"x": value, "y": value}
