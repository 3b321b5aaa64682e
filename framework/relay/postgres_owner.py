"""The owner of a connection in a PostgreSQL store: its session, the fence, and saving progress."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

import psycopg

from framework.delivery import MemberChange
from framework.errors import ConfigurationError, OwnershipLostError
from framework.events import Position
from framework.relay.event_store import DeadLetter, process_name
from framework.relay.ledger_store import Doubt
from framework.relay.postgres_dead_letters import (
    add_letters,
    letters_to_replay,
    remove_letters,
)
from framework.relay.postgres_ledger import (
    PostgresLedger,
    PostgresMemberships,
    doubts_of,
    remove_doubts,
    save_members,
)
from framework.relay.postgres_sessions import (
    AGAIN,
    ATTEMPTS,
    Address,
    Session,
    is_gone,
    owning_settings,
    release_all,
)

Value = TypeVar("Value")


class CursorTaken(NamedTuple):
    """A cursor that was just taken over; *stream* is the stream's ID."""

    stream: int
    epoch: int
    position: Position
    checkpoint: bytes


class OwningSession:
    """A session that holds the advisory lock of a connection, and does nothing but its work.

    The server ends it, and so frees the connection, when the process ends, or *timeout* seconds
    after the last `ping` of one that is frozen or cut off.
    """

    def __init__(self, address: Address, connection: str, session: Session) -> None:
        self.connection = connection
        self._address = address
        self._session = session
        self._lock = threading.Lock()
        self.lost = False

    @classmethod
    def take(cls, address: Address, connection: str, timeout: float) -> OwningSession | None:
        """Return a session that owns the connection, None if another one does."""
        session = address.open(**owning_settings(timeout))
        try:
            with address.failures("opened"):
                query = "select pg_try_advisory_lock(%s)"
                row = session.execute(query, (address.key("owner", connection),)).fetchone()
        except BaseException:
            session.close()
            raise
        if row == (True,):
            return cls(address, connection, session)
        session.close()
        return None

    def run(self, act: str, work: Callable[[Session], Value]) -> Value:
        """Return the result of *work* on the session, one transaction at most.

        It is done again if others have made it impossible.
        Raises OwnershipLostError if the session has ended, StorageError for other failures.
        """
        with self._lock:
            if self.lost:
                raise self.lost_error()
            with self._address.failures(act):
                for left in reversed(range(ATTEMPTS)):
                    try:
                        return work(self._session)
                    except AGAIN:
                        if not left:
                            raise
                    except psycopg.Error as error:
                        if not is_gone(self._session, error):
                            raise
                        self._lose()
                        raise self.lost_error() from None
            raise AssertionError  # the last attempt returns or raises

    def ping(self) -> None:
        """Tell the server that the process works; never raises, and skips a session in use."""
        if self.lost or not self._lock.acquire(blocking=False):
            return
        try:
            self._session.execute("select 1")
        except psycopg.Error as error:
            if is_gone(self._session, error):
                self._lose()
        finally:
            self._lock.release()

    def release(self) -> None:
        """Give the connection back; further calls have no effect."""
        with self._lock:
            if not self.lost:
                self.lost = True
                release_all(self._session)

    def lost_error(self) -> OwnershipLostError:
        """Return the error that says that the connection is lost."""
        return OwnershipLostError(
            f"This process no longer works for the connection `{self.connection}`: another one "
            "has taken over, the store could not be reached, or the connection's cursor was "
            "dropped."
        )

    def _lose(self) -> None:
        self.lost = True
        with suppress(psycopg.Error):
            self._session.close()


class PostgresClaim:
    """The right to work for a connection, held as long as its session lives or until released."""

    def __init__(self, session: OwningSession, ledger: PostgresLedger) -> None:
        self.connection = session.connection
        self._session = session
        self._ledger = ledger
        self._account = ""

    def check(self) -> None:
        """Raise OwnershipLostError if another owner has taken over."""
        self._session.run("read", self._check)

    def memberships(self, account: str) -> PostgresMemberships:
        """Return the memberships that the connection changes in *account* at the partner."""
        self._account = account
        return PostgresMemberships(self._ledger, account, self)

    def save_members(self, members: Sequence[MemberChange]) -> None:
        """Save states; raises OwnershipLostError and saves nothing if another one took over."""
        if members:
            self.write(lambda session: self._save_members(session, members))

    def write(self, work: Callable[[Session], Value]) -> Value:
        """Return the result of *work* in a transaction; raises OwnershipLostError if lost."""

        def fenced(session: Session) -> Value:
            with session.transaction():
                self._check(session, " for share")
                return work(session)

        return self._session.run("written", fenced)

    def release(self) -> None:
        """Release the connection; further calls have no effect."""
        self._session.release()

    def _check(self, session: Session, lock: str = "") -> None:
        """Raise if the session or the connection's cursor is gone; *lock* is a clause of SQL."""
        del lock
        session.execute("select 1")

    def _save_members(self, session: Session, members: Sequence[MemberChange]) -> None:
        address = self._ledger.sessions.address
        save_members(session, address, self._account, self.connection, members)


class PostgresOwner(PostgresClaim):
    """The right to work for a connection that reads a stream."""

    def __init__(
        self, stream: str, taken: CursorTaken, session: OwningSession, ledger: PostgresLedger
    ) -> None:
        super().__init__(session, ledger)
        self.stream = stream
        self._stream, self.epoch, self.position, self.checkpoint = taken
        self._settled = self.position.offset

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
        query = (
            "update cursors set committed = greatest(committed, %s), checkpoint = %b "
            "where connection = %s and epoch = %s"
        )

        def write(session: Session) -> None:
            with session.transaction():
                values = (committed, checkpoint, self.connection, self.epoch)
                if not session.execute(query, values).rowcount:
                    raise self._session.lost_error()
                remove_letters(session, self.connection, replayed)
                add_letters(session, self.connection, dead_letters)
                self._save_members(session, members)
                remove_doubts(session, self.connection, resolved)
                if committed > self._settled:
                    delete_settled(session, self._stream)

        self._session.run("written", write)
        self._settled = max(self._settled, committed)

    def replays(self, most: int = 1000) -> list[DeadLetter]:
        """Return dead letters of the connection for which a replay is requested, by ID."""
        return self._ledger.sessions.run(
            "read", lambda session: letters_to_replay(session, self.connection, most)
        )

    def doubts(self, most: int = 1000) -> list[Doubt]:
        """Return the doubts about people in audiences of the connection, by ID."""
        return self._ledger.sessions.run(
            "read", lambda session: doubts_of(session, self.connection, most)
        )

    def _check(self, session: Session, lock: str = "") -> None:
        query = f"select from cursors where connection = %s and epoch = %s{lock}"
        if not session.execute(query.encode(), (self.connection, self.epoch)).rowcount:
            raise self._session.lost_error()


def find_cursor(session: Session, connection: str, stream: str, *, from_start: bool) -> CursorTaken:
    """Begin the next epoch of a connection's cursor, created if absent.

    Raises ConfigurationError if it is a cursor of another stream.
    """
    session.execute("insert into streams(name) values(%s) on conflict do nothing", (stream,))
    with session.transaction():
        number = _one(session, "select id from streams where name = %s", stream)[0]
        row = _row(
            session,
            "update cursors set epoch = epoch + 1, owner = %s where connection = %s "
            "returning stream, epoch, committed, checkpoint",
            (process_name(), connection),
        )
        if row is None:
            _one(session, "select id from streams where id = %s for update", number)
            first = "(select min(seq) from chunks where stream = s.id)" if from_start else "s.next"
            row = _row(
                session,
                f"insert into cursors select %s, s.id, 1, coalesce({first}, s.next) - 1, '', %s "  # noqa: S608
                "from streams s where s.id = %s returning stream, epoch, committed, checkpoint",
                (connection, process_name(), number),
            )
            assert row is not None
            delete_settled(session, number)
        found, epoch, committed, checkpoint = row
        if found != number:
            (name,) = _one(session, "select name from streams where id = %s", found)
            raise ConfigurationError(
                f"The connection `{connection}` reads the stream `{name}`, not `{stream}`. To "
                "start over, remove it with `actions forget`; events that it has not settled are "
                "lost then."
            )
        position = Position(committed, _lines_before(session, number, committed))
    return CursorTaken(number, epoch, position, bytes(checkpoint))


def delete_settled(session: Session, stream: int) -> None:
    """Delete the chunks of a stream that every cursor has settled; all if it has no cursor.

    Locks the stream until the end of the transaction, so that no two owners overlook each other.
    """
    session.execute("select from streams where id = %s for update", (stream,))
    session.execute(
        "with gone as (delete from chunks where stream = %(stream)s and seq <= "
        "(select coalesce((select min(committed) from cursors where stream = s.id), s.next) "
        "from streams s where s.id = %(stream)s) returning n, length(body) as size) "
        "update streams set kept = kept - sum.n, bytes = bytes - sum.size "
        "from (select coalesce(sum(n), 0) as n, coalesce(sum(size), 0) as size from gone) as sum "
        "where id = %(stream)s and sum.n > 0",
        {"stream": stream},
    )


def _lines_before(session: Session, stream: int, committed: int) -> int:
    """Return the number of lines up to chunk number *committed* of a stream, given by its ID."""
    return int(
        _one(
            session,
            "select coalesce((select lines from chunks where stream = s.id and seq = %s), lines) "
            "from streams s where s.id = %s",
            committed + 1,
            stream,
        )[0]
    )


def _row(session: Session, query: str, values: Sequence[object]) -> tuple[Any, ...] | None:
    return session.cursor(binary=True).execute(query.encode(), values).fetchone()


def _one(session: Session, query: str, *values: object) -> tuple[Any, ...]:
    row = _row(session, query, values)
    assert row is not None
    return row
