"""What the operators and functions of triggers compute.

Each returns None for values to which it does not apply, and none raises.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from framework.triggers.globs import glob
from framework.triggers.values import is_list, is_null, is_number, kind_of, number_of, same


def equal(left: Any, right: Any) -> bool | None:
    """Compare strictly; a value that is not a number is neither equal to a number nor different."""
    if is_number(right) and not is_number(left):
        return None
    return same(left, right)


def different(left: Any, right: Any) -> bool | None:
    """Compare as `equal` does, negated."""
    found = equal(left, right)
    return None if found is None else not found


def member(left: Any, right: Any) -> bool | None:
    """Look a value up in a list of the trigger (a tuple) or of the event (a list)."""
    if isinstance(right, list) and kind_of(left) in {"list", "object"}:
        return None
    return any(same(left, item) for item in right) if is_list(right) else None


def ordered(test: Callable[[float, float], bool]) -> Callable[[Any, Any], bool | None]:
    """Compare a number with a value that converts to one."""

    def apply(left: Any, right: Any) -> bool | None:
        limit = number_of(right)
        return test(left, limit) if is_number(left) and limit is not None else None

    return apply


def on_string(function: Callable[[str], Any]) -> Callable[[Any], Any]:
    """Apply a function to strings; return null for other values."""
    return lambda value: function(value) if isinstance(value, str) else None


def contains(value: Any, part: Any) -> bool | None:
    """Return whether a string contains another."""
    return part in value if isinstance(value, str) and isinstance(part, str) else None


def matches_glob(value: Any, pattern: Any) -> bool | None:
    """Return whether a pattern matches a whole string."""
    return glob(pattern).matches(value) if isinstance(value, str) else None


def length(value: Any) -> int | None:
    """Return the bytes of a string in UTF-8 or the items of a list; 0 for null."""
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    return 0 if is_null(value) else len(value) if is_list(value) else None


def title_case(text: str) -> str:
    """Capitalize the first letter of each word."""
    return re.sub(r"(?:^|(?<=\s))\S", lambda first: first[0].upper(), text)


def to_bool(value: Any) -> bool:
    """Convert a value: null, 0, an empty list, and empty, `false` and `0` strings are false."""
    if isinstance(value, str):
        return value.strip().lower() not in {"", "0", "false"}
    return not is_null(value) and (isinstance(value, dict) or bool(value))


def to_number(value: Any) -> float | None:
    """Convert a string to a number; None for values that are not numbers."""
    if isinstance(value, str):
        return number_of(value) if value.strip() else None
    return value if is_number(value) else None
