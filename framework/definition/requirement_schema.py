"""Conditional requirements as JSON Schema: `if` and `then` rules equivalent to the shape."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from framework.definition.fields import Condition, Conditions, FieldTable
from framework.definition.requirements import Requirement, key_of, requirements_of
from framework.paths import MISSING

_NULL = {"type": "null"}


def rules_of(fields: FieldTable) -> list[dict[str, Any]]:
    """Return one rule for each conditional requirement of a table and of its fields' properties.

    Conditions on the sync mode are left out, because values do not contain it: if all conditions
    must hold, the whole rule is left out, otherwise only the condition.
    """
    return _rules([r for r in requirements_of(fields) if not r.scope], fields)


def rules_inside(fields: FieldTable) -> list[dict[str, Any]]:
    """Return the rules in the schema of an object with these properties.

    They apply to the properties of its properties; rules for its own are one level higher.
    """
    inside = [r for r in requirements_of(fields) if not r.scope and len(r.path) > 1]
    return _rules(inside, fields)


def _rules(requirements: Iterable[Requirement], fields: FieldTable) -> list[dict[str, Any]]:
    rules = []
    for requirement in requirements:
        condition = _if(requirement.field.required, fields)
        if condition is not None:
            rules.append({"if": condition, "then": _then(requirement.path)})
    return rules


def _if(required: Any, fields: FieldTable) -> dict[str, Any] | None:
    conditions: Conditions = required
    tests = [_test(c, fields) for c in conditions.conditions if c.field is not None]
    if len(tests) < len(conditions.conditions) and (conditions.match == "all" or not tests):
        return None
    if len(tests) == 1:
        return tests[0]
    if not tests:
        return {} if conditions.match == "all" else {"not": {}}
    return {"allOf" if conditions.match == "all" else "anyOf": tests}


def _test(condition: Condition, fields: FieldTable) -> dict[str, Any]:
    key, inside = key_of(condition, fields)
    if condition.value is not MISSING:
        return _at((str(key), *inside), _negated(condition, _equal(condition.value)))
    if inside:
        return _at((str(key), *inside), {} if condition.operator == "is" else {"not": {}})
    present = _at((str(key),), {"not": _NULL})
    return {"not": present} if condition.operator == "is" else present


def _negated(condition: Condition, test: dict[str, Any]) -> dict[str, Any]:
    return test if condition.operator == "is" else {"not": test}


def _equal(value: Any) -> dict[str, Any]:
    return {"enum": [*value, value]} if isinstance(value, list) else {"const": value}


def _at(path: tuple[str, ...], test: dict[str, Any]) -> dict[str, Any]:
    for key in reversed(path):
        test = {"required": [key], "properties": {key: test}}
    return test


def _then(path: tuple[str, ...]) -> dict[str, Any]:
    head, *inside = path
    below = {"properties": {head: _then(tuple(inside))}} if inside else {}
    return {"required": [head], **below}
