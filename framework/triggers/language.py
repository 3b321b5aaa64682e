"""The syntax tree of triggers and its semantics, for tools that analyze triggers."""

from __future__ import annotations

from framework.triggers.globs import escape, sample
from framework.triggers.semantics import evaluate, paths_of, truth, value
from framework.triggers.syntax import read
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
    field_path,
    parts_of,
    walk,
    write,
)
from framework.triggers.values import is_list, is_null, is_number, number_of, same, text_of, whole
from framework.triggers.vocabulary import PREDICATES

__all__ = [
    "PREDICATES",
    "And",
    "BooleanNode",
    "Comparison",
    "ConstantNode",
    "FieldNode",
    "FunctionCall",
    "Not",
    "Or",
    "SyntaxNode",
    "escape",
    "evaluate",
    "field_path",
    "is_list",
    "is_null",
    "is_number",
    "number_of",
    "parts_of",
    "paths_of",
    "read",
    "same",
    "sample",
    "text_of",
    "truth",
    "value",
    "walk",
    "whole",
    "write",
]
