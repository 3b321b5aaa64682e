"""Phone numbers in one form, E.164: a plus sign, the country code, and the national number."""

from __future__ import annotations

import re
import unicodedata

from framework.normalize.rules import Unusable

NOT_A_NUMBER = Unusable("is not a phone number")
"""The reason for a text with anything but digits, separators and parentheses."""

_SEPARATORS = frozenset(" -./\t\u2212\uff0d\uff0e\uff0f\u30fc")
_INVISIBLE = frozenset({"Cf", "Mn"})
_SPACES_AND_DASHES = frozenset({"Zs", "Pd"})
_GROUPED = re.compile(r"\((\+?[0-9]+)\)")
_is_number = re.compile(r"\+?[0-9]+").fullmatch
_COUNTRY_CODE = re.compile(
    "1|7|2(?:0|7|[1-689][0-9])|3(?:[0-469]|[578][0-9])|4(?:[013-9]|2[0-9])|5(?:[1-8]|[09][0-9])"
    "|6(?:[0-6]|[7-9][0-9])|8(?:[1246]|[035789][0-9])|9(?:[0-58]|[679][0-9])"
)
_KEEPS_ZERO = frozenset({"39", "225", "226", "227", "229", "241", "242", "378", "853"})
_SHORTEST, _LONGEST = 7, 15
_COUNTING = "12345678901234567890"
_same_digits = re.compile(r"([0-9])\1{5,}").fullmatch


def read_e164(text: str) -> str | Unusable:
    """Return a phone number in E.164, or the reason why its number cannot be known.

    Spaces, hyphens, dots, slashes and parentheses are removed, `00` stands for the plus sign, and a
    zero that is dialed only within a country is removed behind the country code.
    """
    plain = _plain(text)
    if plain is None:
        return NOT_A_NUMBER
    if plain.startswith("00"):
        plain = f"+{plain[2:]}"
    if not plain.startswith("+"):
        return Unusable("has no country code, so it may belong to several people")
    return _read_digits(plain[1:])


def _read_digits(digits: str) -> str | Unusable:
    code = _COUNTRY_CODE.match(digits)
    if code is None:
        return Unusable("has a country code that does not exist")
    national = digits[code.end() :]
    keeps_zero = code[0] in _KEEPS_ZERO
    number = code[0] + (national if keeps_zero else national.removeprefix("0"))
    if _same_digits(number[code.end() :]) or _same_digits(number) or _COUNTING.startswith(number):
        return Unusable("is a placeholder")
    if not keeps_zero and national.startswith("00"):
        return Unusable("begins with zeros behind the country code")
    if not _SHORTEST <= len(number) <= _LONGEST:
        return Unusable(f"has {len(number)} digits instead of {_SHORTEST} to {_LONGEST}")
    return f"+{number}"


def _plain(text: str) -> str | None:
    """Return ASCII digits with what precedes them, `+` or nothing; None for any other text."""
    kept: list[str] = []
    for char in text:
        category = unicodedata.category(char)
        if char in _SEPARATORS or category in _SPACES_AND_DASHES or category in _INVISIBLE:
            continue
        digit = unicodedata.decimal(char, None)
        kept.append(unicodedata.normalize("NFKC", char) if digit is None else str(digit))
    written = _GROUPED.sub(r"\1", "".join(kept))
    return written if _is_number(written) else None
