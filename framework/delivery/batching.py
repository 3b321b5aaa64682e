"""Rows on their way into batches: grouped by keys, coalesced by identifier, cut to size.

Within a lane, rows about one identifier are sent in order, an identifier once per batch; which of
them are sent at all is what `Batching.coalesce` declares.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final, cast

from msgspec.structs import replace

from framework.delivery.lanes import MAX_LEVELS, Domain, Lane, PendingRows, Staged
from framework.delivery.row_groups import (
    Batch,
    RowGroup,
    RowName,
    are_disjoint,
    are_independent,
    batches_of_one,
    in_order,
    join_by_slot,
    with_canonical_names,
)

LINGER: Final = 0.1
"""Seconds that rows wait by default for others before they are ready to be sent."""

MANY_LANES: Final = 1_000
"""Number of lanes from which on those without waiting rows are forgotten."""


class Batcher:
    """Collects rows and returns them as batches when they are full, due or flushed.

    *superseded* are the ids of rows that a later one replaced; their reader clears them. Rows wait
    *linger* seconds for others before they are ready.
    """

    def __init__(
        self, now: Callable[[], float] = time.monotonic, *, linger: float = LINGER
    ) -> None:
        self._now = now
        self._linger = linger
        self._lanes: dict[Hashable, Lane] = {}
        self._many = MANY_LANES
        self._domains: dict[Hashable, Domain] = {}
        self._merged: dict[int, list[int]] = {}
        self.superseded: list[int] = []
        self.waiting = 0

    def add(self, groups: Iterable[RowGroup]) -> Iterator[Batch]:
        """Add rows; yield the batches that this closes.

        Groups of one scope are merged by their row ids, so that rows meet in the order of arrival
        in whichever group they are; those of later calls arrive later.
        """
        together: dict[Hashable, list[RowGroup]] = {}
        self._forget_empty()
        for group in groups:
            together.setdefault(group.scope, []).append(group)
            self._open(group)
            self.waiting += len(group.row_ids)
        mixed: dict[int, tuple[Domain, list[RowGroup]]] = {}
        for scope, found in together.items():
            lane = self._lanes[scope]
            if lane.domain is not None and lane.domain.is_mixed:
                mixed.setdefault(id(lane.domain), (lane.domain, []))[1].extend(found)
            else:
                yield from self._add_to(lane, found)
        for domain, found in mixed.values():
            yield from self._add_across(domain, found)

    def due(self) -> Iterator[Batch]:
        """Yield the batches whose oldest row has waited for `max_age`."""
        now = self._now()
        for lane in self._lanes.values():
            late = any(now - one.since >= one.batching.max_age for one in lane.all_pending())
            if late:
                yield from self._merge(lane)
            for pending in [*lane.all_pending()]:
                if pending.rows and now - pending.since >= pending.batching.max_age:
                    yield from self._close_in_order(pending, "age")

    def ready(self, free: Callable[[Hashable], bool]) -> list[Batch]:
        """Return the best batch to send now, if any, after those that must go first.

        Among the lanes that are *free*, by the scope of their rows: the oldest batch that has
        waited for `max_age`, else the one with the largest product of rows and age that has
        lingered.
        """
        now = self._now()
        late: list[tuple[float, Lane, PendingRows]] = []
        some: list[tuple[float, Lane, PendingRows]] = []
        for scope, lane in self._lanes.items():
            for pending, rows in lane.sizes():
                age = now - pending.since
                due = age >= pending.batching.max_age
                if (age < self._linger and not due) or not free(scope):
                    continue
                (late if due else some).append((age if due else rows * age, lane, pending))
        chosen = max(late or some, key=lambda one: one[0], default=None)
        if chosen is None:
            return []
        _, lane, pending = chosen
        batches = [*self._merge(lane)]
        if pending.rows:
            batches += self._close_in_order(pending, "age" if late else "ready")
        return batches

    def largest(self) -> Iterator[Batch]:
        """Yield the largest batch, to make room, and those that have to be sent before it."""
        yield from self._merge_all()
        pending = max(self._pending(), key=self._weight, default=None)
        if pending is not None and pending.rows:
            yield from self._close_in_order(pending, "room")

    def flush(self, groups: Sequence[RowGroup] = ()) -> Iterator[Batch]:
        """Add rows and yield everything that waits."""
        if not self.waiting and are_independent(groups) and not self._are_mixed(groups):
            return iter(batches_of_one(groups))
        return self._flush_all(groups)

    def _flush_all(self, groups: Sequence[RowGroup]) -> Iterator[Batch]:
        yield from self.add(groups)
        yield from self._merge_all()
        for lane in self._lanes.values():
            for pending in lane.all_pending():
                if pending.rows:
                    yield self._close(pending, "end")
            lane.promote()

    def identifiers(self, scope: Hashable) -> list[str]:
        """Return the identifiers that wait in a lane, by the scope of its rows.

        Those without a known membership are left out; so are all if a row concerns several.
        """
        lane = self._lanes.get(scope)
        if lane is None or lane.concerned:
            return []
        waiting = [
            one
            for pending in lane.all_pending()
            for name, one in zip(pending.rows, pending.identifiers(), strict=True)
            if name not in pending.unknown
        ]
        for group in lane.groups():
            waiting += [
                one for at, one in enumerate(group.identifiers or ()) if group.knows_membership(at)
            ]
        return cast("list[str]", waiting)

    @property
    def lanes(self) -> int:
        """The number of lanes that are remembered."""
        return len(self._lanes)

    def row_ids(self) -> Iterator[Collection[int]]:
        """Yield the ids of all rows that wait, in groups, merged ones included."""
        for lane in self._lanes.values():
            for group in lane.groups():
                yield group.row_ids
        for pending in self._pending():
            yield pending.rows.values()
        yield from self._merged.values()

    def _merge_all(self) -> Iterator[Batch]:
        for lane in self._lanes.values():
            yield from self._merge(lane)

    def _domain(self, group: RowGroup) -> Domain | None:
        """Return the domain of a group, in which its naming is noted; None if it has none."""
        if group.target is None or not group.target.naming:
            return None
        domain = self._domains.setdefault((group.lane, group.target.scope), Domain())
        domain.lanes.setdefault(group.target.naming, [])
        return domain

    def _are_mixed(self, groups: Sequence[RowGroup]) -> bool:
        mixed = False
        for group in groups:  # each is noted in its domain
            domain = self._domain(group)
            mixed = mixed or (domain is not None and domain.is_mixed)
        return mixed

    def _add_to(self, lane: Lane, groups: Sequence[RowGroup]) -> Iterator[Batch]:
        """Add groups to their lane, in which no other lane interferes."""
        aliases = groups[0].batching.aliases
        several = any(group.further for group in groups)
        if aliases and groups[0].identifiers and (several or not lane.keeps_form(groups, aliases)):
            yield from self._merge(lane)
            lane.unify(aliases)
            groups = [with_canonical_names(group) for group in groups]
        groups = join_by_slot(groups)
        if not several and are_disjoint(groups):
            for group in groups:
                yield from self._keep(group, lane)
        else:
            yield from self._merge(lane)
            yield from self._add_rows(groups, lane)

    def _add_across(self, domain: Domain, groups: Sequence[RowGroup]) -> Iterator[Batch]:
        """Add groups to the lanes of a domain, in which targets are named in several ways.

        What such names mean is not known, so nothing is coalesced across them: a row about an
        identifier that waits under another name has everything sent first that came before it.
        """
        for lane in domain.all_lanes():
            yield from self._merge(lane)
            lane.unify(groups[0].batching.aliases)
        for row_id, group, index in in_order([with_canonical_names(group) for group in groups]):
            naming = group.target.naming if group.target else ""
            if any(domain.holds(name, naming) for name in group.names_at(index)):
                yield from self._close_all(domain)
            yield from self._add_row(row_id, group, index, self._lanes[group.scope])

    def _close_all(self, domain: Domain) -> Iterator[Batch]:
        """Close every batch of a domain, the one that began first at first."""
        waiting = [
            (level, min(pending.rows.values()), pending)
            for lane in domain.all_lanes()
            for level, by_slot in enumerate(lane.levels)
            for pending in by_slot.values()
            if pending.rows
        ]
        for _, _, pending in sorted(waiting, key=lambda one: one[:2]):
            yield self._close(pending, "order")
        for lane in domain.all_lanes():
            lane.promote()

    def _keep(self, group: RowGroup, lane: Lane) -> Iterator[Batch]:
        """Stage a group, in parts if it fills a batch."""
        while len(group.row_ids) > (room := lane.room(group.slot)):
            if not lane.keep(group.part(0, room)):
                yield from self._merge(lane)
            group = group.part(room, len(group.row_ids))
        if not lane.keep(group):
            yield from self._merge(lane)

    def _merge(self, lane: Lane) -> Iterator[Batch]:
        """Move the staged groups of a lane to its pending rows, in the order of arrival."""
        distinct = lane.are_distinct()
        groups = list(lane.groups())
        staged, lane.staged = lane.staged, {}
        if not distinct:
            yield from self._add_rows(groups, lane)
            return
        for slot, some in staged.items():
            yield from self._join(lane.pending[slot], some)

    def _weight(self, pending: PendingRows) -> int:
        """Return the number of rows that leave with a batch, merged ones included."""
        if not self._merged:
            return len(pending.rows)
        merged = (self._merged.get(row_id, ()) for row_id in pending.rows.values())
        return len(pending.rows) + sum(map(len, merged))

    def _pending(self) -> list[PendingRows]:
        return [one for lane in self._lanes.values() for one in lane.all_pending()]

    def _forget_empty(self) -> None:
        """Forget the lanes in which no row waits, whenever there are twice as many as were left.

        There may be one for each user.
        """
        if len(self._lanes) >= self._many:
            lanes = self._lanes.items()
            self._lanes = {at: one for at, one in lanes if one.domain or not one.is_empty()}
            self._many = max(MANY_LANES, 2 * len(self._lanes))

    def _open(self, group: RowGroup) -> None:
        """Have a lane and pending rows for a group; know since when the first of them waits."""
        lane = self._lanes.get(group.scope)
        if lane is None:
            lane = self._lanes[group.scope] = Lane(self._domain(group))
            if lane.domain is not None and group.target:
                lane.domain.lanes[group.target.naming].append(lane)
        lane.at(0, group, self._now())

    def _join(self, pending: PendingRows, staged: Staged) -> Iterator[Batch]:
        """Add rows to pending ones that have room for them; a full batch is made at once."""
        if staged.count == pending.batching.max_size:
            unknown = staged.unknown()
            yield self._made(pending, staged.row_ids(), staged.identifiers(), {}, unknown, "count")
            return
        staged.move_to(pending)
        if len(pending.rows) >= pending.batching.max_size:
            yield from self._close_in_order(pending, "count")

    def _add_rows(self, groups: Sequence[RowGroup], lane: Lane) -> Iterator[Batch]:
        """Add rows one by one, so that each meets those that arrived before it."""
        for row_id, group, index in in_order(groups):
            yield from self._add_row(row_id, group, index, lane)

    def _add_row(self, row_id: int, group: RowGroup, index: int, lane: Lane) -> Iterator[Batch]:
        names, size = group.names_at(index), group.size_at(index)
        name, level, extra = names[0], 0, 0
        if group.identifiers is not None:
            level, extra = self._coalesce(row_id, group, index, lane)
        while level >= MAX_LEVELS:
            yield from self._close_first(lane)
            level = lane.level_after(names)
        pending = lane.at(level, group, self._now())
        while pending.rows and pending.size + size + extra > pending.batching.max_bytes:
            yield from self._close_in_order(pending, "bytes")
            pending = lane.at(lane.level_after(names), group, self._now())
        pending.add(name, row_id, group, index)
        if extra:
            pending.enlarge(name, extra)
        if len(pending.rows) >= pending.batching.max_size:
            yield from self._close_in_order(pending, "count")

    def _coalesce(self, row_id: int, group: RowGroup, index: int, lane: Lane) -> tuple[int, int]:
        """Coalesce a row with those that wait; return its level, and the bytes that it merges."""
        names, coalesce = group.names_at(index), group.batching.coalesce
        name = names[0]
        if len(names) > 1:  # neither superseded nor merged, and nothing across it
            return lane.level_after(names), 0
        if coalesce == "merge":
            last = lane.last(name)
            if (
                last is not None
                and last[1] == group.slot
                and name not in lane.levels[last[0]][group.slot].concerned
            ):
                earlier, size = lane.levels[last[0]][group.slot].take(name)
                self._merged[row_id] = [*self._merged.pop(earlier, ()), earlier]
                return last[0], size
        elif coalesce == "last" or (coalesce == "membership" and group.knows_membership(index)):
            levels = lane.levels[lane.level_after_several(name) :]
            for pending in chain.from_iterable(level.values() for level in levels):
                if name in pending.rows and name not in pending.unknown:
                    self.superseded.append(pending.take(name)[0])
                    self.waiting -= 1
            lane.promote()
        return lane.level_after(names), 0

    def _close_in_order(self, pending: PendingRows, reason: str) -> Iterator[Batch]:
        """Close a batch, and before it those that may hold earlier rows of its identifiers."""
        lane = self._lanes[pending.order]
        while len(lane.levels) > 1 and all(one is not pending for one in lane.pending.values()):
            yield from self._close_first(lane)
        yield self._close(pending, reason)
        lane.promote()

    def _close_first(self, lane: Lane) -> Iterator[Batch]:
        """Close every batch of a lane's first level."""
        for pending in lane.pending.values():
            if pending.rows:
                yield self._close(pending, "order")
        lane.promote()

    def _close(self, pending: PendingRows, reason: str) -> Batch:
        row_ids, names = list(pending.rows.values()), pending.identifiers()
        merged: dict[int, list[int]] = {}
        if self._merged:
            merged = {one: self._merged.pop(one) for one in row_ids if one in self._merged}
        unknown = tuple(sorted(pending.rows[name] for name in pending.unknown))
        further = {pending.rows[name]: more for name, more in pending.further.items()}
        pending.clear()
        batch = self._made(pending, row_ids, names, merged, unknown, reason)
        return replace(batch, further=further) if further else batch

    def _made(  # noqa: PLR0913, PLR0917 - the parts of a batch
        self,
        pending: PendingRows,
        row_ids: list[int],
        names: list[RowName],
        merged: Mapping[int, list[int]],
        unknown: tuple[int, ...],
        reason: str,
    ) -> Batch:
        """Return rows as a batch; what arrives next begins to wait now."""
        pending.since = self._now()
        identifiers = cast("list[str]", names) if pending.identified else None
        barrier = pending.domain is not None and pending.domain.is_mixed
        batch = Batch(
            pending.action, pending.key, row_ids, identifiers, merged, reason,
            pending.order, barrier, unknown=unknown,
        )  # fmt: skip
        self.waiting -= len(batch.all_row_ids())
        return batch
