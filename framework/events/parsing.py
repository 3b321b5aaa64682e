"""Parsing one JSON text in the same way wherever an event is read.

What JavaScript accepts is accepted: lone surrogates (replaced by U+FFFD), repeated keys (the last
counts) and numbers outside the range of doubles. Integers of up to a few hundred digits stay
exact. `NaN` and `Infinity`, control characters in strings, and texts that are nested deeper than
`framework.nesting` allows are refused.
"""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

import msgspec

from framework.nesting import MAX_LEVELS, TOO_DEEP, is_too_deep
from framework.paths import JSON

BOM: Final = b"\xef\xbb\xbf"

_EXACT_DIGITS = 300
_decode = msgspec.json.Decoder(Any).decode


class NotJSONError(ValueError):
    """A text is not valid JSON; the message says that of a line, *reason* of anything."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The line {reason}")
        self.reason = reason


def parse(text: bytes, levels: int = MAX_LEVELS) -> JSON:
    """Return the JSON value in *text*, nested at most *levels* deep; raises NotJSONError."""
    if is_too_deep(text, levels):
        raise NotJSONError(f"is {TOO_DEEP}.")
    try:
        return _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _parse_leniently(text)


def is_blank(line: bytes) -> bool:
    """Return whether a line holds nothing but white space."""
    return not line.removeprefix(BOM).strip()


def _parse_leniently(line: bytes) -> JSON:
    try:
        text = line.removeprefix(BOM).decode().strip(" \t\r\n")
        value, end = _lenient.raw_decode(text)
    except UnicodeDecodeError as error:
        raise NotJSONError(f"is not UTF-8 text (byte {error.start + 1}).") from None
    except json.JSONDecodeError as error:
        what = error.msg.removesuffix(" at").removesuffix(" starting").removesuffix(": ")
        reason = f"is not valid JSON: {what} (column {error.colno})."
        raise NotJSONError(reason) from None
    except _NotANumberError as error:
        raise NotJSONError(f"is not valid JSON: `{error}` is not a number.") from None
    if rest := text[end:].strip(" \t\r\n"):
        raise NotJSONError(_glued(rest, len(text) - len(text[end:].lstrip(" \t\r\n"))))
    return _well_formed(value)


def _glued(rest: str, column: int) -> str:
    """Return why a line with *rest* after its first value is refused."""
    reason = f"is not valid JSON: Extra data (column {column + 1})."
    if rest.startswith(("{", "[")):
        return f"{reason} It holds several objects; write each on a line of its own."
    return f"{reason} Remove the comma after the object." if rest == "," else reason


class _NotANumberError(ValueError):
    """`NaN` or `Infinity`, which Python's parser accepts and JSON does not allow."""


def _refuse(constant: str) -> NoReturn:
    raise _NotANumberError(constant)


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _EXACT_DIGITS else float(digits)


_lenient = json.JSONDecoder(parse_constant=_refuse, parse_int=_integer)


def _well_formed(value: Any) -> Any:
    """Replace lone surrogates, which UTF-8 cannot encode."""
    if isinstance(value, dict):
        return {_well_formed(key): _well_formed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_well_formed(item) for item in value]
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return value
