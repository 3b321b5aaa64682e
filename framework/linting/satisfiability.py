"""Satisfiability of triggers: search for an event that given triggers match or do not match.

Candidate events hold the constants of the triggers, values between and next to them, and values of
other kinds. For triggers that only compare fields with constants, these cover all distinguishable
events, so an unsuccessful search proves that no such event exists.

Values that no condition distinguishes are tried once, and branches that cannot succeed are pruned,
so the number of fields has little influence on the cost.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from framework.linting.partial_evaluation import (
    FALSE,
    NEITHER,
    TRUE,
    Atom,
    PartialTruths,
    Spend,
    event_of,
    nested,
)
from framework.paths import JSON, MISSING, Event, Path
from framework.triggers import Trigger
from framework.triggers.language import (
    BooleanNode,
    Comparison,
    ConstantNode,
    FieldNode,
    FunctionCall,
    is_number,
    paths_of,
    walk,
)

MAX_EVENTS: Final = 20_000
"""Maximum number of complete or partial events that one search tries."""

_OTHER: Final = "\N{MIDDLE DOT}any other text"
_OTHERS: Final[tuple[JSON, ...]] = (MISSING, None, _OTHER, 0, 7.5, True, False, [_OTHER], {})
_MAX_EVALUATIONS: Final = 20_000
"""Up to this many pairs of conditions and values, all of them are evaluated beforehand."""


@dataclass(frozen=True, slots=True)
class HeldTrigger:
    """The requirement that a trigger matches an event, or that it does not.

    It applies to the event with the values that some fields have *instead* of their own.
    """

    trigger: Trigger
    wanted: bool = True
    instead: Mapping[Path, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The result of a search: the *event* found, or None.

    *is_certain* with None means that no such event exists.
    """

    event: Event | None
    is_certain: bool


def find_event(
    *alternatives: Sequence[HeldTrigger],
    fixed: Mapping[Path, Sequence[JSON]] | None = None,
    spend: Spend = lambda _: None,
) -> SearchResult:
    """Search for an event that meets all requirements of one of the *alternatives*.

    *fixed* restricts some fields to the given values. *spend* is called before each part of the
    work with its steps, of about a microsecond, and may raise to end the search.
    """
    trees = list(
        dict.fromkeys(held.trigger.tree for alternative in alternatives for held in alternative)
    )
    spend(sum(map(_steps_of_values, trees)))
    atoms = _atoms(trees)
    paths = sorted(frozenset[Path]().union(*map(paths_of, trees)), key=lambda path: path.parts)
    domains = {path: _values(atoms.get(path, [])) for path in paths}
    for path, values in (fixed or {}).items():
        domains[path] = list(values)
    evaluations = sum(len(values) * len(atoms.get(path, ())) for path, values in domains.items())
    search = _pruned if evaluations <= _MAX_EVALUATIONS else _one_by_one
    event, complete = search(alternatives, domains, spend)
    if event is not None:
        return SearchResult(event, is_certain=True)
    complete = complete and not nested(domains)
    return SearchResult(
        None, complete and all(_is_complete(atoms.get(path, [])) for path in domains)
    )


_Domains: TypeAlias = Mapping[Path, Sequence[JSON]]
_Alternatives: TypeAlias = Sequence[Sequence[HeldTrigger]]


def _pruned(
    alternatives: _Alternatives, domains: _Domains, spend: Spend
) -> tuple[Event | None, bool]:
    """Return the first event found by assigning one field after the other, with pruning.

    The second result is whether the search was complete.
    """
    partial = PartialTruths(domains)
    goals = [
        [
            (partial.reader(held.trigger.tree, held.instead), _AS[held.wanted])
            for held in alternative
        ]
        for alternative in alternatives
    ]
    partial.prepare(spend)

    def is_possible() -> bool:
        return any(
            all(read(partial.truths) & wanted for read, wanted in alternative)
            for alternative in goals
        )

    waiting = [iter(partial.branches(0))] if domains and is_possible() else []
    tried = 0
    while waiting:
        place = len(waiting) - 1
        branch = next(waiting[-1], None)
        if branch is None:
            partial.unassign(place)
            waiting.pop()
            continue
        tried += 1
        if tried > MAX_EVENTS:
            return None, False
        spend(partial.steps(place))
        partial.assign(place, branch)
        if not is_possible():
            continue
        if place + 1 == len(domains):
            return partial.event, True
        waiting.append(iter(partial.branches(place + 1)))
    return (None if domains or not is_possible() else {}), True


_AS: Final = {True: TRUE, False: FALSE | NEITHER}


def _one_by_one(
    alternatives: _Alternatives, domains: _Domains, spend: Spend
) -> tuple[Event | None, bool]:
    """Return the first event that compiled triggers match, and whether the search was complete."""
    steps = _steps_of_one(
        [held.trigger.tree for alternative in alternatives for held in alternative]
    )
    choices = itertools.product(*domains.values())
    for choice in itertools.islice(choices, MAX_EVENTS):
        spend(steps)
        event = event_of(zip(domains, choice, strict=True))
        if any(
            all(_holds(held, event, domains, choice) for held in alternative)
            for alternative in alternatives
        ):
            return event, True
    return None, math.prod(map(len, domains.values())) <= MAX_EVENTS


def _holds(held: HeldTrigger, event: Event, paths: Iterable[Path], values: Iterable[JSON]) -> bool:
    if held.instead:
        event = event_of({**dict(zip(paths, values, strict=True)), **held.instead}.items())
    return held.trigger.matches(event) is held.wanted


def _steps_of_one(trees: Sequence[BooleanNode]) -> int:
    """Return the steps of creating one event and matching it."""
    nodes = [node for tree in trees for node in walk(tree)]
    fields = {node.path for node in nodes if isinstance(node, FieldNode)}
    calls = sum(isinstance(node, FunctionCall) for node in nodes)
    constants = [node.value for node in nodes if isinstance(node, ConstantNode)]
    length = sum(len(value) for value in constants if isinstance(value, str))
    lists = [value for value in constants if isinstance(value, tuple)]
    slow = sum(len(value) for value in lists if not all(isinstance(item, str) for item in value))
    return 4 + len(fields) + len(nodes) // 30 + calls * length // 2_000 + slow


def _steps_of_values(tree: BooleanNode) -> int:
    """Return the steps of collecting the candidate values for a tree."""
    constants = [node.value for node in walk(tree) if isinstance(node, ConstantNode)]
    items = sum(len(value) for value in constants if isinstance(value, tuple))
    return 100 + 10 * len([*walk(tree)]) + 20 * items


def _atoms(trees: list[BooleanNode]) -> dict[Path, list[Atom]]:
    """Return the single conditions that read each path."""
    found: dict[Path, dict[Atom, None]] = {}
    for tree in trees:
        for node in walk(tree):
            if isinstance(node, Comparison | FunctionCall):
                for path in paths_of(node):
                    found.setdefault(path, {})[node] = None
    return {path: list(atoms) for path, atoms in found.items()}


def _values(atoms: list[Atom]) -> list[JSON]:
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


def _constants(atom: Atom) -> Iterator[Any]:
    for node in walk(atom):
        if isinstance(node, ConstantNode):
            yield from node.value if isinstance(node.value, tuple) else (node.value,)


def _near(constant: Any) -> Iterator[JSON]:
    yield constant
    if is_number(constant):
        yield from (constant + 1, constant - 1)
    elif isinstance(constant, str):
        yield from (_plain(constant), constant.lower(), constant.upper(), [constant])


def _plain(text: str) -> str:
    """Return a text that a pattern without brackets matches."""
    return re.sub(r"\\(.)", r"\1", text.replace("*", "").replace("?", "z"))


def _is_complete(atoms: list[Atom]) -> bool:
    """Return whether the candidates for a field cover all distinguishable values."""
    if len(atoms) == 1 and isinstance(atoms[0], FunctionCall):
        subject, sought = atoms[0].arguments[0], atoms[0].arguments[-1]
        return isinstance(subject, FieldNode) and "[" not in str(getattr(sought, "value", "["))
    return all(
        isinstance(atom, Comparison)
        and isinstance(atom.left, FieldNode)
        and isinstance(atom.right, ConstantNode)
        for atom in atoms
    )
