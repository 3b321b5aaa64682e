"""Decoding only what is read: struct types for the places that triggers and mappings read.

The decoder skips objects that no path leads into. Any other value in the place of an object that
paths lead into is decoded as plain JSON, and read by the rules of `Path.get`. The same applies to
the items of lists that a mapping iterates.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Literal, NamedTuple, TypeAlias, get_args, get_origin

import msgspec
from msgspec import Struct

from framework.codegen import JSONReader, SourceCode
from framework.nesting import any_too_deep
from framework.paths import ITEM, MISSING, ListItem, Path, PathSteps, step

_Tree: TypeAlias = dict[str | ListItem, "_Tree"]

_TYPE = "type"

_LEVELS = 12
"""Levels of structs; deeper levels are decoded as plain JSON."""

_LONGEST = 50
"""Keys of a path; longer ones need the whole event."""

_REFUSALS = (msgspec.DecodeError, UnicodeDecodeError)


class Projection(Struct, frozen=True):
    """Struct types for a set of places; *root* is the type of an event."""

    root: type[msgspec.Struct]
    _decode: Callable[[bytes], msgspec.Struct]

    def decode(self, lines: Sequence[bytes], block: bytes = b"") -> list[msgspec.Struct] | None:
        """Return the event of each line; None if any line is invalid, or may be.

        The caller then decodes the lines in full, which alone decides. *block* is empty, or holds
        all lines but the first.
        """
        if any_too_deep(lines, block):
            return None
        try:
            whole = block and block.isascii() and lines[0].isascii()
            if not whole and not all(map(bytes.isascii, lines)):
                b"".join(lines).decode()  # the decoder does not validate skipped text
            return list(map(self._decode, lines))
        except _REFUSALS:
            return None

    def reader(self, code: SourceCode, variable: str) -> StructReader:
        """Return the reader, for generated code, of an event in a variable."""
        return StructReader(code, variable, self.root)

    def getter(self, key: str) -> Callable[[Any], Any]:
        """Return the function that returns the value of a top-level key, one of the paths."""
        return operator.attrgetter(_attributes(self.root)[key].name)


class StructReader(JSONReader):
    """Reads paths from structs, and from plain JSON below them."""

    def __init__(self, code: SourceCode, root: str, struct: type[msgspec.Struct]) -> None:
        super().__init__(code, root)
        self._structs: dict[tuple[str, ...], type[msgspec.Struct]] = {(): struct}
        self._items: dict[tuple[str, ...], type[msgspec.Struct]] = {}

    def item(self, path: Path, variable: str) -> JSONReader:
        """Return the reader of an item, which is a struct if the items of the list are."""
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
        """Write the line that replaces any other value of a variable by a struct."""
        kind = self._code.literal(struct, "Struct")
        enter = self._code.literal(_entering(struct), "enter")
        self._code.line(f"if type({name}) is not {kind}: {name} = {enter}({name})")


def project(places: Iterable[PathSteps], types: tuple[str, ...] | None = None) -> Projection | None:
    """Return the projection onto *places*, or None if they need the whole event.

    With *types*, only lines whose `type` is one of these are decoded.
    """
    return _project(frozenset(places), types)


@lru_cache(maxsize=64)
def _project(
    places: frozenset[PathSteps], types: tuple[str, ...] | None = None
) -> Projection | None:
    tree: _Tree = {}
    for parts in sorted(places, key=lambda parts: (len(parts), list(map(str, parts)))):
        if not 0 < len(parts) <= _LONGEST or parts[0] is ITEM or not _nameable(parts[0]):
            return None
        _plant(tree, parts[:_LEVELS])
    if types is not None and tree.setdefault(_TYPE, {}):
        return None
    root = _struct(tree, "Event", types)
    return Projection(root, msgspec.json.Decoder(root).decode)


def _plant(tree: _Tree, parts: PathSteps) -> None:
    """Add a place; it ends where a shorter one ends, which is decoded with all its content."""
    for place, part in enumerate(parts):
        last = place + 1 == len(parts) or not _nameable(parts[place + 1])
        if part in tree and not tree[part]:
            return
        if last:
            tree[part] = {}
            return
        tree = tree.setdefault(part, {})


def _nameable(key: str | ListItem) -> bool:
    """Return whether *key* can be a field: msgspec takes it as a name, and it means one key."""
    return isinstance(key, ListItem) or not any(
        letter in '"\\.' or letter < " " or "\ud800" <= letter <= "\udfff" for letter in key
    )


def _struct(tree: _Tree, name: str, types: tuple[str, ...] | None = None) -> type[msgspec.Struct]:
    """Return the type for one level.

    A missing object counts as an empty one, since no path ends at it; the union accepts any other
    value.
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
    if types is not None:  # without a default: a line without it is refused
        place = list(tree).index(_TYPE)
        fields[place] = (f"f{place}", Literal[types], msgspec.NODEFAULT)
    return msgspec.defstruct(
        name,
        fields,
        rename={f"f{number}": str(key) for number, key in enumerate(tree)},
        frozen=True,
        gc=False,
        kw_only=types is not None,
    )


def _list_of(tree: _Tree, name: str) -> Any:
    """Return the type for a list that a mapping iterates; single items may be read, too.

    An object counts as a list of one and is plain, as are lists in lists.
    """
    item = _merged([inside for key, inside in tree.items() if key is ITEM or str(key).isdecimal()])
    if not item or ITEM in item:
        return Any
    kind = _struct(item, name) | None | bool | int | float | str | list
    return list[kind] | dict[str, Any] | None | bool | int | float | str  # type: ignore[valid-type]


def _merged(trees: Sequence[_Tree]) -> _Tree:
    """Return the tree with the places of all; an empty tree, decoded as a whole, wins."""
    if not all(trees):
        return {}
    keys = dict.fromkeys(chain.from_iterable(trees))
    return {key: _merged([tree[key] for tree in trees if key in tree]) for key in keys}


@lru_cache(maxsize=1024)
def _entering(struct: type[msgspec.Struct]) -> Callable[[Any], msgspec.Struct]:
    """Return the function that makes a struct of the values that paths find in another value."""
    keys = [one.encode_name for one in msgspec.structs.fields(struct)]
    nothing = struct(*(MISSING for _ in keys))

    def enter(value: Any) -> msgspec.Struct:
        return nothing if value is MISSING else struct(*(step(value, key) for key in keys))

    return enter


class _Attribute(NamedTuple):
    """An attribute of a struct, and the struct type that is expected there or in its items."""

    name: str
    struct: type[msgspec.Struct] | None
    item: type[msgspec.Struct] | None


@lru_cache(maxsize=1024)
def _attributes(struct: type[msgspec.Struct]) -> dict[str, _Attribute]:
    """Return the attributes by key."""
    return {
        one.encode_name: _Attribute(
            one.name,
            type(one.default) if isinstance(one.default, msgspec.Struct) else None,
            _item_of(one.type),
        )
        for one in msgspec.structs.fields(struct)
    }


def _item_of(kind: Any) -> type[msgspec.Struct] | None:
    """Return the struct type that is expected in lists of a type."""
    items = [get_args(one)[0] for one in get_args(kind) if get_origin(one) is list]
    return get_args(items[0])[0] if items else None
