"""Keeping the sessions of a process alive by which it owns connections of a PostgreSQL store."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

import psycopg

from framework.errors import StorageError
from framework.relay.postgres_owner import OwningSession
from framework.relay.postgres_sessions import Address, Session, owning_settings, release_all

_PINGS: Final = 4
"""Signs of life in the time after which the server gives a process up."""


class KeepAlive:
    """A thread that pings owning sessions, started when there is one.

    *each* is called between the pings; it may raise StorageError.
    """

    def __init__(self, presence: Presence, timeout: float, each: Callable[[], None]) -> None:
        self._presence = presence
        self._interval = timeout / _PINGS
        self._each = each
        self._sessions: list[OwningSession] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store-keeper", daemon=True)

    def add(self, session: OwningSession) -> None:
        """Keep a session alive until it is lost or released."""
        with self._lock:
            self._sessions.append(session)
        self.start()

    def start(self) -> None:
        """Begin to ping; further calls have no effect."""
        with self._lock:
            if self._thread.ident is None:
                self._thread.start()

    def close(self) -> None:
        """End the thread, and release all sessions."""
        self._closing.set()
        with self._lock:
            started = self._thread.ident is not None
        if started:
            self._thread.join()
        for session in self._sessions:
            session.release()
        self._presence.close()

    def _run(self) -> None:
        while not self._closing.wait(self._interval):
            with self._lock:
                self._sessions = [one for one in self._sessions if not one.lost]
                sessions = [*self._sessions]
            for session in sessions:
                session.ping()
            with suppress(StorageError):  # operations on the store report it
                self._presence.ping()
                self._each()


class Presence:
    """A session that holds shared advisory locks, by which processes notice each other."""

    def __init__(self, address: Address, timeout: float) -> None:
        self._address = address
        self._timeout = timeout
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._held: set[int] = set()

    def hold(self, key: int) -> None:
        """Hold the lock *key* from now on; raises StorageError."""
        with self._lock:
            if key not in self._held:
                self._held.add(key)
                self._take([key])

    def ping(self) -> None:
        """Keep the session alive, and replace one that was ended; raises StorageError."""
        with self._lock:
            if self._held:
                self._take([])

    def close(self) -> None:
        """Release all locks."""
        with self._lock:
            if self._session:
                release_all(self._session)
            self._session = None
            self._held.clear()

    def _take(self, keys: Iterable[int]) -> None:
        """Take more locks, and all of them again if the session was ended."""
        session = self._session
        try:
            if session:
                _share(session, keys)
                return
        except psycopg.Error:
            assert session is not None
            session.close()
        self._session = None
        session = self._address.open(**owning_settings(self._timeout))
        with self._address.failures("opened"):
            _share(session, self._held)
        self._session = session


def _share(session: Session, keys: Iterable[int]) -> None:
    session.execute(
        "select pg_advisory_lock_shared(key) from unnest(%s::bigint[]) as one(key)", ([*keys],)
    )
