"""Decoding only what is read: struct types made of the places that triggers and mappings read.

An object that no path leads into is skipped by the decoder; whatever else stands in the place of
an object that paths do lead into is decoded as plain JSON, and read by the rules of `Path.get`.
The same holds for the items of lists that are gone through.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple, TypeAlias, get_args, get_origin

import msgspec
from msgspec import Struct

from framework.codegen import JSONReader, SourceCode
from framework.paths import ITEM, MISSING, ListItem, Path, PathSteps, step

_Tree: TypeAlias = dict[str | ListItem, "_Tree"]

_LEVELS = 12
"""Levels of structs; what is below is decoded as plain JSON."""

_LONGEST = 50
"""Keys of a path; longer ones need the whole event."""

_unnameable = re.compile(r'["\\\x00-\x1f\ud800-\udfff]')
_REFUSALS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Projection(Struct, frozen=True):
    """Struct types for a set of places; *root* is the type of an event."""

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

    def reader(self, code: SourceCode, variable: str) -> StructReader:
        """Give the reader, for generated code, of an event that a variable holds."""
        return StructReader(code, variable, self.root)

    def getter(self, key: str) -> Callable[[Any], Any]:
        """Give the function that takes the value of a top-level key, one of the paths."""
        return operator.attrgetter(_attributes(self.root)[key].name)


class StructReader(JSONReader):
    """Reads paths from structs, and from plain JSON where the structs end."""

    def __init__(self, code: SourceCode, root: str, struct: type[msgspec.Struct]) -> None:
        super().__init__(code, root)
        self._structs: dict[tuple[str, ...], type[msgspec.Struct]] = {(): struct}
        self._items: dict[tuple[str, ...], type[msgspec.Struct]] = {}

    def item(self, path: Path, variable: str) -> JSONReader:
        """Give the reader of an item: of a struct, where the items of the list are such."""
        struct = self._items.get(path.parts)
        if struct is None:
            return super().item(path, variable)
        self._be(struct, variable)
        return StructReader(self._code, variable, struct)

    def _enter(self, parts: tuple[str, ...]) -> None:
        outer, key = parts[:-1], parts[-1]
        if parts in self._known:
            return
        if outer not in self._structs:
            super()._enter(parts)
            if outer in self._items and key.isdecimal():
                self._structs[parts] = self._items[outer]
                self._be(self._items[outer], self._known[parts])
            return
        attribute = _attributes(self._structs[outer])[key]
        name = self._known[parts] = self._code.fresh("p")
        self._code.line(f"{name} = {self._known[outer]}.{attribute.name}")
        if attribute.item is not None:
            self._items[parts] = attribute.item
        if attribute.struct is not None:
            self._structs[parts] = attribute.struct
            self._be(attribute.struct, name)

    def _be(self, struct: type[msgspec.Struct], name: str) -> None:
        """Write the line that puts a struct in the place of whatever else a variable holds."""
        kind = self._code.literal(struct, "Struct")
        enter = self._code.literal(_entering(struct), "enter")
        self._code.line(f"if type({name}) is not {kind}: {name} = {enter}({name})")


def project(places: Iterable[PathSteps]) -> Projection | None:
    """Give the projection onto *places*, or None where they need the event as it is."""
    return _project(frozenset(places))


@lru_cache(maxsize=64)
def _project(places: frozenset[PathSteps]) -> Projection | None:
    tree: _Tree = {}
    for parts in sorted(places, key=lambda parts: (len(parts), list(map(str, parts)))):
        if not 0 < len(parts) <= _LONGEST or parts[0] is ITEM or not _nameable(parts[0]):
            return None
        _plant(tree, parts[:_LEVELS])
    root = _struct(tree, "Event")
    return Projection(root, msgspec.json.Decoder(root).decode)


def _plant(tree: _Tree, parts: PathSteps) -> None:
    """Add a place, which ends early where a shorter one does: that is decoded with all inside."""
    for place, part in enumerate(parts):
        last = place + 1 == len(parts) or not _nameable(parts[place + 1])
        if part in tree and not tree[part]:
            return
        if last:
            tree[part] = {}
            return
        tree = tree.setdefault(part, {})


def _nameable(key: str | ListItem) -> bool:
    """Tell whether msgspec takes *key* as the name of a field."""
    return isinstance(key, ListItem) or not any(
        letter in '"\\' or letter < " " or "\ud800" <= letter <= "\udfff" for letter in key
    )


def _struct(tree: _Tree, name: str) -> type[msgspec.Struct]:
    """Give the type for one level.

    A missing object counts as an empty one, since no path ends at it; the union takes whatever
    else may stand there.
    """
    fields: list[tuple[str, Any, Any]] = []
    for number, inside in enumerate(tree.values()):
        if ITEM in inside:
            fields.append((f"f{number}", _list_of(inside, f"{name}_{number}"), MISSING))
        elif inside:
            struct = _struct(inside, f"{name}_{number}")
            kind: Any = struct | None | bool | int | float | str | list
            fields.append((f"f{number}", kind, struct()))
        else:
            fields.append((f"f{number}", Any, MISSING))
    return msgspec.defstruct(
        name,
        fields,
        rename={f"f{number}": str(key) for number, key in enumerate(tree)},
        frozen=True,
        gc=False,
    )


def _list_of(tree: _Tree, name: str) -> Any:
    """Give the type for a list that is gone through, of which single items may be read, too.

    An object counts as a list of one and is plain, as are lists in lists.
    """
    item = _merged([inside for key, inside in tree.items() if key is ITEM or str(key).isdecimal()])
    if not item or ITEM in item:
        return Any
    kind = _struct(item, name) | None | bool | int | float | str | list
    return list[kind] | dict[str, Any] | None | bool | int | float | str  # type: ignore[valid-type]


def _merged(trees: Sequence[_Tree]) -> _Tree:
    """Give the tree with the places of all; where one is decoded with all inside, so is this."""
    if not all(trees):
        return {}
    keys = dict.fromkeys(chain.from_iterable(trees))
    return {key: _merged([tree[key] for tree in trees if key in tree]) for key in keys}


@lru_cache(maxsize=1024)
def _entering(struct: type[msgspec.Struct]) -> Callable[[Any], msgspec.Struct]:
    """Give the function that makes a struct of what paths find in another value."""
    keys = [one.encode_name for one in msgspec.structs.fields(struct)]
    nothing = struct(*(MISSING for _ in keys))

    def enter(value: Any) -> msgspec.Struct:
        return nothing if value is MISSING else struct(*(step(value, key) for key in keys))

    return enter


class _Attribute(NamedTuple):
    """An attribute of a struct, and the type of struct that is expected there or in its items."""

    name: str
    struct: type[msgspec.Struct] | None
    item: type[msgspec.Struct] | None


@lru_cache(maxsize=1024)
def _attributes(struct: type[msgspec.Struct]) -> dict[str, _Attribute]:
    """Give the attributes by key."""
    return {
        one.encode_name: _Attribute(
            one.name,
            type(one.default) if isinstance(one.default, msgspec.Struct) else None,
            _item_of(one.type),
        )
        for one in msgspec.structs.fields(struct)
    }


def _item_of(kind: Any) -> type[msgspec.Struct] | None:
    """Give the type of struct that is expected in lists of a kind."""
    items = [get_args(one)[0] for one in get_args(kind) if get_origin(one) is list]
    return get_args(items[0])[0] if items else None
