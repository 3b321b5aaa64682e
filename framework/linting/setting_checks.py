"""Validation of the settings of a destination."""

from __future__ import annotations

from collections.abc import Mapping

from framework.definition import FieldTable, Problem, Shape, setting_text
from framework.paths import JSON


def setting_problems(
    fields: FieldTable, given: Mapping[str, JSON]
) -> tuple[tuple[Problem, str], ...]:
    """Return all problems of the settings, as data and as sentences without secrets."""
    _, problems = Shape(fields).interpret(given)
    return tuple((problem, setting_text(problem)) for problem in problems)
