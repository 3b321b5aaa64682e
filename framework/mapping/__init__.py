"""The mapping language: what goes into each field of a payload.

A mapping is JSON. An object with one key that begins with `@` is a directive, whose value is
computed from the event; any other value is a constant. `compile_mapping` compiles a mapping into
a function.
"""

from __future__ import annotations

from framework.mapping.compiler import (
    ROOT_DIRECTIVE,
    Mapping,
    check_mapping_shape,
    compile_mapping,
    mapping_faults,
)
from framework.mapping.directives import (
    DIRECTIVES,
    ArgumentCheck,
    Directive,
    DirectiveBuilder,
    DirectiveExample,
    register_directive,
    value_directive,
)
from framework.mapping.expressions import EvaluationScope, Expression

__all__ = [
    "DIRECTIVES",
    "ROOT_DIRECTIVE",
    "ArgumentCheck",
    "Directive",
    "DirectiveBuilder",
    "DirectiveExample",
    "EvaluationScope",
    "Expression",
    "Mapping",
    "check_mapping_shape",
    "compile_mapping",
    "mapping_faults",
    "register_directive",
    "value_directive",
]
