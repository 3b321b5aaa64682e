"""Validation of the settings of a destination."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from framework.definition import FieldRule, FieldTable, Problem, Shape, setting_text
from framework.paths import JSON


def setting_problems(
    fields: FieldTable, given: Mapping[str, JSON], rules: Sequence[FieldRule] = ()
) -> tuple[tuple[Problem, str], ...]:
    """Return all problems of the settings, as data and as sentences without secrets.

    *rules* say which settings need a value together.
    """
    _, problems = Shape(fields, rules=tuple(rules)).interpret(given)
    return tuple((problem, setting_text(problem)) for problem in problems)
