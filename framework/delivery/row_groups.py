"""Rows in groups on their way into batches, and batches.

A row is known by its *row id*, a number that grows in the order of arrival.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from itertools import chain, pairwise
from typing import Any, TypeAlias

import orjson
from msgspec import Struct
from msgspec.structs import replace

from framework.definition import Batching, Target

RowName: TypeAlias = str | int
"""The identity of a row among others: its identifier if there is one, else its row id."""

Slot: TypeAlias = tuple[Hashable, ...]
"""What rows have to agree in to be sent together: action, batch keys, and more."""


class RowGroup(Struct, frozen=True):
    """Rows of one action with equal batch keys, in the order of arrival; at least one.

    *identifiers* name the subjects of the rows; *objects* are the payloads, if their JSON is to be
    measured, *weights* the bytes that they add otherwise. *canonical* are the same identifiers,
    made equal for every form of one; None if all have the same form. Rows are sent together only
    if they agree in *agreement*, too. *target* is what they change, by default the batch keys
    together. *memberships* says whether each row adds, removes or neither; None if all do the same.
    *further* are the other identifiers that each row concerns; None if no row has any.
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
    weights: Sequence[int] | None = None
    memberships: Sequence[bool | None] | None = None
    further: Sequence[Sequence[str]] | None = None

    @property
    def names(self) -> Sequence[RowName]:
        """The identities of the rows."""
        return self.canonical or self.identifiers or self.row_ids

    def names_at(self, index: int) -> Sequence[RowName]:
        """Return the identity of one row, and of what else it concerns."""
        name = self.names[index]
        if self.further is None or not self.further[index]:
            return (name,)
        more = self.further[index]
        if self.canonical is not None and self.batching.aliases is not None:
            more = self.batching.aliases.canonical(more)
        return (name, *more)

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
        if self.weights is not None:
            return sum(self.weights)
        if self.objects or self.identifiers is None:
            return size_of_all(self.objects)
        text = "".join(self.identifiers)
        length = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        return length + 3 * len(self.identifiers)

    def size_at(self, index: int) -> int:
        """Return the bytes that one row adds to a request."""
        if self.weights is not None:
            return self.weights[index]
        if self.objects or self.identifiers is None:
            return size_of_all([self.objects[index]])
        return size_of_identifier(self.identifiers[index])

    def knows_membership(self, index: int) -> bool:
        """Return whether one row is known to add somebody or to remove somebody."""
        return self.memberships is None or self.memberships[index] is not None

    def unknown(self) -> tuple[int, ...]:
        """Return the ids of the rows that are not known to add or remove somebody."""
        if self.memberships is None or None not in self.memberships:
            return ()
        pairs = zip(self.row_ids, self.memberships, strict=True)
        return tuple(row_id for row_id, membership in pairs if membership is None)

    def part(self, start: int, stop: int) -> RowGroup:
        """Return some of the rows."""
        return replace(
            self,
            row_ids=self.row_ids[start:stop],
            identifiers=self.identifiers and self.identifiers[start:stop],
            objects=self.objects[start:stop],
            canonical=self.canonical and self.canonical[start:stop],
            weights=self.weights and self.weights[start:stop],
            memberships=self.memberships and self.memberships[start:stop],
            further=self.further and self.further[start:stop],
        )


class Batch(Struct, frozen=True):
    """Rows for one call: one action, equal keys; *reason* names the limit that closed the batch.

    *merged* holds, by row id, the earlier rows that are sent as one with it, oldest first. Batches
    that are equal in *order* are performed one after the other; a *barrier* is performed after all
    earlier ones, and before all later ones. *deletion* marks requests to delete users. The rows in
    *unknown* have no known membership. *budget* is how often its parts may still be halved, and
    how often once one of them is accepted; all parts of a batch share it. *job* is the key of a
    job at the partner that is to be asked for. *further* holds, by row id, the other identifiers of
    the rows that concern several.
    """

    action: str
    key: tuple[Any, ...]
    row_ids: list[int]
    identifiers: list[str] | None
    merged: Mapping[int, list[int]]
    reason: str
    order: Hashable = None
    barrier: bool = False
    deletion: bool = False
    unknown: tuple[int, ...] = ()
    budget: list[int] | None = None
    job: str = ""
    further: Mapping[int, Sequence[str]] = {}

    def only(self, row_ids: Collection[int]) -> Batch:
        """Return the batch with these of its rows only."""
        kept = set(row_ids)
        places = [at for at, row_id in enumerate(self.row_ids) if row_id in kept]
        return replace(
            self,
            row_ids=[self.row_ids[at] for at in places],
            identifiers=self.identifiers and [self.identifiers[at] for at in places],
            merged={row_id: rows for row_id, rows in self.merged.items() if row_id in kept},
            further={row_id: more for row_id, more in self.further.items() if row_id in kept},
        )

    @property
    def place(self) -> Hashable:
        """What batches agree in that are performed one after the other."""
        return self.key if self.order is None else self.order

    def all_row_ids(self) -> list[int]:
        """Return the ids of the rows and of all rows that are merged into them."""
        if not self.merged:
            return self.row_ids
        return [*self.row_ids, *chain.from_iterable(self.merged.values())]

    def all_identifiers(self) -> Sequence[str]:
        """Return the identifiers of the rows, and the others that they concern."""
        if not self.further:
            return self.identifiers or ()
        return [*(self.identifiers or ()), *chain.from_iterable(self.further.values())]


def deletion_of(row_ids: list[int]) -> Batch:
    """Return the batch of requests to delete users."""
    return Batch("", (), row_ids, None, {}, "deletion", barrier=True, deletion=True)


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


def join_by_slot(groups: Sequence[RowGroup]) -> list[RowGroup]:
    """Return one group for each slot, its rows in the order of arrival."""
    if len(groups) == 1:
        return [*groups]
    by_slot: dict[Slot, list[RowGroup]] = {}
    for group in groups:
        by_slot.setdefault(group.slot, []).append(group)
    return [_join(found) if len(found) > 1 else found[0] for found in by_slot.values()]


def with_canonical_names(group: RowGroup) -> RowGroup:
    """Return the group with the canonical form of its identifiers, if they have one."""
    aliases = group.batching.aliases
    if aliases is None or group.identifiers is None:
        return group
    return replace(group, canonical=aliases.canonical(group.identifiers))


def are_disjoint(groups: Sequence[RowGroup]) -> bool:
    """Return whether no two rows of different groups have the same identifier."""
    if len(groups) == 1:
        return True
    if any(group.identifiers is None for group in groups):
        return True
    names = [set(group.names) for group in groups]
    return len(set().union(*names)) == sum(map(len, names))


def in_order(groups: Sequence[RowGroup]) -> Iterable[tuple[int, RowGroup, int]]:
    """Return row id, group and index of every row, in the order of arrival."""
    rows = [
        (row_id, group, index) for group in groups for index, row_id in enumerate(group.row_ids)
    ]
    return rows if len(groups) == 1 else sorted(rows, key=lambda row: row[0])


def are_independent(groups: Sequence[RowGroup]) -> bool:
    """Return whether each group is a single row, and no two share a scope."""
    if len(groups) == 1:
        return len(groups[0].row_ids) == 1
    scopes = {group.scope for group in groups if len(group.row_ids) == 1}
    return len(scopes) == len(groups)


def batches_of_one(groups: Iterable[RowGroup]) -> list[Batch]:
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
            unknown=group.unknown(),
            further=further_by_row(group),
        )
        for group in groups
    ]
    return sorted(batches, key=lambda batch: batch.reason) if len(batches) > 1 else batches


def further_by_row(group: RowGroup) -> dict[int, Sequence[str]]:
    """Return the other identifiers of the rows of a group that concern several, by row id."""
    if group.further is None:
        return {}
    pairs = zip(group.row_ids, group.further, strict=True)
    return {row_id: more for row_id, more in pairs if more}


def split_groups(groups: Iterable[RowGroup], row_id: int) -> tuple[list[RowGroup], list[RowGroup]]:
    """Return the rows before *row_id*, and the others."""
    before: list[RowGroup] = []
    after: list[RowGroup] = []
    for group in groups:
        size = len(group.row_ids)
        place = bisect_left(group.row_ids, row_id)
        if place:
            before.append(group if place == size else group.part(0, place))
        if place < size:
            after.append(group.part(place, size) if place else group)
    return before, after


def _join(groups: Sequence[RowGroup]) -> RowGroup:
    row_ids = list(chain.from_iterable(group.row_ids for group in groups))
    aligned: dict[str, Any] = {
        name: list(chain.from_iterable(getattr(group, name) or () for group in groups))
        for name in ("identifiers", "objects", "canonical", "weights", "memberships")
    }
    if any(group.further for group in groups):
        filled = (group.further or [()] * len(group.row_ids) for group in groups)
        aligned["further"] = list(chain.from_iterable(filled))
    if any(group.row_ids[-1] > after.row_ids[0] for group, after in pairwise(groups)):
        order = sorted(range(len(row_ids)), key=row_ids.__getitem__)
        row_ids = [row_ids[place] for place in order]
        for name, values in aligned.items():
            aligned[name] = values and [values[place] for place in order]
    kept = {name: values or getattr(groups[0], name) for name, values in aligned.items()}
    return replace(groups[0], row_ids=row_ids, **kept)
