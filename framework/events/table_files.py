"""Tables as files of events: a line for each row that is new, updated or deleted."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from framework.errors import ConfigurationError
from framework.events.content import Content
from framework.events.files import MAX_LINE, EventFile, EventSource, Identity
from framework.events.row_events import RowEvents
from framework.events.table_changes import TableChanges
from framework.events.table_reading import TableReading
from framework.storage import storage


class TableFile(EventFile):
    """The rows of a table, or their differences to an earlier snapshot, as a file of events.

    Lines are rows that became events, in the same order each time. The same file counts as another
    one if it, the snapshot before or how it is read has changed in any way.
    Raises what TableChanges raises, and ConfigurationError for anything but a file.
    """

    def __init__(
        self, source: EventSource, reading: TableReading, max_line: int = MAX_LINE
    ) -> None:
        self._reading = reading
        super().__init__(source, max_line)

    def _open_file(self, source: EventSource) -> None:
        is_path = isinstance(source, str | Path) and str(source) != "-"
        with storage("The table", self.name, "read"):
            if not is_path or not stat.S_ISREG(Path(self.name).stat().st_mode):
                raise ConfigurationError(
                    f"`{self.name}` is not a file, but tables are read from files only. Save it as "
                    "one, or leave out --key."
                )
        self._regular = False
        self._owned = True
        self._stream = self._waiting = None
        changes = TableChanges(self.name, self._reading)
        try:
            self.identity = self._identify()
            rows = RowEvents(changes.columns, self._reading, self.identity.digest)
        except BaseException:
            changes.close()
            raise
        lines = _Lines(changes, rows)
        self._file: Any = lines
        self._content = Content(lines, is_plain=False)

    def is_same(self, identity: Identity) -> bool:
        """Return whether this is the table that had *identity*, read in the same way."""
        return self.identity == identity

    def _identify(self) -> Identity:
        """Return what identifies the events: a digest of all bytes, and of how they are read."""
        reading = msgspec.structs.replace(self._reading, before=None, max_deleted=0.0)
        found = hashlib.sha256(msgspec.json.encode(reading))
        paths = [Path(self.name)]
        if self._reading.before is not None:
            paths.append(Path(self._reading.before))
        for path in paths:
            with storage("The table", path, "read"), path.open("rb") as file:
                found.update(hashlib.file_digest(file, "sha256").digest())
        return Identity(paths[0].stat().st_size, 0, found.hexdigest(), "table")


class _Lines:
    """The events of a table as lines of JSON, made when they are read."""

    def __init__(self, changes: TableChanges, events: RowEvents) -> None:
        self._changes = changes
        self._events = events
        self._groups: Iterator[list[tuple[Any, ...]]] | None = None
        self._rest = b""

    def read1(self, size: int = -1, /) -> bytes:
        """Return the next bytes, at most *size*; none at the end."""
        if self._groups is None:
            self._groups = self._changes.rows()
        if not self._rest:
            self._rest = self._events.lines(next(self._groups, ()))
        size = size if size >= 0 else len(self._rest)
        block, self._rest = self._rest[:size], self._rest[size:]
        return block

    def close(self) -> None:
        """Close the table."""
        self._changes.close()
