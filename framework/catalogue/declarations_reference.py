"""The page of the values that authors declare and return: their arguments, from signatures."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from typing import Any, Final, ForwardRef, Literal, get_args, get_origin

from framework import definition, delivery, errors, results, sandbox
from framework.catalogue.contract_reference import paragraphs
from framework.catalogue.markdown import code, heading, table

_INTRODUCTION: Final = """\
What the hooks of a destination return and what its definition consists of, with every argument.
All of them are imported from `framework`, those of sandboxes from `framework.sandbox`.
An argument without a default is required; those after `*` are given by name.
[fields.md](fields.md) lists the options of `field`, [results.md](results.md) describes results \
and exceptions, [migrations.md](migrations.md) the steps of migrations."""

_GROUPS: Final[tuple[tuple[str, tuple[Any, ...]], ...]] = (
    (
        "Definitions",
        (
            definition.Destination,
            definition.Action,
            definition.Batching,
            definition.Target,
            definition.Aliases,
            definition.Rate,
            definition.SyncMode,
            definition.Preset,
            definition.Audiences,
            definition.MappingHook,
            definition.Job,
            definition.Conflict,
        ),
    ),
    (
        "Rules across fields",
        (
            definition.OneOf,
            definition.AllOrNone,
            definition.AtMostOne,
            definition.Condition,
            definition.Conditions,
        ),
    ),
    (
        "Credentials",
        (
            delivery.api_key,
            delivery.bearer,
            delivery.basic,
            delivery.OAuthClientCredentials,
            delivery.OAuthRefreshToken,
            results.RefreshedToken,
        ),
    ),
    (
        "What hooks and functions return",
        (
            definition.RequestOptions,
            errors.ErrorDescription,
            results.ConnectionCheck,
            definition.Choices,
            definition.Choice,
            definition.Saved,
            definition.Pending,
        ),
    ),
    ("What tests and programs ask", (delivery.ChoicesQuery,)),
    (
        "Sandboxes",
        (
            sandbox.SandboxRequest,
            sandbox.SandboxResponse,
            sandbox.SandboxRoute,
            sandbox.LoggedRequest,
            sandbox.Fault,
            sandbox.Panel,
        ),
    ),
)

_PREFIX: Final = re.compile(r"\b(?:typing|collections\.abc)\.")
_WORD: Final = re.compile(r"\b[A-Za-z_]\w*\b")


def declarations_page() -> str:
    """Return the page in Markdown: every value by group, with its arguments."""
    parts = [heading(1, "Declared values"), _INTRODUCTION]
    for title, values in _GROUPS:
        parts.append(heading(2, title))
        parts += [part for value in values for part in _value(value)]
    return "\n\n".join(parts) + "\n"


def _value(value: Any) -> Iterator[str]:
    yield heading(3, code(value.__name__))
    yield from paragraphs(value)
    found = inspect.signature(value).parameters.values()
    rows = [(_name(one, [*found]), code(_type(value, one)), _default(one)) for one in found]
    yield table(("Argument", "Type", "Default"), rows)


def _name(argument: inspect.Parameter, every: list[inspect.Parameter]) -> str:
    """Return the name of an argument; the first that is given by name follows a `*`."""
    named = [one.name for one in every if one.kind is one.KEYWORD_ONLY]
    star = "`*` " if named and named[0] == argument.name else ""
    return f"{star}{code(argument.name)}"


def _type(value: Any, argument: inspect.Parameter) -> str:
    """Return the type of an argument as it is written, with the texts that an alias allows."""
    note = argument.annotation
    if isinstance(note, ForwardRef):
        note = note.__forward_arg__
    text = note if isinstance(note, str) else _written(note)
    known = vars(sys.modules[value.__module__])
    return _WORD.sub(lambda word: _literal(known.get(word[0])) or word[0], _PREFIX.sub("", text))


def _written(note: Any) -> str:
    return note.__name__ if isinstance(note, type) and not get_args(note) else str(note)


def _literal(alias: Any) -> str:
    if get_origin(alias) is not Literal:
        return ""
    return " | ".join(f'"{one}"' for one in get_args(alias))


def _default(argument: inspect.Parameter) -> str:
    default = argument.default
    if default is argument.empty:
        return ""
    if str(default) == "<factory>":
        return "empty"
    return code(default.__name__ if isinstance(default, type) else repr(default))
