"""Appending lines to the streams of an SQLite store: chunks, repeated IDs, and the limits."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from framework.errors import StoreFullError
from framework.relay.appended_lines import cut, message_digest
from framework.relay.event_store import Appended

_QUERY: Final = 500
"""IDs that one query looks for."""


class Limits:
    """Refuses lines that a store has no room for.

    *max_bytes* bounds the database, *max_events* the lines in it, *reserve* is the space in bytes
    that stays free on the disk, so that progress can be saved when events are refused.
    """

    def __init__(
        self, path: Path, max_bytes: int | None, max_events: int | None, reserve: int
    ) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._max_events = max_events
        self._reserve = reserve

    def check(self, database: sqlite3.Connection, size: int, number: int) -> None:
        """Raise StoreFullError if *number* more lines of *size* bytes in all do not fit."""
        if self._max_events is not None:
            (kept,) = database.execute("select coalesce(sum(kept), 0) from streams").fetchone()
            if kept + number > self._max_events:
                raise StoreFullError(
                    f"The store `{self._path}` is full: it holds {kept:,} events of at most "
                    f"{self._max_events:,}."
                )
        if self._max_bytes is not None:
            used = used_bytes(database)
            if used + size > self._max_bytes:
                raise StoreFullError(
                    f"The store `{self._path}` is full: it holds {used:,} bytes of at most "
                    f"{self._max_bytes:,}."
                )
        disk = os.statvfs(self._path)
        free = disk.f_bavail * disk.f_frsize
        if free < self._reserve + size:
            raise StoreFullError(
                f"The disk of the store `{self._path}` is full: {free:,} bytes are free, and "
                f"{self._reserve:,} are kept in reserve."
            )


def used_bytes(database: sqlite3.Connection) -> int:
    """Return the size of what a database holds, in bytes."""
    total, free, size = (
        database.execute(f"pragma {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    used: int = (total - free) * size
    return used


class Appends:
    """The lines of one transaction, stored as few chunks.

    IDs are remembered for at least *window* seconds and at most twice as long: they are written to
    two tables in turn, the older of which is emptied.
    """

    def __init__(self, limits: Limits, window: float, now: Callable[[], float]) -> None:
        self._limits = limits
        self._window = window
        self._now = now
        self._staged: dict[str, list[bytes]] = {}
        self._bytes = 0
        self._new: set[bytes] = set()
        self.on_commit: Callable[[], None] = lambda: None

    def add(
        self,
        database: sqlite3.Connection,
        stream: str,
        lines: Sequence[bytes],
        ids: Sequence[str | None],
    ) -> Appended:
        """Stage the lines that are not repeated; raises StoreFullError and stages nothing."""
        digests = [message_digest(stream, one) for one in ids] or [None] * len(lines)
        known = self._known(database, [one for one in digests if one])
        chosen, new = [], set[bytes]()
        for line, digest in zip(lines, digests, strict=True):
            if digest is None:
                chosen.append(line)
            elif digest not in known and digest not in new:
                chosen.append(line)
                new.add(digest)
        size = sum(map(len, chosen)) + len(chosen)
        staged = sum(map(len, self._staged.values()))
        self._limits.check(database, self._bytes + size, staged + len(chosen))
        self._staged.setdefault(stream, []).extend(chosen)
        self._bytes += size
        self._new |= new
        return Appended(len(chosen), len(lines) - len(chosen))

    def flush(self, database: sqlite3.Connection) -> None:
        """Store what was collected."""
        staged, new = self._staged, self._new
        self._staged, self._new, self._bytes = {}, set(), 0
        if new:
            rows = ((one,) for one in new)
            database.executemany(f"insert into {self._turn(database)} values(?)", rows)
        for stream, lines in staged.items():
            for some in cut(lines):
                _store(database, stream, some)

    def discard(self) -> None:
        """Forget what was collected, since the transaction failed."""
        self._staged, self._new, self._bytes = {}, set(), 0

    def committed(self) -> None:
        """Wake all waits for chunks."""
        self.on_commit()

    def _known(self, database: sqlite3.Connection, digests: Sequence[bytes]) -> set[bytes]:
        """Return the digests that are stored or staged."""
        known = self._new.intersection(digests)
        for start in range(0, len(digests), _QUERY):
            some = digests[start : start + _QUERY]
            marks = ",".join("?" * len(some))
            for table in ("seen_0", "seen_1"):
                query = f"select digest from {table} where digest in ({marks})"  # noqa: S608
                known.update(row[0] for row in database.execute(query, some))
        return known

    def _turn(self, database: sqlite3.Connection) -> str:
        """Return the table for new IDs; after a window the other one is emptied and takes over."""
        query = "select value from facts where name = ?"
        now = self._now()
        table, since = (
            row[0] if (row := database.execute(query, (name,)).fetchone()) else None
            for name in ("seen_table", "seen_since")
        )
        if since is not None and 0 <= now - since < self._window:
            return f"seen_{table}"
        table = 1 - (table or 0)
        database.execute(f"delete from seen_{table}")  # noqa: S608
        rows = [("seen_table", table), ("seen_since", now)]
        database.executemany("insert or replace into facts values(?, ?)", rows)
        return f"seen_{table}"


def _store(database: sqlite3.Connection, stream: str, lines: Sequence[bytes]) -> None:
    number = len(lines)
    row = database.execute(
        "insert into streams(name, next, lines, kept) values(?, 2, ?, ?) on conflict(name) do "
        "update set next = next + 1, lines = lines + excluded.lines, kept = kept + excluded.kept "
        "returning id, next - 1, lines",
        (stream, number, number),
    ).fetchone()
    body = b"\n".join([*lines, b""])
    database.execute(
        "insert into chunks(stream, seq, lines, n, body) values(?, ?, ?, ?, ?)",
        (row[0], row[1], row[2] - number, number, body),
    )
