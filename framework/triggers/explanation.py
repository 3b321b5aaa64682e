"""Why a trigger matches an event or not: the values each condition read, and the blockers."""

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
    """One condition of a trigger on one event: its *text*, its *truth* and the fields it *saw*.

    *truth* is None if the condition is neither true nor false. *saw* pairs each field with its
    value (or MISSING); *parts* are the conditions that *join* combines.
    """

    text: str
    join: Join
    truth: bool | None
    saw: tuple[tuple[str, JSON], ...]
    parts: tuple[Explanation, ...]

    @property
    def matched(self) -> bool:
        """Return whether the condition is true; for the whole trigger, whether it matches."""
        return self.truth is True

    @property
    def blockers(self) -> tuple[Explanation, ...]:
        """Return a smallest set of single conditions that prevent a match; empty if it matches.

        With the opposite result for all of them, the trigger would match.
        """
        return _blockers(self, wanted=True)

    @property
    def reason(self) -> str:
        """One sentence: why the trigger does not match, or that it does."""
        if self.matched:
            return "The trigger matches."
        return f"The trigger does not match: {'; '.join(map(_sentence, self.blockers))}."

    def to_json(self) -> dict[str, Any]:
        """Return the explanation as a JSON object; a missing field has no `value`."""
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
    """Explain a tree on an event: every condition, including those after the decisive one."""
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


def _blockers(found: Explanation, *, wanted: bool) -> tuple[Explanation, ...]:
    """Return the fewest single conditions whose result must change for the wanted truth."""
    if found.truth is wanted:
        return ()
    if found.join == "condition":
        return (found,)
    if found.join == "not":
        return _blockers(found.parts[0], wanted=not wanted)
    options = [_blockers(part, wanted=wanted) for part in found.parts if part.truth is not wanted]
    if (found.join == "and") is wanted:
        return tuple(blocker for option in options for blocker in option)
    return min(options, key=len)


def _sentence(found: Explanation) -> str:
    saw = " and ".join(f"`{name}` is {_shown(value)}" for name, value in found.saw)
    verdict = {True: "is met but must not be", False: "is not met", None: "cannot be evaluated"}
    return f"`{found.text}` {verdict[found.truth]} ({saw})"


def _shown(value: JSON) -> str:
    """Return a value as short JSON."""
    if value is MISSING:
        return "missing"
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else text_of(value)
    text = text or "null"
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}…"
