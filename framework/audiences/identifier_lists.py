"""Lists of identifiers in files: one on each line, or in a column of a CSV file."""

from __future__ import annotations

import csv
import gzip
import io
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Final, Self, cast

from framework.errors import ConfigurationError, StorageError
from framework.events import STANDARD_INPUT
from framework.storage import reason_of

MAX_LINE: Final = 65_536
"""Bytes of a line; a longer one is no identifier."""

_GZIP: Final = b"\x1f\x8b"
_BOM: Final = b"\xef\xbb\xbf"
_DELIMITERS: Final = ",;\t|"


class IdentifierList:
    """The identifiers in the file at *path*, plain or gzip, which can be read several times.

    Each line is one, or its value in *column* if the file is CSV with a header. Standard input is
    copied to a temporary file that no other process can open. A context manager.
    Raises StorageError if the file cannot be read, ConfigurationError for a column that it does
    not have.
    """

    def __init__(self, path: str, column: str | None = None) -> None:
        self.name = "standard input" if path == STANDARD_INPUT else path
        self._path = path
        self._column = column
        self._copy: IO[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._copy:
            self._copy.close()

    def lines(self) -> Iterator[tuple[int, str | None]]:
        """Yield the number of each line (from 1) that is not blank, and its identifier.

        The identifier is None if the line is too long or not UTF-8, and for a row without a value
        in the column.
        """
        try:
            with ExitStack() as stack:
                file = self._open(stack)
                yield from self._plain(file) if self._column is None else self._csv(file)
        except (OSError, EOFError) as error:  # damaged gzip is one of these
            reason = reason_of(error) if isinstance(error, OSError) else f"{error}."
            raise StorageError(f"The list `{self.name}` cannot be read: {reason}") from error

    def _open(self, stack: ExitStack) -> IO[bytes]:
        if self._path == STANDARD_INPUT:
            if self._copy is None:
                self._copy = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the list
                shutil.copyfileobj(sys.stdin.buffer, self._copy)
            self._copy.seek(0)
            file: IO[bytes] = self._copy
        else:
            file = stack.enter_context(Path(self._path).open("rb"))  # noqa: SIM115 - by the stack
        head = file.read(len(_GZIP))
        file.seek(0)
        if head != _GZIP:
            return file
        unpacked = gzip.open(file)  # noqa: SIM115 - closed by the stack
        stack.callback(unpacked.close)
        return cast("IO[bytes]", unpacked)

    @staticmethod
    def _plain(file: IO[bytes]) -> Iterator[tuple[int, str | None]]:
        number = 0
        while line := file.readline(MAX_LINE):
            number += 1
            if len(line) == MAX_LINE and not line.endswith(b"\n"):
                while (rest := file.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                    pass
                yield number, None
            elif text := (line.removeprefix(_BOM) if number == 1 else line).strip():
                yield number, _decoded(text)

    def _csv(self, file: IO[bytes]) -> Iterator[tuple[int, str | None]]:
        text = io.TextIOWrapper(
            io.BufferedReader(_Unclosed(file)), "utf-8-sig", errors="surrogateescape", newline=""
        )
        header = text.readline(MAX_LINE)
        for delimiter in _DELIMITERS:
            columns = next(csv.reader([header], delimiter=delimiter), [])
            if self._column in columns:
                break
        else:
            known = ", ".join(f"`{one}`" for one in next(csv.reader([header]), []))
            raise ConfigurationError(
                f"The list `{self.name}` has no column `{self._column}` in its first line, which "
                f"has {known or 'nothing'}."
            )
        place = columns.index(self._column)
        reader = csv.reader(text, delimiter=delimiter)
        try:
            for row in reader:
                if any(row):
                    value = row[place].strip() if len(row) > place else ""
                    yield reader.line_num + 1, value if value and _is_text(value) else None
        except csv.Error as error:
            raise ConfigurationError(
                f"The list `{self.name}` is no valid CSV at line {reader.line_num + 1}: {error}."
            ) from None


class _Unclosed(io.RawIOBase):
    """Reads a file that stays open."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read into *buffer*; return the number of bytes."""
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _decoded(line: bytes) -> str | None:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return None


def _is_text(value: str) -> bool:
    return not any("\ud800" <= one <= "\udfff" for one in value) if not value.isascii() else True
