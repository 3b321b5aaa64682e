"""Chunks of lines to events: one bad line costs one line.

Lines are decoded by msgspec; those it refuses are read as JavaScript would read them, which
accepts lone surrogates (they become U+FFFD) and numbers beyond the range of doubles.
Integers stay exact at any size up to a few hundred digits.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import msgspec
from msgspec import Struct

from framework.paths import Event
from framework.relay.files import Chunk

_BOM = b"\xef\xbb\xbf"
_EXACT_DIGITS = 300
_KINDS = {
    list: "a list",
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Rejected(Struct, frozen=True):
    """A line that is no event: its number (from 1), the offset of its first byte, and why."""

    line: int
    offset: int
    reason: str


class Decoded(Struct, frozen=True):
    """The events of a chunk, the number of the line of each, and the lines that are none."""

    events: list[Event]
    lines: Sequence[int]
    rejected: tuple[Rejected, ...] = ()

    def message_ids(self) -> Iterator[object]:
        """Yield what each event is called."""
        return (event.get("messageId") for event in self.events)


def decode(chunk: Chunk, max_line: int) -> Decoded:
    """Return what the lines of *chunk* hold; blank lines hold nothing. *max_line* is for a text."""
    first = chunk.start.lines + 1
    if chunk.too_long:
        reason = f"The line has {chunk.too_long:,} bytes; the limit is {max_line:,}."
        return Decoded([], (), (Rejected(first, chunk.start.offset, reason),))
    lines = [line.removesuffix(b"\n") for line in chunk.lines]
    try:
        return Decoded(list(map(_decode, lines)), range(first, first + len(lines)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _one_by_one(lines, first, chunk.start.offset)


def reread(line: bytes) -> Event:
    """Return the event of a line that is known to hold one."""
    event = _read(line)
    assert not isinstance(event, str), event
    return event


def _one_by_one(lines: list[bytes], number: int, offset: int) -> Decoded:
    events: list[Event] = []
    numbers: list[int] = []
    rejected: list[Rejected] = []
    for line in lines:
        found = _read(line) if line.removeprefix(_BOM).strip() else None
        if isinstance(found, str):
            rejected.append(Rejected(number, offset, found))
        elif found is not None:
            events.append(found)
            numbers.append(number)
        number += 1
        offset += len(line) + 1
    return Decoded(events, numbers, tuple(rejected))


def _read(line: bytes) -> Event | str:
    """Return the event that *line* holds, or why it holds none."""
    try:
        return _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _read_leniently(line)


def _read_leniently(line: bytes) -> Event | str:
    try:
        value = _well_formed(_lenient.decode(line.removeprefix(_BOM).decode().strip(" \t\r")))
    except UnicodeDecodeError as error:
        return f"The line is not UTF-8 text (byte {error.start + 1})."
    except json.JSONDecodeError as error:
        what = error.msg.removesuffix(" at").removesuffix(" starting").removesuffix(": ")
        return f"The line is not valid JSON: {what} (column {error.colno})."
    except _NoNumberError as error:
        return f"The line is not valid JSON: `{error}` is no number."
    except RecursionError:
        return "The line is nested too deeply."
    if isinstance(value, dict):
        return value
    return f"An event must be an object, the line holds {_KINDS[type(value)]}."


class _NoNumberError(ValueError):
    """`NaN` or `Infinity`, which Python's reader accepts and JSON does not know."""


def _refuse(constant: str) -> NoReturn:
    raise _NoNumberError(constant)


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _EXACT_DIGITS else float(digits)


_lenient = json.JSONDecoder(parse_constant=_refuse, parse_int=_integer)


def _well_formed(value: Any) -> Any:
    """Replace lone surrogates, which no UTF-8 text can hold."""
    if isinstance(value, dict):
        return {_well_formed(key): _well_formed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_well_formed(item) for item in value]
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return value
