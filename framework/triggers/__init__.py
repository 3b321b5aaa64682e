"""The trigger language (Segment's Filter Query Language): which events run an action."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework.lazy import lazy_exports
from framework.triggers.semantics import (
    evaluate,
)
from framework.triggers.trigger import (
    Trigger,
    parse,
)
from framework.triggers.vocabulary import (
    FUNCTIONS,
    OPERATORS,
    Function,
    Operator,
    OperatorExample,
)

if TYPE_CHECKING:
    from framework.triggers.explanation import (
        Explanation,
    )

_EXPORTS = {
    "explanation": "Explanation",
}

__all__ = [
    "FUNCTIONS",
    "OPERATORS",
    "Explanation",
    "Function",
    "Operator",
    "OperatorExample",
    "Trigger",
    "evaluate",
    "parse",
]

if not TYPE_CHECKING:
    __getattr__ = lazy_exports(__name__, _EXPORTS)
