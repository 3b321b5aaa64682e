"""Where tables are: files of tables, and databases whose rows a query selects."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from framework.errors import ConfigurationError, how_to_install
from framework.events.table_formats import FileTable, of_file

_SERVER: Final = re.compile(r"postgres(?:ql)?://")
_URL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_SQLITE: Final = "sqlite:"

POSTGRESQL: Final = "postgresql"


class TableSource(NamedTuple):
    """Where a table is: a path or a URL as *text*, its *name* in messages, and what is there."""

    text: str
    name: str
    table: FileTable

    @property
    def is_database(self) -> bool:
        """Whether a query selects its rows."""
        return not self.table.relation

    @property
    def is_server(self) -> bool:
        """Whether it is no file."""
        return self.table.kind == POSTGRESQL


class ResultColumn(NamedTuple):
    """A column of a query's result: its *name*, its *type* in DuckDB, and that of what is *given*.

    Values are given as the second, and cast to the first.
    """

    name: str
    type: str
    given: str


class QueryResult(NamedTuple):
    """The result of a query: its *columns*, and *groups* of rows as a list of values per column."""

    columns: list[ResultColumn]
    groups: Iterator[list[list[Any]]]


def is_server(text: str) -> bool:
    """Return whether *text* is the address of a database on a server.

    Raises ConfigurationError for an address that is not read; it is not repeated, as it may hold a
    password.
    """
    if _SERVER.match(text):
        return True
    if other := _URL.match(text):
        raise ConfigurationError(
            f"Nothing is read from {other[1]}:// addresses. Name a file, or with --key and --query "
            "a database of PostgreSQL, postgresql://USER@HOST/DATABASE. Let the client of any "
            "other database write a CSV file."
        )
    return False


def local_path(text: str) -> str:
    """Return the path of a file that may be written `sqlite:PATH`, as addresses of stores are."""
    return text.removeprefix(_SQLITE)


def table_source(text: str) -> TableSource:
    """Return what is at a path or URL.

    Raises StorageError if a file cannot be read, ConfigurationError if it holds no table, if an
    address cannot be read, or without the extra that it needs.
    """
    if is_server(text):
        return TableSource(text, _shown(text), FileTable(POSTGRESQL))
    path = local_path(text)
    return TableSource(path, path, of_file(path))


def _shown(url: str) -> str:
    """Return an address without what is secret; raises ConfigurationError."""
    try:
        from framework.postgres_address import read_address  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigurationError(
            f"Tables of PostgreSQL need the package `psycopg` ({error}). Install it: "
            f"{how_to_install('postgres')}"
        ) from None
    return read_address(url, "the PostgreSQL database").shown
