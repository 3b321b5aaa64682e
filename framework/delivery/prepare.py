"""Events into rows, and rows into groups for the batcher: trigger, mapping, shape, identity.

There are three equivalent ways: plain JSON one event at a time (with a record of every stage if
wanted), plain JSON through one fused function, and structs that hold only what is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, Final

from msgspec.structs import replace

from framework.delivery.columns import OBJECTS, Columns, Lists
from framework.delivery.compiled import CompiledSubscription, permission_for
from framework.delivery.event_filters import EventFilters
from framework.delivery.fusion import DELETION, Fusion, Slow, fuse, places_of
from framework.delivery.grouping import Rows, group_rows
from framework.delivery.performing import HookRunner
from framework.delivery.permission import Permission, is_deletion
from framework.delivery.prepared_rows import Prepared, RemainingRows, RowIds, Wanted, compact
from framework.delivery.projection import Projection, project
from framework.delivery.report import DELETIONS, Completion, ReportItem
from framework.delivery.row_groups import RowGroup
from framework.errors import PayloadValidationError
from framework.events import EVENT_TYPES
from framework.paths import MISSING, Event, PathSteps
from framework.results import Failed, Result, Skipped

MESSAGE_ID: Final = "messageId"
"""The key of an event by which outcomes name it."""


def prepare_event(compiled: CompiledSubscription, event: Event) -> dict[str, Any] | Result:
    """Return the shaped payload of *event*, or the result of an event that has none."""
    if not compiled.trigger.matches(event):
        return compiled.unmatched
    refusal = compiled.permission.refusal(event)
    if refusal is not None:
        return refusal
    try:
        return compiled.shape.apply(compiled.mapping.resolve(event), sync_mode=compiled.sync_mode)
    except PayloadValidationError as error:
        return Failed.from_error(error, "framework")


class Intake:
    """The rows of a delivery before they are batched, and what has to be kept with rows.

    Events go through the *filters* first.
    *traced* keeps the product of every stage in `items`. `objects` and `events` hold, by row id,
    the payload and the event of every row, as far as the destination asks for them. *named* adds
    the key `messageId` to the projection. `deletions` are requests to delete users, in order, by
    the row id that the event has in the first subscription; `events` holds their events.
    """

    def __init__(
        self,
        hook_runner: HookRunner,
        subscriptions: Sequence[CompiledSubscription],
        *,
        filters: EventFilters | None = None,
        traced: bool = False,
        named: bool = True,
    ) -> None:
        self._hook_runner = hook_runner
        self._subscriptions = subscriptions
        self._filters = filters
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
        self.deletions: list[int] = []

    @cached_property
    def projection(self) -> Projection | None:
        """The projection to decode lines with; None when events are needed in full."""
        if self._traced or self._filters or self._hook_runner.needs_events:
            return None
        return project(places_of(self._subscriptions) | self._named, EVENT_TYPES)

    @property
    def size(self) -> int:
        """The number of rows of the subscription with the most, or of requests for deletion."""
        return max((len(lists[0]) for lists in self._rows), default=0) or len(self.deletions)

    def waiting(self) -> Iterator[Sequence[int]]:
        """Yield the row ids of each subscription."""
        for lists in self._rows:
            yield lists[0]
        yield self.deletions

    def forget(self, row_ids: Iterable[int]) -> None:
        """Drop what is kept for completed rows."""
        for kept in (self.objects, self.events):
            if kept:
                for row_id in row_ids:
                    kept.pop(row_id, None)

    def add(self, events: Sequence[Event], positions: Sequence[int]) -> list[Completion]:
        """Add plain events, all at once; return the completions of those that need no call."""
        if self._filters is None:
            return self._add_all(self._fused, events, positions, None)
        number = len(self._subscriptions)
        left, places, dropped = self._filters.select(events, positions, number)
        return dropped + self._add_all(self._fused, left, places, None)

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
            if is_deletion(event):
                if not wanted or wanted(position, 0):
                    self._add_deletion(position, event, completions)
                continue
            kept = self._filters.apply(event) if self._filters else event
            for compiled in self._subscriptions:
                if wanted and not wanted(position, compiled.index):
                    continue
                if isinstance(kept, Skipped):
                    self._add_dropped(position, compiled, event)
                    completions.append(Completion(compiled.index, (position,), kept))
                else:
                    self._add_one(position, compiled, kept, completions)
        return completions

    def prepared(self, completions: list[Completion]) -> Prepared:
        """Take everything out: rows as groups, what is kept with them, and *completions*."""
        step = self.row_ids.subscriptions
        groups = [
            replace(group, row_ids=compact(group.row_ids, step))
            for group in self.drain(completions)
        ]
        objects, self.objects = self.objects, {}
        events, self.events = self.events, {}
        return Prepared(groups, completions, objects, events, self.take_deletions())

    def take_deletions(self) -> list[int]:
        """Take the requests to delete users out; return their row ids, ascending."""
        taken, self.deletions = self.deletions, []
        return taken

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
    def _permission(self) -> Permission:
        return permission_for(self._hook_runner.plugin.definition)

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
                left = [row_id for row_id, _, one in slow if one in {compiled.index, DELETION}]
                taken = lists[0][start:] + left
                if len(taken) < len(events):
                    rest = RemainingRows(positions, taken, step)
                    completions.append(Completion(compiled.index, rest, compiled.unmatched))
        for row_id, event, index in slow:
            plain = reread(row_id // step) if reread else event
            if index == DELETION:
                self._add_deletion(row_id // step, plain, completions)
                continue
            self._mixed.add(index)
            self._add_one(row_id // step, self._subscriptions[index], plain, completions)
        return completions

    def _add_deletion(self, position: int, event: Event, completions: list[Completion]) -> None:
        """Keep a request to delete a user, unless the event excludes the destination."""
        refusal = self._permission.exclusion(event)
        if self._traced:
            item = ReportItem(position, DELETIONS, "", event)
            self.items[position, DELETION] = item
        if refusal is not None:
            completions.append(Completion(DELETION, (position,), refusal))
            return
        row_id = position * self.row_ids.subscriptions
        self.deletions.append(row_id)
        self.events[row_id] = event

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

    def _add_dropped(self, position: int, compiled: CompiledSubscription, event: Event) -> None:
        """Record an event that the filters drop; it may match the trigger nevertheless."""
        if self._traced:
            item = ReportItem(position, compiled.name, compiled.action.slug, event)
            item.matched = compiled.trigger.matches(event)
            self.items[position, compiled.index] = item

    def _trace(
        self, position: int, compiled: CompiledSubscription, event: Event
    ) -> dict[str, Any] | Result:
        """Return what `prepare_event` returns, with a reason, and record every stage."""
        item = ReportItem(position, compiled.name, compiled.action.slug, event)
        self.items[position, compiled.index] = item
        item.matched = compiled.trigger.matches(event)
        if not item.matched:
            return Skipped("NOT_MATCHED", compiled.trigger.explain(event).reason)
        refusal = compiled.permission.refusal(event)
        if refusal is not None:
            return refusal
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
        runner, row_ids = self._hook_runner, lists[0]
        columns = Columns.of(compiled.action, self._layouts[compiled.index], lists)
        rows = Rows(row_ids, columns)
        if compiled.index in self._mixed:  # those that were slow came last
            rows = rows.at(sorted(range(len(row_ids)), key=row_ids.__getitem__))
        events: Sequence[Event] = ()
        if runner.needs_events:
            events = [self.events[row_id] for row_id in rows.row_ids]
            rows = runner.describe(compiled, rows, events)
        if runner.identifies:
            found = runner.identify(compiled, rows.columns, events)
            rows = replace(rows, identifiers=found)
            if not {str}.issuperset(map(type, found)):
                rows = self._without_failed(rows, found, completions).with_further()
            if self._traced:
                for row_id, identifier in zip(rows.row_ids, rows.identifiers or (), strict=True):
                    item = self.items[divmod(row_id, self.row_ids.subscriptions)]
                    item.identifier = identifier
        if compiled.batching.weigh is not None:
            weights = runner.weigh(compiled, rows.columns)
            rows = replace(rows, weights=weights)
            if not {int}.issuperset(map(type, weights)):
                rows = self._without_failed(rows, weights, completions)
        if runner.needs_payloads:
            objects = rows.columns.objects
            self.objects.update(zip(rows.row_ids, objects, strict=True))
            rows = replace(rows, objects=objects if rows.weights is None else None)
        return group_rows(compiled, rows)

    def _without_failed(
        self, rows: Rows, found: Sequence[Any], completions: list[Completion]
    ) -> Rows:
        """Return the rows for which no Failed was found; complete the others with it."""
        left: list[int] = []
        for place, one in enumerate(found):
            if isinstance(one, Failed):
                completions += self.row_ids.completions([rows.row_ids[place]], one)
                self.forget([rows.row_ids[place]])
            else:
                left.append(place)
        return rows.at(left)
