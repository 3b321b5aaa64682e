"""The outcome file: one JSON line for each event and subscription, never lost and never doubled.

What is written here is read by people and other programs, so texts come redacted already.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO, Self

import orjson

from framework.errors import ConfigurationError
from framework.relay.decoding import Rejected
from framework.relay.storage import storage, sync_folder
from framework.results import Result

_BUFFER = 256 * 1024
_ROWS = 1_000
_LARGEST = 2**63
_HEAD = b'{"line":%d,"messageId":%b,'


class OutcomeFile:
    """An outcome file, open for writing; a context manager.

    *length* is what a checkpoint recorded: the file is cut back to it, so that what was written
    after the checkpoint is written once more and not twice. None begins a new file.
    Raises StorageError where the file cannot be written, ConfigurationError where it is shorter
    than *length*.
    """

    def __init__(self, path: str | Path, length: int | None = None) -> None:
        self.path = Path(path)
        self._rows = bytearray()
        self._tails: dict[str, tuple[Result, bytes]] = {}
        with storage("The outcome file", self.path, "written"):
            self._file = self._open(length)
            self._regular = stat.S_ISREG(os.fstat(self._file.fileno()).st_mode)
            if self._regular:
                self._file.truncate(length or 0)
                self._file.seek(length or 0)
                sync_folder(self.path.parent)
        self._length = length or 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with storage("The outcome file", self.path, "written"):
            self._file.close()

    def add(
        self,
        lines: Sequence[int],
        message_ids: Iterable[object],
        subscription: str,
        result: Result,
    ) -> None:
        """Note what became of the events of *lines* in *subscription*, all the same.

        *message_ids* are what the events are called, aligned; only texts and numbers are
        shown.
        """
        write = (_HEAD + self._tail(subscription, result).replace(b"%", b"%%")).__mod__
        names = map(orjson.dumps, map(_shown, message_ids))
        for start in range(0, len(lines), _ROWS):
            some = lines[start : start + _ROWS]
            self._rows += b"".join(map(write, zip(some, names, strict=False)))
            if len(self._rows) > _BUFFER:
                self._write()

    def reject(self, rejected: Rejected) -> None:
        """Note a line that is no event."""
        row = {
            "line": rejected.line,
            "messageId": None,
            "subscription": None,
            "outcome": "rejected",
            "message": rejected.reason,
            "offset": rejected.offset,
        }
        self._rows += orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)

    def flush(self) -> int:
        """Write everything that was added; gives the file's length for the checkpoint."""
        self._write()
        return self._length

    def sync(self) -> None:
        """Make everything that was flushed durable; may be called from another thread."""
        if self._regular:
            with storage("The outcome file", self.path, "written"):
                os.fsync(self._file.fileno())

    def _write(self) -> None:
        with storage("The outcome file", self.path, "written"):
            while self._rows:
                written = self._file.write(self._rows)  # a full disk takes a part only
                self._length += written
                del self._rows[:written]

    def _tail(self, subscription: str, result: Result) -> bytes:
        """Return the end of a row; results are often the very same object many times over."""
        last = self._tails.get(subscription)
        if last and last[0] is result:
            return last[1]
        row = {"subscription": subscription, **result.to_json()}
        tail = orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)[1:]
        self._tails[subscription] = (result, tail)
        return tail

    def _open(self, length: int | None) -> BinaryIO:
        if length is None:
            return self.path.open("wb", buffering=0)
        size = self.path.stat().st_size if self.path.exists() else 0
        if size < length:
            raise ConfigurationError(
                f"The outcome file `{self.path}` has {size:,} bytes, fewer than the {length:,} "
                "that were written when the run stopped. Bring it back, or deliver the whole file "
                "again with --restart."
            )
        return self.path.open("r+b", buffering=0)


def _shown(message_id: object) -> object:
    """Return what is written for *message_id*; numbers that few readers can hold are not."""
    shown = isinstance(message_id, str) or (
        isinstance(message_id, int) and abs(message_id) < _LARGEST
    )
    return message_id if shown else None
