"""Lanes: rows that wait for their batch, where those about one identifier are kept in order."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Sequence
from itertools import chain
from typing import Any, Final, cast

from msgspec import Struct, field

from framework.definition import Aliases, Batching
from framework.delivery.row_groups import RowGroup, RowName, Slot, size_of_all, size_of_identifier

MAX_LEVELS: Final = 16
"""Rows about one identifier that may wait at once; beyond that, the earliest are sent early."""


class Domain(Struct, eq=False):
    """Lanes whose targets may be the same: in one scope, by their naming."""

    lanes: dict[str, list[Lane]] = field(default_factory=dict)

    @property
    def is_mixed(self) -> bool:
        """Whether targets are named in more than one way."""
        return len(self.lanes) > 1

    def all_lanes(self) -> Iterator[Lane]:
        """Yield the lanes."""
        return chain.from_iterable(self.lanes.values())

    def holds(self, name: RowName, naming: str) -> bool:
        """Return whether a row of that name waits for a target that is named in another way."""
        return any(
            pending.holds(name)
            for other, lanes in self.lanes.items()
            if other != naming
            for lane in lanes
            for pending in lane.all_pending()
        )


class PendingRows(Struct, eq=False):
    """The rows that wait for one call: their row ids by name.

    *sent* holds the identifiers that are sent in another form than the name, *measured* the
    payloads or sizes by which rows are measured, unless it is by the identifier. Those in *unknown*
    have no known membership. *further* holds the other identifiers of rows that concern several, as
    they are sent, and *concerned* all their names.
    """

    action: str
    key: tuple[Any, ...]
    batching: Batching
    since: float
    identified: bool
    order: Hashable = None
    domain: Domain | None = None
    rows: dict[RowName, int] = field(default_factory=dict)
    sent: dict[RowName, str] = field(default_factory=dict)
    measured: dict[RowName, Any] = field(default_factory=dict)
    unknown: set[RowName] = field(default_factory=set)
    further: dict[RowName, Sequence[str]] = field(default_factory=dict)
    concerned: set[RowName] = field(default_factory=set)
    size: int = 0

    def add(self, name: RowName, row_id: int, group: RowGroup, index: int) -> None:
        """Add one row of a group."""
        self.rows[name] = row_id
        self.size += group.size_at(index)
        if group.identifiers is None:
            return
        if group.identifiers[index] != name:
            self.sent[name] = group.identifiers[index]
        if group.weights is not None:
            self.measured[name] = group.weights[index]
        elif group.objects:
            self.measured[name] = group.objects[index]
        if not group.knows_membership(index):
            self.unknown.add(name)
        if group.further is not None and group.further[index]:
            self.further[name] = group.further[index]
            self.concerned.update(group.names_at(index))

    def holds(self, name: RowName) -> bool:
        """Return whether a row has or concerns an identifier."""
        return name in self.rows or name in self.concerned

    def take(self, name: RowName) -> tuple[int, int]:
        """Remove a row; return its id and size."""
        row_id = self.rows.pop(name)
        self.unknown.discard(name)
        sent = self.sent.pop(name, str(name))
        measured = self.measured.pop(name, None)
        if measured is None:
            size = size_of_identifier(sent)
        else:
            size = measured if isinstance(measured, int) else size_of_all([measured])
        self.size -= size
        return row_id, size

    def enlarge(self, name: RowName, by: int) -> None:
        """Count more bytes for a row, into which others are merged."""
        own = self.measured.get(name)
        if own is None:
            own = size_of_identifier(self.sent.get(name, str(name)))
        self.measured[name] = by + (own if isinstance(own, int) else size_of_all([own]))
        self.size += by

    def identifiers(self) -> list[RowName]:
        """Return the identifiers of the rows as they are sent, or their names."""
        if not self.sent:
            return list(self.rows)
        return [self.sent.get(name, name) for name in self.rows]

    def unify(self, aliases: Aliases) -> None:
        """Name the rows by the canonical form of their identifiers."""
        names = cast("list[str]", list(self.rows))
        canonical: dict[RowName, str] = dict(zip(names, aliases.canonical(names), strict=True))
        self.sent = {canonical[name]: name for name in names if canonical[name] != name}
        self.rows = {canonical[name]: row_id for name, row_id in self.rows.items()}
        self.measured = {canonical[one]: size for one, size in self.measured.items()}
        self.unknown = {canonical[one] for one in self.unknown}
        self.further = {canonical[one]: more for one, more in self.further.items()}
        self.concerned = set(aliases.canonical(cast("list[str]", list(self.concerned))))

    def clear(self) -> None:
        """Remove all rows."""
        self.rows, self.sent, self.measured, self.unknown, self.size = {}, {}, {}, set(), 0
        self.further, self.concerned = {}, set()


class Staged(Struct, eq=False):
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

    def identifiers(self) -> list[RowName]:
        """Return the identifiers of the rows as they are sent, or their names."""
        return list(chain.from_iterable(one.identifiers or one.names for one in self.groups))

    def unknown(self) -> tuple[int, ...]:
        """Return the ids of the rows without a known membership."""
        return tuple(chain.from_iterable(group.unknown() for group in self.groups))

    def move_to(self, pending: PendingRows) -> None:
        """Add all rows to pending ones, among which none has the same name."""
        for group in self.groups:
            names = group.names
            pending.rows.update(zip(names, group.row_ids, strict=True))
            if group.identifiers is None:
                continue
            if group.canonical:
                pairs = zip(names, group.identifiers, strict=True)
                pending.sent.update((name, sent) for name, sent in pairs if name != sent)
            if group.weights is not None:
                pending.measured.update(zip(names, group.weights, strict=True))
            elif group.objects:
                pending.measured.update(zip(names, group.objects, strict=True))
            if group.memberships is not None:
                known = zip(names, group.memberships, strict=True)
                pending.unknown.update(name for name, membership in known if membership is None)
        pending.size += self.size


class Lane(Struct, eq=False):
    """The scope within which identifiers are compared: pending and staged rows by slot.

    Rows of a *level* are sent after those of earlier levels about the same identifiers; within a
    level, no two rows have the same identifier. Groups stay staged as long as no batch can be full.
    *form* is the form that all identifiers have; after a second one all rows are *unified*: named
    by the canonical form.
    """

    domain: Domain | None = None
    levels: list[dict[Slot, PendingRows]] = field(default_factory=lambda: [{}])
    staged: dict[Slot, Staged] = field(default_factory=dict)
    form: Hashable = None
    unified: bool = False

    @property
    def pending(self) -> dict[Slot, PendingRows]:
        """The rows of the first level."""
        return self.levels[0]

    def all_pending(self) -> Iterator[PendingRows]:
        """Yield the pending rows of all levels, in the order in which they may be sent."""
        return chain.from_iterable(level.values() for level in self.levels)

    def promote(self) -> None:
        """Remove first levels without rows."""
        while len(self.levels) > 1 and not any(one.rows for one in self.levels[0].values()):
            empty = self.levels.pop(0)
            self.levels[0] = empty | self.levels[0]

    def at(self, level: int, group: RowGroup, now: float) -> PendingRows:
        """Return the pending rows for a group at a level, which is at most one above the others."""
        if level == len(self.levels):
            self.levels.append({})
        pending = self.levels[level].get(group.slot)
        if pending is None:
            pending = self.levels[level][group.slot] = PendingRows(
                group.action, group.key, group.batching, now,
                group.identifiers is not None, group.scope, self.domain,
            )  # fmt: skip
        elif not pending.rows and group.slot not in self.staged:
            pending.since = now
        return pending

    def last(self, name: RowName) -> tuple[int, Slot] | None:
        """Return level and slot of the last row of that name."""
        for level in range(len(self.levels) - 1, -1, -1):
            for slot, pending in self.levels[level].items():
                if pending.holds(name):
                    return level, slot
        return None

    def level_after(self, names: Sequence[RowName]) -> int:
        """Return the first level after all rows that concern one of *names*."""
        return max(0 if (last := self.last(name)) is None else last[0] + 1 for name in names)

    def level_after_several(self, name: RowName) -> int:
        """Return the first level after the rows that concern a name and others, which stay."""
        return max(
            at + 1 if any(name in pending.concerned for pending in level.values()) else 0
            for at, level in enumerate(self.levels)
        )

    @property
    def concerned(self) -> set[RowName]:
        """The names of rows that concern several."""
        return {*chain.from_iterable(pending.concerned for pending in self.all_pending())}

    def is_empty(self) -> bool:
        """Return whether no row waits."""
        return not self.staged and not any(one.rows for one in self.all_pending())

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
            for pending in self.all_pending():
                if pending.identified:
                    pending.unify(aliases)

    def groups(self) -> Iterator[RowGroup]:
        """Yield the staged groups."""
        return chain.from_iterable(staged.groups for staged in self.staged.values())

    def sizes(self) -> Iterator[tuple[PendingRows, int]]:
        """Yield what waits, with the number of its rows, staged ones included."""
        for level in self.levels:
            for slot, pending in level.items():
                staged = self.staged.get(slot) if level is self.levels[0] else None
                if rows := len(pending.rows) + (staged.count if staged else 0):
                    yield pending, rows

    def room(self, slot: Slot) -> int:
        """Return the number of rows that a slot takes before its batch may be full."""
        pending, staged = self.pending[slot], self.staged.get(slot)
        return pending.batching.max_size - len(pending.rows) - (staged.count if staged else 0)

    def keep(self, group: RowGroup) -> bool:
        """Stage a group, for which there is room; return whether its batch stays below limits."""
        pending = self.pending[group.slot]
        staged = self.staged.setdefault(group.slot, Staged())
        staged.add(group)
        fits = pending.size + staged.size <= pending.batching.max_bytes
        return self.room(group.slot) > 0 and fits

    def are_distinct(self) -> bool:
        """Return whether no two rows have the same identifier, and all of them fit."""
        held: list[Collection[RowName]] = [one.rows for one in self.all_pending() if one.rows]
        held += [one.concerned for one in self.all_pending() if one.concerned]
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
