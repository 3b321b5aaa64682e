"""Reading event files in chunks of whole lines with their positions, from any position on.

Reads plain files, gzip files (recognized by their first bytes) and streams such as standard input.
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
"""Bytes read at once; much larger blocks exceed the processor's cache and decode more slowly."""

MAX_LINE = 1_000_000
"""Default maximum length of a line in bytes."""

HEAD = 4096
"""Number of bytes at the start of a file that identify it."""

_GZIP = b"\x1f\x8b"
_Source: TypeAlias = io.BufferedReader | gzip.GzipFile


class Position(Struct, frozen=True):
    """A position between lines: *offset* in uncompressed bytes, and *lines* before it."""

    offset: int = 0
    lines: int = 0


START = Position()


class Identity(Struct, frozen=True):
    """Identifies a file in later runs: its *size* in bytes and a digest of its first *head* bytes.

    Without an inode number, so that a copy on another disk counts as the same file.
    """

    size: int
    head: int
    digest: str


class Chunk(Struct, frozen=True):
    """Whole lines with their line ends, from *start* to *end*; or a single line that is too long.

    *too_long* is the length of such a line in bytes; *lines* is empty then.
    """

    lines: Sequence[bytes]
    start: Position
    end: Position
    too_long: int = 0

    def until(self, line: int) -> Chunk:
        """Return the start of the chunk up to and including *line* (from 1)."""
        if self.end.lines <= line:
            return self
        lines = self.lines[: line - self.start.lines]
        return Chunk(lines, self.start, Position(self.start.offset + sum(map(len, lines)), line))


class EventFile:
    """An open source of events; a context manager.

    *source* is a path, or `-` for standard input; raises StorageError if it cannot be opened.
    *max_line* is in bytes, *name* is for messages. *identity* and *size* are None for anything but
    a regular file, which can be read only once.
    """

    def __init__(self, source: str | Path, max_line: int = MAX_LINE) -> None:
        self.name = "standard input" if str(source) == "-" else str(source)
        self.max_line = max_line
        self._passed = 0
        with storage("The events file", self.name, "read"):
            self._file = _open(source)
            mode = os.fstat(self._file.fileno()).st_mode if str(source) != "-" else 0
            self._regular = stat.S_ISREG(mode)
            self.identity = identify(Path(source)) if self._regular else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def size(self) -> int | None:
        """The size on disk in bytes, or None if unknown."""
        return os.fstat(self._file.fileno()).st_size if self._regular else None

    @property
    def consumed(self) -> int:
        """The number of bytes read so far: compressed bytes for a gzip file."""
        return self._file.tell() if self._regular else self._passed

    def is_same(self, identity: Identity) -> bool:
        """Return whether this file had *identity*; it may have grown since. Raises StorageError."""
        if not self._regular:
            return False
        with storage("The events file", self.name, "read"):
            now = identify(Path(self.name), identity.head)
        return now.digest == identity.digest and now.size >= identity.size

    @property
    def divisible(self) -> bool:
        """Whether the file can be read from any offset: it is regular and not gzip."""
        return self._regular and not self._is_gzip

    def spans(self, start: int, size: int) -> Iterator[tuple[int, int]]:
        """Yield start and end offsets of spans of about *size* bytes, from the offset *start* on.

        All spans consist of whole lines. Raises StorageError if the file cannot be read.
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
        """Yield the chunks from *start* up to the offset *stop*, in order; can be called once.

        *stop* must be at a line end of a divisible file. Raises StorageError if the file cannot be
        read, has no line end at *start*, or is damaged gzip; valid chunks before are yielded first.
        """
        with storage("The events file", self.name, "read"):
            try:
                yield from self._chunks(start, stop)
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise StorageError(
                    f"The events file `{self.name}` is damaged or incomplete gzip: {error}. "
                    "Create or download it again."
                ) from error

    @cached_property
    def _is_gzip(self) -> bool:
        return self._file.peek(len(_GZIP)).startswith(_GZIP)

    def _chunks(self, start: Position, stop: int | None) -> Iterator[Chunk]:
        is_gzip = self._is_gzip
        source = gzip.GzipFile(fileobj=self._file) if is_gzip else self._file
        go = self._seek if self._regular and not is_gzip else self._skip
        line_ended = go(source, start.offset)
        splitter = _LineSplitter(start, self.max_line)
        limit = min(BLOCK, self.max_line)
        left = sys.maxsize if stop is None else stop - start.offset
        while block := source.read1(min(limit, left)):
            left -= len(block)
            if not line_ended:
                raise self._changed(start.offset)
            self._passed += len(block)
            yield from splitter.add(block)
        yield from splitter.finish()

    def _seek(self, source: _Source, offset: int) -> bool:
        """Seek to *offset*; return whether a line ends there."""
        source.seek(max(offset - 1, 0))
        return not offset or source.read(1) == b"\n"

    def _skip(self, source: _Source, offset: int) -> bool:
        """Read up to *offset*; return whether a line ends there."""
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
            "run stopped: it was changed since. Restore it, or deliver the whole file again with "
            "--restart."
        )


def identify(path: Path, head: int = HEAD) -> Identity:
    """Return the identity of the file at *path*, from its first *head* bytes; raises OSError."""
    with path.open("rb") as file:
        start = file.read(head)
        size = os.fstat(file.fileno()).st_size
    return Identity(size, len(start), hashlib.sha256(start).hexdigest())


class _LineSplitter:
    """Splits blocks into chunks of whole lines; buffers at limit *max_line* bytes of a line."""

    def __init__(self, start: Position, max_line: int) -> None:
        self._here = start
        self._max_line = max_line
        self._rest: list[bytes] = []
        self._length = 0

    def add(self, block: bytes) -> Iterator[Chunk]:
        """Add a block; yield the chunks of lines that are complete now."""
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
        self._buffer(rest)

    def finish(self) -> Iterator[Chunk]:
        """Yield the last line, if it has no line end."""
        if self._length > self._max_line:
            yield self._too_long(self._length, 0)
        elif self._length:
            yield self._chunk([b"".join(self._rest)], self._length)

    def _buffer(self, piece: bytes) -> None:
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
