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
    identify,
)
from framework.storage import storage

POLL: Final = 0.1
"""Seconds between two checks of a file without new lines."""

QUIET: Final = 2.0
"""Seconds without a change after which a file is left for another one, or is taken as removed."""

TURN: Final = 10.0
"""Maximum seconds for which a file is followed while others wait, once its end was reached."""


class FollowedFile(EventFile):
    """An events file whose chunks continue as lines are appended, by one or several processes.

    A last line without its end is left until it has one. When another file is at the path, or the
    file has become shorter or was removed, what is left of it is read, such a line included, and
    the chunks end; `rotated` is true then. They also end if *others_wait*, once the end was reached
    and nothing was written for QUIET seconds, or after TURN seconds. One that *is_replaced*, as
    is known before, ends when nothing was written for QUIET seconds.
    Raises ConfigurationError for anything but a plain regular file of lines.
    """

    follows = True

    def __init__(
        self,
        source: str | Path,
        max_line: int = MAX_LINE,
        *,
        others_wait: Callable[[], bool] = lambda: False,
        is_replaced: bool = False,
    ) -> None:
        self.rotated = False
        self._known_as_replaced = is_replaced
        self._others_wait = others_wait
        self._wait_since: float | None = None
        self._stopping: Callable[[], bool] = lambda: False
        super().__init__(source, max_line, last_line=False)
        if not self.divisible:
            self._file.close()
            raise ConfigurationError(
                f"`{self.name}` cannot be followed: it is not a plain file of lines. Leave out "
                "--follow."
            )
        self.identity = self._identity(HEAD)
        self._grown = time.monotonic()

    def heed(self, stopping: Callable[[], bool]) -> None:
        """From now on, end reading when *stopping* returns true."""
        self._stopping = stopping

    def is_same(self, identity: Identity) -> bool:
        """Return whether this file had *identity*; it may have grown since. Raises StorageError."""
        with storage("The events file", self.name, "read"):
            return self._identity(identity.head).continues(identity)

    @property
    def status(self) -> os.stat_result:
        """The status of the file, which may have another name by now, or none."""
        return os.fstat(self._file.fileno())

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
                self._grown = time.monotonic()
                yield block
            elif self.rotated:
                return
            else:
                replaced = self._is_replaced()
                if not replaced and self._has_had_its_turn():
                    return
                time.sleep(POLL)  # its writer may still write to it
                self.rotated = replaced

    def _is_replaced(self) -> bool:
        if self._known_as_replaced:
            return self._is_quiet()
        here = self.status
        if here.st_size < self._file.tell():
            return True
        try:
            there = Path(self.name).stat()
        except FileNotFoundError:  # the next one is not there yet, or never will be
            return here.st_nlink == 0 and self._is_quiet()
        return (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino)

    def _is_quiet(self) -> bool:
        if time.monotonic() - self._grown >= QUIET:
            return True
        return time.time() - self.status.st_mtime >= QUIET

    def _has_had_its_turn(self) -> bool:
        if not self._others_wait():
            self._wait_since = None
            return False
        now = time.monotonic()
        self._wait_since = self._wait_since or now
        return self._is_quiet() or now - self._wait_since >= TURN

    def _identify(self) -> None:
        """Extend the identity by more of the beginning, if the file was shorter before."""
        if self.identity and self.identity.head < HEAD:
            self.identity = self._identity(HEAD)

    def _identity(self, head: int) -> Identity:
        """Return the identity of the open file, whatever is at its path."""
        if not hasattr(os, "pread"):
            return identify(Path(self.name), head)
        start = os.pread(self._file.fileno(), head, 0)
        return Identity(self.status.st_size, len(start), hashlib.sha256(start).hexdigest())
