"""How JavaScript prints, converts and encodes JSON values; saved mappings rely on it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from json.encoder import encode_basestring
from typing import Any, Final

from framework.nesting import MAX_LEVELS, is_too_deep
from framework.numbers import as_float, number_text
from framework.paths import JSON, MISSING

MAX_TEXT: Final = 1_000_000
"""Characters of the longest string that a directive produces."""

MAX_NESTING: Final = MAX_LEVELS
"""Levels of lists and objects that a directive enters."""

BLANKS: Final = (
    "\t\n\v\f\r \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
"""The characters that `trim` removes from the ends of a string."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")


class TooMuch(Exception):  # noqa: N818 - says what is wrong with the value, not with the program
    """A value is longer or deeper than a directive accepts; the text says which."""


def too_long() -> TooMuch:
    """Return the error for a string that would be too long."""
    return TooMuch(f"would produce more than {MAX_TEXT:,} characters")


def too_deep() -> TooMuch:
    """Return the error for a value that is nested too deeply."""
    return TooMuch(f"got a value nested more than {MAX_NESTING} levels deep")


def kind_of(value: JSON) -> str:
    """Return the name of a value's type as messages use it; `undefined` for MISSING."""
    if value is MISSING:
        return "undefined"
    if value is None:
        return "null"
    return _KINDS.get(type(value), "object")


_KINDS = {
    str: "string",
    bool: "boolean",
    int: "number",
    float: "number",
    list: "array",
    dict: "object",
}


def is_truthy(value: JSON) -> bool:
    """Return whether a condition on the value holds: empty lists and objects are true."""
    return bool(value) or isinstance(value, (list, dict))


def is_filled(value: JSON) -> bool:
    """Return whether the value is neither missing nor null nor loosely equal to the empty string.

    Loosely equal are 0, false and the lists that print as nothing.
    """
    printed = isinstance(value, list)
    while isinstance(value, list):
        if len(value) != 1:
            return bool(value)
        value = value[0]
    return isinstance(value, dict) or (scalar_text(value) != "" if printed else bool(value))


def length(value: str) -> int:
    """Return the number of UTF-16 units of a string."""
    return len(value) if value.isascii() else len(value) + len(_ASTRAL.findall(value))


def text(value: JSON) -> str:
    """Print a value: objects as `[object Object]`, lists joined by commas, nothing for null."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return _joined(value)
    return scalar_text(value)


def scalar_text(value: JSON) -> str:
    """Print anything but a list: nothing for null and MISSING."""
    if isinstance(value, str):
        return value
    if value is None or value is MISSING:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "[object Object]" if isinstance(value, dict) else number_text(value)


def _joined(items: list[JSON]) -> str:
    pieces: list[str] = []
    budget = _Budget()

    def visit(items: list[JSON], depth: int) -> None:
        if depth > MAX_NESTING:
            raise too_deep()
        for index, item in enumerate(items):
            if index:
                pieces.append(",")
            if isinstance(item, list):
                visit(item, depth + 1)
            else:
                pieces.append(scalar_text(item))
            budget.spend(len(pieces[-1]) + 1 if pieces else 1)

    visit(items, 1)
    return "".join(pieces)


_NUMBER = re.compile(r"([-+]?(([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|Infinity))?")


def to_number(value: JSON) -> float:
    """Convert a value to a number, as operators do; NaN if it is not numeric."""
    if isinstance(value, (str, list)):
        digits = text(value).strip(BLANKS)
        return float(digits or 0) if _NUMBER.fullmatch(digits) else math.nan
    if isinstance(value, (int, float)):
        return as_float(value)
    return 0 if value is None else math.nan


def compare(operator: Callable[[Any, Any], bool], left: JSON, right: JSON) -> bool:
    """Apply an ordering operator: two strings are compared as strings, anything else as numbers."""
    if isinstance(left, str) and isinstance(right, str):
        return operator(left, right)
    return operator(to_number(left), to_number(right))


class _Budget:
    """Counts characters as they are produced; raises TooMuch beyond the limit."""

    def __init__(self) -> None:
        self._left = MAX_TEXT

    def spend(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise too_long()


def encode(value: JSON, *, indent: str = "") -> str:
    """Return a value as JSON text: compact, integer-like keys first, characters not escaped.

    Values that JSON cannot represent become null; objects leave out MISSING. With *indent*, each
    key and item is on a line of its own, and *indent* is repeated for each level.
    """
    pieces: list[str] = []
    budget = _Budget()

    def write(piece: str) -> None:
        budget.spend(len(piece))
        pieces.append(piece)

    _write(value, write, indent, 1)
    return "".join(pieces)


def _write(value: JSON, write: Callable[[str], None], indent: str, depth: int) -> None:
    if isinstance(value, (list, dict)):
        if depth > MAX_NESTING:
            raise too_deep()
        _write_all(value, write, indent, depth)
    else:
        write(_scalar_json(value))


def _scalar_json(value: JSON) -> str:
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            raise too_long()
        quoted: str = encode_basestring(value)
        return _LONE_SURROGATE.sub(lambda found: f"\\u{ord(found.group()):04x}", quoted)
    if value is None or value is MISSING or (isinstance(value, float) and not math.isfinite(value)):
        return "null"
    return scalar_text(value)


def _write_all(
    value: list[JSON] | dict[str, JSON], write: Callable[[str], None], indent: str, depth: int
) -> None:
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    lead = "\n" + indent * depth if indent else ""
    write(opening)
    between = lead
    for key, item in _entries(value):
        write(between)
        if key is not None:
            write(_scalar_json(key) + (": " if indent else ":"))
        _write(item, write, indent, depth + 1)
        between = "," + lead
    if indent and between != lead:
        write("\n" + indent * (depth - 1))
    write(closing)


def _entries(value: list[JSON] | dict[str, JSON]) -> list[tuple[str | None, JSON]]:
    if isinstance(value, list):
        return [(None, item) for item in value]
    return [(key, value[key]) for key in ordered_keys(value) if value[key] is not MISSING]


def ordered_keys(value: dict[str, Any]) -> list[str]:
    """Return the keys in JavaScript's order: integer-like ones first, ascending."""
    indexes = [key for key in value if key[:1].isdecimal() and _is_index(key)]
    if not indexes:
        return list(value)
    first = set(indexes)
    return [*sorted(indexes, key=int), *(key for key in value if key not in first)]


def _is_index(key: str) -> bool:
    if not (key.isdecimal() and key.isascii() and len(key) < 11):
        return False
    return (key == "0" or key[0] != "0") and int(key) < 2**32 - 1


def decode(value: str) -> JSON:
    """Return the value of JSON text; MISSING if it is not valid JSON."""
    if is_too_deep(value.encode("utf-8", "surrogatepass"), MAX_NESTING):
        raise too_deep()
    try:
        return json.loads(value, parse_constant=_refuse_constant, parse_float=_finite)
    except ValueError:
        return MISSING


def _refuse_constant(name: str) -> JSON:
    raise ValueError(name)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(digits)
    return number
