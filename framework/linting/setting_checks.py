"""Validation of the settings of a destination."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from framework.definition import FieldRule, FieldTable, Problem, Shape, setting_text
from framework.paths import JSON

SETTING_CODES: Final = {"required": "AD311", "rule": "AD314"}
"""The codes of problems of settings; that of others is AD312."""


def setting_problems(
    fields: FieldTable, given: Mapping[str, JSON], rules: Sequence[FieldRule] = ()
) -> tuple[tuple[Problem, str], ...]:
    """Return all problems of the settings, as data and as sentences without secrets.

    *rules* say which settings need a value together.
    """
    _, problems = Shape(fields, rules=tuple(rules)).interpret(given)
    return tuple((problem, setting_text(problem)) for problem in problems)
