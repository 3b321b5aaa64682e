"""The syntax tree of a trigger: immutable nodes, valid by construction, and their text.

A *condition* is a Comparison, a FunctionCall of a predicate, Not, And or Or; an *operand* is a
FieldNode, a ConstantNode or a FunctionCall of another function. `write` returns the canonical
text, which parses to the same tree. The constructor of a node raises TriggerError if the language
cannot express it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from framework.errors import TriggerError, UnknownNameError
from framework.paths import Path
from framework.triggers.globs import glob
from framework.triggers.values import kind_of, plain_number, text_of, whole
from framework.triggers.vocabulary import FUNCTIONS, PREDICATES, Function

MAX_LIST: Final = 1_000
"""Maximum number of items of a list."""

COMPARATORS: Final = ("=", "!=", ">", ">=", "<", "<=", "in")
"""The operators between two operands."""

TEXT_FIELDS: Final = frozenset({"type", "event", "name", "userId"})
"""Fields that hold strings without members (as Segment's implementation reads them)."""

OBJECT_FIELDS: Final = frozenset({"properties", "traits", "context"})
"""Fields that hold objects; alone they name their member of the same name, as in Segment's."""

WORDS: Final = frozenset({"and", "or", "not", "in", "null", "true", "false"})
"""Words that need a backslash to be keys, here or in Segment's implementation."""

_SHOWN: Final = 40

Scalar: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class FieldNode:
    """A field of the event."""

    path: Path

    def __post_init__(self) -> None:
        if path_of_keys(self.path.parts) != self.path:
            raise TriggerError(f"A trigger cannot express the field `{short(str(self.path))}`.")


@dataclass(frozen=True, slots=True)
class ConstantNode:
    """A constant of the trigger: a string, number, boolean, null or a list of these."""

    value: Scalar | tuple[Scalar, ...]
    kind: str = field(init=False, repr=False)
    """Distinguishes `1` and `true`, which are equal in Python."""

    def __post_init__(self) -> None:
        value = self.value
        plain = tuple(map(_scalar, value)) if isinstance(value, tuple) else _scalar(value)
        object.__setattr__(self, "value", plain)
        kinds = map(kind_of, plain if isinstance(plain, tuple) else ())
        object.__setattr__(self, "kind", " ".join((kind_of(plain), *kinds)))
        if isinstance(plain, tuple) and len(plain) > MAX_LIST:
            raise TriggerError(f"A list can have at most {MAX_LIST} items, got {len(plain)}.")


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function applied to operands; a condition if the function is a predicate."""

    function: str
    arguments: tuple[Operand, ...]

    def __post_init__(self) -> None:
        known = function_called(self.function)
        if len(self.arguments) != len(known.parameters):
            message = (
                f"`{self.function}` has a wrong number of arguments; write `{known.signature}`."
            )
            raise TriggerError(message)
        if any(map(_is_predicate, self.arguments)):
            raise TriggerError(f"A condition cannot be an argument of `{self.function}`.")
        if any(map(_is_list, self.arguments)):
            raise TriggerError(f"A list cannot be an argument of `{self.function}`.")
        if self.function in PREDICATES:
            object.__setattr__(self, "arguments", self._searched())

    def _searched(self) -> tuple[Operand, ...]:
        """Return the arguments of a predicate; the second one becomes a string."""
        subject, sought = self.arguments
        if isinstance(sought, ConstantNode):
            text = "null" if sought.value is None else str(text_of(sought.value))
            if self.function == "match":
                glob(text)
            sought = ConstantNode(text)
        elif self.function == "match" or not isinstance(sought, FunctionCall):
            raise TriggerError(f"The second argument of `{self.function}` must be a string.")
        return _require_field(subject, sought)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two operands and one of COMPARATORS; constants compared with a text field are strings."""

    left: Operand
    operator: str
    right: Operand

    def __post_init__(self) -> None:
        if self.operator not in COMPARATORS:
            raise TriggerError(str(UnknownNameError.of("operator", self.operator, COMPARATORS)))
        _check_sides(self.left, self.operator, self.right)
        if isinstance(self.left, FieldNode) and isinstance(self.right, ConstantNode):
            value = _compared_with(self.left.path.parts[0], self.operator, self.right.value)
            object.__setattr__(self, "right", ConstantNode(value))
        _require_field(self.left, self.right)


@dataclass(frozen=True, slots=True)
class Not:
    """The negation of a condition."""

    part: BooleanNode

    def __post_init__(self) -> None:
        check_condition(self.part)


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more conditions."""

    parts: tuple[BooleanNode, ...]

    def __post_init__(self) -> None:
        _check_parts(self.parts)


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of two or more conditions."""

    parts: tuple[BooleanNode, ...]

    def __post_init__(self) -> None:
        _check_parts(self.parts)


Operand: TypeAlias = FieldNode | ConstantNode | FunctionCall
BooleanNode: TypeAlias = Comparison | FunctionCall | Not | And | Or
SyntaxNode: TypeAlias = Operand | BooleanNode


def function_called(name: str) -> Function:
    """Return a function by name; raises TriggerError with the known names if there is none."""
    if name not in FUNCTIONS:
        raise TriggerError(str(UnknownNameError.of("function", short(name), FUNCTIONS)))
    return FUNCTIONS[name]


def field_path(text: str) -> Path:
    """Return the path of a field, given its text: keys, separated by dots or brackets."""
    return path_of_keys(text.split("."))


def path_of_keys(keys: Iterable[str]) -> Path:
    """Return the path of a field, given its unescaped keys.

    As in Segment's implementation, brackets separate keys, text fields have no members, and an
    object field alone names its member of the same name. A dot belongs to its key, except in the
    first one; if an event lacks the key, dots separate keys, as in Segment's implementation.
    """
    first, *others = (*keys,) or ("",)
    split = [part for key in (*first.split("."), *others) for part in re.split(r"[\[\]]", key)]
    root, *inner = [part for part in split if part] or [""]
    if root in TEXT_FIELDS:
        return Path((root,))
    if root in OBJECT_FIELDS and not inner:
        return Path((root, root))
    return Path((root, *inner))


def walk(node: SyntaxNode) -> Iterator[SyntaxNode]:
    """Yield a node and all its descendants, outermost first."""
    yield node
    for child in children(node):
        yield from walk(child)


def parts_of(node: SyntaxNode) -> tuple[BooleanNode, ...]:
    """Return the conditions that `and`, `or` or `not` combines; none for other nodes."""
    match node:
        case And(parts) | Or(parts):
            return parts
        case Not(part):
            return (part,)
    return ()


def children(node: SyntaxNode) -> tuple[SyntaxNode, ...]:
    """Return the child nodes of a node."""
    match node:
        case Comparison(left, _, right):
            return (left, right)
        case FunctionCall(_, arguments):
            return arguments
    return parts_of(node)


def depth(node: SyntaxNode) -> int:
    """Return the number of levels of a tree, without recursion."""
    levels, below = 0, [node]
    while below:
        levels, below = levels + 1, [child for each in below for child in children(each)]
    return levels


def write(node: SyntaxNode) -> str:  # noqa: PLR0911 - one for each kind of node
    """Return the canonical text of a node, which parses to the same node."""
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
    """Return a constant in its canonical form; raises TriggerError if it cannot be written."""
    if isinstance(value, str) and '"' in value and "'" in value:
        raise TriggerError("A string cannot contain both kinds of quotes.")
    if isinstance(value, float):
        if value - value != 0:
            raise TriggerError("A number must be finite.")
        return whole(value)
    return value


def short(text: str) -> str:
    """Shorten a text for a message."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _is_list(operand: Operand) -> bool:
    return isinstance(operand, ConstantNode) and isinstance(operand.value, tuple)


def _is_predicate(operand: Operand) -> bool:
    return isinstance(operand, FunctionCall) and operand.function in PREDICATES


def check_condition(node: SyntaxNode) -> None:
    """Raise TriggerError if a node is not a condition."""
    if isinstance(node, (FieldNode, ConstantNode, FunctionCall)) and not _is_predicate(node):
        raise TriggerError(f"`{short(write(node))}` is not a condition.")


def _check_parts(parts: tuple[BooleanNode, ...]) -> None:
    if len(parts) < 2:
        raise TriggerError("A group needs at least two conditions.")
    for part in parts:
        check_condition(part)


def _check_sides(left: Operand, operator: str, right: Operand) -> None:
    """Raise TriggerError if the operator does not accept the sides."""
    for operand in filter(_is_predicate, (left, right)):
        raise TriggerError(f"`{short(write(operand))}` is a condition; it cannot be compared.")
    if _is_list(left):
        raise TriggerError("Write the list on the right of the operator.")
    if operator == "in":
        if not (isinstance(right, FieldNode) or _is_list(right)):
            raise TriggerError("Expected a list in brackets or a field after `in`.")
    elif isinstance(left, ConstantNode):
        raise TriggerError("Write the field first: `field = value`.")
    elif isinstance(right, FieldNode):
        raise TriggerError("A field on the right needs a function around it: `string(field)`.")
    elif _is_list(right) and operator not in {"=", "!="}:
        raise TriggerError("A list can be compared only with `=`, `!=` or `in`.")


def _compared_with(root: str, operator: str, value: Scalar | tuple[Scalar, ...]) -> Any:
    """Return a constant as compared with a field: a string for a text field.

    As in Segment's implementation, booleans compared with `userId` stay booleans.
    """
    if isinstance(value, tuple):
        return tuple(_compared_with(root, operator, item) for item in value)
    boolean = isinstance(value, bool) and root == "userId" and operator in {"=", "!=", "in"}
    return value if boolean or root not in TEXT_FIELDS else text_of(value)


def _require_field(*operands: Operand) -> tuple[Operand, ...]:
    """Return the operands; raises TriggerError if none of them reads the event."""
    if any(isinstance(node, FieldNode) for operand in operands for node in walk(operand)):
        return operands
    raise TriggerError("A condition must read a field of the event; both sides are constants.")
