"""Reading a file that is still written to, until another one replaces it."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from framework.errors import ConfigurationError
from framework.events.content import BLOCK
from framework.events.files import (
    HEAD,
    MAX_LINE,
    START,
    Chunk,
    EventFile,
    Identity,
    LineSplitter,
    Position,
)
from framework.storage import storage

POLL: Final = 0.1
"""Seconds between two checks of a file without new lines."""


class FollowedFile(EventFile):
    """An events file whose chunks continue as lines are appended, by one or several processes.

    A last line without its end is left until it has one. When another file is at the path, or the
    file has become shorter, what is left of it is read, such a line included, and the chunks end;
    `rotated` is true then.
    Raises ConfigurationError for anything but a plain regular file of lines.
    """

    follows = True

    def __init__(self, source: str | Path, max_line: int = MAX_LINE) -> None:
        self.rotated = False
        self._stopping: Callable[[], bool] = lambda: False
        super().__init__(source, max_line, last_line=False)
        if not self.divisible:
            self._file.close()
            raise ConfigurationError(
                f"`{self.name}` cannot be followed: it is not a plain file of lines. Leave out "
                "--follow."
            )

    def heed(self, stopping: Callable[[], bool]) -> None:
        """From now on, end reading when *stopping* returns true."""
        self._stopping = stopping

    def chunks(self, start: Position = START, stop: int | None = None) -> Iterator[Chunk]:
        """Yield the chunks from *start* on, as they are written, until the file is replaced.

        Raises StorageError if the file cannot be read or has no line end at *start*.
        """
        del stop
        with storage("The events file", self.name, "read"):
            line_ended, start = self._seek(start)
            splitter = LineSplitter(start, self.max_line)
            for block in self._blocks():
                if not line_ended:
                    raise self._changed(start.offset)
                self._identify()
                yield from splitter.add(block)
            if self.rotated:
                yield from splitter.finish()

    def _blocks(self) -> Iterator[bytes]:
        """Yield what is written, until there is another file and nothing more in this one."""
        limit = min(BLOCK, self.max_line)
        while not self._stopping():
            if block := self._file.read1(limit):
                yield block
            elif self.rotated:
                return
            else:
                replaced = self._is_replaced()
                time.sleep(POLL)  # its writer may still write to it
                self.rotated = replaced

    def _is_replaced(self) -> bool:
        here = os.fstat(self._file.fileno())
        if here.st_size < self._file.tell():
            return True
        try:
            there = Path(self.name).stat()
        except FileNotFoundError:  # the next one is not there yet
            return False
        return (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino)

    def _identify(self) -> None:
        """Extend the identity by more of the beginning, if the file was shorter before."""
        if self.identity and self.identity.head < HEAD and hasattr(os, "pread"):
            head = os.pread(self._file.fileno(), HEAD, 0)
            size = os.fstat(self._file.fileno()).st_size
            self.identity = Identity(size, len(head), hashlib.sha256(head).hexdigest())
