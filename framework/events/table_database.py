"""A database of its own for the tables in a few files, which may read these and nothing else.

What exceeds its memory is kept on disk, in a folder that is removed in the end. Errors of DuckDB
become one line without a value of the table.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from framework.errors import ConfigurationError, FrameworkError, StorageError, how_to_install
from framework.events.table_formats import check_names, pattern_of, source_of, text

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from duckdb.sqltypes import DuckDBPyType

MEMORY: Final = "1GB"
"""Memory for comparing and sorting rows."""

THREADS: Final = 4
"""Maximum number of threads of a database; each needs a part of the memory."""

ROWS_AT_ONCE: Final = 1_000
"""Number of rows that are fetched at once."""

_LINE: Final = re.compile(r"CSV Error on Line: (\d+)")
_CSV_REASONS: Final = (
    (r"Expected Number of Columns: (\d+) Found: (\d+)", r"the row has \2 columns, the header \1"),
    (r"unterminated quote", "a quoted value has no end"),
    (r"(?i)unicode|utf-8", "the text is not UTF-8"),
    (r"(?i)error when converting", "a value is not of the type that the query asks for"),
)
_VALUES: Final = re.compile(r"'[^']*'|\"[^\"]*\"|-?\d[\d.]*")
_WITHOUT_VALUES: Final = frozenset(
    {"Binder Error", "Catalog Error", "IO Error", "Parser Error", "Permission Error"}
)
"""Kinds of errors that are about the text of a query or a file as a whole."""


class Column(NamedTuple):
    """A column of a table: its *name*, and its *type* in DuckDB's terms."""

    name: str
    type: DuckDBPyType


class Table(NamedTuple):
    """A table of a database: the SQL *relation* of its rows, and its *columns* by name."""

    path: str
    relation: str
    columns: dict[str, Column]


class TableDatabase:
    """A database for the tables in the files at *paths*; close it in the end.

    Raises StorageError for a file that cannot be read, ConfigurationError if a file holds no
    table or DuckDB is not installed.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = paths
        self._sources = {path: source_of(path) for path in paths}
        duckdb = _duckdb()
        self._folder = TemporaryDirectory(prefix="actions-table-")
        with self._reported():
            self._duckdb: DuckDBPyConnection = duckdb.connect(f"{self._folder.name}/work.db")
            files = [str(Path(path).resolve()) for path in paths]
            readable = [*files, *map(pattern_of, paths), *(f"{file}.wal" for file in files)]
            for setting in (
                f"memory_limit = '{MEMORY}'",
                f"threads = {min(THREADS, os.cpu_count() or 1)}",
                f"temp_directory = {text(self._folder.name)}",
                "TimeZone = 'UTC'",
                "autoinstall_known_extensions = false",
                "autoload_known_extensions = false",
                "python_enable_replacements = false",
                f"allowed_paths = [{', '.join(map(text, readable))}]",
                "enable_external_access = false",
                "lock_configuration = true",
            ):
                self._duckdb.execute(f"SET {setting}")

    def close(self) -> None:
        """Close the database and remove what it kept on disk."""
        self._duckdb.close()
        self._folder.cleanup()

    def table(self, name: str, path: str, query: str | None) -> Table:
        """Return the table in a file, or what *query* selects of it, where it is called `rows`.

        Raises ConfigurationError if the query is wrong, or missing for a file of many tables.
        """
        source = self._sources[path]
        if source is None and query is None:
            raise ConfigurationError(f"`{path}` is a database. Select its rows with --query.")
        with self._reported():
            self._duckdb.execute(f"CREATE SCHEMA work.{name}")
            self._duckdb.execute(f"USE work.{name}")
            if source is None:
                file = text(str(Path(path).resolve()))
                self._duckdb.execute(f"ATTACH IF NOT EXISTS {file} AS file_{name} (READ_ONLY)")
                self._duckdb.execute(f"USE file_{name}")
            else:
                self._check_names(path, source)
                self._duckdb.execute(f"CREATE VIEW rows AS FROM {source}")
        relation = f"work.{name}.rows"
        if query is not None:
            relation = f"work.{name}.selected"
            with self._reported(query=True):
                select = _only_select(self._duckdb, query)
                self._duckdb.execute(f"CREATE TABLE {relation} AS {select}")
        with self._reported():
            found = self._duckdb.execute(f"FROM {relation} LIMIT 0").description or []
        return Table(path, relation, {one[0]: Column(one[0], one[1]) for one in found})

    def _check_names(self, path: str, source: str) -> None:
        """Raise ConfigurationError for columns of a Parquet file that DuckDB would rename."""
        if not source.startswith("read_parquet"):
            return
        schema = f"SELECT name, num_children FROM parquet_schema({text(pattern_of(path))})"  # noqa: S608 - quoted
        (_, *parts) = self._duckdb.execute(schema).fetchall()
        names, inside = [], 0
        for name, children in parts:  # in depth-first order, after the root
            if not inside:
                names.append(name)
            inside = max(0, inside - 1) + (children or 0)
        check_names(path, names)

    def one(self, query: str) -> tuple[Any, ...] | None:
        """Return the first row of a query, or None."""
        with self._reported():
            row: tuple[Any, ...] | None = self._duckdb.execute(query).fetchone()
            return row

    def all(self, query: str) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of a query, some at a time."""
        with self._reported():
            self._duckdb.execute(query)
            while rows := self._duckdb.fetchmany(ROWS_AT_ONCE):
                yield rows

    @contextmanager
    def _reported(self, *, query: bool = False) -> Iterator[None]:
        try:
            yield
        except _duckdb().Error as error:
            raise self._described(str(error), query=query) from None

    def _described(self, message: str, *, query: bool) -> FrameworkError:
        """Return what went wrong, in one line; values, which may be of people, are left out."""
        path = next((one for one in self._paths if str(Path(one).resolve()) in message), None)
        path = path or self._paths[0]
        if line := _LINE.search(message):
            reason = next(
                (found.expand(text) for pattern, text in _CSV_REASONS
                 if (found := re.search(pattern, message))),
                "the line is not a row of the table",
            )  # fmt: skip
            return ConfigurationError(f"`{path}:{line[1]}`: {reason}. Correct the file.")
        kind, _, reason = message.partition("\n")[0].partition(": ")
        if kind not in _WITHOUT_VALUES:
            reason = _VALUES.sub("...", reason)
        if query:
            return ConfigurationError(f"--query cannot be run over `{path}`: {reason}")
        return StorageError(f"The table `{path}` cannot be read: {reason}")


def _only_select(database: DuckDBPyConnection, query: str) -> str:
    """Return the text of a query; raises ConfigurationError if it is anything but one SELECT."""
    from duckdb import StatementType  # noqa: PLC0415 - an extra

    statements = database.extract_statements(query)
    if [one.type for one in statements] != [StatementType.SELECT]:
        raise ConfigurationError("--query must be one SELECT statement.")
    return str(statements[0].query).strip().rstrip(";")


def _duckdb() -> Any:
    try:
        import duckdb  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigurationError(
            f"Tables need the package `duckdb` ({error}). Install it: {how_to_install('tables')}"
        ) from None
    return duckdb
