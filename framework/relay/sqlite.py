"""The store of events in an SQLite database on a local disk.

Commits are durable (WAL, `synchronous=FULL`). One thread of each process writes; what waits for it
shares a transaction. Connections are owned by `flock`, so that the system releases those of a
process that ends. Files are readable by their owner only. The store's locks are files in a folder
with the name of the database and `.locks`.
"""

from __future__ import annotations

import io
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, Self

from framework.clock import Clock, SystemClock
from framework.delivery import ThrottleState
from framework.errors import StorageError
from framework.events import Chunk, Position
from framework.relay.event_store import Appended, CursorStatus, Erased
from framework.relay.file_locks import FileLock, LockFolder
from framework.relay.sqlite_appends import Appends, Limits
from framework.relay.sqlite_dead_letters import SQLiteDeadLetters, delete_letters
from framework.relay.sqlite_erasure import erase
from framework.relay.sqlite_ledger import SQLiteLedger, drop_audiences
from framework.relay.sqlite_owner import (
    SQLiteClaim,
    SQLiteOwner,
    StoreParts,
    delete_settled,
    find_cursor,
    position_after,
)
from framework.relay.sqlite_schema import connect, failures, open_database
from framework.relay.sqlite_state import SQLiteState
from framework.relay.sqlite_writer import Reader, WriterThread

WINDOW: Final = 3600.0
"""Seconds for which message IDs are remembered by default."""

RESERVE: Final = 64 * 1024 * 1024
"""Bytes that stay free on the disk by default, so that progress can always be saved."""

_OWNER: Final = "owner"
"""The kind of the locks of connections."""

_MOMENT: Final = 0.1
"""Seconds for which a query about the owner of a connection may hold its lock."""

_POLL: Final = 0.25
"""Seconds after which lines that another process appended are noticed."""


class SQLiteStore:
    """A store of events in the database at *path*, which is created if absent.

    *max_bytes* bounds the size of what is kept and *max_events* the number of events; *reserve* is
    the space in bytes that stays free on the disk. Repeated message IDs are recognized for *window*
    seconds, at most twice as long. *now* returns seconds since 1970.
    Raises ConfigurationError for a file of another kind, of a newer version, or that others can
    read; StorageError if it cannot be opened.
    """

    def __init__(  # noqa: PLR0913 - each is an option of its own
        self,
        path: str | Path,
        *,
        max_bytes: int | None = None,
        max_events: int | None = None,
        reserve: int = RESERVE,
        window: float = WINDOW,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.path = Path(path)
        self.clock: Clock = SystemClock()
        database = open_database(self.path)
        self._appends = Appends(Limits(self.path, max_bytes, max_events, reserve), window, now)
        self._appends.on_commit = self._notify
        self._committed = threading.Condition()
        self._commits = 0
        self._readers: list[sqlite3.Connection] = []
        self._closed = False
        self._writer = WriterThread(self.path, database, self._appends)
        self._locks = LockFolder(self.path.with_name(f"{self.path.name}.locks"))
        self._claims: dict[str, SQLiteClaim] = {}
        self.dead_letters = SQLiteDeadLetters(self._writer, self._reader)
        self.state = SQLiteState(self._writer, self._reader, self._locks)
        self.ledger = SQLiteLedger(self._writer, self._reader, self.state)
        self._parts = StoreParts(self._writer, self._reader, self.ledger)

    def append(
        self, stream: str, lines: Sequence[bytes], ids: Sequence[str | None] = ()
    ) -> Appended:
        """Add lines to a stream, durable when this returns."""
        return self.submit(stream, lines, ids).result()

    def submit(
        self, stream: str, lines: Sequence[bytes], ids: Sequence[str | None] = ()
    ) -> Future[Appended]:
        """Add lines to a stream in the background."""
        return self._writer.submit(
            lambda database: self._appends.add(database, stream, lines, ids), stages=True
        )

    def read(self, stream: str, after: int, most: int = 10_000) -> list[Chunk]:
        """Return the chunks after number *after*, up to the one that completes *most* lines."""
        found: list[Chunk] = []
        left = most
        with self._reader("read") as database:
            rows = database.execute(
                "select seq, lines, n, body from chunks where stream = "
                "(select id from streams where name = ?) and seq > ? order by seq",
                (stream, after),
            )
            for seq, before, number, body in rows:
                start, end = Position(seq - 1, before), Position(seq, before + number)
                found.append(Chunk(io.BytesIO(body).readlines(), start, end))
                left -= number
                if left <= 0:
                    break
        return found

    def wait(
        self,
        stream: str,
        after: int,
        seconds: float,
        until: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Wait until there is a chunk after number *after*; return whether there is."""
        end = time.monotonic() + seconds
        while True:
            seen = self._commits
            if self._last(stream) > after:
                return True
            left = end - time.monotonic()
            if left <= 0 or self._closed or until():
                return False
            with self._committed:
                self._committed.wait_for(lambda: self._commits != seen, min(left, _POLL))  # noqa: B023 - waits here

    def wake(self) -> None:
        """Make all waits of this process check their *until*."""
        self._notify()

    def own(self, connection: str, stream: str, *, from_start: bool = False) -> SQLiteOwner | None:
        """Become the owner of a connection that reads *stream*; None if it has another owner."""
        if (lock := self._lock(connection)) is None:
            return None
        try:
            taken = self._writer.run(
                lambda database: find_cursor(database, connection, stream, from_start=from_start)
            )
        except BaseException:
            lock.release()
            raise
        owner = SQLiteOwner(connection, stream, taken, lock, self._parts)
        self._claims[connection] = owner
        return owner

    def claim(self, connection: str) -> SQLiteClaim | None:
        """Become the one that works for a connection without a stream; None if there is one."""
        if (lock := self._lock(connection)) is None:
            return None
        claim = SQLiteClaim(connection, lock, self._parts)
        self._claims[connection] = claim
        return claim

    def workers(self, connections: Sequence[str]) -> int:  # noqa: ARG002 - not divided
        """Return 1, as processes of one machine own whichever connections are free."""
        return 1

    def cursors(self) -> list[CursorStatus]:
        """Return all cursors, by name of the connection."""
        with self._reader("read") as database:
            rows = database.execute(
                "select c.connection, s.id, s.name, c.epoch, c.committed, s.lines from cursors c "
                "join streams s on s.id = c.stream order by c.connection"
            ).fetchall()
            waiting = [
                lines - position_after(database, stream, committed).lines
                for _, stream, _, _, committed, lines in rows
            ]
        return [
            CursorStatus(
                connection,
                name,
                epoch,
                committed,
                left,
                (owner := self._locks.holder(_OWNER, connection)) is not None,
                owner or "",
            )
            for (connection, _, name, epoch, committed, _), left in zip(rows, waiting, strict=True)
        ]

    def drop(self, connection: str) -> bool:
        """Remove a connection's cursor, dead letters and memberships; return whether it was known.

        It is known if it has a cursor or memberships.
        """
        return self._writer.run(lambda database: _drop(database, connection))

    def erase(
        self,
        lines: Mapping[str, Collection[int]],
        letters: Sequence[int] = (),
        people: Sequence[bytes] = (),
    ) -> Erased:
        """Erase what is kept about somebody; what is deleted is overwritten."""
        erased = self._writer.run(lambda database: erase(database, lines, letters, people))
        with failures(self.path, "written"), closing(connect(self.path)) as database:
            database.execute("pragma wal_checkpoint(truncate)")  # the log holds what was before
        return erased

    def rates(self, account: str) -> SQLiteRates:
        """Return the state of the throttles for *account*."""
        return SQLiteRates(account, self._writer, self._reader)

    def check(self, seconds: float = 5.0) -> None:
        """Raise StorageError if nothing can be written within *seconds*."""
        row = ("checked", time.time())
        written = self._writer.submit(
            lambda database: database.execute("insert or replace into facts values(?, ?)", row)
        )
        try:
            written.result(seconds)
        except TimeoutError:
            written.cancel()
            raise StorageError(
                f"The store `{self.path}` cannot be written: nothing was written in {seconds:g} "
                "seconds."
            ) from None

    def close(self) -> None:
        """Complete what was submitted, release all connections, and close the database."""
        if self._closed:
            return
        for claim in self._claims.values():
            claim.release()
        self._closed = True
        self._notify()
        self._writer.close()
        while self._readers:
            self._readers.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _reader(self, act: str) -> Iterator[sqlite3.Connection]:
        """Lend a connection for reading, in one transaction; threads have different ones."""
        with failures(self.path, act):
            try:
                database = self._readers.pop()
            except IndexError:
                database = connect(self.path)
            try:
                database.execute("begin")
                yield database
            finally:
                if database.in_transaction:
                    database.execute("rollback")
                self._readers.append(database)
                if self._closed:
                    self._readers.remove(database)
                    database.close()

    def _lock(self, connection: str) -> FileLock | None:
        """Return the lock of a connection, or None if another owner or claim holds it."""
        end = time.monotonic() + _MOMENT
        while (lock := self._locks.take(_OWNER, connection)) is None:
            if time.monotonic() >= end:
                return None
            time.sleep(_MOMENT / 10)
        return lock

    def _last(self, stream: str) -> int:
        with self._reader("read") as database:
            row = database.execute("select next from streams where name = ?", (stream,)).fetchone()
        return row[0] - 1 if row else 0

    def _notify(self) -> None:
        with self._committed:
            self._commits += 1
            self._committed.notify_all()


class SQLiteRates:
    """The state of the throttles for one account."""

    def __init__(self, account: str, writer: WriterThread, reader: Reader) -> None:
        self._account = account
        self._writer = writer
        self._reader = reader

    def read(self) -> ThrottleState:
        """Return the current state."""
        with self._reader("read") as database:
            return self._read(database)

    def swap(self, seen: ThrottleState, new: ThrottleState) -> bool:
        """Replace the state if it still equals *seen*; return whether it did."""
        return self._writer.run(lambda database: self._swap(database, seen, new))

    def _read(self, database: sqlite3.Connection) -> ThrottleState:
        query = "select booked, held from rates where account = ?"
        row = database.execute(query, (self._account,)).fetchone()
        return ThrottleState(*row) if row else ThrottleState()

    def _swap(self, database: sqlite3.Connection, seen: ThrottleState, new: ThrottleState) -> bool:
        if self._read(database) != seen:
            return False
        row = (self._account, new.booked, new.held)
        database.execute("insert or replace into rates values(?, ?, ?)", row)
        return True


def _drop(database: sqlite3.Connection, connection: str) -> bool:
    row = database.execute(
        "delete from cursors where connection = ? returning stream", (connection,)
    ).fetchone()
    delete_letters(database, connection)
    known, _ = drop_audiences(database, connection)
    if row:
        delete_settled(database, row[0])
    return row is not None or known
