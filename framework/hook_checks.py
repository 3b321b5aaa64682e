"""What keeps the functions of a plugin from being called as hooks, and where its files say so.

Annotations are read as far as that is certain: what cannot be evaluated, protocols and type
variables fit everything.
"""

from __future__ import annotations

import functools
import inspect
import linecache
import re
import sys
import threading
import traceback
import types
import typing
from collections import abc
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from inspect import Parameter
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from framework.definition import (
    Destination,
    FieldTable,
    default_problems,
    fields_of,
    without_choices,
)
from framework.errors import UnknownNameError

Given: typing.TypeAlias = Mapping[str, Sequence[tuple[Any, str]]]
"""The types that arguments have, by name, each with the words that say why."""

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


def is_interrupt(error: BaseException, packages: Collection[str]) -> bool:
    """Return whether *error* comes from Ctrl-C, not from a `raise` in the code of *packages*."""
    main = threading.current_thread() is threading.main_thread()
    if not main or not isinstance(error, KeyboardInterrupt):
        return False
    last = error.__traceback__
    while last and last.tb_next:
        last = last.tb_next
    if last is None:
        return True
    from dis import opmap  # noqa: PLC0415 - needed for interruptions only

    code, module = last.tb_frame.f_code.co_code, last.tb_frame.f_globals.get("__name__", "")
    raises = code[last.tb_lasti] == opmap["RAISE_VARARGS"]
    return not raises or module.partition(".")[0] not in packages


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


def contradictions(
    hook: str, function: Callable[..., Any], spec: Callable[..., Any], given: Given
) -> Iterator[str]:
    """Say which annotations of *function* contradict what *hook* gets and returns.

    *spec* is the specification of the hook; *given* says more about some of its arguments. What a
    decorator replaced is not checked.
    """
    if hasattr(function, "__wrapped__"):
        return
    known = _annotations(spec, {"httpx": sys.modules.get("httpx", _NotImported())})
    for name, note in _annotations(function).items():
        kind = known.get(name, Any)
        place = f"Argument `{name}` of hook `{hook}`"
        wrong = [(kind, why) for kind, why in given.get(name, ()) if not _takes(note, kind)]
        if name == "return":
            place = f"The result of hook `{hook}`"
            wrong = [] if _may_return(note, kind) else [(kind, "it has to be")]
        elif not given.get(name) and not _overlap(note, kind):
            wrong = [(kind, "it is")]
        if wrong:
            kind, why = wrong[0]
            yield f"{place} is annotated {_shown(note)}, but {why} {_shown(kind)}. Correct it."


class _NotImported:
    """The types of httpx before anything has imported it: no annotation of a plugin is one."""

    def __getattr__(self, name: str) -> type:
        return type(name, (), {"__module__": "httpx"})


def _annotations(
    function: Callable[..., Any], names: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """Return the annotations of *function* that can be evaluated, with the return type.

    *names* are known besides those of its module.
    """
    if sys.version_info >= (3, 14):  # annotations are evaluated when they are read
        from annotationlib import Format, get_annotations  # noqa: PLC0415 - not on older ones

        written = get_annotations(function, format=Format.FORWARDREF)
    else:
        written = function.__annotations__
    found: dict[str, Any] = {}
    for name, note in written.items():
        with suppress(Exception):  # such as a name that only type checkers know
            while isinstance(note, str):
                note = eval(note, function.__globals__, names)  # noqa: PLW2901, S307 - the plugin's own
            found[name] = note
    return found


def _parts(kind: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the type alone; what is not certain is Any."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in {typing.Union, types.UnionType}:
        return tuple(part for one in arguments for part in _parts(one))
    if origin is typing.Annotated:
        return _parts(arguments[0])
    if origin is typing.Literal:
        return tuple({type(value) for value in arguments})
    if isinstance(kind, typing.NewType):
        return _parts(kind.__supertype__)
    if kind is None or typing.is_typeddict(kind):
        return (types.NoneType if kind is None else dict,)
    certain = isinstance(origin or kind, type) and not getattr(kind, "_is_protocol", False)
    return (kind if certain else Any,)


def _takes(note: Any, kind: Any) -> bool:
    """Return whether every value of the type *kind* has the type *note*."""
    return all(any(_fits(one, part) for one in _parts(note)) for part in _parts(kind))


def _overlap(note: Any, kind: Any) -> bool:
    """Return whether a value may have both types."""
    pairs = [(one, part) for one in _parts(note) for part in _parts(kind)]
    return any(_fits(one, part) or _fits(part, one) for one, part in pairs)


def _may_return(note: Any, kind: Any) -> bool:
    """Return whether each part of *note* may be returned; None among others always may."""
    parts = [part for part in _parts(note) if part is not types.NoneType] or [types.NoneType]
    return all(_overlap(part, kind) for part in parts)


def _fits(wanted: Any, kind: Any) -> bool:
    """Return whether *kind* is *wanted* or a subclass, also the types in brackets."""
    if wanted is Any or kind is Any:
        return True
    outer, inner = typing.get_origin(wanted) or wanted, typing.get_origin(kind) or kind
    if not issubclass(inner, outer):
        return False
    if issubclass(inner, str | bytes) and outer is not object:
        return issubclass(outer, str | bytes)  # a text is a sequence, but no list of texts
    ours, theirs = typing.get_args(wanted), typing.get_args(kind)
    if outer in {tuple, abc.Callable} or len(ours) != len(theirs):
        return True
    return all(map(_takes, ours, theirs))


def _shown(kind: Any) -> str:
    """Return a type as it is written in code."""
    text = " | ".join(
        str(part) if typing.get_args(part) else getattr(part, "__qualname__", str(part))
        for part in _parts(kind)
    )
    return "`" + re.sub(r"\b[a-z_]\w*\.", "", text).replace("NoneType", "None") + "`"


def hidden_hooks(plugin: Any, hooks: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield place and problem of each hook whose place a submodule of the same name takes.

    Python binds a submodule to its name in the package when it is first imported. *hooks* are
    the names of all hooks.
    """
    paths = getattr(plugin, "__path__", None)
    if not inspect.ismodule(plugin) or paths is None:
        return
    for name in sorted(set(hooks)):
        full = f"{plugin.__name__}.{name}"
        value = vars(plugin).get(name)
        taken = inspect.ismodule(value)
        if not taken and (full in sys.modules or not _has_module(paths, name)):
            continue
        if here := _line_of(name, plugin, r"(?:async\s+)?def\s+"):
            text = (
                f"Module `{full}` takes the place of the hook `{name}` when it is imported. "
                f'Rename the module, or the function: `@hookimpl(specname="{name}")`.'
            )
            yield here, text


def _has_module(paths: Iterable[str], name: str) -> bool:
    """Return whether a package in *paths* has a module or package called *name*."""
    return any((Path(path) / found).exists() for path in paths for found in (f"{name}.py", name))


def unmarked_hooks(plugin: Any, hooks: Mapping[str, Collection[str]]) -> Iterator[tuple[str, str]]:
    """Yield place and problem of whatever looks like one of *hooks* but cannot be called as one.

    *hooks* are those that *plugin* does not implement, with their arguments. Names that a module
    imports from other top-level packages are not hooks.
    """
    for name, value in sorted(_members(plugin)):
        if name in hooks:
            problem = _why_not_called(name, value, plugin)
        else:
            problem = _misspelt(name, value, hooks) if _is_own(value, plugin) else ""
        if problem:
            yield (place_of(value) if callable(value) else "") or _line_of(name, plugin), problem


def repeated_hooks(plugin: Any, hooks: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield place and problem of each of *hooks* that a module defines more than once."""
    file = getattr(plugin, "__file__", None) or ""
    if not inspect.ismodule(plugin) or not file.endswith(".py"):
        return
    lines: dict[str, list[int]] = {}
    for number, line in enumerate(linecache.getlines(file), 1):
        if found := _DEFINITION.match(line):
            lines.setdefault(found[1], []).append(number)
    for name in sorted(lines.keys() & set(hooks)):
        first, *others = lines[name]
        if others:
            text = f"Hook `{name}` is defined again; the definition in line {first} is never used."
            yield f"{file}:{others[-1]}", text


def _line_of(name: str, plugin: Any, keyword: str = r"(?:class\s+)?") -> str:
    """Return where a module assigns *name*, or defines it after *keyword*, as `FILE:LINE`.

    Empty if it does not.
    """
    file = getattr(plugin, "__file__", None) or ""
    for number, line in enumerate(linecache.getlines(file), 1):
        if re.match(rf"{keyword}{name}\b", line):
            return f"{file}:{number}"
    return ""


def _members(plugin: Any) -> Iterator[tuple[str, Any]]:
    """Yield name and value of the public attributes of a plugin."""
    for name in dir(plugin):
        value = inspect.getattr_static(plugin, name, None)
        if not name.startswith("_") and value is not None and not inspect.ismodule(value):
            yield name, value


def _why_not_called(name: str, value: Any, plugin: Any) -> str:
    """Return why *value*, which is named like a hook, is never called; empty if it is imported."""
    if not _is_own(value, plugin):
        return ""
    if inspect.isfunction(value):
        return (
            f"Function `{name}` is named like a hook but is not marked as one. "
            "Write `@hookimpl` above it, or rename it."
        )
    kind = "a class" if inspect.isclass(value) else f"of type {type(value).__name__}"
    return (
        f"`{name}` is named like a hook but is {kind}, which is never called. "
        f"Write a function: `@hookimpl` above `def {name}(...)`. Or rename it."
    )


def _misspelt(name: str, value: Any, hooks: Mapping[str, Collection[str]]) -> str:
    """Return the problem of a function whose name and arguments are nearly those of a hook."""
    if not inspect.isfunction(value) or any(key.endswith("_impl") for key in vars(value)):
        return ""  # what is marked is checked as an implementation
    arguments = inspect.signature(value).parameters.keys()
    for hook, known in hooks.items():
        if arguments <= set(known) and _differ_slightly(name, hook):
            return (
                f"Function `{name}` is not called, but its name and arguments resemble hook "
                f"`{hook}`. Correct the name and write `@hookimpl` above it, or rename it."
            )
    return ""


def _differ_slightly(name: str, hook: str) -> bool:
    """Return whether one letter is missing, added or changed, or two neighbors are swapped."""
    start = 0
    while start < min(len(name), len(hook)) and name[start] == hook[start]:
        start += 1
    rest, other = name[start:], hook[start:]
    if not rest or not other:
        return len(rest) + len(other) == 1
    swapped = rest[:2] == other[1::-1] and rest[2:] == other[2:]
    return swapped or other[1:] in {rest[1:], rest} or other == rest[1:]


def _is_own(value: Any, plugin: Any) -> bool:
    """Return whether *value* is written in the top-level package of *plugin*."""
    if not inspect.ismodule(plugin):
        return True
    module = getattr(value, "__module__", None)
    if not (callable(value) and isinstance(module, str)):
        return type(value).__module__.partition(".")[0] not in {"__future__", "typing"}
    if isinstance(value, functools.partial):
        module = str(getattr(value.func, "__module__", ""))
    return module.partition(".")[0] == plugin.__name__.partition(".")[0]


_DEFINITION: Final = re.compile(r"(?:async\s+)?def\s+(\w+)\s*\(")


def undefined_choices(definition: Destination) -> Iterator[str]:
    """Yield a problem for each dynamic field without a function for its choices."""
    for place in without_choices(definition.settings_fields, definition.dynamic_settings):
        yield (
            f"Setting `{place}` is `dynamic=True`, but `dynamic_settings` of the Destination has "
            "no function for it."
        )
    for action in definition.actions:
        for place in without_choices(action.fields, action.dynamic):
            yield (
                f"Field `{place}` of action `{action.slug}` is `dynamic=True`, but `dynamic` of "
                "the Action has no function for it."
            )
        for hook in action.hooks:
            for place in without_choices(fields_of(hook.inputs), hook.dynamic):
                yield (
                    f"Input `{place}` of hook `{hook.kind}` of action `{action.slug}` is "
                    "`dynamic=True`, but `dynamic` of the MappingHook has no function for it."
                )


def refused_defaults(definition: Destination) -> Iterator[str]:
    """Yield a problem for each default of a field table that its own field refuses.

    Those of classes are checked when the class is defined; a manifest may have such defaults.
    """
    if isinstance(definition.settings, Mapping):
        yield from _refused(definition.settings, "Setting `{}`")
    for action in definition.actions:
        if isinstance(action.payload, Mapping):
            yield from _refused(action.payload, f"Field `{{}}` of action `{action.slug}`")


def _refused(fields: FieldTable, named: str, prefix: str = "") -> Iterator[str]:
    for key, entry in fields.items():
        place = f"{prefix}{key}"
        yield from (f"{named.format(place)}: {text}" for text in default_problems(entry))
        yield from _refused(entry.properties or {}, named, f"{place}.")
