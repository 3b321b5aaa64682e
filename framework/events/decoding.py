"""Decoding chunks of lines to events; an invalid line affects no other line.

Lines are decoded by msgspec all at once; if any of them is out of the ordinary, they are decoded
one by one by `framework.events.parsing`. What is no event is rejected with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any

import msgspec
from msgspec import Struct

from framework.events.envelopes import EVENT_TYPES, is_event, why_not
from framework.events.files import Chunk
from framework.events.parsing import NotJSONError, is_blank, parse
from framework.nesting import any_too_deep
from framework.paths import Event

_KNOWN = frozenset(EVENT_TYPES)
_type_of = itemgetter("type")
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Rejected(Struct, frozen=True):
    """An invalid line: its number (from 1), the offset of its first byte, and the reason.

    *position* is the number by which events are counted, where it is not the line's.
    """

    line: int
    offset: int
    reason: str
    position: int = 0

    @property
    def number(self) -> int:
        """The number by which a run counts it."""
        return self.position or self.line


class Decoded(Struct, frozen=True):
    """The events of a chunk, their line numbers (from 1), aligned, and the invalid lines.

    Where a chunk has places, *lines* are the positions of the events instead.
    """

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
        return Decoded([], (), (_rejected(chunk, 0, chunk.start.offset, reason),))
    lines = [line.removesuffix(b"\n") for line in chunk.lines]
    if not any_too_deep(lines):
        try:
            events = list(map(_decode, lines))
            if _KNOWN.issuperset(map(_type_of, events)):
                return Decoded(events, range(first, first + len(lines)))
        except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError):
            pass
    return _one_by_one(chunk, lines)


def reread(line: bytes) -> Event:
    """Return the event of a line that is known to be valid."""
    event: Event = parse(line)
    return event


def _one_by_one(chunk: Chunk, lines: Sequence[bytes]) -> Decoded:
    events: list[Event] = []
    numbers: list[int] = []
    rejected: list[Rejected] = []
    offset = chunk.start.offset
    for index, line in enumerate(lines):
        found = None if is_blank(line) else _read(line)
        if isinstance(found, str):
            rejected.append(_rejected(chunk, index, offset, found))
        elif found is not None:
            events.append(found)
            numbers.append(chunk.start.lines + 1 + index)
        offset += len(line) + 1
    return Decoded(events, numbers, tuple(rejected))


def _rejected(chunk: Chunk, index: int, offset: int, reason: str) -> Rejected:
    number = chunk.start.lines + 1 + index
    if not chunk.places:
        return Rejected(number, offset, reason)
    place = chunk.places[index]
    return Rejected(place.line, place.offset, reason, number)


def _read(line: bytes) -> Event | str:
    """Return the event in *line*, or the reason why it is invalid."""
    try:
        value = parse(line)
    except NotJSONError as error:
        return str(error)
    return value if is_event(value) else why_not(value)
