"""What a directive is, and the register of those that are known."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from framework.errors import DefinitionError
from framework.mapping.expressions import Applied, Expression, located, refuse
from framework.paths import JSON, MISSING


class DirectiveBuilder(Protocol):
    """What a directive is given to turn its argument into an expression."""

    def build(self, raw: JSON, where: str) -> Expression:
        """Build any part of a mapping: a directive, an object, a list or a plain value."""

    def fields(self, raw: JSON, where: str) -> Expression:
        """Build a mapping of its own, in which a root directive is allowed."""

    def refuse(self, where: str, what: str) -> Expression:
        """Record that the place fails whenever it is reached, and give what fails there."""

    def fault(self, where: str, what: str) -> None:
        """Record that the place fails for some events whatever they hold."""


ArgumentCheck: TypeAlias = Callable[[JSON, tuple[str, ...]], list[str]]
"""Gives the problems of a directive's argument, each with the path of keys that leads to it."""


class DirectiveExample(NamedTuple):
    """A mapping, an event and what comes of them: an output, or the text of a refusal.

    *refusal* is the problem of the mapping's shape or the message of the failing event.
    An *output* of MISSING means that there is no value.
    """

    note: str
    mapping: JSON
    event: Mapping[str, Any]
    output: JSON = MISSING
    refusal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Directive:
    """One `@` function of the mapping language.

    *schema* is the JSON Schema of its argument, in which `#/$defs/value` is any part of a
    mapping and `#/$defs/directive` is an object with one directive. *check* finds what is wrong
    with an argument before anything is built; *build* turns it into an expression, which holds
    both meanings of the directive: interpreted and as generated source.
    """

    name: str
    summary: str
    schema: Mapping[str, Any]
    examples: tuple[DirectiveExample, ...]
    check: ArgumentCheck
    build: Callable[[JSON, str, DirectiveBuilder], Expression]


_NAME: Final = re.compile(r"@[a-z][a-zA-Z0-9]+\Z")
_known: Final[dict[str, Directive]] = {}

DIRECTIVES: Final[Mapping[str, Directive]] = MappingProxyType(_known)
"""Every known directive by name."""


def register_directive(directive: Directive) -> None:
    """Make a directive known to mappings that are compiled from now on.

    Raises DefinitionError when its name is not `@` and a camel-case word, is taken, or when it
    has fewer than three examples or none that is a refusal.
    """
    name, examples = directive.name, directive.examples
    if not _NAME.match(name):
        raise DefinitionError(f"A directive is named like `@word`, not `{name}`.")
    if _known.get(name, directive) is not directive:
        raise DefinitionError(f"There is already a directive `{name}`.")
    if len(examples) < 3 or all(example.refusal is None for example in examples):
        raise DefinitionError(
            f"Directive `{name}` needs at least three examples, one of them a refusal."
        )
    _known[name] = directive


def directive_of(raw: JSON) -> str | None:
    """Give the name of the directive that an object is, if it is one."""
    if not isinstance(raw, dict):
        return None
    names = [key for key in raw if key[:1] == "@"]
    plain = any(key[:1] != "@" and key != "_metadata" for key in raw)
    return names[0] if names and not plain else None


def value_directive(  # noqa: PLR0913 - a directive has these parts
    name: str,
    summary: str,
    *,
    schema: Mapping[str, Any],
    examples: tuple[DirectiveExample, ...],
    check: ArgumentCheck,
    function: Callable[[JSON], JSON],
) -> Directive:
    """Give a directive that applies a *function* to its argument, which may hold directives.

    The function gets a JSON value or MISSING and gives one, and leaves what it gets as it is. For
    a value that it cannot take it raises ValueError, whose text goes on after the place: `must be
    a text`.
    """

    def build(argument: JSON, where: str, builder: DirectiveBuilder) -> Expression:
        def apply(value: JSON) -> JSON:
            try:
                return function(value)
            except ValueError as error:
                refuse(where, str(error))

        return Applied(located(where, apply), (builder.build(argument, where),))

    return Directive(
        name=name, summary=summary, schema=schema, examples=examples, check=check, build=build
    )
