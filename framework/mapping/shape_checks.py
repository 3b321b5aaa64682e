"""Checks of a mapping's shape: what is reported, and in which words, is the reference's.

Each check takes a value and the keys that lead to it, and gives its problems. The reference does
not look into lists, nor into the plain objects below `@literal` and `@excludeWhenNull`.
"""

from __future__ import annotations

from typing import TypeAlias

from framework.mapping.directives import DIRECTIVES, ArgumentCheck
from framework.mapping.javascript import encode, kind_of, length
from framework.paths import JSON, MISSING

Where: TypeAlias = tuple[str, ...]


def problem(where: Where, what: str) -> list[str]:
    """Give one problem as the reference words it."""
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
    """Check any part of a mapping: objects and directives are entered."""
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
    """Check that a value is an object without directive, and everything in it."""
    if _shape_of(value) != "object":
        return problem(where, f"should be an object {_instead(value)}")
    return [text for key, item in value.items() for text in check_value(item, (*where, key))]


def check_list(value: JSON, where: Where) -> list[str]:
    """Check that a value is a list; its items are not looked at."""
    return [] if isinstance(value, list) else problem(where, f"should be an array {_but(value)}")


def check_directive_or_any(value: JSON, where: Where) -> list[str]:
    """Check a value that may be anything; only a directive is entered."""
    return check_directive(value, where) if _shape_of(value) == "directive" else []


def check_directive_or_string(value: JSON, where: Where) -> list[str]:
    """Check a value that is text or a directive that gives text."""
    return be_directive_or_string(value, where) or check_directive_or_any(value, where)


def check_directive_or_object(value: JSON, where: Where) -> list[str]:
    """Check a value that is an object or a directive that gives one."""
    return be_directive_or_object(value, where) or check_value(value, where)


def be_anything(value: JSON, where: Where) -> list[str]:  # noqa: ARG001 - it need only be there
    """Check a part that may be anything."""
    return []


def be_directive_or_string(value: JSON, where: Where) -> list[str]:
    """Check a part that is text or a directive, which is not entered."""
    if isinstance(value, str) or _shape_of(value) == "directive":
        return []
    return problem(where, f"should be a string or a mapping directive {_instead(value)}")


def be_directive_or_object(value: JSON, where: Where) -> list[str]:
    """Check a part that is an object or a directive, which are not entered."""
    if isinstance(value, dict):
        return []
    return problem(where, f"should be a object or a mapping directive {_instead(value)}")


def check_string(value: JSON, where: Where) -> list[str]:
    """Check that a value is text."""
    return [] if isinstance(value, str) else problem(where, f"should be a string {_instead(value)}")


def check_boolean(value: JSON, where: Where) -> list[str]:
    """Check that a value is true or false."""
    if isinstance(value, bool):
        return []
    return problem(where, f"should be a boolean {_instead(value)}")


def one_of(*allowed: str) -> ArgumentCheck:
    """Give a check that a value is one of some words, in any letter case."""

    def check(value: JSON, where: Where) -> list[str]:
        if not isinstance(value, str):
            return check_string(value, where)
        if value.lower() in allowed:
            return []
        return problem(where, f"should be one of {', '.join(allowed)} but it is {encode(value)}")

    return check


def string_of(shortest: int, longest: int) -> ArgumentCheck:
    """Give a check that a value is text of some length in UTF-16 units."""

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
    """Give a check of an argument with named parts; *required* ones are reported first.

    Everything inside the argument is checked before; what is wrong there hides what is wrong with
    the parts, as in the reference. The checks of parts therefore need not enter them.
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
