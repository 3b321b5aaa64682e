"""The first bytes of a stream, by which a later run recognizes it."""

from __future__ import annotations

import hashlib
import io
from typing import Any, Final

from msgspec import Struct

HEAD: Final = 4096
"""Number of bytes at the start of a stream that identify it, at most."""


class StreamHead(Struct, frozen=True):
    """The number of bytes that identify a stream, and their digest; *form* is as in `Identity`."""

    length: int
    digest: str
    form: str = ""

    @classmethod
    def of(cls, content: bytes, form: str = "") -> StreamHead:
        """Return the head of a stream that begins with *content*."""
        start = content[:HEAD]
        return cls(len(start), hashlib.sha256(start).hexdigest(), form)


class RecordedStream(io.RawIOBase):
    """Passes a stream on unchanged and keeps its first bytes."""

    def __init__(self, source: io.BufferedIOBase) -> None:
        self._source = source
        self._start = b""
        self._unread = b""

    def head(self, form: str = "") -> StreamHead:
        """Return the head of the stream, as far as it was read."""
        return StreamHead.of(self._start, form)

    def begins_with(self, head: StreamHead) -> bool:
        """Return whether the stream has *head*; waits for its bytes, which stay to be read."""
        while len(self._start) < head.length:
            piece = self._source.read1(head.length - len(self._start))
            if not piece:
                return False
            self._start += piece
            self._unread += piece
        return StreamHead.of(self._start[: head.length], head.form) == head

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read up to the length of *buffer*; return the number of bytes, 0 at the end."""
        view = memoryview(buffer)
        if self._unread:
            piece, self._unread = self._unread[: len(view)], self._unread[len(view) :]
            view[: len(piece)] = piece
            return len(piece)
        number = self._source.readinto1(buffer)
        if len(self._start) < HEAD:
            self._start += bytes(view[: min(number, HEAD - len(self._start))])
        return number

    def close(self) -> None:
        """Close the stream."""
        super().close()
        self._source.close()
