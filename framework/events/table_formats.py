"""Files that hold tables: CSV, Parquet, and databases of DuckDB and SQLite.

CSV is read as it is: every value is text, the header is the first line, and nothing is guessed
from samples, so that identifiers keep their zeros and their plus sign.
"""

from __future__ import annotations

import csv
import glob
import gzip
import io
from codecs import BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_LE
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from framework.errors import ConfigurationError
from framework.events.kinds import of_bytes
from framework.storage import storage

_DELIMITERS: Final = (",", "\t", ";", "|")
_HEADER: Final = 1_000_000
"""Maximum size of a CSV header in bytes."""

_GZIP: Final = b"\x1f\x8b"
_READ: Final = "Tables are read from CSV, Parquet, and databases of DuckDB and SQLite."

DUCKDB: Final = "duckdb"
SQLITE: Final = "sqlite"


class FileTable(NamedTuple):
    """What holds tables: its *kind*, and the SQL *relation* by which DuckDB reads the only one.

    A database has no relation: a query selects its rows.
    """

    kind: str
    relation: str = ""


def of_file(path: str) -> FileTable:
    """Return what the file at *path* holds.

    Raises StorageError if the file cannot be read, ConfigurationError if it holds no table.
    """
    with storage("The table", path, "read"), Path(path).open("rb") as file:
        head = file.read(_HEADER)
        packed = head.startswith(_GZIP)
        if packed:
            file.seek(0)
            try:
                head = gzip.GzipFile(fileobj=file).read(_HEADER)
            except EOFError:
                raise ConfigurationError(f"`{path}` is damaged or incomplete gzip.") from None
    if head.startswith(b"PAR1"):
        return FileTable("parquet", f"read_parquet({text(pattern_of(path))})")
    if head[8:12] == b"DUCK":
        return FileTable(DUCKDB)
    if head.startswith(b"SQLite format 3\0"):
        return FileTable(SQLITE)
    if head.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) and not head.startswith(BOM_UTF32_LE):
        raise ConfigurationError(
            f"`{path}` is UTF-16. Convert it, for example with `iconv -f UTF-16 -t UTF-8`."
        )
    if kind := of_bytes(head):
        raise ConfigurationError(f"`{path}` looks like {kind.name}. {_READ}")
    if head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith((b"{", b"[")):
        raise ConfigurationError(f"`{path}` looks like JSON. {_READ} Leave out --key.")
    return FileTable("csv", _csv_relation(path, head, packed=packed))


def pattern_of(path: str) -> str:
    """Return the pattern by which DuckDB finds the file at *path*, and no other one."""
    return glob.escape(str(Path(path).resolve()))


def quoted(name: str) -> str:
    """Return a column's name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """Return a text as SQL."""
    return "'" + value.replace("'", "''") + "'"


def check_names(name: str, columns: Sequence[str], remedy: str = "Rename them.") -> None:
    """Raise ConfigurationError for names of *columns* that DuckDB cannot tell apart."""
    folded = Counter(column.lower() for column in columns)
    if repeated := [column for column in columns if folded[column.lower()] > 1]:
        listed = ", ".join(f"`{column}`" for column in repeated[:4])
        raise ConfigurationError(
            f"`{name}` has columns of the same name, apart from case: {listed}. {remedy}"
        )


def _csv_relation(path: str, head: bytes, *, packed: bool) -> str:
    names, delimiter = _header(path, head)
    columns = ", ".join(f"{text(name)}: 'VARCHAR'" for name in names)
    return (
        f"read_csv({text(pattern_of(path))}, columns = {{{columns}}}, delim = {text(delimiter)}, "
        "auto_detect = false, header = true, quote = '\"', escape = '\"', nullstr = '', "
        f"allow_quoted_nulls = false, compression = '{'gzip' if packed else 'none'}', "
        "strict_mode = true)"
    )


def _header(path: str, head: bytes) -> tuple[list[str], str]:
    """Return the names of the columns and the delimiter; raises ConfigurationError."""
    try:
        start = head.decode("utf-8-sig", "strict" if len(head) < _HEADER else "replace")
    except UnicodeDecodeError:
        raise ConfigurationError(
            f"`{path}` is not UTF-8. Convert it, for example with `iconv -t UTF-8`."
        ) from None
    first, _, _ = start.partition("\n")
    delimiter = max(_DELIMITERS, key=first.count)  # the first of those that are equally frequent
    names = next(csv.reader(io.StringIO(start, newline=""), delimiter=delimiter), [])
    if not names or not all(names):
        raise ConfigurationError(f"`{path}` needs a first line that names every column.")
    check_names(path, names)
    return names, delimiter
