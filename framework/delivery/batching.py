"""Rows on their way into calls: grouped by keys, coalesced by identifier, cut to size.

A row is known by its *mark*, a number that grows in arrival order. Within a lane, of several rows
about one identifier the last is sent; those behind it settle together with it.
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

Name: TypeAlias = str | int
"""What tells rows apart: the identifier, where there is one, else the mark."""


class Behind(Struct):
    """Marks that settle with a later one.

    *shared* asked for the same and share the outcome; *superseded* asked for something else.
    """

    shared: list[int] = field(default_factory=list)
    superseded: list[int] = field(default_factory=list)

    def all(self) -> list[int]:
        """Give all of them."""
        return [*self.shared, *self.superseded]


class RowGroup(Struct, frozen=True):
    """Rows of one action that agree in the values of the batch keys, in arrival order; never none.

    *identifiers* say whom the rows are about; where nobody knows, *objects* are the payloads.
    """

    action: str
    batching: Batching
    lane: Hashable
    key: tuple[Any, ...]
    marks: Sequence[int]
    identifiers: Sequence[str] | None = None
    objects: Sequence[Any] = ()

    @property
    def names(self) -> Sequence[Name]:
        """What tells the rows apart."""
        return self.marks if self.identifiers is None else self.identifiers

    def size(self) -> int:
        """Give the bytes that all rows add to a call."""
        if self.identifiers is None:
            return size_of_all(self.objects)
        text = "".join(self.identifiers)
        length = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        return length + 3 * len(self.identifiers)

    def part(self, start: int, stop: int) -> RowGroup:
        """Give some of the rows."""
        identifiers = self.identifiers and self.identifiers[start:stop]
        return RowGroup(
            self.action, self.batching, self.lane, self.key,
            self.marks[start:stop], identifiers, self.objects[start:stop],
        )  # fmt: skip


class Batch(Struct, frozen=True):
    """Rows that travel in one call: one action, the same keys; *reason* says why it closed.

    *behind* holds by mark what settles with it.
    """

    action: str
    key: tuple[Any, ...]
    marks: list[int]
    identifiers: list[str] | None
    behind: Mapping[int, Behind]
    reason: str

    def all(self) -> list[int]:
        """Give the marks of the rows and of everything that settles with them."""
        return [*self.marks, *chain.from_iterable(one.all() for one in self.behind.values())]


class _Pending(Struct):
    """What waits for one action and key: names and marks of the rows that will be sent."""

    action: str
    key: tuple[Any, ...]
    batching: Batching
    since: float
    identified: bool
    rows: dict[Name, int] = field(default_factory=dict)
    size: int = 0

    def take(self, identifier: Name) -> int | None:
        mark = self.rows.pop(identifier, None)
        if mark is not None:
            self.size -= size_of_identifier(str(identifier))
        return mark


class _Staged(Struct):
    """Lots of one action that wait to join their pile, and whom their rows are about, once each."""

    lots: list[RowGroup] = field(default_factory=list)
    identifiers: set[str] = field(default_factory=set)
    count: int = 0
    size: int = 0

    def add(self, lot: RowGroup) -> None:
        """Add a lot."""
        self.lots.append(lot)
        self.identifiers.update(lot.identifiers or ())
        self.count += len(lot.marks)
        self.size += lot.size()

    def marks(self) -> list[int]:
        """Give the marks of all rows."""
        return list(chain.from_iterable(lot.marks for lot in self.lots))

    def names(self) -> list[Name]:
        """Give what tells the rows apart, aligned with the marks."""
        return list(chain.from_iterable(lot.names for lot in self.lots))


class _Lane(Struct):
    """The place within which identifiers are compared: a pile for each action.

    *coming* has by action the lots that wait as they came, as long as no pile can be full.
    """

    piles: dict[str, _Pending] = field(default_factory=dict)
    coming: dict[str, _Staged] = field(default_factory=dict)

    def loose(self) -> Iterator[RowGroup]:
        """Yield the lots that wait as they came."""
        return chain.from_iterable(coming.lots for coming in self.coming.values())

    def room(self, action: str) -> int:
        """Count the rows that may still come before the pile of an action may be full."""
        pile, coming = self.piles[action], self.coming.get(action)
        return pile.batching.max_size - len(pile.rows) - (coming.count if coming else 0)

    def keep(self, lot: RowGroup) -> bool:
        """Keep a lot, for which there is room; tell whether its pile stays below its limits."""
        pile, coming = self.piles[lot.action], self.coming.setdefault(lot.action, _Staged())
        coming.add(lot)
        return self.room(lot.action) > 0 and pile.size + coming.size <= pile.batching.max_bytes

    def are_alone(self) -> bool:
        """Tell whether no two rows, here and in the piles, are about the same, and all fit."""
        held: list[Collection[Name]] = [pile.rows for pile in self.piles.values() if pile.rows]
        for action, coming in self.coming.items():
            pile, names = self.piles[action], coming.identifiers
            if pile.size + coming.size > pile.batching.max_bytes:
                return False
            if pile.identified and (
                len(names) < coming.count or not all(map(names.isdisjoint, held))
            ):
                return False
            held.append(names)
        return True


class Batcher:
    """Collects rows and gives them back as batches when they are full, due or flushed."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._places: dict[Hashable, _Lane] = {}
        self._behind: dict[int, Behind] = {}
        self.waiting = 0

    def add(self, lots: Iterable[RowGroup]) -> Iterator[Batch]:
        """Take rows in; yield the batches that this closes.

        Lots of one lane and key are merged by their marks, so that the last row in arrival order
        wins whichever lot it is in; those of later calls arrive later.
        """
        together: dict[Hashable, list[RowGroup]] = {}
        for lot in lots:
            together.setdefault((lot.lane, lot.key), []).append(lot)
        for name, found in together.items():
            place = self._places.setdefault(name, _Lane())
            for lot in found:
                self._open(lot, place)
                self.waiting += len(lot.marks)
            lots = _joined(found)
            if _disjoint(lots):
                for lot in lots:
                    yield from self._keep(lot, place)
            else:
                yield from self._merge(place)
                yield from self._add_rows(lots, place.piles)

    def due(self) -> Iterator[Batch]:
        """Yield the batches whose oldest row has waited for `max_age`."""
        now = self._now()
        for place in self._places.values():
            late = any(now - pile.since >= pile.batching.max_age for pile in place.piles.values())
            if late:
                yield from self._merge(place)
            for pile in place.piles.values():
                if pile.rows and now - pile.since >= pile.batching.max_age:
                    yield self._close(pile, "age")

    def largest(self) -> Iterator[Batch]:
        """Yield the fullest pile as a batch, to make room."""
        yield from self._merge_all()
        pile = max(self._piles(), key=self._weight, default=None)
        if pile is not None and pile.rows:
            yield self._close(pile, "room")

    def flush(self) -> Iterator[Batch]:
        """Yield everything that waits."""
        yield from self._merge_all()
        for pile in self._piles():
            if pile.rows:
                yield self._close(pile, "end")

    def marks(self) -> Iterator[Collection[int]]:
        """Yield every mark that waits, in groups; those that settle with another included."""
        for place in self._places.values():
            for lot in place.loose():
                yield lot.marks
        for pile in self._piles():
            yield pile.rows.values()
        yield [mark for one in self._behind.values() for mark in one.all()]

    def _merge_all(self) -> Iterator[Batch]:
        for place in self._places.values():
            yield from self._merge(place)

    def _keep(self, lot: RowGroup, place: _Lane) -> Iterator[Batch]:
        """Keep a lot in a place, in parts where it fills a pile."""
        while len(lot.marks) > (room := place.room(lot.action)):
            if not place.keep(lot.part(0, room)):
                yield from self._merge(place)
            lot = lot.part(room, len(lot.marks))
        if not place.keep(lot):
            yield from self._merge(place)

    def _merge(self, place: _Lane) -> Iterator[Batch]:
        """Bring the loose lots of a place to its piles, in arrival order."""
        alone = place.are_alone()
        lots = list(place.loose())
        coming, place.coming = place.coming, {}
        if not alone:
            yield from self._add_rows(lots, place.piles)
            return
        for action, some in coming.items():
            yield from self._join(place.piles[action], some)

    def _weight(self, pile: _Pending) -> int:
        """Count what waits in a pile, those that settle with another included."""
        if not self._behind:
            return len(pile.rows)
        behind = (self._behind.get(mark) for mark in pile.rows.values())
        return len(pile.rows) + sum(len(one.all()) for one in behind if one)

    def _piles(self) -> list[_Pending]:
        return [pile for place in self._places.values() for pile in place.piles.values()]

    def _open(self, lot: RowGroup, place: _Lane) -> None:
        """Have a pile for the rows of a lot, and know since when its first row waits."""
        pile = place.piles.get(lot.action)
        if pile is None:
            known = lot.identifiers is not None
            pile = _Pending(lot.action, lot.key, lot.batching, self._now(), known)
            place.piles[lot.action] = pile
        elif not pile.rows and lot.action not in place.coming:
            pile.since = self._now()

    def _join(self, pile: _Pending, coming: _Staged) -> Iterator[Batch]:
        """Bring rows to a pile that has room for them, or straight into a batch that they fill."""
        if coming.count == pile.batching.max_size:
            yield self._made(pile, coming.marks(), coming.names(), {}, "count")
            return
        pile.rows.update(zip(coming.names(), coming.marks(), strict=True))
        pile.size += coming.size
        if len(pile.rows) >= pile.batching.max_size:
            yield self._close(pile, "count")

    def _add_rows(self, lots: Sequence[RowGroup], piles: dict[str, _Pending]) -> Iterator[Batch]:
        """Add rows one by one, so that each meets those that came before it."""
        for mark, lot, index in _in_order(lots):
            pile = piles[lot.action]
            name = lot.names[index]
            if lot.identifiers is None:
                size = size_of_all([lot.objects[index]])
            else:
                size = size_of_identifier(lot.identifiers[index])
                self._coalesce(lot.identifiers[index], mark, piles, pile)
            if pile.rows and pile.size + size > pile.batching.max_bytes:
                yield self._close(pile, "bytes")
            pile.rows[name] = mark
            pile.size += size
            if len(pile.rows) >= pile.batching.max_size:
                yield self._close(pile, "count")

    def _coalesce(
        self, identifier: str, mark: int, piles: dict[str, _Pending], own: _Pending
    ) -> None:
        for pile in piles.values():
            earlier = pile.take(identifier)
            if earlier is None:
                continue
            behind = self._behind.pop(earlier, None) or Behind()
            if pile is not own:
                behind.superseded += behind.shared
                behind.shared = []
            (behind.shared if pile is own else behind.superseded).append(earlier)
            self._behind[mark] = behind

    def _close(self, pile: _Pending, reason: str) -> Batch:
        marks, names = list(pile.rows.values()), list(pile.rows)
        behind: dict[int, Behind] = {}
        if self._behind:
            behind = {mark: self._behind.pop(mark) for mark in marks if mark in self._behind}
        pile.rows, pile.size = {}, 0
        return self._made(pile, marks, names, behind, reason)

    def _made(
        self,
        pile: _Pending,
        marks: list[int],
        names: list[Name],
        behind: Mapping[int, Behind],
        reason: str,
    ) -> Batch:
        """Give what a pile held, or would have held, as a batch; the pile begins anew."""
        pile.since = self._now()
        identifiers = cast("list[str]", names) if pile.identified else None
        batch = Batch(pile.action, pile.key, marks, identifiers, behind, reason)
        self.waiting -= len(batch.all()) if behind else len(marks)
        return batch


def size_of_identifier(identifier: str) -> int:
    """Give the bytes that an identifier adds to a call."""
    return len(identifier.encode("utf-8", "surrogatepass")) + 3


def size_of_all(objects: Sequence[Any]) -> int:
    """Give the bytes that payloads add to a list of payloads in JSON."""
    try:
        return len(orjson.dumps(objects, default=str)) - 1
    except TypeError:  # large integers, broken surrogates
        if len(objects) == 1:
            return len(json.dumps(objects[0], default=str)) + 1
        return sum(size_of_all([one]) for one in objects)


def _joined(lots: Sequence[RowGroup]) -> list[RowGroup]:
    """Give one lot for each action, its rows in arrival order."""
    by_action: dict[str, list[RowGroup]] = {}
    for lot in lots:
        by_action.setdefault(lot.action, []).append(lot)
    return [_join(found) if len(found) > 1 else found[0] for found in by_action.values()]


def _join(lots: Sequence[RowGroup]) -> RowGroup:
    marks = list(chain.from_iterable(lot.marks for lot in lots))
    objects = list(chain.from_iterable(lot.objects for lot in lots))
    identifiers = None
    if lots[0].identifiers is not None:
        identifiers = list(chain.from_iterable(lot.identifiers or () for lot in lots))
    if any(lot.marks[-1] > after.marks[0] for lot, after in pairwise(lots)):
        order = sorted(range(len(marks)), key=marks.__getitem__)
        marks = [marks[place] for place in order]
        identifiers = identifiers and [identifiers[place] for place in order]
        objects = objects and [objects[place] for place in order]
    return replace(lots[0], marks=marks, identifiers=identifiers, objects=objects)


def _disjoint(lots: Sequence[RowGroup]) -> bool:
    """Tell whether no two rows of different lots are about the same, so that order is no matter."""
    if len(lots) == 1:
        return True
    if any(lot.identifiers is None for lot in lots):
        return True
    names = [set(lot.names) for lot in lots]
    return len(set().union(*names)) == sum(map(len, names))


def _in_order(lots: Sequence[RowGroup]) -> Iterable[tuple[int, RowGroup, int]]:
    """Give mark, lot and place in it of every row, in arrival order."""
    rows = [(mark, lot, index) for lot in lots for index, mark in enumerate(lot.marks)]
    return rows if len(lots) == 1 else sorted(rows, key=lambda row: row[0])
