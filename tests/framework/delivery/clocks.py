"""A clock for tests, on which time passes only while somebody sleeps, and a rate to keep by it."""

from __future__ import annotations

from typing import NamedTuple

STARTED = 1_800_000_000.0


class Rate(NamedTuple):
    """At most *calls* in any *seconds*."""

    calls: int
    seconds: float


class FakeClock:
    """Starts at a reading of 1000 and at Unix time 1800000000; remembers the sleeps."""

    def __init__(self) -> None:
        self.reading = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.reading

    def time(self) -> float:
        return STARTED + self.reading - 1000.0

    def sleep(self, seconds: float, /) -> None:
        self.slept.append(seconds)
        self.reading += seconds
