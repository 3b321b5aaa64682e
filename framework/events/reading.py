"""Reading the events of a file, all at once or in portions: for what sends nothing."""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from framework.errors import ConfigurationError
from framework.events.decoding import Rejected, decode
from framework.events.files import MAX_LINE, Chunk, EventFile, EventSource
from framework.events.table_reading import TableReading
from framework.paths import Event

PORTION = 10_000
"""Number of lines with or without an event after which a portion of a file ends."""


class EventReading(Struct, frozen=True):
    """The *events* of a source and their line numbers (from 1), aligned; and the invalid lines.

    *name* is the source's. *unpacked* counts envelopes by kind. *is_whole* is whether the end of
    the source was reached, before a limit.
    """

    name: str
    events: list[Event]
    lines: list[int]
    rejected: list[Rejected]
    unpacked: Mapping[str, int] = field(default_factory=dict)
    is_whole: bool = True

    def in_lines(self, lines: Collection[int]) -> EventReading:
        """Return what of it is in *lines*."""
        pairs = zip(self.lines, self.events, strict=True)
        kept = [(line, event) for line, event in pairs if line in lines]
        return replace(
            self,
            lines=[line for line, _ in kept],
            events=[event for _, event in kept],
            rejected=[one for one in self.rejected if one.line in lines],
        )


def open_events(  # noqa: PLR0913 - each is an option of its own
    source: EventSource,
    max_line: int = MAX_LINE,
    *,
    unpack: bool = False,
    last_line: bool = True,
    name: str = "",
    table: TableReading | None = None,
) -> EventFile:
    """Open a source of events, as EventFile does; with *table*, the rows of a table as events."""
    if table is not None:
        from framework.events.table_files import TableFile  # noqa: PLC0415 - with an extra only

        return TableFile(source, table, max_line)
    if isinstance(source, str) and "://" in source:
        _refuse_server(source)
    return EventFile(source, max_line, unpack=unpack, last_line=last_line, name=name)


def _refuse_server(source: str) -> None:
    """Raise ConfigurationError if *source* is an address, of which only tables are read."""
    from framework.events.table_sources import is_server  # noqa: PLC0415 - for addresses only

    if is_server(source):
        raise ConfigurationError(
            "The rows of a database are read as events with --key, which names their key columns, "
            "and --query, which selects them."
        )


def read_events(  # noqa: PLR0913 - each is an option of its own
    source: EventSource,
    *,
    unpack: bool = False,
    max_line: int = MAX_LINE,
    max_events: int | None = None,
    max_bytes: int | None = None,
    name: str = "",
    table: TableReading | None = None,
) -> EventReading:
    """Return the events of *source* and its invalid lines, as `actions run` reads them.

    *source* is a path, `-` for standard input, or an open binary file, known as *name* in
    messages. With *unpack*, known envelopes are replaced by the events in them; with *table*, it is
    the path of a table, whose rows are read as events. Lines longer than
    *max_line* bytes are invalid; reading stops after *max_events* lines with or without an event,
    or *max_bytes*.
    Raises StorageError if the source cannot be read, ConfigurationError if it holds anything else
    than JSON, or than such a table.
    """
    most = sys.maxsize if max_events is None else max_events
    most_bytes = sys.maxsize if max_bytes is None else max_bytes
    found = EventReading("", [], [], [])
    is_whole = True
    with open_events(source, max_line, unpack=unpack, name=name, table=table) as file:
        for chunk in file.chunks():
            left = most - len(found.events) - len(found.rejected)
            if file.passed > most_bytes or not _add(found, chunk, max_line, left):
                is_whole = False
                break
    return replace(found, name=file.name, unpacked=dict(file.unpacked), is_whole=is_whole)


def _add(found: EventReading, chunk: Chunk, max_line: int, left: int) -> bool:
    """Add what a chunk holds, at most *left* lines; return whether that is all of it."""
    decoded = decode(chunk, max_line)
    end = chunk.end.lines + 1
    if len(decoded.events) + len(decoded.rejected) > left:
        end = sorted([*decoded.lines, *(one.number for one in decoded.rejected)])[left]
    number = bisect_left(decoded.lines, end)
    found.events.extend(decoded.events[:number])
    found.lines.extend(map(chunk.line_of, decoded.lines[:number]))
    found.rejected.extend(one for one in decoded.rejected if one.number < end)
    return end > chunk.end.lines


def read_portions(
    source: EventSource, *, unpack: bool = False, table: TableReading | None = None
) -> Iterator[EventReading]:
    """Yield the events of *source* and its invalid lines, as `read_events` does, in portions.

    A portion ends at the first line after PORTION lines at which a block of the file ends.
    """
    with open_events(source, unpack=unpack, table=table) as file:
        found = EventReading(file.name, [], [], [])
        for chunk in file.chunks():
            _add(found, chunk, file.max_line, sys.maxsize)
            if len(found.events) + len(found.rejected) >= PORTION:
                yield replace(found, unpacked=dict(file.unpacked), is_whole=False)
                found = EventReading(file.name, [], [], [])
        yield replace(found, unpacked=dict(file.unpacked))
