"""The outcome file: one JSON line for each event and subscription, without loss or duplicates.

Results are redacted before they are written, and control characters are escaped. A new file is
readable by its owner only; an existing one keeps its mode.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Self

import orjson
from msgspec import Struct

from framework.controls import visible_json
from framework.errors import ConfigurationError
from framework.events import Rejected
from framework.results import Result
from framework.storage import open_private, storage, sync_folder

_BUFFER_SIZE = 256 * 1024
_CHUNK = 1_000
_LARGEST = 2**63
_HEAD = b'{"line":%d,"messageId":%b,'


class Waiting(Struct, frozen=True):
    """No result: *message* says why, at the end of a run that no other one resumes."""

    message: str

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {"outcome": "waiting", "message": self.message}


class OutcomeFile:
    """An outcome file, open for writing; a context manager.

    *length* in bytes comes from the checkpoint: the file is truncated to it, so that lines written
    after the checkpoint are not duplicated. None starts a new file.
    Raises StorageError if the file cannot be written, ConfigurationError if it is shorter than
    *length*. All methods that write raise StorageError.
    """

    def __init__(self, path: str | Path, length: int | None = None) -> None:
        self.path = Path(path)
        self._buffer = bytearray()
        self._tails: dict[str, tuple[Result | Waiting, bytes]] = {}
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
        result: Result | Waiting,
    ) -> None:
        """Add the events of *lines*, which all have *result* in *subscription*.

        *message_ids* is aligned with *lines*; only strings and numbers are written.
        """
        write = (_HEAD + self._tail(subscription, result).replace(b"%", b"%%")).__mod__
        names = map(orjson.dumps, map(_shown, message_ids))
        for start in range(0, len(lines), _CHUNK):
            some = lines[start : start + _CHUNK]
            self._buffer += b"".join(map(write, zip(some, names, strict=False)))
            if len(self._buffer) > _BUFFER_SIZE:
                self._write()

    def reject(self, rejected: Rejected) -> None:
        """Add an invalid line."""
        row = {
            "line": rejected.line,
            "messageId": None,
            "subscription": None,
            "outcome": "rejected",
            "message": rejected.reason,
            "offset": rejected.offset,
        }
        self._buffer += orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)

    def flush(self) -> int:
        """Write everything that was added; return the length of the file in bytes."""
        self._write()
        return self._length

    def sync(self) -> None:
        """Make everything that was flushed durable; thread-safe."""
        if self._regular:
            with storage("The outcome file", self.path, "written"):
                os.fsync(self._file.fileno())

    def _write(self) -> None:
        with storage("The outcome file", self.path, "written"):
            self._buffer = bytearray(visible_json(bytes(self._buffer)))
            while self._buffer:
                written = self._file.write(self._buffer)  # a full disk accepts only a part
                self._length += written
                del self._buffer[:written]

    def _tail(self, subscription: str, result: Result | Waiting) -> bytes:
        """Return the end of an outcome line; cached, since results are often the same object."""
        last = self._tails.get(subscription)
        if last and last[0] is result:
            return last[1]
        row = {"subscription": subscription, **result.to_json()}
        tail = orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)[1:]
        self._tails[subscription] = (result, tail)
        return tail

    def _open(self, length: int | None) -> BinaryIO:
        if length is None:
            return open(self.path, "wb", buffering=0, opener=open_private)
        size = self.path.stat().st_size if self.path.exists() else 0
        if size < length:
            raise ConfigurationError(
                f"The outcome file `{self.path}` has {size:,} bytes, fewer than the {length:,} "
                "that were written when the run stopped. Restore it, or deliver the whole file "
                "again with --restart."
            )
        return self.path.open("r+b", buffering=0)


def _shown(message_id: object) -> object:
    """Return *message_id* as it is written; None for large numbers and other values."""
    shown = isinstance(message_id, str) or (
        isinstance(message_id, int) and abs(message_id) < _LARGEST
    )
    return message_id if shown else None
