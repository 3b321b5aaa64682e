"""Checks of a mapping's shape, with the findings and the wording of Segment's implementation.

Each check takes a value and the keys that lead to it, and returns its problems. Segment does not
check lists, nor the plain objects below `@literal` and `@excludeWhenNull`.
"""

from __future__ import annotations

from typing import TypeAlias

from framework.mapping.directives import DIRECTIVES, ArgumentCheck
from framework.mapping.javascript import encode, kind_of, length
from framework.paths import JSON, MISSING

Where: TypeAlias = tuple[str, ...]


def problem(where: Where, what: str) -> list[str]:
    """Return one problem as Segment words it."""
    return [f"/{'/'.join(where)} {what}."]


def _shape_of(value: JSON) -> str:
    if isinstance(value, dict) and any(key[:1] == "@" for key in value):
        return "directive"
    return kind_of(value)


def _instead(value: JSON) -> str:
    return "but it is a directive" if _shape_of(value) == "directive" else _but(value)


def _but(value: JSON) -> str:
    kind = kind_of(value)
    return f"but it is {'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def check_value(value: JSON, where: Where = ()) -> list[str]:
    """Check any part of a mapping; objects and directives are checked recursively."""
    shape = _shape_of(value)
    if shape == "directive":
        return check_directive(value, where)
    return check_object(value, where) if shape == "object" else []


def check_directive(value: dict[str, JSON], where: Where) -> list[str]:
    """Check an object that has a key beginning with `@`."""
    names = [key for key in value if key[:1] == "@"]
    others = [key for key in value if key[:1] != "@" and key != "_metadata"]
    if len(names) > 1 or others:
        count = len(names) if len(names) > 1 else len(value)
        return problem(where, f"should only have one @-prefixed key but it has {count} keys")
    directive = DIRECTIVES.get(names[0])
    if directive is None:
        return problem(where, f"has an invalid directive: {names[0]}")
    return directive.check(value[names[0]], (*where, names[0]))


def check_object(value: JSON, where: Where) -> list[str]:
    """Check that a value is an object without directive, recursively."""
    if _shape_of(value) != "object":
        return problem(where, f"should be an object {_instead(value)}")
    return [text for key, item in value.items() for text in check_value(item, (*where, key))]


def check_list(value: JSON, where: Where) -> list[str]:
    """Check that a value is a list; its items are not checked."""
    return [] if isinstance(value, list) else problem(where, f"should be an array {_but(value)}")


def check_directive_or_any(value: JSON, where: Where) -> list[str]:
    """Check a value of any type; only a directive is checked recursively."""
    return check_directive(value, where) if _shape_of(value) == "directive" else []


def check_directive_or_string(value: JSON, where: Where) -> list[str]:
    """Check a value that is a string or a directive."""
    return be_directive_or_string(value, where) or check_directive_or_any(value, where)


def check_directive_or_object(value: JSON, where: Where) -> list[str]:
    """Check a value that is an object or a directive, recursively."""
    return be_directive_or_object(value, where) or check_value(value, where)


def be_anything(value: JSON, where: Where) -> list[str]:  # noqa: ARG001 - any value is valid
    """Accept any value."""
    return []


def be_directive_or_string(value: JSON, where: Where) -> list[str]:
    """Check a part that is a string or a directive, not recursively."""
    if isinstance(value, str) or _shape_of(value) == "directive":
        return []
    return problem(where, f"should be a string or a mapping directive {_instead(value)}")


def be_directive_or_object(value: JSON, where: Where) -> list[str]:
    """Check a part that is an object or a directive, not recursively."""
    if isinstance(value, dict):
        return []
    return problem(where, f"should be a object or a mapping directive {_instead(value)}")


def check_string(value: JSON, where: Where) -> list[str]:
    """Check that a value is a string."""
    return [] if isinstance(value, str) else problem(where, f"should be a string {_instead(value)}")


def check_boolean(value: JSON, where: Where) -> list[str]:
    """Check that a value is true or false."""
    if isinstance(value, bool):
        return []
    return problem(where, f"should be a boolean {_instead(value)}")


def one_of(*allowed: str) -> ArgumentCheck:
    """Return a check that a value is one of some words, ignoring case."""

    def check(value: JSON, where: Where) -> list[str]:
        if not isinstance(value, str):
            return check_string(value, where)
        if value.lower() in allowed:
            return []
        return problem(where, f"should be one of {', '.join(allowed)} but it is {encode(value)}")

    return check


def string_of(shortest: int, longest: int) -> ArgumentCheck:
    """Return a check that a value is a string with a length in UTF-16 units."""

    def check(value: JSON, where: Where) -> list[str]:
        if not isinstance(value, str):
            return check_string(value, where)
        size = length(value)
        if size < shortest:
            return problem(where, f"should be a string of length {shortest} or greater")
        if size > longest:
            return problem(where, f"should be a string of length {longest} or less")
        return []

    return check


def object_with(
    required: dict[str, ArgumentCheck] | None = None,
    optional: dict[str, ArgumentCheck] | None = None,
) -> ArgumentCheck:
    """Return a check of an argument with named parts; *required* ones are reported first.

    The contents of the argument are checked first; problems there hide problems of the parts, as
    in Segment's implementation. The checks of parts are therefore not recursive.
    """

    def check(value: JSON, where: Where) -> list[str]:
        problems = check_object(value, where)
        return problems or _check_parts(value, where, required or {}, optional or {})

    return check


def _check_parts(
    value: dict[str, JSON],
    where: Where,
    required: dict[str, ArgumentCheck],
    optional: dict[str, ArgumentCheck],
) -> list[str]:
    problems: list[str] = []
    for key, check in (required | optional).items():
        item = value.get(key, MISSING)
        if item is not MISSING:
            problems += check(item, (*where, key))
        elif key in required:
            problems += problem(where, f'should have field "{key}" but it doesn\'t')
    return problems
