"""The owner of a connection in an SQLite store: its cursor, the fence, and saving progress."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from framework.delivery import MemberChange
from framework.errors import ConfigurationError, OwnershipLostError
from framework.events import Position
from framework.relay.event_store import DeadLetter
from framework.relay.file_locks import FileLock
from framework.relay.ledger_store import Doubt
from framework.relay.sqlite_dead_letters import add_letters, letters_to_replay, remove_letters
from framework.relay.sqlite_ledger import (
    SQLiteLedger,
    SQLiteMemberships,
    doubts_of,
    remove_doubts,
    save_members,
)
from framework.relay.sqlite_writer import Reader, WriterThread


class Taken(NamedTuple):
    """A cursor that was just taken over."""

    epoch: int
    position: Position
    checkpoint: bytes


class StoreParts(NamedTuple):
    """What the owners and claims of a store have in common."""

    writer: WriterThread
    reader: Reader
    ledger: SQLiteLedger


class SQLiteClaim:
    """The right to work for a connection, held as long as the process lives or until released."""

    def __init__(self, connection: str, lock: FileLock, parts: StoreParts) -> None:
        self.connection = connection
        self._lock = lock
        self._writer, self._reader, self._ledger = parts
        self._released = False
        self._account = ""

    def check(self) -> None:
        """Raise OwnershipLostError if another owner has taken over."""
        with self._reader("read") as database:
            self.fence(database)

    def fence(self, database: sqlite3.Connection) -> None:
        """Raise OwnershipLostError if, by what *database* holds, another owner has taken over."""
        if self._released or not self._is_mine(database):
            raise OwnershipLostError(
                f"This process no longer works for the connection `{self.connection}`: another "
                "one has taken over, or the connection's cursor was dropped."
            )

    def memberships(self, account: str) -> SQLiteMemberships:
        """Return the memberships that the connection changes in *account* at the partner."""
        self._account = account
        return SQLiteMemberships(self._ledger, account, self.connection, self.fence)

    def save_members(self, members: Sequence[MemberChange]) -> None:
        """Save states; raises OwnershipLostError and saves nothing if another one took over."""

        def write(database: sqlite3.Connection) -> None:
            self.fence(database)
            save_members(database, self._account, self.connection, members)

        if members:
            self._writer.run(write)

    def release(self) -> None:
        """Release the connection; further calls have no effect."""
        self._released = True
        self._lock.release()

    def _is_mine(self, database: sqlite3.Connection) -> bool:
        """Return whether the connection, of which this process holds the lock, still is its own."""
        del database
        return True


class SQLiteOwner(SQLiteClaim):
    """The right to work for a connection that reads a stream."""

    def __init__(
        self, connection: str, stream: str, taken: Taken, lock: FileLock, parts: StoreParts
    ) -> None:
        super().__init__(connection, lock, parts)
        self.stream = stream
        self.epoch, self.position, self.checkpoint = taken

    def save(  # noqa: PLR0913, PLR0917 - what one transaction saves
        self,
        committed: int,
        checkpoint: bytes,
        dead_letters: Sequence[DeadLetter] = (),
        replayed: Sequence[int] = (),
        members: Sequence[MemberChange] = (),
        resolved: Sequence[int] = (),
    ) -> None:
        """Save progress in one transaction; raises OwnershipLostError and saves nothing if lost."""

        def write(database: sqlite3.Connection) -> None:
            self.fence(database)
            (stream,) = database.execute(
                "update cursors set committed = max(committed, ?), checkpoint = ? "
                "where connection = ? returning stream",
                (committed, checkpoint, self.connection),
            ).fetchone()
            remove_letters(database, self.connection, replayed)
            add_letters(database, self.connection, dead_letters)
            save_members(database, self._account, self.connection, members)
            remove_doubts(database, self.connection, resolved)
            delete_settled(database, stream)

        self._writer.run(write)

    def replays(self, most: int = 1000) -> list[DeadLetter]:
        """Return dead letters of the connection for which a replay is requested, by ID."""
        with self._reader("read") as database:
            return letters_to_replay(database, self.connection, most)

    def doubts(self, most: int = 1000) -> list[Doubt]:
        """Return the doubts about people in audiences of the connection, by ID."""
        with self._reader("read") as database:
            return doubts_of(database, self.connection, most)

    def _is_mine(self, database: sqlite3.Connection) -> bool:
        query = "select 1 from cursors where connection = ? and epoch = ?"
        mine = database.execute(query, (self.connection, self.epoch)).fetchone()
        return mine is not None


def find_cursor(
    database: sqlite3.Connection, connection: str, stream: str, *, from_start: bool
) -> Taken:
    """Begin the next epoch of a connection's cursor, created if absent.

    Raises ConfigurationError if it is a cursor of another stream.
    """
    number = _stream(database, stream)
    row = database.execute(
        "update cursors set epoch = epoch + 1 where connection = ? "
        "returning stream, epoch, committed, checkpoint",
        (connection,),
    ).fetchone()
    if row is None:
        first = "(select min(seq) from chunks where stream = s.id)" if from_start else "s.next"
        row = database.execute(
            f"insert into cursors select ?, s.id, 1, coalesce({first}, s.next) - 1, x'' "  # noqa: S608
            "from streams s where s.id = ? returning stream, epoch, committed, checkpoint",
            (connection, number),
        ).fetchone()
        delete_settled(database, number)
    found, epoch, committed, checkpoint = row
    if found != number:
        (name,) = database.execute("select name from streams where id = ?", (found,)).fetchone()
        raise ConfigurationError(
            f"The connection `{connection}` reads the stream `{name}`, not `{stream}`. To "
            "start over, remove it with `actions forget`; events that it has not settled are lost "
            "then."
        )
    return Taken(epoch, position_after(database, number, committed), bytes(checkpoint))


def position_after(database: sqlite3.Connection, stream: int, committed: int) -> Position:
    """Return the position after chunk number *committed* of a stream, given by its ID."""
    row = database.execute(
        "select lines from chunks where stream = ? and seq = ?", (stream, committed + 1)
    ).fetchone()
    row = row or database.execute("select lines from streams where id = ?", (stream,)).fetchone()
    return Position(committed, row[0])


def delete_settled(database: sqlite3.Connection, stream: int) -> None:
    """Delete the chunks of a stream that every cursor has settled; all if it has no cursor."""
    (last,) = database.execute(
        "select coalesce((select min(committed) from cursors where stream = s.id), s.next) "
        "from streams s where s.id = ?",
        (stream,),
    ).fetchone()
    settled = (stream, last)
    database.execute(
        "update streams set kept = kept - (select coalesce(sum(n), 0) from chunks "
        "where stream = ? and seq <= ?) where id = ?",
        (*settled, stream),
    )
    database.execute("delete from chunks where stream = ? and seq <= ?", settled)


def _stream(database: sqlite3.Connection, name: str) -> int:
    database.execute("insert into streams(name) values(?) on conflict do nothing", (name,))
    (number,) = database.execute("select id from streams where name = ?", (name,)).fetchone()
    return int(number)
