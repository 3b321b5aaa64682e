"""WHEN: the trigger language (Segment's Filter Query Language)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework.lazy import lazy_exports
from framework.triggers.semantics import evaluate
from framework.triggers.tree import (
    And,
    BooleanNode,
    Comparison,
    ConstantNode,
    FieldNode,
    FunctionCall,
    Not,
    Or,
    SyntaxNode,
    walk,
    write,
)
from framework.triggers.trigger import Trigger, parse
from framework.triggers.vocabulary import FUNCTIONS, OPERATORS, Function, Operator, OperatorExample

if TYPE_CHECKING:
    from framework.linting.counterfactual import Change
    from framework.linting.satisfiability import HeldTrigger, SearchResult, find_event
    from framework.linting.segment_differences import Difference, difference, reference_matches
    from framework.triggers.explanation import Explanation

_ROOMS = {
    "changes": "Change",
    "dialect": "Difference difference reference_matches",
    "explain": "Explanation",
    "reach": "HeldTrigger SearchResult find_event",
}

__all__ = [
    "FUNCTIONS",
    "OPERATORS",
    "And",
    "FunctionCall",
    "Change",
    "Comparison",
    "BooleanNode",
    "ConstantNode",
    "Difference",
    "OperatorExample",
    "Explanation",
    "FieldNode",
    "Function",
    "HeldTrigger",
    "SyntaxNode",
    "Not",
    "Operator",
    "Or",
    "SearchResult",
    "Trigger",
    "difference",
    "evaluate",
    "find_event",
    "parse",
    "reference_matches",
    "walk",
    "write",
]

if not TYPE_CHECKING:  # a name that does not exist is an error to type checkers
    __getattr__ = lazy_exports(__name__, _ROOMS)
