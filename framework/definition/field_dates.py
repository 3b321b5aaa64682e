"""Date strings, parsed as by dayjs.

Segment accepts a `datetime` string if dayjs 1.10 makes a valid date of it. dayjs parses a few
layouts itself and passes the others to JavaScript's `Date`. This parser reads the same strings with
the same meaning, in the time zone UTC, except days and times that do not exist: dayjs makes March 2
of February 30, and this parser refuses it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from framework.dates import DAY, clock, days, is_day, names_day, read_date, within
from framework.definition.coercion import BLANKS, to_number
from framework.errors import PayloadValidationError
from framework.numbers import number_text

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_DAY = (
    r"(?!0000)[0-9]{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
    r"|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
)
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_COMMON = re.compile(
    rf"{_DAY}(?:[T ]{_TIME}(?::[0-5][0-9](?:\.[0-9]++)?)?|T{_TIME}:[0-5][0-9](?:\.[0-9]++)?Z)?"
)
_DAYJS = re.compile(
    r"([0-9]{4})[-/]?([0-9]{1,2})?[-/]?([0-9]{0,2})[Tt" + BLANKS + r"]*"
    r"([0-9]{1,2})?:?([0-9]{1,2})?:?([0-9]{1,2})?[.:]?([0-9]+)?"
)
is_common_date = _COMMON.fullmatch
"""Return whether a string is a date or time in a common layout, and exists."""


def is_date_like(text: str) -> bool:
    """Return whether a string can be a `datetime`: dayjs accepts it, and the moment exists."""
    if is_common_date(text):
        return True
    return read_milliseconds(text) is not None and is_moment(text)


def is_moment(value: str | float) -> bool:
    """Return whether `read_datetime` accepts a string or number."""
    try:
        read_datetime(value)
    except PayloadValidationError:
        return False
    return True


def read_datetime(value: str | float) -> datetime:
    """Return a shaped `datetime` value as a datetime in UTC.

    Numbers, and strings that hold only a number, are seconds since 1970, or milliseconds from
    100,000,000,000 on; but strings of four, six or eight digits are a year, with month and day.
    Raises PayloadValidationError for values outside the years 1 to 9999, that are not dates, or
    whose day or time does not exist, such as February 30.
    """
    milliseconds = _milliseconds_of(value)
    try:
        if milliseconds is not None and not (isinstance(value, str) and _rolls_over(value)):
            return _EPOCH + timedelta(milliseconds=milliseconds)
    except (OverflowError, ValueError):
        pass
    raise PayloadValidationError("A date and time is invalid or not within the years 1 to 9999.")


def _rolls_over(text: str) -> bool:
    """Return whether the day or time of a date does not exist, so that dayjs takes a later one."""
    if is_common_date(text) or (_plain_number(text) is not None and len(text) not in {4, 6, 8}):
        return False
    found = None if text.endswith(("z", "Z")) else _DAYJS.fullmatch(text)
    if found is None:
        return read_date(text) is not None and not names_day(text)
    year, month, day, hour, minute, second, _ = found.groups()
    time = int(hour or 0), int(minute or 0), int(second or 0)
    in_day = time < (24, 0, 1) and time[1] < 60 and time[2] < 60
    return not (in_day and is_day(_full_year(year), int(month or 1), int(day or 1)))


def _milliseconds_of(value: str | float) -> float | None:
    number = _plain_number(value) if isinstance(value, str) else value
    if isinstance(value, str):
        found = _DAYJS.fullmatch(value) if len(value) in {4, 6, 8} else None
        if found or number is None:
            return _dayjs_moment(*found.groups()) if found else read_milliseconds(value)
    if number is None:
        return None
    return number if abs(number) >= 1e11 else number * 1000


def read_milliseconds(text: str) -> float | None:
    """Return the time of a date string in milliseconds since 1970; None for an invalid date."""
    number = _plain_number(text)
    if number is not None:
        return within(number * 1000)
    if not text.endswith(("z", "Z")):
        found = _DAYJS.fullmatch(text)
        if found:
            return within(_dayjs_moment(*found.groups()))
    return read_date(text)


def _plain_number(text: str) -> float | None:
    """Return the number that a string represents, as a double."""
    if not text or text[0] not in "-0123456789" or len(text) > 25:
        return None
    number = to_number(text)
    if not isinstance(number, int | float) or number_text(float(number)) != text:
        return None
    return number


def _dayjs_moment(year: str, *rest: str | None) -> float:
    month, day, hour, minute, second, fraction = (part or "" for part in rest)
    time = clock(int(hour or 0), int(minute or 0), int(second or 0), int((fraction or "0")[:3]))
    return (
        days(_full_year(year), (int(month) - 1) if month else 0, int(day) if day else 1) * DAY
        + time
    )


def _full_year(year: str) -> int:
    return int(year) + 1900 if int(year) < 100 else int(year)
