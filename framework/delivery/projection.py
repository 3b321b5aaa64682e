"""Decoding only what is read: struct types made of the paths that triggers and mappings follow.

An object that no path leads into is skipped by the decoder; whatever else stands in the place of
an object that paths do lead into is decoded as plain JSON, and read by the rules of `Path.get`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from framework.codegen import Code, JSONReader
from framework.paths import MISSING, Path, step

_Tree: TypeAlias = dict[str, "_Tree"]

_LEVELS = 12
"""Levels of structs; what is below is decoded as plain JSON."""

_LONGEST = 50
"""Keys of a path; longer ones need the whole event."""

_unnameable = re.compile(r'["\\\x00-\x1f\ud800-\udfff]')
_REFUSALS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Projection(Struct, frozen=True):
    """Struct types for a set of paths; *root* is the type of an event."""

    root: type[msgspec.Struct]
    _decode: Callable[[bytes], msgspec.Struct]

    def decode(self, lines: Sequence[bytes]) -> list[msgspec.Struct] | None:
        """Give the event of each line; None where any line is refused, or may have to be.

        Then whoever asks decodes the lines in full: they are judged by that alone.
        """
        try:
            if not all(map(bytes.isascii, lines)):
                b"".join(lines).decode()  # the decoder does not look at texts that it skips
            return list(map(self._decode, lines))
        except _REFUSALS:
            return None

    def reader(self, code: Code, variable: str) -> StructReader:
        """Give the reader, for generated code, of an event that a variable holds."""
        return StructReader(code, variable, self.root)

    def getter(self, key: str) -> Callable[[Any], Any]:
        """Give the function that takes the value of a top-level key, one of the paths."""
        return operator.attrgetter(_attributes(self.root)[key][0])


class StructReader(JSONReader):
    """Reads paths from structs, and from plain JSON where the structs end."""

    def __init__(self, code: Code, root: str, struct: type[msgspec.Struct]) -> None:
        super().__init__(code, root)
        self._root = struct
        self._structs: dict[tuple[str, ...], type[msgspec.Struct]] = {(): struct}

    def _enter(self, parts: tuple[str, ...]) -> None:
        struct = self._structs.get(parts[:-1])
        if struct is None or parts in self._known:
            super()._enter(parts)
            return
        attribute, inner = _attributes(struct)[parts[-1]]
        name = self._known[parts] = self._code.fresh("p")
        self._code.line(f"{name} = {self._known[parts[:-1]]}.{attribute}")
        if inner is not None:
            self._structs[parts] = inner
            kind, other = (
                self._code.literal(inner, "Struct"),
                self._code.literal(_entering(inner), "enter"),
            )
            self._code.line(f"if type({name}) is not {kind}: {name} = {other}({name})")


def project(paths: Iterable[Path]) -> Projection | None:
    """Give the projection onto *paths*, or None where they need the event as it is."""
    return _project(frozenset(paths))


@lru_cache(maxsize=64)
def _project(paths: frozenset[Path]) -> Projection | None:
    tree: _Tree = {}
    for path in sorted(paths, key=lambda path: (len(path.parts), path.parts)):
        if not 0 < len(path.parts) <= _LONGEST or not _nameable(path.parts[0]):
            return None
        _plant(tree, path.parts[:_LEVELS])
    root = _struct(tree, "Event")
    return Projection(root, msgspec.json.Decoder(root).decode)


def _plant(tree: _Tree, parts: tuple[str, ...]) -> None:
    """Add a path, which ends early where a shorter one does: that is decoded with all inside."""
    for place, part in enumerate(parts):
        last = place + 1 == len(parts) or not _nameable(parts[place + 1])
        if part in tree and not tree[part]:
            return
        if last:
            tree[part] = {}
            return
        tree = tree.setdefault(part, {})


def _nameable(key: str) -> bool:
    """Tell whether msgspec takes *key* as the name of a field."""
    return not any(
        letter in '"\\' or letter < " " or "\ud800" <= letter <= "\udfff" for letter in key
    )


def _struct(tree: _Tree, name: str) -> type[msgspec.Struct]:
    """Give the type for one level.

    A missing object counts as an empty one, since no path ends at it; the union takes whatever
    else may stand there.
    """
    fields: list[tuple[str, Any, Any]] = []
    for number, inside in enumerate(tree.values()):
        if inside:
            struct = _struct(inside, f"{name}_{number}")
            kind: Any = struct | None | bool | int | float | str | list
            fields.append((f"f{number}", kind, struct()))
        else:
            fields.append((f"f{number}", Any, MISSING))
    return msgspec.defstruct(
        name,
        fields,
        rename={f"f{number}": key for number, key in enumerate(tree)},
        frozen=True,
        gc=False,
    )


@lru_cache(maxsize=1024)
def _entering(struct: type[msgspec.Struct]) -> Callable[[Any], msgspec.Struct]:
    """Give the function that makes a struct of what paths find in another value."""
    keys = [one.encode_name for one in msgspec.structs.fields(struct)]

    def enter(value: Any) -> msgspec.Struct:
        return struct(*(step(value, key) for key in keys))

    return enter


@lru_cache(maxsize=1024)
def _attributes(struct: type[msgspec.Struct]) -> dict[str, tuple[str, type[msgspec.Struct] | None]]:
    """Give by key the attribute, and the type of struct that is expected there, if one is."""
    return {
        one.encode_name: (
            one.name,
            type(one.default) if isinstance(one.default, msgspec.Struct) else None,
        )
        for one in msgspec.structs.fields(struct)
    }
