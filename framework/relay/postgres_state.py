"""Tokens, rates and other state in a PostgreSQL store, and the clock of its server."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import msgspec
import psycopg

from framework.delivery import ThrottleState
from framework.errors import StorageError
from framework.relay.postgres_dead_letters import packed, unpacked
from framework.relay.postgres_sessions import Session, Sessions

_INSERT: Final = "insert into state(kind, key, value) values(%s, %b, %b)"

_PUT: Final = f"{_INSERT} on conflict(kind, key) do update set value = excluded.value"

_LOOK: Final = 0.02
"""Seconds between two attempts to take a lock that is held."""

_SAMPLES: Final = 3
"""How often the server is asked for its time; the quickest answer counts."""

_STEADY: Final = 0.005
"""Seconds by which a measured time may differ from the expected one, for no reason."""


class PostgresState:
    """JSON values by kind and key; a `framework.state_store.StateStore`."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def get(self, kind: str, key: str) -> Any:
        """Return the value, or None if it is absent."""
        return self._sessions.run("read", lambda session: _get(session, kind, key))

    def keys(self, kind: str) -> list[str]:
        """Return the keys of all values of a kind, ascending."""
        query = b"select key from state where kind = %s order by key"
        rows = self._sessions.run(
            "read",
            lambda session: session.cursor(binary=True).execute(query, (kind,)).fetchall(),
        )
        return [unpacked(row[0]) for row in rows]

    def put(self, kind: str, key: str, value: Any) -> None:
        """Set the value."""
        row = (kind, packed(key), msgspec.json.encode(value))
        self._sessions.run("written", lambda session: session.execute(_PUT, row))

    def create(self, kind: str, key: str, value: Any) -> bool:
        """Set the value if it is absent; return whether it was."""
        return self.swap(kind, key, None, value)

    def swap(self, kind: str, key: str, seen: Any, new: Any) -> bool:
        """Replace the value if it equals *seen* (None: it is absent); return whether it did."""
        row = (kind, packed(key), msgspec.json.encode(new))

        def write(session: Session) -> bool:
            with session.transaction():
                found = _row(session, kind, key, " for update")
                if found is None:
                    fits = seen is None
                    query = f"{_INSERT} on conflict do nothing" if fits else ""
                else:
                    fits = _decoded(found) == seen
                    query = _PUT if fits else ""
                return fits and session.execute(query.encode(), row).rowcount > 0

        return self._sessions.run("written", write)

    def delete(self, kind: str, key: str) -> bool:
        """Remove the value; return whether it existed."""
        query = "delete from state where kind = %s and key = %b"
        row = (kind, packed(key))
        return self._sessions.run("written", lambda one: one.execute(query, row).rowcount > 0)

    @contextmanager
    def lock(self, key: str, patience: float = 60.0) -> Iterator[None]:
        """Hold the lock named *key* until the context ends; other threads and processes wait."""
        number = self._sessions.address.key("state", key)
        end = time.monotonic() + patience
        with self._sessions.lend() as session:
            while not self._try(session, number):
                if time.monotonic() >= end:
                    raise StorageError(
                        f"The lock of state `{key}` was not free within {patience:g} seconds."
                    )
                time.sleep(_LOOK)
            try:
                yield
            finally:
                with suppress(psycopg.Error):
                    session.execute("select pg_advisory_unlock(%s)", (number,))

    def _try(self, session: Session, number: int) -> bool:
        with self._sessions.address.failures("written"):
            query = "select pg_try_advisory_lock(%s)"
            return session.execute(query, (number,)).fetchone() == (True,)


class PostgresRates:
    """The state of the throttles for one account."""

    def __init__(self, account: str, sessions: Sessions) -> None:
        self._account = packed(account)
        self._sessions = sessions

    def read(self) -> ThrottleState:
        """Return the current state."""
        query = "select booked, held from rates where account = %b"
        row = self._sessions.run(
            "read", lambda session: session.execute(query, (self._account,)).fetchone()
        )
        return ThrottleState(*row) if row else ThrottleState()

    def swap(self, seen: ThrottleState, new: ThrottleState) -> bool:
        """Replace the state if it still equals *seen*; return whether it did."""
        values = (self._account, new.booked, new.held, seen.booked, seen.held)
        if seen == ThrottleState():
            query = (
                "insert into rates(account, booked, held) values(%b, %s, %s) "
                "on conflict(account) do update set booked = excluded.booked, held = excluded.held "
                "where rates.booked = %s and rates.held = %s"
            )
        else:
            query = (
                "update rates set booked = %(new)s, held = %(hold)s where account = %(account)b "
                "and booked = %(seen)s and held = %(seen_hold)s"
            )
        given: Any = values
        if seen != ThrottleState():
            names = ("account", "new", "hold", "seen", "seen_hold")
            given = dict(zip(names, values, strict=True))
        text = query.encode()
        return self._sessions.run("written", lambda one: one.execute(text, given).rowcount > 0)


class ServerClock:
    """The time of the server, from which all processes that use a store read the same."""

    sleep = staticmethod(time.sleep)
    time = staticmethod(time.time)

    def __init__(self, session: Session) -> None:
        self._lock = threading.Lock()
        self._ahead, self._error = _measured(session)
        self._last = 0.0

    def monotonic(self) -> float:
        """Return the server's seconds since 1970; they never decrease."""
        with self._lock:
            self._last = max(self._last, time.monotonic() + self._ahead)
            return self._last

    def set(self, session: Session) -> None:
        """Follow the server's clock, if it differs from what is expected."""
        ahead, error = _measured(session)
        with self._lock:
            if abs(ahead - self._ahead) > error + self._error + _STEADY:
                self._ahead, self._error = ahead, error


def _measured(session: Session) -> tuple[float, float]:
    """Return how far the server's time is ahead of `time.monotonic`, and the greatest error."""
    found = []
    for _ in range(_SAMPLES):
        before = time.monotonic()
        row = session.execute("select extract(epoch from clock_timestamp())::float8").fetchone()
        took = time.monotonic() - before
        assert row is not None
        found.append((took / 2, row[0] - before - took / 2))
    error, ahead = min(found)
    return ahead, error


def _get(session: Session, kind: str, key: str) -> Any:
    return _decoded(_row(session, kind, key))


def _row(session: Session, kind: str, key: str, more: str = "") -> bytes | None:
    query = f"select value from state where kind = %s and key = %b{more}"  # noqa: S608 - no value
    cursor = session.cursor(binary=True).execute(query.encode(), (kind, packed(key)))
    row = cursor.fetchone()
    return row[0] if row else None


def _decoded(value: bytes | None) -> Any:
    try:
        return None if value is None else msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # a damaged value counts as absent
