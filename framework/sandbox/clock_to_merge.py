"""Clocks for pretend partners: the machine's time that can be moved, and one that stands still."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Where a sandbox takes the time from; all times are Unix times in seconds."""

    def now(self) -> float:
        """Give the present time."""

    def move(self, seconds: float) -> None:
        """Make it *seconds* later (or earlier)."""

    def sleep(self, seconds: float) -> None:
        """Return when it is *seconds* later."""


class SystemClock:
    """The machine's time plus what it was moved by; sleeping really waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._offset = 0.0

    def now(self) -> float:
        """Give the machine's time, moved."""
        return time.time() + self._offset

    def move(self, seconds: float) -> None:
        """Make it *seconds* later (or earlier)."""
        with self._lock:
            self._offset += seconds

    def sleep(self, seconds: float) -> None:
        """Wait *seconds*."""
        time.sleep(seconds)


class FrozenClock:
    """A time that only moves when told to; sleeping moves it and does not wait."""

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self._lock = threading.Lock()
        self._now = start

    def now(self) -> float:
        """Give the time at which the clock stands."""
        return self._now

    def move(self, seconds: float) -> None:
        """Make it *seconds* later (or earlier)."""
        with self._lock:
            self._now += seconds

    def sleep(self, seconds: float) -> None:
        """Make it *seconds* later at once."""
        self.move(seconds)
