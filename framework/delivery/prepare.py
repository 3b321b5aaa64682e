"""Events into rows, and rows into groups for the batcher: trigger, mapping, shape, identity.

There are three equivalent ways: plain JSON one event at a time (with a record of every stage if
wanted), plain JSON through one fused function, and structs that hold only what is read.
"""

from __future__ import annotations

import marshal
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, TypeAlias, cast

from msgspec import Struct
from msgspec.structs import replace

from framework.definition import Batching, Target
from framework.delivery.batching import RowGroup
from framework.delivery.columns import OBJECTS, Columns, Lists
from framework.delivery.compiled import CompiledSubscription
from framework.delivery.fusion import Fusion, Slow, fuse, places_of
from framework.delivery.performing import HookRunner
from framework.delivery.projection import Projection, project
from framework.delivery.report import Completion, ReportItem
from framework.errors import PayloadValidationError
from framework.events import EVENT_TYPES
from framework.paths import MISSING, Event, PathSteps
from framework.results import Failed, Result, Skipped

Wanted: TypeAlias = Callable[[int, int], bool]
"""Whether the event at a position is to be delivered for the subscription of an index."""

MESSAGE_ID: Final = "messageId"
"""The key of an event by which outcomes name it."""


def prepare_event(compiled: CompiledSubscription, event: Event) -> dict[str, Any] | Result:
    """Return the shaped payload of *event*, or the result of an event that has none."""
    if not compiled.trigger.matches(event):
        return compiled.unmatched
    try:
        return compiled.shape.apply(compiled.mapping.resolve(event), sync_mode=compiled.sync_mode)
    except PayloadValidationError as error:
        return Failed.from_error(error, "framework")


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

    *objects* and *events* hold, by row id, what is kept with rows; see `Intake`. Between
    processes they travel in one piece, which is faster than value by value, and the groups
    without theirs.
    """

    groups: Sequence[RowGroup]
    completions: Sequence[Completion]
    objects: Mapping[int, dict[str, Any]]
    events: Mapping[int, Event]

    def __reduce__(self) -> tuple[Callable[..., Prepared], tuple[Any, ...]]:
        groups = [replace(group, objects=()) for group in self.groups]
        return _received, (groups, self.completions, _packed(self.objects), _packed(self.events))

    def moved(self, positions: int, row_ids: RowIds) -> Prepared:
        """Return the same for events whose positions are greater by *positions*."""
        by = positions * row_ids.subscriptions
        return Prepared(
            [replace(one, row_ids=_moved(one.row_ids, by)) for one in self.groups],
            [replace(one, positions=_moved(one.positions, positions)) for one in self.completions],
            {row_id + by: one for row_id, one in self.objects.items()},
            {row_id + by: one for row_id, one in self.events.items()},
        )


class Intake:
    """The rows of a delivery before they are batched, and what has to be kept with rows.

    *traced* keeps the product of every stage in `items`. `objects` and `events` hold, by row id,
    the payload and the event of every row, as far as the destination asks for them. *named* adds
    the key `messageId` to the projection.
    """

    def __init__(
        self,
        hook_runner: HookRunner,
        subscriptions: Sequence[CompiledSubscription],
        *,
        traced: bool = False,
        named: bool = True,
    ) -> None:
        self._hook_runner = hook_runner
        self._subscriptions = subscriptions
        self._traced = traced
        self._named = {(MESSAGE_ID,)} if named else set[PathSteps]()
        self.row_ids = RowIds(len(subscriptions) or 1)
        self._whole = traced or hook_runner.needs_payloads
        # The functions for structs and for plain JSON keep the same of payloads.
        self._layouts = (
            [OBJECTS] * len(subscriptions)
            if self._whole
            else (self._projected if self.projection else self._fused).layouts
        )
        self._rows = [layout.lists() for layout in self._layouts]
        self._mixed: set[int] = set()
        self.items: dict[tuple[int, int], ReportItem] = {}
        self.objects: dict[int, dict[str, Any]] = {}
        self.events: dict[int, Event] = {}

    @cached_property
    def projection(self) -> Projection | None:
        """The projection to decode lines with; None when events are needed in full."""
        if self._traced or self._hook_runner.needs_events:
            return None
        return project(places_of(self._subscriptions) | self._named, EVENT_TYPES)

    @property
    def size(self) -> int:
        """The number of rows of the subscription with the most."""
        return max((len(lists[0]) for lists in self._rows), default=0)

    def waiting(self) -> Iterator[Sequence[int]]:
        """Yield the row ids of each subscription."""
        for lists in self._rows:
            yield lists[0]

    def forget(self, row_ids: Iterable[int]) -> None:
        """Drop what is kept for completed rows."""
        for kept in (self.objects, self.events):
            if kept:
                for row_id in row_ids:
                    kept.pop(row_id, None)

    def add(self, events: Sequence[Event], positions: Sequence[int]) -> list[Completion]:
        """Add plain events, all at once; return the completions of those that need no call."""
        return self._add_all(self._fused, events, positions, None)

    def add_structs(
        self, structs: Sequence[Any], positions: Sequence[int], reread: Callable[[int], Event]
    ) -> list[Completion]:
        """Add structs of the projection; *reread* returns the plain event at a position."""
        return self._add_all(self._projected, structs, positions, reread)

    def add_one_by_one(
        self, events: Iterable[tuple[int, Event]], wanted: Wanted | None = None
    ) -> list[Completion]:
        """Add plain events with their positions, each through one stage after the other."""
        completions: list[Completion] = []
        for position, event in events:
            for compiled in self._subscriptions:
                if not wanted or wanted(position, compiled.index):
                    self._add_one(position, compiled, event, completions)
        return completions

    def prepared(self, completions: list[Completion]) -> Prepared:
        """Take everything out: rows as groups, what is kept with them, and *completions*."""
        step = self.row_ids.subscriptions
        groups = [
            replace(group, row_ids=_compact(group.row_ids, step))
            for group in self.drain(completions)
        ]
        objects, self.objects = self.objects, {}
        events, self.events = self.events, {}
        return Prepared(groups, completions, objects, events)

    def keep(self, prepared: Prepared) -> None:
        """Keep what has to be kept with rows that were taken out of another intake."""
        self.objects.update(prepared.objects)
        self.events.update(prepared.events)

    def drain(self, completions: list[Completion]) -> list[RowGroup]:
        """Identify the rows and take them out in groups; add those that fail to *completions*."""
        groups: list[RowGroup] = []
        for compiled, lists in zip(self._subscriptions, self._rows, strict=True):
            if lists[0]:
                groups += self._groups(compiled, lists, completions)
        for index, lists in enumerate(self._rows):
            if lists[0]:
                self._rows[index] = self._layouts[index].lists()
        self._mixed.clear()
        return groups

    @cached_property
    def _fused(self) -> Fusion:
        return fuse(self._subscriptions, None, whole=self._whole)

    @cached_property
    def _projected(self) -> Fusion:
        return fuse(self._subscriptions, self.projection, whole=self._whole)

    def _add_all(
        self,
        fusion: Fusion,
        events: Sequence[Any],
        positions: Sequence[int],
        reread: Callable[[int], Event] | None,
    ) -> list[Completion]:
        """Run a fused function, and take what it leaves one by one.

        Return the completions of what no trigger matches, and of what is refused.
        """
        before = [len(lists[0]) for lists in self._rows]
        slow: Slow = []
        row_ids = self.row_ids.of(positions)
        fusion.prepare(row_ids, events, self._rows, slow)
        if self._hook_runner.needs_events:
            self._keep_events(row_ids, events, before)
        completions: list[Completion] = []
        step = self.row_ids.subscriptions
        for compiled, lists, start in zip(self._subscriptions, self._rows, before, strict=True):
            if len(lists[0]) - start < len(events):
                left = [row_id for row_id, _, one in slow if one == compiled.index]
                taken = lists[0][start:] + left
                if len(taken) < len(events):
                    rest = RemainingRows(positions, taken, step)
                    completions.append(Completion(compiled.index, rest, compiled.unmatched))
        for row_id, event, index in slow:
            self._mixed.add(index)
            plain = reread(row_id // step) if reread else event
            self._add_one(row_id // step, self._subscriptions[index], plain, completions)
        return completions

    def _keep_events(
        self, row_ids: Sequence[int], events: Sequence[Event], before: Sequence[int]
    ) -> None:
        """Keep the events of all rows but the first *before* of each subscription."""
        by_row = dict(zip(row_ids, events, strict=True))
        for index, (lists, start) in enumerate(zip(self._rows, before, strict=True)):
            self.events.update((row_id, by_row[row_id - index]) for row_id in lists[0][start:])

    def _add_one(
        self,
        position: int,
        compiled: CompiledSubscription,
        event: Event,
        completions: list[Completion],
    ) -> None:
        made = (
            self._trace(position, compiled, event)
            if self._traced
            else prepare_event(compiled, event)
        )
        if not isinstance(made, dict):
            completions.append(Completion(compiled.index, (position,), made))
            return
        row_ids, *lists = self._rows[compiled.index]
        row_id = position * self.row_ids.subscriptions + compiled.index
        row_ids.append(row_id)
        layout = self._layouts[compiled.index]
        if layout.fields is None:
            lists[0].append(made)
        else:
            for key, values in zip(layout.fields, lists, strict=True):
                if key not in layout.constants:
                    values.append(made.get(key, MISSING))
        if self._hook_runner.needs_events:
            self.events[row_id] = event

    def _trace(
        self, position: int, compiled: CompiledSubscription, event: Event
    ) -> dict[str, Any] | Result:
        """Return what `prepare_event` returns, with a reason, and record every stage."""
        item = ReportItem(position, compiled.name, compiled.action.slug, event)
        self.items[position, compiled.index] = item
        item.matched = compiled.trigger.matches(event)
        if not item.matched:
            return Skipped("NOT_MATCHED", compiled.trigger.explain(event).reason)
        try:
            item.mapped = mapped = compiled.mapping.resolve(event)
            item.payload = shaped = compiled.shape.apply(mapped, sync_mode=compiled.sync_mode)
        except PayloadValidationError as error:
            return Failed.from_error(error, "framework")
        return shaped

    def _groups(
        self, compiled: CompiledSubscription, lists: Lists, completions: list[Completion]
    ) -> list[RowGroup]:
        """Return the rows of a subscription, identified, in groups that agree in the batch keys."""
        row_ids: Sequence[int] = lists[0]
        columns = Columns.of(compiled.action, self._layouts[compiled.index], lists)
        if compiled.index in self._mixed:  # those that were slow came last
            order = sorted(range(len(row_ids)), key=row_ids.__getitem__)
            row_ids, columns = [row_ids[place] for place in order], columns.at(order)
        identifiers: Sequence[str] | None = None
        if self._hook_runner.identifies:
            found = self._hook_runner.identify(compiled, columns)
            if not {str}.issuperset(map(type, found)):
                left: list[int] = []
                for place, one in enumerate(found):
                    if isinstance(one, Failed):
                        completions += self.row_ids.completions([row_ids[place]], one)
                    else:
                        left.append(place)
                row_ids, columns = [row_ids[place] for place in left], columns.at(left)
                found = [found[place] for place in left]
            identifiers = cast("Sequence[str]", found)
            if self._traced:
                for row_id, identifier in zip(row_ids, identifiers, strict=True):
                    item = self.items[divmod(row_id, self.row_ids.subscriptions)]
                    item.identifier = identifier
        if self._hook_runner.needs_payloads:
            self.objects.update(zip(row_ids, columns.objects, strict=True))
        return _grouped(compiled, columns, row_ids, identifiers) if row_ids else []


def _grouped(
    compiled: CompiledSubscription,
    columns: Columns,
    row_ids: Sequence[int],
    identifiers: Sequence[str] | None,
) -> list[RowGroup]:
    objects = columns.objects if identifiers is None else ()
    batching, groups = compiled.batching, columns.groups(compiled.batching.keys)
    start = compiled.action.slug, batching, compiled.lane
    if len(groups) == 1:
        (key,) = groups
        end = _target(batching, key), compiled.agreement
        return [RowGroup(*start, key, row_ids, identifiers, objects, *end)]
    return [
        RowGroup(
            *start,
            key,
            [row_ids[place] for place in places or ()],
            None if identifiers is None else [identifiers[place] for place in places or ()],
            [objects[place] for place in places or ()] if objects else (),
            _target(batching, key),
            compiled.agreement,
        )
        for key, places in groups.items()
    ]


def _target(batching: Batching, key: tuple[Hashable, ...]) -> Target | None:
    """Return what rows with that key change, if the destination says so."""
    if batching.target is None:
        return None
    return batching.target(dict(zip(batching.keys, key, strict=True)))


def _packed(kept: Any) -> Any:
    """Return what is kept in one piece, or unchanged if it holds something unusual."""
    try:
        return marshal.dumps(kept)
    except ValueError:
        return kept


def _received(
    groups: Sequence[RowGroup], completions: Sequence[Completion], *packed: Any
) -> Prepared:
    """Return what another process has prepared; groups get their objects back."""
    objects, events = (
        marshal.loads(one) if isinstance(one, bytes) else one  # noqa: S302 - from our own child
        for one in packed
    )
    groups = [
        replace(group, objects=[objects[row_id] for row_id in group.row_ids])
        if group.identifiers is None
        else group
        for group in groups
    ]
    return Prepared(groups, completions, objects, events)


def _runs(row_ids: Sequence[int], step: int) -> Iterator[range]:
    """Yield ascending row ids as ranges: at once if they are a single one."""
    whole = _compact(row_ids, step)
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


def _compact(row_ids: Sequence[int], step: int) -> Sequence[int]:
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
