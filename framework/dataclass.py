"""Dataclasses whose methods are written when they are first asked for.

The standard decorator writes the source of up to eight methods, and compiles it, while a module is
imported. What delivers an event has more than a hundred dataclasses, and most of their methods are
never called: a quarter of the time until the first event went into them. Here the standard library
reads the fields and makes the slots; `__init__`, `__eq__` and `__hash__` are written once somebody
asks for them, and the rest is the same for all classes.

The classes are to their users what the standard decorator makes, and type checkers see that one.
No dataclass inherits from another, and a field with `init=False` is set by `__post_init__`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

__all__ = ["dataclass"]

Method: TypeAlias = Callable[..., Any]


def _dataclass(
    *, frozen: bool = False, slots: bool = False, eq: bool = True, kw_only: bool = False
) -> Callable[[type], type]:
    standard = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots, kw_only=kw_only)
    late: dict[str, Callable[[type], Method]] = {
        "__init__": partial(_write_init, assignment=_PUT if frozen else _SET)
    }
    shared: dict[str, Any] = {"__repr__": _repr}
    if eq:
        late["__eq__"] = _write_eq
        if frozen:
            late["__hash__"] = _write_hash
        else:
            shared["__hash__"] = None
    if frozen:
        shared |= {"__setattr__": _refuse_to_set, "__delattr__": _refuse_to_delete}
    if frozen and slots:
        shared |= {"__getstate__": _state, "__setstate__": _restore}

    def declare(declared: type) -> type:
        own = set(vars(declared))
        made: type = standard(declared)
        methods = shared | {name: _Late(made, write) for name, write in late.items()}
        for name in methods.keys() - own:
            setattr(made, name, methods[name])
        return made

    return declare


if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    dataclass = _dataclass


class _Late:
    """Stands in for a method until somebody asks for it: then it is written in its place."""

    def __init__(self, made: type, write: Callable[[type], Method]) -> None:
        self._made = made
        self._write = write

    def __get__(self, instance: object, owner: type) -> Method:
        method = self._write(self._made)
        setattr(self._made, method.__name__, method)
        bound: Method = method if instance is None else method.__get__(instance, owner)
        return bound


class _New:
    """The default of a field that is made anew for each instance."""

    def __repr__(self) -> str:
        return "<factory>"


_NEW = _New()
_SET = "self.{name} = {value}"
_PUT = "_put(self, {name!r}, {value})"


def _write_init(made: type, assignment: str) -> Method:
    """Write what takes the fields; *assignment* is the statement that sets one."""
    fields = [field for field in dataclasses.fields(made) if field.init]
    names: dict[str, Any] = {"_put": object.__setattr__, "_new": _NEW}
    parameters = {field.name: _parameter(field, names) for field in fields}
    ordered = [parameters[field.name] for field in fields if not field.kw_only]
    named = [parameters[field.name] for field in fields if field.kw_only]
    lines = [assignment.format(name=field.name, value=_value(field)) for field in fields]
    if hasattr(made, "__post_init__"):
        lines.append("self.__post_init__()")
    init = _write(
        made, "__init__", ["self", *ordered, *(["*", *named] if named else [])], lines, names
    )
    init.__annotations__ = {**{field.name: field.type for field in fields}, "return": None}
    return init


def _parameter(field: dataclasses.Field[Any], names: dict[str, Any]) -> str:
    """Give the parameter for *field*; what it refers to is put into *names*."""
    if field.default_factory is not dataclasses.MISSING:
        names[f"_make_{field.name}"] = field.default_factory
        return f"{field.name}=_new"
    if field.default is not dataclasses.MISSING:
        names[f"_default_{field.name}"] = field.default
        return f"{field.name}=_default_{field.name}"
    return field.name


def _value(field: dataclasses.Field[Any]) -> str:
    name = field.name
    if field.default_factory is dataclasses.MISSING:
        return name
    return f"_make_{name}() if {name} is _new else {name}"


def _write_eq(made: type) -> Method:
    compared = [field.name for field in dataclasses.fields(made) if field.compare]
    lines = [
        "if other.__class__ is not self.__class__:",
        "    return NotImplemented",
        f"return {_all_of('self', compared)} == {_all_of('other', compared)}",
    ]
    return _write(made, "__eq__", ["self", "other"], lines)


def _write_hash(made: type) -> Method:
    fields = dataclasses.fields(made)
    hashed = [one.name for one in fields if (one.compare if one.hash is None else one.hash)]
    return _write(made, "__hash__", ["self"], [f"return hash({_all_of('self', hashed)})"])


def _all_of(owner: str, names: Iterable[str]) -> str:
    """Write a tuple of the attributes *names* of *owner*."""
    return f"({''.join(f'{owner}.{name}, ' for name in names)})"


def _write(
    made: type,
    name: str,
    parameters: Iterable[str],
    lines: Iterable[str],
    names: Mapping[str, Any] | None = None,
) -> Method:
    """Compile the method *name* of the class *made*; it refers to *names*."""
    body = "".join(f"    {line}\n" for line in lines) or "    pass\n"
    space = {"__name__": made.__module__, **(names or {})}
    source = f"def {name}({', '.join(parameters)}):\n{body}"
    exec(source, space)  # noqa: S102 - names of fields in the project's own source
    method: Method = space[name]
    method.__qualname__ = f"{made.__qualname__}.{name}"
    return method


@recursive_repr()
def _repr(self: Any) -> str:
    shown = (field.name for field in dataclasses.fields(self) if field.repr)
    values = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
    return f"{type(self).__qualname__}({values})"


def _refuse_to_set(_: object, name: str, __: object) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(_: object, name: str) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[object]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _restore(self: Any, state: Iterable[object]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)
