"""The page of the contract of authors: every hook and function, from the hookspecs and classes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any, Final

from framework import hookspecs
from framework.catalogue.contract_texts import (
    ARGUMENT_TEXTS,
    ATTRIBUTE_TEXTS,
    FUNCTION_TEXTS,
    HOOK_TEXTS,
    FunctionText,
)
from framework.catalogue.markdown import code, heading, items, table
from framework.plugins import HOOKS

_INTRODUCTION: Final = """\
A destination is a module with hooks: functions that are marked with `@hookimpl`.
Each names only the arguments that it uses, in any order and without default values, so that \
new arguments do not break existing plugins.
`destination` is required, and `perform` or `perform_batch`; all others are optional.
Loading checks hooks: a misspelt name, an unknown argument, a default value, `*args`, \
an `async` or a generator function is reported with file and line.

Functions that belong to one declared thing, such as the choices of one field, are attributes of \
declared values; they are listed after the hooks."""

_ARGUMENT: Final = re.compile(r"\*(\w+)\*")
"""How docstrings name an argument."""

_TYPE_VARIABLES: Final = {
    "SettingsT": "your Settings class",
    "InputsT": "your class of inputs",
    "ChosenT": "your class of audience settings",
}


def contract_page() -> str:
    """Return the page in Markdown: each hook, each function, and the objects that they get."""
    parts = [heading(1, "Hooks"), _INTRODUCTION, _overview()]
    parts += [part for hook in HOOKS for part in _hook(hook)]
    parts += [heading(2, "Functions of declared values"), _functions()]
    parts += [part for one in FUNCTION_TEXTS for part in _function(one)]
    calls = dict.fromkeys(one.call for one in FUNCTION_TEXTS if one.call)
    parts += [heading(2, "What these functions get")]
    parts += [part for call in calls for part in _call(call)]
    return "\n\n".join(parts) + "\n"


def _overview() -> str:
    rows = [(code(hook), paragraphs(getattr(hookspecs, hook))[0]) for hook in HOOKS]
    return table(("Hook", "Purpose"), rows)


def _hook(name: str) -> Iterator[str]:
    spec = getattr(hookspecs, name)
    texts = HOOK_TEXTS[name]
    yield heading(2, code(name))
    yield from paragraphs(spec)
    returns = str(inspect.signature(spec).return_annotation)
    yield items([f"Called: {texts.called}", f"Returns: {code(returns)}", f"Errors: {texts.errors}"])
    arguments = inspect.signature(spec).parameters.values()
    if arguments:
        rows = [(code(one.name), *_argument(one)) for one in arguments]
        yield table(("Argument", "Type", "Meaning"), rows)
    if texts.example:
        yield f"```python\n@hookimpl\n{texts.example}\n```"


def _argument(argument: inspect.Parameter) -> tuple[str, str]:
    """Return type and meaning of an argument."""
    known = ARGUMENT_TEXTS[argument.name]
    type_ = known.type or str(argument.annotation)
    return (type_ if "your" in type_ and "[" not in type_ else code(type_)), known.meaning


def _functions() -> str:
    rows = [(code(_place(one)), one.purpose) for one in FUNCTION_TEXTS]
    return table(("Function", "Purpose"), rows)


def _place(one: FunctionText) -> str:
    return f"{one.owner.__name__}.{one.name}"


def _function(one: FunctionText) -> Iterator[str]:
    yield heading(3, code(_place(one)))
    yield one.purpose
    facts = [f"Form: {code(one.signature)}", f"Called: {one.called}"]
    if one.call:
        facts.append(f"`call` is a {_link(one.call)}.")
    yield items([*facts, f"Returns: {one.returns}", f"Errors: {one.errors}"])


def _link(call: type) -> str:
    return f"[{call.__name__}](#{call.__name__.lower()})"


def _call(call: type[Any]) -> Iterator[str]:
    yield heading(3, code(call.__name__))
    yield paragraphs(call)[0]
    rows = [(code(one.name), _shown(str(one.type)), ATTRIBUTE_TEXTS[one.name])
            for one in fields(call)]  # fmt: skip
    yield table(("Attribute", "Type", "Meaning"), rows)


def _shown(annotation: str) -> str:
    return _TYPE_VARIABLES.get(annotation) or code(annotation)


def paragraphs(documented: Any) -> list[str]:
    """Return the paragraphs of a docstring in Markdown, in which arguments are code."""
    text = inspect.getdoc(documented) or ""
    joined = (" ".join(part.split()) for part in text.split("\n\n"))
    return [_with_code(part) for part in joined]


def _with_code(text: str) -> str:
    """Return text with `*name*` of docstrings as code, except within code."""
    parts = text.split("`")
    parts[::2] = (_ARGUMENT.sub(r"`\1`", part) for part in parts[::2])
    return "`".join(parts)
