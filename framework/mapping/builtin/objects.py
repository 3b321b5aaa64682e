"""Directives that combine and change objects: @merge, @flatten, @excludeWhenNull."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from framework.mapping.directives import Directive, DirectiveBuilder, DirectiveExample
from framework.mapping.expressions import (
    Applied,
    ConstantExpression,
    EvaluationScope,
    Expression,
    Object,
    PatchOf,
    found,
    listed,
    located,
    refuse,
)
from framework.mapping.javascript import (
    MAX_NESTING,
    MAX_TEXT,
    is_truthy,
    too_deep,
    too_long,
)
from framework.mapping.shape_checks import (
    Where,
    be_anything,
    check_directive_or_any,
    check_directive_or_object,
    check_list,
    check_string,
    object_with,
    one_of,
)
from framework.paths import JSON, MISSING

_ANY_PART: Final = {"$ref": "#/$defs/value"}


def _combined(*objects: JSON) -> dict[str, JSON]:
    return {key: item for each in objects if isinstance(each, dict) for key, item in each.items()}


def _without_missing(value: dict[str, JSON]) -> dict[str, JSON]:
    return {key: item for key, item in value.items() if item is not MISSING}


@dataclass(frozen=True)
class Merged(Expression):
    """Objects merged into one, later ones first in precedence; other values add nothing."""

    parts: tuple[Expression, ...]

    @property
    def children(self) -> tuple[Expression, ...]:
        return self.parts

    @property
    def always(self) -> bool:
        return True

    @property
    def patches(self) -> bool:
        return any(part.patches for part in self.parts)

    def evaluate(self, value: JSON) -> JSON:
        return _without_missing(self.patch(value))

    def patch(self, value: JSON) -> dict[str, JSON]:
        return _combined(*(part.patch(value) for part in self.parts))

    def emit(self, scope: EvaluationScope) -> str:
        first = self.parts[0] if self.parts else ConstantExpression({})
        if isinstance(first, Object):
            result = first.emit(scope)
        else:
            result = scope.code.fresh()
            scope.code.line(f"{result} = {{}}")
            _emit_into(result, first, scope)
        for part in self.parts[1:]:
            _emit_into(result, part, scope)
        return result

    def emit_patch(self, scope: EvaluationScope) -> str:
        return scope.call(_combined, *(part.emit_patch(scope) for part in self.parts))


def _emit_into(result: str, part: Expression, scope: EvaluationScope) -> None:
    if isinstance(part, Object):
        for key, child in part.items:
            _emit_key(result, key, child, scope)
    elif part.patches:
        patch = part.emit_patch(scope)
        scope.code.line(f"{scope.code.literal(_patch_into, 'merge')}({result}, {patch})")
    else:
        text = part.emit(scope)
        scope.code.line(f"if isinstance({text}, dict): {result}.update({text})")


def _emit_key(result: str, key: str, child: Expression, scope: EvaluationScope) -> None:
    text = child.emit(scope)
    if child.always:
        scope.code.line(f"{result}[{key!a}] = {text}")
        return
    with scope.code.block(f"if {text} is MISSING:"):
        scope.code.line(f"{result}.pop({key!a}, None)")
    with scope.code.block("else:"):
        scope.code.line(f"{result}[{key!a}] = {text}")


def _patch_into(result: dict[str, JSON], patch: JSON) -> None:
    for key, item in patch.items() if isinstance(patch, dict) else ():
        if item is MISSING:
            result.pop(key, None)
        else:
            result[key] = item


def _build_merge(argument: JSON, where: str, builder: DirectiveBuilder) -> Expression:
    if not isinstance(argument, dict):
        return builder.refuse(where, f"must be an object, got {found(argument)}")
    direction, objects = argument.get("direction"), argument.get("objects")
    if not is_truthy(direction):
        return builder.refuse(f"{where}/direction", "must be one of left, right")
    if not isinstance(objects, list):
        return builder.refuse(f"{where}/objects", f"must be a list, got {found(objects)}")
    built = builder.build(direction, f"{where}/direction")
    parts = tuple(
        builder.build(item, f"{where}/objects/{index}") for index, item in enumerate(objects)
    )
    if isinstance(built, ConstantExpression):
        return Merged(parts[::-1] if _is_left(built.value) else parts)
    arguments = (built, *(PatchOf(part) for part in parts))
    return Applied(_merged_by, arguments, certain=True, patcher=_combined_by)


def _is_left(direction: JSON) -> bool:
    return isinstance(direction, str) and direction.lower() == "left"


def _combined_by(direction: JSON, *objects: JSON) -> dict[str, JSON]:
    return _combined(*(objects[::-1] if _is_left(direction) else objects))


def _merged_by(direction: JSON, *objects: JSON) -> dict[str, JSON]:
    return _without_missing(_combined_by(direction, *objects))


def _check_merge(argument: JSON, where: Where) -> list[str]:
    problems = _check_merge_parts(argument, where)
    # Segment stops at the first invalid object and does not report its position.
    objects = [] if problems else argument["objects"]
    return problems or next(
        (found for item in objects if (found := check_directive_or_object(item, ()))), []
    )


_check_merge_parts = object_with(
    required={"objects": check_list}, optional={"direction": one_of("left", "right")}
)

MERGE = Directive(
    name="@merge",
    summary="Merge objects into one.",
    schema={
        "title": "Merge",
        "description": "Objects to merge, one level deep.",
        "type": "object",
        "properties": {
            "objects": {"type": "array", "items": _ANY_PART},
            "direction": {
                "description": "The object whose value is used if several have a key: `right` for "
                "the last, `left` for the first.",
                "enum": ["left", "right"],
            },
        },
        "required": ["objects", "direction"],
    },
    examples=(
        DirectiveExample(
            note="With `right`, later objects take precedence.",
            mapping={
                "user": {
                    "@merge": {
                        "direction": "right",
                        "objects": [{"plan": "free", "id": 1}, {"@path": "$.traits"}],
                    }
                }
            },
            event={"traits": {"plan": "pro"}},
            output={"user": {"plan": "pro", "id": 1}},
        ),
        DirectiveExample(
            note="With `left`, earlier ones do.",
            mapping={"user": {"@merge": {"direction": "left", "objects": [{"a": 1}, {"a": 2}]}}},
            event={},
            output={"user": {"a": 1}},
        ),
        DirectiveExample(
            note="Values that are not objects add nothing.",
            mapping={
                "user": {
                    "@merge": {"direction": "right", "objects": [{"a": 1}, {"@path": "$.tags"}]}
                }
            },
            event={"tags": ["x"]},
            output={"user": {"a": 1}},
        ),
        DirectiveExample(
            note="A key without a value removes the key of an earlier object.",
            mapping={
                "user": {
                    "@merge": {
                        "direction": "right",
                        "objects": [{"@path": "$.traits"}, {"plan": {"@path": "$.plan"}}],
                    }
                }
            },
            event={"traits": {"plan": "pro"}},
            output={"user": {}},
        ),
        DirectiveExample(
            note="Only two directions are valid.",
            mapping={"user": {"@merge": {"direction": "up", "objects": []}}},
            event={},
            refusal='/user/@merge/direction should be one of left, right but it is "up".',
        ),
    ),
    check=_check_merge,
    build=_build_merge,
)


def _flattener(separator: str, *, lists: bool) -> Callable[[JSON], JSON]:
    """Return a function that flattens objects, and with *lists* also lists."""
    entered = (dict, list) if lists else (dict,)

    def flatten(value: JSON) -> JSON:
        flat: dict[str, JSON] = {}
        budget = 4 * MAX_TEXT

        def visit(value: JSON, prefix: str, depth: int) -> None:
            nonlocal budget
            if not isinstance(value, entered):
                flat[prefix] = value
                return
            if depth > MAX_NESTING:
                raise too_deep()
            for key, item in _entries(value):
                longer = f"{prefix}{separator}{key}" if prefix else key
                budget -= len(longer) + 1
                if budget < 0:
                    raise too_long()
                visit(item, longer, depth + 1)

        visit(value, "", 1)
        return flat

    return flatten


def _entries(value: JSON) -> list[tuple[str, JSON]]:
    if isinstance(value, dict):
        return list(value.items())
    return [(str(index), item) for index, item in enumerate(value)]


def _build_flatten(argument: JSON, where: str, builder: DirectiveBuilder) -> Expression:
    if not isinstance(argument, dict):
        return builder.refuse(where, f"must be an object, got {found(argument)}")
    if not is_truthy(argument.get("separator")):
        return builder.refuse(f"{where}/separator", "must be a non-empty string")
    separator = builder.build(argument["separator"], f"{where}/separator")
    value = builder.build(argument.get("value", MISSING), f"{where}/value")
    lists = not is_truthy(argument.get("omitArrays"))

    def flatten(separator: JSON, value: JSON) -> JSON:
        if not isinstance(separator, str):
            refuse(f"{where}/separator", f"must give a string, got {found(separator)}")
        return _flattener(separator, lists=lists)(value)

    if isinstance(separator, ConstantExpression) and not isinstance(separator.value, str):
        builder.fault(f"{where}/separator", f"must be a string, got {found(separator.value)}")
    return Applied(
        located(where, lambda *both: _without_missing(flatten(*both))),
        (separator, PatchOf(value) if lists else value),
        certain=True,
        patcher=located(where, flatten),
    )


FLATTEN = Directive(
    name="@flatten",
    summary="Flatten nested values into one object with joined keys.",
    schema={
        "title": "Flatten",
        "description": "A value, and the separator of the joined keys.",
        "type": "object",
        "properties": {
            "value": _ANY_PART,
            "separator": {
                "type": "string",
                "minLength": 1,
                "description": "The text between two keys.",
            },
            "omitArrays": {
                "type": "boolean",
                "description": "Keep lists unchanged. Default: false.",
            },
        },
        "required": ["value", "separator"],
    },
    examples=(
        DirectiveExample(
            note="Keys of list items are their positions.",
            mapping={"flat": {"@flatten": {"value": {"@path": "$.p"}, "separator": "."}}},
            event={"p": {"a": {"b": 1}, "c": [True, {"d": None}]}},
            output={"flat": {"a.b": 1, "c.0": True, "c.1.d": None}},
        ),
        DirectiveExample(
            note="`omitArrays` keeps lists unchanged.",
            mapping={
                "flat": {
                    "@flatten": {"value": {"@path": "$.p"}, "separator": "_", "omitArrays": True}
                }
            },
            event={"p": {"a": {"b": [1, 2]}}},
            output={"flat": {"a_b": [1, 2]}},
        ),
        DirectiveExample(
            note="Empty objects and lists are dropped; a value of another type has the empty key.",
            mapping={"flat": {"@flatten": {"value": {"@path": "$.p"}, "separator": "."}}},
            event={"p": 5},
            output={"flat": {"": 5}},
        ),
        DirectiveExample(
            note="The separator is required.",
            mapping={"flat": {"@flatten": {"value": {"@path": "$.p"}}}},
            event={"p": {}},
            refusal="`/flat/@flatten/separator` must be a non-empty string.",
        ),
        DirectiveExample(
            note="The value is required.",
            mapping={"flat": {"@flatten": {"separator": "."}}},
            event={},
            refusal='/flat/@flatten should have field "value" but it doesn\'t.',
        ),
    ),
    check=object_with(required={"value": be_anything}, optional={"separator": check_string}),
    build=_build_flatten,
)


def _nulls_missing(value: JSON, depth: int = 1) -> JSON:
    """Return the value with MISSING for the nulls of its object, and without deeper ones."""
    if value is None:
        return MISSING
    if not isinstance(value, dict):
        return value
    if depth > MAX_NESTING:
        raise too_deep()
    return {
        key: _without_missing(_nulls_missing(item, depth + 1))
        if isinstance(item, dict)
        else MISSING
        if item is None
        else item
        for key, item in value.items()
    }


def _without_nulls(value: JSON) -> JSON:
    cleaned = _nulls_missing(value)
    if isinstance(cleaned, list):
        return [listed(item) for item in cleaned]
    return _without_missing(cleaned) if isinstance(cleaned, dict) else cleaned


def _build_exclude_when_null(argument: JSON, where: str, builder: DirectiveBuilder) -> Expression:
    return Applied(
        located(where, _without_nulls),
        (PatchOf(builder.build(argument, where)),),
        patcher=located(where, _nulls_missing),
    )


EXCLUDE_WHEN_NULL = Directive(
    name="@excludeWhenNull",
    summary="Remove nulls, also those inside objects.",
    schema={"title": "Exclude when null", "description": "The value.", "$ref": "#/$defs/value"},
    examples=(
        DirectiveExample(
            note="A null has no value.",
            mapping={"id": {"@excludeWhenNull": {"@path": "$.userId"}}},
            event={"userId": None},
            output={},
        ),
        DirectiveExample(
            note="Nulls are removed from nested objects, but not from lists.",
            mapping={"traits": {"@excludeWhenNull": {"@path": "$.traits"}}},
            event={"traits": {"a": None, "b": {"c": None}, "d": [None], "e": 0}},
            output={"traits": {"b": {}, "d": [None], "e": 0}},
        ),
        DirectiveExample(
            note="A directive in the argument is checked.",
            mapping={"id": {"@excludeWhenNull": {"@path": 5}}},
            event={},
            refusal=(
                "/id/@excludeWhenNull/@path should be a string or a mapping directive but it is a "
                "number."
            ),
        ),
    ),
    check=check_directive_or_any,
    build=_build_exclude_when_null,
)

OBJECTS: Final = (MERGE, FLATTEN, EXCLUDE_WHEN_NULL)
