"""Compile a mapping: report all problems of its shape, or generate one function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from framework.codegen import CodeValue, EventReader, JSONReader, SourceCode
from framework.errors import MappingError, PayloadValidationError
from framework.mapping.builtin.control import CONTROL
from framework.mapping.builtin.lookup import LOOKUP
from framework.mapping.builtin.objects import OBJECTS
from framework.mapping.builtin.rendering import RENDERING
from framework.mapping.builtin.strings import STRINGS
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
"""The key of a mapping whose directive is applied to all other keys."""

MAX_DEPTH: Final = 100
"""Levels of lists and objects in a mapping."""

MAX_CHARACTERS: Final = 1_000_000
"""Total characters of the strings in a mapping."""

MAX_PARTS: Final = 20_000
"""Values in a mapping."""

_COMPILED_HEIGHT: Final = 12
"""Levels of expressions that are compiled together; deeper ones are interpreted."""

for _directive in (*LOOKUP, *CONTROL, *OBJECTS, *RENDERING, *STRINGS):
    register_directive(_directive)


@dataclass(frozen=True)
class Mapping:
    """A mapping with a valid shape: only the contents of an event can make it fail.

    *faults* describe parts that fail whenever they are evaluated, or for some values, and that
    Segment's implementation reports only then: full sentences, ordered by path.
    """

    expression: Expression
    faults: tuple[str, ...]

    @cached_property
    def resolve(self) -> Callable[[JSON], Any]:
        """The compiled function from an event to the mapped values.

        The result is an object, unless the root of the mapping is a directive. Neither the event
        nor the mapping is changed; the result shares parts of the event instead of copying them.
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
        """Return the result of `resolve` without generated code."""
        _check_event(event)
        return self.expression.evaluate(event)

    @property
    def paths(self) -> frozenset[Path]:
        """The paths read from an event; the empty path if any part of it may be read."""
        return self.expression.paths

    @property
    def places(self) -> frozenset[PathSteps]:
        """Like `paths`, but for lists that are iterated, the paths read from each item."""
        return self.expression.places

    @property
    def fields(self) -> tuple[str, ...] | None:
        """The keys of the result; None if a directive at the root determines them."""
        if isinstance(self.expression, Object):
            return tuple(key for key, _ in self.expression.items)
        if isinstance(self.expression, ConstantExpression) and isinstance(
            self.expression.value, dict
        ):
            return tuple(self.expression.value)
        return None

    def emit(self, code: SourceCode, reader: EventReader) -> dict[str, CodeValue]:
        """Write the lines that compute the fields; return the code value of each.

        The reader must have loaded `paths`; it provides decoded JSON. A variable may hold MISSING.
        Objects and lists may not be built yet; a caller that does not need one must build it
        nevertheless, because building it can reject the event.
        Mappings whose `fields` are None have no fields to compute; use `resolve`.
        """
        scope = EvaluationScope(code, reader, entered=True)
        if isinstance(self.expression, ConstantExpression):
            return {
                key: ConstantExpression(item).emit(scope)
                for key, item in self.expression.value.items()
            }
        assert isinstance(self.expression, Object), "`fields` is None: use resolve"
        return {key: child.emit_value(scope) for key, child in self.expression.items}


def _check_event(event: JSON) -> None:
    if not isinstance(event, dict):
        raise PayloadValidationError(f"The event must be an object, got {found(event)}.")


def compile_mapping(raw: JSON) -> Mapping:
    """Compile a mapping in its saved form.

    A mapping is an object with a value or directive for each field. A directive may also be the
    whole mapping, or the value of `__segment_internal_directive`, which receives the other keys
    as its `mapping`. Raises MappingError with every problem of its shape.
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
    """Return the problems of a mapping's shape, worded and ordered as by Segment.

    The root directive gets no special treatment: it applies to complete mappings only.
    """
    return _measure(raw) or check_value(raw)


def mapping_faults(raw: JSON) -> list[str]:
    """Return all problems of a mapping, those that Segment reports only per event included."""
    try:
        return list(compile_mapping(raw).faults)
    except MappingError as error:
        return list(error.problems)


def _measure(raw: JSON) -> list[str]:
    """Return the problem of a mapping that exceeds the limits."""
    waiting, parts, characters = [(raw, 1)], 0, 0
    while waiting:
        value, depth = waiting.pop()
        parts += 1
        if depth > MAX_DEPTH or parts > MAX_PARTS:
            return [f"A mapping may have at most {MAX_DEPTH} levels and {MAX_PARTS:,} values."]
        characters += len(value) if isinstance(value, str) else 0
        if characters > MAX_CHARACTERS:
            return [f"A mapping may hold at most {MAX_CHARACTERS:,} characters of text."]
        if isinstance(value, dict):
            waiting.extend((item, depth + 1) for item in value.values())
        elif isinstance(value, list):
            waiting.extend((item, depth + 1) for item in value)
    return []


def _with_root_directive(raw: JSON) -> dict[str, JSON] | str:
    """Return a mapping with its root directive applied to the other keys, or the problem."""
    if raw is None:
        return "A mapping must be an object, got null."
    if not isinstance(raw, dict):
        return _spread(raw)
    if ROOT_DIRECTIVE not in raw:
        return raw
    directive = raw[ROOT_DIRECTIVE]
    argument = next(iter(directive.values()), None) if isinstance(directive, dict) else None
    if not isinstance(argument, (dict, list)) or len(directive) > 1:
        return f"/{ROOT_DIRECTIVE} should be an object with one directive that takes an object."
    rest = {key: item for key, item in raw.items() if key != ROOT_DIRECTIVE}
    wrapped = {**argument, "mapping": rest} if isinstance(argument, dict) else argument
    return dict.fromkeys(directive, wrapped)


def _spread(raw: JSON) -> dict[str, JSON]:
    """Return the object that Segment makes of another value: its items by index."""
    if isinstance(raw, str):
        units = raw.encode("utf-16-le", "surrogatepass")
        pairs = (units[place : place + 2] for place in range(0, len(units), 2))
        raw = [pair.decode("utf-16-le", "surrogatepass") for pair in pairs]
    return {str(index): item for index, item in enumerate(raw)} if isinstance(raw, list) else {}


class MappingBuilder:
    """Builds expressions and collects *faults*."""

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
        """Build a mapping inside a directive, which Segment checks when it evaluates it."""
        whole = _with_root_directive(raw)
        problems = [whole] if isinstance(whole, str) else check_value(whole)
        if problems:
            return self.refuse(where, f"is not a valid mapping: {' '.join(problems)}".rstrip("."))
        return self.build(whole, where)

    def refuse(self, where: str, what: str) -> Expression:
        """Record a fault; return an expression that fails with it."""
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
    """Return a constant for an expression that reads no event and erases no key in merges."""
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
    """Return the expression, or a wrapper that interprets it if it is nested too deeply."""
    return Interpreted(expression) if expression.height > _COMPILED_HEIGHT else expression
