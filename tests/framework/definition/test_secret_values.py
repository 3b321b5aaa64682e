"""Which texts of settings are secrets."""

from __future__ import annotations

from typing import Any

import pytest

from framework.definition import Field, secret_texts

KEY = Field(secret=True)
FIELDS = {
    "open": Field(),
    "key": KEY,
    "keys": Field(secret=True, multiple=True),
    "headers": Field(type="object", secret=True),
    "account": Field(type="object", properties={"name": Field(), "key": KEY}),
    "accounts": Field(type="object", multiple=True, properties={"key": KEY}),
    "number": Field(type="integer", secret=True, default=7),
}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, ["7"]),
        ({"number": 8, "open": "x", "key": "a"}, ["a", "8"]),
        ({"keys": ["a", "b", None]}, ["a", "b", "7"]),
        ({"headers": {"a": "b", "c": {"d": ["e", None, 1]}}}, ["b", "e", "1", "7"]),
        ({"account": {"name": "x", "key": "a"}, "accounts": [{"key": "b"}, 5]}, ["a", "b", "7"]),
        ("no settings", ["7"]),
    ],
)
def test_secrets_are_found_at_any_depth(values: Any, expected: list[str]) -> None:
    assert list(secret_texts(FIELDS, values)) == expected
