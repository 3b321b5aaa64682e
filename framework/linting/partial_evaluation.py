"""What conditions tell of an event while the values of its fields are chosen one by one.

A condition comes out true, false or neither (see `semantics`). As long as some of its fields are
not chosen it may come out in several ways, and so may the tree above it: a set of truths, held as
the sum of TRUE, FALSE and NEITHER.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final, TypeAlias

from framework.paths import JSON, MISSING, Event, Path
from framework.triggers.language import (
    And,
    BooleanNode,
    Comparison,
    ConstantNode,
    FunctionCall,
    Not,
    Or,
    paths_of,
    truth,
    walk,
)

TRUE: Final = 1
FALSE: Final = 2
NEITHER: Final = 4

Atom: TypeAlias = Comparison | FunctionCall
"""A condition without conditions in it."""

AtomReader: TypeAlias = Callable[[Sequence[int]], int]
"""Gives in which ways a tree may come out, by the ways in which its atoms may."""

_ANYHOW: Final = TRUE | FALSE | NEITHER
_OF_TRUTH: Final[Mapping[bool | None, int]] = {True: TRUE, False: FALSE, None: NEITHER}


Spend: TypeAlias = Callable[[int], None]
"""Is told how many steps, of about a microsecond, some work takes that is about to be done."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A value of a field, and how the atoms come out by it that read nothing else."""

    value: JSON
    truths: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class _Cell:
    """The *place* of an atom's truths, and the places of the fields that it *waits* for.

    Values are *held* in the place of those that some fields have.
    """

    place: int
    atom: Atom
    held: Mapping[Path, JSON]
    waits: tuple[int, ...]

    def asked(self, values: Iterable[tuple[Path, JSON]]) -> int:
        if self.held:
            values = {**dict(values), **self.held}.items()
        return _OF_TRUTH[truth(self.atom, event_of(values))]


class PartialTruths:
    """The atoms of some trees, and in which ways each of them may still come out: its *truths*.

    *domains* gives the fields in the order in which their values are chosen, and their values.
    """

    def __init__(self, domains: Mapping[Path, Sequence[JSON]]) -> None:
        self.truths: list[int] = []
        self._domains = domains
        self._order = list(domains)
        self._places = {path: place for place, path in enumerate(self._order)}
        self._near = _near(self._order)
        self._cells: dict[object, _Cell] = {}
        self._chosen: list[JSON] = [MISSING] * len(domains)

    def steps(self, place: int) -> int:
        """Give the steps of a choice for a field, and of reading all trees after it."""
        return 4 + len(self._cells) // 3 + 5 * len(self._last[place])

    @property
    def event(self) -> Event:
        """The event that was chosen."""
        return event_of(zip(self._order, self._chosen, strict=True))

    def reader(self, tree: BooleanNode, instead: Mapping[Path, JSON]) -> AtomReader:
        """Take in a tree, with values *instead* of those that some fields have."""
        match tree:
            case And(parts):
                return _joined([self.reader(part, instead) for part in parts], FALSE, TRUE)
            case Or(parts):
                return _joined([self.reader(part, instead) for part in parts], TRUE, FALSE)
            case Not(part):
                return _negated(self.reader(part, instead))
            case Comparison() | FunctionCall():
                return itemgetter(self._cell(tree, instead).place)

    def _cell(self, atom: Atom, instead: Mapping[Path, JSON]) -> _Cell:
        near = {other for path in paths_of(atom) for other in self._near.get(path, (path,))}
        held = {path: value for path, value in instead.items() if path in near}
        key = (atom, *(f"{path} {value!r}" for path, value in held.items()))
        waits = sorted(self._places[path] for path in near - held.keys())
        return self._cells.setdefault(key, _Cell(len(self._cells), atom, held, tuple(waits)))

    def settle(self, spend: Spend) -> None:
        """Find what there is to choose, when all trees are taken in.

        Of values by which everything comes out alike, only the first is a choice.
        """
        self.truths = [_ANYHOW] * len(self._cells)
        waiting: list[list[_Cell]] = [[] for _ in self._order]
        for cell in self._cells.values():
            for place in cell.waits:
                waiting[place].append(cell)
            if not cell.waits:
                self.truths[cell.place] = cell.asked(())
        self._last = [[c for c in cells if c.waits[-1] == n] for n, cells in enumerate(waiting)]
        self._choices = [self._told_apart(n, cells, spend) for n, cells in enumerate(waiting)]
        self._open = list(self.truths)

    def _told_apart(self, place: int, cells: list[_Cell], spend: Spend) -> list[Branch]:
        path = self._order[place]
        values = self._domains[path]
        if any(cell.waits != (place,) for cell in cells):
            return [Branch(value) for value in values]
        self._last[place] = []
        spend(len(values) * sum(map(_steps, (cell.atom for cell in cells))))
        found: dict[tuple[int, ...], JSON] = {}
        for value in values:
            found.setdefault(tuple([cell.asked([(path, value)]) for cell in cells]), value)
        places = [cell.place for cell in cells]
        for one, *truths in zip(places, *found, strict=True):
            self.truths[one] = functools.reduce(operator.or_, truths)
        return [
            Branch(value, tuple(zip(places, outcome, strict=True)))
            for outcome, value in found.items()
        ]

    def choices(self, place: int) -> list[Branch]:
        """Give what there is to choose for the field at a *place* of the order."""
        return self._choices[place]

    def choose(self, place: int, choice: Branch) -> None:
        """Choose a value for a field; those before it are chosen."""
        self._chosen[place] = choice.value
        for one, found in choice.truths:
            self.truths[one] = found
        for cell in self._last[place]:
            values = [(self._order[each], self._chosen[each]) for each in cell.waits]
            self.truths[cell.place] = cell.asked(values)

    def forget(self, place: int) -> None:
        """Take the choice for a field back."""
        for cell in self._last[place]:
            self.truths[cell.place] = self._open[cell.place]
        for choice in self._choices[place][:1]:
            for one, _ in choice.truths:
                self.truths[one] = self._open[one]


def event_of(fields: Iterable[tuple[Path, JSON]]) -> Event:
    """Make the event that has values at these paths; where they collide, the first one stays."""
    event: Event = {}
    for path, value in fields:
        if value is MISSING:
            continue
        *outer, last = path.parts
        place: JSON = event
        for key in outer:
            place = place.setdefault(key, {}) if isinstance(place, dict) else None
        if isinstance(place, dict):
            place.setdefault(last, value)
    return event


def nested(paths: Iterable[Path]) -> bool:
    """Tell whether one path leads into another, so that their values depend on each other."""
    parts = sorted(path.parts for path in paths)
    return any(b[: len(a)] == a for a, b in itertools.pairwise(parts))


def _near(paths: Sequence[Path]) -> Mapping[Path, Sequence[Path]]:
    """Give for each path those whose values its own depends on, itself among them."""
    if not nested(paths):
        return {}
    return {
        path: [one for one in paths if _leads(one, path) or _leads(path, one)] for path in paths
    }


def _leads(one: Path, other: Path) -> bool:
    return other.parts[: len(one.parts)] == one.parts


def _joined(readers: Sequence[AtomReader], decides: int, else_: int) -> AtomReader:
    """Give how parts come out together, one of which *decides*; all of them do as *else_*."""

    def read(truths: Sequence[int]) -> int:
        some, every = 0, _ANYHOW
        for reader in readers:
            found = reader(truths)
            if found == decides:
                return decides
            some |= found
            every &= found
        return some & (decides | NEITHER) | every & else_

    return read


def _negated(reader: AtomReader) -> AtomReader:
    swapped = (0, 2, 1, 3, 4, 6, 5, 7)
    return lambda truths: swapped[reader(truths)]


def _steps(atom: Atom) -> int:
    """Give the steps of asking an atom about a value."""
    constants: list[Any] = [node.value for node in walk(atom) if isinstance(node, ConstantNode)]
    lengths = [len(value) for value in constants if isinstance(value, str | tuple)]
    return 5 + sum(lengths) // 8
