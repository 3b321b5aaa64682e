"""Events into rows, and rows into lots for the batcher: trigger, mapping, shape, identity.

There are three ways in, which come to the same: plain JSON one by one (with a record of every
stage if wanted), plain JSON through one fused function, and structs that hold only what is read.
"""

from __future__ import annotations

import marshal
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, TypeAlias, cast

from msgspec import Struct
from msgspec.structs import replace

from framework.delivery.batching import RowGroup
from framework.delivery.columns import Columns
from framework.delivery.compiled import CompiledSubscription, invalid
from framework.delivery.completion import Completion, RemainingRows, RowIds, compact, moved
from framework.delivery.fusion import Fusion, Layout, Lists, Slow, fuse, places_of
from framework.delivery.performing import HookRunner
from framework.delivery.projection import Projection, project
from framework.delivery.report import ReportItem
from framework.errors import PayloadValidationError
from framework.paths import MISSING, Event, PathSteps
from framework.results import Failed, Result, Skipped

Wanted: TypeAlias = Callable[[int, int], bool]
"""Tells for the position of an event and the index of a route whether they are to be delivered."""

MESSAGE_ID: Final = "messageId"
"""The key of an event by which outcomes name it."""


class Prepared(Struct, frozen=True):
    """What events came to before any call: *lots* that wait for theirs, and what is settled.

    *objects* and *events* hold, by mark, what is kept with rows; see `Intake`. Between processes,
    they travel in one piece, which is quicker than value by value, and lots without theirs.
    """

    lots: Sequence[RowGroup]
    settled: Sequence[Completion]
    objects: Mapping[int, dict[str, Any]]
    events: Mapping[int, Event]

    def __reduce__(self) -> tuple[Callable[..., Prepared], tuple[Any, ...]]:
        lots = [replace(lot, objects=()) for lot in self.lots]
        return _arrived, (lots, self.settled, _packed(self.objects), _packed(self.events))

    def moved(self, positions: int, marks: RowIds) -> Prepared:
        """Give the same for events whose positions are so many higher."""
        by = positions * marks.routes
        return Prepared(
            [replace(lot, marks=moved(lot.marks, by)) for lot in self.lots],
            [replace(one, positions=moved(one.positions, positions)) for one in self.settled],
            {mark + by: one for mark, one in self.objects.items()},
            {mark + by: one for mark, one in self.events.items()},
        )


class Intake:
    """The rows of a stream that are not in its batcher yet, and what has to be kept with rows.

    With *traced*, what every stage produced is kept in `items`. `objects` and `events` hold, by
    mark, the payload and the event of every row, where the destination asks for them. With
    *named*, the projection has the key `messageId`.
    """

    def __init__(
        self,
        performer: HookRunner,
        routes: Sequence[CompiledSubscription],
        *,
        traced: bool = False,
        named: bool = True,
    ) -> None:
        self._performer = performer
        self._routes = routes
        self._traced = traced
        self._named = {(MESSAGE_ID,)} if named else set[PathSteps]()
        self.marks = RowIds(max(1, len(routes)))
        self._whole = traced or performer.needs_payloads
        self._layouts = [Layout() for _ in routes] if self._whole else self._layouts_of_routes()
        self._rows: list[Lists] = [layout.lists() for layout in self._layouts]
        self._mixed: set[int] = set()
        self.items: dict[tuple[int, int], ReportItem] = {}
        self.objects: dict[int, dict[str, Any]] = {}
        self.events: dict[int, Event] = {}

    @cached_property
    def projection(self) -> Projection | None:
        """What lines may be decoded with; None where events are needed as they are."""
        if self._traced or self._performer.needs_events:
            return None
        return project(places_of(self._routes) | self._named)

    @property
    def size(self) -> int:
        """How many rows there are of the route with the most."""
        return max((len(lists[0]) for lists in self._rows), default=0)

    def waiting(self) -> Iterator[Sequence[int]]:
        """Yield the marks of every row, those of a route together."""
        for lists in self._rows:
            yield lists[0]

    def forget(self, marks: Iterable[int]) -> None:
        """Forget what is kept for rows that are settled."""
        for kept in (self.objects, self.events):
            if kept:
                for mark in marks:
                    kept.pop(mark, None)

    def add(self, events: Sequence[Event], positions: Sequence[int]) -> Iterator[Completion]:
        """Add plain events, all at once; yield what needs no call."""
        slow = yield from self._prepare(self._fused, events, positions)
        for mark, event, index in slow:
            yield from self._add_slow(mark, index, event)

    def add_structs(
        self, structs: Sequence[Any], positions: Sequence[int], reread: Callable[[int], Event]
    ) -> Iterator[Completion]:
        """Add structs of the projection; *reread* gives the plain event at a position."""
        slow = yield from self._prepare(self._projected, structs, positions)
        for mark, _, index in slow:
            yield from self._add_slow(mark, index, reread(mark // self.marks.routes))

    def add_one_by_one(
        self, events: Iterable[tuple[int, Event]], wanted: Wanted | None
    ) -> Iterator[Completion]:
        """Add plain events with their positions, through every stage in turn."""
        for position, event in events:
            for route in self._routes:
                if not wanted or wanted(position, route.index):
                    yield from self._add_one(position, route, event)

    def prepared(self, settled: list[Completion]) -> Prepared:
        """Take everything out: the rows as lots, what is kept with them, and *settled* so far."""
        step = self.marks.routes
        lots = [replace(lot, marks=compact(lot.marks, step)) for lot in self.drain(settled)]
        objects, self.objects = self.objects, {}
        events, self.events = self.events, {}
        return Prepared(lots, settled, objects, events)

    def keep(self, prepared: Prepared) -> None:
        """Keep what has to be kept with rows that were taken out of another intake."""
        self.objects.update(prepared.objects)
        self.events.update(prepared.events)

    def drain(self, settled: list[Completion]) -> list[RowGroup]:
        """Identify the rows and take them out, as lots; add what fails to *settled*."""
        lots: list[RowGroup] = []
        for route, lists in zip(self._routes, self._rows, strict=True):
            if lists[0]:
                lots += self._lots(route, lists, settled)
        self._rows = [layout.lists() for layout in self._layouts]
        self._mixed.clear()
        return lots

    def _layouts_of_routes(self) -> Sequence[Layout]:
        """Give what is kept of payloads, of the function that most events go through.

        The functions for structs and for plain JSON agree in that.
        """
        return (self._projected if self.projection else self._fused).layouts

    @cached_property
    def _fused(self) -> Fusion:
        return fuse(self._routes, None, whole=self._whole)

    @cached_property
    def _projected(self) -> Fusion:
        return fuse(self._routes, self.projection, whole=self._whole)

    def _prepare(
        self, fusion: Fusion, events: Sequence[Any], positions: Sequence[int]
    ) -> Generator[Completion, None, Slow]:
        """Run a fused function; yield what no trigger matches, and return what is slow."""
        before = [len(lists[0]) for lists in self._rows]
        slow: Slow = []
        marks = self.marks.of(positions)
        fusion.prepare(marks, events, self._rows, slow)
        if self._performer.needs_events:
            self._keep_events(marks, events, before)
        for route, lists, start in zip(self._routes, self._rows, before, strict=True):
            if len(lists[0]) - start < len(events):
                taken = lists[0][start:] + [mark for mark, _, one in slow if one == route.index]
                if len(taken) < len(events):
                    rest = RemainingRows(positions, taken, self.marks.routes)
                    yield Completion(route.index, rest, route.unmatched)
        return slow

    def _keep_events(
        self, marks: Sequence[int], events: Sequence[Event], before: Sequence[int]
    ) -> None:
        """Keep the events behind the rows that came after the first *before* ones."""
        by_mark = dict(zip(marks, events, strict=True))
        for index, (lists, start) in enumerate(zip(self._rows, before, strict=True)):
            self.events.update((mark, by_mark[mark - index]) for mark in lists[0][start:])

    def _add_slow(self, mark: int, index: int, event: Event) -> Iterator[Completion]:
        self._mixed.add(index)
        return self._add_one(mark // self.marks.routes, self._routes[index], event)

    def _add_one(
        self, position: int, route: CompiledSubscription, event: Event
    ) -> Iterator[Completion]:
        made = self._trace(position, route, event) if self._traced else route.prepare(event)
        if not isinstance(made, dict):
            yield Completion(route.index, (position,), made)
            return
        marks, *lists = self._rows[route.index]
        mark = position * self.marks.routes + route.index
        marks.append(mark)
        layout = self._layouts[route.index]
        if layout.fields is None:
            lists[0].append(made)
        else:
            for key, values in zip(layout.fields, lists, strict=True):
                if key not in layout.constants:
                    values.append(made.get(key, MISSING))
        if self._performer.needs_events:
            self.events[mark] = event

    def _trace(
        self, position: int, route: CompiledSubscription, event: Event
    ) -> dict[str, Any] | Result:
        item = ReportItem(position, route.name, route.action.slug, event)
        self.items[position, route.index] = item
        item.matched = route.trigger.matches(event)
        if not item.matched:
            return Skipped("NOT_MATCHED", route.trigger.explain(event).reason)
        try:
            item.mapped = mapped = route.mapping.resolve(event)
            item.payload = shaped = route.shape.apply(mapped, sync_mode=route.sync_mode)
        except PayloadValidationError as error:
            return invalid(error)
        return shaped

    def _note(self, marks: Sequence[int], identifiers: Sequence[str]) -> None:
        """Record whom rows are about."""
        if self._traced:
            for place, one in zip(self.marks.split(marks), identifiers, strict=True):
                self.items[place].identifier = one

    def _lots(
        self, route: CompiledSubscription, lists: Lists, settled: list[Completion]
    ) -> Iterator[RowGroup]:
        marks: Sequence[int] = lists[0]
        columns = Columns.of(route.action, self._layouts[route.index], lists)
        if route.index in self._mixed:  # those that were slow came last
            order = sorted(range(len(marks)), key=marks.__getitem__)
            marks, columns = [marks[place] for place in order], columns.at(order)
        identifiers: Sequence[str] | None = None
        if self._performer.identifies:
            found = self._performer.identify(route, columns)
            refused = _refused(found)
            if refused:
                left = sorted(set(range(len(marks))) - refused.keys())
                for place, failed in refused.items():
                    settled += self.marks.settle([marks[place]], failed)
                marks, columns = _at(marks, left), columns.at(left)
                found = _at(found, left)
            identifiers = cast("Sequence[str]", found)
            self._note(marks, identifiers)
        if self._performer.needs_payloads:
            self.objects.update(zip(marks, columns.objects, strict=True))
        for key, places in columns.groups(route.batching.keys).items() if marks else ():
            yield RowGroup(
                route.action.slug,
                route.batching,
                route.lane,
                key,
                _at(marks, places),
                None if identifiers is None else _at(identifiers, places),
                _at(columns.objects, places) if identifiers is None else (),
            )


def _packed(kept: Any) -> Any:
    """Give what is kept in one piece, or as it is where that holds something unusual."""
    try:
        return marshal.dumps(kept)
    except ValueError:
        return kept


def _arrived(lots: Sequence[RowGroup], settled: Sequence[Completion], *packed: Any) -> Prepared:
    """Give what came from another process; lots get their objects back."""
    objects, events = (
        marshal.loads(one) if isinstance(one, bytes) else one  # noqa: S302 - from our own child
        for one in packed
    )
    lots = [
        replace(lot, objects=[objects[mark] for mark in lot.marks])
        if lot.identifiers is None
        else lot
        for lot in lots
    ]
    return Prepared(lots, settled, objects, events)


def _at(values: Sequence[Any], places: Sequence[int] | None) -> Sequence[Any]:
    return values if places is None else [values[place] for place in places]


def _refused(found: Sequence[str | Failed]) -> dict[int, Failed]:
    """Give the places where there is no identifier, and why."""
    if {str}.issuperset(map(type, found)):
        return {}
    return {place: one for place, one in enumerate(found) if isinstance(one, Failed)}
