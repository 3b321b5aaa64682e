"""The work limit of a check: steps of about a microsecond, counted instead of timed.

So a file has the same findings on every machine, and no check takes longer than a second.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from framework.linting.value_types import ANYTHING, Type
from framework.paths import JSON

MAX_STEPS: Final = 400_000
"""Maximum number of steps for one file."""

_VALUE: Final = 30
_TEMPLATES: Final = {"@jinja": 60, "@liquid": 20, "@template": 3}
_MARKS: Final = re.compile(r"\{[{%#]|\w+|[^\w\s]")


class BudgetExhausted(Exception):  # noqa: N818 - not an error: it ends a check and becomes an issue
    """No steps are left; the rest is not checked."""


class WorkBudget:
    """The remaining steps of a check."""

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self.left = steps
        self._paid: set[str] = set()

    def spend(self, steps: int) -> None:
        """Use steps; raises BudgetExhausted, now and on every later call, if too few are left."""
        self.left -= steps
        if self.left < 0:
            raise BudgetExhausted

    def spend_once(self, steps: int, text: str) -> None:
        """Use steps for work that is done only once per text."""
        self.spend(0 if text in self._paid else steps)
        self._paid.add(text)

    def affords(self, steps: int) -> bool:
        """Use steps if enough are left; return whether there are."""
        enough = steps <= self.left
        self.left -= steps if enough else 0
        return enough

    def compile(self, raw: JSON) -> None:
        """Use the steps for compiling a part of a mapping."""
        waiting: list[tuple[JSON, int]] = [(raw, 0)]
        while waiting:
            value, weight = waiting.pop()
            self.spend(_VALUE)
            if isinstance(value, str):
                self.spend(len(value) // 50)
                self.spend(weight * len(_MARKS.findall(value)) if weight else 0)
            elif isinstance(value, dict):
                waiting += [(item, _TEMPLATES.get(key, 0)) for key, item in value.items()]
            elif isinstance(value, list):
                waiting += [(item, 0) for item in value]

    def visit(self, *types: Type | None) -> None:
        """Use the steps for traversing types."""
        waiting = list(types)
        while waiting:
            found = waiting.pop()
            if found is None or found is ANYTHING:
                continue
            self.spend(3 + len(found.values))
            waiting.append(found.items)
            if found.members is not None:
                waiting += [*found.members.known.values(), found.members.rest]

    def compare(self, name: str, known: Iterable[str]) -> None:
        """Use the steps for finding the most similar name."""
        self.spend(20 + len(name) + 8 * len(list(known)))
