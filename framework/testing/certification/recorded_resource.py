"""What a destination does with its resource: each call of it is recorded, and can be refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Final

Note = Callable[[str, bytes], None]
"""Notes a call by its name and what it says; raises the exception that answers it, if any."""

_PLAIN: Final = (str, bytes, bytearray, int, float, bool, type(None))


class OpenedResource(AbstractContextManager[Any]):
    """A context manager in place of the hook `open_resource`, which counts how it is used.

    *inner* is the manager that the sandbox opens; the calls of what it yields go to *note*.
    """

    def __init__(self, inner: AbstractContextManager[Any], note: Note) -> None:
        self._inner = inner
        self._note = note
        self.is_open = False

    def __enter__(self) -> Any:
        found = _Recorded(self._inner.__enter__(), "resource", self._note)
        self.is_open = True
        return found

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        self.is_open = False
        return self._inner.__exit__(kind, error, traceback)


class _Recorded:
    """An object whose methods, and those of the objects that they return, are recorded."""

    def __init__(self, inner: Any, name: str, note: Note) -> None:
        object.__setattr__(self, "_recorded", (inner, name, note))

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # so that `isinstance` holds as for the object inside
        return type(self._recorded[0])

    def __getattr__(self, attribute: str) -> Any:
        inner, name, note = self._recorded
        return _wrapped(getattr(inner, attribute), f"{name}.{attribute}", note)

    def __setattr__(self, attribute: str, value: Any) -> None:
        inner, name, note = self._recorded
        note(f"{name}.{attribute}", _said((value,), {}))
        setattr(inner, attribute, value)

    def __call__(self, *given: Any, **named: Any) -> Any:
        inner, name, note = self._recorded
        given = tuple(_kept(one) for one in given)
        named = {key: _kept(one) for key, one in named.items()}
        note(name, _said(given, named))
        return _wrapped(inner(*map(_bare, given), **named), f"{name}()", note)

    def __enter__(self) -> Any:
        inner, name, note = self._recorded
        found = inner.__enter__()
        return self if found is inner else _wrapped(found, name, note)

    def __exit__(self, *given: object) -> Any:
        inner, name, note = self._recorded
        note(f"{name}.__exit__", b"")
        return inner.__exit__(*given)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._recorded[0])

    def __next__(self) -> Any:
        return next(self._recorded[0])

    def __len__(self) -> int:
        return len(self._recorded[0])

    def __bool__(self) -> bool:
        return bool(self._recorded[0])

    def __getitem__(self, key: Any) -> Any:
        inner, name, note = self._recorded
        return _wrapped(inner[key], f"{name}[]", note)

    def __setitem__(self, key: Any, value: Any) -> None:
        inner, name, note = self._recorded
        note(f"{name}[]", _said((key, value), {}))
        inner[key] = value


def _wrapped(found: Any, name: str, note: Note) -> Any:
    return (
        found
        if isinstance(found, (*_PLAIN, list, tuple, dict, set))
        else _Recorded(found, name, note)
    )


def _kept(argument: Any) -> Any:
    """Return an argument that can be read twice."""
    return list(argument) if isinstance(argument, Iterator) else argument


def _bare(argument: Any) -> Any:
    return argument._recorded[0] if type(argument) is _Recorded else argument  # noqa: SLF001


def _said(given: tuple[Any, ...], named: Mapping[str, Any]) -> bytes:
    return repr((_plain(list(given)), _plain(dict(named)))).encode("utf-8", "replace")


def _plain(value: Any, depth: int = 5) -> Any:
    """Return a value whose text depends on nothing but what it says."""
    if isinstance(value, _PLAIN):
        return value
    if not depth:
        return "..."
    if isinstance(value, Mapping):
        return {str(key): _plain(one, depth - 1) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, depth - 1) for one in value]
    fields = getattr(value, "__dict__", None)
    inner = _plain(fields, depth - 1) if isinstance(fields, dict) else ""
    return type(value).__name__, inner
