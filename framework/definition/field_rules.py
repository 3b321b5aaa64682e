"""Rules across the fields of a payload or of settings: which of them have to have a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from framework.definition.fields import Field, FieldTable
from framework.definition.problems import Problem
from framework.errors import UnknownNameError
from framework.paths import JSON


class FieldRule:
    """A rule about two top-level fields or more; a field that is null has no value."""

    def __init__(self, *keys: str) -> None:
        self.keys = keys

    def holds(self, present: Sequence[bool]) -> bool:
        """Return whether the rule is met; *present* is aligned with the keys."""
        raise NotImplementedError

    def expression(self, present: Sequence[str]) -> str:
        """Return the Python expression that is true if the rule is met."""
        raise NotImplementedError

    @property
    def text(self) -> str:
        """The sentence that says what is required."""
        raise NotImplementedError

    def schema(self) -> dict[str, Any]:
        """Return the rule as JSON Schema."""
        raise NotImplementedError

    def to_json(self) -> dict[str, list[str]]:
        """Return the rule as it is in manifests, such as `{"oneOf": ["email", "phone"]}`."""
        name = type(self).__name__
        return {name[0].lower() + name[1:]: list(self.keys)}

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.keys == getattr(other, "keys", None)

    def __hash__(self) -> int:
        return hash((type(self), self.keys))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.keys))})"

    @property
    def _names(self) -> str:
        return ", ".join(f"`{key}`" for key in self.keys)


class OneOf(FieldRule):
    """At least one of the fields has a value."""

    def holds(self, present: Sequence[bool]) -> bool:
        """Return whether any is present."""
        return any(present)

    def expression(self, present: Sequence[str]) -> str:
        """Return whether any is present, as Python."""
        return " or ".join(present)

    @property
    def text(self) -> str:
        """The sentence that says what is required."""
        return f"One of {self._names} is required."

    def schema(self) -> dict[str, Any]:
        """Return the rule as JSON Schema."""
        return {"anyOf": [_has(key) for key in self.keys]}


class AllOrNone(FieldRule):
    """Either all of the fields have a value, or none of them has."""

    def holds(self, present: Sequence[bool]) -> bool:
        """Return whether all are alike."""
        return len(set(present)) == 1

    def expression(self, present: Sequence[str]) -> str:
        """Return whether all are alike, as Python."""
        return " == ".join(f"({one})" for one in present)

    @property
    def text(self) -> str:
        """The sentence that says what is required."""
        return f"All of {self._names} are required, or none of them."

    def schema(self) -> dict[str, Any]:
        """Return the rule as JSON Schema."""
        has = [_has(key) for key in self.keys]
        return {"anyOf": [{"allOf": has}, {"not": {"anyOf": has}}]}


class AtMostOne(FieldRule):
    """No two of the fields have a value."""

    def holds(self, present: Sequence[bool]) -> bool:
        """Return whether one is present at most."""
        return sum(present) <= 1

    def expression(self, present: Sequence[str]) -> str:
        """Return whether one is present at most, as Python."""
        return " + ".join(f"({one})" for one in present) + " <= 1"

    @property
    def text(self) -> str:
        """The sentence that says what is required."""
        return f"At most one of {self._names} may have a value."

    def schema(self) -> dict[str, Any]:
        """Return the rule as JSON Schema."""
        pairs = combinations(self.keys, 2)
        return {"not": {"anyOf": [{"allOf": [_has(a), _has(b)]} for a, b in pairs]}}


RULES = {"oneOf": OneOf, "allOrNone": AllOrNone, "atMostOne": AtMostOne}
"""The kinds of rules by their name in manifests."""


def broken_rules(rules: Sequence[FieldRule], shaped: Mapping[str, JSON]) -> Iterator[Problem]:
    """Yield a problem for each rule that shaped values do not meet."""
    for rule in rules:
        if not rule.holds([shaped.get(key) is not None for key in rule.keys]):
            yield Problem((), "rule", Field(), rule.text)


def rule_problems(rules: Sequence[FieldRule], fields: FieldTable, name: str) -> Iterator[str]:
    """Yield the problems of rules called *name* of a table."""
    for rule in rules:
        if not isinstance(rule, FieldRule):
            yield f"`{name}` must hold rules such as OneOf, got {type(rule).__name__}."
            continue
        for key in rule.keys:
            if key not in fields:
                kind = f"field for {rule!r} of `{name}`"
                yield str(UnknownNameError.of(kind, key, fields, "fields"))
        if len(set(rule.keys)) < len(rule.keys) or len(rule.keys) < 2:
            yield f"{rule!r} of `{name}` needs two different fields or more."


def _has(key: str) -> dict[str, Any]:
    return {"required": [key], "properties": {key: {"not": {"type": "null"}}}}
