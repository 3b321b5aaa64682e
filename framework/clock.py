"""Clocks: the machine's time, a time that can be moved, and a time that only moves when told."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Time as deliveries and sandboxes see it; seconds throughout."""

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""

    def time(self) -> float:
        """Return seconds since 1970, as partners count them."""

    def sleep(self, seconds: float, /) -> None:
        """Return after *seconds*."""


class SandboxClock(Clock, Protocol):
    """A clock that tests and the sandbox's page can move."""

    def move(self, seconds: float) -> None:
        """Make it *seconds* later, or earlier where negative."""


class SystemClock:
    """The machine's own time."""

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        return time.monotonic()

    def time(self) -> float:
        """Return seconds since 1970."""
        return time.time()

    def sleep(self, seconds: float, /) -> None:
        """Return after *seconds*."""
        time.sleep(seconds)


class MovableClock:
    """The machine's time plus what it was moved by; sleeping really waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._offset = 0.0

    def monotonic(self) -> float:
        """Return the machine's monotonic time, moved."""
        return time.monotonic() + self._offset

    def time(self) -> float:
        """Return the machine's time, moved."""
        return time.time() + self._offset

    def sleep(self, seconds: float, /) -> None:
        """Return after *seconds*."""
        time.sleep(seconds)

    def move(self, seconds: float) -> None:
        """Make it *seconds* later, or earlier where negative."""
        with self._lock:
            self._offset += seconds


class FrozenClock:
    """A time that only moves when told to; sleeping moves it and does not wait."""

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self._lock = threading.Lock()
        self._now = start

    def monotonic(self) -> float:
        """Return the time that the clock shows."""
        return self._now

    def time(self) -> float:
        """Return the time that the clock shows, in seconds since 1970."""
        return self._now

    def sleep(self, seconds: float, /) -> None:
        """Move the clock by *seconds*, at once."""
        self.move(seconds)

    def move(self, seconds: float) -> None:
        """Make it *seconds* later, or earlier where negative."""
        with self._lock:
            self._now += seconds
