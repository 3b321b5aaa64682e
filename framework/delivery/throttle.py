"""The rate at which a partner is called: kept before being told to, corrected by what is told."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Protocol, Self

from msgspec import Struct

from framework.clock import Clock, SystemClock
from framework.errors import DefinitionError, RetryableError

LONGEST_PAUSE = 3600.0
"""Seconds; a partner that asks for more is asked again after an hour."""

_EPOCH = 1e9  # from here on a number is a date in Unix seconds, below it is a duration
_EPOCH_MS = 1e12  # and from here on the date is in milliseconds

TELLING = frozenset(
    {
        b"retry-after",
        b"x-ratelimit-remaining",
        b"ratelimit-remaining",
        b"x-ratelimit-reset",
        b"ratelimit-reset",
    }
)
"""The names of headers that say something about the budget; without them only a 429 does."""


class Limit(Protocol):
    """At most *calls* calls in any window of *seconds* seconds, as a destination's `Rate` says."""

    @property
    def calls(self) -> int:
        """How many."""

    @property
    def seconds(self) -> float:
        """In how long."""


class Pace(Struct, frozen=True):
    """How a limit is kept: a burst after a rest, then a call every *interval* seconds.

    *slack* is how far in seconds the burst may run ahead of the even pace.
    """

    interval: float = 0.0
    slack: float = 0.0

    @classmethod
    def of(cls, limit: Limit) -> Self:
        """Give the pace for a limit; its burst is a twenty-fifth of the calls, at least one.

        Of n calls the last comes at least (n - burst) intervals after the first, therefore a
        window never sees more than the limit; a thousandth is added for the way.
        """
        if limit.calls < 1 or not limit.seconds > 0:
            got = f"{limit.calls} calls in {limit.seconds:g} seconds"
            raise DefinitionError(f"A rate must allow a call in some time, got {got}.")
        burst = max(1, limit.calls // 25)
        interval = 1.001 * limit.seconds / (limit.calls - burst + 1)
        return cls(interval, (burst - 1) * interval)


class RateHeaders(Struct, frozen=True):
    """What an answer's headers say about the budget; seconds are counted from the answer.

    *remaining* calls are left until *reset*; *retry_after* is the pause that was asked for.
    """

    remaining: int | None = None
    reset: float | None = None
    retry_after: float | None = None

    @classmethod
    def read(cls, headers: Mapping[str, str], now: float) -> Self:
        """Read `Retry-After` (seconds or a date) and `x-ratelimit-*` or `ratelimit-*`.

        *now* is Unix time. A reset is a date in Unix seconds or milliseconds, or a number of
        seconds, told apart by its size. What cannot be read counts as not said.
        """
        remaining = _number(_first(headers, "x-ratelimit-remaining", "ratelimit-remaining"))
        return cls(
            None if remaining is None else max(0, int(remaining)),
            _until(_number(_first(headers, "x-ratelimit-reset", "ratelimit-reset")), now),
            _retry_after(headers.get("retry-after"), now),
        )

    def pause(self, status: int) -> float | None:
        """Give the seconds to wait after an answer with *status*, or None where nothing is said.

        At least one second and at most `LONGEST_PAUSE`. A reset counts only when the budget is
        used up.
        """
        spent = status == 429 or self.remaining == 0
        wait = self.retry_after if self.retry_after is not None else self.reset if spent else None
        return None if wait is None else min(max(wait, 1.0), LONGEST_PAUSE)


@dataclass(frozen=True, slots=True)
class ThrottleState:
    """The state of a throttle, in readings of its clock.

    *booked* is the moment up to which calls are booked at an even pace; nothing goes out before
    *held*.
    """

    booked: float = 0.0
    held: float = 0.0


class RateStore(Protocol):
    """Where a throttle's marks are kept, by all who share one budget."""

    def read(self) -> ThrottleState:
        """Give the current marks."""

    def swap(self, seen: ThrottleState, new: ThrottleState) -> bool:
        """Replace the marks if they are still as *seen*; tell whether they were."""


class LocalRateStore:
    """Marks kept in memory, for the threads of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._marks = ThrottleState()

    def read(self) -> ThrottleState:
        """Give the current marks."""
        return self._marks

    def swap(self, seen: ThrottleState, new: ThrottleState) -> bool:
        """Replace the marks if they are still as *seen*; tell whether they were."""
        with self._lock:
            fits = self._marks == seen
            if fits:
                self._marks = new
            return fits


class Throttle:
    """Lets calls out at a rate; several threads may share one.

    Without a *rate* it only keeps the pauses that the partner asks for. *patience* is the longest
    wait in seconds that `take` accepts. Processes that share a budget share a *ledger*, and a
    *clock* whose `monotonic` they have in common.
    """

    def __init__(
        self,
        rate: Limit | None = None,
        *,
        clock: Clock | None = None,
        ledger: RateStore | None = None,
        patience: float = 90.0,
    ) -> None:
        self._pace = Pace.of(rate) if rate else Pace()
        self._clock = clock or SystemClock()
        self._ledger = ledger or LocalRateStore()
        self._patience = patience

    def take(self) -> None:
        """Return when a call may go out.

        Raises RetryableError (429, `THROTTLED`) at once, with the wait as its pause, when that is
        longer than the patience.
        """
        if not self._pace.interval and self._ledger.read().held <= self._clock.monotonic():
            return
        while True:
            start = self._book()
            ahead = start - self._clock.monotonic()
            if ahead > 0:
                self._clock.sleep(ahead)
            if self._ledger.read().held <= start:
                return
            # A pause was asked for meanwhile: the booking is void.

    def tell(self, status: int, headers: Mapping[str, str]) -> None:
        """Take in what an answer says about the budget, so that the next calls keep to it."""
        told = RateHeaders.read(headers, self._clock.time())
        pause = told.pause(status)
        if status == 429 or pause is not None:
            self._hold(pause or 1.0)
        elif self._pace.interval and told.remaining is not None and told.reset is not None:
            self._leave(told.remaining, told.reset)

    def _hold(self, seconds: float) -> None:
        until = self._clock.monotonic() + seconds
        while (seen := self._ledger.read()).held < until:
            self._ledger.swap(seen, replace(seen, held=until))

    def _leave(self, remaining: int, reset: float) -> None:
        """Book what others must have used, so that *remaining* calls last until *reset*."""
        # Half an interval keeps the call after the last one clear of the reset's edge.
        needed = (remaining - 0.5) * self._pace.interval
        ahead = min(reset, LONGEST_PAUSE) + self._pace.slack - needed
        booked = self._clock.monotonic() + ahead
        while (seen := self._ledger.read()).booked < booked:
            self._ledger.swap(seen, replace(seen, booked=booked))

    def _book(self) -> float:
        while True:
            now, seen = self._clock.monotonic(), self._ledger.read()
            start = max(now, seen.held, seen.booked - self._pace.slack)
            if start - now > self._patience:
                raise _throttled(start - now)
            booked = max(seen.booked, start) + self._pace.interval
            if self._ledger.swap(seen, replace(seen, booked=booked)):
                return start


def _throttled(wait: float) -> RetryableError:
    message = f"The partner's rate limit leaves no room for the next {wait:.0f} seconds."
    return RetryableError(message, "THROTTLED", 429, pause=wait)


def _first(headers: Mapping[str, str], *names: str) -> str | None:
    return next((value for name in names if (value := headers.get(name)) is not None), None)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if isfinite(value) else None


def _until(value: float | None, now: float) -> float | None:
    """Give the seconds from *now* until a date, or the seconds themselves."""
    if value is None:
        return None
    if value < _EPOCH:
        return max(0.0, value)
    return max(0.0, (value / 1000 if value >= _EPOCH_MS else value) - now)


def _retry_after(text: str | None, now: float) -> float | None:
    seconds = _number(text)
    if seconds is not None or text is None:
        return None if seconds is None else max(0.0, seconds)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, date.replace(tzinfo=date.tzinfo or UTC).timestamp() - now)
