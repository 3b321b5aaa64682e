"""The workers of one process: started together, watched, and stopped within a deadline."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct, field

from framework.dates import read_date
from framework.errors import ConfigurationError
from framework.relay.event_store import DeadLetterFilter
from framework.relay.spread import Spread
from framework.relay.worker import RelayRoute, RelayWorker, WorkerState

if TYPE_CHECKING:
    from framework.delivery import MetricKey
    from framework.relay.event_store import CursorStatus, EventStore
    from framework.relay.relay_counts import CountKey

EXPIRE_EVERY: Final = 3600.0
"""Seconds between two deletions of old dead letters."""

_ABORT: Final = 1.0
"""Seconds for calls to end once they are asked to."""


class WorkerStatus(Struct, frozen=True, kw_only=True):
    """What one worker has done since it was started; *failure* is the code that holds it."""

    connection: str
    stream: str
    state: WorkerState
    failure: str
    results: Mapping[CountKey, int]
    dead_letters: int
    statuses: Mapping[int, int]
    metrics: Mapping[MetricKey, int] = field(default_factory=dict)


class ConnectionStatus(Struct, frozen=True, kw_only=True):
    """A connection's cursor in a store, with what waits for it and its dead letters.

    *owner* is the process that works for it, as `host/pid`. *doubts* is the number of people for
    which a call of a former owner may have arrived late. *oldest* is the number of seconds since
    the oldest waiting event was received, if known.
    """

    connection: str
    stream: str
    waiting: int
    owned: bool
    owner: str
    dead_letters: int
    oldest: float | None
    doubts: int

    def to_json(self) -> dict[str, Any]:
        """Return the status as a JSON object."""
        return {
            "connection": self.connection,
            "stream": self.stream,
            "waiting": self.waiting,
            "owned": self.owned,
            "owner": self.owner or None,
            "deadLetters": self.dead_letters,
            "oldestSeconds": None if self.oldest is None else round(self.oldest, 3),
            "doubts": self.doubts,
        }


class Relay:
    """Delivers from *store* to several connections at once, each at its own pace.

    All of them are opened when the relay is constructed, and taken over unless it *waits*: then it
    takes over what is free, as much as is its share among the relays that use the store.
    Raises ConfigurationError with the problems of all connections.
    """

    def __init__(
        self,
        store: EventStore,
        routes: Sequence[RelayRoute],
        *,
        from_start: bool = False,
        waits: bool = False,
    ) -> None:
        self._store = store
        self._next_expiry = 0.0
        self._workers: list[RelayWorker] = []
        problems: list[str] = []
        spread = Spread(store, [route.name for route in routes]) if waits else None
        for route in routes:
            try:
                self._workers.append(RelayWorker(store, route, spread, from_start=from_start))
            except ConfigurationError as error:
                problems.append(str(error))
        if problems:
            self._close()
            raise ConfigurationError("\n".join(problems), problems)

    def start(self) -> None:
        """Begin to deliver."""
        for worker in self._workers:
            worker.start()

    def request_stop(self) -> None:
        """Ask the workers to complete the calls under way and to start no more."""
        for worker in self._workers:
            worker.stop()

    def stop(self, seconds: float) -> bool:
        """End within *seconds*; return whether all calls under way were completed and saved.

        Otherwise their events stay open, and the next relay sends them again.
        """
        end = time.monotonic() + seconds
        self.request_stop()
        ended = [worker.join(end - time.monotonic()) for worker in self._workers]
        in_time = all(ended)
        if not in_time:
            for worker in self._workers:
                worker.drop()
            end = time.monotonic() + _ABORT
            for worker in self._workers:
                worker.join(end - time.monotonic())
        return in_time

    def expire_dead_letters(self, keep: float, now: float | None = None) -> int:
        """Delete dead letters of these connections that are older than *keep* seconds.

        Does so at most once an hour; returns the number of letters deleted. Raises StorageError.
        """
        if time.monotonic() < self._next_expiry:
            return 0
        self._next_expiry = time.monotonic() + EXPIRE_EVERY
        until = (time.time() if now is None else now) - keep
        letters = self._store.dead_letters
        names = [worker.route.name for worker in self._workers]
        return sum(letters.drop(DeadLetterFilter(connection=one, until=until)) for one in names)

    def ended(self) -> list[str]:
        """Return a sentence for each connection whose thread has ended."""
        return [
            f"The thread of connection `{worker.route.name}` has ended."
            for worker in self._workers
            if not worker.alive
        ]

    def workers(self) -> list[WorkerStatus]:
        """Return what each worker has done so far."""
        return [
            WorkerStatus(
                connection=one.route.name,
                stream=one.route.stream,
                state=one.state,
                failure=one.failure if one.state == "held" else "",
                results=one.counts.results(),
                dead_letters=one.counts.dead_letters,
                statuses=one.statuses(),
                metrics=one.metrics(),
            )
            for one in self._workers
        ]

    def _close(self) -> None:
        for worker in self._workers:
            worker.close()


def connection_statuses(store: EventStore, now: float | None = None) -> list[ConnectionStatus]:
    """Return the status of every connection that has a cursor in *store*, by name."""
    now = time.time() if now is None else now
    return [_status(store, one, now) for one in store.cursors()]


def _status(store: EventStore, cursor: CursorStatus, now: float) -> ConnectionStatus:
    return ConnectionStatus(
        connection=cursor.connection,
        stream=cursor.stream,
        waiting=cursor.waiting,
        owned=cursor.owned,
        owner=cursor.owner,
        dead_letters=store.dead_letters.count(DeadLetterFilter(connection=cursor.connection)),
        oldest=_age(store, cursor, now) if cursor.waiting else None,
        doubts=store.ledger.doubts(cursor.connection),
    )


class _Received(Struct):
    receivedAt: Any = None  # noqa: N815 - the key of the event


def _age(store: EventStore, cursor: CursorStatus, now: float) -> float | None:
    """Return the seconds since the oldest waiting event was received, None if unknown."""
    for chunk in store.read(cursor.stream, cursor.committed, 1):
        try:
            received = msgspec.json.decode(chunk.lines[0], type=_Received).receivedAt
        except (msgspec.DecodeError, UnicodeDecodeError, IndexError):
            return None
        found = read_date(received) if isinstance(received, str) else None
        return None if found is None else max(0.0, now - found / 1000)
    return None
