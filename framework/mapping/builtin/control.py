"""Directives that choose between values or chain mappings: @if, @transform."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Final

from framework.mapping.directives import Directive, DirectiveBuilder, DirectiveExample
from framework.mapping.expressions import (
    ConstantExpression,
    EvaluationScope,
    Expression,
    Object,
    found,
    located,
    refuse,
)
from framework.mapping.javascript import TooMuch, is_filled, is_truthy
from framework.mapping.shape_checks import be_directive_or_object, object_with
from framework.paths import JSON, MISSING, Path

MAX_VALUES: Final = 200_000
"""Values in the input of a nested `@transform`: each level can multiply them."""


def _is_present(value: JSON) -> bool:
    return value is not MISSING and value is not None


_EMITTED: Final[dict[Callable[[JSON], bool], str]] = {
    _is_present: "{0} is not MISSING and {0} is not None",
    is_filled: "({0} != '' if type({0}) is str else {1}({0}))",
}


@dataclass(frozen=True)
class ConditionalExpression(Expression):
    """One of two expressions, chosen by a test of a third."""

    tested: Expression
    test: Callable[[JSON], bool]
    then: Expression
    otherwise: Expression

    @property
    def children(self) -> tuple[Expression, ...]:
        return (self.tested, self.then, self.otherwise)

    @property
    def always(self) -> bool:
        return self.then.always and self.otherwise.always

    @property
    def patches(self) -> bool:
        return self.then.patches or self.otherwise.patches

    def _chosen(self, value: JSON) -> Expression:
        return self.then if self.test(self.tested.evaluate(value)) else self.otherwise

    def evaluate(self, value: JSON) -> JSON:
        return self._chosen(value).evaluate(value)

    def patch(self, value: JSON) -> JSON:
        return self._chosen(value).patch(value)

    def emit(self, scope: EvaluationScope) -> str:
        return self._emit(scope, lambda branch: branch.emit(scope))

    def emit_patch(self, scope: EvaluationScope) -> str:
        return self._emit(scope, lambda branch: branch.emit_patch(scope))

    def _emit(self, scope: EvaluationScope, write: Callable[[Expression], str]) -> str:
        code, tested = scope.code, scope.held(self.tested.emit(scope))
        condition = _EMITTED[self.test].format(tested, code.literal(self.test, "holds"))
        result = code.fresh()
        with code.block(f"if {condition}:"):
            code.line(f"{result} = {write(self.then)}")
        with code.block("else:"):
            code.line(f"{result} = {write(self.otherwise)}")
        return result


def _build_if(argument: JSON, where: str, builder: DirectiveBuilder) -> Expression:
    if not isinstance(argument, dict):
        return builder.refuse(where, f"must be an object, got {found(argument)}")
    if not (is_truthy(argument.get("exists")) or is_truthy(argument.get("blank"))):
        return builder.refuse(where, "needs a value to test in `exists` or `blank`")
    part = "exists" if "exists" in argument else "blank"
    tested = builder.build(argument[part], f"{where}/{part}")
    test = _is_present if part == "exists" else is_filled
    then = _build_branch(argument, "then", where, builder)
    # Segment's editor saves an empty field as null or an empty string.
    is_open = argument.get("else") is None or argument["else"] == ""
    otherwise = (
        ConstantExpression(MISSING) if is_open else _build_branch(argument, "else", where, builder)
    )
    if isinstance(tested, ConstantExpression):
        return then if test(tested.value) else otherwise
    return ConditionalExpression(tested, test, then, otherwise)


def _build_branch(
    argument: dict[str, JSON], name: str, where: str, builder: DirectiveBuilder
) -> Expression:
    if name not in argument:
        return ConstantExpression(MISSING)
    return builder.build(argument[name], f"{where}/{name}")


_ANY_PART = {"$ref": "#/$defs/value"}

IF = Directive(
    name="@if",
    summary="Choose between two values by testing a third.",
    schema={
        "title": "If",
        "description": "The result is `then` if the tested value exists, otherwise `else`.",
        "type": "object",
        "properties": {
            "exists": {
                "description": "The tested value; exists if it is neither missing nor null.",
                **_ANY_PART,
            },
            "blank": {
                "description": "The tested value; exists if it is not missing, null, an empty "
                "string, 0, false or an empty list.",
                **_ANY_PART,
            },
            "then": {"description": "The result if the tested value exists.", **_ANY_PART},
            "else": {"description": "The result if it does not.", **_ANY_PART},
        },
    },
    examples=(
        DirectiveExample(
            note="`exists` is true for any value but null.",
            mapping={
                "id": {
                    "@if": {
                        "exists": {"@path": "$.userId"},
                        "then": {"@path": "$.userId"},
                        "else": {"@path": "$.anonymousId"},
                    }
                }
            },
            event={"userId": None, "anonymousId": "a1"},
            output={"id": "a1"},
        ),
        DirectiveExample(
            note="`blank`, despite its name, chooses `then` if the value is not blank.",
            mapping={"has": {"@if": {"blank": {"@path": "$.name"}, "then": "yes", "else": "no"}}},
            event={"name": ""},
            output={"has": "no"},
        ),
        DirectiveExample(
            note="0, false and lists that print as an empty string are blank; white space is not.",
            mapping={"has": {"@if": {"blank": {"@path": "$.count"}, "then": "yes", "else": "no"}}},
            event={"count": 0},
            output={"has": "no"},
        ),
        DirectiveExample(
            note="Without `else`, or if it is null or an empty string, there is no value.",
            mapping={"has": {"@if": {"exists": {"@path": "$.name"}, "then": 1, "else": ""}}},
            event={},
            output={},
        ),
        DirectiveExample(
            note="A value to test is required.",
            mapping={"has": {"@if": {"then": 1, "else": 2}}},
            event={},
            refusal="`/has/@if` needs a value to test in `exists` or `blank`.",
        ),
        DirectiveExample(
            note="The argument is an object.",
            mapping={"has": {"@if": "yes"}},
            event={},
            refusal="/has/@if should be an object but it is a string.",
        ),
    ),
    check=object_with(),
    build=_build_if,
)


@dataclass(frozen=True)
class Transformed(Expression):
    """A mapping applied to the result of another mapping."""

    folds: ClassVar[bool] = False

    where: str
    applied: Expression
    mapping: Expression

    @property
    def children(self) -> tuple[Expression, ...]:
        return (self.applied,)

    @property
    def always(self) -> bool:
        return self.mapping.always

    @property
    def patches(self) -> bool:
        return self.mapping.patches

    @cached_property
    def height(self) -> int:
        return 1 + max(self.applied.height, self.mapping.height)

    @cached_property
    def transforms(self) -> int:
        return 1 + max(self.applied.transforms, self.mapping.transforms)

    def evaluate(self, value: JSON) -> JSON:
        return self.mapping.evaluate(self._input(value))

    def patch(self, value: JSON) -> JSON:
        return self.mapping.patch(self._input(value))

    def _input(self, value: JSON) -> JSON:
        self.enter(value)
        applied = self.applied.evaluate(value)
        return self.weigh(applied) if self.transforms > 1 else applied

    def enter(self, value: JSON) -> None:
        """Reject an input that is not an object, as Segment does inside lists."""
        if not isinstance(value, dict) and value is not MISSING:
            refuse(self.where, f"must be applied to an object, got {found(value)}")

    def weigh(self, value: JSON) -> JSON:
        """Return the value; reject one that holds too many others."""
        return located(self.where, _weighed)(value)

    def emit(self, scope: EvaluationScope) -> str:
        return self.mapping.emit(self._emit_input(scope))

    def emit_patch(self, scope: EvaluationScope) -> str:
        return self.mapping.emit_patch(self._emit_input(scope))

    def _emit_input(self, scope: EvaluationScope) -> EvaluationScope:
        code, whole = scope.code, Path(())
        if not scope.entered:
            code.line(f"{code.literal(self.enter, 'enter')}({scope.reader.read(whole)})")
        applied = scope.held(self.applied.emit(scope))
        if self.transforms > 1:
            applied = scope.call(self.weigh, applied)
        return scope.enter(applied, self.mapping.paths, entered=isinstance(self.applied, Object))


def _weighed(value: JSON) -> JSON:
    waiting, left = [value], MAX_VALUES
    while waiting:
        item = waiting.pop()
        inner = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        left -= 1 + len(inner)
        if left < 0:
            raise TooMuch(f"would be applied to more than {MAX_VALUES:,} values")
        waiting.extend(inner)
    return value


def _build_transform(argument: JSON, where: str, builder: DirectiveBuilder) -> Expression:
    if not isinstance(argument, dict):
        return builder.refuse(where, f"must be an object, got {found(argument)}")
    apply, mapping = argument.get("apply"), argument.get("mapping")
    if not is_truthy(mapping):
        return builder.refuse(where, "must have a `mapping`")
    if not isinstance(apply, dict):
        return builder.refuse(f"{where}/apply", f"must be an object, got {found(apply)}")
    inner = builder.fields(apply, f"{where}/apply")
    return Transformed(where, inner, builder.build(mapping, f"{where}/mapping"))


_OBJECT_PART = {"anyOf": [{"type": "object"}, {"$ref": "#/$defs/directive"}]}

TRANSFORM = Directive(
    name="@transform",
    summary="Map twice: the result of the first mapping is the event of the second.",
    schema={
        "title": "Transform",
        "description": "Two mappings, applied one after the other.",
        "type": "object",
        "properties": {
            "apply": {"description": "The mapping of the event.", **_OBJECT_PART},
            "mapping": {"description": "The mapping of that result.", **_OBJECT_PART},
        },
        "required": ["apply", "mapping"],
    },
    examples=(
        DirectiveExample(
            note="Paths of the second mapping start at the result of the first.",
            mapping={
                "user": {
                    "@transform": {
                        "apply": {"id": {"@path": "$.userId"}},
                        "mapping": {"key": {"@template": "user:{{id}}"}},
                    }
                }
            },
            event={"userId": "u1"},
            output={"user": {"key": "user:u1"}},
        ),
        DirectiveExample(
            note="The second mapping cannot read the original event.",
            mapping={
                "user": {
                    "@transform": {"apply": {"a": 1}, "mapping": {"id": {"@path": "$.userId"}}}
                }
            },
            event={"userId": "u1"},
            output={"user": {}},
        ),
        DirectiveExample(
            note="Both parts are required.",
            mapping={"user": {"@transform": {"mapping": {}}}},
            event={},
            refusal='/user/@transform should have field "apply" but it doesn\'t.',
        ),
        DirectiveExample(
            note="Items of lists must be objects.",
            mapping={
                "l": {
                    "@arrayPath": [
                        "$.l",
                        {"@transform": {"apply": {"a": {"@path": "$.b"}}, "mapping": {"c": 1}}},
                    ]
                }
            },
            event={"l": ["text"]},
            refusal="`/l/@arrayPath/1/@transform` must be applied to an object, got string.",
        ),
    ),
    check=object_with(
        required={"apply": be_directive_or_object, "mapping": be_directive_or_object}
    ),
    build=_build_transform,
)

CONTROL: Final = (IF, TRANSFORM)
