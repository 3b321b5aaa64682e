"""Alerts: a bound is watched for each connection, and told when it is passed and when no longer.

An alert holds the name of its connection and numbers, nothing of an event.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Self, TypeAlias

import msgspec
from msgspec import Struct

from framework.errors import StorageError
from framework.relay import connection_statuses

if TYPE_CHECKING:
    from framework.monitoring.metrics import ArrivalCounts
    from framework.monitoring.notices import AlertNotice
    from framework.relay import EventStore, Relay, WorkerStatus

AlertKind: TypeAlias = Literal["lag", "deadLetters", "rejected"]
"""What is bounded: the age of the oldest waiting event in seconds, the number of dead letters, and
the share of events that fail or are invalid."""

CHECK_EVERY: Final = 5.0
"""Seconds between two looks at the bounds."""

WINDOW: Final = 300.0
"""Seconds over which the rejected share is measured."""

MINIMUM: Final = 20
"""Number of results in the window below which there is no rejected share."""

CALM: Final = 0.8
"""Share of a bound at which its alert is resolved, so that a value near the bound is one alert."""

REPEAT_AFTER: Final = 3600.0
"""Seconds after which an alert is repeated while it lasts."""

_STATE: Final = "alert"
"""The kind of the state that a store keeps of each alert."""

_logger = logging.getLogger("action_destinations")


class AlertBounds(Struct, frozen=True, kw_only=True):
    """The bounds of every connection; None where there is none.

    *lag* is in seconds, *dead_letters* a number, *rejected* a share from 0 to 1. An alert begins
    above its bound.
    """

    lag: float | None = None
    dead_letters: int | None = None
    rejected: float | None = None

    def by_kind(self) -> dict[AlertKind, float]:
        """Return the bounds that are given."""
        found: dict[AlertKind, float | None] = {
            "lag": self.lag,
            "deadLetters": self.dead_letters,
            "rejected": self.rejected,
        }
        return {kind: bound for kind, bound in found.items() if bound is not None}


class _Key(NamedTuple):
    connection: str
    kind: AlertKind


class _Firing(NamedTuple):
    """When an alert began, and when it was last told, in seconds since 1970."""

    since: float
    told: float


class Alerts:
    """Watches *bounds* for the connections of *relay* from a thread; a context manager.

    An alert is told when its bound is passed, once an hour while it lasts, and when the value is
    at most CALM of the bound: by a warning in the log, and by each of *notices*. What is told is
    kept in *store*, so that a relay that is started again tells nothing twice; while another
    process works for a connection, that one does.
    A value that is not known, such as the share before MINIMUM results, changes nothing.
    """

    def __init__(  # noqa: PLR0913 - each is an option of its own
        self,
        store: EventStore,
        relay: Relay,
        arrivals: ArrivalCounts,
        bounds: AlertBounds,
        notices: Sequence[AlertNotice] = (),
        *,
        every: float = CHECK_EVERY,
        window: float = WINDOW,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._relay = relay
        self._arrivals = arrivals
        self._bounds = bounds.by_kind()
        self._notices = notices
        self._every = every
        self._now = now
        self._shares = {one.connection: RejectedShare(window) for one in relay.workers()}
        self._sample()
        self._firing: dict[_Key, _Firing] = {}
        self._restored: set[str] = set()
        self._failing = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for one in self._notices:
            one.stop()
        self._thread.join(2.0)

    def check(self) -> None:
        """Compare all values with their bounds, and tell what has changed; raises StorageError."""
        for key, value in self._values():
            if value is not None and not self._stop.is_set():
                self._judge(key, value, self._bounds[key.kind])

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            try:
                self.check()
            except Exception as error:  # noqa: BLE001 - delivery and later checks continue
                if not self._failing:
                    reason = error if isinstance(error, StorageError) else type(error).__name__
                    _logger.warning("Alerts cannot be checked: %s", reason)
                self._failing = True
            else:
                self._failing = False

    def _restore(self, name: str) -> None:
        """Continue the alerts of an earlier relay; forget those whose bound is no longer given."""
        state = self._store.state
        kinds: tuple[AlertKind, ...] = ("lag", "deadLetters", "rejected")
        for key in (_Key(name, kind) for kind in kinds):
            found = state.get(_STATE, _name(key))
            if found and key.kind in self._bounds:
                self._firing[key] = _Firing(found["since"], found["told"])
            elif found:
                state.delete(_STATE, _name(key))
        self._restored.add(name)

    def _leave(self, name: str) -> None:
        """Leave the alerts of a connection to the process that works for it."""
        self._restored.discard(name)
        for key in [key for key in self._firing if key.connection == name]:
            del self._firing[key]

    def _values(self) -> Iterator[tuple[_Key, float | None]]:
        """Yield the value for each bound of each connection, None if it is not known."""
        statuses = connection_statuses(self._store)
        owned = {one.connection for one in statuses if one.owned}
        waiting = {one.connection for one in self._relay.workers() if one.state == "waiting"}
        mine = self._shares.keys() - (owned & waiting)
        for name in self._shares:
            if name not in mine:
                self._leave(name)
            elif name not in self._restored:
                self._restore(name)
        if "rejected" in self._bounds:
            self._sample()
            for name in mine:
                yield _Key(name, "rejected"), self._shares[name].value()
        for one in statuses:
            if one.connection not in mine:
                continue
            if "lag" in self._bounds:
                yield _Key(one.connection, "lag"), one.oldest if one.waiting else 0.0
            if "deadLetters" in self._bounds:
                yield _Key(one.connection, "deadLetters"), one.dead_letters

    def _sample(self) -> None:
        arrivals = self._arrivals()
        for one in self._relay.workers():
            self._shares[one.connection].add(time.monotonic(), *_results(one, arrivals))

    def _judge(self, key: _Key, value: float, bound: float) -> None:
        now = self._now()
        firing = self._firing.get(key)
        if firing is None:
            if value > bound:
                self._begin(key, value, bound, _Firing(now, now))
        elif value <= bound * CALM:
            self._tell(key, value, bound, firing, "resolved")
            del self._firing[key]
            self._store.state.delete(_STATE, _name(key))
        elif value > bound and not 0 <= now - firing.told < REPEAT_AFTER:
            self._begin(key, value, bound, firing._replace(told=now))

    def _begin(self, key: _Key, value: float, bound: float, firing: _Firing) -> None:
        """Tell that an alert lasts, and keep this, even if the store fails."""
        self._firing[key] = firing
        self._tell(key, value, bound, firing, "firing")
        self._store.state.put(_STATE, _name(key), firing._asdict())

    def _tell(
        self,
        key: _Key,
        value: float,
        bound: float,
        firing: _Firing,
        state: Literal["firing", "resolved"],
    ) -> None:
        value = round(value, 4)
        document = {
            "connection": key.connection,
            "alert": key.kind,
            "state": state,
            "value": value,
            "bound": bound,
            "since": _moment(firing.since),
        }
        _logger.warning(
            "Alert `%s` of connection `%s` is %s: the value is %s, the bound %s.",
            key.kind, key.connection, state, f"{value:g}", f"{bound:g}",
            extra={"connection": key.connection},
        )  # fmt: skip
        for notice in self._notices:
            failure, output = notice.send(msgspec.json.encode(document))
            if failure:
                _logger.warning("The alert %s failed. %s %s", notice.name, failure, output)
            elif output:
                _logger.info("The alert %s printed: %s", notice.name, output)


class _Sample(NamedTuple):
    at: float
    bad: int
    total: int


class RejectedShare:
    """The share of bad results of the last *seconds*, from counts that only grow."""

    def __init__(self, seconds: float = WINDOW) -> None:
        self._seconds = seconds
        self._samples: deque[_Sample] = deque()

    def add(self, at: float, bad: int, total: int) -> None:
        """Note the counts at a moment, in seconds; each is later than the one before."""
        samples = self._samples
        samples.append(_Sample(at, bad, total))
        while len(samples) > 1 and samples[1].at <= at - self._seconds:
            samples.popleft()

    def value(self) -> float | None:
        """Return the share.

        With less than MINIMUM results it is 0 if a whole window was watched, otherwise None.
        """
        first, last = self._samples[0], self._samples[-1]
        number = last.total - first.total
        if number >= MINIMUM:
            return (last.bad - first.bad) / number
        return 0.0 if last.at - first.at >= self._seconds else None


def _results(worker: WorkerStatus, arrivals: Mapping[tuple[str, str], int]) -> tuple[int, int]:
    """Return the number of a connection's bad results, and of all but skipped ones.

    Invalid events of its stream are bad ones.
    """
    invalid = arrivals.get(("invalid", worker.stream), 0)
    failed = sent = 0
    for (_, outcome, _), number in worker.results.items():
        failed += number if outcome == "failed" else 0
        sent += number if outcome != "skipped" else 0
    return failed + invalid, sent + invalid


def _name(key: _Key) -> str:
    return f"{key.kind} {key.connection}"


def _moment(at: float) -> str:
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
    return moment.replace("+00:00", "Z")
