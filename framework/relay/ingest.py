"""Chunks into an intake: with nothing decoded but what is read, or in full where that cannot be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from framework.delivery import Completion, Intake, Prepared, RowIds
from framework.relay.decoding import Rejected, decode, reread
from framework.relay.files import Chunk, Position


class Ingested(Struct, frozen=True):
    """What became of a chunk: what needs no call, the lines that hold events, and those that don't.

    *message_ids* are aligned with *lines* and can be read once.
    """

    settled: list[Completion]
    lines: Sequence[int]
    message_ids: Iterable[object]
    rejected: Sequence[Rejected] = ()


class IngestedSpan(Struct, frozen=True):
    """A part of the file after it was prepared; lines are counted from its beginning.

    *lines* and *message_ids* are aligned; both are empty where nobody asks for names.
    """

    prepared: Prepared
    end: Position
    lines: Sequence[int]
    message_ids: Sequence[object]
    rejected: Sequence[Rejected]

    def moved(self, before: Position, marks: RowIds) -> IngestedSpan:
        """Return the same part with its lines counted from the beginning of the file."""
        by = before.lines
        return IngestedSpan(
            self.prepared.moved(by, marks),
            Position(self.end.offset, by + self.end.lines),
            [line + by for line in self.lines],
            self.message_ids,
            [replace(one, line=one.line + by) for one in self.rejected],
        )


def ingest(chunk: Chunk, intake: Intake, max_line: int, *, named: bool) -> Ingested:
    """Add the events of *chunk* to *intake*, by their lines; *named* asks for message ids."""
    projection = intake.projection
    structs = projection.decode(chunk.lines) if projection and chunk.lines else None
    if projection is None or structs is None:
        decoded = decode(chunk, max_line)
        settled = list(intake.add(decoded.events, decoded.lines))
        return Ingested(settled, decoded.lines, decoded.message_ids(), decoded.rejected)
    first = chunk.start.lines + 1
    lines = range(first, first + len(structs))
    added = intake.add_structs(structs, lines, lambda line: reread(chunk.lines[line - first]))
    settled = list(added)
    message_ids = map(projection.getter("messageId"), structs) if named else ()
    return Ingested(settled, lines, message_ids)
