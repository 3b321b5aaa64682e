"""A database of its own for the tables in a few places, which may read these and nothing else.

What exceeds its memory is kept on disk, in a folder that is removed in the end. Errors of DuckDB
become one line without a value of the table.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from framework.errors import ConfigurationError, FrameworkError, StorageError, how_to_install
from framework.events.table_formats import DUCKDB, check_names, pattern_of, quoted, text
from framework.events.table_sources import QueryResult, ResultColumn, TableSource

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
    """A table: its *name* in messages, the SQL *relation* of its rows, its *columns* by name."""

    name: str
    relation: str
    columns: dict[str, Column]


class TableDatabase:
    """A database for the tables at *sources*; close it in the end.

    Raises StorageError for a file that cannot be read, ConfigurationError if DuckDB is not
    installed.
    """

    def __init__(self, sources: Sequence[TableSource]) -> None:
        paths = [one.text for one in sources if not one.is_server]
        self._names = [(str(Path(path).resolve()), path) for path in paths]
        duckdb = _duckdb()
        self._folder = TemporaryDirectory(prefix="actions-table-")
        self._saved = f"{self._folder.name}/saved.parquet"
        with self._reported():
            self._duckdb: DuckDBPyConnection = duckdb.connect(f"{self._folder.name}/work.db")
            files = [file for file, _ in self._names]
            readable = [*files, *map(pattern_of, paths), *(f"{file}.wal" for file in files)]
            readable.append(self._saved)
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

    def table(self, name: str, source: TableSource, query: str | None) -> Table:
        """Return a table as *name*, or what *query* selects of it: in a file, of the table `rows`.

        Raises ConfigurationError if the query is wrong, or missing for a database.
        """
        if source.is_database and query is None:
            raise ConfigurationError(
                f"`{source.name}` is a database. Select its rows with --query."
            )
        with self._reported():
            self._duckdb.execute(f"CREATE SCHEMA work.{name}")
            self._duckdb.execute(f"USE work.{name}")
        relation = f"work.{name}.{'rows' if query is None else 'selected'}"
        if source.is_database and source.table.kind != DUCKDB:
            assert query is not None
            with _query_result(source, query) as result:
                self._keep(relation, result.columns, result.groups)
        else:
            self._open(name, source)
            if query is not None:
                self._select(relation, source, query)
        return self._known(source.name, relation)

    def _known(self, name: str, relation: str) -> Table:
        """Return the table of a relation, with its columns."""
        with self._reported():
            found = self._duckdb.execute(f"FROM {relation} LIMIT 0").description or []
        return Table(name, relation, {one[0]: Column(one[0], one[1]) for one in found})

    def _open(self, name: str, source: TableSource) -> None:
        """Make the table of a file known as `rows`, or a database the one that is used."""
        with self._reported():
            if source.is_database:
                file = text(str(Path(source.text).resolve()))
                self._duckdb.execute(f"ATTACH IF NOT EXISTS {file} AS file_{name} (READ_ONLY)")
                self._duckdb.execute(f"USE file_{name}")
            else:
                self._check_names(source)
                self._duckdb.execute(f"CREATE VIEW rows AS FROM {source.table.relation}")

    def _select(self, relation: str, source: TableSource, query: str) -> None:
        """Keep what a query of DuckDB selects."""
        with self._reported(query=source.name):
            select = _only_select(self._duckdb, query)
            names = [row[0] for row in self._duckdb.execute(f"DESCRIBE {select}").fetchall()]
            check_names(source.name, names, "Rename them with AS in --query.")
            self._duckdb.execute(f"CREATE TABLE {relation} AS {select}")

    def _keep(
        self, relation: str, columns: Sequence[ResultColumn], groups: Iterator[list[list[Any]]]
    ) -> None:
        """Keep the result of a query that another database has run."""
        kept = ", ".join(f"{quoted(one.name)} {one.type}" for one in columns)
        cast = ", ".join(f"unnest(?::{one.given}[])::{one.type}" for one in columns)
        with self._reported():
            self._duckdb.execute(f"CREATE TABLE {relation} ({kept})")
        for values in groups:
            try:
                self._duckdb.execute(f"INSERT INTO {relation} SELECT {cast}", values)
            except _duckdb().Error:
                raise self._not_kept(columns, values) from None

    def _not_kept(self, columns: Sequence[ResultColumn], values: list[list[Any]]) -> FrameworkError:
        """Return the error for a value that DuckDB cannot keep in its column's type."""
        for column, given in zip(columns, values, strict=True):
            try:
                self._duckdb.execute(f"SELECT unnest(?::{column.given}[])::{column.type}", [given])
            except _duckdb().Error:
                return ConfigurationError(
                    f"The column `{column.name}` of --query has a value that {column.type} does "
                    "not have here, such as a year before 1. Cast it to text in the query."
                )
        return StorageError("The result of --query cannot be kept. Free some space for it.")

    def digest(self, table: Table) -> str:
        """Return a digest of a table's columns and rows, whatever their order."""
        columns = [f"{one.name} {one.type}" for one in table.columns.values()]
        (number, mixed) = self.one(
            "SELECT count(*), bit_xor(md5_number(to_json(t)::VARCHAR)) "  # noqa: S608 - quoted
            f"FROM (SELECT * FROM {table.relation}) AS t"
        ) or (0, 0)
        return f"{columns} {number} {mixed}"

    def saved(self, table: Table, order: str) -> Path:
        """Return a Parquet file with the rows of a table in an *order*, removed by `close`.

        Raises ConfigurationError for values that would not be the same in it, such as sums of
        DuckDB, which it writes as floating-point numbers.
        """
        with self._reported():
            self._duckdb.execute(
                f"COPY (FROM {table.relation} AS n ORDER BY {order}) TO {text(self._saved)} "
                "(FORMAT parquet, COMPRESSION zstd)"
            )
        saved = self._known(table.name, f"read_parquet({text(self._saved)})")
        other = [
            f"`{name}` ({column.type})"
            for name, column in table.columns.items()
            if str(saved.columns[name].type) != str(column.type)
        ]
        if other or self.digest(saved) != self.digest(table):
            columns = ", ".join(other) or "intervals shorter than a millisecond"
            raise ConfigurationError(
                f"Parquet cannot hold these columns of `{table.name}` as they are: {columns}. "
                "Cast them in --query, for example to bigint or text."
            )
        return Path(self._saved)

    def _check_names(self, source: TableSource) -> None:
        """Raise ConfigurationError for columns of a Parquet file that DuckDB would rename."""
        if source.table.kind != "parquet":
            return
        pattern = text(pattern_of(source.text))
        schema = f"SELECT name, num_children FROM parquet_schema({pattern})"  # noqa: S608 - quoted
        (_, *parts) = self._duckdb.execute(schema).fetchall()
        names, inside = [], 0
        for name, children in parts:  # in depth-first order, after the root
            if not inside:
                names.append(name)
            inside = max(0, inside - 1) + (children or 0)
        check_names(source.name, names)

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
    def _reported(self, *, query: str = "") -> Iterator[None]:
        """Describe errors of DuckDB, with *query* as those of a query over what is called so."""
        try:
            yield
        except _duckdb().Error as error:
            raise self._described(str(error), query) from None

    def _described(self, message: str, query: str) -> FrameworkError:
        """Return what went wrong, in one line; values, which may be of people, are left out."""
        path = next((path for file, path in self._names if file in message), query)
        path = path or next((path for _, path in self._names), "")
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
        what = f"The table `{path}`" if path else "The result of --query"
        return StorageError(f"{what} cannot be read: {reason}")


def _query_result(source: TableSource, query: str) -> AbstractContextManager[QueryResult]:
    """Return the result of a query in a database of SQLite or PostgreSQL, which it cannot change.

    Raises ConfigurationError for a query that cannot be run or a value that no event can hold,
    StorageError if the database cannot be read.
    """
    if source.is_server:
        from framework.events.postgres_rows import postgres_result  # noqa: PLC0415 - an extra

        return postgres_result(source.text, source.name, query)
    from framework.events.sqlite_rows import sqlite_result  # noqa: PLC0415 - at first use

    return sqlite_result(source.text, query)


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
