"""The address of a PostgreSQL store, and sessions with its server."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeAlias, TypeVar

import psycopg
from psycopg import errors
from psycopg.conninfo import make_conninfo

from framework.errors import ConfigurationError, StorageError, StoreFullError
from framework.postgres_address import read_address, reason_of_server
from framework.relay.event_store import process_name

Session: TypeAlias = psycopg.Connection[tuple[Any, ...]]

Value = TypeVar("Value")

SCHEMA: Final = "action_destinations"
"""The schema of a store whose address names no other."""

OLDEST: Final = 14
"""The oldest supported version of the server, the first with `idle_session_timeout`."""

REACH: Final = 5
"""Seconds after which a server that does not answer counts as out of reach."""

ATTEMPTS: Final = 3
"""How often a transaction is tried that others have made impossible."""

_SEARCH_PATH: Final = re.compile(r"-(?:c\s*|-)search_path=(\S+)")

# A session that a network cuts off ends on both sides within half a minute, or at once if it owns.
_CLIENT: Final[dict[str, Any]] = {
    "connect_timeout": REACH,
    "keepalives_idle": REACH,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": REACH * 1000,
    "target_session_attrs": "read-write",
}
_SERVER: Final = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "idle_in_transaction_session_timeout": "60s",
    "idle_session_timeout": "0",
    "default_transaction_isolation": "read committed",
    "jit": "off",  # compiling takes longer than any of these queries
}

AGAIN: Final = (errors.SerializationFailure, errors.DeadlockDetected)
"""What others cause, and a second attempt may avoid."""

_GONE: Final = (
    errors.ReadOnlySqlTransaction,  # the primary has become a standby
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
)


class OutOfReachError(StorageError):
    """The server does not answer, or accepts no changes now."""


class Address:
    """Where a store is: a server, or several of which one can be written, and a schema.

    *url* is one of libpq, `postgresql://USER@HOST/DATABASE`. The schema is `action_destinations`
    unless the URL sets a `search_path` in its `options`.
    Raises ConfigurationError for a URL that cannot be read; its text is not repeated, as it may
    hold a password.
    """

    def __init__(self, url: str) -> None:
        address = read_address(url, "the PostgreSQL store")
        given = address.given
        schemas = _SEARCH_PATH.findall(str(given.get("options", "")))
        self.schema = schemas[-1].strip("\"'").split(",")[0] if schemas else SCHEMA
        at = "" if self.schema == SCHEMA else f" ({self.schema})"
        self.shown = f"{address.shown}{at}"
        self._secrets = address.secrets
        name = {"application_name": f"actions {process_name()}"}
        self._conninfo = make_conninfo("", **{**_CLIENT, **name, **given})

    def open(self, **settings: str) -> Session:
        """Return a session that commits each statement by itself, with settings of the server.

        Raises StorageError if no server can be reached, ConfigurationError for one that is too old.
        """
        try:
            session: Session = psycopg.connect(self._conninfo, autocommit=True)
        except psycopg.Error as error:
            raise self._out_of_reach(error) from None
        try:
            self._check_version(session.info.server_version)
            with self.failures("opened"):
                self._set_up(session, settings)
        except BaseException:
            session.close()
            raise
        return session

    def key(self, kind: str, name: str) -> int:
        """Return the number of an advisory lock of this store."""
        text = f"{self.schema}\0{kind}\0{name}".encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(text, digest_size=8).digest()
        return int.from_bytes(digest, "big", signed=True)

    @contextmanager
    def failures(self, act: str) -> Iterator[None]:
        """Turn errors of the server and of the network into StoreFullError or StorageError."""
        try:
            yield
        except (errors.DiskFull, errors.OutOfMemory) as error:
            raise StoreFullError(
                f"The store `{self.shown}` cannot be {act}: its server has no room "
                f"({self._reason(error)})."
            ) from None
        except psycopg.OperationalError as error:
            if error.diag.sqlstate is None or isinstance(error, _GONE):
                raise self._out_of_reach(error) from None
            raise self._failed(act, error) from None
        except psycopg.Error as error:
            raise self._failed(act, error) from None

    def _check_version(self, version: int) -> None:
        if version < OLDEST * 10_000:
            raise ConfigurationError(
                f"The server of the store `{self.shown}` is PostgreSQL {version // 10_000}. Use "
                f"version {OLDEST} or newer."
            )

    def _set_up(self, session: Session, settings: dict[str, str]) -> None:
        values = {"search_path": f'"{self.schema}"', **_SERVER, **settings}
        rows = session.execute(
            "select pg_backend_pid(), set_config(name, value, false) "
            "from unnest(%s::text[], %s::text[]) as one(name, value)",
            ([*values], [*values.values()]),
        ).fetchall()
        # A pooler answers with numbers of its own, and may give each transaction another session.
        if any(pid != session.info.backend_pid for pid, _ in rows):
            raise ConfigurationError(
                f"The store `{self.shown}` is behind a pooler such as PgBouncer, with which "
                "ownership of connections is not safe. Name the server itself."
            )
        # What was acknowledged must be on the disk, whatever the server's default is.
        session.execute(
            "select set_config('synchronous_commit', 'on', false) "
            "where current_setting('synchronous_commit') = 'off'"
        )

    def _failed(self, act: str, error: psycopg.Error) -> StorageError:
        return StorageError(f"The store `{self.shown}` cannot be {act}: {self._reason(error)}.")

    def _reason(self, error: psycopg.Error) -> str:
        return reason_of_server(error, self._secrets)

    def _out_of_reach(self, error: psycopg.Error) -> OutOfReachError:
        return OutOfReachError(
            f"The store `{self.shown}` cannot be reached: {self._reason(error)}. Check that its "
            "server runs, and the host, the user and the password."
        )


class Sessions:
    """Lends sessions to threads, each to one at a time; those that are free are kept."""

    def __init__(self, address: Address, **settings: str) -> None:
        self.address = address
        self._settings = settings
        self._free: list[Session] = []
        self._closed = False

    @contextmanager
    def lend(self) -> Iterator[Session]:
        """Lend a session that answers; it is closed afterwards if it is broken."""
        while True:
            session, used = self._take()
            if not used:
                break
            try:
                session.execute("select 1")
                break
            except psycopg.Error:
                session.close()
        try:
            yield session
        finally:
            self._put_back(session)

    def run(self, act: str, work: Callable[[Session], Value]) -> Value:
        """Return the result of *work*, which must have the same effect if it is done again.

        It is, once on a new session if the network or the server ended the one in use. Raises
        StorageError, with *act* as what cannot be done.
        """
        tries = 0
        with self.address.failures(act):
            while True:
                tries += 1
                session, used = self._take()
                try:
                    return work(session)
                except psycopg.Error as error:
                    gone = is_gone(session, error)
                    if gone:
                        session.close()
                        self.forget()  # the others are likely to be gone, too
                    again = isinstance(error, AGAIN) or (gone and used)
                    if tries == ATTEMPTS or not again:
                        raise
                finally:
                    self._put_back(session)

    def forget(self) -> None:
        """Close the sessions that are free."""
        while self._free:
            with suppress(IndexError):
                self._free.pop().close()

    def close(self) -> None:
        """Close all sessions, those that are lent when they are put back."""
        self._closed = True
        self.forget()

    def _take(self) -> tuple[Session, bool]:
        """Return a session, and whether it was used before."""
        while True:
            try:
                session = self._free.pop()
            except IndexError:
                return self.address.open(**self._settings), False
            if not session.closed:
                return session, True

    def _put_back(self, session: Session) -> None:
        if session.closed:
            return
        idle = session.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        if self._closed or not idle:
            session.close()
        else:
            self._free.append(session)


def owning_settings(timeout: float) -> dict[str, str]:
    """Return the settings of a session that the server ends *timeout* seconds after its last sign.

    Results that a frozen process does not receive count as no sign, either.
    """
    milliseconds = f"{timeout * 1000:.0f}ms"
    return {
        "idle_session_timeout": milliseconds,
        "idle_in_transaction_session_timeout": milliseconds,
        "tcp_user_timeout": f"{timeout * 750:.0f}ms",
    }


def is_gone(session: Session, error: psycopg.Error) -> bool:
    """Return whether an error has ended a session, or its server takes no changes any more."""
    return session.closed or session.broken or isinstance(error, _GONE)


def release_all(session: Session) -> None:
    """Release the advisory locks of a session, and close it; never raises."""
    with suppress(psycopg.Error):
        session.execute("select pg_advisory_unlock_all()")
    session.close()
