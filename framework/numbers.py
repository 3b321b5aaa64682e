"""Numbers formatted as in JavaScript, on which saved mappings and triggers rely."""

from __future__ import annotations

import math


def number_text(value: float) -> str:
    """Return *value* as text: whole numbers without a fraction, exponents from 1e21 and below 1e-6.

    Integers below 1e21 keep all their digits, also those that a double cannot hold.
    """
    if isinstance(value, int):
        if -(10**21) < value < 10**21:
            return str(value)
        value = as_float(value)
    if value == 0:
        return "0"
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if 1e-6 <= abs(value) < 1e21:
        text = plain(value)
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, _, exponent = repr(value).partition("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent):+d}"


def plain(value: float) -> str:
    """Return a finite float as text with all its digits and without an exponent."""
    text = repr(value)
    if "e" not in text:
        return text
    from decimal import Decimal  # noqa: PLC0415 - seldom needed

    return format(Decimal(text), "f")


def as_float(value: float) -> float:
    """Return a number as a double: infinite where it is too large for one."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
