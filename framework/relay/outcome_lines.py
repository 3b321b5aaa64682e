"""The lines of an outcome file: results by line and message ID of their events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from framework.events import Chunk, Rejected
from framework.relay.outcomes import OutcomeFile, Waiting
from framework.results import Result


class OutcomeLines:
    """Writes results to *log*, and keeps what is to be written of events without a result yet."""

    def __init__(self, log: OutcomeFile) -> None:
        self._log = log
        self._message_ids: dict[int, object] = {}
        self._lines: dict[int, int] = {}

    def store_message_ids(self, lines: Iterable[int], message_ids: Iterable[object]) -> None:
        """Store the message IDs of events."""
        self._message_ids.update(zip(lines, message_ids, strict=True))

    def store_lines(self, chunk: Chunk) -> None:
        """Store the lines of events, where events are counted otherwise."""
        if chunk.places:
            numbers = range(chunk.start.lines + 1, chunk.end.lines + 1)
            lines = (place.line for place in chunk.places)
            self._lines.update(zip(numbers, lines, strict=True))

    def reject(self, one: Rejected) -> None:
        """Write that a line is not an event."""
        self._log.reject(one)

    def add(self, positions: Iterable[int], name: str, result: Result | Waiting) -> None:
        """Write a result of several events in one subscription."""
        numbers = list(positions)
        message_ids = map(self._message_ids.get, numbers)
        lines = [self._lines[one] for one in numbers] if self._lines else numbers
        self._log.add(lines, message_ids, name, result)

    def flush(self, unsettled: Mapping[int, Sequence[range]]) -> int:
        """Keep what *unsettled* events need only; return the length of the file."""
        lines = set(chain.from_iterable(chain.from_iterable(unsettled.values())))
        self._message_ids = {line: self._message_ids.get(line) for line in lines}
        self._lines = {line: self._lines[line] for line in lines} if self._lines else {}
        return self._log.flush()

    def sync(self) -> None:
        """Make everything durable that was flushed."""
        self._log.sync()
