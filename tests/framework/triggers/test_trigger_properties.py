"""Properties of all triggers and events: inverses, agreement, no crashes."""

from __future__ import annotations

import random
import tracemalloc
from itertools import combinations
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from framework.errors import TriggerError
from framework.paths import Path
from framework.triggers import FUNCTIONS, OPERATORS, Explanation, Trigger, evaluate, parse
from framework.triggers.semantics import conjunction, negation
from framework.triggers.syntax import read
from framework.triggers.tree import (
    COMPARATORS,
    And,
    BooleanNode,
    Comparison,
    ConstantNode,
    FieldNode,
    FunctionCall,
    Not,
    Operand,
    Or,
    field_path,
)

VALUE_FUNCTIONS = sorted(set(FUNCTIONS) - {"contains", "match"})
WORDS = ["", "a", "A b", "true", "7", "é", "x{y}", "it's", 'say "x"', "\\", "\n", "*", "[a-c]?"]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, -4, 7, 2.5, 1e21, 1e-7, 2**60]),
    st.sampled_from(WORDS),
)
keys = st.sampled_from(["a", "b c", "0", "1", "and", "null", "é", "-x", "$"])
fields = st.one_of(
    st.sampled_from(["type", "event", "userId", "properties", "anonymousId", "not"]),
    st.builds(
        lambda root, inner: ".".join([root, *inner]),
        st.sampled_from(["properties", "traits", "context", "x"]),
        st.lists(keys, min_size=1, max_size=2),
    ),
).map(lambda text: FieldNode(field_path(text)))
constants = st.one_of(scalars, st.lists(scalars, max_size=3).map(tuple)).map(ConstantNode)
calls = st.recursive(
    fields,
    lambda inner: st.builds(
        lambda name, argument: FunctionCall(name, (argument,)),
        st.sampled_from(VALUE_FUNCTIONS),
        inner,
    ),
    max_leaves=3,
)


@st.composite
def conditions(draw: st.DrawFn) -> BooleanNode:
    """Draw a single condition; redraw what the language cannot express."""
    left: Operand = draw(st.one_of(calls, scalars.map(ConstantNode)))
    right: Operand = draw(st.one_of(constants, calls))
    name = draw(st.sampled_from([*COMPARATORS, "contains", "match"]))
    try:
        if name in COMPARATORS:
            return Comparison(left, name, right)
        return FunctionCall(name, (left, right))
    except TriggerError:
        assume(False)
        raise


trees = st.recursive(
    conditions(),
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: And(tuple(parts))),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: Or(tuple(parts))),
    ),
    max_leaves=6,
)
json_values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=5,
)
events = st.dictionaries(
    st.sampled_from(
        ["type", "event", "userId", "properties", "traits", "context", "x", "anonymousId", "not"]
    ),
    json_values,
    max_size=6,
)


@given(trees)
def test_printing_and_parsing_are_inverse(tree: BooleanNode) -> None:
    trigger = parse(str(Trigger(tree)))

    assert trigger.tree == tree
    assert trigger.remarks == ()


@settings(max_examples=100)
@given(trees, st.lists(st.one_of(events, json_values), min_size=1, max_size=3))
def test_compiled_code_agrees_with_the_interpreter(
    tree: BooleanNode, tried: list[dict[str, Any]]
) -> None:
    trigger = Trigger(tree)

    assert [trigger.matches(event) for event in tried] == [evaluate(tree, event) for event in tried]


def leaves(found: Explanation) -> list[Explanation]:
    if found.join == "condition":
        return [found]
    return [leaf for part in found.parts for leaf in leaves(part)]


def verdict(found: Explanation, changed: set[int], answers: dict[int, bool]) -> bool | None:
    """Return the truth of an explanation with other results for some conditions."""
    if found.join == "condition":
        return answers[id(found)] if id(found) in changed else found.truth
    parts = [verdict(part, changed, answers) for part in found.parts]
    if found.join == "not":
        return negation(parts[0])
    return (
        conjunction(parts) if found.join == "and" else negation(conjunction(map(negation, parts)))
    )


def wanted(found: Explanation, wish: bool, answers: dict[int, bool]) -> None:  # noqa: FBT001 - a truth
    """Collect the result that each single condition needs."""
    answers[id(found)] = wish
    for part in found.parts:
        wanted(part, wish is not (found.join == "not"), answers)


@given(trees, events)
def test_an_explanation_agrees_and_its_blockers_are_a_smallest_set(
    tree: BooleanNode, event: dict[str, Any]
) -> None:
    """Changing all blockers leads to a match; no smaller set of conditions does."""
    found = Trigger(tree).explain(event)
    answers: dict[int, bool] = {}
    wanted(found, True, answers)
    blockers = [id(blocker) for blocker in found.blockers]

    assert found.matched is evaluate(tree, event)
    assert (found.blockers == ()) is found.matched
    assert verdict(found, set(blockers), answers) is True
    if found.blockers:
        every_leaf = [id(leaf) for leaf in leaves(found)]
        smaller = combinations(every_leaf, len(blockers) - 1)
        assert not any(verdict(found, set(chosen), answers) for chosen in smaller)


PIECES = [
    *"()[],.=!<>\"'\\*?$& \t\r\n-+_aon0é😀", "and", "or", "not", "in", "null", "true", "!=", ">=",
    "type", "event", "properties", "properties.a", "contains(", "match(", "lowercase(", "]", '"x"',
    "'y'", "12", "1.5", "type = track", 'event != "A"', "match(event, 'a*')", "userId in [1, 2]",
]  # fmt: skip
CORPUS = [
    example.trigger
    for examples in (
        *(operator.examples for operator in OPERATORS.values()),
        *(function.examples for function in FUNCTIONS.values()),
    )
    for example in examples
]


def strange_text(chance: random.Random) -> str:
    """Compose a text from pieces of the language, or replace a part of a trigger."""
    pieces = chance.choices(PIECES, k=chance.randrange(12))
    if chance.random() < 0.5:
        return chance.choice(["", " "]).join(pieces)
    text = chance.choice(CORPUS)
    start, end = sorted(chance.choices(range(len(text) + 1), k=2))
    return text[:start] + "".join(pieces[:3]) + text[end:]


def outcome(text: str) -> Trigger | str:
    """Return the trigger, or the text of the error."""
    try:
        return Trigger(*read(text))
    except TriggerError as error:
        return str(error)


def test_any_text_is_a_trigger_or_an_error() -> None:
    """Ten thousand random texts lead to a tree or a TriggerError with a caret."""
    chance = random.Random(1)  # noqa: S311 - the same texts every time
    read_back = refused = 0
    for _ in range(10_000):
        found = outcome(strange_text(chance))
        if isinstance(found, str):
            refused += 1
            assert found.endswith("^")
        else:
            read_back += 1
            assert read(str(found)) == (found.tree, ())
    assert read_back > 500
    assert refused > 1_000


@given(st.text(max_size=60))
def test_text_of_any_characters_is_a_trigger_or_an_error(text: str) -> None:
    found = outcome(text)

    assert isinstance(found, Trigger) or found.endswith("^")


HOSTILE = [
    "(" * 10_000,
    "!" * 10_000,
    "[" * 10_000,
    "type in " + "[" * 9_000,
    "lowercase(" * 1_000,
    "a." * 5_000,
    "\\" * 10_000,
    '"' * 9_999,
    "'" * 9_999,
    'type = "' * 1_200,
    "type=a or " * 1_000,
    "a=1," * 2_500,
    "not " * 2_500,
    "9" * 10_000,
    "1" * 399 + " " + "type = a",
    "-" * 10_000,
    "= " * 5_000,
    "and " * 2_500,
    "x" * 9_990 + "=1",
    "x" * 5_000_000,
    f"type in [{','.join(['1'] * 4_900)}]",
    f'match(event, "{"*a" * 4_900}")',
    f'match(event, "{"[" * 500}")',
    "\n" * 10_000,
    "\ud800 = \udfff",
    "type = \x00",
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: f"{text[:12]!r} {len(text)}")
def test_hostile_text_leads_to_a_value_or_an_error(text: str) -> None:
    """This includes matching and explaining; memory stays below 100 MB."""
    tracemalloc.start()
    try:
        found = outcome(text)
        if isinstance(found, Trigger):
            found.matches({"type": "b"})
            found.explain({"type": "b"})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert isinstance(found, Trigger) or len(found) < 500
    assert peak < 100_000_000


def test_triggers_and_mappings_share_paths() -> None:
    """A field of a trigger has the same path as in a mapping."""
    assert parse("properties.a.b = 1").paths == {Path.parse("$.properties.a.b")}
