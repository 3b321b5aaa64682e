"""Dates in Liquid: read as JavaScript reads them, printed by `%` codes, in UTC unless told."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from framework.dates import read_date
from framework.mapping.javascript import text
from framework.mapping.templates.language import TemplateError

_CODE: Final = re.compile(r"%([-_0^#:]+)?(\d+)?([EO])?(.)")
MAX_WIDTH: Final = 1000
MAX_PATTERN: Final = 10_000


@dataclass(frozen=True, slots=True)
class Moment:
    """A date as it is shown: the local time, its offset in minutes west, the zone's name."""

    shown: datetime
    west: int
    zone: str


def format_date(value: Any, pattern: str, zone: Any) -> str | None:
    """Print a date by a pattern; None for what is no date.

    *value* is a text, seconds, or a list, whose items are read as one text with commas between
    them; *zone* is a name, or minutes west of Greenwich.
    """
    if len(pattern) > MAX_PATTERN:
        raise TemplateError("cannot be rendered: the pattern of a date is too long")
    try:
        read = _read(value)
        moment = None if read is None else _place(read, zone)
    except (ValueError, OverflowError, OSError):
        return None
    return None if moment is None else _CODE.sub(lambda code: _print(moment, code), pattern)


def _read(value: Any) -> datetime | None:
    if isinstance(value, list):
        return _read_text(text(value))
    if not isinstance(value, str):
        return _read_number(value)
    if value in {"now", "today"}:
        return datetime.now(UTC)
    if value.isdecimal() and value.isascii():
        return _EPOCH + timedelta(seconds=int(value))
    return _read_text(value)


def _read_number(value: Any) -> datetime | None:
    if isinstance(value, bool):
        return _EPOCH + timedelta(milliseconds=int(value))
    is_number = isinstance(value, (int, float))
    return _EPOCH + timedelta(milliseconds=int(value * 1000)) if is_number else None


def _read_text(value: str) -> datetime | None:
    milliseconds = read_date(value)
    return None if milliseconds is None else _EPOCH + timedelta(milliseconds=milliseconds)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _place(moment: datetime, zone: Any) -> Moment | None:
    if zone is None:
        return Moment(moment, 0, "UTC")
    if isinstance(zone, str):
        try:
            local = moment.astimezone(ZoneInfo(zone))
        except (KeyError, OSError):
            raise TemplateError("cannot be rendered: a time zone is not known") from None
        offset = local.utcoffset() or timedelta()
        return Moment(local, -int(offset.total_seconds() // 60), zone)
    if not isinstance(zone, (int, float)):
        return None
    west = int(zone)
    return Moment(moment - timedelta(minutes=west), west, "")


def _ordinal(day: int) -> str:
    if day in {11, 12, 13}:
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _week(shown: datetime, first: int) -> int:
    weekday = shown.isoweekday() % 7
    now = shown.timetuple().tm_yday + first - weekday
    january = shown.replace(month=1, day=1).isoweekday() % 7
    return (now - (7 - january + first)) // 7 + 1


def _zone_offset(moment: Moment, flags: str) -> str:
    hours, minutes = divmod(abs(moment.west), 60)
    return f"{'-' if moment.west > 0 else '+'}{hours:02}{':' if ':' in flags else ''}{minutes:02}"


def _clock(shown: datetime) -> str:
    return f"{shown.hour % 12 or 12}:{shown:%M:%S} {shown:%p}"


def _day(shown: datetime) -> str:
    return f"{shown.month}/{shown.day}/{shown.year}"


_CODES: Final[dict[str, Callable[[datetime], object]]] = {
    "a": lambda d: f"{d:%a}",
    "A": lambda d: f"{d:%A}",
    "b": lambda d: f"{d:%b}",
    "B": lambda d: f"{d:%B}",
    "h": lambda d: f"{d:%b}",
    "c": lambda d: f"{_day(d)}, {_clock(d)}",
    "C": lambda d: int(str(d.year)[:2]),
    "d": lambda d: d.day,
    "e": lambda d: d.day,
    "H": lambda d: d.hour,
    "I": lambda d: d.hour % 12 or 12,
    "j": lambda d: d.timetuple().tm_yday,
    "k": lambda d: d.hour,
    "l": lambda d: d.hour % 12 or 12,
    "L": lambda d: d.microsecond // 1000,
    "m": lambda d: d.month,
    "M": lambda d: d.minute,
    "p": lambda d: "AM" if d.hour < 12 else "PM",
    "P": lambda d: "am" if d.hour < 12 else "pm",
    "q": lambda d: _ordinal(d.day),
    "s": lambda d: int(d.replace(microsecond=0).timestamp()) + (d.microsecond >= 500_000),
    "S": lambda d: d.second,
    "u": lambda d: d.isoweekday(),
    "U": lambda d: _week(d, 0),
    "w": lambda d: d.isoweekday() % 7,
    "W": lambda d: _week(d, 1),
    "x": _day,
    "X": _clock,
    "y": lambda d: str(d.year)[2:4],
    "Y": lambda d: d.year,
    "t": lambda _: "\t",
    "n": lambda _: "\n",
    "%": lambda _: "%",
}
_WIDTHS: Final = dict.fromkeys("deHIklmMSUW", 2) | {"j": 3, "L": 3}
_PADDED_WITH_SPACES: Final = frozenset("aAbBceklpP")


def _print(moment: Moment, match: re.Match[str]) -> str:
    flags, width, _, code = match.groups(default="")
    if len(width) > 4 or int(width or 0) > MAX_WIDTH:
        raise TemplateError("cannot be rendered: a date is padded too far")
    shown = _value(moment, code, flags, width)
    if shown is None:
        return match.group()
    if "^" in flags:
        shown = shown.upper()
    elif "#" in flags:
        shown = shown.upper() if re.search("[a-z]", shown) else shown.lower()
    space = code in _PADDED_WITH_SPACES and "0" not in flags
    padding = " " if "_" in flags or space else "0"
    size = 0 if "-" in flags else int(width or _WIDTHS.get(code, 0))
    return shown.rjust(size, padding)


def _value(moment: Moment, code: str, flags: str, width: str) -> str | None:
    if code == "N":
        size = int(width or 0) or 9
        return f"{moment.shown.microsecond // 1000:03}"[:size].ljust(size, "0")
    if code == "z" or (code == "Z" and not moment.zone):
        return _zone_offset(moment, flags)
    if code == "Z":
        return moment.zone
    return str(_CODES[code](moment.shown)) if code in _CODES else None
