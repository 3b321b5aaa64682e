"""The smallest change to an event that makes a trigger match.

The tree determines which conditions need a different result. A search finds values for their
fields: candidates come from the trigger itself, and every suggestion is verified on the whole
trigger.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from framework.paths import JSON, MISSING, Event, Path
from framework.triggers import Trigger
from framework.triggers.language import (
    And,
    BooleanNode,
    ConstantNode,
    FieldNode,
    Not,
    SyntaxNode,
    is_list,
    is_null,
    is_number,
    parts_of,
    same,
    sample,
    text_of,
    truth,
    value,
    walk,
)

_MOST_WAYS: Final = 24
_MOST_EDITS: Final = 12
_MOST_TRIES: Final = 300
_MOST_PAIRS: Final = 400
_LONGEST: Final = 200
_TYPES: Final = ("track", "identify", "page", "screen", "group", "alias")
_COMMON: Final[tuple[JSON, ...]] = (
    "value",
    MISSING,
    1,
    0,
    True,
    False,
    None,
    "",
    ["value"],
    [],
    {},
)

_Goal: TypeAlias = tuple[BooleanNode, bool]
_Way: TypeAlias = tuple[_Goal, ...]
_Edits: TypeAlias = tuple[tuple[Path, JSON], ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A new *value* for one path of an event; MISSING removes it."""

    path: Path
    value: JSON

    def apply(self, event: Event) -> Event:
        """Return a copy of the event with the change."""
        changed: Event = _put(event, self.path.parts, self.value)
        return changed

    def __str__(self) -> str:
        if self.value is MISSING:
            return f"Remove `{self.path}`."
        return f"Set `{self.path}` to {json.dumps(self.value, ensure_ascii=False)}."

    def to_json(self) -> dict[str, Any]:
        """Return the change as a JSON object; only kind `set` has a `value`."""
        removes = self.value is MISSING
        value = {} if removes else {"value": self.value}
        kind = "remove" if removes else "set"
        return {"path": str(self.path), "kind": kind, **value, "text": str(self)}


def nearest_change(trigger: Trigger, event: Event) -> tuple[Change, ...] | None:
    """Return the fewest changes after which *trigger* matches *event*; empty if it matches already.

    None if the bounded search finds no change, for example with contradictory conditions.
    """
    tree = trigger.tree
    if truth(tree, event) is True:
        return ()
    pool = tuple(_constants(tree))
    best: dict[Path, JSON] | None = None
    for way in _ways(tree, event, wanted=True):
        if best is not None and len(best) == 1:
            break
        found = _found(tree, event, [list(_edits(goal, event, pool)) for goal in way])
        if found is not None and (best is None or len(found) < len(best)):
            best = found
    return None if best is None else tuple(Change(path, to) for path, to in best.items())


def _found(tree: BooleanNode, event: Event, choices: list[list[_Edits]]) -> dict[Path, JSON] | None:
    """Return the first combination of edits, one per goal, with which the tree matches."""
    for edits in itertools.islice(itertools.product(*choices), _MOST_TRIES):
        combined = dict(itertools.chain(*edits))
        if truth(tree, _changed(event, combined.items())) is True:
            return combined
    return None


def _ways(tree: BooleanNode, event: Event, *, wanted: bool) -> list[_Way]:
    """Return sets of single conditions whose change leads to the wanted truth, smallest first."""
    if truth(tree, event) is wanted:
        return [()]
    if isinstance(tree, Not):
        return _ways(tree.part, event, wanted=not wanted)
    parts = parts_of(tree)
    if not parts:
        return [((tree, wanted),)]
    each = [_ways(part, event, wanted=wanted) for part in parts]
    if isinstance(tree, And) is wanted:
        products = itertools.islice(itertools.product(*each), _MOST_WAYS * 4)
        ways = [tuple(itertools.chain(*product)) for product in products]
    else:
        ways = list(itertools.chain(*each))
    return sorted(ways, key=len)[:_MOST_WAYS]


def _edits(goal: _Goal, event: Event, pool: tuple[JSON, ...]) -> Iterator[_Edits]:
    """Yield edits of the fields of one condition that lead to the wanted truth."""
    condition, wanted = goal
    fields = list(dict.fromkeys(node for node in walk(condition) if isinstance(node, FieldNode)))
    values = {each.path: list(_values(condition, each, event, pool)) for each in fields}
    single = (((each.path, to),) for each in fields for to in values[each.path])
    pairs = itertools.islice(_pairs(values), _MOST_PAIRS) if len(fields) > 1 else ()
    fitting = (
        edits
        for edits in itertools.chain(single, pairs)
        if truth(condition, _changed(event, edits)) is wanted
    )
    return itertools.islice(fitting, _MOST_EDITS)


def _pairs(values: dict[Path, list[JSON]]) -> Iterator[_Edits]:
    for first, second in itertools.combinations(values, 2):
        for one, other in itertools.product(values[first], values[second]):
            yield ((first, one), (second, other))


def _values(
    condition: BooleanNode, of: FieldNode, event: Event, pool: tuple[JSON, ...]
) -> Iterator[JSON]:
    """Yield distinct candidate values for a field, the most likely first."""
    own = tuple(_constants(condition))
    others = [
        value(node, event) for node in walk(condition) if isinstance(node, FieldNode) and node != of
    ]
    seen: list[JSON] = []
    for candidate in itertools.chain(
        own,
        _TYPES if of.path.parts == ("type",) else (),
        itertools.chain.from_iterable(map(_near, own)),
        itertools.chain.from_iterable(map(_agreeing, others)),
        _COMMON,
        pool,
        itertools.chain.from_iterable(map(_near, pool)),
    ):
        if not any(_identical(candidate, one) for one in seen):
            seen.append(candidate)
            yield candidate


def _constants(node: SyntaxNode) -> Iterator[JSON]:
    """Yield the constants of a node as JSON; MISSING for null."""
    for each in walk(node):
        if isinstance(each, ConstantNode):
            found = each.value
            missing = found is None
            yield MISSING if missing else list(found) if isinstance(found, tuple) else found


def _near(constant: JSON) -> Iterator[JSON]:
    """Yield values related to a constant."""
    if isinstance(constant, list):
        yield from constant
    elif isinstance(constant, bool):
        yield not constant
    elif is_number(constant):
        yield from (constant + 1, constant - 1, text_of(constant))
        if isinstance(constant, int) and 0 <= constant <= _LONGEST:
            yield from ("x" * constant, "x" * (constant + 1), "x" * max(constant - 1, 0))
    elif isinstance(constant, str):
        yield from (sample(constant), constant.lower(), constant.upper(), [constant])
        yield from (f"{constant}x", f"x{constant}")


def _agreeing(other: JSON) -> Iterator[JSON]:
    """Yield values that agree with the value of another field of the condition."""
    if is_null(other):
        return
    yield from (other, text_of(other), [other])
    if is_list(other):
        yield from other


def _identical(left: JSON, right: JSON) -> bool:
    return (
        (left is MISSING) == (right is MISSING)
        and type(left) is type(right)
        and (left == right if isinstance(left, dict) else same(left, right))
    )


def _changed(event: Event, edits: Iterable[tuple[Path, JSON]]) -> Event:
    for path, to in edits:
        event = _put(event, path.parts, to)
    return event


def _put(inside: JSON, parts: tuple[str, ...], to: JSON) -> Any:
    """Return a copy of *inside* with a value set at a path; creates missing parents."""
    if not parts:
        return to
    key, rest = parts[0], parts[1:]
    if isinstance(inside, list) and key.isdecimal() and int(key) <= len(inside):
        place = int(key)
        old = inside[place] if place < len(inside) else MISSING
        new = _put(old, rest, to)
        return [*inside[:place], None if new is MISSING else new, *inside[place + 1 :]]
    held = dict(inside) if isinstance(inside, dict) else {}
    if to is MISSING and key not in held:
        return inside
    new = _put(held.get(key, MISSING), rest, to)
    if new is MISSING:
        del held[key]
    else:
        held[key] = new
    return held
