"""Every directive is documented, its examples run, and others can be registered."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from framework.errors import DefinitionError, MappingError, PayloadValidationError
from framework.mapping import (
    DIRECTIVES,
    Directive,
    DirectiveExample,
    compile_mapping,
    directives,
    register_directive,
    value_directive,
)
from framework.mapping.shape_checks import check_directive_or_any
from framework.paths import JSON

EXAMPLES = [
    pytest.param(example, id=f"{name} {number}")
    for name, directive in DIRECTIVES.items()
    for number, example in enumerate(directive.examples, 1)
]
NAMES = (
    "@path @template @literal @if @case @replace @arrayPath @merge @flatten @json @transform "
    "@excludeWhenNull @liquid @jinja"
)


def outcome(example: DirectiveExample, way: str) -> Any:
    """Return the result of an example: its output or its error message."""
    try:
        mapping = compile_mapping(example.mapping)
        return getattr(mapping, way)(copy.deepcopy(example.event))
    except MappingError as error:
        return error.problems[0]
    except PayloadValidationError as error:
        return str(error)


def test_the_directives_are_those_of_segment_and_jinja() -> None:
    assert sorted(DIRECTIVES) == sorted(NAMES.split())


@pytest.mark.parametrize("way", ["resolve", "interpret"])
@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_hold(example: DirectiveExample, way: str) -> None:
    """The examples of a directive hold, compiled and interpreted."""
    expected = example.output if example.refusal is None else example.refusal

    assert outcome(example, way) == expected


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_say_what_they_show(example: DirectiveExample) -> None:
    assert example.note.endswith(".")


@pytest.mark.parametrize("name", sorted(DIRECTIVES))
def test_directives_have_a_published_schema(name: str) -> None:
    """The schema of an argument is valid, has descriptions, and accepts the valid examples."""
    directive = DIRECTIVES[name]
    anything = {"$defs": {"value": {}, "directive": {"type": "object"}}}

    Draft202012Validator.check_schema(dict(directive.schema))
    assert directive.schema["title"]
    assert directive.schema["description"].endswith(".")
    for example in directive.examples:
        for argument in arguments(name, example.mapping):
            if example.refusal is None:
                Draft202012Validator({**anything, **directive.schema}).validate(argument)


def arguments(name: str, mapping: JSON) -> list[JSON]:
    if isinstance(mapping, list):
        return [found for item in mapping for found in arguments(name, item)]
    if not isinstance(mapping, dict):
        return []
    own = [mapping[name]] if name in mapping else []
    return own + [found for item in mapping.values() for found in arguments(name, item)]


def shout(value: JSON) -> JSON:
    if not isinstance(value, str):
        raise ValueError("must be given a text")  # noqa: TRY004 - the way to refuse a value
    return value.upper() + "!"


def shouting(**changes: Any) -> Directive:
    parts: dict[str, Any] = {
        "schema": {"title": "Shout", "description": "The string.", "$ref": "#/$defs/value"},
        "examples": (
            DirectiveExample(note="Loud.", mapping={"@shout": "a"}, event={}, output="A!"),
            DirectiveExample(note="Louder.", mapping={"@shout": "A"}, event={}, output="A!"),
            DirectiveExample(
                note="Text.", mapping={"@shout": 5}, event={}, refusal="`/@shout` must ..."
            ),
        ),
        "check": check_directive_or_any,
        "function": shout,
    }
    return value_directive(
        changes.pop("name", "@shout"), "Give a text in upper case.", **(parts | changes)
    )


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """Remove the directives that a test registers."""
    before = dict(directives._known)
    yield
    directives._known.clear()
    directives._known.update(before)


def test_a_registered_directive_works_inside_others() -> None:
    register_directive(shouting())
    mapping = compile_mapping(
        {"t": {"@case": {"operator": "lower", "value": {"@shout": {"@path": "$.a"}}}}}
    )

    assert mapping.resolve({"a": "Hey"}) == mapping.interpret({"a": "Hey"}) == {"t": "hey!"}
    with pytest.raises(PayloadValidationError) as refused:
        mapping.resolve({"a": 5})
    assert str(refused.value) == "`/t/@case/value/@shout` must be given a text."


def test_registering_the_same_directive_again_changes_nothing() -> None:
    directive = shouting()
    register_directive(directive)
    register_directive(directive)

    assert DIRECTIVES["@shout"] is directive


@pytest.mark.parametrize(
    ("directive", "text"),
    [
        (
            shouting(name="shout"),
            "`shout` is not a valid directive name. Write `@` and a camel-case word.",
        ),
        (
            shouting(name="@Shout"),
            "`@Shout` is not a valid directive name. Write `@` and a camel-case word.",
        ),
        (shouting(name="@path"), "The directive `@path` is already registered."),
        (
            shouting(examples=shouting().examples[:2]),
            "Directive `@shout` needs at least three examples, one of them a refusal.",
        ),
        (
            shouting(examples=shouting().examples[:1] * 3),
            "Directive `@shout` needs at least three examples, one of them a refusal.",
        ),
    ],
)
def test_an_invalid_directive_is_refused(directive: Directive, text: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        register_directive(directive)

    assert str(refused.value) == text
