"""Evaluation of triggers on events, interpreted or compiled.

A condition is true, false or neither. It is neither if the test does not apply to the value, such
as an order comparison with a value that is not a number. `and`, `or` and `not` propagate it (the
negation of neither is neither), and only *true* is a match. So `!contains(a, "x")` matches strings
without x but no missing values, as in Segment's implementation.

Compiled code needs no third value: it tests either that a condition is true or that it is false,
and negation exchanges the two tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from framework.codegen import EventReader, JSONReader, SourceCode
from framework.paths import Event, Path
from framework.triggers.globs import glob
from framework.triggers.operations import member
from framework.triggers.tree import (
    And,
    BooleanNode,
    Comparison,
    ConstantNode,
    FieldNode,
    FunctionCall,
    Not,
    Operand,
    Or,
    walk,
)
from framework.triggers.values import number_of, same
from framework.triggers.vocabulary import FUNCTIONS, OPERATORS

_SHORT: Final = 8
"""Up to this many strings, comparing one by one is faster than a set lookup."""


def evaluate(tree: BooleanNode, event: Event) -> bool:
    """Return whether a tree matches an event, by interpretation: the oracle of compiled code."""
    return truth(tree, event) is True


def truth(tree: BooleanNode, event: Event) -> bool | None:
    """Return whether a condition is true, false or neither (None)."""
    match tree:
        case And(parts):
            return conjunction(truth(part, event) for part in parts)
        case Or(parts):
            return negation(conjunction(negation(truth(part, event)) for part in parts))
        case Not(part):
            return negation(truth(part, event))
        case Comparison(left, operator, right):
            return _comparing(operator)(value(left, event), value(right, event))
        case FunctionCall():
            verdict: bool | None = value(tree, event)
            return verdict


def value(operand: Operand, event: Event) -> Any:
    """Return the value of an operand on an event; MISSING for a missing field."""
    match operand:
        case FieldNode(path):
            return path.get(event)
        case ConstantNode(constant):
            return constant
        case FunctionCall(function, arguments):
            return FUNCTIONS[function].apply(*(value(each, event) for each in arguments))


def conjunction(truths: Iterable[bool | None]) -> bool | None:
    """Combine truths by `and`: false if one is false, else neither if one is neither."""
    found = set(truths)
    return False if False in found else None if None in found else True


def negation(verdict: bool | None) -> bool | None:  # noqa: FBT001 - a truth, not a flag
    """Negate a truth; neither stays neither."""
    return None if verdict is None else not verdict


def paths_of(tree: BooleanNode) -> frozenset[Path]:
    """Return the paths of the fields that a tree reads."""
    return frozenset(node.path for node in walk(tree) if isinstance(node, FieldNode))


def emit(tree: BooleanNode, code: SourceCode, reader: EventReader) -> str:
    """Return a Python expression that is true if the tree matches and false otherwise.

    The caller loads the paths first. The expression never raises on decoded JSON.
    """
    return _Writer(code, reader).holds(tree)


def compile_tree(tree: BooleanNode) -> Callable[[Event], bool]:
    """Compile a tree to a predicate of decoded events."""
    code = SourceCode()
    with code.block("def matches(event):"):
        reader = JSONReader(code, "event")
        reader.load(sorted(paths_of(tree), key=lambda path: path.parts))
        code.line(f"return {emit(tree, code, reader)}")
    return code.build("matches")


def _comparing(operator: str) -> Callable[[Any, Any], bool | None]:
    apply = OPERATORS[operator].apply
    assert apply is not None, operator
    return apply


class _Writer(NamedTuple):
    """Generates two expressions per condition: one for being true, one for being false."""

    code: SourceCode
    reader: EventReader

    def holds(self, node: BooleanNode) -> str:
        match node:
            case And(parts):
                tests = [test for test in map(self.holds, parts) if test != "True"]
                return f"({' and '.join(tests)})" if tests else "True"
            case Or(parts):
                return f"({' or '.join(map(self.holds, parts))})"
            case Not(part):
                return self.fails(part)
            case Comparison() | FunctionCall():
                return self.tests(node)[0]

    def fails(self, node: BooleanNode) -> str:
        match node:
            case And(parts):
                return f"({' or '.join(map(self.fails, parts))})"
            case Or(parts):
                return f"({' and '.join(map(self.fails, parts))})"
            case Not(part):
                return self.holds(part)
            case Comparison() | FunctionCall():
                return self.tests(node)[1]

    def tests(self, node: Comparison | FunctionCall) -> tuple[str, str]:  # noqa: PLR0911 - one each
        """Return both expressions of a single condition, specialized for its constant."""
        match node:
            case Comparison(left, "=", ConstantNode(constant)):
                return self.equal(left, constant)
            case Comparison(left, "!=", ConstantNode(constant)):
                return self.equal(left, constant)[::-1]
            case Comparison(left, "in", ConstantNode(tuple(items))):
                return self.member(left, items)
            case Comparison(left, ">" | ">=" | "<" | "<=" as operator, ConstantNode(constant)):
                return self.ordered(left, operator, constant)
            case FunctionCall("contains", (subject, ConstantNode(str(part)))):
                part_literal = self.code.literal(part)
                return self.text(subject, lambda text: f"{part_literal} in {text}")
            case FunctionCall("match", (subject, ConstantNode(str(pattern)))):
                return self.text(subject, self.pattern_test(pattern))
            case Comparison(left, operator, right):
                compare = self.code.literal(_comparing(operator), "compare")
                verdict = f"{compare}({self.value(left)}, {self.value(right)})"
            case FunctionCall():
                verdict = self.value(node)
        return f"{verdict} is True", f"{verdict} is False"

    def equal(self, left: Operand, constant: Any) -> tuple[str, str]:
        first, again = self.twice(left)
        literal = self.code.literal(constant)
        match constant:
            case None:
                fails = f"({first} is not None and {again} is not MISSING)"
                return f"({first} is None or {again} is MISSING)", fails
            case bool():
                return f"{first} is {literal}", f"{first} is not {literal}"
            case str():
                known = self.code.constant(first)
                if isinstance(known, str):  # an enclosing condition has tested it
                    return str(known == constant), str(known != constant)
                return f"{first} == {literal}", f"{first} != {literal}"
            case tuple():
                equal = f"{self.code.literal(same, 'same')}({first}, {literal})"
                return equal, f"not {equal}"
        holds = f"{first} == {literal}"
        if constant in {0, 1}:  # equal to False and True in Python
            holds = f"({holds} and type({again}) is not bool)"
        return holds, f"({_number(first, again)} and {again} != {literal})"

    def ordered(self, left: Operand, operator: str, constant: Any) -> tuple[str, str]:
        limit = number_of(constant)
        if limit is None:
            return "False", "False"
        first, again = self.twice(left)
        literal = self.code.literal(limit)
        test = f"{again} {operator} {literal}"
        number = _number(first, again)
        return f"({number} and {test})", f"({number} and not {test})"

    def member(self, left: Operand, items: tuple[Any, ...]) -> tuple[str, str]:
        first, again = self.twice(left)
        if not all(isinstance(item, str) for item in items) or not items:
            found = f"{self.code.literal(member, 'member')}({first}, {self.code.literal(items)})"
        elif len(items) <= _SHORT:
            found = f"{first} in ({', '.join(map(self.code.literal, items))},)"
        else:
            table = self.code.literal(frozenset(items))
            found = f"(type({first}) is str and {again} in {table})"
        return found, f"not {found}"

    def text(self, subject: Operand, test: Callable[[str], str]) -> tuple[str, str]:
        """Apply a test of strings to the variable that holds the subject."""
        first, again = self.twice(subject)
        tested = test(again)
        return f"(type({first}) is str and {tested})", f"(type({first}) is str and not {tested})"

    def pattern_test(self, pattern: str) -> Callable[[str], str]:
        """Return the test for a pattern, as the simplest equivalent search."""
        compiled = glob(pattern)
        literal = self.code.literal(compiled.text)
        match compiled.search:
            case "exact":
                return lambda text: f"{text} == {literal}"
            case "prefix":
                return lambda text: f"{text}.startswith({literal})"
            case "suffix":
                return lambda text: f"{text}.endswith({literal})"
            case "inside":
                return lambda text: f"{literal} in {text}"
        fullmatch = self.code.literal(compiled.regex.fullmatch, "fits")
        return lambda text: f"({fullmatch}({text}) is not None)"

    def twice(self, operand: Operand) -> tuple[str, str]:
        """Return the expression for the first use of an operand, and one for further uses."""
        if isinstance(operand, FieldNode):
            return (self.reader.read(operand.path),) * 2
        name = self.code.fresh("t")
        return f"({name} := {self.value(operand)})", name

    def value(self, operand: Operand) -> str:
        match operand:
            case FieldNode(path):
                return self.reader.read(path)
            case ConstantNode(constant):
                return self.code.literal(constant)
            case FunctionCall(function, arguments):
                apply = self.code.literal(FUNCTIONS[function].apply, function)
                return f"{apply}({', '.join(map(self.value, arguments))})"


def _number(first: str, again: str) -> str:
    return f"(type({first}) is int or type({again}) is float)"
