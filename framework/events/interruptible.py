"""Reading from a pipe or a terminal so that a waiting read ends when a stop is requested."""

from __future__ import annotations

import io
import os
import selectors
from collections.abc import Callable
from typing import Any, Final

HEED: Final = 0.25
"""Seconds after which a waiting read notices a stop request."""


class ReadingStoppedError(Exception):
    """A stop was requested while a stream was read."""


class InterruptibleReader(io.RawIOBase):
    """Reads a descriptor that may have nothing for a long time.

    One that is not *shared* with other processes is made non-blocking: the end of a pipe that was
    opened again, as `/dev/fd/63`, is only seen by reading.
    """

    def __init__(self, source: io.BufferedReader, *, shared: bool) -> None:
        self._source = source
        self._blocks = shared
        if not shared:
            os.set_blocking(source.fileno(), False)
        self._selector = selectors.DefaultSelector()
        try:
            self._selector.register(source.fileno(), selectors.EVENT_READ)
            self._waits = True
        except (OSError, ValueError):  # a regular file or a device, which never waits
            self._waits = False
        self.stopping: Callable[[], bool] = lambda: False

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read up to the length of *buffer*; return the number of bytes, 0 at the end.

        Raises ReadingStoppedError within a second of a stop request.
        """
        while True:
            if self.stopping():
                raise ReadingStoppedError
            if self._waits and self._blocks and not self._selector.select(HEED):
                continue
            try:
                return os.readv(self._source.fileno(), [buffer])
            except BlockingIOError:
                self._selector.select(HEED)

    def close(self) -> None:
        """Close the descriptor."""
        super().close()
        self._selector.close()
        self._source.close()


def interruptible(source: io.BufferedReader, *, shared: bool) -> InterruptibleReader | None:
    """Return a reader of what *source* reads, if that has a descriptor and is unread."""
    raw = getattr(source, "raw", None)
    if os.name != "posix" or not isinstance(raw, io.FileIO):
        return None
    return InterruptibleReader(source, shared=shared)
