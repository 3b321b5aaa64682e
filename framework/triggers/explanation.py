"""Why a trigger matched or not: what each condition saw, and which ones stood in the way."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from framework.paths import JSON, MISSING, Event
from framework.triggers.semantics import truth
from framework.triggers.tree import And, BooleanNode, FieldNode, Not, Or, parts_of, walk, write
from framework.triggers.values import text_of

Join: TypeAlias = Literal["and", "or", "not", "condition"]

_JOINS: Final[dict[type, Join]] = {And: "and", Or: "or", Not: "not"}
_WIDTH: Final = 60


@dataclass(frozen=True, slots=True)
class Explanation:
    """One condition of a trigger on one event: its *text*, its *truth*, and what it *saw*.

    *truth* is None where the condition is neither true nor false. *saw* pairs each field with its
    value (or MISSING); *parts* are the conditions that *join* joins.
    """

    text: str
    join: Join
    truth: bool | None
    saw: tuple[tuple[str, JSON], ...]
    parts: tuple[Explanation, ...]

    @property
    def matched(self) -> bool:
        """Tell whether the condition holds; for the whole trigger, whether it matches."""
        return self.truth is True

    @property
    def blockers(self) -> tuple[Explanation, ...]:
        """Give a smallest set of single conditions that stand in the way of a match.

        Had all of them come out the other way, the trigger would match; had one of them stayed, it
        would not. Empty where it matches.
        """
        return _in_the_way(self, wanted=True)

    @property
    def reason(self) -> str:
        """Say in one sentence why the trigger does not match, or that it does."""
        if self.matched:
            return "The trigger matches."
        return f"The trigger does not match: {'; '.join(map(_sentence, self.blockers))}."

    def to_json(self) -> dict[str, Any]:
        """Give the explanation as a JSON object; a field that is not there has no `value`."""
        saw = [
            {"field": name} if value is MISSING else {"field": name, "value": value}
            for name, value in self.saw
        ]
        parts = [part.to_json() for part in self.parts]
        return {
            "condition": self.text,
            "join": self.join,
            "truth": self.truth,
            **({"parts": parts} if parts else {"saw": saw}),
        }


def explain(tree: BooleanNode, event: Event) -> Explanation:
    """Explain a tree on an event: every condition, also where an earlier one decides."""
    join = _JOINS.get(type(tree), "condition")
    nodes = walk(tree) if join == "condition" else ()
    fields = {write(node): node.path for node in nodes if isinstance(node, FieldNode)}
    return Explanation(
        write(tree),
        join,
        truth(tree, event),
        tuple((name, path.get(event)) for name, path in fields.items()),
        tuple(explain(part, event) for part in parts_of(tree)),
    )


def _in_the_way(found: Explanation, *, wanted: bool) -> tuple[Explanation, ...]:
    """Give the fewest single conditions that would have to change for the wanted truth."""
    if found.truth is wanted:
        return ()
    if found.join == "condition":
        return (found,)
    if found.join == "not":
        return _in_the_way(found.parts[0], wanted=not wanted)
    ways = [_in_the_way(part, wanted=wanted) for part in found.parts if part.truth is not wanted]
    if (found.join == "and") is wanted:
        return tuple(each for way in ways for each in way)
    return min(ways, key=len)


def _sentence(found: Explanation) -> str:
    saw = " and ".join(f"`{name}` is {_shown(value)}" for name, value in found.saw)
    verdict = {True: "is met and must not be", False: "is not met", None: "cannot be judged"}
    return f"`{found.text}` {verdict[found.truth]} ({saw})"


def _shown(value: JSON) -> str:
    """Give a value as short JSON."""
    if value is MISSING:
        return "missing"
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else text_of(value)
    text = text or "null"
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}…"
