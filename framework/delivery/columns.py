"""Payloads of one subscription: as columns, as objects, and in groups with equal values."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import compress
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias

from framework.definition import Action
from framework.paths import MISSING

_UNHASHABLE: Final = (dict, list)

Lists: TypeAlias = tuple[list[Any], ...]
"""The rows of a subscription: their row ids, then the lists of its layout."""


class Layout(NamedTuple):
    """What is kept of the payloads of a subscription: shaped objects, or a list for each field.

    *constants* are the fields that have the same value in every row, or MISSING if they never
    have one; their lists stay empty. The *certain* fields always have a value.
    """

    fields: tuple[str, ...] | None = None
    constants: Mapping[str, Any] = MappingProxyType({})
    certain: frozenset[str] = frozenset()

    def lists(self) -> Lists:
        """Return new lists to add rows to."""
        return tuple(map(list, [()] * (2 if self.fields is None else 1 + len(self.fields))))


OBJECTS: Final = Layout()
"""Keeps shaped objects."""


class Columns(Mapping[str, Sequence[Any]]):
    """The shaped payloads of a subscription by field: an aligned sequence of values for each.

    Absent values are the field's default, else None. `runs` and `groups` cost almost nothing for
    fields that have the same value everywhere.
    """

    def __init__(
        self,
        action: Action,
        size: int,
        *,
        objects: Sequence[dict[str, Any]] | None = None,
        lists: Mapping[str, Sequence[Any]] | None = None,
        layout: Layout = OBJECTS,
    ) -> None:
        self._action = action
        self.size = size
        """The number of payloads."""
        self._objects = objects
        self._lists = lists or {}
        self._layout = layout
        self._constants = layout.constants

    @classmethod
    def of(cls, action: Action, layout: Layout, lists: Lists) -> Columns:
        """Return the rows that a fused function has added to *lists*."""
        if layout.fields is None:
            return cls(action, len(lists[0]), objects=lists[1])
        by_field = {
            key: values
            for key, values in zip(layout.fields, lists[1:], strict=True)
            if key not in layout.constants
        }
        return cls(action, len(lists[0]), lists=by_field, layout=layout)

    def __getitem__(self, key: str) -> Sequence[Any]:
        default = self._action.defaults[key]
        if self._objects is not None:
            return [one.get(key, default) for one in self._objects]
        if key in self._constants:
            return [self._constant(key)] * self.size
        if key in self._layout.certain:
            return self._lists[key]
        return [default if one is MISSING else one for one in self._lists[key]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._action.fields)

    def __len__(self) -> int:
        return len(self._action.fields)

    @cached_property
    def objects(self) -> Sequence[dict[str, Any]]:
        """The shaped payloads as plain objects, without absent values."""
        if self._objects is not None:
            return self._objects
        fixed = {key: one for key, one in self._constants.items() if one is not MISSING}
        rows = zip(*self._lists.values(), strict=True) if self._lists else [()] * self.size
        return [
            {key: one for key, one in zip(self._lists, row, strict=True) if one is not MISSING}
            | fixed
            for row in rows
        ]

    @cached_property
    def payloads(self) -> Sequence[Any]:
        """The payloads as the action declares them."""
        return build_all(self._action, self.objects)

    def runs(self, *keys: str) -> Iterator[tuple[tuple[Any, ...], Columns]]:
        """Yield the values of *keys* and the payloads that have them, neighbors together."""
        if self.size == 1 or all(key in self._constants for key in keys):
            yield self._first(keys), self
            return
        start = 0
        for values, group in itertools.groupby(zip(*(self[key] for key in keys), strict=True)):
            run = sum(1 for _ in group)
            yield values, self if run == self.size else self._part(start, start + run)
            start += run

    def groups(self, keys: Sequence[str]) -> dict[tuple[Any, ...], Sequence[int] | None]:
        """Return the places of the payloads by their values of *keys*; None if all agree."""
        if self.size == 1:
            return {_hashable(self._first(keys)): None}
        varying = [key for key in keys if key not in self._constants]
        columns = [self[key] for key in varying]
        if all(column.count(column[0]) == self.size for column in columns):
            return {_hashable(self._first(keys)): None}
        found: dict[Hashable, list[int]] = {}
        for place, value in enumerate(_row_keys(columns)):
            found.setdefault(value, []).append(place)
        groups: dict[tuple[Any, ...], Sequence[int] | None] = {}
        for places in found.values():
            first = {key: column[places[0]] for key, column in zip(varying, columns, strict=True)}
            groups[_hashable(tuple(self._value(key, first) for key in keys))] = places
        return groups

    def chosen(self, chosen: Sequence[bool]) -> Columns:
        """Return the payloads for which *chosen* is true."""
        return self._made(lambda values: list(compress(values, chosen)), sum(chosen))

    def at(self, places: Sequence[int]) -> Columns:
        """Return the payloads at *places*."""
        return self._made(lambda values: [values[place] for place in places], len(places))

    def _part(self, start: int, stop: int) -> Columns:
        return self._made(lambda values: values[start:stop], stop - start)

    def _made(self, take: Callable[[Sequence[Any]], Sequence[Any]], size: int) -> Columns:
        return Columns(
            self._action,
            size,
            objects=None if self._objects is None else take(self._objects),
            lists={key: take(values) for key, values in self._lists.items()},
            layout=self._layout,
        )

    def _first(self, keys: Sequence[str]) -> tuple[Any, ...]:
        """Return the values of *keys* in the first payload."""
        if self._objects:
            first = {**self._action.defaults, **self._objects[0]}
            return tuple(map(first.__getitem__, keys))
        constants = self._constants
        return tuple([self._constant(key) if key in constants else self[key][0] for key in keys])

    def _value(self, key: str, first: Mapping[str, Any]) -> Any:
        return first[key] if key in first else self._constant(key)

    def _constant(self, key: str) -> Any:
        value = self._constants[key]
        return self._action.defaults[key] if value is MISSING else value


def build(action: Action, shaped: dict[str, Any]) -> Any:
    """Return the typed payload, or the plain object if the action has only a field table."""
    payload = action.payload
    return payload.build(shaped) if isinstance(payload, type) else shaped


def build_all(action: Action, shaped: Sequence[dict[str, Any]]) -> Sequence[Any]:
    """Return the payloads of many shaped objects."""
    payload = action.payload
    return list(map(payload.build, shaped)) if isinstance(payload, type) else shaped


def _row_keys(columns: Sequence[Sequence[Any]]) -> Sequence[Hashable]:
    """Return for each row a key that rows with equal values share; text is its own key."""
    if len(columns) == 1 and {str}.issuperset(map(type, columns[0])):
        return columns[0]
    return [tuple(map(_key, row)) for row in zip(*columns, strict=True)]


def _hashable(values: tuple[Any, ...]) -> tuple[Hashable, ...]:
    """Return values as a key; lists and objects are compared by their representation."""
    try:
        hash(values)
    except TypeError:
        return tuple(map(_key, values))
    return values


def _key(value: Any) -> Hashable:
    return repr(value) if isinstance(value, _UNHASHABLE) else value
