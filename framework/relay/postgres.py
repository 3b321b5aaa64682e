"""The store of events in a PostgreSQL database, which processes on many machines share.

Commits are durable where the server's are (`fsync`). A connection is owned by an advisory lock of a
session, which the server frees when its process ends, freezes or is cut off; nothing else decides
who works for it. One thread of each process appends; what waits for it shares a transaction.
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from typing import Final, Self

from framework.clock import Clock
from framework.errors import OwnershipLostError, StorageError
from framework.events import Chunk, Position
from framework.relay.event_store import Appended, CursorStatus, Erased
from framework.relay.postgres_appends import AppenderThread, StoreLimits
from framework.relay.postgres_dead_letters import PostgresDeadLetters, delete_letters
from framework.relay.postgres_erasure import erase
from framework.relay.postgres_ledger import PostgresLedger, drop_audiences
from framework.relay.postgres_owner import (
    OwningSession,
    PostgresClaim,
    PostgresOwner,
    delete_settled,
    find_cursor,
)
from framework.relay.postgres_presence import KeepAlive, Presence
from framework.relay.postgres_schema import prepare
from framework.relay.postgres_sessions import Address, Session, Sessions
from framework.relay.postgres_state import PostgresRates, PostgresState, ServerClock

WINDOW: Final = 3600.0
"""Seconds for which message IDs are remembered by default."""

TAKEOVER: Final = 4.0
"""Seconds after which the server frees the connections of a process that gives no sign."""

# Not by NOTIFY, which locks the queue of the whole database while a transaction commits.
_POLL: Final = 0.1
"""Seconds after which lines that another process appended are noticed."""

_SET_CLOCK: Final = 10.0
"""Seconds between two looks at the server's clock."""

# The chunks that complete a number of lines; each has one line or more.
_READ: Final = """
with s as (select id from streams where name = %(stream)s),
f as (select c.seq, c.lines from chunks c join s on c.stream = s.id
      where c.seq > %(after)s order by c.seq limit 1)
select c.seq, c.lines, c.n, c.body from chunks c, s, f
where c.stream = s.id and c.seq >= f.seq and c.seq < f.seq + greatest(%(most)s, 1)
  and (c.lines < f.lines + %(most)s or c.seq = f.seq) order by c.seq
"""

_CURSORS: Final = """
select c.connection, s.name, c.epoch, c.committed, s.lines - coalesce(
  (select lines from chunks where stream = s.id and seq = c.committed + 1), s.lines), c.owner
from cursors c join streams s on s.id = c.stream order by c.connection collate "C"
"""

_HELD: Final = """
select (classid::bigint << 32) | objid::bigint, pid from pg_locks
where locktype = 'advisory' and objsubid = 1 and granted
  and database = (select oid from pg_database where datname = current_database())
"""


class PostgresStore:
    """A store of events in the database at *url*, in a schema that is created if absent.

    With *create* false, it has to exist.

    *max_bytes* bounds the size of the events that are kept and *max_events* their number. Repeated
    message IDs are recognized for *window* seconds, at most twice as long. *now* returns seconds
    since 1970. The server frees the connections of a process *takeover* seconds after its last
    sign of life.
    Raises ConfigurationError for a URL that cannot be read, a server that is too old, a schema that
    is missing, of another program or of a newer version; StorageError if the server cannot be
    reached.
    """

    def __init__(  # noqa: PLR0913 - each is an option of its own
        self,
        url: str,
        *,
        max_bytes: int | None = None,
        max_events: int | None = None,
        window: float = WINDOW,
        now: Callable[[], float] = time.time,
        takeover: float = TAKEOVER,
        create: bool = True,
    ) -> None:
        self._address = address = Address(url)
        self.name = address.shown
        self._takeover = takeover
        self._sessions = Sessions(address)
        session = address.open()
        try:
            prepare(address, session, create=create)
            with address.failures("opened"):
                self._clock = ServerClock(session)
        finally:
            session.close()
        self.clock: Clock = self._clock
        self._clock_set = time.monotonic()
        self._committed = threading.Condition()
        self._commits = 0
        self._lasts: tuple[int, float, dict[str, int]] = (-1, 0.0, {})
        self._looking = threading.Lock()
        self._closed = False
        self._presence = Presence(address, takeover)
        self._keep_alive = KeepAlive(self._presence, takeover, self._set_clock)
        limits = StoreLimits(self.name, max_bytes, max_events)
        self._appender = AppenderThread(address, limits, window, now, self._notify)
        self.dead_letters = PostgresDeadLetters(self._sessions)
        self.state = PostgresState(self._sessions)
        self.ledger = PostgresLedger(self._sessions, self.state)

    def append(
        self, stream: str, lines: Sequence[bytes], ids: Sequence[str | None] = ()
    ) -> Appended:
        """Add lines to a stream, durable when this returns."""
        return self.submit(stream, lines, ids).result()

    def submit(
        self, stream: str, lines: Sequence[bytes], ids: Sequence[str | None] = ()
    ) -> Future[Appended]:
        """Add lines to a stream in the background."""
        return self._appender.submit(stream, lines, ids)

    def read(self, stream: str, after: int, most: int = 10_000) -> list[Chunk]:
        """Return the chunks after number *after*, up to the one that completes *most* lines."""
        values = {"stream": stream, "after": after, "most": most}
        rows = self._sessions.run(
            "read", lambda one: one.cursor(binary=True).execute(_READ, values).fetchall()
        )
        return [
            Chunk(
                io.BytesIO(body).readlines(),
                Position(seq - 1, before),
                Position(seq, before + number),
            )
            for seq, before, number, body in rows
        ]

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
            if self._closed:
                return False
            if self._last(stream, seen) > after:
                return True
            left = end - time.monotonic()
            if left <= 0 or until():
                return False
            with self._committed:
                self._committed.wait_for(lambda: self._commits != seen, min(left, _POLL))  # noqa: B023 - waits here

    def wake(self) -> None:
        """Make all waits of this process check their *until*."""
        self._notify()

    def own(
        self, connection: str, stream: str, *, from_start: bool = False
    ) -> PostgresOwner | None:
        """Become the owner of a connection that reads *stream*; None if it has another owner."""
        session = self._own(connection)
        if session is None:
            return None
        try:
            taken = session.run(
                "written", lambda one: find_cursor(one, connection, stream, from_start=from_start)
            )
        except OwnershipLostError:  # at this moment; the caller tries again
            return None
        except BaseException:
            session.release()
            raise
        self._keep_alive.add(session)
        return PostgresOwner(stream, taken, session, self.ledger)

    def claim(self, connection: str) -> PostgresClaim | None:
        """Become the one that works for a connection without a stream; None if there is one."""
        session = self._own(connection)
        if session is None:
            return None
        self._keep_alive.add(session)
        return PostgresClaim(session, self.ledger)

    def workers(self, connections: Sequence[str]) -> int:
        """Return the number of processes, this one included, that work for *connections*."""
        key = self._address.key("workers", "\0".join(sorted(connections)))
        self._presence.hold(key)
        self._keep_alive.start()
        rows = self._sessions.run("read", lambda one: one.execute(_HELD).fetchall())
        return len({pid for held, pid in rows if held == key})

    def cursors(self) -> list[CursorStatus]:
        """Return all cursors, by name of the connection."""

        def look(session: Session) -> list[CursorStatus]:
            held = {key for key, _ in session.execute(_HELD)}
            found = []
            for name, stream, epoch, committed, waiting, owner in session.execute(_CURSORS):
                owned = self._address.key("owner", name) in held
                who = owner if owned else ""
                found.append(CursorStatus(name, stream, epoch, committed, waiting, owned, who))
            return found

        return self._sessions.run("read", look)

    def drop(self, connection: str) -> bool:
        """Remove a connection's cursor, dead letters and memberships; return whether it was known.

        It is known if it has a cursor or memberships.
        """
        query = "delete from cursors where connection = %s returning stream"

        def write(session: Session) -> bool:
            with session.transaction():
                row = session.execute(query, (connection,)).fetchone()
                delete_letters(session, connection)
                known, _ = drop_audiences(session, connection)
                if row:
                    delete_settled(session, row[0])
            return row is not None or known

        return self._sessions.run("written", write)

    def erase(
        self,
        lines: Mapping[str, Collection[int]],
        letters: Sequence[int] = (),
        people: Sequence[bytes] = (),
    ) -> Erased:
        """Erase what is kept about somebody; the server overwrites it with its next vacuum."""
        return self._sessions.run("written", lambda one: erase(one, lines, letters, people))

    def rates(self, account: str) -> PostgresRates:
        """Return the state of the throttles for *account*."""
        return PostgresRates(account, self._sessions)

    def check(self, seconds: float = 5.0) -> None:
        """Raise StorageError if nothing can be written within *seconds*."""
        query = "update facts set value = %s where name = 'checked'"
        written = self._appender.call(lambda session: session.execute(query, (time.time(),)))
        try:
            written.result(seconds)
        except TimeoutError:
            written.cancel()
            raise StorageError(
                f"The store `{self.name}` cannot be written: nothing was written in {seconds:g} "
                "seconds."
            ) from None

    def close(self) -> None:
        """Complete what was submitted, release all connections, and close all sessions."""
        if self._closed:
            return
        self._closed = True
        self._keep_alive.close()
        self._notify()
        self._appender.close()
        self._sessions.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _own(self, connection: str) -> OwningSession | None:
        """Return a session that owns a connection, None if it has an owner already."""
        key = self._address.key("owner", connection)
        if key in self._sessions.run("read", lambda one: {row[0] for row in one.execute(_HELD)}):
            return None
        return OwningSession.take(self._address, connection, self._takeover)

    def _last(self, stream: str, commits: int) -> int:
        """Return the number of the last chunk, read anew after each commit of this process."""
        with self._looking:
            seen, at, lasts = self._lasts
            if seen != commits or time.monotonic() - at >= _POLL / 2:
                query = "select name, next - 1 from streams"
                at = time.monotonic()
                lasts = dict(self._sessions.run("read", lambda one: one.execute(query).fetchall()))
                self._lasts = (commits, at, lasts)
        return lasts.get(stream, 0)

    def _set_clock(self) -> None:
        if time.monotonic() - self._clock_set >= _SET_CLOCK:
            self._clock_set = time.monotonic()
            self._sessions.run("read", self._clock.set)

    def _notify(self) -> None:
        with self._committed:
            self._commits += 1
            self._committed.notify_all()
