"""Reading a stream in a thread, so that the caller can do other things while nothing arrives."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from queue import Empty, SimpleQueue
from typing import Final, Self

from framework.events import Chunk, ReadingStoppedError

AHEAD: Final = 4
"""Chunks that are read before they are asked for, at most."""

_WAIT: Final = 0.25


class StreamReader:
    """Reads *chunks* in a thread of its own; a context manager, which ends the thread."""

    def __init__(self, chunks: Iterator[Chunk]) -> None:
        self._chunks = chunks
        self._read: SimpleQueue[Chunk | BaseException | None] = SimpleQueue()
        self._room = threading.Semaphore(AHEAD)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stream reader", daemon=True)
        self.ended = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._room.release()
        self._thread.join(2 * _WAIT)

    @property
    def closing(self) -> bool:
        """Whether nothing more is to be read."""
        return self._closing.is_set()

    def wake(self) -> None:
        """End a wait of `next` early; thread-safe."""
        self._read.put(None)

    def next(self, timeout: float, *, take: bool = True) -> Chunk | None:
        """Return the next chunk, or None if none arrives in *timeout* seconds, or at the end.

        If *take* is false, only wait. Raises what reading raises.
        """
        if not take:
            time.sleep(timeout)
            return None
        try:
            found = self._read.get(timeout=timeout)
        except Empty:
            return None
        if isinstance(found, _End | ReadingStoppedError):
            self.ended = True
            return None
        if isinstance(found, BaseException):
            raise found
        if found is not None:
            self._room.release()
        return found

    def _run(self) -> None:
        try:
            for chunk in self._chunks:
                self._room.acquire()
                if self.closing:
                    return
                self._read.put(chunk)
        except BaseException as error:  # noqa: BLE001 - raised again where chunks are taken
            self._read.put(error)
        else:
            self._read.put(_End())


class _End(Exception):  # noqa: N818 - no failure
    """The end of the stream."""
