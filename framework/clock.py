"""Clocks: the system's time, a time that can be moved, and a time that moves on request."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from framework.errors import RetryableError

HEED: Final = 0.25
"""Seconds after which a waiting clock notices a stop request."""


class Clock(Protocol):
    """The time of deliveries and sandboxes; all values are in seconds."""

    def monotonic(self) -> float:
        """Return seconds that never decrease."""

    def time(self) -> float:
        """Return seconds since 1970."""

    def sleep(self, seconds: float, /) -> None:
        """Wait for *seconds*."""


class SandboxClock(Clock, Protocol):
    """A clock that tests and the sandbox's control API can move."""

    def move(self, seconds: float) -> None:
        """Advance the clock by *seconds*, or set it back if negative."""


class SystemClock:
    """The machine's own time, read by the functions of the standard library themselves."""

    monotonic = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)
    time = staticmethod(time.time)


class MovableClock:
    """The system's time plus a movable offset; sleeping waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._offset = 0.0

    def monotonic(self) -> float:
        """Return the monotonic time plus the offset."""
        return time.monotonic() + self._offset

    def time(self) -> float:
        """Return seconds since 1970 plus the offset."""
        return time.time() + self._offset

    def sleep(self, seconds: float, /) -> None:
        """Wait for *seconds*."""
        time.sleep(seconds)

    def move(self, seconds: float) -> None:
        """Advance the clock by *seconds*, or set it back if negative."""
        with self._lock:
            self._offset += seconds


class InterruptibleClock:
    """A clock whose waits end when a stop is requested; otherwise like *clock*."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._stopping: Callable[[], bool] | None = None
        self.monotonic = self._clock.monotonic
        self.time = self._clock.time

    @property
    def stopping(self) -> bool:
        """Whether a stop is requested."""
        return self._stopping is not None and self._stopping()

    def heed(self, stopping: Callable[[], bool]) -> None:
        """End waits from now on when *stopping* returns true."""
        self._stopping = stopping

    def sleep(self, seconds: float, /) -> None:
        """Wait for *seconds*; raises RetryableError (`STOPPED`) within a second of a request."""
        if self._stopping is None:
            self._clock.sleep(seconds)
            return
        end = self.monotonic() + seconds
        while True:
            if self._stopping():
                raise RetryableError("A stop was requested.", "STOPPED", scope="connection")
            left = end - self.monotonic()
            if left <= 0:
                return
            self._clock.sleep(min(left, HEED))


class FrozenClock:
    """A time that changes only by `move` and `sleep`, which does not wait."""

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self._lock = threading.Lock()
        self._now = start

    def monotonic(self) -> float:
        """Return the current time of the clock."""
        return self._now

    def time(self) -> float:
        """Return the current time of the clock in seconds since 1970."""
        return self._now

    def sleep(self, seconds: float, /) -> None:
        """Advance the clock by *seconds* without waiting."""
        self.move(seconds)

    def move(self, seconds: float) -> None:
        """Advance the clock by *seconds*, or set it back if negative."""
        with self._lock:
            self._now += seconds
