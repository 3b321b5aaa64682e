"""The dead letters of an SQLite store."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from framework.relay.event_store import EVERY_LETTER, DeadLetter, DeadLetterFilter
from framework.relay.sqlite_writer import Reader, WriterThread

_COLUMNS: Final = (
    "connection, line, subscription, event, code, outcome, tries, first, message_id, at, id, replay"
)


class SQLiteDeadLetters:
    """The dead letters of all connections of a store."""

    def __init__(self, writer: WriterThread, reader: Reader) -> None:
        self._writer = writer
        self._reader = reader

    def count(self, which: DeadLetterFilter = EVERY_LETTER) -> int:
        """Return the number of letters."""
        where, values = _where(which)
        with self._reader("read") as database:
            query = f"select count(*) from dead_letters where {where}"  # noqa: S608
            (number,) = database.execute(query, values).fetchone()
        return int(number)

    def list(
        self, which: DeadLetterFilter = EVERY_LETTER, *, after: int = 0, most: int = 100
    ) -> list[DeadLetter]:
        """Return at most *most* letters with an ID above *after*, by ID."""
        where, values = _where(which)
        with self._reader("read") as database:
            return _letters(database, f"{where} and id > ?", [*values, after, most])

    def replay(self, which: DeadLetterFilter = EVERY_LETTER) -> int:
        """Request a replay of letters from the owners of their connections; return their number."""
        return self._change("update dead_letters set replay = 1", which)

    def drop(self, which: DeadLetterFilter = EVERY_LETTER) -> int:
        """Delete letters; return their number."""
        return self._change("delete from dead_letters", which)

    def _change(self, act: str, which: DeadLetterFilter) -> int:
        where, values = _where(which)
        return self._writer.run(lambda one: one.execute(f"{act} where {where}", values).rowcount)


def add_letters(
    database: sqlite3.Connection, connection: str, letters: Iterable[DeadLetter]
) -> None:
    """Add letters, or replace those of the same line and subscription."""
    now = time.time()
    rows = (
        {
            **{name: getattr(one, name) for name in DeadLetter.__struct_fields__},
            "connection": connection,
            "outcome": msgspec.json.encode(one.outcome).decode(),
            "at": one.at or now,
        }
        for one in letters
    )
    database.executemany(
        "insert into dead_letters(connection, line, subscription, event, code, outcome, tries, "
        "first, message_id, at) values(:connection, :line, :subscription, :event, :code, :outcome, "
        ":tries, :first, :message_id, :at) on conflict(connection, line, subscription) do update "
        "set code = excluded.code, outcome = excluded.outcome, tries = excluded.tries, "
        "first = excluded.first, at = excluded.at, replay = 0",
        rows,
    )


def remove_letters(database: sqlite3.Connection, connection: str, ids: Iterable[int]) -> None:
    """Remove the letters of a connection that have one of *ids*."""
    rows = ((one, connection) for one in ids)
    database.executemany("delete from dead_letters where id = ? and connection = ?", rows)


def delete_letters(database: sqlite3.Connection, connection: str) -> None:
    """Delete all letters of a connection."""
    database.execute("delete from dead_letters where connection = ?", (connection,))


def letters_to_replay(database: sqlite3.Connection, connection: str, most: int) -> list[DeadLetter]:
    """Return at most *most* letters of a connection for which a replay is requested, by ID."""
    return _letters(database, "connection = ? and replay", [connection, most])


def _letters(database: sqlite3.Connection, where: str, values: Sequence[Any]) -> list[DeadLetter]:
    query = f"select {_COLUMNS} from dead_letters where {where} order by id limit ?"  # noqa: S608
    return [_letter(row) for row in database.execute(query, values)]


def _letter(row: Sequence[Any]) -> DeadLetter:
    values = dict(zip(_COLUMNS.split(", "), row, strict=True))
    outcome = msgspec.json.decode(values["outcome"])
    return DeadLetter(**{**values, "outcome": outcome, "replay": bool(values["replay"])})


def _where(which: DeadLetterFilter) -> tuple[str, list[Any]]:
    """Return a condition of SQL and its values."""
    equal = ("connection", "subscription", "code", "message_id")
    given: list[tuple[str, Any]] = [(f"{name} = ?", getattr(which, name)) for name in equal]
    given += [("at >= ?", which.since), ("at < ?", which.until)]
    if which.ids is not None:
        listed = msgspec.json.encode(list(which.ids)).decode()
        given.append(("id in (select value from json_each(?))", listed))
    chosen = [(part, value) for part, value in given if value is not None]
    return " and ".join(["true", *(part for part, _ in chosen)]), [value for _, value in chosen]
