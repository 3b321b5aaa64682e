"""The text of an event file: unpacked, in UTF-8, and recognized as lines or as a document.

Everything is decided by the first bytes and, where these are no line with an object, by as much
of the file as is needed. What is no text with events is refused here, before anything is sent.
"""

from __future__ import annotations

import codecs
import gzip
import io
import json
import re
import zlib
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from framework.errors import ConfigurationError
from framework.events.json_documents import DocumentError, Record, ends_early, ends_in_string, split
from framework.events.kinds import FileKind, of_bytes, of_text
from framework.events.parsing import BOM

MAX_DOCUMENT: Final = 64_000_000
"""Maximum size in bytes of a JSON document; files with one event on each line have no limit."""

BLOCK: Final = 128 * 1024
"""Bytes read at once; much larger blocks exceed the processor's cache and decode more slowly."""

_SEEN: Final = 4096
"""Bytes by which the kind of a file is recognized."""

_GZIP: Final = b"\x1f\x8b"
_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_FIRST: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*+(\S[^\n]*)(\n|\Z)")
_DAMAGED: Final = (EOFError, gzip.BadGzipFile, zlib.error)
_AS_LINES: Final = "Make lines of it, for example with `jq -c {} FILE > events.ndjson`."
_ITEMS: Final = "'.[]'"


class Readable(Protocol):
    """A source of bytes."""

    def read1(self, size: int = -1, /) -> bytes:
        """Return at most *size* bytes as soon as some are there; none at the end."""
        ...


class Content(NamedTuple):
    """What an event file holds.

    *is_plain* is whether *source* is the file itself, neither unpacked nor converted. *document*
    is None for a file of lines, otherwise its values, which were read from *source*.
    """

    source: Readable
    is_plain: bool
    document: list[Record] | None = None


class Lookahead:
    """A source of bytes of which the beginning can be looked at before it is read."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._head = bytearray()
        self._damage: Exception | None = None
        self.ended = False

    def look(self, limit: int, enough: Callable[[bytearray], bool] = lambda _: False) -> bytes:
        """Return the beginning, once it is *enough*, has *limit* bytes, or is all."""
        while not self.ended and len(self._head) < limit and not enough(self._head):
            try:
                block = self._source.read1(min(BLOCK, limit - len(self._head)))
            except _DAMAGED as error:  # what comes before is good
                block, self._damage = b"", error
            self._head += block
            self.ended = not block
        return bytes(self._head[:limit])

    def whole(self, limit: int) -> bytes:
        """Return all of the source, or more than *limit* bytes; raises what reading it raises."""
        head = self.look(limit + 1)
        if self._damage:
            raise self._damage
        return head

    def read1(self, size: int = -1, /) -> bytes:
        """Return the next bytes."""
        if self._head:
            block = bytes(self._head[:size] if size >= 0 else self._head)
            del self._head[: len(block)]
            return block
        if self._damage:
            raise self._damage
        return self._source.read1(size if size >= 0 else BLOCK)

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes, as `gzip` reads them."""
        return self.read1(size)


class _Converted:
    """UTF-16 with a byte order mark, read as UTF-8."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._decoder = codecs.getincrementaldecoder("utf-16")("replace")
        self._rest = b""

    def read1(self, size: int = -1, /) -> bytes:
        while not self._rest:
            block = self._source.read1(size)
            text = self._decoder.decode(block, final=not block)
            self._rest = text.encode("utf-8", "replace")
            if not block:
                break
        size = size if size >= 0 else len(self._rest)
        block, self._rest = self._rest[:size], self._rest[size:]
        return block


def open_content(file: io.BufferedReader, name: str, window: int, *, regular: bool) -> Content:
    """Return the content of a file, recognized by at most *window* bytes of its first line.

    *name* is for messages; a *regular* file can be read ahead without waiting. Raises
    ConfigurationError for a file of another kind or a broken document, OSError, EOFError and
    zlib.error if the file cannot be read.
    """
    ahead = Lookahead(file)
    is_plain = True
    if ahead.look(2).startswith(_GZIP):
        is_plain = False
        ahead = Lookahead(gzip.GzipFile(fileobj=ahead))  # type: ignore[call-overload]
    start = ahead.look(_SEEN, lambda head: not regular and _has_line(head))
    if start.startswith(_UTF_16) and not start.startswith(codecs.BOM_UTF32_LE):
        is_plain = False
        ahead = Lookahead(_Converted(ahead))
    return _Recognition(ahead, name, window).content(is_plain=is_plain)


class _Recognition:
    """Recognizes what the text of a file holds."""

    def __init__(self, ahead: Lookahead, name: str, window: int) -> None:
        self._ahead = ahead
        self._name = name
        self._window = max(window, _SEEN)

    def content(self, *, is_plain: bool) -> Content:
        """Return the content; raises ConfigurationError."""
        head = self._ahead.look(self._window, _has_line)
        if kind := of_bytes(head):
            raise self._is(kind)
        first = _first_line(head)
        document = self._document(first) if first else None
        return Content(self._ahead, is_plain, document)

    def _document(self, first: bytes) -> list[Record] | None:
        """Return the values of a document; None for a file of lines."""
        if first.startswith(b"["):
            return self._array(first)
        if not first.startswith(b"{"):
            if kind := of_text(self._lines(3)):
                raise self._is(kind)
            return None
        rest = _after_object(first)
        if rest is None:
            return self._unfinished(first)
        if rest == b",":
            return self._split("objects with commas between them", ".")
        if rest.startswith((b"{", b"[", b",")):
            return self._split_or_lines()
        return None

    def _array(self, first: bytes) -> list[Record] | None:
        """Read a file that starts with an array, unless that is only its first line."""
        try:
            json.loads(first)
        except (ValueError, RecursionError):
            return self._split("a JSON array", _ITEMS)
        return self._split("a JSON array", _ITEMS) if len(self._lines(2)) < 2 else None

    def _unfinished(self, first: bytes) -> list[Record] | None:
        """Read a file whose first line starts an object, and does not end it."""
        lines = self._lines(2)
        goes_on = len(lines) > 1 and (not lines[1].startswith(b"{") or lines[1].endswith(b","))
        cut = ends_in_string(first.decode("utf-8", "surrogateescape"))
        if goes_on and not cut:
            return self._split("JSON over several lines", ".")
        return self._split_or_lines() if cut or first.endswith((b"{", b"[", b":", b",")) else None

    def _split_or_lines(self) -> list[Record] | None:
        """Read the file as a document if it is one; otherwise it has a broken first line."""
        data = self._ahead.whole(MAX_DOCUMENT)
        if len(data) > MAX_DOCUMENT:
            return None
        try:
            return self._take(split(data))
        except DocumentError:
            return None

    def _split(self, what: str, filter_: str) -> list[Record]:
        """Read the file as a document; raises ConfigurationError if it is too large or broken."""
        data = self._ahead.whole(MAX_DOCUMENT)
        if len(data) > MAX_DOCUMENT:
            raise ConfigurationError(
                f"`{self._name}` holds {what}, which is read up to {MAX_DOCUMENT:,} bytes. "
                + _AS_LINES.format(filter_)
            )
        try:
            return self._take(split(data))
        except DocumentError as error:
            raise ConfigurationError(
                f"`{self._name}:{error.line}`: the file holds {what} that is damaged: "
                f"{error.reason}. Nothing was sent. Correct it, or write one event on each line."
            ) from None

    def _take(self, records: list[Record]) -> list[Record]:
        """Return the records, and read over what they were made of."""
        while self._ahead.read1(MAX_DOCUMENT + 1):
            pass
        return records

    def _lines(self, number: int) -> list[bytes]:
        """Return up to *number* first lines that are not blank, stripped."""
        head = self._ahead.look(self._window, lambda head: len(_whole_lines(head)) >= number)
        lines = head.removeprefix(BOM).split(b"\n") if self._ahead.ended else _whole_lines(head)
        return [line.strip() for line in lines if line.strip()][:number]

    def _is(self, kind: FileKind) -> ConfigurationError:
        return ConfigurationError(
            f"`{self._name}` looks like {kind.name}, but events are read as JSON, one object per "
            f"line. Nothing was sent. {kind.remedy}"
        )


def _has_line(head: bytearray) -> bool:
    """Return whether *head* has a whole line that is not blank."""
    return b"\n" in head and (match := _FIRST.match(head)) is not None and bool(match[2])


def _whole_lines(head: bytes | bytearray) -> list[bytes]:
    """Return the lines of *head* that are whole and not blank."""
    lines = bytes(head).removeprefix(BOM).split(b"\n")[:-1]
    return [line for line in lines if line.strip()]


def _first_line(head: bytes) -> bytes:
    match = _FIRST.match(head)
    return match[1].strip() if match else b""


def _after_object(line: bytes) -> bytes | None:
    """Return what follows the object that *line* starts with; None if it does not end there.

    For an object that is broken, that is nothing: it concerns its line alone.
    """
    text = line.decode("utf-8", "surrogateescape")
    if ends_early(text):
        return None
    try:
        _, end = json.JSONDecoder(parse_int=str, parse_float=str, strict=False).raw_decode(text)
    except (ValueError, RecursionError):
        return b""
    return text[end:].strip().encode("utf-8", "surrogateescape")
