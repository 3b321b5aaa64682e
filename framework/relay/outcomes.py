"""The outcome file: one JSON line for each event and subscription, never lost and never doubled.

What is written here is read by people and other programs, so texts come redacted already.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO, Self

import orjson

from framework.errors import ConfigurationError
from framework.relay.decoding import Rejected
from framework.relay.storage import storage, sync_folder
from framework.results import Result

_BUFFER = 256 * 1024


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

    def add(self, line: int, message_id: object, subscription: str, result: Result) -> None:
        """Note what became of the event of *line* in *subscription*."""
        shown = message_id if isinstance(message_id, str | int) else None
        self._rows += b'{"line":%d,"messageId":%b,%b' % (
            line,
            orjson.dumps(shown),
            self._tail(subscription, result),
        )
        if len(self._rows) > _BUFFER:
            self._write()

    def add_all(
        self,
        lines: Iterable[int],
        message_id: Callable[[int], object],
        subscription: str,
        result: Result,
    ) -> None:
        """Note what became of the events of several lines, all the same."""
        for line in lines:
            self.add(line, message_id(line), subscription, result)

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

    def sync(self) -> int:
        """Make everything that was added durable; gives the file's length for the checkpoint."""
        self._write()
        if self._regular:
            with storage("The outcome file", self.path, "written"):
                os.fsync(self._file.fileno())
        return self._length

    def _write(self) -> None:
        with storage("The outcome file", self.path, "written"):
            while self._rows:
                written = self._file.write(self._rows)  # a full disk takes a part only
                self._length += written
                del self._rows[:written]

    def _tail(self, subscription: str, result: Result) -> bytes:
        """Give the end of a row; results are often the very same object many times over."""
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
