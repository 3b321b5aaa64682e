"""Rows that a query selects in a PostgreSQL database, in a transaction that changes nothing.

The rows come in portions, from a cursor of the server, and values as text in fixed formats.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

import msgspec
import psycopg
from psycopg import errors, postgres
from psycopg.conninfo import make_conninfo
from psycopg.types import TypeInfo
from psycopg.types.string import TextLoader

from framework.errors import ConfigurationError, FrameworkError, StorageError
from framework.events.table_formats import check_names
from framework.events.table_sources import QueryResult, ResultColumn
from framework.postgres_address import PostgresAddress, read_address, reason_of_server

_Convert: TypeAlias = Callable[[Any], Any]

_ROWS_AT_ONCE: Final = 5_000
"""Number of rows that are fetched at once."""

_CLIENT: Final[dict[str, Any]] = {
    "application_name": "actions",
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "client_encoding": "UTF8",
}
_FORMATS: Final = (
    "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; "
    "SET LOCAL IntervalStyle = 'iso_8601'; SET LOCAL extra_float_digits = 1"
)
_ARRAYS: Final = """
select t.oid, t.typelem, e.typname from pg_type t join pg_type e on e.oid = t.typelem
where t.oid = any(%s) and t.typcategory = 'A'
"""

_NATIVE: Final = {
    "int2": "SMALLINT",
    "int4": "INTEGER",
    "int8": "BIGINT",
    "oid": "BIGINT",
    "float4": "DOUBLE",
    "float8": "DOUBLE",
    "bool": "BOOLEAN",
}
"""Types whose values Python has, and what DuckDB keeps them as."""

_FROM_TEXT: Final = {
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMP WITH TIME ZONE",
    "json": "JSON",
    "jsonb": "JSON",
}
"""Types whose text DuckDB reads; that of all others stays text."""

_NO_VALUES: Final = frozenset({"Infinity", "-Infinity", "NaN", "infinity", "-infinity"})
"""Numbers and times that JSON does not have."""

_LIMITED: Final = frozenset({"date", "numeric", "timestamp", "timestamptz"})
_EXACT_DIGITS: Final = 15
_MOST_DIGITS: Final = 38
_QUOTED: Final = re.compile(r'"[^"]*"|\'[^\']*\'')

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode


@contextmanager
def postgres_result(url: str, name: str, query: str) -> Iterator[QueryResult]:
    """Yield the result of *query* in the database at *url*, called *name* in messages.

    Raises ConfigurationError for a query that cannot be run, columns of one name and binary data;
    StorageError if the server cannot be reached or ends the session.
    """
    address = read_address(url, "the PostgreSQL database")
    with _reported(address, name), _connected(address) as session:
        session.execute(_FORMATS)
        _register(session, _types_of(session, query))
        with session.cursor("actions") as cursor:
            cursor.execute(query.encode())
            found = cursor.description or []
            check_names(name, [one.name for one in found], "Rename them with AS in --query.")
            readers = [_reader(one, session) for one in found]
            columns = [column for column, _ in readers]
            groups = _groups(cursor, [convert for _, convert in readers])
            yield QueryResult(columns, _reported_groups(groups, address, name))


@contextmanager
def _connected(address: PostgresAddress) -> Iterator[psycopg.Connection[Any]]:
    session = psycopg.connect(make_conninfo("", **{**_CLIENT, **address.given}))
    try:
        session.read_only = True
        session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        yield session
    finally:
        session.close()


def _types_of(session: psycopg.Connection[Any], query: str) -> list[int]:
    """Return the types of the columns of *query*; nothing of it is run yet."""
    with session.cursor("types") as cursor:
        cursor.execute(query.encode())
        return [one.type_code for one in cursor.description or ()]


def _register(session: psycopg.Connection[Any], types: list[int]) -> None:
    """Let values come as text, apart from those that Python has, and arrays as lists."""
    for info in postgres.types:
        if info.name not in _NATIVE:
            session.adapters.register_loader(info.oid, TextLoader)
    if unknown := [one for one in types if postgres.types.get(one) is None]:
        for array, element, name in session.execute(_ARRAYS, [unknown]).fetchall():
            TypeInfo(name, element, array).register(session)


def _reader(column: psycopg.Column, session: psycopg.Connection[Any]) -> Any:
    """Return how a column is kept, and what makes that of its values; None for them as they are.

    Raises ConfigurationError for binary data.
    """
    info = session.adapters.types.get(column.type_code)
    kind = info.name if info else ""
    is_array = info is not None and column.type_code == info.array_oid
    if kind == "bytea":
        remedy = f"encode(\"{column.name}\", 'hex')"
        if is_array:
            remedy = "ARRAY(SELECT encode(one, 'hex') FROM unnest(...) AS one)"
        raise ConfigurationError(
            f"The column `{column.name}` of --query is binary data (bytea), which JSON does not "
            f"have. Select it as text, such as {remedy}."
        )
    if is_array:
        return ResultColumn(column.name, "JSON", "VARCHAR"), _of_array(kind, column.precision)
    if kind in _NATIVE:
        given = _NATIVE[kind]
        return ResultColumn(column.name, given, given), None
    type_ = _FROM_TEXT.get(kind, "VARCHAR")
    precision, scale = column.precision or 0, column.scale or 0
    if kind == "numeric" and 0 < precision <= _MOST_DIGITS and 0 <= scale <= precision:
        type_ = f"DECIMAL({precision}, {scale})"
    return ResultColumn(column.name, type_, "VARCHAR"), _limited if kind in _LIMITED else None


def _limited(value: str) -> str | None:
    return None if value in _NO_VALUES else value


def _of_array(kind: str, precision: int | None) -> _Convert:
    """Return what makes the JSON text of arrays with elements of a type."""
    element = _element(kind, precision)

    def converted(value: Any) -> Any:
        if isinstance(value, list):
            return [converted(one) for one in value]
        return value if value is None or element is None else element(value)

    return lambda value: _encode(converted(value)).decode()


def _element(kind: str, precision: int | None) -> _Convert | None:
    if kind in {"json", "jsonb"}:
        return _decode
    if kind == "numeric" and precision and precision <= _EXACT_DIGITS:
        return lambda value: None if value in _NO_VALUES else float(value)
    if kind == "timestamptz":
        return lambda value: None if value in _NO_VALUES else _iso(value).replace("+00", "Z")
    if kind == "timestamp":
        return lambda value: None if value in _NO_VALUES else _iso(value)
    return _limited if kind in _LIMITED else None


def _iso(value: str) -> str:
    return value.replace(" ", "T", 1)


def _groups(cursor: Any, converters: list[_Convert | None]) -> Iterator[list[list[Any]]]:
    while rows := cursor.fetchmany(_ROWS_AT_ONCE):
        yield [
            list(values)
            if convert is None
            else [None if value is None else convert(value) for value in values]
            for convert, values in zip(converters, zip(*rows, strict=True), strict=True)
        ]


def _reported_groups(
    groups: Iterator[list[list[Any]]], address: PostgresAddress, name: str
) -> Iterator[list[list[Any]]]:
    with _reported(address, name):
        yield from groups


@contextmanager
def _reported(address: PostgresAddress, name: str) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise _described(error, address, name) from None
    except UnicodeDecodeError:
        raise ConfigurationError(
            f"The result of --query over `{name}` holds text that is not UTF-8. Convert it in the "
            "query, for example with convert_from."
        ) from None


def _described(error: psycopg.Error, address: PostgresAddress, name: str) -> FrameworkError:
    """Return what went wrong, in one line, without a value of a row and without secrets."""
    reason, state = reason_of_server(error, address.secrets), error.diag.sqlstate
    if state is None or isinstance(error, errors.AdminShutdown | errors.CrashShutdown):
        return StorageError(
            f"The database `{name}` cannot be reached: {reason}. Check that its server runs, and "
            "the host, the user and the password."
        )
    if "multiple commands" in reason or isinstance(error, errors.ReadOnlySqlTransaction):
        return ConfigurationError("--query must be one SELECT statement, which changes nothing.")
    if isinstance(error, errors.InsufficientPrivilege):
        remedy = "Grant the user of the address SELECT on what the query reads."
        return ConfigurationError(f"--query cannot be run over `{name}`: {reason}. {remedy}")
    if isinstance(error, errors.QueryCanceled):
        remedy = "Allow more time, or select less."
        return StorageError(f"The database `{name}` cannot be read: {reason}. {remedy}")
    if state.startswith("42"):  # about the text of the query
        hint = f" {error.diag.message_hint}" if error.diag.message_hint else ""
        where = " Write tables of other schemas as SCHEMA.TABLE." if state == "42P01" else ""
        return ConfigurationError(f"--query cannot be run over `{name}`: {reason}.{hint}{where}")
    return ConfigurationError(
        f"--query cannot be run over `{name}`: {_QUOTED.sub('...', reason)}. Correct the query."
    )
