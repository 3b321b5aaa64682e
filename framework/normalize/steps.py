"""The steps of which rules are made; each describes itself in words, for the documentation."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Callable
from datetime import date
from typing import Final, TypeAlias

from framework.normalize.e164 import read_e164
from framework.normalize.rules import Step, Unusable

_Apply: TypeAlias = Callable[[str], str | Unusable]

_NOT_TRIMMED_BY_PYTHON: Final = "\ufeff\u200b"
_is_address = re.compile(r"[^\s@\x00-\x1f\x7f]+@(?:[^\s@.\x00-\x1f\x7f]+\.)+[^\s@.\x00-\x1f\x7f]+")
_ASCII_LOWER: Final = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_PUNCTUATION: Final = frozenset(string.punctuation)
_GMAIL: Final = frozenset({"gmail.com", "googlemail.com"})
_YEAR_FIRST = re.compile(r"([0-9]{4})[-/. ]([0-9]{1,2})[-/. ]([0-9]{1,2})(?:[T ].*)?", re.DOTALL)
_YEAR_LAST = re.compile(r"([0-9]{1,2})[-/. ]([0-9]{1,2})[-/. ]([0-9]{4})")
_COMPACT = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_ZIP_PLUS_FOUR = re.compile(r"([0-9]{5})-?[0-9]{4}")
_GENDERS: Final = {"f": "f", "female": "f", "m": "m", "male": "m"}
_NON_BINARY: Final = {"n": "n", "non-binary": "n", "nonbinary": "n"}
_STATES_AND_CODES: Final = (
    "alabama=al alaska=ak arizona=az arkansas=ar california=ca colorado=co connecticut=ct "
    "delaware=de districtofcolumbia=dc florida=fl georgia=ga hawaii=hi idaho=id illinois=il "
    "indiana=in iowa=ia kansas=ks kentucky=ky louisiana=la maine=me maryland=md massachusetts=ma "
    "michigan=mi minnesota=mn mississippi=ms missouri=mo montana=mt nebraska=ne nevada=nv "
    "newhampshire=nh newjersey=nj newmexico=nm newyork=ny northcarolina=nc northdakota=nd ohio=oh "
    "oklahoma=ok oregon=or pennsylvania=pa rhodeisland=ri southcarolina=sc southdakota=sd "
    "tennessee=tn texas=tx utah=ut vermont=vt virginia=va washington=wa westvirginia=wv "
    "wisconsin=wi wyoming=wy"
)
_STATES: Final = dict(pair.split("=") for pair in _STATES_AND_CODES.split())


def _trimmed(text: str) -> str:
    while text != (cut := text.strip().strip(_NOT_TRIMMED_BY_PYTHON)):
        text = cut
    return text


def _is_punctuation(char: str) -> bool:
    return char in _PUNCTUATION or unicodedata.category(char).startswith("P")


def _without_punctuation(text: str) -> str:
    return _trimmed("".join(char for char in text if not _is_punctuation(char)))


def _letters_and_digits(text: str) -> str:
    return "".join(char for char in text if unicodedata.category(char)[0] in "LMN")


def _without_accents(text: str) -> str:
    apart = unicodedata.normalize("NFD", text)
    kept = "".join(char for char in apart if unicodedata.category(char) != "Mn")
    return unicodedata.normalize("NFC", kept)


def _address(text: str) -> str | Unusable:
    if _is_address.fullmatch(text):
        return text
    return Unusable("is not of the form name@domain")


def _in_username(change: Callable[[str], str], domains: frozenset[str] | None = None) -> _Apply:
    """Return a step's function that changes what precedes the @, maybe of these domains only."""

    def apply(text: str) -> str | Unusable:
        username, _, domain = text.rpartition("@")
        if domains is not None and domain not in domains:
            return text
        changed = change(username)
        return f"{changed}@{domain}" if changed else Unusable("has no name before the @")

    return apply


def _canonical_username(username: str) -> str:
    return username.partition("+")[0].replace(".", "")


def _matching(pattern: str, otherwise: str) -> _Apply:
    matches = re.compile(pattern).fullmatch
    return lambda text: text if matches(text) else Unusable(otherwise)


def _first_five(text: str) -> str:
    found = _ZIP_PLUS_FOUR.fullmatch(text)
    return found[1] if found else text


def _looked_up(words: dict[str, str]) -> _Apply:
    accepted = f"is none of {', '.join(words)}"
    return lambda text: words.get(text) or Unusable(accepted)


def _birthday(text: str) -> str | Unusable:
    """Return YYYYMMDD; day and month of a date that ends with the year must be unmistakable."""
    found = _COMPACT.fullmatch(text) or _YEAR_FIRST.fullmatch(text)
    if found is not None:
        year, month, day = map(int, found.groups())
    elif (found := _YEAR_LAST.fullmatch(text)) is not None:
        first, second, year = map(int, found.groups())
        if first <= 12 and second <= 12 and first != second:
            return Unusable("has a day and a month that could be exchanged; begin with the year")
        day, month = max(first, second), min(first, second)
    else:
        return Unusable("is not a date such as 1997-02-16")
    try:
        known = date(year, month, day)
    except ValueError:
        return Unusable("is a day that does not exist")
    return known.strftime("%Y%m%d") if year >= 1900 else Unusable("is before 1900")


TRIM = Step("trim", _trimmed)
LOWER = Step("lower case", str.lower)
ASCII_LOWER = Step("A-Z in lower case", lambda text: text.translate(_ASCII_LOWER))
UPPER = Step("upper case", str.upper)
NO_SPACES = Step("no white space", lambda text: "".join(_trimmed(text).split()))
NO_PUNCTUATION = Step("no punctuation", _without_punctuation)
LETTERS_AND_DIGITS = Step("letters and digits only, accents kept", _letters_and_digits)
NO_ACCENTS = Step("no accents", _without_accents)
ADDRESS = Step("must be name@domain", _address)
GMAIL_CANONICAL = Step(
    "before @gmail.com and @googlemail.com: no dots, nothing from + on",
    _in_username(_canonical_username, _GMAIL),
)
GMAIL_ONLY_CANONICAL = Step(
    "before @gmail.com: no dots, nothing from + on",
    _in_username(_canonical_username, frozenset({"gmail.com"})),
)
CANONICAL = Step(
    "before the @ of every domain: no dots, nothing from + on", _in_username(_canonical_username)
)
ALPHANUMERIC_USERNAME = Step(
    "before the @ of every domain: nothing from + on, a-z and 0-9 only",
    _in_username(lambda name: re.sub("[^a-z0-9]", "", name.partition("+")[0])),
)
NO_PLUS_SIGN = Step("without the +", lambda text: text.removeprefix("+"))
STATE_CODES = Step("names of US states as their two letters", lambda text: _STATES.get(text, text))
E164 = Step("E.164: + and country code, which must be given", read_e164)
GENDER = Step("f or m", _looked_up(_GENDERS))
GENDER_OR_NON_BINARY = Step("f, m or n", _looked_up(_GENDERS | _NON_BINARY))
BIRTHDAY = Step("YYYYMMDD", _birthday)
COUNTRY = Step("two letters", _matching("[A-Za-z]{2}", "is not a code of two letters"))
STATE = Step("two letters", _matching("[a-z]{2}", "is not a code of two letters"))
ZIP_OF_FIVE = Step("of nine digits (a US ZIP+4) the first five", _first_five)
DIGITS = Step("must be digits", _matching("[0-9]+", "has characters that are not digits"))
