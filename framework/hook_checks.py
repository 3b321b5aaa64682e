"""What keeps the functions of a plugin from being called as hooks, and where its files say so."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Collection, Iterator
from inspect import Parameter
from typing import Any, Final

from framework.errors import UnknownNameError

_VARIADIC: Final = {Parameter.VAR_POSITIONAL: "*", Parameter.VAR_KEYWORD: "**"}


def place_of(function: Callable[..., Any]) -> str:
    """Return where *function* is written, as `FILE:LINE`; the empty text where nobody knows."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else ""


def place_of_error(error: BaseException, package: str) -> str:
    """Return the innermost line of *package* that an error passed, as `FILE:LINE`, if any."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = traceback.walk_tb(error.__traceback__)
    places = [
        f"{frame.f_code.co_filename}:{line}"
        for frame, line in frames
        if f"{frame.f_globals.get('__name__')}.".startswith(f"{package}.")
    ]
    return places[-1] if places else ""


def check_implementation(
    hook: str, function: Callable[..., Any], known: Collection[str], *, wraps: bool
) -> Iterator[str]:
    """Say why *function* cannot implement or wrap *hook*, whose arguments are *known*."""
    yield from _check_kind(hook, function, wraps=wraps)
    for argument in inspect.signature(function).parameters.values():
        yield from _check_argument(hook, argument, known)


def _check_kind(hook: str, function: Callable[..., Any], *, wraps: bool) -> Iterator[str]:
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        yield f"Hook `{hook}` is an `async` function. Write `def` in place of `async def`."
    elif inspect.isgeneratorfunction(function) and not wraps:
        yield f"Hook `{hook}` contains `yield`. Return the result in place of it."
    elif wraps and not inspect.isgeneratorfunction(function):
        yield f"The wrapper of hook `{hook}` contains no `yield`. Write `return (yield)`."


def _check_argument(hook: str, argument: Parameter, known: Collection[str]) -> Iterator[str]:
    name = argument.name
    if argument.kind in _VARIADIC:
        stars = _VARIADIC[argument.kind]
        yield (
            f"Hook `{hook}` takes `{stars}{name}`. Name the arguments that it uses in place of it: "
            f"{', '.join(sorted(known)) or 'there are none'}."
        )
        return
    if name not in known:
        kind = f"argument of `{hook}` called"
        yield str(UnknownNameError.of(kind, name, known, "arguments"))
        return
    if argument.kind is Parameter.KEYWORD_ONLY:
        yield (
            f"Argument `{name}` of hook `{hook}` is keyword-only, so that it is never filled. "
            "Remove the `*` before it."
        )
    if argument.default is not Parameter.empty:
        yield (
            f"Argument `{name}` of hook `{hook}` has a default value, which is never used. "
            f"Write `{name}` without it."
        )


def unmarked_hooks(plugin: Any, hooks: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield place and problem of each function that is named like one of *hooks* but not marked.

    Functions that a module imports from other packages are not hooks.
    """
    for name in sorted(hooks):
        function = inspect.getattr_static(plugin, name, None)
        if inspect.isfunction(function) and _is_own(function, plugin):
            yield (
                place_of(function),
                (
                    f"Function `{name}` is named like a hook but is not marked as one. "
                    "Write `@hookimpl` above it, or rename it."
                ),
            )


def _is_own(function: Callable[..., Any], plugin: Any) -> bool:
    return not inspect.ismodule(plugin) or f"{function.__module__}.".startswith(
        f"{plugin.__name__}."
    )
