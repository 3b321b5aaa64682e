"""Recognizing by their first bytes files that hold no events as JSON, to name what they are."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_AS_LINES: Final = "Write the events of it as lines of JSON (NDJSON)."
_TABLE: Final = "Name its key columns with --key to read its rows as events."
_DATABASE: Final = "Name the key columns of its rows with --key, and select them with --query."
_UNPACK: Final = "Unpack it first, for example with `{}`."


class FileKind(NamedTuple):
    """A kind of file: its name with an article, and what to do with such a file."""

    name: str
    remedy: str


_SIGNATURES: Final = (
    (b"PK\x05\x06", FileKind("an empty zip archive", _AS_LINES)),
    (b"\xfd7zXZ\x00", FileKind("compressed with xz", _UNPACK.format("xz -dc FILE"))),
    (b"\x28\xb5\x2f\xfd", FileKind("compressed with zstd", _UNPACK.format("zstd -dc FILE"))),
    (b"\x04\x22\x4d\x18", FileKind("compressed with lz4", _UNPACK.format("lz4 -dc FILE"))),
    (b"\xff\x06\x00\x00sNaPpY", FileKind("compressed with Snappy", "Unpack it first.")),
    (b"\x1f\x8b", FileKind("compressed with gzip twice", _UNPACK.format("gzip -dc FILE"))),
    (b"\x1f\x9d", FileKind("compressed with compress", _UNPACK.format("gzip -dc FILE"))),
    (b"7z\xbc\xaf\x27\x1c", FileKind("a 7z archive", _UNPACK.format("7z x FILE"))),
    (b"Rar!\x1a\x07", FileKind("a RAR archive", "Unpack it first.")),
    (b"PAR1", FileKind("a Parquet file", _TABLE)),
    (b"Obj\x01", FileKind("an Avro file", _AS_LINES)),
    (b"ORC", FileKind("an ORC file", _AS_LINES)),
    (b"ARROW1", FileKind("an Arrow file", _AS_LINES)),
    (b"FEA1", FileKind("a Feather file", _AS_LINES)),
    (b"\xff\xff\xff\xff", FileKind("an Arrow stream", _AS_LINES)),
    (b"%PDF-", FileKind("a PDF document", _AS_LINES)),
    (b"SQLite format 3\x00", FileKind("an SQLite database", _DATABASE)),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", FileKind("an old Office file, such as XLS", _AS_LINES)),
    (b"\x89HDF\r\n\x1a\n", FileKind("an HDF5 file", _AS_LINES)),
    (b"\x89PNG\r\n\x1a\n", FileKind("an image (PNG)", _AS_LINES)),
    (b"\xff\xd8\xff", FileKind("an image (JPEG)", _AS_LINES)),
    (b"GIF8", FileKind("an image (GIF)", _AS_LINES)),
    (b"\x7fELF", FileKind("a program", _AS_LINES)),
    (b"\x1e", FileKind("a JSON text sequence (RFC 7464)",
                   "Remove its record separators, for example with `tr -d '\\036'`.")),
)  # fmt: skip
_UTF_16: Final = "UTF-16 without a byte order mark"
_UTF_32: Final = FileKind("UTF-32", "Convert it, for example with `iconv -f UTF-32 -t UTF-8`.")
_BINARY: Final = FileKind("binary data", _AS_LINES)
_WRAPPED: Final = FileKind(
    "JSON with other text before it", "Remove everything before its first `[` or `{`."
)
_IDENTIFIERS: Final = FileKind(
    "a list of identifiers", "Write an event for each of them, as one JSON object per line."
)
_ENCODED: Final = "Convert it to lines of JSON, for example with a script or `jq`."

_PATTERNS: Final = (
    (
        re.compile(rb"PK\x03\x04.{0,2000}?(?:\[Content_Types\]\.xml|xl/)", re.DOTALL),
        FileKind("an Excel workbook (XLSX) or another Office document", _AS_LINES),
    ),
    (re.compile(rb"PK\x03\x04"), FileKind("a zip archive", _UNPACK.format("unzip -p FILE"))),
    (
        re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"),
        FileKind("compressed with bzip2", _UNPACK.format("bzip2 -dc FILE")),
    ),
    (re.compile(rb"(?:\xff\xfe\x00\x00|\x00\x00\xfe\xff)"), _UTF_32),
    (
        re.compile(rb".{257}ustar", re.DOTALL),
        FileKind("a tar archive", _UNPACK.format("tar -xf FILE")),
    ),
    (re.compile(rb".{8}DUCK", re.DOTALL), FileKind("a DuckDB database", _DATABASE)),
    (re.compile(rb"\x80[\x02-\x05]"), FileKind("a Python pickle", _AS_LINES)),
)
_DELIMITERS: Final = ((b",", "CSV"), (b"\t", "TSV"), (b";", "CSV"), (b"|", "CSV"))
_QUOTED: Final = re.compile(rb'"(?:[^"]|"")*"')
_IDENTIFIER: Final = re.compile(
    rb'"?(?:[^\s@,"]+@[^\s@,"]+|[0-9A-Fa-f]{32,64}|\+?[\d().-]{7,20})"?'
)
_OPENS: Final = re.compile(rb"[\[({]$|[\[(] ?\{")
_KEY: Final = re.compile(rb"(?:- )?[A-Za-z_][\w-]*:(?: |$)")


def of_bytes(head: bytes) -> FileKind | None:
    """Return the kind of a binary file or of an encoding that is not read; None for text."""
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    for pattern, kind in _PATTERNS:
        if pattern.match(head):
            return kind
    return _of_zeros(head)


def of_text(lines: list[bytes]) -> FileKind | None:
    """Return the kind of a text that is no JSON, by its first lines that are not blank."""
    if not lines:
        return None
    if any(line.lstrip().startswith((b"{", b"[")) for line in lines):
        return _WRAPPED if _has_text_before(lines) else None
    first = lines[0].lstrip()
    if first.startswith(b"<"):
        html = re.match(rb"<(?:!doctype html|html)", first, re.IGNORECASE)
        return FileKind("HTML" if html else "XML", _ENCODED)
    if first.startswith(b"---") or (len(lines) > 1 and all(map(_KEY.match, lines))):
        return FileKind("YAML", _ENCODED)
    if len(lines) > 1 and all(map(_IDENTIFIER.fullmatch, lines[1:])):
        return _IDENTIFIERS
    return _of_table(lines)


def _has_text_before(lines: list[bytes]) -> bool:
    """Return whether the JSON in *lines* is a document, rather than lines after a broken one.

    Then the line of its last item alone would be read as an event.
    """
    if _OPENS.search(lines[0]) or b"[" in lines:
        return True
    return len(lines) > 2 and all(line.endswith(b"},") for line in lines[1:])


def _of_table(lines: list[bytes]) -> FileKind | None:
    for delimiter, name in _DELIMITERS:
        columns = [_QUOTED.sub(b"", line).count(delimiter) for line in lines]
        if columns[0] and len(set(columns)) == 1 and _is_header(lines[0], delimiter):
            return FileKind(f"{name}, whose first line names columns", _TABLE)
    return None


def _is_header(line: bytes, delimiter: bytes) -> bool:
    """Return whether a line names columns: no cell is empty, a number or an address."""
    cells = [cell.strip().strip(b'"') for cell in line.split(delimiter)]
    return all(cell and not cell[:1].isdigit() and b"@" not in cell for cell in cells)


def _of_zeros(head: bytes) -> FileKind | None:
    """Return the kind of data with zero bytes, which JSON never has."""
    start = head[:512]
    zeros = start.count(0)
    even, odd = start[::2].count(0), start[1::2].count(0)
    if 3 * zeros > len(start) and min(even, odd) == 0:
        order = "BE" if even else "LE"
        return FileKind(_UTF_16, f"Convert it, for example with `iconv -f UTF-16{order} -t UTF-8`.")
    return _BINARY if start.startswith(b"\x00") or 10 * zeros > len(start) else None
