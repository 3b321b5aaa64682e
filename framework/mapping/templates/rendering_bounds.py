"""What all template languages share: the compiled form, the error and the budget."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from framework.paths import Path

MAX_SECONDS: Final = 0.5
"""Time limit of one rendering; the same as Segment's."""

MAX_WORK: Final = 5_000_000
"""Characters and list items that one rendering may process."""


class TemplateError(Exception):
    """A template does not parse or cannot be rendered for a value; the text says why."""


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template: the paths that it reads, and the function that renders it.

    *render* takes the value of each of *paths*, in order, and raises TemplateError.
    """

    paths: tuple[Path, ...]
    render: Callable[..., str]


@dataclass(slots=True)
class RenderBudget:
    """The remaining work and the deadline of one rendering."""

    left: int = MAX_WORK
    deadline: float = field(default_factory=lambda: time.monotonic() + MAX_SECONDS)

    def use(self, count: int) -> None:
        """Use *count* characters or items; raises TemplateError when the budget is exhausted."""
        self.left -= count + 1
        if self.left < 0:
            raise TemplateError(f"processes more than {MAX_WORK:,} characters and items")
        if time.monotonic() > self.deadline:
            raise TemplateError(f"takes longer than {MAX_SECONDS} seconds")


def nested_too_deeply() -> TemplateError:
    """Return the error for a value with more levels than a template enters."""
    return TemplateError("got a value that is nested too deeply")


def size_of(value: Any) -> int:
    """Return the number of characters of a string or items of a list or object."""
    return len(value) if isinstance(value, (str, list, dict)) else 1
