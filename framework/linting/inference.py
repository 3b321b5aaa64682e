"""Type inference for mappings: a typing function for each directive.

Each function mirrors the directive of that name (framework.mapping) and over-approximates: the type
contains every value that the events of a model may produce, size limits aside. Inference also
notes paths that do not exist and templates that render objects.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from framework.errors import MappingError
from framework.linting.issues import DocumentPath
from framework.linting.text_spellings import spelling_of
from framework.linting.type_scopes import TypeScope, check_path
from framework.linting.value_types import (
    ANYTHING,
    NOTHING,
    Members,
    Text,
    Type,
    constant,
    fallible,
    join,
    listed,
    optional,
    present,
)
from framework.mapping import ROOT_DIRECTIVE, compile_mapping
from framework.paths import JSON, MISSING, Path

_NONE: Final = Members({}, NOTHING)
_ONE: Final = re.compile(r"\{\{[^{}]+\}\}|\{\{\{[^{}]+\}\}\}")


def infer(raw: JSON, place: DocumentPath, scope: TypeScope) -> Type:
    """Return the type of the values that a part of a mapping produces."""
    scope.budget.spend(30)
    if not _has_directive(raw):
        return constant(raw)
    if isinstance(raw, list):
        parts = [listed(infer(v, (*place, str(i)), scope)) for i, v in enumerate(raw)]
        items = scope.join(*parts)
        return Type(items=items, may_fail=items.may_fail)
    name = next((key for key in raw if key[:1] == "@"), None)
    if name is None:
        known = {key: infer(item, (*place, key), scope) for key, item in raw.items()}
        made = Type(members=Members(known, NOTHING))
        return fallible(made) if any(item.may_fail for item in known.values()) else made
    typing = TYPINGS.get(name, _typed_unknown)
    return typing(raw[name], (*place, name), scope)


def _has_directive(raw: JSON) -> bool:
    waiting = [raw]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if any(key[:1] == "@" for key in value):
                return True
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return False


# One function for each directive; its parameters: argument, place of the argument, scope


def _typed_unknown(argument: JSON, place: DocumentPath, scope: TypeScope) -> Type:
    del argument, place, scope
    return fallible(ANYTHING)


def _typed_path(argument: JSON, place: DocumentPath, scope: TypeScope) -> Type:
    if not isinstance(argument, str):
        infer(argument, place, scope)
        return fallible(ANYTHING)
    path = Path.parse(argument)
    if path not in scope.facts:
        check_path(path, place, scope)
    return scope.read(path)


def _typed_template(argument: JSON, place: DocumentPath, scope: TypeScope) -> Type:
    if not isinstance(argument, str):
        infer(argument, place, scope)
        return fallible(Type(text=Text()))
    paths = _paths_of({"@template": argument}, scope)
    if not paths:
        return constant(argument)
    for path in paths:
        if path not in scope.facts:
            check_path(path, place, scope)
        _check_printed(path, present(scope.read(path)), place, scope)
    only = scope.read(paths[0])
    if _ONE.fullmatch(argument):
        return _printed(only)
    return Type(text=Text(nonempty=not argument.startswith("{{") or not argument.endswith("}}")))


def _check_printed(path: Path, printed: Type, place: DocumentPath, scope: TypeScope) -> None:
    """Note a placeholder whose value is always an object."""
    if printed.members is None or any((printed.text, printed.number, printed.boolean)):
        return
    if printed.items is None and not printed.values:
        scope.note(
            "AD506", place, f"`{path}` is an object, which renders as `[object Object]`.",
            "Use one of its members, or encode it with `@json`.",
        )  # fmt: skip


def _printed(found: Type) -> Type:
    """Return the type of the text that a single placeholder renders."""
    plain = not any((found.boolean, found.number, found.members, found.items is not None))
    blank = ("",) if found.missing or found.null or None in found.values else ()
    values = present(found).values
    if plain and all(isinstance(value, str) for value in values):
        return Type(text=found.text, values=tuple(dict.fromkeys((*values, *blank))))
    return Type(text=Text())


def _typed_rendered(name: str) -> Typing:
    def typed(argument: JSON, place: DocumentPath, scope: TypeScope) -> Type:
        for path in _paths_of({name: argument}, scope):
            if path.parts:
                check_path(path, place, scope)
        return fallible(Type(text=Text()))

    return typed


def _typed_if(argument: JSON, place: DocumentPath, scope: TypeScope) -> Type:
    if not isinstance(argument, dict):
        return fallible(ANYTHING)
    part = "exists" if "exists" in argument else "blank"
    if not argument.get(part):
        return fallible(ANYTHING)
    scope = replace(scope, tentative=True)
    tested = infer(argument[part], (*place, part), scope)
    holds, fails = _outcomes(tested, part)
    _check_branches(argument, part, place, scope)
    known = _knowing(argument[part], part, tested, scope)
    ways = []
    if holds:
        ways.append(_branch(argument, "then", place, known))
    if fails:
        ways.append(_branch(argument, "else", place, scope))
    made = scope.join(*ways) if ways else NOTHING
    return fallible(made) if tested.may_fail else made


def _check_branches(
    argument: dict[str, JSON], part: str, place: DocumentPath, scope: TypeScope
) -> None:
    """Note a condition that has the same result for every event, whatever events contain."""
    if not scope.checks_branches or spelling_of(argument[part]):
        return
    anything = replace(
        scope,
        whole=replace(ANYTHING, missing=False),
        issues={},
        model=None,
        checks_branches=False,
    )
    holds, fails = _outcomes(infer(argument[part], (*place, part), anything), part)
    if holds and fails:
        return
    always, unused = ("always", "else") if holds else ("never", "then")
    message = f"The condition `{part}` {always} holds"
    unused_text = f", so `{unused}` is never used" if unused in argument else ""
    template = isinstance(argument[part], dict) and "@template" in argument[part]
    hint = "A template always gives text, which may be empty; `blank` tests for that." if (
        template and part == "exists"
    ) else "Test a path of the event, or remove the condition."  # fmt: skip
    scope.note("AD516", (*place, part), f"{message}{unused_text}.", hint)


def _branch(argument: dict[str, JSON], name: str, place: DocumentPath, scope: TypeScope) -> Type:
    if name not in argument or (name == "else" and argument[name] in (None, "")):
        return NOTHING
    return infer(argument[name], (*place, name), scope)


def _outcomes(tested: Type, part: str) -> tuple[bool, bool]:
    """Return whether a test may be true, and whether it may be false."""
    there = present(tested)
    holds = there.is_present
    if part == "exists":
        return holds, tested.missing or tested.null or None in tested.values
    filled = [value for value in there.values if isinstance(value, str) and value]
    certain = there.members is not None or (there.text is not None and there.text.nonempty)
    certain = certain or bool(filled)
    doubts = there.boolean or there.number or there.items is not None
    doubts = doubts or len(filled) < len(there.values)
    if tested.missing or tested.null or doubts or (there.text and not there.text.nonempty):
        return holds, True
    return holds, not certain


def _knowing(tested: JSON, part: str, found: Type, scope: TypeScope) -> TypeScope:
    """Return the scope in which the tested path has a value."""
    argument = tested.get("@path") if isinstance(tested, dict) and len(tested) == 1 else None
    if not isinstance(argument, str):
        return scope
    there = present(found)
    if part == "blank":
        values = tuple(value for value in there.values if value)
        text = there.text and replace(there.text, nonempty=True)
        there = replace(there, text=text, values=values)
    return scope.knowing(Path.parse(argument), there)


def _typed_array_path(argument: JSON, place: DocumentPath, scope: TypeScope) -> Type:
    if not isinstance(argument, list) or not argument:
        return fallible(ANYTHING)
    first = argument[0]
    root = _typed_path(first, (*place, "0"), scope) if isinstance(first, str) else (
        infer(first, (*place, "0"), scope)
    )  # fmt: skip
    shape = argument[1] if len(argument) > 1 else None
    if not (isinstance(shape, dict) and shape):
        return root
    items = [constant(item) for value in root.values if isinstance(value, list) for item in value]
    items += [constant(value) for value in root.values if isinstance(value, dict)]
    items += [root.items] if root.items is not None else []
    items += [Type(members=root.members)] if root.members else []
    inner = scope.inside(replace(scope.join(*items), missing=False))
    if root.is_anything or root.items is ANYTHING:
        inner = replace(inner, whole=replace(ANYTHING, missing=False))
    made = listed(infer(shape, (*place, "1"), inner)) if items else Type()
    scalars = tuple(value for value in root.values if not isinstance(value, dict | list))
    shaped = Type(items=made) if items or len(scalars) < len(root.values) else Type()
    kept = replace(root, items=None, members=None, values=scalars)
    whole = scope.join(kept, shaped)
    return fallible(whole) if made.may_fail else whole


def _typed_case(argument: JSON, place: DocumentPath, scope: TypeScope) -> Type:
    if not isinstance(argument, dict) or not argument.get("operator"):
        return fallible(ANYTHING)
    if not argument.get("value"):
        return NOTHING
    found = infer(argument["value"], (*place, "value"), scope)
    change = {"lower": str.lower, "upper": str.upper}.get(str(argument["operator"]))
    if change is None:
        return fallible(found)
    values = tuple(change(v) if isinstance(v, str) else v for v in found.values)
    return replace(found, text=found.text and Text(nonempty=found.text.nonempty), values=values)


def _typed_replace(argument: JSON, place: DocumentPath, scope: TypeScope) -> Type:
    if not isinstance(argument, dict) or not argument.get("pattern"):
        return fallible(ANYTHING)
    if not argument.get("value"):
        return NOTHING
    found = infer(argument["value"], (*place, "value"), scope)
    made = Type(text=Text())
    return (
        fallible(made) if found.may_fail or _mapping_faults({"@replace": argument}, scope) else made
    )


def _typed_merge(argument: JSON, place: DocumentPath, scope: TypeScope) -> Type:
    objects = argument.get("objects") if isinstance(argument, dict) else None
    direction = argument.get("direction") if isinstance(argument, dict) else None
    if not isinstance(objects, list) or not direction:
        return fallible(ANYTHING)
    where = (*place, "objects")
    parts = [infer(each, (*where, str(i)), scope) for i, each in enumerate(objects)]
    if _has_directive(direction):
        return fallible(Type(members=Members()))
    if isinstance(direction, str) and direction.lower() == "left":
        parts.reverse()
    scope.budget.visit(*parts)
    made = Type(members=_merged([_members_of(part) for part in parts], scope))
    return fallible(made) if any(part.may_fail for part in parts) else made


def _members_of(part: Type) -> Members | None:
    """Return the members that the objects of a type contribute; None if it has no objects."""
    found = [Type(members=part.members)] if part.members else []
    others = replace(part, members=None, values=())
    constants = [value for value in part.values if isinstance(value, dict)]
    found += [
        Type(members=Members({key: constant(item) for key, item in value.items()}, NOTHING))
        for value in constants
    ]
    whole = join(*found).members
    if whole is None or len(constants) < len(part.values) or others.is_present or others.missing:
        known = {key: optional(item) for key, item in whole.known.items()} if whole else {}
        return Members(known, whole.rest) if whole else None
    return whole


def _merged(parts: list[Members | None], scope: TypeScope) -> Members:
    made = _NONE
    for part in filter(None, parts):
        scope.budget.spend(5 * (len(made.known) + len(part.known)))
        keys = dict.fromkeys((*made.known, *part.known))
        pairs = {key: (part.get(key), made.get(key)) for key in keys}
        known = {
            key: join(later, earlier) if later.missing else later
            for key, (later, earlier) in pairs.items()
        }
        rest = None if part.rest is None or made.rest is None else join(part.rest, made.rest)
        made = Members(known, rest)
    return made


def _typed_flatten(argument: JSON, place: DocumentPath, scope: TypeScope) -> Type:
    if not isinstance(argument, dict) or not isinstance(argument.get("separator"), str):
        return fallible(Type(members=Members()))
    found = infer(argument.get("value", MISSING), (*place, "value"), scope)
    made = Type(members=Members())
    return fallible(made) if found.may_fail or not argument["separator"] else made


def _typed_json(argument: JSON, place: DocumentPath, scope: TypeScope) -> Type:
    if not isinstance(argument, dict) or not argument.get("value"):
        return fallible(ANYTHING)
    found = infer(argument["value"], (*place, "value"), scope)
    mode = str(argument.get("mode")).lower()
    if mode == "encode":
        return replace(
            Type(missing=found.missing), text=Text(nonempty=True), may_fail=found.may_fail
        )
    if mode != "decode":
        return fallible(NOTHING)
    texts = found.text is not None or any(isinstance(value, str) for value in found.values)
    return scope.join(found, replace(ANYTHING, missing=found.missing)) if texts else found


def _typed_transform(argument: JSON, place: DocumentPath, scope: TypeScope) -> Type:
    if not isinstance(argument, dict) or not argument.get("mapping"):
        return fallible(ANYTHING)
    apply = argument.get("apply")
    inner = infer(apply, (*place, "apply"), scope)
    if isinstance(apply, dict) and ROOT_DIRECTIVE in apply:
        inner = fallible(ANYTHING)
    found = infer(argument["mapping"], (*place, "mapping"), scope.inside(inner))
    objects_only = scope.model is not None or _is_object(scope.whole)
    nested = _mapping_faults({"@transform": argument}, scope)
    return found if objects_only and not (inner.may_fail or nested) else fallible(found)


def _is_object(found: Type) -> bool:
    rest = replace(found, members=None)
    return found.members is not None and not (rest.is_present or rest.missing)


def _typed_exclude_when_null(argument: JSON, place: DocumentPath, scope: TypeScope) -> Type:
    found = infer(argument, place, scope)
    scope.budget.visit(found)
    return _without_null(found, 0)


def _without_null(found: Type, level: int) -> Type:
    if found.is_anything or level > 8:
        return ANYTHING if not found.may_fail else fallible(ANYTHING)
    if not (found.null or found.members or found.values):
        return found
    values = tuple(value for value in found.values if not isinstance(value, dict | list | None))
    complex_ = len([value for value in found.values if value is not None]) > len(values)
    members = found.members
    if members:
        known = {key: _without_null(item, level + 1) for key, item in members.known.items()}
        members = Members(known, members.rest and _without_null(members.rest, level + 1))
    nulls = found.missing or found.null or None in found.values
    made = replace(found, missing=nulls, null=False, members=members, values=values)
    return join(made, replace(ANYTHING, missing=False)) if complex_ else made


def _paths_of(raw: JSON, scope: TypeScope) -> list[Path]:
    scope.budget.compile(raw)
    try:
        return sorted(compile_mapping(raw).paths, key=lambda path: path.parts)
    except MappingError:
        return []


def _mapping_faults(raw: JSON, scope: TypeScope) -> tuple[str, ...]:
    scope.budget.compile(raw)
    try:
        return compile_mapping(raw).faults
    except MappingError as error:
        return error.problems


Typing = Callable[[Any, DocumentPath, TypeScope], Type]

TYPINGS: Final[dict[str, Typing]] = {
    "@path": _typed_path,
    "@literal": infer,
    "@template": _typed_template,
    "@liquid": _typed_rendered("@liquid"),
    "@jinja": _typed_rendered("@jinja"),
    "@if": _typed_if,
    "@arrayPath": _typed_array_path,
    "@case": _typed_case,
    "@replace": _typed_replace,
    "@merge": _typed_merge,
    "@flatten": _typed_flatten,
    "@json": _typed_json,
    "@transform": _typed_transform,
    "@excludeWhenNull": _typed_exclude_when_null,
}
"""The typing function of each built-in directive; others may produce any value."""
