"""The checks of a field beyond its type, and the removal of empty values."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

from framework.definition.coercion import equal_json
from framework.definition.fields import STRING_TYPES, Field
from framework.definition.problems import ProblemCode
from framework.paths import JSON, MISSING

Prune: TypeAlias = Callable[[JSON], JSON]
"""Removes empty values from a value; returns MISSING if nothing is left."""


class FieldCheck(NamedTuple):
    """A problem code, and a predicate that valid values fulfil.

    *common* is a faster predicate that is true for most valid strings and for no invalid one.
    """

    code: ProblemCode
    holds: Callable[[Any], object]
    common: Callable[[str], object] | None = None


_PARTS: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\$", re.DOTALL)
"""The tokens of a regular expression, to find each `$` that matches the end."""

_BLANK_TEXT_KEPT: Final = STRING_TYPES | {"datetime"}


def checks_of(field: Field) -> list[FieldCheck]:
    """Return the checks of one converted value of a field, or of one item if it is multiple."""
    checks: list[FieldCheck] = []
    if field.choices:
        checks.append(FieldCheck("choices", _is_among([choice.value for choice in field.choices])))
    if field.type == "string":
        checks += _limits(field, "too_short", "too_long", len)
    if field.type in {"number", "integer"}:
        checks += _limits(field, "too_small", "too_large", _itself)
    if field.type in STRING_TYPES and field.pattern is not None:
        checks.append(FieldCheck("pattern", _pattern(field.pattern).search))
    if field.type == "string" and field.format not in {None, "text", "password"}:
        checks.append(_format(str(field.format)))
    if field.type == "datetime":
        checks.append(_format("date-like"))
    return checks


def pruner_of(field: Field) -> Prune:
    """Return the function that removes empty values, as Segment does before validation.

    Null is empty unless the field is nullable; the empty string is empty unless the field accepts
    strings. Empty items of lists are dropped, but items are not pruned themselves; values without
    a declaration are unchanged.
    """
    keeps_null = field.nullable and not field.multiple
    keeps_blank = field.type in _BLANK_TEXT_KEPT and not field.multiple
    enter = _enter(field)

    def prune(value: JSON) -> JSON:
        if value is None:
            return None if keeps_null else MISSING
        if value == "":
            return value if keeps_blank else MISSING
        return enter(value)

    return prune


def has_items(field: Field) -> bool:
    """Return whether values inside a field's value are fields, too, or its value is a list."""
    return field.multiple or bool(field.type == "object" and field.properties)


def top_pruner_of(field: Field) -> Prune:
    """Return the pruning of a top-level field: no empty strings, and lists where declared."""
    if not has_items(field):
        null = None if field.nullable else MISSING
        return lambda value: null if value is None else MISSING if value == "" else value
    prune = pruner_of(field)

    def prune_top(value: JSON) -> JSON:
        value = MISSING if value == "" else value if value is MISSING else prune(value)
        if not field.multiple or value is MISSING or isinstance(value, list):
            return value
        return [value]

    return prune_top


def _enter(field: Field) -> Prune:
    if field.multiple:
        keeps_blank = field.type in _BLANK_TEXT_KEPT
        return lambda value: _without_empty_items(value, keeps_blank)
    if field.type != "object" or not field.properties:
        return lambda value: value
    return _pruner_of_properties({key: pruner_of(inner) for key, inner in field.properties.items()})


def _without_empty_items(value: JSON, keeps_blank: bool) -> JSON:  # noqa: FBT001 - passed on
    if not isinstance(value, list):
        return value
    return [item for item in value if item is not None and (keeps_blank or item != "")]


def _pruner_of_properties(pruners: dict[str, Prune]) -> Prune:
    def prune(value: JSON) -> JSON:
        if not isinstance(value, dict):
            return value
        pruned = {
            key: pruners[key](inner) if key in pruners else inner for key, inner in value.items()
        }
        return {key: inner for key, inner in pruned.items() if inner is not MISSING}

    return prune


def _pattern(pattern: str) -> re.Pattern[str]:
    """Compile a pattern of JSON Schema: `$` matches only the end, and digits are 0 to 9."""
    meant = _PARTS.sub(lambda part: r"\Z" if part[0] == "$" else part[0], pattern)
    return re.compile(meant, re.ASCII)


def _limits(
    field: Field, low: ProblemCode, high: ProblemCode, measure: Callable[[Any], float]
) -> list[FieldCheck]:
    checks: list[FieldCheck] = []
    if (minimum := field.minimum) is not None:
        checks.append(FieldCheck(low, lambda value: measure(value) >= minimum))
    if (maximum := field.maximum) is not None:
        checks.append(FieldCheck(high, lambda value: measure(value) <= maximum))
    return checks


def _itself(value: float) -> float:
    return value


def _is_among(values: list[Any]) -> Callable[[Any], bool]:
    if all(isinstance(value, str) for value in values):
        known = frozenset(values)
        return lambda value: isinstance(value, str) and value in known
    return lambda value: any(equal_json(value, choice) for choice in values)


def _format(name: str) -> FieldCheck:
    from framework.definition.formats import COMMON, PREDICATES  # noqa: PLC0415 - many patterns

    return FieldCheck("format", PREDICATES[name], COMMON.get(name))
