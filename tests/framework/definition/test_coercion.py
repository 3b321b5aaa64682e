"""Raw values become values of a type as ajv 8 coerces them."""

from __future__ import annotations

from typing import Any

import pytest

from framework.definition.coercion import (
    REFUSED,
    coercer_of,
    equal_json,
    to_boolean,
    to_datetime,
    to_integer,
    to_number,
    to_string,
)
from framework.definition.fields import Field, FieldType


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", ""),
        ("x", "x"),
        (0, "0"),
        (-1.5, "-1.5"),
        (5.0, "5"),
        (True, "true"),
        (None, ""),
        (["x"], "x"),
        ([None], ""),
        ([True], "true"),
        ([], REFUSED),
        (["x", "y"], REFUSED),
        ([["x"]], REFUSED),
        ({}, REFUSED),
    ],
)
def test_to_string(value: Any, expected: Any) -> None:
    assert to_string(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, 5),
        (2.5, 2.5),
        (5.0, 5),
        (True, 1),
        (None, 0),
        ("5", 5),
        (" 5 ", 5),
        ("\n7\ufeff", 7),
        (" ", 0),
        ("5.", 5),
        (".5", 0.5),
        ("-0", 0),
        ("1e3", 1000),
        ("00012", 12),
        ("0x1F", 31),
        ("0o17", 15),
        ("0b11", 3),
        ("12345678901234567890", 12345678901234567890),
        (["5"], 5),
        ("", REFUSED),
        ("-0x1", REFUSED),
        ("1_000", REFUSED),
        ("1,000", REFUSED),
        ("\u0663", REFUSED),
        ("NaN", REFUSED),
        ("Infinity", REFUSED),
        ("1e999", REFUSED),
        ("0x" + "f" * 300, REFUSED),
        (float("inf"), REFUSED),
        ("\x1c5", REFUSED),
        ([1, 2], REFUSED),
        ({}, REFUSED),
    ],
)
def test_to_number(value: Any, expected: Any) -> None:
    number = to_number(value)

    assert equal_json(number, expected) or number is expected
    assert type(number) is type(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("5", 5),
        ("5.0", 5),
        (1e21, 10**21),
        (True, 1),
        (None, 0),
        (2.5, REFUSED),
        ("5.5", REFUSED),
    ],
)
def test_to_integer(value: Any, expected: Any) -> None:
    assert to_integer(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        ("true", True),
        (1, True),
        (1.0, True),
        (False, False),
        ("false", False),
        (0, False),
        (None, False),
        (["true"], True),
        ("TRUE", REFUSED),
        ("", REFUSED),
        (2, REFUSED),
        ([], REFUSED),
        ({}, REFUSED),
    ],
)
def test_to_boolean(value: Any, expected: Any) -> None:
    assert to_boolean(value) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("x", "x"), (5, 5), (5.0, 5), (True, "true"), (None, ""), ([5], "5"), ({}, REFUSED)],
)
def test_to_datetime(value: Any, expected: Any) -> None:
    assert to_datetime(value) == expected


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("string", None, None),
        ("string", [""], None),
        ("string", ["x"], "x"),
        ("string", False, "false"),
        ("number", None, None),
        ("number", "", None),
        ("number", 0, 0),
        ("number", "x", REFUSED),
        ("boolean", "", None),
        ("boolean", 0, False),
        ("object", False, None),
        ("object", [0], None),
        ("object", "5", REFUSED),
        ("object", [{}], REFUSED),
        ("datetime", None, None),
    ],
)
def test_nullable_fields_take_null_and_some_blanks_for_it(
    kind: FieldType, value: Any, expected: Any
) -> None:
    assert coercer_of(Field(type=kind, nullable=True))(value) == expected


def test_a_nullable_object_with_properties_takes_null_only() -> None:
    coerce = coercer_of(Field(type="object", nullable=True, properties={}))

    assert [coerce(None), coerce(False)] == [None, REFUSED]


def test_items_of_a_multiple_field_are_not_nullable() -> None:
    assert coercer_of(Field(nullable=True, multiple=True))(None) == ""


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        ("1", 1, False),
        ([1, {"a": None}], [1.0, {"a": None}], True),
        ([1], [True], False),
        ({"a": 1}, {"a": 1, "b": 1}, False),
        (None, False, False),
    ],
)
def test_json_values_are_the_same(left: Any, right: Any, equal: bool) -> None:  # noqa: FBT001 - expected value
    assert equal_json(left, right) is equal
    assert equal_json(right, left) is equal


def test_refusal_has_a_name() -> None:
    assert repr(REFUSED) == "REFUSED"
