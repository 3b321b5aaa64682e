"""Numbers are formatted as in JavaScript."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.numbers import number_text


@pytest.mark.parametrize(
    ("number", "printed"),
    [
        (0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (-7, "-7"),
        (0.1, "0.1"),
        (0.30000000000000004, "0.30000000000000004"),
        (1e-6, "0.000001"),
        (1.5e-6, "0.0000015"),
        (-1.25e-5, "-0.0000125"),
        (1e-7, "1e-7"),
        (1.5e-10, "1.5e-10"),
        (1e16, "10000000000000000"),
        (123456789012345680000.0, "123456789012345680000"),
        (1e21, "1e+21"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (5e-324, "5e-324"),
        (12345678901234567890, "12345678901234567890"),
        (10**21, "1e+21"),
        (10**400, "Infinity"),
        (-(10**400), "-Infinity"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (math.nan, "NaN"),
    ],
)
def test_numbers(number: float, printed: str) -> None:
    """Integers keep their digits up to 1e21, also those that a double cannot hold."""
    assert number_text(number) == printed


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_can_be_read_again(number: float) -> None:
    assert float(number_text(number)) == number
