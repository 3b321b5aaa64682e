"""Reading event files in chunks of whole lines with their positions, from any position on.

Plain files of lines are read as they are, from any offset. Whatever else holds events (gzip,
UTF-16, JSON documents, envelopes that are unpacked, streams) is read from its start on.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Self, TypeAlias, cast

from msgspec import Struct, json

from framework.errors import StorageError
from framework.events.content import BLOCK, Content, Readable, open_content
from framework.events.envelopes import unpack
from framework.events.interruptible import InterruptibleReader, interruptible
from framework.events.json_documents import Place, Record
from framework.events.parsing import NotJSONError, is_blank, parse
from framework.events.stream_head import RecordedStream, StreamHead
from framework.storage import storage

MAX_LINE = 1_000_000
"""Default maximum length of a line in bytes."""

HEAD = 4096
"""Number of bytes at the start of a file that identify it."""

EventSource: TypeAlias = str | Path | BinaryIO
"""A path, `-` for standard input, or an open binary file."""


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
    form: str = ""
    """How events are counted: empty by lines, `document` by values, `unpacked` in envelopes."""

    def continues(self, other: Identity) -> bool:
        """Return whether a file that was *other* may be this one; both are of equally many bytes.

        The same file counts as another one if its events are counted in another way.
        """
        same = (self.digest, self.form) == (other.digest, other.form)
        return same and self.size >= other.size


class Chunk(Struct, frozen=True):
    """Whole lines with their line ends, from *start* to *end*; or a single line that is too long.

    *too_long* is the length of such a line in bytes; *lines* is empty then. Where events are not
    counted by lines, *lines* are the texts of single events, positions count these, and *places*
    says where each of them is in the file. *block* may be the bytes that all lines but the first
    were cut from, and more; looking at it once takes a fraction of looking at every line.
    """

    lines: Sequence[bytes]
    start: Position
    end: Position
    too_long: int = 0
    places: Sequence[Place] = ()
    block: bytes = b""

    def line_of(self, position: int) -> int:
        """Return the line of the event at *position* (both from 1)."""
        return self.places[position - self.start.lines - 1].line if self.places else position

    def until(self, line: int) -> Chunk:
        """Return the start of the chunk up to and including *line* (from 1)."""
        if self.end.lines <= line:
            return self
        lines = self.lines[: line - self.start.lines]
        end = Position(self.start.offset + sum(map(len, lines)), line)
        return Chunk(lines, self.start, end, 0, self.places[: len(lines)])


class EventFile:
    """An open source of events; a context manager.

    *source* is a path, `-` for standard input, or an open binary file, which is read from its
    start and known as *name*. *max_line* is in bytes. With *unpack*, envelopes are replaced by
    the events in them; `unpacked` counts them by kind. Without *last_line*, a last line of a plain
    file that has no line end and is not a complete object is not read, as it may still be written;
    `unfinished` is its length in bytes then.
    *identity* and *size* are None for anything but a regular file, which can be read only once.
    Raises StorageError if a file cannot be opened, ConfigurationError if it is of another kind.
    """

    follows = False
    """Whether chunks continue as the file grows."""

    def __init__(
        self,
        source: EventSource,
        max_line: int = MAX_LINE,
        *,
        unpack: bool = False,
        last_line: bool = True,
        name: str = "",
    ) -> None:
        self.name = name or ("standard input" if str(source) == "-" else str(source))
        self.max_line = max_line
        self.unpack = unpack
        self.unpacked: Counter[str] = Counter()
        self.passed = 0
        self.unfinished = 0
        self._last_line = last_line
        self._content: Content | None = None
        self._open_file(source)

    def _open_file(self, source: EventSource) -> None:
        self.identity: Identity | None = None
        with storage("The events file", self.name, "read"):
            self._file = _open(source)
            self._owned = isinstance(source, str | Path)
            mode = (
                os.fstat(self._file.fileno()).st_mode if self._owned and str(source) != "-" else 0
            )
            self._regular = stat.S_ISREG(mode)
            if self._regular:
                try:
                    form = self._form()
                except BaseException:
                    self._file.close()
                    raise
                self.identity = identify(Path(self.name), form=form)
        self._stream: RecordedStream | None = None
        self._waiting: InterruptibleReader | None = None
        if self._owned and not self._regular:
            self._waiting = interruptible(self._file, shared=str(source) == "-")
            stream = io.BufferedReader(self._waiting, 1) if self._waiting else self._file
            self._stream = RecordedStream(stream)
            self._file = io.BufferedReader(self._stream)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._owned:
            self._file.close()

    def heed(self, stopping: Callable[[], bool]) -> None:
        """End reading with ReadingStoppedError from now on when *stopping* returns true.

        That is heeded while a stream is waited for; a regular file never waits.
        """
        if self._waiting:
            self._waiting.stopping = stopping

    @property
    def arrives(self) -> bool:
        """Whether lines arrive over time: this is a stream, or a file that is followed."""
        return self.identity is None or self.follows

    @property
    def size(self) -> int | None:
        """The size on disk in bytes, or None if unknown."""
        return os.fstat(self._file.fileno()).st_size if self._regular else None

    @property
    def consumed(self) -> int:
        """The number of bytes read so far: compressed bytes for a gzip file."""
        return self._file.tell() if self._regular else self.passed

    @property
    def head(self) -> StreamHead | None:
        """The first bytes of a stream, as far as it was read; None for a regular file."""
        if self._stream is None:
            return None
        return self._stream.head(self._form() if self._content else "")

    def begins_with(self, head: StreamHead) -> bool:
        """Return whether this is a stream with *head*; raises StorageError.

        The same stream counts as another one if its events are counted in another way.
        """
        if self._stream is None:
            return False
        with storage("The events file", self.name, "read"):
            return self._stream.begins_with(head) and (not head.length or self._form() == head.form)

    def is_same(self, identity: Identity) -> bool:
        """Return whether this file had *identity*; it may have grown since. Raises StorageError.

        The same file counts as another one if its events are counted in another way.
        """
        if not self._regular:
            return False
        with storage("The events file", self.name, "read"):
            return identify(Path(self.name), identity.head, self._form()).continues(identity)

    @property
    def divisible(self) -> bool:
        """Whether the file can be read from any offset: it is a plain regular file of lines."""
        return self._regular and self._by_lines() and self._opened().is_plain

    def spans(self, start: int, size: int) -> Iterator[tuple[int, int]]:
        """Yield start and end offsets of spans of about *size* bytes, from the offset *start* on.

        All spans consist of whole lines. Raises StorageError if the file cannot be read.
        """
        with storage("The events file", self.name, "read"), Path(self.name).open("rb") as file:
            end = self._end_of_lines(file)
            while start < end:
                file.seek(min(start + size, end) - 1)
                while (piece := file.readline(self.max_line)) and not piece.endswith(b"\n"):
                    pass
                yield start, file.tell()
                start = file.tell()

    def chunks(self, start: Position = START, stop: int | None = None) -> Iterator[Chunk]:
        """Yield the chunks from *start* up to the offset *stop*, in order; can be called once.

        Inside a line that is longer than a block, chunks without lines are yielded.
        *stop* must be at a line end of a divisible file. Raises StorageError if the file cannot be
        read, has no line end at *start*, or is damaged gzip; valid chunks before are yielded first.
        Raises ConfigurationError for a stream that holds something else than events.
        """
        with storage("The events file", self.name, "read"):
            try:
                if self._by_lines():
                    yield from self._chunks(start, stop)
                else:
                    yield from self._chunks_of_records(start.lines)
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise self._damaged(error) from error

    def _form(self) -> str:
        if self.unpack:
            return "unpacked"
        return "" if self._by_lines() else "document"

    def _by_lines(self) -> bool:
        return not self.unpack and self._opened().document is None

    def _opened(self) -> Content:
        if self._content is None:
            ready = self._regular or isinstance(self._file, io.BytesIO)
            try:
                self._content = open_content(
                    self._file, self.name, self.max_line + 1, regular=ready
                )
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise self._damaged(error) from error
        return self._content

    def _damaged(self, error: Exception) -> StorageError:
        return StorageError(
            f"The events file `{self.name}` is damaged or incomplete gzip: {error}. "
            "Create or download it again."
        )

    def _chunks(self, start: Position, stop: int | None) -> Iterator[Chunk]:
        content = self._opened()
        seekable = self._regular and content.is_plain
        source = self._file if seekable else content.source
        if seekable:
            line_ended, start = self._seek(start)
        else:
            line_ended = self._skip(source, start.offset)
        splitter = LineSplitter(start, self.max_line)
        limit = min(BLOCK, self.max_line)
        left = sys.maxsize if stop is None else stop - start.offset
        while block := source.read1(min(limit, left)):
            left -= len(block)
            if not line_ended:
                raise self._changed(start.offset)
            self.passed += len(block)
            yield from splitter.add(block)
        if seekable and not self._last_line and splitter.holds_part():
            self.unfinished = splitter.length
            return
        yield from splitter.finish()

    def _seek(self, start: Position) -> tuple[bool, Position]:
        """Seek to *start*; return whether a line ends there, and where the next one begins.

        The last line may have got its end since.
        """
        offset = start.offset
        self._file.seek(max(offset - 1, 0))
        if not offset or self._file.read(1) == b"\n":
            return True, start
        following = self._file.read(2)
        ended = len(following) if following == b"\r\n" else int(following[:1] == b"\n")
        self._file.seek(offset + ended)
        return ended > 0, Position(offset + ended, start.lines)

    def _end_of_lines(self, file: BinaryIO) -> int:
        """Return the offset up to which a file is to be read."""
        end = file.seek(0, os.SEEK_END)
        start = max(0, end - self.max_line)
        file.seek(start)
        part = file.read(end - start).rpartition(b"\n")[2]
        if self._last_line or _is_whole(part) or 0 < start == end - len(part):
            return end
        self.unfinished = len(part)
        return end - len(part)

    def _skip(self, source: Readable, offset: int) -> bool:
        """Read up to *offset*; return whether a line ends there."""
        block = b"\n"
        while self.passed < offset:
            block = source.read1(min(BLOCK, offset - self.passed))
            if not block:
                raise self._changed(offset)
            self.passed += len(block)
        return block.endswith(b"\n")

    def _changed(self, offset: int) -> StorageError:
        return StorageError(
            f"The events file `{self.name}` has no line end at byte {offset:,}, where the last "
            "run stopped: it was changed since. Restore it, or deliver the whole file again with "
            "--restart."
        )

    def _chunks_of_records(self, skipped: int) -> Iterator[Chunk]:
        """Yield chunks of single events, after the first *skipped* ones."""
        here = START
        for records in self._records():
            for group in _grouped(records, self.max_line):
                texts = [record.text for record in group]
                places = [record.place for record in group]
                size, number = sum(map(len, texts)), len(texts)
                end = Position(here.offset + size, here.lines + number)
                left = skipped - here.lines
                if left < number:
                    too_long = group[0].too_long
                    before = Position(here.offset, here.lines + max(left, 0))
                    first = max(left, 0)
                    yield Chunk(
                        () if too_long else texts[first:], before, end, too_long, places[first:]
                    )
                here = end

    def _records(self) -> Iterator[list[Record]]:
        """Yield the events of a file that are not counted by its lines."""
        document = self._opened().document
        batches = self._line_records() if document is None else iter([document])
        if not self.unpack:
            yield from batches
            return
        for records in batches:
            yield [part for record in records for part in self._parts(record)]

    def _line_records(self) -> Iterator[list[Record]]:
        for chunk in self._chunks(START, None):
            offset, records = chunk.start.offset, []
            for number, line in enumerate(chunk.lines, chunk.start.lines + 1):
                if not is_blank(line):
                    records.append(Record(line.removesuffix(b"\n"), Place(number, offset)))
                offset += len(line)
            if chunk.too_long:
                place = Place(chunk.start.lines + 1, chunk.start.offset)
                records.append(Record(b"", place, chunk.too_long))
            yield records

    def _parts(self, record: Record) -> Iterator[Record]:
        """Yield the events that an envelope holds, or the record itself."""
        try:
            found = unpack(parse(record.text)) if record.text else None
        except NotJSONError:
            found = None
        if found is None:
            yield record
            return
        self.unpacked[found.name] += 1
        for entry in found.entries:
            yield Record(json.encode(entry), record.place)


def identify(path: Path, head: int = HEAD, form: str = "") -> Identity:
    """Return the identity of the file at *path*, from its first *head* bytes; raises OSError."""
    with path.open("rb") as file:
        start = file.read(head)
        size = os.fstat(file.fileno()).st_size
    return Identity(size, len(start), hashlib.sha256(start).hexdigest(), form)


class LineSplitter:
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
            yield self._chunk(lines, size, block)
        elif self._length:
            yield Chunk((), self._here, self._here)
        self._buffer(rest)

    @property
    def length(self) -> int:
        """The number of bytes of a line that has no line end so far."""
        return self._length

    def holds_part(self) -> bool:
        """Return whether the last line has no line end, and is no whole object either."""
        return 0 < self._length <= self._max_line and not _is_whole(b"".join(self._rest))

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

    def _chunk(self, lines: Sequence[bytes], size: int, block: bytes = b"") -> Chunk:
        return Chunk(lines, *self._advance(size, len(lines)), block=block)

    def _too_long(self, length: int, line_end: int) -> Chunk:
        return Chunk((), *self._advance(length + line_end, 1), length)

    def _advance(self, size: int, lines: int) -> tuple[Position, Position]:
        start = self._here
        self._here = Position(start.offset + size, start.lines + lines)
        self._rest, self._length = [], 0
        return start, self._here


def _is_whole(line: bytes) -> bool:
    """Return whether a line without its end is blank or an object, which cannot continue."""
    try:
        return is_blank(line) or isinstance(parse(line), dict)
    except NotJSONError:
        return False


def _grouped(records: Sequence[Record], max_line: int) -> Iterator[list[Record]]:
    """Yield *records* in groups of about a block; those that are too long alone."""
    group: list[Record] = []
    size = 0
    for record in records:
        length = record.too_long or len(record.text)
        if group and (size > BLOCK or length > max_line):
            yield group
            group, size = [], 0
        if length > max_line:
            yield [Record(b"", record.place, length)]
        else:
            group.append(record)
            size += length
    if group:
        yield group


def _open(source: EventSource) -> io.BufferedReader:
    if not isinstance(source, str | Path):
        return cast("io.BufferedReader", source)
    if str(source) == "-":
        return cast("io.BufferedReader", sys.stdin.buffer)
    return Path(source).open("rb")
