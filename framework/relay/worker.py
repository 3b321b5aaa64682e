"""A worker delivers a stream to one connection, in a thread of its own."""

from __future__ import annotations

import logging
import math
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from framework.delivery import Patience
from framework.errors import (
    ConfigurationError,
    FrameworkError,
    OwnershipLostError,
    StorageError,
)
from framework.relay.checkpoint import ConnectionIdentity
from framework.relay.delivery_ledger import clear_account, doubts_about, fence, open_ledger
from framework.relay.doubt_delivery import MOST, resolve_doubts
from framework.relay.job_sources import stream_jobs
from framework.relay.relay_counts import RelayCounts
from framework.relay.spread import Spread
from framework.relay.stream_checkpoint import StreamCheckpoint
from framework.relay.stream_session import StreamSession

if TYPE_CHECKING:
    from framework.delivery import Connection, Ledger, MemberChange, MetricKey, RateStores
    from framework.events import Position
    from framework.relay.event_store import EventStore, Owner
    from framework.relay.ledger_store import Doubt
    from framework.results import Failed
    from framework.state_store import StateStore

WorkerState: TypeAlias = Literal["delivering", "held", "waiting", "stopped"]
"""What a worker does: it delivers, is held by a failure of the whole connection, waits until
another owner releases the connection, or has ended."""

PATIENCE: Final = Patience(run_for=math.inf)
"""How long temporary failures are retried by default: without end, within the bounds of a batch."""

_REFUSED: Final = Patience(first=1.0)
"""The waits before a connection is probed that was refused as a whole."""

_STORE_AGAIN: Final = 2.0
"""Maximum seconds until a store that failed is tried again."""

_DOUBTS_AGAIN: Final = 10.0
"""Seconds until doubts are sent again that the partner did not accept."""

_FREE: Final = 0.1
"""Seconds after which a connection is tried again that another process owns."""

_LOOK: Final = 0.25
current_connection: Final[ContextVar[str]] = ContextVar("connection", default="")
"""The name of the connection for which the current thread works, for logs."""

_logger = logging.getLogger("action_destinations")


class RelayRoute(Struct, frozen=True, kw_only=True):
    """A stream and the connection to which it is delivered.

    *name* is that of the connection.
    *open_connection* reads its settings again, so that corrected credentials apply, and takes the
    states of rate limits and the store's other state, such as tokens; it raises FrameworkError.
    *sent_to* is empty for the partner, otherwise what receives the requests in its place, which
    *starts_empty* if it has no members whenever a relay starts. Memberships are kept in the store's
    *ledger*, if the connection changes audiences.
    """

    name: str
    stream: str
    open_connection: Callable[[RateStores, StateStore], Connection]
    sent_to: str = ""
    threads: int = 4
    patience: Patience = PATIENCE
    ledger: bool = True
    starts_empty: bool = False


class RelayWorker:
    """Delivers the stream of *route* until it is stopped.

    The connection is opened, and its position taken over, when the worker is constructed. With a
    *spread*, it is taken over later, whenever it is free and the spread allows it.
    Raises ConfigurationError for a position of another connection, or if another process works for
    this one, and what opening raises.
    """

    def __init__(
        self,
        store: EventStore,
        route: RelayRoute,
        spread: Spread | None = None,
        *,
        from_start: bool = False,
    ) -> None:
        self.route = route
        self.counts = RelayCounts()
        self._state: WorkerState = "waiting" if spread else "delivering"
        self.failure = ""
        self._store = store
        self._spread = spread
        self._from_start = from_start
        self._stop = threading.Event()
        self._lost = self._refused = False
        self._errors = self._refusals = 0
        self._session: StreamSession | None = None
        self._past_statuses: Counter[int] = Counter()
        self._past_metrics: Counter[MetricKey] = Counter()
        self._doubts: list[Doubt] = []
        self._next_doubts = 0.0
        self._connection = route.open_connection(store.rates, store.state)
        self.serves = ConnectionIdentity.of(self._connection, route.name, route.sent_to)
        self._owner: Owner | None = None
        if route.starts_empty:
            clear_account(store, self.serves.account)
        try:
            if not spread:
                self._take_over_first()
        except BaseException:
            self.close()
            raise
        self._thread = threading.Thread(target=self._run, name=f"relay {route.name}", daemon=True)

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the worker to end: calls under way are completed, and nothing new is started."""
        self._stop.set()
        self._store.wake()

    def drop(self) -> None:
        """Ask the calls under way to stop; their events stay open."""
        if self._session:
            self._session.drop()

    def join(self, seconds: float) -> bool:
        """Wait until the worker has ended; return whether it has."""
        self._thread.join(max(0.0, seconds))
        return not self._thread.is_alive()

    @property
    def state(self) -> WorkerState:
        """What the worker does."""
        session = self._session
        if self._state != "delivering" or session is None:
            return self._state
        probing = (self._refusals or self._errors) and not session.is_well
        return "held" if probing or session.is_held else "delivering"

    @property
    def alive(self) -> bool:
        """Whether the worker's thread is running."""
        return self._thread.is_alive()

    def statuses(self) -> dict[int, int]:
        """Return the number of responses by status; 0 counts requests without one."""
        return dict(self._past_statuses + self._connection.statuses)

    def metrics(self) -> dict[MetricKey, int]:
        """Return what the destination has counted."""
        return dict(self._past_metrics + self._connection.metrics)

    def close(self) -> None:
        """Close the connection and release it."""
        self._connection.close()
        if self._owner:
            self._owner.release()

    def _take_over_first(self) -> None:
        if not self._take_over():
            raise ConfigurationError(
                f"Another process works for the connection `{self.route.name}` on this store. "
                "Stop it first, or name another --store."
            )

    def _take_over(self) -> bool:
        """Own the connection at its saved position; return False if another process does."""
        route = self.route
        owner = self._store.own(route.name, route.stream, from_start=self._from_start)
        if owner is None:
            return False
        try:
            self._begin_with(owner)
        except BaseException:
            owner.release()
            raise
        self._owner = owner
        self._lost = False
        return True

    def _begin_with(self, owner: Owner) -> None:
        """Begin at the position that a former owner has saved."""
        route = self.route
        self._committed: Position = owner.position
        content = owner.checkpoint
        self._saved = StreamCheckpoint.read_from(content, self.serves, owner.position.lines)
        if self._saved.serves.label != self.serves.label:
            _logger.warning(
                "The subscriptions of connection `%s` were changed; events without a result are "
                "delivered by the current ones.",
                route.name,
                extra={"connection": route.name},
            )
            self._saved = replace(self._saved, serves=self.serves)
        self._connection.hook_runner.client.guard(fence(owner, self._lose))

    def _lose(self) -> None:
        self._lost = True

    def _lose_during(self, ledger: Ledger | None) -> None:
        """Note that the connection was lost, and the people that calls may still reach."""
        self._lost = True
        if ledger:
            self._doubts += doubts_about(ledger, self.serves.account)

    def _stopping(self) -> bool:
        return self._ending() or self._has_doubts()

    def _ending(self) -> bool:
        return self._stop.is_set() or self._lost or self._is_surplus()

    def _has_doubts(self) -> bool:
        """Return whether a former owner has left doubts, which are resolved between sessions."""
        now = time.monotonic()
        if self._owner is None or now < self._next_doubts:
            return False
        self._next_doubts = now + _LOOK
        with suppress(StorageError, OwnershipLostError):
            return bool(self._owner.doubts(1))
        return False

    def _is_surplus(self) -> bool:
        return self._spread is not None and self._spread.is_surplus(self.route.name)

    def _run(self) -> None:
        current_connection.set(self.route.name)
        try:
            while not self._stop.is_set():
                self._pause(self._deliver_or_fail())
        finally:
            self._state = "stopped"
            with suppress(StorageError):
                self._save_doubts()
            self.close()

    def _deliver_or_fail(self) -> float:
        try:
            return self._deliver()
        except Exception as error:  # noqa: BLE001 - other connections continue
            return self._failed_unexpectedly(error)

    def _deliver(self) -> float:
        """Deliver until something ends it; return the seconds after which to continue."""
        self._save_doubts()
        if self._owner and self._is_surplus():
            self._give_back()
            _logger.info("Connection `%s` is given to another process.", self.route.name)
        if (self._lost or self._owner is None) and not self._own_again():
            return _FREE
        assert self._owner is not None
        ledger = open_ledger(
            self._store, self._owner, self._connection, self.serves, used=self.route.ledger
        )
        try:
            self._resolve_doubts(self._owner, ledger)
        except OwnershipLostError:
            self._lose_during(ledger)
            return 0.0
        state = None if self.route.starts_empty else self._store.state
        session = StreamSession(
            self._store, self._owner, self._committed, self._saved, self._connection,
            self.route.patience, self.counts, self._stopping, self.route.threads, ledger,
            stream_jobs(state, self.route.stream, self.serves),
        )  # fmt: skip
        self._session = session
        try:
            self._state = "delivering"
            session.run()
        except OwnershipLostError:
            session.drop()
            self._lose_during(ledger)
            return 0.0
        except BaseException:
            session.drop()
            raise
        finally:
            self._committed, self._saved = session.committed, session.checkpoint
            if session.delivered:
                self._errors = self._refusals = 0
        self._errors = 0
        if self._stopping():
            return 0.0
        return self._hold(session.halted) if session.halted else 0.0

    def _resolve_doubts(self, owner: Owner, ledger: Ledger | None) -> None:
        """Send the states of people that late calls of a former owner may have changed."""
        account = self.serves.account
        while (doubts := owner.doubts(MOST)) and not self._ending():
            resolved = [one.id for one in doubts]
            if ledger is None:
                self._save_resolved(owner, resolved)
                continue
            resolved = resolve_doubts(
                doubts, account, self._connection, owner.memberships(account), ledger, self._ending
            )
            ledger.save(partial(self._save_resolved, owner, resolved))
            if len(resolved) < len(doubts):  # the partner refuses some for now
                self._next_doubts = time.monotonic() + _DOUBTS_AGAIN
                return

    def _save_resolved(
        self, owner: Owner, resolved: Sequence[int], members: Sequence[MemberChange] = ()
    ) -> None:
        content = self._saved.encode()
        owner.save(self._committed.offset, content, members=members, resolved=resolved)

    def _save_doubts(self) -> None:
        """Record the people that calls may have reached later than calls of the new owner."""
        if self._doubts:
            self._store.ledger.doubt(self.route.name, self._doubts)
            self._doubts.clear()

    def _hold(self, failure: Failed) -> float:
        """Log a refusal of the whole connection; return the seconds until it is probed."""
        self._refusals += 1
        pause = _REFUSED.wait(self._refusals, failure.pause)
        self._state, self.failure = "held", failure.code
        _logger.warning(
            "Connection `%s` is held for %.1f seconds: %s", self.route.name, pause, failure.message
        )
        self._refused = True
        return pause

    def _failed_unexpectedly(self, error: Exception) -> float:
        """Log an error of the store or a bug; return the seconds until the next try."""
        self._state, self.failure = "held", type(error).__name__
        of_store = isinstance(error, StorageError)
        text = str(error) if of_store else traceback.format_exc()
        text = self._connection.redactor.text(text)
        self._errors += 1
        if not of_store or self._errors.bit_count() == 1:  # the first, second, fourth, ... time
            _logger.error("Connection `%s` failed. %s", self.route.name, text)
        pause = _REFUSED.wait(self._errors, None)
        return min(pause, _STORE_AGAIN) if of_store else pause

    def _own_again(self) -> bool:
        """Own the connection, also again after its cursor was dropped or taken over."""
        self._give_back()
        if self._spread and not self._spread.take(self.route.name):
            self._state = "waiting"
            return False
        owned = False
        try:
            owned = self._take_over()
        finally:
            if self._spread and not owned:
                self._spread.give_back(self.route.name)
        if not owned and self._state != "waiting":
            self._state = "waiting"
            _logger.warning("Another process works for connection `%s`.", self.route.name)
        return owned

    def _give_back(self) -> None:
        if self._owner:
            self._owner.release()
            self._owner = None
        if self._spread:
            self._spread.give_back(self.route.name)

    def _pause(self, seconds: float) -> None:
        """Wait, then open the connection again if it was refused."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self._stop.is_set():
            self._stop.wait(min(left, _LOOK))
            if self._owner and self._is_surplus():
                break
        if self._refused and not self._stop.is_set():
            self._refused = False
            self._open_again()

    def _open_again(self) -> None:
        """Open the connection with its settings as they are now, such as new credentials."""
        route = self.route
        try:
            opened = route.open_connection(self._store.rates, self._store.state)
        except FrameworkError as error:
            _logger.warning("Connection `%s` cannot be opened: %s", route.name, error)
            return
        except Exception as error:  # noqa: BLE001 - a bug of the destination; others continue
            self._failed_unexpectedly(error)
            return
        now = ConnectionIdentity.of(opened, route.name, route.sent_to)
        if now != self.serves:
            opened.close()
            _logger.warning(
                "The file of connection `%s` has other settings or subscriptions now. Start the "
                "relay again to use them.",
                route.name,
            )
            return
        before, self._connection = self._connection, opened
        self._past_statuses += before.statuses
        self._past_metrics += before.metrics
        before.close()
        if self._owner:
            opened.hook_runner.client.guard(fence(self._owner, self._lose))
