"""Figures of rounds, and what may be said of them: ratios are taken inside a round."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Any, Self, TypeAlias

OURS = "this project"
BARE = "bare orjson"
PEER = "the reference"

Row: TypeAlias = dict[str, Any]
"""What one engine did in one round, as it printed it, with what the partner was sent."""

Round: TypeAlias = Mapping[str, Row]
"""The rows of a round by engine."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some values, and the least and the greatest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """Give the spread of *values*, of which there is at least one."""
        known = list(values)
        return cls(statistics.median(known), min(known), max(known))

    def __str__(self) -> str:
        if self.low == self.high:
            return short(self.median)
        return f"{short(self.median)} ({short(self.low)} to {short(self.high)})"


def short(value: float) -> str:
    """Give a number with the three digits that a measurement is good for."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def values(rounds: Sequence[Round], engine: str, key: str) -> list[float]:
    """Give what an engine reports under *key*, round by round; empty where it reports nothing."""
    rows = [one.get(engine, {}) for one in rounds]
    return [float(row[key]) for row in rows] if all(key in row for row in rows) else []


def ratio(rounds: Sequence[Round], key: str, over: str, under: str) -> Spread | None:
    """Give one engine's figure over another's, taken inside each round; None where one is missing.

    As all drift together on a machine that is shared, only such ratios can be compared.
    """
    above, below = values(rounds, over, key), values(rounds, under, key)
    if not above or not below:
        return None
    return Spread.of(one / other for one, other in zip(above, below, strict=True))


def exponent(points: Sequence[Mapping[str, Any]]) -> float:
    """Give the power with which the `cost` of points grows with their `size`, first to last.

    Twice the size at twice the cost is 1; the same cost at any size is 0. Sizes below 100,000
    are left out where there are two beyond: a start is most of what they cost.
    """
    large = [one for one in points if one["size"] >= 100_000]
    first, *_, last = large if len(large) > 1 else points
    return log(last["cost"] / first["cost"]) / log(last["size"] / first["size"])


def same(rounds: Sequence[Round]) -> bool:
    """Tell whether all engines that deliver had the partner sent the same, in all rounds."""
    rows = [row for one in rounds for engine, row in one.items() if engine != BARE]
    return len({row["sha256"] for row in rows}) == 1
