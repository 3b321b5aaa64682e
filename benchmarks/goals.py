"""The goals, each with the measurement that tells whether it is met."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from benchmarks.figures import BARE, OURS, PEER, Spread, exponent, ratio, values

Figures: TypeAlias = Mapping[str, Mapping[str, Any]]
"""What was measured, by part."""

Measure: TypeAlias = Callable[[Mapping[str, Any]], Spread | None]
"""Gives what counts of one part; None where an engine did not take part."""

_SENSES = {"≥": operator.ge, "≤": operator.le, "<": operator.lt}


@dataclass(frozen=True, slots=True)
class Goal:
    """What is wanted of a part: a figure on one side of a limit, in words of its own."""

    what: str
    part: str
    sense: Literal["≥", "≤", "<"]
    limit: float
    unit: str
    measure: Measure

    @property
    def wanted(self) -> str:
        """The limit in words."""
        number = "1/3" if round(self.limit * 3, 9) == 1 else f"{self.limit:g}"
        return f"{self.sense} {number} {self.unit}".rstrip()

    def row(self, figures: Figures) -> tuple[str, str, str, str]:
        """Give what, wanted, measured, and the verdict, which the median decides."""
        part = figures.get(self.part, {"skipped": "it was not run"})
        if "skipped" in part:
            return self.what, self.wanted, "", f"not measured: {part['skipped']}"
        measured = self.measure(part)
        if measured is None:
            return self.what, self.wanted, "", f"not measured: {PEER} did not take part"
        met = _SENSES[self.sense](measured.median, self.limit)
        return self.what, self.wanted, str(measured), "met" if met else "**not met**"


def speed(part: Mapping[str, Any]) -> Spread | None:
    """Give events a second, over those of the reference."""
    return ratio(part["rounds"], "median_per_s", OURS, PEER)


def _memory(part: Mapping[str, Any]) -> Spread | None:
    return ratio(part["rounds"], "peak_mb", OURS, PEER)


def _time_of_decoding(part: Mapping[str, Any]) -> Spread | None:
    return ratio(part["rounds"], "median_per_s", BARE, OURS)


def _processor_of_decoding(part: Mapping[str, Any]) -> Spread | None:
    return ratio(part["rounds"], "cpu_us", OURS, BARE)


def _requests(part: Mapping[str, Any]) -> Spread:
    return Spread.of(values(part["rounds"], OURS, "requests"))


def _seconds(key: str) -> Measure:
    return lambda part: Spread.of([part["found"][key]])


def _growth(series: str) -> Measure:
    def measure(part: Mapping[str, Any]) -> Spread:
        return Spread.of([exponent(part["found"][series])])

    return measure


_TIMES = f"times {PEER}"

GOALS = (
    Goal("a file of one audience", "audience", "≥", 10, _TIMES, speed),
    Goal("the same, time", "audience", "≤", 0.6, f"of {BARE}", _time_of_decoding),
    Goal("the same, processor time", "audience", "≤", 0.6, f"of {BARE}", _processor_of_decoding),
    Goal("the same, peak memory", "audience", "≤", 1 / 3, f"of {PEER}", _memory),
    Goal("the same, two processes", "processes", "≥", 15, _TIMES, speed),
    Goal("with hashing", "hashed", "≥", 9, _TIMES, speed),
    Goal("one event in ten matches", "mixed", "≥", 9, _TIMES, speed),
    Goal("a rich mapping", "rich", "≥", 7, _TIMES, speed),
    Goal("the same, two processes", "rich-processes", "≥", 10, _TIMES, speed),
    Goal("single events", "single", "≥", 4, _TIMES, speed),
    Goal("50 ms to the partner", "latency", "≥", 10, f"{_TIMES}, 8 in flight", speed),
    Goal("requests for 100,000 events of one audience", "requests", "≤", 4, "", _requests),
    Goal("`actions --version`", "startup", "≤", 0.1, "s", _seconds("version_s")),
    Goal("first event delivered", "startup", "≤", 0.25, "s", _seconds("first_event_s")),
    Goal("growth with events (1 is linear)", "growth", "≤", 1.05, "", _growth("events")),
    Goal(
        "growth with subscriptions that do not match",
        "growth",
        "<",
        1,
        "",
        _growth("subscriptions"),
    ),
)
"""In the order in which they are shown."""
