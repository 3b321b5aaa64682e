"""The rate of requests: limited in advance, and corrected by the partner's headers."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Protocol, Self

from msgspec import Struct

from framework.clock import Clock, SystemClock
from framework.errors import DefinitionError, RetryableError

LONGEST_PAUSE = 3600.0
"""Seconds; a longer requested pause is cut to this."""

SOON = 1e-6
"""Seconds of a wait that is over already."""

_ROUNDING = 1e-9  # so that 29 % of 100 calls are 29
_EPOCH = 1e9  # from here on a number is a date in Unix seconds, below it is a duration
_EPOCH_MS = 1e12  # and from here on the date is in milliseconds
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_REMAINING = ("x-ratelimit-remaining", "ratelimit-remaining", "x-rate-limit-remaining")
_RESET = ("x-ratelimit-reset", "ratelimit-reset", "x-rate-limit-reset")

TELLING = frozenset(name.encode() for name in ("retry-after", "ratelimit", *_REMAINING, *_RESET))
"""The names of headers about the rate limit; without them only a 429 matters."""


class Limit(Protocol):
    """At most *calls* requests in any window of *seconds* seconds, like a destination's `Rate`."""

    @property
    def calls(self) -> int:
        """The number of requests."""

    @property
    def seconds(self) -> float:
        """The length of the window."""


class Pace(Struct, frozen=True):
    """How a limit is kept: a burst after a rest, then a call every *interval* seconds.

    *slack* is how far in seconds the burst may run ahead of the even pace.
    """

    interval: float = 0.0
    slack: float = 0.0

    @classmethod
    def of(cls, limit: Limit, share: float = 1.0) -> Self:
        """Return the pace for a *share* of a limit.

        Its burst is a twenty-fifth of the calls, at least one. Of n calls the last comes at least
        (n - burst) intervals after the first, therefore a window never sees more than the share; a
        thousandth is added for the way. A share of less than one call is one call in a longer
        window.
        """
        if limit.calls < 1 or not limit.seconds > 0:
            got = f"{limit.calls} calls in {limit.seconds:g} seconds"
            raise DefinitionError(f"A rate must allow a call in some time, got {got}.")
        budget = limit.calls * share
        calls = max(1, int(budget + _ROUNDING))
        seconds = limit.seconds / min(1.0, budget)
        burst = max(1, calls // 25)
        interval = 1.001 * seconds / (calls - burst + 1)
        return cls(interval, (burst - 1) * interval)


class RateHeaders(Struct, frozen=True):
    """The rate limit in the headers of a response; seconds are counted from the response.

    *remaining* calls are left until *reset*; *retry_after* is the requested pause.
    """

    remaining: int | None = None
    reset: float | None = None
    retry_after: float | None = None

    @classmethod
    def read(cls, headers: Mapping[str, str], now: float, window: float = LONGEST_PAUSE) -> Self:
        """Read `Retry-After` and `x-ratelimit-*`, `ratelimit-*`, `x-rate-limit-*` or `RateLimit`.

        A time is a number of seconds, Unix time in seconds or milliseconds, distinguished by size,
        or a date. Dates are relative to the response's own `Date`, since clocks differ; without
        one to *now*, the local Unix time. A reset is never further away than *window* seconds.
        Invalid values count as absent.
        """
        now = _date(headers.get("date")) or now
        remaining = _number(_first(headers, *_REMAINING))
        reset = _until(_first(headers, *_RESET), now)
        if remaining is None and reset is None and (text := headers.get("ratelimit")):
            remaining, reset = _tightest(text)
        return cls(
            None if remaining is None else max(0, int(remaining)),
            None if reset is None else min(reset, window),
            _until(headers.get("retry-after"), now),
        )

    def pause(self, status: int) -> float | None:
        """Return the seconds to wait after a response with *status*, or None.

        At least one second and at most `LONGEST_PAUSE`. A reset counts only if no calls remain.
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
    """Keeps the state of throttles that share one rate limit."""

    def read(self) -> ThrottleState:
        """Return the current state."""

    def swap(self, seen: ThrottleState, new: ThrottleState) -> bool:
        """Replace the state if it still equals *seen*; return whether it did."""


class LocalRateStore:
    """State kept in memory, for the threads of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state = ThrottleState()

    def read(self) -> ThrottleState:
        """Return the current state."""
        return self._state

    def swap(self, seen: ThrottleState, new: ThrottleState) -> bool:
        """Replace the state if it still equals *seen*; return whether it did."""
        with self._lock:
            fits = self._state == seen
            if fits:
                self._state = new
            return fits


class Throttle:
    """Limits the rate of calls; several threads may share one.

    Without a *rate* it only keeps the pauses that the partner requests. Of a rate, and of the calls
    that the partner says remain, only *share* is used. *patience* is the longest wait in seconds
    that `take` accepts. Processes that share a rate limit share a *store*, and a
    *clock* with the same `monotonic`.
    """

    def __init__(
        self,
        rate: Limit | None = None,
        *,
        share: float = 1.0,
        clock: Clock | None = None,
        store: RateStore | None = None,
        patience: float = 90.0,
    ) -> None:
        self._pace = Pace.of(rate, share) if rate else Pace()
        self._share = share
        self._window = rate.seconds if rate else LONGEST_PAUSE
        self._clock = clock or SystemClock()
        self._store = store or LocalRateStore()
        self._patience = patience

    @property
    def is_paced(self) -> bool:
        """Whether there is a rate, so that a call makes the next ones wait."""
        return self._pace.interval > 0

    def wait(self) -> float:
        """Return the seconds until a call may go out, 0 if it may now; books nothing."""
        seen = self._store.read()
        return max(0.0, self._start(seen) - self._clock.monotonic())

    def book(self) -> bool:
        """Book a call that goes out now; return whether it may, otherwise book nothing."""
        while True:
            now, seen = self._clock.monotonic(), self._store.read()
            start = self._start(seen)
            if start > now + SOON:
                return False
            if not self._pace.interval:
                return True
            booked = max(seen.booked, start, now) + self._pace.interval
            if self._store.swap(seen, replace(seen, booked=booked)):
                return True

    def take(self, guard: Callable[[], object] = lambda: None) -> None:
        """Wait until a call is allowed, then call *guard*, which may refuse it by raising.

        Raises RetryableError (429, `THROTTLED`) at once, with the wait as its pause, if that is
        longer than the patience.
        """
        if self._pace.interval or self._store.read().held > self._clock.monotonic():
            self._wait_for_start()
        guard()

    def _wait_for_start(self) -> None:
        while True:
            start = self._book()
            ahead = start - self._clock.monotonic()
            if ahead > 0:
                self._clock.sleep(ahead)
            if self._store.read().held <= start:
                return
            # A pause was requested meanwhile: the booking is void.

    def tell(self, status: int, headers: Mapping[str, str]) -> None:
        """Apply the rate limit in the headers of a response to the next calls."""
        told = RateHeaders.read(headers, self._clock.time(), self._window)
        pause = told.pause(status)
        if status == 429 or pause is not None:
            self._hold(pause or 1.0)
        elif self._pace.interval and told.remaining is not None and told.reset is not None:
            self._leave(told.remaining, told.reset)

    def pause(self, status: int, headers: Mapping[str, str]) -> float | None:
        """Return the seconds to wait after a response with *status*, or None."""
        return RateHeaders.read(headers, self._clock.time(), self._window).pause(status)

    def _hold(self, seconds: float) -> None:
        until = self._clock.monotonic() + seconds
        while (seen := self._store.read()).held < until:
            self._store.swap(seen, replace(seen, held=until))

    def _leave(self, remaining: int, reset: float) -> None:
        """Book the calls that others have made, so that *remaining* calls last until *reset*."""
        # Half an interval keeps the call after the last one clear of the reset's edge.
        needed = (remaining * self._share - 0.5) * self._pace.interval
        ahead = min(reset, LONGEST_PAUSE) + self._pace.slack - needed
        booked = self._clock.monotonic() + ahead
        while (seen := self._store.read()).booked < booked:
            self._store.swap(seen, replace(seen, booked=booked))

    def _start(self, seen: ThrottleState) -> float:
        """Return the moment from which on the next call may go out."""
        return max(seen.held, seen.booked - self._pace.slack if self._pace.interval else 0.0)

    def _book(self) -> float:
        while True:
            now, seen = self._clock.monotonic(), self._store.read()
            start = max(now, self._start(seen))
            if start - now > self._patience:
                raise throttled(start - now)
            booked = max(seen.booked, start) + self._pace.interval
            if self._store.swap(seen, replace(seen, booked=booked)):
                return start


def throttled(wait: float) -> RetryableError:
    """Return the error of a request that would wait longer for its rate than it may."""
    message = f"The partner's rate limit leaves no room for the next {wait:.0f} seconds."
    return RetryableError(message, "THROTTLED", 429, pause=wait, scope="connection")


def _first(headers: Mapping[str, str], *names: str) -> str | None:
    return next((value for name in names if (value := headers.get(name)) is not None), None)


def _tightest(text: str) -> tuple[float | None, float | None]:
    """Return the remaining calls of a `RateLimit` field and the seconds until their reset.

    Of several limits the one with the fewest calls, or of those the latest reset. Its forms, of the
    IETF's draft about these fields: `"name";r=50;t=30` for each limit (since its version 08), and
    `limit=100, remaining=50, reset=30` (07).
    """
    members = [
        dict(part.strip().partition("=")[::2] for part in member.split(";"))
        for member in _QUOTED.sub("", text).split(",")
    ]
    limits = [(_number(one["r"]), _number(one.get("t"))) for one in members if "r" in one]
    if not limits:
        fields = {name: value for one in members for name, value in one.items()}
        return _number(fields.get("remaining")), _number(fields.get("reset"))
    known = [(calls, reset) for calls, reset in limits if calls is not None]
    return min(known, key=lambda one: (one[0], -(one[1] or 0)), default=(None, None))


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if isfinite(value) else None


def _until(text: str | None, now: float) -> float | None:
    """Return the seconds from *now* until a time in one of its forms, or None if it is invalid."""
    value = _number(text)
    if value is not None and value < _EPOCH:
        return max(0.0, value)
    until = _date(text) if value is None else value / 1000 if value >= _EPOCH_MS else value
    return None if until is None else max(0.0, until - now)


def _date(text: str | None) -> float | None:
    """Return the Unix time of a date of HTTP or ISO 8601, in UTC if it names no zone."""
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            date = read(text or "")
            return date.replace(tzinfo=date.tzinfo or UTC).timestamp()
        except (ValueError, OverflowError):
            continue
    return None
