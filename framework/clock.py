"""Clocks: the system's time, a time that can be moved, and a time that moves on request."""

from __future__ import annotations

import threading
import time
from typing import Protocol


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
