"""Check that the default value of a field is valid without conversion."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from framework.definition.field_checks import checks_of
from framework.definition.fields import SECRET, STRING_TYPES, Field
from framework.definition.problems import Problem, requirement_text
from framework.paths import JSON, MISSING


def default_problems(field: Field) -> list[str]:
    """Return the problems of the default of *field*: its type, choices, format and bounds.

    Unlike the values of events, a default is not converted: `"7"` is invalid for an integer.
    """
    if field.default is None:
        return []
    return [_text(problem) for problem in _check(field.default, field, ("default",))]


def _text(problem: Problem) -> str:
    text = f"`{problem.place}` {requirement_text(problem)}"
    if problem.found is MISSING:
        return f"{text}."
    found = problem.found
    shown = SECRET if problem.field.secret else json.dumps(found, ensure_ascii=False, default=repr)
    return f"{text}, got {shown}."


def _check(value: JSON, field: Field, path: tuple[str | int, ...]) -> Iterator[Problem]:
    if not field.multiple:
        yield from _check_one(value, field, path)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _check_one(item, replace(field, nullable=False), (*path, index))
    else:
        yield Problem(path, "type", field, value)


def _check_one(value: JSON, field: Field, path: tuple[str | int, ...]) -> Iterator[Problem]:
    if value is None and field.nullable:
        return
    if not _is_of_type(value, field):
        yield Problem(path, "type", field, value)
        return
    for check in checks_of(field):
        if not check.holds(value):
            yield Problem(path, check.code, field, value)
    if field.type == "object":
        yield from _check_properties(value, field, path)


def _check_properties(
    value: dict[str, JSON], field: Field, path: tuple[str | int, ...]
) -> Iterator[Problem]:
    for key, inner in (field.properties or {}).items():
        if key in value:
            yield from _check(value[key], inner, (*path, key))
        elif inner.required is True:
            yield Problem((*path, key), "required", inner)


def _is_of_type(value: Any, field: Field) -> bool:
    if field.type == "boolean" or isinstance(value, bool):
        return field.type == "boolean" and isinstance(value, bool)
    if field.type in STRING_TYPES:
        return isinstance(value, str)
    if field.type == "object":
        return isinstance(value, dict)
    if field.type == "integer":
        return isinstance(value, int)
    number = isinstance(value, int | float) and math.isfinite(value)
    return number or (field.type == "datetime" and isinstance(value, str))
