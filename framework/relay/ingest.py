"""Adding chunks to an intake: only the fields that are used are decoded where possible."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from framework.delivery import Completion, Intake, Prepared, RowIds
from framework.events import Chunk, Position, Rejected, decode, reread
from framework.relay.selected_lines import Since


class Ingested(Struct, frozen=True):
    """An ingested chunk: completions without a request, lines with events, and invalid lines.

    *message_ids* is aligned with *lines* and can be iterated once.
    """

    completions: list[Completion]
    lines: Sequence[int]
    message_ids: Iterable[object]
    rejected: Sequence[Rejected] = ()


class IngestedSpan(Struct, frozen=True):
    """A span of the file after preparation; lines are counted from its start.

    *lines* and *message_ids* are aligned; both are empty unless message IDs were requested.
    """

    prepared: Prepared
    end: Position
    lines: Sequence[int]
    message_ids: Sequence[object]
    rejected: Sequence[Rejected]

    def moved(self, before: Position, row_ids: RowIds) -> IngestedSpan:
        """Return the span, which starts at *before*, with lines counted from the file's start."""
        by = before.lines
        return IngestedSpan(
            self.prepared.moved(by, row_ids),
            Position(self.end.offset, by + self.end.lines),
            [line + by for line in self.lines],
            self.message_ids,
            [replace(one, line=one.line + by) for one in self.rejected],
        )


def ingest(
    chunk: Chunk, intake: Intake, max_line: int, *, named: bool, since: Since | None = None
) -> Ingested:
    """Add the events of *chunk* to *intake* by line number; *named* requests message IDs.

    What is before *since* is completed without being added.
    """
    if since:
        return _ingest_since(chunk, intake, max_line, since)
    projection = intake.projection
    structs = projection.decode(chunk.lines, chunk.block) if projection and chunk.lines else None
    if projection is None or structs is None:
        decoded = decode(chunk, max_line)
        completions = intake.add(decoded.events, decoded.lines)
        return Ingested(completions, decoded.lines, decoded.message_ids(), decoded.rejected)
    first = chunk.start.lines + 1
    lines = range(first, first + len(structs))
    completions = intake.add_structs(structs, lines, lambda line: reread(chunk.lines[line - first]))
    message_ids = map(projection.getter("messageId"), structs) if named else ()
    return Ingested(completions, lines, message_ids)


def _ingest_since(chunk: Chunk, intake: Intake, max_line: int, since: Since) -> Ingested:
    decoded = decode(chunk, max_line)
    left, completions = since.split(decoded)
    if left.events:
        completions += intake.add(left.events, left.lines)
    return Ingested(completions, decoded.lines, decoded.message_ids(), decoded.rejected)


def first_with(
    early: list[Completion], steps: Iterator[list[Completion]]
) -> Iterator[list[Completion]]:
    """Yield *steps* with *early* in the first one, before which nothing may be abandoned."""
    yield early + next(steps)
    yield from steps
