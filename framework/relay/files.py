"""A file of events as a log: chunks of whole lines that know their place, and how to come back.

Plain files, gzip files (told by their first bytes) and streams such as standard input.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import sys
import zlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Self, TypeAlias, cast

from msgspec import Struct

from framework.errors import StorageError
from framework.relay.storage import storage

BLOCK = 128 * 1024
"""Bytes read at once; much larger blocks leave the processor's cache and are slower to decode."""

MAX_LINE = 1_000_000
"""Bytes that one line may have unless said otherwise."""

HEAD = 4096
"""Bytes at the beginning of a file that it is recognised by."""

_GZIP = b"\x1f\x8b"
_Source: TypeAlias = io.BufferedReader | gzip.GzipFile


class Position(Struct, frozen=True):
    """A place between two lines: *offset* in bytes (uncompressed), *lines* before it."""

    offset: int = 0
    lines: int = 0


START = Position()


class Identity(Struct, frozen=True):
    """What a file is recognised by later: its *size*, and a digest of its first *head* bytes.

    Inode numbers are left out on purpose: a copy on another disk is the same file of events.
    """

    size: int
    head: int
    digest: str


class Chunk(Struct, frozen=True):
    """Whole lines with their line ends, from *start* to *end*; or a line too long to be held.

    *too_long* is the length of such a line in bytes; there are no *lines* then.
    """

    lines: Sequence[bytes]
    start: Position
    end: Position
    too_long: int = 0

    def until(self, line: int) -> Chunk:
        """Return the beginning of the chunk, up to and with *line*."""
        if self.end.lines <= line:
            return self
        lines = self.lines[: line - self.start.lines]
        return Chunk(lines, self.start, Position(self.start.offset + sum(map(len, lines)), line))


class EventFile:
    """A source of events, open for reading; a context manager.

    *source* is a path, or `-` for standard input; raises StorageError where it cannot be opened.
    *name* is for people. *identity* and *size* are None for anything that is not a regular file:
    that can be read only once and forwards.
    """

    def __init__(self, source: str | Path, max_line: int = MAX_LINE) -> None:
        self.name = "standard input" if str(source) == "-" else str(source)
        self.max_line = max_line
        self._passed = 0
        with storage("The events file", self.name, "read"):
            self._file = _open(source)
            self._regular = str(source) != "-" and _is_regular(self._file)
            self.identity = identify(Path(source)) if self._regular else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def size(self) -> int | None:
        """The size on disk in bytes, where that is known."""
        return os.fstat(self._file.fileno()).st_size if self._regular else None

    @property
    def consumed(self) -> int:
        """How many bytes have been read: on disk for a regular file, else of the stream."""
        return self._file.tell() if self._regular else self._passed

    def is_same(self, identity: Identity) -> bool:
        """Return whether this is the file that had *identity*; it may have grown since."""
        if not self._regular:
            return False
        with storage("The events file", self.name, "read"):
            now = identify(Path(self.name), identity.head)
        return now.digest == identity.digest and now.size >= identity.size

    @property
    def divisible(self) -> bool:
        """Whether the file can be read from any place on: it is regular, and not gzip."""
        return self._regular and not self._packed

    def parts(self, start: int, size: int) -> Iterator[tuple[int, int]]:
        """Yield where parts of about *size* bytes begin and end, from the offset *start* on.

        All begin at a line. Raises StorageError where the file cannot be read.
        """
        with storage("The events file", self.name, "read"), Path(self.name).open("rb") as file:
            end = os.fstat(file.fileno()).st_size
            while start < end:
                file.seek(min(start + size, end) - 1)
                while (piece := file.readline(self.max_line)) and not piece.endswith(b"\n"):
                    pass
                yield start, file.tell()
                start = file.tell()

    def chunks(self, start: Position = START, stop: int | None = None) -> Iterator[Chunk]:
        """Yield everything from *start* on, in order, up to the offset *stop*; to be called once.

        A *stop* is for files that are divisible, and lies at a line end.
        Raises StorageError where the file cannot be read further, has no line end at *start*, or
        is damaged gzip; what came before has been yielded.
        """
        with storage("The events file", self.name, "read"):
            try:
                yield from self._chunks(start, stop)
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise StorageError(
                    f"The events file `{self.name}` is damaged or incomplete gzip: {error}. "
                    "Make or fetch it again."
                ) from error

    @cached_property
    def _packed(self) -> bool:
        return self._file.peek(len(_GZIP)).startswith(_GZIP)

    def _chunks(self, start: Position, stop: int | None) -> Iterator[Chunk]:
        packed = self._packed
        source = gzip.GzipFile(fileobj=self._file) if packed else self._file
        go = self._seek if self._regular and not packed else self._pass
        line_ended = go(source, start.offset)
        cutter = _Cutter(start, self.max_line)
        most = min(BLOCK, self.max_line)
        left = sys.maxsize if stop is None else stop - start.offset
        while block := source.read1(min(most, left)):
            left -= len(block)
            if not line_ended:
                raise self._changed(start.offset)
            self._passed += len(block)
            yield from cutter.cut(block)
        yield from cutter.finish()

    def _seek(self, source: _Source, offset: int) -> bool:
        """Go to *offset*; tell whether a line ends there."""
        source.seek(max(offset - 1, 0))
        return not offset or source.read(1) == b"\n"

    def _pass(self, source: _Source, offset: int) -> bool:
        """Read on to *offset*; tell whether a line ends there."""
        block = b"\n"
        while self._passed < offset:
            block = source.read1(min(BLOCK, offset - self._passed))
            if not block:
                raise self._changed(offset)
            self._passed += len(block)
        return block.endswith(b"\n")

    def _changed(self, offset: int) -> StorageError:
        return StorageError(
            f"The events file `{self.name}` has no line end at byte {offset:,}, where the last "
            "run stopped: it has been changed since."
        )


def identify(path: Path, head: int = HEAD) -> Identity:
    """Return what the file at *path* is recognised by, looking at its first *head* bytes."""
    with path.open("rb") as file:
        start = file.read(head)
        size = os.fstat(file.fileno()).st_size
    return Identity(size, len(start), hashlib.sha256(start).hexdigest())


class _Cutter:
    """Cuts blocks into chunks of whole lines, holding no more of a line than may be sent."""

    def __init__(self, start: Position, max_line: int) -> None:
        self._here = start
        self._max_line = max_line
        self._rest: list[bytes] = []
        self._length = 0

    def cut(self, block: bytes) -> Iterator[Chunk]:
        """Take the next block; give what is whole by now."""
        lines = io.BytesIO(block).readlines()
        rest = b"" if block.endswith(b"\n") else lines.pop()
        size = len(block) - len(rest)
        if lines and self._length:
            length = self._length + len(lines[0]) - 1
            if length > self._max_line:
                size -= len(lines.pop(0))
                yield self._too_long(length, 1)
            else:
                size += self._length
                lines[0] = b"".join([*self._rest, lines[0]])
        if lines:
            yield self._chunk(lines, size)
        self._hold(rest)

    def finish(self) -> Iterator[Chunk]:
        """Return the last line, where no line end follows it."""
        if self._length > self._max_line:
            yield self._too_long(self._length, 0)
        elif self._length:
            yield self._chunk([b"".join(self._rest)], self._length)

    def _hold(self, piece: bytes) -> None:
        self._length += len(piece)
        if self._length > self._max_line:
            self._rest.clear()
        elif piece:
            self._rest.append(piece)

    def _chunk(self, lines: Sequence[bytes], size: int) -> Chunk:
        return Chunk(lines, *self._advance(size, len(lines)))

    def _too_long(self, length: int, line_end: int) -> Chunk:
        return Chunk((), *self._advance(length + line_end, 1), length)

    def _advance(self, size: int, lines: int) -> tuple[Position, Position]:
        start = self._here
        self._here = Position(start.offset + size, start.lines + lines)
        self._rest, self._length = [], 0
        return start, self._here


def _open(source: str | Path) -> io.BufferedReader:
    if str(source) == "-":
        return cast("io.BufferedReader", sys.stdin.buffer)
    return Path(source).open("rb")


def _is_regular(file: io.BufferedReader) -> bool:
    return stat.S_ISREG(os.fstat(file.fileno()).st_mode)
