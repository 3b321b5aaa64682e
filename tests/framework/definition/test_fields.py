"""The field table: invalid options are rejected, options without effect are reported."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from framework.definition import (
    Choice,
    Condition,
    Conditions,
    Field,
    check_fields,
    compile_shape,
)
from framework.errors import DefinitionError, PayloadValidationError

TYPES = "string, text, password, number, integer, boolean, datetime, object"
FORMATS = (
    "date, time, date-time, uri, uri-reference, uri-template, email, hostname, ipv4, ipv6, regex, "
    "uuid, password, text"
)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"type": "bogus"}, f'has the type "bogus"; it must be one of {TYPES}.'),
        ({"format": "made-up"}, f'has the format "made-up"; it must be one of {FORMATS}.'),
        (
            {"category": "pii"},
            (
                'has the category "pii"; it must be one of identifier, data, internal, config, '
                "sync, hashedPII."
            ),
        ),
        (
            {"object_ui": "tree"},
            (
                'has the object_ui "tree"; it must be one of keyvalue, object, keyvalue:only, '
                "object:only, arrayeditor."
            ),
        ),
        (
            {"display_mode": "tiny"},
            'has the display_mode "tiny"; it must be one of expanded, normal, collapsed.',
        ),
        (
            {"disabled_input_methods": ("voice",)},
            (
                'disables the input method "voice"; it must be one of literal, variable, function, '
                "enrichment, freeform."
            ),
        ),
        ({"description": 5}, "has a description that is not a string."),
        (
            {"default": "x", "mapping": {"@path": "$.x"}},
            ("has both a default value and a default mapping."),
        ),
        ({"choices": ("x", "y", "x")}, 'offers the choice "x" twice.'),
        (
            {"choices": ({"a": [1], "b": 2}, {"b": 2, "a": [1]}), "type": "object"},
            'offers the choice {"b": 2, "a": [1]} twice.',
        ),
        ({"choices": (Choice(None, "none"),)}, "offers a choice without a value."),
        ({"hashed": "sha3"}, 'has the hashed "sha3"; it must be one of md5, sha1, sha256, sha512.'),
        ({"hashed": "md5", "type": "number"}, "is of type number, which cannot be hashed."),
        ({"minimum": True}, "has the minimum True; it must be a finite number."),
        ({"maximum": float("inf")}, "has the maximum inf; it must be a finite number."),
        ({"minimum": "3"}, "has the minimum '3'; it must be a finite number."),
        (
            {"pattern": "("},
            (
                "has the pattern `(`, which is not a regular expression: missing ), unterminated "
                "subpattern at position 0."
            ),
        ),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        Field("Email", **options)

    assert caught.value.problems == (f"Field `Email` {problem}",)


def test_all_problems_are_reported_at_once() -> None:
    with pytest.raises(DefinitionError) as caught:
        Field(type="bogus", category="pii")  # type: ignore[arg-type]  # the point

    assert len(caught.value.problems) == 2
    assert str(caught.value) == "\n".join(caught.value.problems)


def test_numbers_and_booleans_are_different_choices() -> None:
    assert len(Field(choices=(1, True, "1")).choices) == 3  # type: ignore[arg-type]  # values do


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (
            lambda: Condition("a", "equals"),  # type: ignore[arg-type]  # the point
            'The operator of a condition must be is or is_not, got "equals".',
        ),
        (
            lambda: Conditions((), "some"),  # type: ignore[arg-type]  # the point
            'The match of conditions must be all or any, got "some".',
        ),
    ],
)
def test_impossible_conditions_are_refused(made: Any, message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        made()

    assert str(caught.value) == message


def test_a_single_condition_needs_no_group() -> None:
    condition = Condition("a", "is", "x")

    assert Field(required=condition).required == Conditions.all(condition)  # type: ignore[arg-type]  # short form
    assert Conditions.any(condition).match == "any"


@pytest.mark.parametrize(
    ("field", "problem"),
    [
        (Field(minimum=5, maximum=1), "accepts nothing: its minimum 5 is above its maximum 1."),
        (
            Field(minimum=2.5),
            "has the limit 2.5; the length of a string is a whole number from 0 on.",
        ),
        (
            Field(maximum=-1),
            "has the limit -1; the length of a string is a whole number from 0 on.",
        ),
        (Field(type="text", maximum=1), "is of type text, which has no minimum or maximum."),
        (
            Field(type="boolean", format="email"),
            ("is of type boolean, which has no format or pattern."),
        ),
        (Field(properties={}), "is of type string, which has no properties."),
        (
            Field(choices=(Choice("x"),), default="y"),
            ("has a default that is not among its choices."),
        ),
        (
            Field(depends_on=Conditions.all(Condition("nothing"))),
            "has a condition on the unknown field `nothing`. Known fields: target, object, list.",
        ),
        (
            Field(required=Conditions.all(Condition("object.x"))),
            "asks whether `object.x` has no value; Segment tests the opposite.",
        ),
    ],
)
def test_pointless_options_are_reported(field: Field, problem: str) -> None:
    table = {
        "target": field,
        "object": Field(type="object", properties={"x": Field()}),
        "list": Field(type="object", multiple=True),
    }

    assert check_fields(table) == [f"Field `target` {problem}"]


def test_items_of_a_list_are_not_asked_for_conditions() -> None:
    inner = Field(required=Conditions.all(Condition("kind", "is", "x")))
    table = {"kind": Field(), "list": Field(type="object", multiple=True, properties={"a": inner})}

    assert check_fields(table) == [
        "Field `list.a` is conditionally required, which has no effect on items of a list."
    ]


def test_conditions_may_look_into_objects_and_at_the_sync_mode() -> None:
    conditions = Conditions.any(
        Condition("a.b", "is", "x"), Condition("free.any", "is", 1), Condition(None, "is", "add")
    )
    table = {
        "a": Field(type="object", properties={"b": Field()}),
        "free": Field(type="object"),
        "c": Field(required=conditions, depends_on=conditions),
        "d.e": Field(),
        "f": Field(depends_on=Conditions.all(Condition("d.e", "is", "x"))),
    }

    assert check_fields(table) == []


def test_fields_are_values() -> None:
    field = Field("A", type="object", properties={"x": Field("X")}, choices=(Choice("x", "Ex"),))

    assert pickle.loads(pickle.dumps(field)) == field  # noqa: S301 - our own bytes
    with pytest.raises(TypeError):
        field.properties["y"] = Field()  # type: ignore[index]  # the point


def test_a_password_is_a_secret() -> None:
    assert Field(type="password").secret


def test_a_field_may_have_many_choices() -> None:
    """The message names the first ones."""
    values = tuple(Choice(f"c{number}") for number in range(10_000))
    shape = compile_shape({"f": Field(choices=values)}, name="action `send`")
    first = ", ".join(f'"{choice.value}"' for choice in values[:50])

    assert shape.apply({"f": "c9999"}) == {"f": "c9999"}
    with pytest.raises(PayloadValidationError) as caught:
        shape.apply({"f": "none"})
    assert str(caught.value) == (
        f"Field `f` of action `send` must be {first} or one of 9,950 others."
    )


def test_equal_choices_are_found_with_as_many_hashes_as_there_are_choices() -> None:
    """Each choice is looked up once, never compared with all the others."""
    hashed: list[str] = []

    class Counted(str):
        __slots__ = ()

        def __hash__(self) -> int:
            hashed.append(self)
            return str.__hash__(self)

        def __eq__(self, other: object) -> bool:
            hashed.append(self)
            return str.__eq__(self, other)

    Field(choices=tuple(Choice(Counted(number)) for number in range(500)))

    assert len(hashed) < 500 * 4
