"""WHEN: the trigger language (Segment's Filter Query Language)."""

from framework.triggers.dialect import Difference, difference, reference_matches
from framework.triggers.explain import Explanation
from framework.triggers.semantics import evaluate
from framework.triggers.trigger import Trigger, parse
from framework.triggers.vocabulary import FUNCTIONS, OPERATORS, Example, Function, Operator

__all__ = [
    "FUNCTIONS",
    "OPERATORS",
    "Difference",
    "Example",
    "Explanation",
    "Function",
    "Operator",
    "Trigger",
    "difference",
    "evaluate",
    "parse",
    "reference_matches",
]
