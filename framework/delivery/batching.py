"""Rows on their way into batches: grouped by keys, coalesced by identifier, cut to size.

A row is known by its *row id*, a number that grows in the order of arrival. Within a lane, of
several rows about one identifier the last is sent; the earlier ones are completed with it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, pairwise
from typing import Any, TypeAlias, cast

import orjson
from msgspec import Struct, field
from msgspec.structs import replace

from framework.definition import Batching

RowName: TypeAlias = str | int
"""The identity of a row among others: its identifier if there is one, else its row id."""


class Coalesced(Struct):
    """Row ids of earlier rows that are completed with a later one.

    *shared* asked for the same and share its result; *superseded* asked for something else.
    """

    shared: list[int] = field(default_factory=list)
    superseded: list[int] = field(default_factory=list)

    def all_row_ids(self) -> list[int]:
        """Return all of them."""
        return [*self.shared, *self.superseded]


class RowGroup(Struct, frozen=True):
    """Rows of one action with equal batch keys, in the order of arrival; at least one.

    *identifiers* name the subjects of the rows; if they are unknown, *objects* are the payloads.
    """

    action: str
    batching: Batching
    lane: Hashable
    key: tuple[Any, ...]
    row_ids: Sequence[int]
    identifiers: Sequence[str] | None = None
    objects: Sequence[Any] = ()

    @property
    def names(self) -> Sequence[RowName]:
        """The identities of the rows."""
        return self.row_ids if self.identifiers is None else self.identifiers

    def size(self) -> int:
        """Return the bytes that all rows add to a request."""
        if self.identifiers is None:
            return size_of_all(self.objects)
        text = "".join(self.identifiers)
        length = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        return length + 3 * len(self.identifiers)

    def part(self, start: int, stop: int) -> RowGroup:
        """Return some of the rows."""
        identifiers = self.identifiers and self.identifiers[start:stop]
        return RowGroup(
            self.action, self.batching, self.lane, self.key,
            self.row_ids[start:stop], identifiers, self.objects[start:stop],
        )  # fmt: skip


class Batch(Struct, frozen=True):
    """Rows for one call: one action, equal keys; *reason* names the limit that closed the batch.

    *coalesced* holds, by row id, the rows that are completed with it.
    """

    action: str
    key: tuple[Any, ...]
    row_ids: list[int]
    identifiers: list[str] | None
    coalesced: Mapping[int, Coalesced]
    reason: str

    def all_row_ids(self) -> list[int]:
        """Return the ids of the rows and of all rows that are completed with them."""
        if not self.coalesced:
            return self.row_ids
        behind = (one.all_row_ids() for one in self.coalesced.values())
        return [*self.row_ids, *chain.from_iterable(behind)]


class _Pending(Struct):
    """The rows that wait for one action and key: their row ids by name."""

    action: str
    key: tuple[Any, ...]
    batching: Batching
    since: float
    identified: bool
    rows: dict[RowName, int] = field(default_factory=dict)
    size: int = 0

    def take(self, identifier: RowName) -> int | None:
        """Remove a row and return its id; None if there is none."""
        row_id = self.rows.pop(identifier, None)
        if row_id is not None:
            self.size -= size_of_identifier(str(identifier))
        return row_id


class _Staged(Struct):
    """Groups of one action that are not among the pending rows yet, and their identifiers."""

    groups: list[RowGroup] = field(default_factory=list)
    identifiers: set[str] = field(default_factory=set)
    count: int = 0
    size: int = 0

    def add(self, group: RowGroup) -> None:
        """Add a group."""
        self.groups.append(group)
        self.identifiers.update(group.identifiers or ())
        self.count += len(group.row_ids)
        self.size += group.size()

    def row_ids(self) -> list[int]:
        """Return the ids of all rows."""
        return list(chain.from_iterable(group.row_ids for group in self.groups))

    def names(self) -> list[RowName]:
        """Return the identities of the rows, aligned with their ids."""
        return list(chain.from_iterable(group.names for group in self.groups))


class _Lane(Struct):
    """The scope within which identifiers are compared: pending and staged rows by action.

    Groups stay staged as long as no batch can be full.
    """

    pending: dict[str, _Pending] = field(default_factory=dict)
    staged: dict[str, _Staged] = field(default_factory=dict)

    def groups(self) -> Iterator[RowGroup]:
        """Yield the staged groups."""
        return chain.from_iterable(staged.groups for staged in self.staged.values())

    def room(self, action: str) -> int:
        """Return the number of rows that an action takes before its batch may be full."""
        pending, staged = self.pending[action], self.staged.get(action)
        return pending.batching.max_size - len(pending.rows) - (staged.count if staged else 0)

    def keep(self, group: RowGroup) -> bool:
        """Stage a group, for which there is room; return whether its batch stays below limits."""
        pending = self.pending[group.action]
        staged = self.staged.setdefault(group.action, _Staged())
        staged.add(group)
        fits = pending.size + staged.size <= pending.batching.max_bytes
        return self.room(group.action) > 0 and fits

    def are_distinct(self) -> bool:
        """Return whether no two rows have the same identifier, and all of them fit."""
        held: list[Collection[RowName]] = [one.rows for one in self.pending.values() if one.rows]
        for action, staged in self.staged.items():
            pending, names = self.pending[action], staged.identifiers
            if pending.size + staged.size > pending.batching.max_bytes:
                return False
            if pending.identified and (
                len(names) < staged.count or not all(map(names.isdisjoint, held))
            ):
                return False
            held.append(names)
        return True


class Batcher:
    """Collects rows and returns them as batches when they are full, due or flushed."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lanes: dict[Hashable, _Lane] = {}
        self._coalesced: dict[int, Coalesced] = {}
        self.waiting = 0

    def add(self, groups: Iterable[RowGroup]) -> Iterator[Batch]:
        """Add rows; yield the batches that this closes.

        Groups of one lane and key are merged by their row ids, so that the last row in the order
        of arrival wins in whichever group it is; those of later calls arrive later.
        """
        together: dict[Hashable, list[RowGroup]] = {}
        for group in groups:
            together.setdefault((group.lane, group.key), []).append(group)
        for name, found in together.items():
            lane = self._lanes.setdefault(name, _Lane())
            for group in found:
                self._open(group, lane)
                self.waiting += len(group.row_ids)
            groups = _joined(found)
            if _disjoint(groups):
                for group in groups:
                    yield from self._keep(group, lane)
            else:
                yield from self._merge(lane)
                yield from self._add_rows(groups, lane.pending)

    def due(self) -> Iterator[Batch]:
        """Yield the batches whose oldest row has waited for `max_age`."""
        now = self._now()
        for lane in self._lanes.values():
            late = any(now - one.since >= one.batching.max_age for one in lane.pending.values())
            if late:
                yield from self._merge(lane)
            for pending in lane.pending.values():
                if pending.rows and now - pending.since >= pending.batching.max_age:
                    yield self._close(pending, "age")

    def largest(self) -> Iterator[Batch]:
        """Yield the largest batch, to make room."""
        yield from self._merge_all()
        pending = max(self._pending(), key=self._weight, default=None)
        if pending is not None and pending.rows:
            yield self._close(pending, "room")

    def flush(self, groups: Sequence[RowGroup] = ()) -> Iterator[Batch]:
        """Add rows and yield everything that waits."""
        if not self.waiting and _independent(groups):
            return iter(_batches_of_one(groups))
        return self._flush_all(groups)

    def _flush_all(self, groups: Sequence[RowGroup]) -> Iterator[Batch]:
        yield from self.add(groups)
        yield from self._merge_all()
        for pending in self._pending():
            if pending.rows:
                yield self._close(pending, "end")

    def row_ids(self) -> Iterator[Collection[int]]:
        """Yield the ids of all rows that wait, in groups, coalesced ones included."""
        for lane in self._lanes.values():
            for group in lane.groups():
                yield group.row_ids
        for pending in self._pending():
            yield pending.rows.values()
        yield [row_id for one in self._coalesced.values() for row_id in one.all_row_ids()]

    def _merge_all(self) -> Iterator[Batch]:
        for lane in self._lanes.values():
            yield from self._merge(lane)

    def _keep(self, group: RowGroup, lane: _Lane) -> Iterator[Batch]:
        """Stage a group, in parts if it fills a batch."""
        while len(group.row_ids) > (room := lane.room(group.action)):
            if not lane.keep(group.part(0, room)):
                yield from self._merge(lane)
            group = group.part(room, len(group.row_ids))
        if not lane.keep(group):
            yield from self._merge(lane)

    def _merge(self, lane: _Lane) -> Iterator[Batch]:
        """Move the staged groups of a lane to its pending rows, in the order of arrival."""
        distinct = lane.are_distinct()
        groups = list(lane.groups())
        staged, lane.staged = lane.staged, {}
        if not distinct:
            yield from self._add_rows(groups, lane.pending)
            return
        for action, some in staged.items():
            yield from self._join(lane.pending[action], some)

    def _weight(self, pending: _Pending) -> int:
        """Return the number of rows that leave with a batch, coalesced ones included."""
        if not self._coalesced:
            return len(pending.rows)
        behind = (self._coalesced.get(row_id) for row_id in pending.rows.values())
        return len(pending.rows) + sum(len(one.all_row_ids()) for one in behind if one)

    def _pending(self) -> list[_Pending]:
        return [one for lane in self._lanes.values() for one in lane.pending.values()]

    def _open(self, group: RowGroup, lane: _Lane) -> None:
        """Have pending rows for a group, and know since when the first of them waits."""
        pending = lane.pending.get(group.action)
        if pending is None:
            known = group.identifiers is not None
            pending = _Pending(group.action, group.key, group.batching, self._now(), known)
            lane.pending[group.action] = pending
        elif not pending.rows and group.action not in lane.staged:
            pending.since = self._now()

    def _join(self, pending: _Pending, staged: _Staged) -> Iterator[Batch]:
        """Add rows to pending ones that have room for them; a full batch is made at once."""
        if staged.count == pending.batching.max_size:
            yield self._made(pending, staged.row_ids(), staged.names(), {}, "count")
            return
        pending.rows.update(zip(staged.names(), staged.row_ids(), strict=True))
        pending.size += staged.size
        if len(pending.rows) >= pending.batching.max_size:
            yield self._close(pending, "count")

    def _add_rows(
        self, groups: Sequence[RowGroup], by_action: dict[str, _Pending]
    ) -> Iterator[Batch]:
        """Add rows one by one, so that each meets those that arrived before it."""
        for row_id, group, index in _in_order(groups):
            pending = by_action[group.action]
            name = group.names[index]
            if group.identifiers is None:
                size = size_of_all([group.objects[index]])
            else:
                size = size_of_identifier(group.identifiers[index])
                self._coalesce(group.identifiers[index], row_id, by_action, pending)
            if pending.rows and pending.size + size > pending.batching.max_bytes:
                yield self._close(pending, "bytes")
            pending.rows[name] = row_id
            pending.size += size
            if len(pending.rows) >= pending.batching.max_size:
                yield self._close(pending, "count")

    def _coalesce(
        self, identifier: str, row_id: int, by_action: dict[str, _Pending], own: _Pending
    ) -> None:
        for pending in by_action.values():
            earlier = pending.take(identifier)
            if earlier is None:
                continue
            behind = self._coalesced.pop(earlier, None) or Coalesced()
            if pending is not own:
                behind.superseded += behind.shared
                behind.shared = []
            (behind.shared if pending is own else behind.superseded).append(earlier)
            self._coalesced[row_id] = behind

    def _close(self, pending: _Pending, reason: str) -> Batch:
        row_ids, names = list(pending.rows.values()), list(pending.rows)
        coalesced: dict[int, Coalesced] = {}
        if self._coalesced:
            coalesced = {one: self._coalesced.pop(one) for one in row_ids if one in self._coalesced}
        pending.rows, pending.size = {}, 0
        return self._made(pending, row_ids, names, coalesced, reason)

    def _made(
        self,
        pending: _Pending,
        row_ids: list[int],
        names: list[RowName],
        coalesced: Mapping[int, Coalesced],
        reason: str,
    ) -> Batch:
        """Return rows as a batch; what arrives next begins to wait now."""
        pending.since = self._now()
        identifiers = cast("list[str]", names) if pending.identified else None
        batch = Batch(pending.action, pending.key, row_ids, identifiers, coalesced, reason)
        self.waiting -= len(batch.all_row_ids())
        return batch


def size_of_identifier(identifier: str) -> int:
    """Return the bytes that an identifier adds to a request."""
    return len(identifier.encode("utf-8", "surrogatepass")) + 3


def size_of_all(objects: Sequence[Any]) -> int:
    """Return the bytes that payloads add to a list of payloads in JSON."""
    try:
        return len(orjson.dumps(objects, default=str)) - 1
    except TypeError:  # large integers, broken surrogates
        if len(objects) == 1:
            return len(json.dumps(objects[0], default=str)) + 1
        return sum(size_of_all([one]) for one in objects)


def _independent(groups: Sequence[RowGroup]) -> bool:
    """Return whether each group is a single row, and no two share a lane and key."""
    if len(groups) == 1:
        return len(groups[0].row_ids) == 1
    scopes = {(group.lane, group.key) for group in groups if len(group.row_ids) == 1}
    return len(scopes) == len(groups)


def _batches_of_one(groups: Iterable[RowGroup]) -> list[Batch]:
    """Return the batches of independent single rows; those that are full by count come first."""
    batches = [
        Batch(
            group.action,
            group.key,
            list(group.row_ids),
            None if group.identifiers is None else list(group.identifiers),
            {},
            "count" if group.batching.max_size == 1 else "end",
        )
        for group in groups
    ]
    return sorted(batches, key=lambda batch: batch.reason) if len(batches) > 1 else batches


def _joined(groups: Sequence[RowGroup]) -> list[RowGroup]:
    """Return one group for each action, its rows in the order of arrival."""
    by_action: dict[str, list[RowGroup]] = {}
    for group in groups:
        by_action.setdefault(group.action, []).append(group)
    return [_join(found) if len(found) > 1 else found[0] for found in by_action.values()]


def _join(groups: Sequence[RowGroup]) -> RowGroup:
    row_ids = list(chain.from_iterable(group.row_ids for group in groups))
    objects = list(chain.from_iterable(group.objects for group in groups))
    identifiers = None
    if groups[0].identifiers is not None:
        identifiers = list(chain.from_iterable(group.identifiers or () for group in groups))
    if any(group.row_ids[-1] > after.row_ids[0] for group, after in pairwise(groups)):
        order = sorted(range(len(row_ids)), key=row_ids.__getitem__)
        row_ids = [row_ids[place] for place in order]
        identifiers = identifiers and [identifiers[place] for place in order]
        objects = objects and [objects[place] for place in order]
    return replace(groups[0], row_ids=row_ids, identifiers=identifiers, objects=objects)


def _disjoint(groups: Sequence[RowGroup]) -> bool:
    """Return whether no two rows of different groups have the same identifier."""
    if len(groups) == 1:
        return True
    if any(group.identifiers is None for group in groups):
        return True
    names = [set(group.names) for group in groups]
    return len(set().union(*names)) == sum(map(len, names))


def _in_order(groups: Sequence[RowGroup]) -> Iterable[tuple[int, RowGroup, int]]:
    """Return row id, group and index of every row, in the order of arrival."""
    rows = [
        (row_id, group, index) for group in groups for index, row_id in enumerate(group.row_ids)
    ]
    return rows if len(groups) == 1 else sorted(rows, key=lambda row: row[0])
