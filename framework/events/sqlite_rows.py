"""Rows that a query selects in an SQLite database, which it reads and does not change.

SQLite gives each value a type, not each column; values become JSON one by one and keep theirs.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from framework.errors import ConfigurationError, FrameworkError, StorageError
from framework.events.table_formats import check_names
from framework.events.table_sources import QueryResult, ResultColumn

_ROWS_AT_ONCE: Final = 5_000
"""Number of rows that are fetched at once."""

_REFUSED: Final = frozenset(
    {
        sqlite3.SQLITE_ATTACH,
        sqlite3.SQLITE_DETACH,
        sqlite3.SQLITE_PRAGMA,
        sqlite3.SQLITE_TRANSACTION,
    }
)
"""Actions that reach beyond the database, which is opened for reading only."""

_ABOUT_THE_FILE: Final = re.compile(r"unable to open|not a database|malformed|disk I/O|locked|busy")
_NOT_TEXT: Final = re.compile(r"Could not decode to UTF-8 column '(.*?)' with text")

_NO_SELECT: Final = ("one statement at a time", "not authorized", "readonly database")

_encode: Final = msgspec.json.Encoder().encode


@contextmanager
def sqlite_result(path: str, query: str) -> Iterator[QueryResult]:
    """Yield the result of *query* in the database at *path*, as of one moment.

    Raises ConfigurationError for a query that cannot be run, columns of one name and binary data;
    StorageError if the database cannot be read.
    """
    with (
        _reported(path),
        closing(sqlite3.connect(_read_only(path), uri=True, isolation_level=None)) as database,
    ):
        database.execute("BEGIN")
        database.set_authorizer(_authorized)
        cursor = database.execute(query)
        names = [one[0] for one in cursor.description or ()]
        if not names:
            raise ConfigurationError("--query must be one SELECT statement.")
        check_names(path, names, "Rename them with AS in --query.")
        columns = [ResultColumn(name, "JSON", "VARCHAR") for name in names]
        yield QueryResult(columns, _groups(cursor, names, path))


def _groups(cursor: sqlite3.Cursor, names: list[str], path: str) -> Iterator[list[list[Any]]]:
    with _reported(path):
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            yield [
                _texts(values, name)
                for name, values in zip(names, zip(*rows, strict=True), strict=True)
            ]


def _texts(values: tuple[Any, ...], name: str) -> list[str | None]:
    """Return the values of a column as JSON; raises ConfigurationError for binary data."""
    if bytes in set(map(type, values)):
        raise ConfigurationError(
            f"The column `{name}` of --query is binary data, which JSON does not have. Select it "
            f'as text, such as lower(hex("{name}")).'
        )
    return [None if value is None else _encode(value).decode() for value in values]


def _authorized(action: int, first: str | None, *_: str | None) -> int:
    """Refuse what reaches beyond the database; full-text indexes look at the version of theirs."""
    allowed = action not in _REFUSED or first == "data_version"
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _read_only(path: str) -> str:
    return f"{Path(path).resolve().as_uri()}?mode=ro"


@contextmanager
def _reported(path: str) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise _described(error, path) from None


def _described(error: Exception, path: str) -> FrameworkError:
    """Return what went wrong, in one line, without a value of the table."""
    reason = str(error).partition("\n")[0].strip().rstrip(".")
    if _ABOUT_THE_FILE.search(reason):
        remedy = " Try again when no other program writes." if "locked" in reason else ""
        return StorageError(f"The database `{path}` cannot be read: {reason}.{remedy}")
    if text := _NOT_TEXT.match(reason):
        return ConfigurationError(
            f"The column `{text[1]}` of --query holds text that is not UTF-8. Select it as "
            f'hexadecimal digits, such as lower(hex("{text[1]}")).'
        )
    if any(one in reason for one in _NO_SELECT):
        return ConfigurationError("--query must be one SELECT statement.")
    tables = (
        " `SELECT name FROM sqlite_schema` lists its tables." if "no such table" in reason else ""
    )
    return ConfigurationError(f"--query cannot be run over `{path}`: {reason}.{tables}")
