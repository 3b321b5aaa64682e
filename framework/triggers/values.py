"""Values in triggers: their kinds, equality and conversion to numbers and text.

Functions return None for values to which they do not apply.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

from framework.nesting import is_too_deep
from framework.numbers import number_text, plain
from framework.paths import MISSING

_DECIMAL: Final = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_RADIX: Final = re.compile(r"0(?:[xX][0-9a-fA-F]{1,255}|[oO][0-7]{1,255}|[bB][01]{1,255})")
_INFINITY: Final = re.compile(r"([-+]?)Infinity")


def is_null(value: Any) -> bool:
    """Return whether *value* is null or missing: triggers do not distinguish them."""
    return value is None or value is MISSING


def is_number(value: Any) -> bool:
    """Return whether *value* is a number; true and false are not."""
    return type(value) is int or type(value) is float


def is_list(value: Any) -> bool:
    """Return whether *value* is a list of an event or of a trigger."""
    return isinstance(value, (list, tuple))


def kind_of(value: Any) -> str:
    """Return the kind of a value: `string`, `number`, `list`, `bool`, `null` or `object`."""
    if is_null(value):
        return "null"
    if isinstance(value, bool):
        return "bool"
    if is_number(value):
        return "number"
    return "string" if isinstance(value, str) else "list" if is_list(value) else "object"


def same(left: Any, right: Any) -> bool:
    """Return whether two values have the same kind and are equal; lists compare item by item."""
    if kind_of(left) != kind_of(right):
        return False
    if is_list(left):
        return len(left) == len(right) and all(map(same, left, right))
    return is_null(left) or bool(left == right)


def whole(number: float) -> float:
    """Return *number* as an integer if it is one: 20 for 20.0."""
    return int(number) if math.isfinite(number) and number == int(number) else number


def number_of(value: Any) -> float | None:
    """Convert a value as JavaScript's `Number` does; None instead of NaN."""
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
    """Return a finite number as trigger text, without an exponent."""
    return str(number) if isinstance(number, int) else plain(number)


def text_of(value: Any) -> str | None:
    """Convert a value to text: numbers as in JavaScript, lists as JSON; None for null."""
    if is_null(value):
        return None
    if isinstance(value, str):
        return value
    if is_number(value):
        return number_text(value)
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except (RecursionError, TypeError, ValueError):
        return None
    return None if is_too_deep(text.encode("utf-8", "surrogatepass")) else text
