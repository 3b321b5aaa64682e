"""Date strings, parsed as by dayjs.

Segment accepts a `datetime` string if dayjs 1.10 makes a valid date of it. dayjs parses a few
layouts itself and passes the others to JavaScript's `Date`. This parser accepts the same strings
with the same meaning, in the time zone UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from framework.dates import DAY, clock, days, read_date, within
from framework.definition.coercion import BLANKS, to_number
from framework.errors import PayloadValidationError
from framework.numbers import number_text

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_COMMON = re.compile(
    r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]++)?Z"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)?"
)
_DAYJS = re.compile(
    r"([0-9]{4})[-/]?([0-9]{1,2})?[-/]?([0-9]{0,2})[Tt" + BLANKS + r"]*"
    r"([0-9]{1,2})?:?([0-9]{1,2})?:?([0-9]{1,2})?[.:]?([0-9]+)?"
)
is_common_date = _COMMON.fullmatch
"""Return whether a string has a common date or time layout, which Segment accepts."""


def is_date_like(text: str) -> bool:
    """Return whether Segment accepts a string as a `datetime`."""
    return bool(is_common_date(text)) or read_milliseconds(text) is not None


def read_datetime(value: str | float) -> datetime:
    """Return a shaped `datetime` value as a datetime in UTC.

    Numbers, and strings that hold only a number, are seconds since 1970, or milliseconds from
    100,000,000,000 on; but strings of four, six or eight digits are a year, with month and day.
    Raises PayloadValidationError for values outside the years 1 to 9999 or that are not dates.
    """
    milliseconds = _milliseconds_of(value)
    try:
        if milliseconds is not None:
            return _EPOCH + timedelta(milliseconds=milliseconds)
    except (OverflowError, ValueError):
        pass
    raise PayloadValidationError("A date and time is invalid or not within the years 1 to 9999.")


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
    full_year = int(year) + 1900 if int(year) < 100 else int(year)
    time = clock(int(hour or 0), int(minute or 0), int(second or 0), int((fraction or "0")[:3]))
    return days(full_year, (int(month) - 1) if month else 0, int(day) if day else 1) * DAY + time
