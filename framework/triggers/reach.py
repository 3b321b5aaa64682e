"""Which events triggers can meet: search for an event that answers a question about them.

The events that are tried hold the constants of the triggers, values between and beside them, and
values of other kinds. For triggers that only compare fields with constants these are all events
that make a difference, so that finding none proves that there is none.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from framework.paths import JSON, MISSING, Event, Path
from framework.triggers.semantics import paths_of
from framework.triggers.tree import Call, Comparison, Condition, Constant, Field, walk
from framework.triggers.values import is_number

MAX_EVENTS: Final = 20_000
"""Events that one search tries."""

_OTHER: Final = "\N{MIDDLE DOT}any other text"
_OTHERS: Final[tuple[JSON, ...]] = (MISSING, None, _OTHER, 0, 7.5, True, False, [_OTHER], {})


@dataclass(frozen=True, slots=True)
class Reach:
    """The outcome of a search: an *event* where one was found.

    Where it is None, *is_certain* says whether there is none at all.
    """

    event: Event | None
    is_certain: bool


def find_event(
    wanted: Callable[[Event], bool],
    trees: Iterable[Condition],
    fixed: Mapping[Path, Sequence[JSON]] | None = None,
) -> Reach:
    """Search for an event that is *wanted*, among those that *trees* can tell apart.

    *fixed* says for some fields which values they can have.
    """
    listed = list(trees)
    atoms = _atoms(listed)
    domains = {path: _values(atoms.get(path, [])) for path in _in_order(listed)}
    for path, values in (fixed or {}).items():
        domains[path] = list(values)
    total = math.prod(map(len, domains.values()))
    choices = itertools.islice(itertools.product(*domains.values()), MAX_EVENTS)
    for choice in choices:
        event = _event(zip(domains, choice, strict=True))
        if wanted(event):
            return Reach(event, is_certain=True)
    complete = total <= MAX_EVENTS and not _nested(list(domains))
    return Reach(None, complete and all(_is_complete(atoms.get(path, [])) for path in domains))


def _in_order(trees: list[Condition]) -> list[Path]:
    paths = frozenset[Path]().union(*map(paths_of, trees))
    return sorted(paths, key=lambda path: path.parts)


def _atoms(trees: list[Condition]) -> dict[Path, list[Comparison | Call]]:
    """Give the single conditions that read each path."""
    found: dict[Path, list[Comparison | Call]] = {}
    for tree in trees:
        for node in walk(tree):
            if isinstance(node, Comparison | Call):
                read = {each.path for each in walk(node) if isinstance(each, Field)}
                for path in read:
                    found.setdefault(path, []).append(node)
    return found


def _values(atoms: list[Comparison | Call]) -> list[JSON]:
    constants = [each for atom in atoms for each in _constants(atom)]
    found = [value for constant in constants for value in _near(constant)]
    numbers = sorted({value for value in constants if is_number(value)})
    found += [(low + high) / 2 for low, high in itertools.pairwise(numbers)]
    texts = [_plain(value) for value in constants if isinstance(value, str)]
    if len(texts) > 1:
        found += ["".join(dict.fromkeys(texts)), "".join(dict.fromkeys(reversed(texts)))]
    distinct: dict[str, JSON] = {}
    for value in (*found, *_OTHERS):
        distinct.setdefault(repr(value), value)
    return list(distinct.values())


def _constants(atom: Comparison | Call) -> Iterator[Any]:
    for node in walk(atom):
        if isinstance(node, Constant):
            yield from node.value if isinstance(node.value, tuple) else (node.value,)


def _near(constant: Any) -> Iterator[JSON]:
    yield constant
    if is_number(constant):
        yield from (constant + 1, constant - 1)
    elif isinstance(constant, str):
        yield from (_plain(constant), constant.lower(), constant.upper(), [constant])


def _plain(text: str) -> str:
    """Give a text that a pattern fits, where it holds no brackets."""
    return re.sub(r"\\(.)", r"\1", text.replace("*", "").replace("?", "z"))


def _nested(paths: list[Path]) -> bool:
    """Tell whether one path leads into another, so that their values depend on each other."""
    parts = [path.parts for path in paths]
    return any(a != b and b[: len(a)] == a for a in parts for b in parts)


def _is_complete(reading: list[Comparison | Call]) -> bool:
    """Tell whether the values that are tried for a field are all that make a difference."""
    atoms = list(dict.fromkeys(reading))
    if len(atoms) == 1 and isinstance(atoms[0], Call):
        subject, sought = atoms[0].arguments[0], atoms[0].arguments[-1]
        return isinstance(subject, Field) and "[" not in str(getattr(sought, "value", "["))
    return all(
        isinstance(atom, Comparison)
        and isinstance(atom.left, Field)
        and isinstance(atom.right, Constant)
        for atom in atoms
    )


def _event(fields: Iterable[tuple[Path, JSON]]) -> Event:
    event: Event = {}
    for path, value in fields:
        *outer, last = path.parts
        place: JSON = event
        for key in outer:
            place = place.setdefault(key, {}) if isinstance(place, dict) else None
        if value is not MISSING and isinstance(place, dict):
            place.setdefault(last, value)
    return event
