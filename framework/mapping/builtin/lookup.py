"""Directives that say where values come from: @path, @arrayPath, @literal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import ClassVar, Final

from framework.codegen import CodeValue, Each
from framework.mapping.directives import Directive, DirectiveBuilder, DirectiveExample
from framework.mapping.expressions import (
    WHOLE,
    Dynamic,
    EvaluationScope,
    Expression,
    Object,
    PathOf,
    emit_listed,
    found,
    listed,
    refuse,
)
from framework.mapping.shape_checks import (
    Where,
    check_directive_or_any,
    check_directive_or_string,
    check_list,
    check_value,
)
from framework.paths import ITEM, JSON, MISSING, Path, PathSteps

MAX_PATH: Final = 10_000
"""Characters of the longest path read from an event."""


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
    summary="Read the value at a path of the event.",
    schema={
        "title": "Path",
        "description": "A path in the event, such as `$.context.traits.email`.",
        "anyOf": [{"type": "string"}, {"$ref": "#/$defs/directive"}],
    },
    examples=(
        DirectiveExample(
            note="Dots select keys of objects, brackets select positions of lists.",
            mapping={"sku": {"@path": "$.properties.products[0].sku"}},
            event={"properties": {"products": [{"sku": "A1"}]}},
            output={"sku": "A1"},
        ),
        DirectiveExample(
            note="`$.` is the whole event.",
            mapping={"sent": {"@path": "$."}},
            event={"type": "page", "userId": "u-1"},
            output={"sent": {"type": "page", "userId": "u-1"}},
        ),
        DirectiveExample(
            note="A key with dots is written in quotes and brackets, or with backslashes.",
            mapping={
                "total": {"@path": "$.properties['cart.total']"},
                "text": {"@template": "{{properties.cart\\.total}}"},
            },
            event={"properties": {"cart.total": 9}},
            output={"total": 9, "text": "9"},
        ),
        DirectiveExample(
            note="A path that does not exist has no value, and the key is left out.",
            mapping={"sku": {"@path": "$.properties.sku"}},
            event={"properties": {}},
            output={},
        ),
        DirectiveExample(
            note="A path that meets null, false, 0 or an empty string ends there, with that value.",
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
            note="A path is a string.",
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
    """A list from the input with each item mapped; an object counts as a list of one."""

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
    summary="Read a list from the event and map each item.",
    schema={
        "title": "Array path",
        "description": "A path to a list, and the mapping of each item; its paths start at the "
        "item.",
        "type": "array",
        "prefixItems": [
            {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/directive"}]},
            {"$ref": "#/$defs/value"},
        ],
        "minItems": 1,
    },
    examples=(
        DirectiveExample(
            note="Paths of the second part start at the item.",
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
            note="Without a second part, or for values of other types, the value is unchanged.",
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
    summary="Use the argument itself as the value.",
    schema={"title": "Literal", "description": "The value.", "$ref": "#/$defs/value"},
    examples=(
        DirectiveExample(
            note="Placeholders are not replaced.",
            mapping={"text": {"@literal": "{{userId}}"}},
            event={"userId": "u1"},
            output={"text": "{{userId}}"},
        ),
        DirectiveExample(
            note="False, 0, null and the empty string are values.",
            mapping={"consent": {"@literal": False}},
            event={},
            output={"consent": False},
        ),
        DirectiveExample(
            note="Directives inside are evaluated.",
            mapping={"ids": {"@literal": [{"@path": "$.userId"}, 1]}},
            event={"userId": "u1"},
            output={"ids": ["u1", 1]},
        ),
        DirectiveExample(
            note="A directive is the only key of its object.",
            mapping={"id": {"@literal": {"a": 1, "@path": "$.userId"}}},
            event={},
            refusal="/id/@literal should only have one @-prefixed key but it has 2 keys.",
        ),
    ),
    check=check_directive_or_any,
    build=_build_literal,
)

LOOKUP: Final = (PATH, ARRAY_PATH, LITERAL)
