"""Rows by number, and what a process has prepared before any call, in a form that travels."""

from __future__ import annotations

import marshal
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from framework.delivery.report import Completion
from framework.delivery.row_groups import RowGroup
from framework.paths import Event
from framework.results import Result

Wanted: TypeAlias = Callable[[int, int], bool]
"""Whether the event at a position is to be delivered for the subscription of an index."""


class RowIds(Struct, frozen=True):
    """The numbering of rows: `position * subscriptions + index of the subscription`.

    *subscriptions* is their number, at least one.
    """

    subscriptions: int

    def of(self, positions: Sequence[int]) -> Sequence[int]:
        """Return the row ids of events in the first subscription; those in others follow each."""
        step = self.subscriptions
        if isinstance(positions, range):
            return range(positions.start * step, positions.stop * step, step)
        return [position * step for position in positions]

    def spans(self, groups: Iterable[Collection[int]]) -> dict[int, list[range]]:
        """Return the positions of rows by subscription, as ranges in ascending order.

        *groups* are row ids without duplicates; those in one group are mostly neighbors.
        """
        found: dict[int, list[range]] = {}
        for group in filter(None, groups):
            for run in _runs(sorted(group), self.subscriptions):
                position, subscription = divmod(run.start, self.subscriptions)
                spans = found.setdefault(subscription, [])
                spans.append(range(position, position + len(run)))
        for spans in found.values():
            spans.sort(key=lambda run: run.start)
        return found

    def completions(self, row_ids: Sequence[int], result: Result) -> list[Completion]:
        """Return the completions of rows that share a result, one for each subscription."""
        if self.subscriptions == 1:
            return [Completion(0, row_ids, result)]
        by_subscription: dict[int, list[int]] = {}
        for row_id in row_ids:
            position, subscription = divmod(row_id, self.subscriptions)
            by_subscription.setdefault(subscription, []).append(position)
        return [Completion(one, positions, result) for one, positions in by_subscription.items()]


class RemainingRows(Sequence[int]):
    """The positions that remain when some rows are taken out of *every*; computed when read."""

    def __init__(
        self, every: Sequence[int], taken: Sequence[int], subscriptions: int, by: int = 0
    ) -> None:
        self._every = every
        self._taken = taken
        self._subscriptions = subscriptions
        self._by = by

    def __len__(self) -> int:
        return len(self._every) - len(self._taken)

    def __getitem__(self, index: Any) -> Any:
        return list(self)[index]

    def __iter__(self) -> Iterator[int]:
        taken = {row_id // self._subscriptions for row_id in self._taken}
        return (position + self._by for position in self._every if position not in taken)

    def moved(self, by: int) -> RemainingRows:
        """Return the same positions, each increased by *by*."""
        return RemainingRows(self._every, self._taken, self._subscriptions, self._by + by)


class Prepared(Struct, frozen=True):
    """The product of events before any call: *groups* of rows that wait, and *completions*.

    *objects* and *events* hold, by row id, what is kept with rows, *deletions* the row ids of
    requests to delete users; see `Intake`. Between processes they travel in one piece, which is
    faster than value by value, and the groups without theirs.
    """

    groups: Sequence[RowGroup]
    completions: Sequence[Completion]
    objects: Mapping[int, dict[str, Any]]
    events: Mapping[int, Event]
    deletions: Sequence[int] = ()

    def __reduce__(self) -> tuple[Callable[..., Prepared], tuple[Any, ...]]:
        groups = [replace(group, objects=()) for group in self.groups]
        kept = _packed(self.objects), _packed(self.events)
        return _received, (groups, self.completions, self.deletions, *kept)

    def moved(self, positions: int, row_ids: RowIds) -> Prepared:
        """Return the same for events whose positions are greater by *positions*."""
        by = positions * row_ids.subscriptions
        return Prepared(
            [replace(one, row_ids=_moved(one.row_ids, by)) for one in self.groups],
            [replace(one, positions=_moved(one.positions, positions)) for one in self.completions],
            {row_id + by: one for row_id, one in self.objects.items()},
            {row_id + by: one for row_id, one in self.events.items()},
            _moved(self.deletions, by),
        )


def _packed(kept: Any) -> Any:
    """Return what is kept in one piece, or unchanged if it holds something unusual."""
    try:
        return marshal.dumps(kept)
    except ValueError:
        return kept


def _received(
    groups: Sequence[RowGroup],
    completions: Sequence[Completion],
    deletions: Sequence[int],
    *packed: Any,
) -> Prepared:
    """Return what another process has prepared; groups get their objects back."""
    objects, events = (
        marshal.loads(one) if isinstance(one, bytes) else one  # noqa: S302 - from our own child
        for one in packed
    )
    groups = [
        replace(group, objects=[objects[row_id] for row_id in group.row_ids])
        if objects and group.weights is None
        else group
        for group in groups
    ]
    return Prepared(groups, completions, objects, events, deletions)


def _runs(row_ids: Sequence[int], step: int) -> Iterator[range]:
    """Yield ascending row ids as ranges: at once if they are a single one."""
    whole = compact(row_ids, step)
    if isinstance(whole, range):
        yield whole
        return
    for residue in {row_id % step for row_id in row_ids}:
        start = end = -1
        for row_id in row_ids:
            if row_id % step != residue:
                continue
            if row_id != end:
                if end >= 0:
                    yield range(start, end, step)
                start = row_id
            end = row_id + step
        yield range(start, end, step)


def compact(row_ids: Sequence[int], step: int) -> Sequence[int]:
    """Return ascending row ids, without duplicates, as a range if they are one.

    Row ids of several subscriptions, whose ranges have gaps, may lie in each other's gaps.
    """
    whole = range(row_ids[0], row_ids[-1] + 1, step)
    fits = len(whole) == len(row_ids) and (step == 1 or list(whole) == row_ids)
    return whole if fits else row_ids


def _moved(numbers: Sequence[int], by: int) -> Sequence[int]:
    """Return *numbers*, each increased by *by*."""
    if isinstance(numbers, range):
        return range(numbers.start + by, numbers.stop + by, numbers.step)
    if isinstance(numbers, RemainingRows):
        return numbers.moved(by)
    return [number + by for number in numbers]
