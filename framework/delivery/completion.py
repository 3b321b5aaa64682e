"""What became of events, many at a time: settlements share one result."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from msgspec import Struct

from framework.results import Result, Skipped

Completed: TypeAlias = tuple[int, int, Result]
"""Position of an event, index of a route, and what became of the two."""

SUPERSEDED = Skipped("SUPERSEDED", "A later event about the same identifier was sent instead.")
"""The result of an event that a later one of its lane made void."""


class Completion(Struct, frozen=True):
    """What became of the events at *positions* in one route; they share the result."""

    route: int
    positions: Sequence[int]
    result: Result

    def each(self) -> Iterator[Completed]:
        """Yield position, route and result of every event."""
        for position in self.positions:
            yield position, self.route, self.result


class RowIds(Struct, frozen=True):
    """How positions and routes are numbered together: in arrival order, routes in theirs."""

    routes: int

    def of(self, positions: Sequence[int]) -> Sequence[int]:
        """Give the marks of events in the first route; those in others follow each."""
        if isinstance(positions, range):
            return range(positions.start * self.routes, positions.stop * self.routes, self.routes)
        return [position * self.routes for position in positions]

    def split(self, marks: Iterable[int]) -> Iterator[tuple[int, int]]:
        """Yield position and route of each mark."""
        for mark in marks:
            yield divmod(mark, self.routes)

    def spans(self, groups: Iterable[Collection[int]]) -> dict[int, list[range]]:
        """Give the positions of marks by route, as ranges in ascending order; none comes twice.

        *groups* are marks that came together, which are mostly neighbours.
        """
        found: dict[int, list[range]] = {}
        for group in filter(None, groups):
            for run in _runs(sorted(group), self.routes):
                position, route = divmod(run.start, self.routes)
                found.setdefault(route, []).append(range(position, position + len(run)))
        for runs in found.values():
            runs.sort(key=lambda run: run.start)
        return found

    def settle(self, marks: Sequence[int], result: Result) -> Iterator[Completion]:
        """Yield the settlements of marks that share a result, one for each route."""
        if self.routes == 1:
            yield Completion(0, marks, result)
            return
        by_route: dict[int, list[int]] = {}
        for position, route in self.split(marks):
            by_route.setdefault(route, []).append(position)
        for route, positions in by_route.items():
            yield Completion(route, positions, result)


def _runs(marks: Sequence[int], step: int) -> Iterator[range]:
    """Yield ascending marks as ranges: at once where they are a single one."""
    whole = compact(marks, step)
    if isinstance(whole, range):
        yield whole
        return
    for residue in {mark % step for mark in marks}:
        start = end = -1
        for mark in marks:
            if mark % step != residue:
                continue
            if mark != end:
                if end >= 0:
                    yield range(start, end, step)
                start = mark
            end = mark + step
        yield range(start, end, step)


class RemainingRows(Sequence[int]):
    """The positions that are left when those of some marks are taken out; made when read."""

    def __init__(
        self, every: Sequence[int], taken: Sequence[int], routes: int, by: int = 0
    ) -> None:
        self._every = every
        self._taken = taken
        self._routes = routes
        self._by = by

    def __len__(self) -> int:
        return len(self._every) - len(self._taken)

    def __getitem__(self, index: Any) -> Any:
        return list(self)[index]

    def __iter__(self) -> Iterator[int]:
        taken = {mark // self._routes for mark in self._taken}
        return (position + self._by for position in self._every if position not in taken)

    def moved(self, by: int) -> RemainingRows:
        """Give the same positions, each so much higher."""
        return RemainingRows(self._every, self._taken, self._routes, self._by + by)


def compact(marks: Sequence[int], step: int) -> Sequence[int]:
    """Give ascending marks as a range where they are one; no mark comes twice.

    Among marks of several routes, whose ranges have gaps, some may stand in the gaps.
    """
    whole = range(marks[0], marks[-1] + 1, step)
    fits = len(whole) == len(marks) and (step == 1 or list(whole) == marks)
    return whole if fits else marks


def moved(numbers: Sequence[int], by: int) -> Sequence[int]:
    """Give *numbers*, each so much higher."""
    if isinstance(numbers, range):
        return range(numbers.start + by, numbers.stop + by, numbers.step)
    if isinstance(numbers, RemainingRows):
        return numbers.moved(by)
    return [number + by for number in numbers]
