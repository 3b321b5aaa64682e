"""Conditions as functions of mapped values.

A condition applies to mapped values after empty values are removed and before conversion, as in
Segment's validator, because saved definitions rely on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from framework.definition.coercion import equal_json
from framework.definition.fields import Condition, Conditions, Field, FieldTable
from framework.paths import JSON, MISSING

ConditionPath: TypeAlias = tuple[str | int, ...]
"""A path through objects and lists."""

Test: TypeAlias = Callable[[JSON], bool]
"""Tests the value of one top-level key, or the sync mode; the value may be MISSING."""


class Requirement(NamedTuple):
    """A field that is required if conditions hold.

    *scope* leads to the object (or the objects of a list) in which the conditions are looked up:
    the payload itself for its fields and their properties, for deeper ones the object that holds
    their parent. *path* leads from there to the field. *tests* are pairs of a key in the scope
    (None for the sync mode) and the test of its value.
    """

    scope: tuple[str, ...]
    path: tuple[str, ...]
    field: Field
    match: str
    tests: tuple[tuple[str | None, Test], ...]

    def unmet(self, value: JSON, sync_mode: str | None) -> list[ConditionPath]:
        """Return the paths at which the field or its parent is missing in a payload."""
        return self._unmet(value, self.scope, sync_mode)

    def _unmet(self, value: JSON, scope: tuple[str, ...], mode: str | None) -> list[ConditionPath]:
        if isinstance(value, list):
            return [(i, *p) for i, item in enumerate(value) for p in self._unmet(item, scope, mode)]
        if not isinstance(value, dict):
            return []
        if scope:
            inner = self._unmet(value.get(scope[0]), scope[1:], mode)
            return [(scope[0], *place) for place in inner]
        return lacking(value, self.path) if self._applies(value, mode) else []

    def _applies(self, values: Mapping[str, JSON], sync_mode: str | None) -> bool:
        mode: JSON = MISSING if sync_mode is None else sync_mode
        held = (test(mode if key is None else values.get(key, MISSING)) for key, test in self.tests)
        return all(held) if self.match == "all" else any(held)


def requirements_of(fields: FieldTable, scope: tuple[str, ...] = ()) -> list[Requirement]:
    """Return the conditional requirements of a table, those of nested properties included."""
    found = [] if scope else _required_in(fields, (), (), fields)
    for key, field in fields.items():
        if field.type == "object" and field.properties:
            found += _required_in(field.properties, scope, (key,), fields)
            found += requirements_of(field.properties, (*scope, key))
    return found


def lacking(value: JSON, path: tuple[str, ...]) -> list[ConditionPath]:
    """Return the missing path below *value*, if any; lists and strings lack nothing."""
    if not path or not isinstance(value, dict):
        return []
    if path[0] not in value:
        return [path[:1]]
    return [(path[0], *place) for place in lacking(value[path[0]], path[1:])]


def key_of(condition: Condition, fields: FieldTable) -> tuple[str | None, tuple[str, ...]]:
    """Split the field of a condition into a top-level key and the keys inside its value."""
    if condition.field is None or condition.field in fields:
        return condition.field, ()
    head, *rest = condition.field.split(".")
    return head, tuple(rest)


def _required_in(
    fields: FieldTable, scope: tuple[str, ...], parent: tuple[str, ...], beside: FieldTable
) -> list[Requirement]:
    return [
        Requirement(
            scope, (*parent, key), field, field.required.match, tests_of(field.required, beside)
        )
        for key, field in fields.items()
        if isinstance(field.required, Conditions)
    ]


def tests_of(conditions: Conditions, fields: FieldTable) -> tuple[tuple[str | None, Test], ...]:
    """Return each condition as its key (None for the sync mode) and its test."""
    tests = []
    for condition in conditions.conditions:
        key, inside = key_of(condition, fields)
        judge = _inner(condition) if inside else _plain(condition)
        tests.append((key, _follow(inside, judge) if inside else judge))
    return tuple(tests)


def _plain(condition: Condition) -> Test:
    wanted = condition.operator == "is"
    if condition.value is MISSING:
        return lambda value: (value is MISSING or value is None) is wanted
    expected = condition.value
    if isinstance(expected, str):  # as `_matching` does, and in one call
        if condition.field is None:
            return lambda value: (value == expected) is wanted
        return lambda value: value is not MISSING and (value == expected) is wanted
    matches = _matching(expected)
    if condition.field is None:
        return lambda value: matches(value) is wanted
    return lambda value: value is not MISSING and matches(value) is wanted


def _inner(condition: Condition) -> Test:
    """Test a value inside an object; without an expected value, `is` tests for presence."""
    if condition.value is MISSING:
        return lambda _value: condition.operator == "is"
    matches = _matching(condition.value)
    return lambda value: matches(value) is (condition.operator == "is")


def _follow(inside: tuple[str, ...], judge: Test) -> Test:
    """Test a value inside objects; a missing value fails, and a value that is no object passes."""

    def test(value: JSON) -> bool:
        for key in inside:
            if value is MISSING:
                return False
            if not isinstance(value, dict):
                return True
            value = value.get(key, MISSING)
        return value is not MISSING and judge(value)

    return test


def _matching(expected: Any) -> Test:
    """Return the test whether a value equals *expected*, or one of its items if it is a list."""
    if isinstance(expected, str):
        return lambda value: bool(value == expected)
    items = expected if isinstance(expected, list) else []
    texts = frozenset(item for item in items if isinstance(item, str))

    def matches(value: JSON) -> bool:
        if type(value) is str:
            return value in texts
        return equal_json(value, expected) or any(equal_json(value, item) for item in items)

    return matches
