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

from framework.definition import Aliases, Batching, Target

RowName: TypeAlias = str | int
"""The identity of a row among others: its identifier if there is one, else its row id."""

Slot: TypeAlias = tuple[Hashable, ...]
"""What rows have to agree in to be sent together: action, batch keys, and more."""


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
    *canonical* are the same identifiers, made equal for every form of one; None if all have the
    same form. Rows are sent together only if they agree in *agreement*, too. *target* is what they
    change, by default the batch keys together.
    """

    action: str
    batching: Batching
    lane: Hashable
    key: tuple[Any, ...]
    row_ids: Sequence[int]
    identifiers: Sequence[str] | None = None
    objects: Sequence[Any] = ()
    target: Target | None = None
    agreement: Hashable = None
    canonical: Sequence[str] | None = None

    @property
    def names(self) -> Sequence[RowName]:
        """The identities of the rows."""
        return self.canonical or self.identifiers or self.row_ids

    @property
    def scope(self) -> Hashable:
        """What the rows change; within it, identifiers are compared and order is kept."""
        return self.lane, self.target or self.key

    @property
    def slot(self) -> Slot:
        """What rows have to agree in to be sent together."""
        return self.action, self.key, self.agreement

    def size(self) -> int:
        """Return the bytes that all rows add to a request."""
        if self.identifiers is None:
            return size_of_all(self.objects)
        text = "".join(self.identifiers)
        length = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        return length + 3 * len(self.identifiers)

    def part(self, start: int, stop: int) -> RowGroup:
        """Return some of the rows."""
        return replace(
            self,
            row_ids=self.row_ids[start:stop],
            identifiers=self.identifiers and self.identifiers[start:stop],
            objects=self.objects[start:stop],
            canonical=self.canonical and self.canonical[start:stop],
        )


class Batch(Struct, frozen=True):
    """Rows for one call: one action, equal keys; *reason* names the limit that closed the batch.

    *coalesced* holds, by row id, the rows that are completed with it. Batches that are equal in
    *order* are performed one after the other; a *barrier* is performed after all earlier ones.
    """

    action: str
    key: tuple[Any, ...]
    row_ids: list[int]
    identifiers: list[str] | None
    coalesced: Mapping[int, Coalesced]
    reason: str
    order: Hashable = None
    barrier: bool = False

    def all_row_ids(self) -> list[int]:
        """Return the ids of the rows and of all rows that are completed with them."""
        if not self.coalesced:
            return self.row_ids
        behind = (one.all_row_ids() for one in self.coalesced.values())
        return [*self.row_ids, *chain.from_iterable(behind)]


class _Domain(Struct):
    """Lanes whose targets may be the same: in one scope, by their naming."""

    lanes: dict[str, list[_Lane]] = field(default_factory=dict)

    @property
    def is_mixed(self) -> bool:
        """Whether targets are named in more than one way."""
        return len(self.lanes) > 1

    def all_lanes(self) -> Iterator[_Lane]:
        """Yield the lanes."""
        return chain.from_iterable(self.lanes.values())

    def holds(self, name: RowName, naming: str) -> bool:
        """Return whether a row of that name waits for a target that is named in another way."""
        return any(
            name in pending.rows
            for other, lanes in self.lanes.items()
            if other != naming
            for lane in lanes
            for pending in lane.pending.values()
        )


class _Pending(Struct):
    """The rows that wait for one call: their row ids by name.

    *sent* holds the identifiers that are sent in another form than the name.
    """

    action: str
    key: tuple[Any, ...]
    batching: Batching
    since: float
    identified: bool
    order: Hashable = None
    domain: _Domain | None = None
    rows: dict[RowName, int] = field(default_factory=dict)
    sent: dict[RowName, str] = field(default_factory=dict)
    size: int = 0

    def take(self, name: RowName) -> int | None:
        """Remove a row and return its id; None if there is none."""
        row_id = self.rows.pop(name, None)
        if row_id is not None:
            self.size -= size_of_identifier(self.sent.pop(name, str(name)))
        return row_id

    def identifiers(self) -> list[RowName]:
        """Return the identifiers of the rows as they are sent, or their names."""
        if not self.sent:
            return list(self.rows)
        return [self.sent.get(name, name) for name in self.rows]

    def unify(self, aliases: Aliases) -> None:
        """Name the rows by the canonical form of their identifiers."""
        names = cast("list[str]", list(self.rows))
        canonical = aliases.canonical(names)
        self.sent = {one: name for one, name in zip(canonical, names, strict=True) if one != name}
        self.rows = dict(zip(canonical, self.rows.values(), strict=True))


class _Staged(Struct):
    """Groups of one slot that are not among the pending rows yet, and their identities."""

    groups: list[RowGroup] = field(default_factory=list)
    identities: set[str] = field(default_factory=set)
    count: int = 0
    size: int = 0

    def add(self, group: RowGroup) -> None:
        """Add a group."""
        self.groups.append(group)
        self.identities.update(group.canonical or group.identifiers or ())
        self.count += len(group.row_ids)
        self.size += group.size()

    def row_ids(self) -> list[int]:
        """Return the ids of all rows."""
        return list(chain.from_iterable(group.row_ids for group in self.groups))

    def names(self) -> list[RowName]:
        """Return the identities of the rows, aligned with their ids."""
        return list(chain.from_iterable(group.names for group in self.groups))

    def identifiers(self) -> list[RowName]:
        """Return the identifiers of the rows as they are sent, or their names."""
        return list(chain.from_iterable(one.identifiers or one.names for one in self.groups))

    def sent(self) -> Iterator[tuple[RowName, str]]:
        """Yield the identifiers that are sent in another form than the name, with the names."""
        for group in self.groups:
            if group.canonical:
                pairs = zip(group.canonical, group.identifiers or (), strict=True)
                yield from ((name, sent) for name, sent in pairs if name != sent)


class _Lane(Struct):
    """The scope within which identifiers are compared: pending and staged rows by slot.

    Groups stay staged as long as no batch can be full. *form* is the form that all identifiers
    have; after a second one all rows are *unified*: named by the canonical form.
    """

    domain: _Domain | None = None
    pending: dict[Slot, _Pending] = field(default_factory=dict)
    staged: dict[Slot, _Staged] = field(default_factory=dict)
    form: Hashable = None
    unified: bool = False

    def is_empty(self) -> bool:
        """Return whether no row waits."""
        return not self.staged and not any(one.rows for one in self.pending.values())

    def keeps_form(self, groups: Sequence[RowGroup], aliases: Aliases) -> bool:
        """Return whether the identifiers of *groups* have the form of all others."""
        if self.is_empty():
            self.form, self.unified = None, False
        if self.unified:
            return False
        for group in groups:
            form = aliases.form_of(group.identifiers or ())
            if form is None or self.form not in {None, form}:
                return False
            self.form = form
        return True

    def unify(self, aliases: Aliases | None) -> None:
        """Name all rows by the canonical form of their identifiers; none may be staged."""
        if aliases and not self.unified:
            self.unified = True
            for pending in self.pending.values():
                if pending.identified:
                    pending.unify(aliases)

    def groups(self) -> Iterator[RowGroup]:
        """Yield the staged groups."""
        return chain.from_iterable(staged.groups for staged in self.staged.values())

    def room(self, slot: Slot) -> int:
        """Return the number of rows that a slot takes before its batch may be full."""
        pending, staged = self.pending[slot], self.staged.get(slot)
        return pending.batching.max_size - len(pending.rows) - (staged.count if staged else 0)

    def keep(self, group: RowGroup) -> bool:
        """Stage a group, for which there is room; return whether its batch stays below limits."""
        pending = self.pending[group.slot]
        staged = self.staged.setdefault(group.slot, _Staged())
        staged.add(group)
        fits = pending.size + staged.size <= pending.batching.max_bytes
        return self.room(group.slot) > 0 and fits

    def are_distinct(self) -> bool:
        """Return whether no two rows have the same identifier, and all of them fit."""
        held: list[Collection[RowName]] = [one.rows for one in self.pending.values() if one.rows]
        for slot, staged in self.staged.items():
            pending, names = self.pending[slot], staged.identities
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
        self._domains: dict[Hashable, _Domain] = {}
        self._coalesced: dict[int, Coalesced] = {}
        self.waiting = 0

    def add(self, groups: Iterable[RowGroup]) -> Iterator[Batch]:
        """Add rows; yield the batches that this closes.

        Groups of one scope are merged by their row ids, so that the last row in the order of
        arrival wins in whichever group it is; those of later calls arrive later.
        """
        together: dict[Hashable, list[RowGroup]] = {}
        for group in groups:
            together.setdefault(group.scope, []).append(group)
            self._open(group)
            self.waiting += len(group.row_ids)
        mixed: dict[int, tuple[_Domain, list[RowGroup]]] = {}
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
        if not self.waiting and _independent(groups) and not self._are_mixed(groups):
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

    def _domain(self, group: RowGroup) -> _Domain | None:
        """Return the domain of a group, in which its naming is noted; None if it has none."""
        if group.target is None or not group.target.naming:
            return None
        domain = self._domains.setdefault((group.lane, group.target.scope), _Domain())
        domain.lanes.setdefault(group.target.naming, [])
        return domain

    def _are_mixed(self, groups: Sequence[RowGroup]) -> bool:
        domains = [self._domain(group) for group in groups]
        return any(domain is not None and domain.is_mixed for domain in domains)

    def _add_to(self, lane: _Lane, groups: Sequence[RowGroup]) -> Iterator[Batch]:
        """Add groups to their lane, in which no other lane interferes."""
        aliases = groups[0].batching.aliases
        if aliases and groups[0].identifiers and not lane.keeps_form(groups, aliases):
            yield from self._merge(lane)
            lane.unify(aliases)
            groups = [_unified(group) for group in groups]
        groups = _joined(groups)
        if _disjoint(groups):
            for group in groups:
                yield from self._keep(group, lane)
        else:
            yield from self._merge(lane)
            yield from self._add_rows(groups, lane.pending)

    def _add_across(self, domain: _Domain, groups: Sequence[RowGroup]) -> Iterator[Batch]:
        """Add groups to the lanes of a domain, in which targets are named in several ways.

        What such names mean is not known, so nothing is coalesced across them: a row about an
        identifier that waits under another name has everything sent first that came before it.
        """
        for lane in domain.all_lanes():
            yield from self._merge(lane)
            lane.unify(groups[0].batching.aliases)
        for row_id, group, index in _in_order([_unified(group) for group in groups]):
            naming = group.target.naming if group.target else ""
            if domain.holds(group.names[index], naming):
                yield from self._close_all(domain)
            yield from self._add_row(row_id, group, index, self._lanes[group.scope].pending)

    def _close_all(self, domain: _Domain) -> Iterator[Batch]:
        """Close every batch of a domain, the one that began first at first."""
        lanes = domain.all_lanes()
        waiting = [one for lane in lanes for one in lane.pending.values() if one.rows]
        for pending in sorted(waiting, key=lambda one: min(one.rows.values())):
            yield self._close(pending, "order")

    def _keep(self, group: RowGroup, lane: _Lane) -> Iterator[Batch]:
        """Stage a group, in parts if it fills a batch."""
        while len(group.row_ids) > (room := lane.room(group.slot)):
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
        for slot, some in staged.items():
            yield from self._join(lane.pending[slot], some)

    def _weight(self, pending: _Pending) -> int:
        """Return the number of rows that leave with a batch, coalesced ones included."""
        if not self._coalesced:
            return len(pending.rows)
        behind = (self._coalesced.get(row_id) for row_id in pending.rows.values())
        return len(pending.rows) + sum(len(one.all_row_ids()) for one in behind if one)

    def _pending(self) -> list[_Pending]:
        return [one for lane in self._lanes.values() for one in lane.pending.values()]

    def _open(self, group: RowGroup) -> None:
        """Have a lane and pending rows for a group; know since when the first of them waits."""
        lane = self._lanes.get(group.scope)
        if lane is None:
            lane = self._lanes[group.scope] = _Lane(self._domain(group))
            if lane.domain is not None and group.target:
                lane.domain.lanes[group.target.naming].append(lane)
        pending = lane.pending.get(group.slot)
        if pending is None:
            lane.pending[group.slot] = _Pending(
                group.action, group.key, group.batching, self._now(),
                group.identifiers is not None, group.scope, lane.domain,
            )  # fmt: skip
        elif not pending.rows and group.slot not in lane.staged:
            pending.since = self._now()

    def _join(self, pending: _Pending, staged: _Staged) -> Iterator[Batch]:
        """Add rows to pending ones that have room for them; a full batch is made at once."""
        if staged.count == pending.batching.max_size:
            yield self._made(pending, staged.row_ids(), staged.identifiers(), {}, "count")
            return
        pending.rows.update(zip(staged.names(), staged.row_ids(), strict=True))
        pending.sent.update(staged.sent())
        pending.size += staged.size
        if len(pending.rows) >= pending.batching.max_size:
            yield self._close(pending, "count")

    def _add_rows(
        self, groups: Sequence[RowGroup], by_slot: dict[Slot, _Pending]
    ) -> Iterator[Batch]:
        """Add rows one by one, so that each meets those that arrived before it."""
        for row_id, group, index in _in_order(groups):
            yield from self._add_row(row_id, group, index, by_slot)

    def _add_row(
        self, row_id: int, group: RowGroup, index: int, by_slot: dict[Slot, _Pending]
    ) -> Iterator[Batch]:
        pending, name = by_slot[group.slot], group.names[index]
        identifier = None if group.identifiers is None else group.identifiers[index]
        if identifier is None:
            size = size_of_all([group.objects[index]])
        else:
            size = size_of_identifier(identifier)
            self._coalesce(name, row_id, by_slot, pending)
        if pending.rows and pending.size + size > pending.batching.max_bytes:
            yield self._close(pending, "bytes")
        pending.rows[name] = row_id
        pending.size += size
        if identifier is not None and identifier != name:
            pending.sent[name] = identifier
        if len(pending.rows) >= pending.batching.max_size:
            yield self._close(pending, "count")

    def _coalesce(
        self, name: RowName, row_id: int, by_slot: dict[Slot, _Pending], own: _Pending
    ) -> None:
        for pending in by_slot.values():
            earlier = pending.take(name)
            if earlier is None:
                continue
            behind = self._coalesced.pop(earlier, None) or Coalesced()
            same = pending.action == own.action
            if not same:
                behind.superseded += behind.shared
                behind.shared = []
            (behind.shared if same else behind.superseded).append(earlier)
            self._coalesced[row_id] = behind

    def _close(self, pending: _Pending, reason: str) -> Batch:
        row_ids, names = list(pending.rows.values()), pending.identifiers()
        coalesced: dict[int, Coalesced] = {}
        if self._coalesced:
            coalesced = {one: self._coalesced.pop(one) for one in row_ids if one in self._coalesced}
        pending.rows, pending.sent, pending.size = {}, {}, 0
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
        barrier = pending.domain is not None and pending.domain.is_mixed
        batch = Batch(
            pending.action, pending.key, row_ids, identifiers, coalesced, reason,
            pending.order, barrier,
        )  # fmt: skip
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
    """Return whether each group is a single row, and no two share a scope."""
    if len(groups) == 1:
        return len(groups[0].row_ids) == 1
    scopes = {group.scope for group in groups if len(group.row_ids) == 1}
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
            group.scope,
        )
        for group in groups
    ]
    return sorted(batches, key=lambda batch: batch.reason) if len(batches) > 1 else batches


def _joined(groups: Sequence[RowGroup]) -> list[RowGroup]:
    """Return one group for each slot, its rows in the order of arrival."""
    if len(groups) == 1:
        return [*groups]
    by_slot: dict[Slot, list[RowGroup]] = {}
    for group in groups:
        by_slot.setdefault(group.slot, []).append(group)
    return [_join(found) if len(found) > 1 else found[0] for found in by_slot.values()]


def _unified(group: RowGroup) -> RowGroup:
    """Return the group with the canonical form of its identifiers, if they have one."""
    aliases = group.batching.aliases
    if aliases is None or group.identifiers is None:
        return group
    return replace(group, canonical=aliases.canonical(group.identifiers))


def _join(groups: Sequence[RowGroup]) -> RowGroup:
    row_ids = list(chain.from_iterable(group.row_ids for group in groups))
    objects = list(chain.from_iterable(group.objects for group in groups))
    identifiers = None
    if groups[0].identifiers is not None:
        identifiers = list(chain.from_iterable(group.identifiers or () for group in groups))
    canonical = list(chain.from_iterable(group.canonical or () for group in groups)) or None
    if any(group.row_ids[-1] > after.row_ids[0] for group, after in pairwise(groups)):
        order = sorted(range(len(row_ids)), key=row_ids.__getitem__)
        row_ids = [row_ids[place] for place in order]
        identifiers = identifiers and [identifiers[place] for place in order]
        canonical = canonical and [canonical[place] for place in order]
        objects = objects and [objects[place] for place in order]
    return replace(
        groups[0], row_ids=row_ids, identifiers=identifiers, objects=objects, canonical=canonical
    )


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
