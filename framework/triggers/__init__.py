"""WHEN: the trigger language (Segment's Filter Query Language)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework.doors import door
from framework.triggers.semantics import evaluate
from framework.triggers.tree import (
    And,
    Call,
    Comparison,
    Condition,
    Constant,
    Field,
    Node,
    Not,
    Or,
    walk,
    write,
)
from framework.triggers.trigger import Trigger, parse
from framework.triggers.vocabulary import FUNCTIONS, OPERATORS, Example, Function, Operator

if TYPE_CHECKING:
    from framework.triggers.changes import Change
    from framework.triggers.dialect import Difference, difference, reference_matches
    from framework.triggers.explain import Explanation
    from framework.triggers.reach import Held, Reach, find_event

_ROOMS = {
    "changes": "Change",
    "dialect": "Difference difference reference_matches",
    "explain": "Explanation",
    "reach": "Held Reach find_event",
}

__all__ = [
    "FUNCTIONS",
    "OPERATORS",
    "And",
    "Call",
    "Change",
    "Comparison",
    "Condition",
    "Constant",
    "Difference",
    "Example",
    "Explanation",
    "Field",
    "Function",
    "Held",
    "Node",
    "Not",
    "Operator",
    "Or",
    "Reach",
    "Trigger",
    "difference",
    "evaluate",
    "find_event",
    "parse",
    "reference_matches",
    "walk",
    "write",
]

__getattr__ = door(__name__, _ROOMS)
