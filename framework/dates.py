"""Parsing dates as JavaScript's `Date` does.

`Date` parses the ISO format and falls back to a lenient parser of words and numbers. This is V8's
parser with the time zone UTC: it accepts the same strings and returns the same times.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

DAY: Final = 86_400_000
"""Milliseconds per day."""

_BLANKS: Final = "\t\n\v\f\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_LIMIT: Final = 8.64e15
_LONGEST: Final = 1_000
"""Maximum length of a date in characters."""

_TOKEN = re.compile(
    rf"(?P<number>[0-9]+)|(?P<symbol>[-:+.)])|(?P<word>[^\x00-@{_BLANKS}]+)|(?P<blank>[{_BLANKS}]+)"
    r"|(?P<other>\((?:[^()]|\([^()]*\))*\)?|.)",
    re.DOTALL,
)
_NAMES: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS: Final = {name: number for number, name in enumerate(_NAMES, 1)}
_ZONES: Final = {
    **dict.fromkeys(("utc", "ut", "gmt", "z"), 0),
    **dict(edt=-4, est=-5, cdt=-5, cst=-6, mdt=-6, mst=-7, pdt=-7, pst=-8),  # noqa: C408 - short
}
_HALVES: Final = {"am": 0, "pm": 12}


def read_date(text: str) -> float | None:
    """Return the time of *text* in milliseconds since 1970, or None for an invalid date."""
    return within(_DateReader(text).read()) if len(text) <= _LONGEST else None


def is_day(year: int, month: int, day: int) -> bool:
    """Return whether a day is in the calendar; *month* counts from 1."""
    return 1 <= month <= 12 and 1 <= day <= days(year, month, 1) - days(year, month - 1, 1)


def names_day(text: str) -> bool:
    """Return whether the day that a date names is in the calendar: `Date` takes February 30."""
    reader = _DateReader(text)
    return reader.read() is not None and is_day(*reader.year_month_day())


def within(moment: float | None) -> float | None:
    """Return *moment*, in milliseconds since 1970, or None outside the range of `Date`."""
    return moment if moment is not None and abs(moment) <= _LIMIT else None


def clock(hour: int, minute: int, second: int, millisecond: int) -> int:
    """Return a time of day in milliseconds."""
    return ((hour * 60 + minute) * 60 + second) * 1000 + millisecond


def days(year: int, month: int, day: int) -> int:
    """Return the days since 1970; *month* counts from 0, and all three may overflow."""
    year, month = year + month // 12, month % 12
    shifted = year - (month < 2)
    era, of_era = divmod(shifted, 400)
    of_year = (153 * ((month + 10) % 12) + 2) // 5
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year + day - 719_469


@dataclass(frozen=True, slots=True)
class _Token:
    """A token of a date: its kind (a group of the token pattern) and its text."""

    kind: str
    text: str

    def is_number(self, length: int, most: int, least: int = 0) -> bool:
        """Return whether this is a number of *length* digits from *least* to *most*."""
        return self.kind == "number" and len(self.text) == length and least <= self.value <= most

    def is_sign(self) -> bool:
        return self.text in {"+", "-"}

    @property
    def value(self) -> int:
        """The number; of long ones the first nine significant digits, as in V8."""
        return int(self.text.lstrip("0")[:9] or "0")

    @property
    def milliseconds(self) -> int:
        """The number as a fraction of a second."""
        return int(self.text[:3].ljust(3, "0"))


_END = _Token("end", "")


class _Invalid(Exception):  # noqa: N818 - never leaves this module
    """The text is not a date."""


@dataclass(slots=True)
class _Zone:
    """The time zone of a date being parsed: sign, hours and minutes, each None until parsed."""

    sign: int | None = None
    hour: int | None = None
    minute: int | None = None

    @property
    def is_utc(self) -> bool:
        return self.hour == 0 and self.minute == 0

    def expects(self, number: int) -> bool:
        return self.hour is not None and self.minute is None and number < 60

    def offset(self) -> int:
        """Return the offset in milliseconds; seconds overflow at 32 bits, the default is UTC."""
        seconds = ((self.hour or 0) * 3600 + (self.minute or 0) * 60) % 2**32
        if seconds >= 2**31:
            raise _Invalid
        return (self.sign or 0) * seconds * 1000


@dataclass(slots=True)
class _DateReader:
    """Parses one date as V8 does: the ISO format, or else leniently from left to right."""

    text: str
    tokens: list[_Token] = field(default_factory=list)
    day: list[int] = field(default_factory=list)
    month: int | None = None
    time: list[int] = field(default_factory=list)
    half: int | None = None
    zone: _Zone = field(default_factory=_Zone)
    iso: bool = False
    numbers: bool = False

    def read(self) -> int | None:
        """Return the time in milliseconds since 1970, or None for an invalid date."""
        found = [_Token(m.lastgroup or "", m.group().lower()) for m in _TOKEN.finditer(self.text)]
        self.tokens = found[::-1]
        try:
            token = self._read_iso()
            self.numbers = bool(self.day)
            while token is not _END:
                self._read_leniently(token)
                token = self._next()
            return self._date() + self._clock() - self.zone.offset()
        except _Invalid:
            return None

    def _peek(self) -> _Token:
        return self.tokens[-1] if self.tokens else _END

    def _next(self) -> _Token:
        return self.tokens.pop() if self.tokens else _END

    def _skips(self, symbol: str) -> bool:
        return self._peek().text == symbol and bool(self._next())

    def _take(self, most: int, least: int = 0) -> int:
        """Consume a number of two digits; raises _Invalid for anything else."""
        if not self._peek().is_number(2, most, least):
            raise _Invalid
        return self._next().value

    def _read_iso(self) -> _Token:
        """Parse the ISO format; return the token at which it ends, for the lenient parser."""
        if not self._read_iso_year():
            return self._next()
        for most in (12, 31):
            if not self._skips("-"):
                break
            if not self._peek().is_number(2, most, 1):
                return self._next()
            self.day.append(self._next().value)
        if self._peek().text == "t":
            self._read_iso_time()
        elif self._peek() is not _END:
            return self._next()
        self.iso = True
        return _END

    def _read_iso_year(self) -> bool:
        sign = self._peek()
        if sign.is_sign() and len(self.tokens) > 1 and self.tokens[-2].is_number(6, 999_999):
            year = int(sign.text + self.tokens[-2].text)
            if sign.text == "+" or year:
                del self.tokens[-2:]
                self.day.append(year)
                return True
        if sign.is_number(4, 9999):
            self.day.append(self._next().value)
            return True
        return False

    def _read_iso_time(self) -> None:
        self._next()
        hour = self._take(24)
        midnight = hour == 24
        self.time.append(hour)
        if not self._skips(":"):
            raise _Invalid
        self.time.append(self._take(0 if midnight else 59))
        if self._skips(":"):
            self.time.append(self._take(0 if midnight else 59))
            if self._skips("."):
                fraction = self._next()
                if fraction.kind != "number" or (midnight and fraction.value):
                    raise _Invalid
                self.time.append(fraction.milliseconds)
        self._read_iso_zone()
        if self._peek() is not _END:
            raise _Invalid

    def _read_iso_zone(self) -> None:
        if self._skips("z"):
            self.zone = _Zone(1, 0, 0)
        elif self._peek().is_sign():
            sign = -1 if self._next().text == "-" else 1
            if self._peek().kind == "number" and len(self._peek().text) == 4:
                hour, minute = divmod(self._next().value, 100)
                if hour > 23 or minute > 59:
                    raise _Invalid
            else:
                hour = self._take(23)
                if not self._skips(":"):
                    raise _Invalid
                minute = self._take(59)
            self.zone = _Zone(sign, hour, minute)

    def _read_leniently(self, token: _Token) -> None:
        if token.kind == "number":
            self.numbers = True
            self._read_number(token)
        elif token.kind == "word":
            self._read_word(token.text)
        elif token.is_sign() and (self.zone.is_utc or self.time):
            self._read_offset(-1 if token.text == "-" else 1)
        elif (token.is_sign() or token.text == ")") and self.numbers:
            raise _Invalid

    def _read_number(self, token: _Token) -> None:
        if self._skips(":"):
            if self._skips(":"):
                self._add_time(token.value, only_first=True)
                self._add_time(0)
            else:
                self._add_time(token.value)
                self._skips(".")
        elif self._skips(".") and self._expects_time(token.value):
            self._add_time(token.value)
            if self._peek().kind != "number":
                raise _Invalid
            self._add_time(self._next().milliseconds)
            self._fill_time()
        elif self.zone.expects(token.value):
            self.zone.minute = token.value
        elif self._expects_time(token.value):
            self._add_time(token.value)
            self._fill_time()
            after = self._peek()
            if not (after is _END or after.kind == "blank" or after.text == "z" or after.is_sign()):
                raise _Invalid
        else:
            self._add_day(token.value)

    def _read_word(self, word: str) -> None:
        if word in _HALVES and self.time:
            self.half = _HALVES[word]
        elif word[:3] in _MONTHS:
            self.month = _MONTHS[word[:3]]
            self._skips("-")
        elif word in _ZONES and self.numbers:
            hours = _ZONES[word]
            self.zone = _Zone(-1 if hours < 0 else 1, abs(hours), 0)
        elif self.numbers or self._peek().kind == "number":
            raise _Invalid

    def _read_offset(self, sign: int) -> None:
        digits = self._next() if self._peek().kind == "number" else _Token("number", "")
        self.numbers = True
        number, length = digits.value, len(digits.text)
        if self._peek().text == ":":
            self.zone = _Zone(sign, number, None)
        elif length in {1, 2}:
            self.zone = _Zone(sign, number, 0)
        elif length in {3, 4}:
            self.zone = _Zone(sign, number // 100, number % 100)
        else:
            raise _Invalid

    def _expects_time(self, number: int) -> bool:
        read = len(self.time)
        return (read in {1, 2} and number < 60) or (read == 3 and number < 1000)

    def _add_time(self, number: int, *, only_first: bool = False) -> None:
        if len(self.time) == 4 or (only_first and self.time):
            raise _Invalid
        self.time.append(number)

    def _fill_time(self) -> None:
        self.time += [0] * (4 - len(self.time))

    def _add_day(self, number: int) -> None:
        if len(self.day) == 3:
            raise _Invalid
        self.day.append(number)
        self._skips("-")

    def _date(self) -> int:
        if not self.day:
            raise _Invalid
        year, month, day = self.year_month_day()
        if not self.iso and 0 <= year < 100:
            year += 2000 if year < 50 else 1900
        if not (1 <= month <= 12 and 1 <= day <= 31):
            raise _Invalid
        return days(year, month - 1, day) * DAY

    def year_month_day(self) -> tuple[int, int, int]:
        """Return the parts of the day in order; missing ones are 1 (so the year is 2001)."""
        first, second, third = (*self.day, *[1] * (3 - len(self.day)))
        year_first = not 1 <= first <= 31
        if self.month is None:
            return (first, second, third) if self.iso or year_first else (third, first, second)
        return (first, self.month, second) if year_first else (second, self.month, first)

    def _clock(self) -> int:
        hour, minute, second, millisecond = (*self.time, *[0] * (4 - len(self.time)))
        if self.half is not None:
            if hour > 12:
                raise _Invalid
            hour = hour % 12 + self.half
        midnight = hour == 24 and not (minute or second or millisecond)
        if not midnight and (hour > 23 or minute > 59 or second > 59 or millisecond > 999):
            raise _Invalid
        return clock(hour, minute, second, millisecond)
