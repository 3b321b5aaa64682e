"""What all template languages have in common: a compiled form, a refusal, a budget."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from framework.paths import Path

MAX_SECONDS: Final = 0.5
"""Time that one rendering may take; the reference's limit."""

MAX_WORK: Final = 5_000_000
"""Characters and list items that one rendering may handle."""


class TemplateError(Exception):
    """A template that does not parse, or that cannot be rendered for a value; the text says why."""


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template: what it reads of its input, and how it is filled in.

    *render* gets the value of each of *paths*, in order, and raises TemplateError.
    """

    paths: tuple[Path, ...]
    render: Callable[..., str]


@dataclass(slots=True)
class RenderBudget:
    """What one rendering may still use of time and memory."""

    left: int = MAX_WORK
    deadline: float = field(default_factory=lambda: time.monotonic() + MAX_SECONDS)

    def use(self, count: int) -> None:
        """Take *count* characters or items; raises TemplateError when there is too much to do."""
        self.left -= count + 1
        if self.left < 0:
            raise TemplateError(f"handles more than {MAX_WORK:,} characters and items")
        if time.monotonic() > self.deadline:
            raise TemplateError(f"takes longer than {MAX_SECONDS} seconds")


def size_of(value: Any) -> int:
    """Give the number of characters of a text or items of a list or object."""
    return len(value) if isinstance(value, (str, list, dict)) else 1
