"""Decoding chunks of lines to events; an invalid line affects no other line.

Lines are decoded by msgspec; those it rejects are decoded as in JavaScript, which accepts lone
surrogates (replaced by U+FFFD) and numbers outside the range of doubles. Integers of up to a few
hundred digits stay exact. Lines nested deeper than `framework.nesting` allows are rejected before
they are decoded.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import msgspec
from msgspec import Struct

from framework.nesting import TOO_DEEP, any_too_deep, is_too_deep
from framework.paths import Event
from framework.relay.files import Chunk

_BOM = b"\xef\xbb\xbf"
_EXACT_DIGITS = 300
_KINDS = {
    list: "a list",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    type(None): "null",
}
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Rejected(Struct, frozen=True):
    """An invalid line: its number (from 1), the offset of its first byte, and the reason."""

    line: int
    offset: int
    reason: str


class Decoded(Struct, frozen=True):
    """The events of a chunk, their line numbers (from 1), aligned, and the invalid lines."""

    events: list[Event]
    lines: Sequence[int]
    rejected: tuple[Rejected, ...] = ()

    def message_ids(self) -> Iterator[object]:
        """Yield the `messageId` of each event, or None."""
        return (event.get("messageId") for event in self.events)


def decode(chunk: Chunk, max_line: int) -> Decoded:
    """Return the events in *chunk*, without blank lines; *max_line* is only named in a reason."""
    first = chunk.start.lines + 1
    if chunk.too_long:
        reason = f"The line has {chunk.too_long:,} bytes; the limit is {max_line:,}."
        return Decoded([], (), (Rejected(first, chunk.start.offset, reason),))
    lines = [line.removesuffix(b"\n") for line in chunk.lines]
    if not any_too_deep(lines):
        try:
            return Decoded(list(map(_decode, lines)), range(first, first + len(lines)))
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass
    return _one_by_one(lines, first, chunk.start.offset)


def reread(line: bytes) -> Event:
    """Return the event of a line that is known to be valid."""
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
    """Return the event in *line*, or the reason why it is invalid."""
    if is_too_deep(line):
        return f"The line is {TOO_DEEP}."
    try:
        return _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _read_leniently(line)


def _read_leniently(line: bytes) -> Event | str:
    try:
        value = _well_formed(_lenient.decode(line.removeprefix(_BOM).decode().strip(" \t\r")))
    except UnicodeDecodeError as error:
        return f"The line is not UTF-8 text (byte {error.start + 1})."
    except json.JSONDecodeError as error:
        what = error.msg.removesuffix(" at").removesuffix(" starting").removesuffix(": ")
        return f"The line is not valid JSON: {what} (column {error.colno})."
    except _NotANumberError as error:
        return f"The line is not valid JSON: `{error}` is not a number."
    if isinstance(value, dict):
        return value
    return f"An event must be a JSON object, but the line holds {_KINDS[type(value)]}."


class _NotANumberError(ValueError):
    """`NaN` or `Infinity`, which Python's parser accepts and JSON does not allow."""


def _refuse(constant: str) -> NoReturn:
    raise _NotANumberError(constant)


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _EXACT_DIGITS else float(digits)


_lenient = json.JSONDecoder(parse_constant=_refuse, parse_int=_integer)


def _well_formed(value: Any) -> Any:
    """Replace lone surrogates, which UTF-8 cannot encode."""
    if isinstance(value, dict):
        return {_well_formed(key): _well_formed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_well_formed(item) for item in value]
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return value
