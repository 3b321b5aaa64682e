"""How much work a check may be: steps of about a microsecond, counted and not timed.

So the same file gives the same findings on every machine, and no file takes longer than a second.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from framework.linting.value_types import ANYTHING, Type
from framework.paths import JSON

MAX_STEPS: Final = 400_000
"""Steps of the check of one file."""

_VALUE: Final = 30
_TEMPLATES: Final = {"@jinja": 60, "@liquid": 20, "@template": 3}
_MARKS: Final = re.compile(r"\{[{%#]|\w+|[^\w\s]")


class BudgetExhausted(Exception):  # noqa: N818 - not an error: it ends a check, and is told
    """There are no steps left; what was to come is not checked."""


class WorkBudget:
    """The steps that a check may still take."""

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self.left = steps
        self._paid: set[str] = set()

    def spend(self, steps: int) -> None:
        """Take steps; raises Exhausted where there are not so many left, now and ever after."""
        self.left -= steps
        if self.left < 0:
            raise BudgetExhausted

    def spend_once(self, steps: int, text: str) -> None:
        """Take the steps of what is done once for a text, however often it comes."""
        self.spend(0 if text in self._paid else steps)
        self._paid.add(text)

    def affords(self, steps: int) -> bool:
        """Take steps if there are so many left; tell whether there are."""
        enough = steps <= self.left
        self.left -= steps if enough else 0
        return enough

    def compile(self, raw: JSON) -> None:
        """Take the steps of compiling a part of a mapping."""
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
        """Take the steps of walking over types and all that is in them."""
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
        """Take the steps of looking for the name that is most like another."""
        self.spend(20 + len(name) + 8 * len(list(known)))
