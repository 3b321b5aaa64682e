"""Convert raw values to a field's type, with one pure function for each type.

The rules are those of Segment's validator, ajv 8 with `coerceTypes: "array"`: strings, numbers
and booleans are converted into each other if the conversion is lossless, null becomes the type's
empty value, and a list of one item counts as its item. Each function returns REFUSED for values
that cannot be converted. Generated code calls these functions only for values of other types.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, final

from framework.definition.fields import STRING_TYPES, Field
from framework.numbers import number_text
from framework.paths import JSON

BLANKS: Final = "\t\n\v\f\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
"""JavaScript's white space, as the contents of a character class."""

_DECIMAL = re.compile(r"[+-]?(?:[0-9]++\.?[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"[+-]?[0-9]{1,400}")
_ENDS = BLANKS.replace("\u2000-\u200a", "".join(map(chr, range(0x2000, 0x200B))))
_BASED = re.compile(r"0(?:[xX]([0-9a-fA-F]+)|[oO]([0-7]+)|[bB]([01]+))")


@final
class Refused:
    """The type of REFUSED."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "REFUSED"


REFUSED: Final = Refused()
"""Marks a value that cannot be converted to the field's type."""

Coercer: TypeAlias = Callable[[Any], Any]


def to_string(value: JSON) -> str | Refused:
    """Return a string: numbers and booleans as JavaScript prints them, null as the empty string."""
    value = unwrap(value)
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return number_text(value) if isinstance(value, int | float) else REFUSED


def to_number(value: JSON) -> float | Refused:
    """Return a number: strings in JavaScript's notation, 1 and 0 for booleans, 0 for null.

    A float without a fraction becomes an integer, so that it is sent without one.
    """
    value = unwrap(value)
    if isinstance(value, str):
        return _number_of(value)
    if value is None or isinstance(value, bool):
        return int(value or 0)
    if isinstance(value, float):
        return _tidy(value)
    return value if isinstance(value, int) else REFUSED


def to_integer(value: JSON) -> int | Refused:
    """Return an integer: the result of `to_number` if it has no fraction."""
    number = to_number(value)
    if isinstance(number, float) and number.is_integer():
        return int(number)
    return number if isinstance(number, int) else REFUSED


def to_boolean(value: JSON) -> bool | Refused:
    """Return a boolean, from the strings `true` and `false`, from 1 and 0, and false for null."""
    value = unwrap(value)
    if isinstance(value, bool):
        return value
    for boolean, others in ((False, (None, "false", 0)), (True, ("true", 1))):
        if value in others:
            return boolean
    return REFUSED


def to_datetime(value: JSON) -> str | float | Refused:
    """Return a string or a number; a format check decides whether a string is a date.

    The number in a list of one item becomes a string, as in Segment's implementation.
    """
    if isinstance(value, float):
        return _tidy(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return to_string(value)


def to_object(value: JSON) -> dict[str, Any] | Refused:
    """Return an object unchanged; other values are never converted to objects."""
    return value if isinstance(value, dict) else REFUSED


def coercer_of(field: Field) -> Coercer:
    """Return the conversion of one value of a field, or of one item if the field is multiple."""
    if not field.nullable or field.multiple:
        return _PLAIN[field.type]
    if field.properties is not None and field.type == "object":
        return _or_null(to_object)
    return _NULLABLE[field.type]


def _or_null(coerce: Coercer) -> Coercer:
    return lambda value: None if value is None else coerce(value)


def _nullable_text(coerce: Coercer) -> Coercer:
    return lambda value: None if value is None or value == [""] else coerce(value)


def _nullable_blanks(coerce: Coercer) -> Coercer:
    def to_nullable(value: JSON) -> Any:
        if value is None:
            return None
        coerced = coerce(value)
        return None if coerced is REFUSED and _is_blank(unwrap(value)) else coerced

    return to_nullable


def _is_blank(value: JSON) -> bool:
    return value in ("", 0, False) and not isinstance(value, dict | list)


_PLAIN: Mapping[str, Coercer] = {
    **dict.fromkeys(STRING_TYPES, to_string),
    "number": to_number,
    "integer": to_integer,
    "boolean": to_boolean,
    "datetime": to_datetime,
    "object": to_object,
}
_NULLABLE: Mapping[str, Coercer] = {
    **dict.fromkeys(STRING_TYPES, _nullable_text(to_string)),
    "number": _nullable_blanks(to_number),
    "integer": _nullable_blanks(to_integer),
    "boolean": _nullable_blanks(to_boolean),
    "datetime": _nullable_text(to_datetime),
    "object": _nullable_blanks(to_object),
}


def unwrap(value: JSON) -> JSON:
    """Return the item of a list of one item, or any other value unchanged."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def equal_json(left: JSON, right: JSON) -> bool:
    """Return whether two JSON values are equal: 1 and 1.0 are, 1 and true are not."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(
            equal_json(left[key], right[key]) for key in left
        )
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal_json, left, right))
    return bool(left == right) and isinstance(left, bool) is isinstance(right, bool)


def _number_of(text: str) -> float | Refused:
    text = text.strip(_ENDS) if text else " x"
    if not text:
        return 0
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return _tidy(float(text))
    based = _BASED.fullmatch(text)
    if based is None:
        return REFUSED
    digits, base = next((d, b) for d, b in zip(based.groups(), (16, 8, 2), strict=True) if d)
    return int(digits, base) if len(digits) <= 1024 // (base.bit_length() - 1) else REFUSED


def _tidy(value: float) -> float | Refused:
    if not math.isfinite(value):
        return REFUSED
    return int(value) if value.is_integer() and abs(value) < 1e21 else value
