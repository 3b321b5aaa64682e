"""The tree of a trigger: immutable nodes that are valid as soon as they exist, and their text.

A *condition* is a Comparison, a Call of a predicate, Not, And or Or; an *operand* is a Field, a
Constant or a Call of another function. `write` gives the canonical text, which parses to the same
tree. A node that the language cannot write is refused with TriggerError when it is made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from framework.errors import TriggerError, UnknownNameError
from framework.paths import Path
from framework.triggers.globs import glob
from framework.triggers.values import kind_of, plain_number, text_of, whole
from framework.triggers.vocabulary import FUNCTIONS, PREDICATES, Function

MAX_LIST: Final = 1_000
"""Items of the longest list."""

COMPARATORS: Final = ("=", "!=", ">", ">=", "<", "<=", "in")
"""The operators between two operands."""

TEXT_FIELDS: Final = frozenset({"type", "event", "name", "userId"})
"""Fields that hold texts and nothing inside (as the reference reads them)."""

OBJECT_FIELDS: Final = frozenset({"properties", "traits", "context"})
"""Fields that hold objects; alone they name their member of the same name (the reference too)."""

WORDS: Final = frozenset({"and", "or", "not", "in", "null", "true", "false"})
"""Words that a key can only be with a backslash, here or in the reference."""

_SHOWN: Final = 40

Scalar: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class FieldNode:
    """A field of the event."""

    path: Path

    def __post_init__(self) -> None:
        if field_path(".".join(self.path.parts)) != self.path:
            raise TriggerError(
                f"A trigger has no way to write the field `{short(str(self.path))}`."
            )


@dataclass(frozen=True, slots=True)
class ConstantNode:
    """A value that stands in the trigger: a text, number, boolean, null or a list of these."""

    value: Scalar | tuple[Scalar, ...]
    kind: str = field(init=False, repr=False)
    """Keeps `1` and `true` apart, which Python calls equal."""

    def __post_init__(self) -> None:
        value = self.value
        plain = tuple(map(_scalar, value)) if isinstance(value, tuple) else _scalar(value)
        object.__setattr__(self, "value", plain)
        kinds = map(kind_of, plain if isinstance(plain, tuple) else ())
        object.__setattr__(self, "kind", " ".join((kind_of(plain), *kinds)))
        if isinstance(plain, tuple) and len(plain) > MAX_LIST:
            raise TriggerError(f"A list has at most {MAX_LIST} items, not {len(plain)}.")


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function of operands; a condition if it is a predicate."""

    function: str
    arguments: tuple[Operand, ...]

    def __post_init__(self) -> None:
        known = function_called(self.function)
        if len(self.arguments) != len(known.parameters):
            raise TriggerError(f"`{self.function}` is written `{known.signature}`.")
        if any(map(_is_predicate, self.arguments)):
            raise TriggerError(f"A condition cannot be an argument of `{self.function}`.")
        if any(map(_is_list, self.arguments)):
            raise TriggerError(f"A list cannot be an argument of `{self.function}`.")
        if self.function in PREDICATES:
            object.__setattr__(self, "arguments", self._searched())

    def _searched(self) -> tuple[Operand, ...]:
        """Give the arguments of a predicate: what is looked for is a text."""
        subject, sought = self.arguments
        if isinstance(sought, ConstantNode):
            text = "null" if sought.value is None else str(text_of(sought.value))
            if self.function == "match":
                glob(text)
            sought = ConstantNode(text)
        elif self.function == "match" or not isinstance(sought, FunctionCall):
            raise TriggerError(f"What `{self.function}` looks for must be a text.")
        return _reading(subject, sought)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two operands and one of COMPARATORS; constants beside a text field are texts."""

    left: Operand
    operator: str
    right: Operand

    def __post_init__(self) -> None:
        if self.operator not in COMPARATORS:
            raise TriggerError(str(UnknownNameError.of("operator", self.operator, COMPARATORS)))
        _check_sides(self.left, self.operator, self.right)
        if isinstance(self.left, FieldNode) and isinstance(self.right, ConstantNode):
            value = _beside(self.left.path.parts[0], self.operator, self.right.value)
            object.__setattr__(self, "right", ConstantNode(value))
        _reading(self.left, self.right)


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition."""

    part: BooleanNode

    def __post_init__(self) -> None:
        check_condition(self.part)


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more conditions."""

    parts: tuple[BooleanNode, ...]

    def __post_init__(self) -> None:
        _several(self.parts)


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of two or more conditions."""

    parts: tuple[BooleanNode, ...]

    def __post_init__(self) -> None:
        _several(self.parts)


Operand: TypeAlias = FieldNode | ConstantNode | FunctionCall
BooleanNode: TypeAlias = Comparison | FunctionCall | Not | And | Or
SyntaxNode: TypeAlias = Operand | BooleanNode


def function_called(name: str) -> Function:
    """Look a function up; TriggerError with the known names where there is none."""
    if name not in FUNCTIONS:
        raise TriggerError(str(UnknownNameError.of("function", short(name), FUNCTIONS)))
    return FUNCTIONS[name]


def field_path(text: str) -> Path:
    """Give the path of a field from its unescaped text.

    As in the reference, escaped dots and brackets part keys like plain dots; text fields have no
    inside; an object field alone names its member of the same name.
    """
    root, *inner = [part for part in re.split(r"[.\[\]]", text) if part] or [""]
    if root in TEXT_FIELDS:
        return Path((root,))
    if root in OBJECT_FIELDS and not inner:
        return Path((root, root))
    return Path((root, *inner))


def walk(node: SyntaxNode) -> Iterator[SyntaxNode]:
    """Yield a node and everything below it, outermost first."""
    yield node
    for child in children(node):
        yield from walk(child)


def parts_of(node: SyntaxNode) -> tuple[BooleanNode, ...]:
    """Give the conditions that `and`, `or` or `not` joins; none for other nodes."""
    match node:
        case And(parts) | Or(parts):
            return parts
        case Not(part):
            return (part,)
    return ()


def children(node: SyntaxNode) -> tuple[SyntaxNode, ...]:
    """Give the nodes directly below a node."""
    match node:
        case Comparison(left, _, right):
            return (left, right)
        case FunctionCall(_, arguments):
            return arguments
    return parts_of(node)


def depth(node: SyntaxNode) -> int:
    """Count the levels of a tree, without recursion."""
    levels, below = 0, [node]
    while below:
        levels, below = levels + 1, [child for each in below for child in children(each)]
    return levels


def write(node: SyntaxNode) -> str:  # noqa: PLR0911 - one for each kind of node
    """Write a node as canonical text; parsing it gives the same node."""
    match node:
        case FieldNode(path):
            return ".".join(map(_key, path.parts))
        case ConstantNode(value):
            return _constant(value)
        case FunctionCall(function, arguments):
            return f"{function}({', '.join(map(write, arguments))})"
        case Comparison(left, operator, right):
            return f"{write(left)} {operator} {write(right)}"
        case Not(part):
            return (
                f"!{write(part)}" if isinstance(part, (FunctionCall, Not)) else f"!({write(part)})"
            )
        case And(parts):
            return " and ".join(map(_part, parts))
        case Or(parts):
            return " or ".join(map(_part, parts))


def _part(node: BooleanNode) -> str:
    return f"({write(node)})" if isinstance(node, (And, Or)) else write(node)


def _key(part: str) -> str:
    escaped = re.sub(r"[^A-Za-z0-9_-]", r"\\\g<0>", part)
    special = part[0] in "-0123456789" or part.lower() in WORDS
    return f"\\{escaped}" if special else escaped


def _constant(value: Scalar | tuple[Scalar, ...]) -> str:
    match value:
        case tuple():
            return f"[{', '.join(map(_constant, value))}]"
        case str():
            return f"'{value}'" if '"' in value else f'"{value}"'
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
        case _:
            return plain_number(value)


def _scalar(value: Scalar) -> Scalar:
    """Give a constant that can be written, numbers in their plainest form."""
    if isinstance(value, str) and '"' in value and "'" in value:
        raise TriggerError("A text with both kinds of quotes has no way to be written.")
    if isinstance(value, float):
        if value - value != 0:
            raise TriggerError("A number must be finite.")
        return whole(value)
    return value


def short(text: str) -> str:
    """Cut a text that gets into a message."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _is_list(operand: Operand) -> bool:
    return isinstance(operand, ConstantNode) and isinstance(operand.value, tuple)


def _is_predicate(operand: Operand) -> bool:
    return isinstance(operand, FunctionCall) and operand.function in PREDICATES


def check_condition(node: SyntaxNode) -> None:
    """Raise TriggerError where a node is an operand only."""
    if isinstance(node, (FieldNode, ConstantNode, FunctionCall)) and not _is_predicate(node):
        raise TriggerError(f"`{short(write(node))}` is not a condition.")


def _several(parts: tuple[BooleanNode, ...]) -> None:
    if len(parts) < 2:
        raise TriggerError("A group joins two or more conditions.")
    for part in parts:
        check_condition(part)


def _check_sides(left: Operand, operator: str, right: Operand) -> None:
    """Raise TriggerError where the sides do not fit the operator."""
    for operand in filter(_is_predicate, (left, right)):
        raise TriggerError(f"`{short(write(operand))}` is a condition; it cannot be compared.")
    if _is_list(left):
        raise TriggerError("A list stands on the right.")
    if operator == "in":
        if not (isinstance(right, FieldNode) or _is_list(right)):
            raise TriggerError("Expected a list in brackets or a field after `in`.")
    elif isinstance(left, ConstantNode):
        raise TriggerError("The field comes first: write `field = value`.")
    elif isinstance(right, FieldNode):
        raise TriggerError("A field on the right must be read by a function: `string(field)`.")
    elif _is_list(right) and operator not in {"=", "!="}:
        raise TriggerError("A list is compared with `=`, `!=` or `in`.")


def _beside(root: str, operator: str, value: Scalar | tuple[Scalar, ...]) -> Any:
    """Give the constant beside a field; beside a text field it is text.

    That is how the reference reads it, which leaves booleans beside `userId` alone.
    """
    if isinstance(value, tuple):
        return tuple(_beside(root, operator, item) for item in value)
    boolean = isinstance(value, bool) and root == "userId" and operator in {"=", "!=", "in"}
    return value if boolean or root not in TEXT_FIELDS else text_of(value)


def _reading(*operands: Operand) -> tuple[Operand, ...]:
    """Give the operands back if at least one of them reads the event."""
    if any(isinstance(node, FieldNode) for operand in operands for node in walk(operand)):
        return operands
    raise TriggerError("A condition must read a field of the event; here both sides are fixed.")
