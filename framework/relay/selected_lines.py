"""The events of a file that a run is to deliver: from a line on, and since a time."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from framework.delivery import DELETION, Completion
from framework.errors import ConfigurationError
from framework.events import Decoded, EventFile, find_line
from framework.paths import Event
from framework.relay.checkpoint import Checkpoint
from framework.results import Skipped

BEFORE_SINCE = "BEFORE_SINCE"


class Since:
    """Leaves out events whose `timestamp` is before *moment*; *subscriptions* is their number.

    An event without a timestamp in ISO 8601 is not left out; one without a zone is in UTC.
    """

    def __init__(self, moment: datetime, subscriptions: int) -> None:
        self.moment = moment
        self._subscriptions = range(subscriptions)
        shown = moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
        self._result = Skipped(BEFORE_SINCE, f"The event's `timestamp` is before {shown}.")

    def split(self, decoded: Decoded, after: int = 0) -> tuple[Decoded, list[Completion]]:
        """Return the events to deliver, and the completions of those left out.

        Only lines *after* a number are left out.
        """
        early: list[int] = []
        deletions: list[int] = []
        events: list[Event] = []
        lines: list[int] = []
        for line, event in zip(decoded.lines, decoded.events, strict=True):
            if line <= after or not self._is_early(event):
                events.append(event)
                lines.append(line)
            elif event["type"] == "delete":
                deletions.append(line)
            else:
                early.append(line)
        groups = [(DELETION, deletions), *((index, early) for index in self._subscriptions)]
        completions = [Completion(index, some, self._result) for index, some in groups if some]
        return replace(decoded, events=events, lines=lines), completions

    def _is_early(self, event: Event) -> bool:
        moment = read_moment(event.get("timestamp"))
        return moment is not None and moment < self.moment


def read_moment(value: object) -> datetime | None:
    """Return the time that a text in ISO 8601 names, in UTC unless it has a zone; else None."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def begin_at(line: int, before: Checkpoint, source: EventFile, path: Path | None) -> Checkpoint:
    """Return *before*, the checkpoint at *path*, for a run whose first new line is *line*.

    In a file that can be read from any offset, the lines before it count as read then; elsewhere
    the run passes over them. What an earlier run left open stays open.
    Raises ConfigurationError if *before* has read that line already, unless it began there, or if
    the file is shorter.
    """
    read = before.read.lines
    if before.first_line != line and read >= line:
        raise ConfigurationError(
            f"The checkpoint `{path}` has already read {read:,} lines, so --from-line {line} would "
            "deliver some of them again. Leave out --from-line to resume, or deliver from line "
            f"{line} on again by adding --restart."
        )
    before = replace(before, first_line=line)
    if read >= line - 1 or not source.divisible:
        return before
    at = find_line(source.name, line)
    if at.lines < line - 1:
        raise too_short(line, source, at.lines)
    return replace(before, read=at, position=before.position if before.unsettled else at)


def too_short(line: int, source: EventFile, lines: int) -> ConfigurationError:
    """Return the error for a file that ends before the line to begin at."""
    has = "has 1 line" if lines == 1 else f"has {lines:,} lines"
    return ConfigurationError(
        f"--from-line {line} is beyond the end of `{source.name}`, which {has} so far."
    )
