"""Numbers as JavaScript writes them, which saved mappings and triggers rely on."""

from __future__ import annotations

import math
from decimal import Decimal


def number_text(value: float) -> str:
    """Print a number: whole numbers without a fraction, exponents from 1e21 up and below 1e-6.

    Integers below 1e21 keep all their digits, also those that a double cannot hold.
    """
    if isinstance(value, int):
        if -(10**21) < value < 10**21:
            return str(value)
        value = _as_float(value)
    if value == 0:
        return "0"
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if 1e-6 <= abs(value) < 1e21:
        text = format(Decimal(repr(value)), "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, _, exponent = repr(value).partition("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent):+d}"


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
