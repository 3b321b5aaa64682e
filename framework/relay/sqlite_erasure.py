"""Erasing people from an SQLite store: what is deleted is overwritten in the database."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from framework.relay.event_store import Erased
from framework.relay.sqlite_ledger import erase_people


def erase(
    database: sqlite3.Connection,
    lines: Mapping[str, Collection[int]],
    letters: Sequence[int],
    people: Sequence[bytes],
) -> Erased:
    """Empty lines of streams, and delete dead letters by ID and all states of people."""
    with _overwriting(database):
        events = sum(
            _empty(database, stream, numbers) for stream, numbers in lines.items() if numbers
        )
        rows = [(one,) for one in letters]
        deleted = database.executemany("delete from dead_letters where id = ?", rows).rowcount
        return Erased(events, max(deleted, 0), erase_people(database, people))


@contextmanager
def _overwriting(database: sqlite3.Connection) -> Iterator[None]:
    """Overwrite deleted content with zeros meanwhile."""
    database.execute("pragma secure_delete=on")
    try:
        yield
    finally:
        database.execute("pragma secure_delete=off")


def _empty(database: sqlite3.Connection, stream: str, numbers: Collection[int]) -> int:
    """Empty lines of a stream, by number; return how many were there."""
    query = (
        "select seq, lines, n from chunks where lines < ? and lines + n >= ? and stream = "
        "(select id from streams where name = ?)"
    )
    chunks: dict[tuple[int, int], list[int]] = {}
    for number in sorted(numbers):
        for seq, before, _ in database.execute(query, (number, number, stream)):
            chunks.setdefault((seq, before), []).append(number)
    for (seq, before), found in chunks.items():
        key = seq, stream
        where = "seq = ? and stream = (select id from streams where name = ?)"
        (body,) = database.execute(f"select body from chunks where {where}", key).fetchone()  # noqa: S608
        rows = io.BytesIO(body).readlines()
        for number in found:
            rows[number - before - 1] = b"\n"
        database.execute(f"update chunks set body = ? where {where}", (b"".join(rows), *key))  # noqa: S608
    return sum(map(len, chunks.values()))
