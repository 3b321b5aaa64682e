"""Values are printed, compared and encoded as in JavaScript."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.mapping.javascript import (
    TooMuch,
    decode,
    encode,
    is_filled,
    is_truthy,
    kind_of,
    length,
    text,
)
from framework.paths import JSON, MISSING


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (None, ""),
        (MISSING, ""),
        (True, "true"),
        ("x", "x"),
        ({"a": 1}, "[object Object]"),
        ([1, [2, [3]], None, "x", {}], "1,2,3,,x,[object Object]"),
        ([], ""),
        ([None], ""),
        ([[], []], ","),
    ],
)
def test_texts(value: JSON, printed: str) -> None:
    assert text(value) == printed


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ({"b": 1.0, "a": [True, None, "é\n\x7f"]}, '{"b":1,"a":[true,null,"é\\n\x7f"]}'),
        (
            {"z": 1, "10": 2, "2": 3, "01": 4, "4294967295": 5},
            '{"2":3,"10":2,"z":1,"01":4,"4294967295":5}',
        ),
        ({"a": MISSING, "b": [MISSING]}, '{"b":[null]}'),
        ([math.nan, math.inf], "[null,null]"),
        ("\ud800 😀", '"\\ud800 😀"'),
        ({}, "{}"),
        ([[]], "[[]]"),
        ('\x00\b\f\r"\\', '"\\u0000\\b\\f\\r\\"\\\\"'),
    ],
)
def test_json_text(value: JSON, encoded: str) -> None:
    assert encode(value) == encoded


def test_json_text_with_lines() -> None:
    assert encode({"a": [1, {}], "b": []}, indent="  ") == (
        '{\n  "a": [\n    1,\n    {}\n  ],\n  "b": []\n}'
    )


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(plain)
def test_json_text_can_be_read_again(value: Any) -> None:
    assert decode(encode(value)) == value
    assert json.loads(encode(value, indent=" ")) == value


@pytest.mark.parametrize(
    "written",
    [
        "",
        " ",
        "undefined",
        "{a:1}",
        "[1,]",
        "01",
        ".5",
        "NaN",
        "Infinity",
        "-Infinity",
        "\xa0[1]",
        '"\n"',
        "1e999",
        "9" * 5000,
    ],
)
def test_invalid_json_text_is_not_read(written: str) -> None:
    assert decode(written) is MISSING


@pytest.mark.parametrize(
    ("value", "filled", "truthy"),
    [
        (MISSING, False, False),
        (None, False, False),
        ("", False, False),
        (0, False, False),
        (0.0, False, False),
        (False, False, False),
        ([], False, True),
        ([[None]], False, True),
        ([""], False, True),
        (["", ""], True, True),
        ([0], True, True),
        ({}, True, True),
        (" ", True, True),
        ("0", True, True),
    ],
)
def test_what_is_filled_and_what_is_true(value: JSON, filled: bool, truthy: bool) -> None:  # noqa: FBT001 - columns
    assert is_filled(value) is filled
    assert is_truthy(value) is truthy


@pytest.mark.parametrize(("value", "units"), [("", 0), ("é", 1), ("😀a", 3)])
def test_texts_are_counted_in_utf16_units(value: str, units: int) -> None:
    assert length(value) == units


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (MISSING, "undefined"),
        (None, "null"),
        (True, "boolean"),
        (1.5, "number"),
        ([], "array"),
        ({}, "object"),
    ],
)
def test_kinds_have_javascript_names(value: JSON, kind: str) -> None:
    assert kind_of(value) == kind


def nested(depth: int) -> JSON:
    value: JSON = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("function", [text, encode])
@pytest.mark.parametrize(
    ("value", "refusal"),
    [
        (nested(201), "got a value nested more than 200 levels deep"),
        (["x" * 999_999, "yy"], "would produce more than 1,000,000 characters"),
    ],
)
def test_what_is_too_long_or_too_deep_is_refused(function: Any, value: JSON, refusal: str) -> None:
    with pytest.raises(TooMuch) as refused:
        function(value)

    assert str(refused.value) == refusal
    assert len(function(nested(200))) in {1, 401}


@pytest.mark.parametrize("text", ["[" * 200_000, "[" * 201 + "]" * 201, '{"\ud800":' * 201])
def test_json_text_that_is_nested_too_deep_is_refused(text: str) -> None:
    assert decode("[" * 200 + "1" + "]" * 200) == nested(200)
    with pytest.raises(TooMuch) as refused:
        decode(text)

    assert str(refused.value) == "got a value nested more than 200 levels deep"
