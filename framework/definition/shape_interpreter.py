"""Shaping by interpreting the table: slow, but it reports every problem.

The compiled function of a shape must agree with it; it runs when that function rejects values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from framework.definition.coercion import REFUSED, coercer_of, unwrap
from framework.definition.field_checks import checks_of, top_pruner_of
from framework.definition.fields import Field, FieldTable
from framework.definition.problems import Problem
from framework.definition.requirements import ConditionPath, Requirement
from framework.normalize import digest
from framework.paths import JSON, MISSING

MAX_PROBLEMS: Final = 100
"""Problems after which the items of a list are no longer checked."""

KEPT: Final = "dynamicAuthSettings"
"""The one undeclared key that Segment keeps, unchanged."""


def interpret(
    raw: Mapping[str, JSON],
    fields: FieldTable,
    requirements: Sequence[Requirement],
    sync_mode: str | None,
) -> tuple[dict[str, Any], list[Problem]]:
    """Return the valid shaped values and every problem, ordered by path."""
    if not fields:
        return dict(raw), []
    pruned = prune_top(raw, fields)
    problems: list[Problem] = []
    shaped = _shape_declared(pruned, fields, (), problems)
    if KEPT in pruned:
        shaped.setdefault(KEPT, pruned[KEPT])
    problems += _unmet(pruned, requirements, sync_mode)
    distinct = {(problem.path, problem.code): problem for problem in problems}
    return shaped, sorted(distinct.values(), key=_order)


def prune_top(raw: Mapping[str, JSON], fields: FieldTable) -> dict[str, JSON]:
    """Remove empty values; undeclared keys stay, because conditions may refer to them."""
    found = {}
    for key, value in raw.items():
        pruned = top_pruner_of(fields[key])(value) if key in fields else value
        if pruned is not MISSING and pruned != "":
            found[key] = pruned
    return found


def _unmet(
    pruned: dict[str, JSON], requirements: Sequence[Requirement], sync_mode: str | None
) -> Iterator[Problem]:
    for requirement in requirements:
        for path in requirement.unmet(pruned, sync_mode):
            yield Problem(path, "required", requirement.field)


def _shape_declared(
    value: Mapping[str, JSON], fields: FieldTable, path: ConditionPath, problems: list[Problem]
) -> dict[str, Any]:
    shaped = {}
    for key, field in fields.items():
        if key in value:
            shaped[key] = _shape(value[key], field, (*path, key), problems)
        elif field.required is True:
            problems.append(Problem((*path, key), "required", field))
    return shaped


def _shape(value: JSON, field: Field, path: ConditionPath, problems: list[Problem]) -> Any:
    if not field.multiple:
        return _shape_one(value, field, path, problems)
    if isinstance(value, dict):
        item = unwrap(value)
        whole = field.type == "object" or isinstance(item, dict | list)
        problems.append(Problem(path, "type", field, value if whole else item))
        return None
    items = value if isinstance(value, list) else [value]
    shaped = []
    for index, item in enumerate(items):
        if len(problems) >= MAX_PROBLEMS:
            break
        shaped.append(_shape_one(item, field, (*path, index), problems))
    return shaped


def _shape_one(value: JSON, field: Field, path: ConditionPath, problems: list[Problem]) -> Any:
    shaped = coercer_of(field)(value)
    if shaped is REFUSED:
        item = unwrap(value)
        whole = field.type == "object" or isinstance(item, dict | list)
        problems.append(Problem(path, "type", field, value if whole else item))
        return None
    if shaped is None:
        return None
    if field.type == "object" and field.properties is not None:
        shaped = _shape_properties(shaped, field, path, problems)
    problems += [
        Problem(path, check.code, field, shaped)
        for check in checks_of(field)
        if not check.holds(shaped)
    ]
    return shaped if field.hashed is None else digest(shaped, field.hashed)


def _shape_properties(
    value: dict[str, JSON], field: Field, path: ConditionPath, problems: list[Problem]
) -> dict[str, Any]:
    fields = field.properties or {}
    shaped = _shape_declared(value, fields, path, problems)
    if field.additional_properties:
        shaped |= {key: inner for key, inner in value.items() if key not in fields}
    return shaped


def _order(problem: Problem) -> list[tuple[int, int, str]]:
    return [(0, part, "") if isinstance(part, int) else (1, 0, part) for part in problem.path]
