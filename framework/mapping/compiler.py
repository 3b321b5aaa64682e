"""From JSON to a compiled mapping: all problems of its shape at once, then one function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from framework.codegen import CodeValue, EventReader, JSONReader, SourceCode
from framework.errors import MappingError, PayloadValidationError
from framework.mapping.builtin.lookup import READING
from framework.mapping.builtin.objects import SHAPING
from framework.mapping.builtin.strings import TEXTS
from framework.mapping.directives import DIRECTIVES, directive_of, register_directive
from framework.mapping.expressions import (
    ConstantExpression,
    DirectiveError,
    EvaluationScope,
    Expression,
    Interpreted,
    Items,
    Object,
    found,
    in_order,
)
from framework.mapping.shape_checks import check_value
from framework.paths import JSON, MISSING, Path, PathSteps

ROOT_DIRECTIVE: Final = "__segment_internal_directive"
"""The key of a mapping that holds a directive for all other keys."""

MAX_DEPTH: Final = 100
"""Levels of lists and objects in a mapping."""

MAX_CHARACTERS: Final = 1_000_000
"""Characters of the texts in a mapping, all together."""

MAX_PARTS: Final = 20_000
"""Values in a mapping."""

_COMPILED_HEIGHT: Final = 12
"""Levels of expressions that are written as one piece of source; deeper ones are interpreted."""

for _directive in (*READING, *SHAPING, *TEXTS):
    register_directive(_directive)


@dataclass(frozen=True)
class Mapping:
    """A mapping whose shape is right: it can fail only on what is in an event.

    *faults* are places that fail whenever they are reached, or for some values, and that the
    reference finds only then: full sentences, ordered by path.
    """

    expression: Expression
    faults: tuple[str, ...]

    @cached_property
    def resolve(self) -> Callable[[JSON], Any]:
        """The compiled function: gives what the mapping makes of an event.

        That is an object, unless a directive stands at the root. Neither the event nor the
        mapping is changed; parts of the event are in the result as they are, not copied.
        Raises PayloadValidationError when the event cannot be mapped, and nothing else.
        """
        code = SourceCode()
        with code.block("def resolve(event):"):
            code.line(f"if type(event) is not dict: {code.literal(_check_event)}(event)")
            reader = JSONReader(code, "event")
            reader.load(in_order(self.paths))
            result = self.expression.emit(EvaluationScope(code, reader, entered=True))
            code.line(f"return {result}")
        return code.build("resolve")

    def interpret(self, event: JSON) -> Any:
        """Give what `resolve` gives, without generated source."""
        _check_event(event)
        return self.expression.evaluate(event)

    @property
    def paths(self) -> frozenset[Path]:
        """What is read of an event; the empty path where anything may be."""
        return self.expression.paths

    @property
    def places(self) -> frozenset[PathSteps]:
        """The same as `paths`, but where items of a list are gone through, what is read of them."""
        return self.expression.places

    @property
    def fields(self) -> tuple[str, ...] | None:
        """The keys of what is made; None where a directive at the root decides them."""
        if isinstance(self.expression, Object):
            return tuple(key for key, _ in self.expression.items)
        if isinstance(self.expression, ConstantExpression) and isinstance(
            self.expression.value, dict
        ):
            return tuple(self.expression.value)
        return None

    def emit(self, code: SourceCode, reader: EventReader) -> dict[str, CodeValue]:
        """Write the lines that compute the fields, and give what stands for each.

        The reader must have loaded `paths`; it gives decoded JSON. A variable may hold MISSING.
        Objects and lists may not be made yet; whoever does not need one has to make it even so,
        because an event can be refused there.
        For mappings whose `fields` are None, `emit_whole` writes what there is.
        """
        scope = EvaluationScope(code, reader, entered=True)
        if isinstance(self.expression, ConstantExpression):
            return {
                key: ConstantExpression(item).emit(scope)
                for key, item in self.expression.value.items()
            }
        assert isinstance(self.expression, Object), "`fields` are None: there is nothing to name"
        return {key: child.emit_value(scope) for key, child in self.expression.items}

    def emit_whole(self, code: SourceCode, reader: EventReader) -> str:
        """Write the lines that compute the result, and give its variable or literal."""
        return self.expression.emit(EvaluationScope(code, reader, entered=True))


def _check_event(event: JSON) -> None:
    if not isinstance(event, dict):
        raise PayloadValidationError(f"The event must be an object, got {found(event)}.")


def compile_mapping(raw: JSON) -> Mapping:
    """Give the compiled form of a mapping as it is saved.

    A mapping is an object with a value or directive for each field. A directive may also be the
    whole mapping, or stand under `__segment_internal_directive` and be given the other keys as
    its `mapping`. Raises MappingError with every problem of its shape.
    """
    problems = _measure(raw)
    whole = _with_root_directive(raw) if not problems else None
    if isinstance(whole, str):
        problems = [whole]
    problems = problems or check_value(whole)
    if problems:
        raise MappingError("\n".join(sorted(problems)), sorted(problems))
    builder = MappingBuilder()
    expression = builder.build(whole, "")
    return Mapping(expression, tuple(sorted(builder.faults)))


def check_mapping_shape(raw: JSON) -> list[str]:
    """Give the problems of a mapping's shape, in the words and order of the reference.

    The root directive is not looked for: it is a matter of whole mappings.
    """
    return _measure(raw) or check_value(raw)


def mapping_faults(raw: JSON) -> list[str]:
    """Give the problems of a mapping's shape and of what the reference finds only per event."""
    try:
        return list(compile_mapping(raw).faults)
    except MappingError as error:
        return list(error.problems)


def _measure(raw: JSON) -> list[str]:
    """Give the problem of a mapping that is too large or that is not JSON."""
    waiting, parts, characters = [(raw, 1)], 0, 0
    while waiting:
        value, depth = waiting.pop()
        parts += 1
        if depth > MAX_DEPTH or parts > MAX_PARTS:
            return [
                f"A mapping may have {MAX_DEPTH} levels and {MAX_PARTS:,} values; this has more."
            ]
        characters += len(value) if isinstance(value, str) else 0
        if characters > MAX_CHARACTERS:
            return [f"A mapping may hold {MAX_CHARACTERS:,} characters of text; this holds more."]
        if isinstance(value, dict):
            waiting.extend((item, depth + 1) for item in value.values())
        elif isinstance(value, list):
            waiting.extend((item, depth + 1) for item in value)
    return []


def _with_root_directive(raw: JSON) -> dict[str, JSON] | str:
    """Give a mapping with its root directive wrapped around the other keys; or what is wrong."""
    if raw is None:
        return "A mapping must be an object, got null."
    if not isinstance(raw, dict):
        return _spread(raw)
    if ROOT_DIRECTIVE not in raw:
        return raw
    directive = raw[ROOT_DIRECTIVE]
    argument = next(iter(directive.values()), None) if isinstance(directive, dict) else None
    if not isinstance(argument, (dict, list)) or len(directive) > 1:
        return f"/{ROOT_DIRECTIVE} should be an object with one directive that has an object."
    rest = {key: item for key, item in raw.items() if key != ROOT_DIRECTIVE}
    wrapped = {**argument, "mapping": rest} if isinstance(argument, dict) else argument
    return dict.fromkeys(directive, wrapped)


def _spread(raw: JSON) -> dict[str, JSON]:
    """Give the object that the reference makes of another value: its items by number."""
    if isinstance(raw, str):
        units = raw.encode("utf-16-le", "surrogatepass")
        pairs = (units[place : place + 2] for place in range(0, len(units), 2))
        raw = [pair.decode("utf-16-le", "surrogatepass") for pair in pairs]
    return {str(index): item for index, item in enumerate(raw)} if isinstance(raw, list) else {}


class MappingBuilder:
    """Builds expressions, and collects the *faults* that it meets."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def build(self, raw: JSON, where: str) -> Expression:
        """Build any part of a mapping."""
        if isinstance(raw, dict):
            name = directive_of(raw)
            built = self._directive(name, raw[name], where) if name else self._object(raw, where)
        elif isinstance(raw, list):
            items = enumerate(raw)
            built = Items(tuple(self.build(item, f"{where}/{index}") for index, item in items))
        else:
            return ConstantExpression(raw)
        return _shallow(_folded(built))

    def fields(self, raw: JSON, where: str) -> Expression:
        """Build a mapping inside a directive, which the reference checks when it gets there."""
        whole = _with_root_directive(raw)
        problems = [whole] if isinstance(whole, str) else check_value(whole)
        if problems:
            return self.refuse(where, f"is no mapping: {' '.join(problems)}".rstrip("."))
        return self.build(whole, where)

    def refuse(self, where: str, what: str) -> Expression:
        """Record a fault, and give what fails with it."""
        self.fault(where, what)
        return DirectiveError(where, what)

    def fault(self, where: str, what: str) -> None:
        """Record a fault."""
        self.faults.append(f"`{where}` {what}.")

    def _object(self, raw: dict[str, JSON], where: str) -> Expression:
        return Object(tuple((key, self.build(item, f"{where}/{key}")) for key, item in raw.items()))

    def _directive(self, name: str, argument: JSON, where: str) -> Expression:
        directive = DIRECTIVES.get(name)
        if directive is None:
            return self.refuse(where or "/", f"has an invalid directive: {name}")
        return directive.build(argument, f"{where}/{name}", self)


def _folded(expression: Expression) -> Expression:
    """Give the value itself where it depends on no event, and keys without value are not lost."""
    if expression.paths or not _folds(expression):
        return expression
    try:
        patch, value = expression.patch({}), expression.evaluate({})
    except PayloadValidationError:
        return expression
    erases = isinstance(patch, dict) and any(item is MISSING for item in patch.values())
    return expression if erases else ConstantExpression(value)


def _folds(expression: Expression) -> bool:
    return expression.folds and all(_folds(child) for child in expression.children)


def _shallow(expression: Expression) -> Expression:
    """Give the expression, or one that interprets it where its source would be nested too far."""
    return Interpreted(expression) if expression.height > _COMPILED_HEIGHT else expression
