"""What values mean in a trigger: their kinds, their equality, and how they are written.

Where a question does not fit a value, the answer is None.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

from framework.numbers import number_text, plain
from framework.paths import MISSING

_DECIMAL: Final = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_RADIX: Final = re.compile(r"0(?:[xX][0-9a-fA-F]{1,255}|[oO][0-7]{1,255}|[bB][01]{1,255})")
_INFINITY: Final = re.compile(r"([-+]?)Infinity")


def is_null(value: Any) -> bool:
    """Tell whether *value* is null or missing: a trigger does not tell them apart."""
    return value is None or value is MISSING


def is_number(value: Any) -> bool:
    """Tell whether *value* is a number; true and false are not."""
    return type(value) is int or type(value) is float


def is_list(value: Any) -> bool:
    """Tell whether *value* is a list of an event or of a trigger."""
    return isinstance(value, (list, tuple))


def kind_of(value: Any) -> str:
    """Name the kind of a value: `string`, `number`, `list`, `bool`, `null` or `object`."""
    if is_null(value):
        return "null"
    if isinstance(value, bool):
        return "bool"
    if is_number(value):
        return "number"
    return "string" if isinstance(value, str) else "list" if is_list(value) else "object"


def same(left: Any, right: Any) -> bool:
    """Tell whether two values are of one kind and equal; lists are equal item by item."""
    if kind_of(left) != kind_of(right):
        return False
    if is_list(left):
        return len(left) == len(right) and all(map(same, left, right))
    return is_null(left) or bool(left == right)


def whole(number: float) -> float:
    """Give *number* as an integer where it is one: 20.0 is 20."""
    return int(number) if math.isfinite(number) and number == int(number) else number


def number_of(value: Any) -> float | None:
    """Read a value as JavaScript's `Number` reads it; None where that gives no number."""
    if isinstance(value, (bool, int, float)):
        return value + 0
    if not isinstance(value, str):
        return None
    text = value.strip()
    if _DECIMAL.fullmatch(text):
        return int(text) if text.isdigit() and len(text) < 16 else whole(float(text))
    if infinite := _INFINITY.fullmatch(text):
        return float(infinite[1] + "inf")
    if _RADIX.fullmatch(text):
        return int(text, 0)
    return None if text else 0


def plain_number(number: float) -> str:
    """Write a finite number without exponent, as a trigger spells it."""
    return str(number) if isinstance(number, int) else plain(number)


def text_of(value: Any) -> str | None:
    """Write a value as text: a number as JavaScript does, a list as JSON; null gives None."""
    if is_null(value):
        return None
    if isinstance(value, str):
        return value
    if is_number(value):
        return number_text(value)
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except (RecursionError, TypeError, ValueError):
        return None
