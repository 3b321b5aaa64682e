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
from framework.events.table_sources import TableSource, is_server, local_path, table_source
from framework.storage import copy_durably, storage


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
        self._regular = False
        self._owned = True
        self._stream = self._waiting = None
        where = _source(source, self.name)
        self.name = where.name
        changes = TableChanges(where, self._reading)
        try:
            self.identity = self._identify(changes)
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

    def _identify(self, changes: TableChanges) -> Identity:
        """Return what identifies the events: a digest of the rows, and of how they are read.

        Of a file it is that of all its bytes, of a database that of what the query selects.
        """
        reading = msgspec.structs.replace(self._reading, before=None, max_deleted=0.0)
        found = hashlib.sha256(msgspec.json.encode(reading))
        size, form = 0, "result"
        for number, (source, digest) in enumerate(changes.digests()):
            if source.is_database:
                found.update(hashlib.sha256(digest.encode()).digest())
                continue
            path = Path(source.text)
            with storage("The table", path, "read"), path.open("rb") as file:
                found.update(hashlib.file_digest(file, "sha256").digest())
            if not number:
                size, form = path.stat().st_size, "table"
        return Identity(size, 0, found.hexdigest(), form)


def save_table(source: str, reading: TableReading, path: Path) -> int:
    """Write the table at *source* to a Parquet file at *path*; return the number of its rows.

    The file is replaced at once, and only its owner may read a new one. Raises what TableChanges
    raises, and StorageError if the file cannot be written.
    """
    changes = TableChanges(_source(source, source), reading)
    try:
        saved, number = changes.saved()
        with storage("The table", path, "written"):
            copy_durably(saved, path)
    finally:
        changes.close()
    return number


def _source(source: EventSource, name: str) -> TableSource:
    """Return where a table is; raises ConfigurationError for anything but a file or a database."""
    if isinstance(source, str) and is_server(source):
        return table_source(source)
    path = local_path(str(source))
    is_path = isinstance(source, str | Path) and path != "-"
    with storage("The table", path if is_path else name, "read"):
        if not is_path or not stat.S_ISREG(Path(path).stat().st_mode):
            raise ConfigurationError(
                f"`{name}` is not a file, but tables are read from files and databases only. Save "
                "it as a file, or leave out --key."
            )
    return table_source(path)


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
