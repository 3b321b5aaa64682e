"""Directives that say where values come from: @path, @arrayPath, @literal, @if, @transform."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import ClassVar, Final

from framework.codegen import CodeValue, Each
from framework.mapping.directives import Directive, DirectiveBuilder, DirectiveExample
from framework.mapping.expressions import (
    WHOLE,
    ConstantExpression,
    Dynamic,
    EvaluationScope,
    Expression,
    Object,
    PathOf,
    emit_listed,
    found,
    listed,
    located,
    refuse,
)
from framework.mapping.javascript import TooMuch, is_filled, is_truthy
from framework.mapping.shape_checks import (
    Where,
    be_directive_or_object,
    check_directive_or_any,
    check_directive_or_string,
    check_list,
    check_value,
    object_with,
)
from framework.paths import ITEM, JSON, MISSING, Path, PathSteps

MAX_VALUES: Final = 200_000
"""Values that an inner `@transform` may be given: each level can multiply them."""


MAX_PATH: Final = 10_000
"""Characters of a path that comes from the event."""


def _build_path(argument: JSON, where: str, builder: DirectiveBuilder) -> Expression:
    if isinstance(argument, str):
        return PathOf(Path.parse(argument))
    return Dynamic(where, builder.build(argument, where), _reader(where))


def _reader(where: str) -> Callable[[str, JSON], JSON]:
    def read(text: str, value: JSON) -> JSON:
        if len(text) > MAX_PATH:
            refuse(where, f"must give a path of at most {MAX_PATH:,} characters")
        return Path.parse(text).get(value)

    return read


PATH = Directive(
    name="@path",
    summary="Give the value at a path of the event.",
    schema={
        "title": "Path",
        "description": "Where in the event, such as `$.context.traits.email`.",
        "anyOf": [{"type": "string"}, {"$ref": "#/$defs/directive"}],
    },
    examples=(
        DirectiveExample(
            note="Dots enter objects, brackets enter lists.",
            mapping={"sku": {"@path": "$.properties.products[0].sku"}},
            event={"properties": {"products": [{"sku": "A1"}]}},
            output={"sku": "A1"},
        ),
        DirectiveExample(
            note="A path that leads nowhere gives no value, and the key is left out.",
            mapping={"sku": {"@path": "$.properties.sku"}},
            event={"properties": {}},
            output={},
        ),
        DirectiveExample(
            note="A path ends early at null, false, 0 or empty text, and gives that.",
            mapping={"city": {"@path": "$.traits.address.city"}},
            event={"traits": {"address": None}},
            output={"city": None},
        ),
        DirectiveExample(
            note="The path itself may come from the event.",
            mapping={"id": {"@path": {"@path": "$.which"}}},
            event={"which": "$.userId", "userId": "u1"},
            output={"id": "u1"},
        ),
        DirectiveExample(
            note="A path is text.",
            mapping={"id": {"@path": 5}},
            event={},
            refusal="/id/@path should be a string or a mapping directive but it is a number.",
        ),
    ),
    check=check_directive_or_string,
    build=_build_path,
)


@dataclass(frozen=True)
class ArrayOf(Expression):
    """A list from the input, each item put into a shape; an object counts as a list of one."""

    folds: ClassVar[bool] = False

    root: Expression
    shape: Expression

    @property
    def children(self) -> tuple[Expression, ...]:
        return (self.root,)

    @cached_property
    def places(self) -> frozenset[PathSteps]:
        if not isinstance(self.root, PathOf):
            return self.root.places
        inside = {WHOLE.parts} if self.shape.transforms else self.shape.places
        return frozenset((*self.root.path.parts, ITEM, *place) for place in inside)

    @cached_property
    def height(self) -> int:
        return 1 + max(self.root.height, self.shape.height)

    @cached_property
    def transforms(self) -> int:
        return max(self.root.transforms, self.shape.transforms)

    @property
    def patches(self) -> bool:
        return not self.shape.always

    def evaluate(self, value: JSON) -> JSON:
        shaped = self.patch(value)
        return [listed(item) for item in shaped] if isinstance(shaped, list) else shaped

    def patch(self, value: JSON) -> JSON:
        root = self.root.evaluate(value)
        if isinstance(root, dict):
            return [self.shape.evaluate(root)]
        return [self.shape.evaluate(item) for item in root] if isinstance(root, list) else root

    def emit(self, scope: EvaluationScope) -> str:
        return self._emit(scope, partial(emit_listed, self.shape))

    def emit_value(self, scope: EvaluationScope) -> CodeValue:
        if not isinstance(self.shape, Object):
            return self.emit(scope)
        root, shape = scope.held(self.root.emit(scope)), self.shape
        return Each(root, lambda item: shape.emit_value(self._inside(scope, item)))

    def emit_patch(self, scope: EvaluationScope) -> str:
        return self._emit(scope, self.shape.emit)

    def _emit(self, scope: EvaluationScope, write: Callable[[EvaluationScope], str]) -> str:
        code, root = scope.code, scope.held(self.root.emit(scope))
        result = code.fresh()
        with code.each(root, result) as item:
            code.line(f"{result}.append({write(self._inside(scope, item))})")
        with code.block("else:"):
            code.line(f"{result} = {root}")
        return result

    def _inside(self, scope: EvaluationScope, item: str) -> EvaluationScope:
        if not isinstance(self.root, PathOf):
            return scope.enter(item, self.shape.paths, entered=False)
        reader = scope.reader.item(self.root.path, item)
        return scope.into(reader, self.shape.paths, entered=False)


def _check_array_path(argument: JSON, where: Where) -> list[str]:
    if problems := check_list(argument, where):
        return problems
    path, shape = [*argument[:2], MISSING, MISSING][:2]
    return check_directive_or_string(path, where) or check_value(shape, where)


def _build_array_path(argument: JSON, where: str, builder: DirectiveBuilder) -> Expression:
    if not isinstance(argument, list):
        return builder.refuse(where, f"must be a list, got {found(argument)}")
    path, shape = [*argument[:2], MISSING, MISSING][:2]
    root = PathOf(Path.parse(path)) if isinstance(path, str) else builder.build(path, f"{where}/0")
    if not (isinstance(shape, dict) and shape):
        return root
    return ArrayOf(root, builder.build(shape, f"{where}/1"))


ARRAY_PATH = Directive(
    name="@arrayPath",
    summary="Give a list of the event, each item put into a shape.",
    schema={
        "title": "Array path",
        "description": "A path to a list, and the shape of each item; its paths start there.",
        "type": "array",
        "prefixItems": [
            {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/directive"}]},
            {"$ref": "#/$defs/value"},
        ],
        "minItems": 1,
    },
    examples=(
        DirectiveExample(
            note="Paths of the shape start at the item.",
            mapping={"ids": {"@arrayPath": ["$.products", {"id": {"@path": "$.sku"}}]}},
            event={"products": [{"sku": "A1"}, {"sku": "B2"}, {}]},
            output={"ids": [{"id": "A1"}, {"id": "B2"}, {}]},
        ),
        DirectiveExample(
            note="One object counts as a list of one.",
            mapping={"ids": {"@arrayPath": ["$.products", {"@path": "$.sku"}]}},
            event={"products": {"sku": "A1"}},
            output={"ids": ["A1"]},
        ),
        DirectiveExample(
            note="Without a shape, and for what is no list or object, the value is given as it is.",
            mapping={"ids": {"@arrayPath": ["$.products"]}},
            event={"products": 3},
            output={"ids": 3},
        ),
        DirectiveExample(
            note="The argument is a list.",
            mapping={"ids": {"@arrayPath": "$.products"}},
            event={},
            refusal="/ids/@arrayPath should be an array but it is a string.",
        ),
    ),
    check=_check_array_path,
    build=_build_array_path,
)


def _build_literal(argument: JSON, where: str, builder: DirectiveBuilder) -> Expression:
    return builder.build(argument, where)


LITERAL = Directive(
    name="@literal",
    summary="Give the argument itself, for values that must not look like something else.",
    schema={"title": "Literal", "description": "The value.", "$ref": "#/$defs/value"},
    examples=(
        DirectiveExample(
            note="Braces are not filled in.",
            mapping={"text": {"@literal": "{{userId}}"}},
            event={"userId": "u1"},
            output={"text": "{{userId}}"},
        ),
        DirectiveExample(
            note="False, 0, null and the empty text are values.",
            mapping={"consent": {"@literal": False}},
            event={},
            output={"consent": False},
        ),
        DirectiveExample(
            note="Directives inside are followed.",
            mapping={"ids": {"@literal": [{"@path": "$.userId"}, 1]}},
            event={"userId": "u1"},
            output={"ids": ["u1", 1]},
        ),
        DirectiveExample(
            note="A directive stands alone in its object.",
            mapping={"id": {"@literal": {"a": 1, "@path": "$.userId"}}},
            event={},
            refusal="/id/@literal should only have one @-prefixed key but it has 2 keys.",
        ),
    ),
    check=check_directive_or_any,
    build=_build_literal,
)


def _is_present(value: JSON) -> bool:
    return value is not MISSING and value is not None


_EMITTED: Final[dict[Callable[[JSON], bool], str]] = {
    _is_present: "{0} is not MISSING and {0} is not None",
    is_filled: "({0} != '' if type({0}) is str else {1}({0}))",
}


@dataclass(frozen=True)
class ConditionalExpression(Expression):
    """One of two expressions, depending on a test of a third."""

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
        return builder.refuse(where, "must have something to test in `exists` or `blank`")
    part = "exists" if "exists" in argument else "blank"
    tested = builder.build(argument[part], f"{where}/{part}")
    test = _is_present if part == "exists" else is_filled
    then = _build_branch(argument, "then", where, builder)
    # A field of the reference's editor that is left open is saved as null or empty text.
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
    summary="Choose between two values by whether a third is there.",
    schema={
        "title": "If",
        "description": "`then` is given when the tested value is there, otherwise `else`.",
        "type": "object",
        "properties": {
            "exists": {"description": "There when neither missing nor null.", **_ANY_PART},
            "blank": {
                "description": "There when also not empty text, 0, false or an empty list.",
                **_ANY_PART,
            },
            "then": {"description": "Given when the tested value is there.", **_ANY_PART},
            "else": {"description": "Given when it is not.", **_ANY_PART},
        },
    },
    examples=(
        DirectiveExample(
            note="`exists` holds for anything but null and no value.",
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
            note="`blank`, in spite of its name, gives `then` when the value is not blank.",
            mapping={"has": {"@if": {"blank": {"@path": "$.name"}, "then": "yes", "else": "no"}}},
            event={"name": ""},
            output={"has": "no"},
        ),
        DirectiveExample(
            note="0, false and lists that print as nothing are blank; white space is not.",
            mapping={"has": {"@if": {"blank": {"@path": "$.count"}, "then": "yes", "else": "no"}}},
            event={"count": 0},
            output={"has": "no"},
        ),
        DirectiveExample(
            note="Without `else` there is no value; an `else` of null or empty text is none.",
            mapping={"has": {"@if": {"exists": {"@path": "$.name"}, "then": 1, "else": ""}}},
            event={},
            output={},
        ),
        DirectiveExample(
            note="There must be something to test.",
            mapping={"has": {"@if": {"then": 1, "else": 2}}},
            event={},
            refusal="`/has/@if` must have something to test in `exists` or `blank`.",
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
    """A mapping of what another mapping gives."""

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
        """Refuse an input that is no object, as the reference does inside lists."""
        if not isinstance(value, dict) and value is not MISSING:
            refuse(self.where, f"must be applied to an object, got {found(value)}")

    def weigh(self, value: JSON) -> JSON:
        """Give the value unless it holds too many others."""
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
    summary="Map twice: what the first mapping gives is the event of the second.",
    schema={
        "title": "Transform",
        "description": "Two mappings, one after the other.",
        "type": "object",
        "properties": {
            "apply": {"description": "The first mapping, of the event.", **_OBJECT_PART},
            "mapping": {"description": "The second, of what the first gives.", **_OBJECT_PART},
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
            note="The event itself is out of reach of the second mapping.",
            mapping={
                "user": {
                    "@transform": {"apply": {"a": 1}, "mapping": {"id": {"@path": "$.userId"}}}
                }
            },
            event={"userId": "u1"},
            output={"user": {}},
        ),
        DirectiveExample(
            note="Both parts are needed.",
            mapping={"user": {"@transform": {"mapping": {}}}},
            event={},
            refusal='/user/@transform should have field "apply" but it doesn\'t.',
        ),
        DirectiveExample(
            note="Items of lists are transformed when they are objects.",
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

READING: Final = (PATH, ARRAY_PATH, LITERAL, IF, TRANSFORM)
