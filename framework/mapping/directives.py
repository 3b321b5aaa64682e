"""The directive type and the registry of known directives."""

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
    """The services that a directive uses to turn its argument into an expression."""

    def build(self, raw: JSON, where: str) -> Expression:
        """Build any part of a mapping: a directive, an object, a list or a plain value."""

    def fields(self, raw: JSON, where: str) -> Expression:
        """Build a nested mapping, in which a root directive is allowed."""

    def refuse(self, where: str, what: str) -> Expression:
        """Record that *where* fails whenever it is evaluated; return the failing expression."""

    def fault(self, where: str, what: str) -> None:
        """Record that *where* can fail."""


ArgumentCheck: TypeAlias = Callable[[JSON, tuple[str, ...]], list[str]]
"""Returns the problems of a directive's argument, given the keys that lead to it."""


class DirectiveExample(NamedTuple):
    """A mapping, an event and the result: an output or an error message.

    *refusal* is the problem of the mapping's shape or the message of the rejected event.
    An *output* of MISSING means no value.
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
    mapping and `#/$defs/directive` is an object with one directive. *check* returns the problems
    of an argument before anything is built; *build* turns it into an expression, which implements
    the directive twice: interpreted and as generated code.
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
    """Register a directive for mappings that are compiled afterwards.

    Raises DefinitionError when its name is not `@` and a camel-case word or is taken, or when it
    has fewer than three examples or none with a refusal.
    """
    name, examples = directive.name, directive.examples
    if not _NAME.match(name):
        raise DefinitionError(
            f"`{name}` is not a valid directive name. Write `@` and a camel-case word."
        )
    if _known.get(name, directive) is not directive:
        raise DefinitionError(f"The directive `{name}` is already registered.")
    if len(examples) < 3 or all(example.refusal is None for example in examples):
        raise DefinitionError(
            f"Directive `{name}` needs at least three examples, one of them a refusal."
        )
    _known[name] = directive


def directive_of(raw: JSON) -> str | None:
    """Return the directive's name if *raw* is an object with one directive, else None."""
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
    """Return a directive that applies a *function* to its argument, which may hold directives.

    The function takes and returns a JSON value or MISSING and must not change its argument. It
    rejects a value with ValueError, whose text completes a sentence: `must be a string`.
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
