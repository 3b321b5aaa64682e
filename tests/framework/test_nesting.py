"""The limit of nesting is found by brackets alone, so that no reader's own limit is met."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.nesting import MAX_LEVELS, any_too_deep, is_nested_deeper, is_too_deep, read_json


def lists(levels: int, inner: bytes = b"") -> bytes:
    return b"[" * levels + inner + b"]" * levels


def objects(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


@pytest.mark.parametrize(
    ("text", "deep"),
    [
        (lists(MAX_LEVELS), False),
        (lists(MAX_LEVELS + 1), True),
        (objects(MAX_LEVELS), False),
        (objects(MAX_LEVELS + 1), True),
        (b'{"a":' + lists(MAX_LEVELS - 1) + b',"b":' + lists(MAX_LEVELS - 1) + b"}", False),
        (b'{"a":' + lists(MAX_LEVELS - 1) + b',"b":' + lists(MAX_LEVELS) + b"}", True),
        (b"[" + b"{}," * 5_000 + b"{}]", False),
        (b'{"a":"' + b"[" * 5_000 + b'"}', False),
        (b'{"a":"\\"' + b"[" * 5_000 + b'\\\\"}', False),
        (b'{"a":"\\\\"' + b"[" * 5_000, True),
        (b"[" * 5_000, True),
        (b"]" * 5_000, False),
        (b'{"a":"' + b"[" * 5_000, False),
        (b"", False),
    ],
)
def test_brackets_outside_of_texts_are_levels(text: bytes, *, deep: bool) -> None:
    assert is_too_deep(text) is deep
    assert any_too_deep([b"{}", text]) is deep


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.integers() | st.text(alphabet='[]{}"\\a'),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text('[{"\\'), inner, max_size=3)
    ),
    max_leaves=12,
)


def levels_of(value: Any) -> int:
    members = value.values() if isinstance(value, dict) else value
    return 1 + max(map(levels_of, members), default=0) if isinstance(value, dict | list) else 0


@given(VALUES)
def test_the_levels_are_those_of_the_value(value: Any) -> None:
    text = json.dumps(value).encode()
    levels = levels_of(value)
    assert not is_too_deep(text, levels)
    assert levels == 0 or is_too_deep(text, levels - 1)
    assert not is_nested_deeper(value, levels)
    assert levels == 0 or is_nested_deeper(value, levels - 1)


@pytest.mark.parametrize(
    "text", [b'"\\' * 500_000, b'"' * 999_999, b'\\"' * 500_000, b"[" * 10**6, b"[]" * 500_000]
)
def test_long_texts_take_a_moment(text: bytes) -> None:
    started = time.process_time()
    is_too_deep(b"[" * 300 + text)
    assert time.process_time() - started < 1


def test_a_text_is_read_to_the_same_depth_on_every_python() -> None:
    assert levels_of(read_json(lists(MAX_LEVELS))) == MAX_LEVELS
    assert read_json('"\\ud800\ud800"') == "\ud800\ud800"
    for text in (lists(MAX_LEVELS + 1), objects(MAX_LEVELS + 1).decode(), "[" * 100_000):
        with pytest.raises(ValueError, match=r"^nested deeper than 200 levels$"):
            read_json(text)


def test_what_a_value_holds_many_times_is_entered_once() -> None:
    value: Any = ()
    for _ in range(MAX_LEVELS - 1):
        value = [value, value]
    assert not is_nested_deeper(value)
    assert is_nested_deeper({"a": value})
