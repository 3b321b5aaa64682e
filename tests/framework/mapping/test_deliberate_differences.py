"""Where the reference's answer helps nobody, a mapping means what it says."""

from __future__ import annotations

from typing import Any

import pytest

from framework.mapping import compile_mapping

EVENT = {
    "id": "o-9",
    "nested": "{{id}}",
    "tags": ["red", "blue"],
    "word": "text",
    "big": "12345678901234567890",
}


def test_a_path_in_a_template_may_begin_with_a_dollar() -> None:
    assert resolved({"@template": "{{$.id}}"}) == "o-9"


def test_expanded_text_is_not_expanded_again() -> None:
    assert resolved({"@template": "{{{nested}}} {{nested}}"}) == "{{id}} {{id}}"


@pytest.mark.parametrize("value", [0, False])
def test_an_else_that_is_falsy_is_taken(value: Any) -> None:
    otherwise = {"exists": {"@path": "$.gone"}, "then": 1, "else": value}
    assert resolved({"@if": otherwise}) is value


@pytest.mark.parametrize("text", ["$&", "$$", "$`", "$'", "$1"])
def test_a_replacement_is_text(text: str) -> None:
    replace = {"pattern": "-", "replacement": text, "value": {"@path": "$.id"}}
    assert resolved({"@replace": replace}) == f"o{text}9"


@pytest.mark.parametrize(
    ("mode", "path", "value"),
    [("ENCODE", "$.word", '"text"'), ("Decode", "$.big", 12345678901234567890)],
)
def test_the_mode_of_json_is_read_in_any_letter_case(mode: str, path: str, value: Any) -> None:
    """And large integers keep their digits."""
    assert resolved({"@json": {"mode": mode, "value": {"@path": path}}}) == value


@pytest.mark.parametrize("path", ["$.tags", "$.word"])
def test_what_is_no_object_is_not_merged(path: str) -> None:
    objects = [{"a": 1}, {"@path": path}, {"b": 2}]
    assert resolved({"@merge": {"direction": "right", "objects": objects}}) == {"a": 1, "b": 2}


@pytest.mark.parametrize("path", ["$.word.length", "$.tags.length", "$.tags.constructor"])
def test_texts_and_lists_have_no_members(path: str) -> None:
    mapping = compile_mapping({"value": {"@path": path}})
    assert mapping.resolve(EVENT) == mapping.interpret(EVENT) == {}


def resolved(directive: Any) -> Any:
    mapping = compile_mapping({"value": directive})
    (value,) = mapping.resolve(EVENT).values()
    assert mapping.interpret(EVENT) == {"value": value}
    return value
