"""Evaluation of triggers on partly known events, whose fields get values one by one.

The truth of a condition is true, false or neither (see `framework.triggers.semantics`). While some
of its fields have no value yet, several truths remain possible, for the condition and for the tree
above it: a set, represented as the sum of TRUE, FALSE and NEITHER.
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
"""A condition that contains no other condition."""

AtomReader: TypeAlias = Callable[[Sequence[int]], int]
"""Returns the possible truths of a tree, given those of all atoms."""

_ANY: Final = TRUE | FALSE | NEITHER
_OF_TRUTH: Final[Mapping[bool | None, int]] = {True: TRUE, False: FALSE, None: NEITHER}

Spend: TypeAlias = Callable[[int], None]
"""Called with the steps (of about a microsecond) of the work that follows; may raise to end it."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A value of a field, and the *truths* of the atoms that read no other field."""

    value: JSON
    truths: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class _Cell:
    """An *atom* on given fields: the *place* of its truths, and the places of its open fields.

    The values *held* replace those of some fields; the atom *waits* for the others.
    """

    place: int
    atom: Atom
    held: Mapping[Path, JSON]
    waits: tuple[int, ...]

    def truths(self, values: Iterable[tuple[Path, JSON]]) -> int:
        if self.held:
            values = {**dict(values), **self.held}.items()
        return _OF_TRUTH[truth(self.atom, event_of(values))]


class PartialTruths:
    """The atoms of some trees with their possible *truths*, while fields get their values.

    *domains* maps the fields, in the order of assignment, to their values.
    """

    def __init__(self, domains: Mapping[Path, Sequence[JSON]]) -> None:
        self.truths: list[int] = []
        self._domains = domains
        self._order = list(domains)
        self._places = {path: place for place, path in enumerate(self._order)}
        self._near = _near(self._order)
        self._cells: dict[object, _Cell] = {}
        self._assigned: list[JSON] = [MISSING] * len(domains)

    def steps(self, place: int) -> int:
        """Return the steps of assigning a field and evaluating all trees afterwards."""
        return 4 + len(self._cells) // 3 + 5 * len(self._last[place])

    @property
    def event(self) -> Event:
        """The event with the assigned values."""
        return event_of(zip(self._order, self._assigned, strict=True))

    def reader(self, tree: BooleanNode, instead: Mapping[Path, JSON]) -> AtomReader:
        """Add a tree and return its reader; some fields have values *instead* of their own."""
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

    def prepare(self, spend: Spend) -> None:
        """Compute the branches of each field, after all trees are added.

        Of the values that lead to the same truths, only the first becomes a branch.
        """
        self.truths = [_ANY] * len(self._cells)
        waiting: list[list[_Cell]] = [[] for _ in self._order]
        for cell in self._cells.values():
            for place in cell.waits:
                waiting[place].append(cell)
            if not cell.waits:
                self.truths[cell.place] = cell.truths(())
        self._last = [[c for c in cells if c.waits[-1] == n] for n, cells in enumerate(waiting)]
        self._branches = [
            self._distinct_branches(n, cells, spend) for n, cells in enumerate(waiting)
        ]
        self._open = list(self.truths)

    def _distinct_branches(self, place: int, cells: list[_Cell], spend: Spend) -> list[Branch]:
        path = self._order[place]
        values = self._domains[path]
        if any(cell.waits != (place,) for cell in cells):
            return [Branch(value) for value in values]
        self._last[place] = []
        spend(len(values) * sum(map(_steps, (cell.atom for cell in cells))))
        found: dict[tuple[int, ...], JSON] = {}
        for value in values:
            found.setdefault(tuple([cell.truths([(path, value)]) for cell in cells]), value)
        places = [cell.place for cell in cells]
        for one, *truths in zip(places, *found, strict=True):
            self.truths[one] = functools.reduce(operator.or_, truths)
        return [
            Branch(value, tuple(zip(places, outcome, strict=True)))
            for outcome, value in found.items()
        ]

    def branches(self, place: int) -> list[Branch]:
        """Return the branches of the field at a *place* of the order."""
        return self._branches[place]

    def assign(self, place: int, branch: Branch) -> None:
        """Assign a value to a field; the fields before it have theirs."""
        self._assigned[place] = branch.value
        for one, found in branch.truths:
            self.truths[one] = found
        for cell in self._last[place]:
            values = [(self._order[each], self._assigned[each]) for each in cell.waits]
            self.truths[cell.place] = cell.truths(values)

    def unassign(self, place: int) -> None:
        """Remove the value of a field."""
        for cell in self._last[place]:
            self.truths[cell.place] = self._open[cell.place]
        for branch in self._branches[place][:1]:
            for one, _ in branch.truths:
                self.truths[one] = self._open[one]


def event_of(fields: Iterable[tuple[Path, JSON]]) -> Event:
    """Return the event with values at these paths; of conflicting values the first one wins."""
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
    """Return whether one path is a prefix of another, so that their values depend on each other."""
    parts = sorted(path.parts for path in paths)
    return any(b[: len(a)] == a for a, b in itertools.pairwise(parts))


def _near(paths: Sequence[Path]) -> Mapping[Path, Sequence[Path]]:
    """Return, for each path, the paths that its value depends on, including itself."""
    if not nested(paths):
        return {}
    return {
        path: [one for one in paths if _leads(one, path) or _leads(path, one)] for path in paths
    }


def _leads(one: Path, other: Path) -> bool:
    return other.parts[: len(one.parts)] == one.parts


def _joined(readers: Sequence[AtomReader], decides: int, else_: int) -> AtomReader:
    """Combine parts: *decides* if one part has that truth, *else_* if all parts have that one."""

    def read(truths: Sequence[int]) -> int:
        some, every = 0, _ANY
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
    """Return the steps of evaluating an atom on a value."""
    constants: list[Any] = [node.value for node in walk(atom) if isinstance(node, ConstantNode)]
    lengths = [len(value) for value in constants if isinstance(value, str | tuple)]
    return 5 + sum(lengths) // 8
