"""Tokens and other state in an SQLite store."""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager
from typing import Any

import msgspec

from framework.relay.file_locks import LockFolder
from framework.relay.sqlite_writer import Reader, WriterThread

_PUT = "insert or replace into state(kind, key, value) values(?, ?, ?)"


class SQLiteState:
    """JSON values by kind and key; a `framework.state_store.StateStore`."""

    def __init__(self, writer: WriterThread, reader: Reader, locks: LockFolder) -> None:
        self._writer = writer
        self._reader = reader
        self._locks = locks

    def get(self, kind: str, key: str) -> Any:
        """Return the value, or None if it is absent."""
        with self._reader("read") as database:
            return _get(database, kind, key)

    def keys(self, kind: str) -> list[str]:
        """Return the keys of all values of a kind, ascending."""
        query = "select key from state where kind = ? order by key"
        with self._reader("read") as database:
            return [row[0] for row in database.execute(query, (kind,))]

    def put(self, kind: str, key: str, value: Any) -> None:
        """Set the value."""
        row = (kind, key, msgspec.json.encode(value))
        self._writer.run(lambda database: database.execute(_PUT, row) and None)

    def create(self, kind: str, key: str, value: Any) -> bool:
        """Set the value if it is absent; return whether it was."""
        return self.swap(kind, key, None, value)

    def swap(self, kind: str, key: str, seen: Any, new: Any) -> bool:
        """Replace the value if it equals *seen* (None: it is absent); return whether it did."""
        row = (kind, key, msgspec.json.encode(new))

        def write(database: sqlite3.Connection) -> bool:
            fits: bool = _get(database, kind, key) == seen
            if fits:
                database.execute(_PUT, row)
            return fits

        return self._writer.run(write)

    def delete(self, kind: str, key: str) -> bool:
        """Remove the value; return whether it existed."""
        query = "delete from state where kind = ? and key = ?"
        return self._writer.run(lambda one: one.execute(query, (kind, key)).rowcount > 0)

    def lock(self, key: str, patience: float = 60.0) -> AbstractContextManager[None]:
        """Hold the lock named *key* until the context ends; other threads and processes wait."""
        return self._locks.hold("state", key, patience)


def _get(database: sqlite3.Connection, kind: str, key: str) -> Any:
    query = "select value from state where kind = ? and key = ?"
    row = database.execute(query, (kind, key)).fetchone()
    try:
        return msgspec.json.decode(row[0]) if row else None
    except (msgspec.DecodeError, TypeError, UnicodeDecodeError, RecursionError):
        return None  # a damaged value counts as absent
