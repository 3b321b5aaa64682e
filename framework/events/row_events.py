"""Rows of tables as events of reverse ETL: `track` events named by what became of the row.

Types are kept as far as JSON has them: whole numbers are exact, decimals of up to 15 digits are
numbers and longer ones text, dates and times are in ISO 8601, lists, structs and maps are nested.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from framework.errors import ConfigurationError
from framework.events.table_reading import TableReading

if TYPE_CHECKING:
    from framework.events.table_database import Column

_Convert: TypeAlias = Callable[[Any], Any]

_EXACT_DIGITS: Final = 15
"""The number of decimal digits that every double keeps."""

_COMPOUND: Final = frozenset({"array", "decimal", "list", "map", "struct", "union"})

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode


class RowEvents:
    """Makes events of the rows of a table with these *columns*.

    *source* is what the rows are from, as a part of message IDs: the same rows have the same IDs.
    Raises ConfigurationError if the name of a column is a part of another one's path.
    """

    def __init__(self, columns: Sequence[Column], reading: TableReading, source: str) -> None:
        names = [column.name for column in columns]
        self._paths = _paths(names)
        self._converters = [_converter(column.type, str(column.type)) for column in columns]
        self._keys = [names.index(key) for key in reading.keys]
        self._source = source.encode()
        taken = {
            "userId": reading.user_id,
            "anonymousId": reading.anonymous_id,
            "timestamp": reading.timestamp,
        }
        self._taken = [(key, names.index(name)) for key, name in taken.items() if name is not None]

    def lines(self, rows: Iterable[Sequence[Any]]) -> bytes:
        """Return the events of *rows*, each with the name of its change first, a line for each."""
        return b"".join(_encode(self._event(row[0], row[1:])) + b"\n" for row in rows)

    def _event(self, change: str, row: Sequence[Any]) -> dict[str, Any]:
        values = [
            value if convert is None or value is None else convert(value)
            for convert, value in zip(self._converters, row, strict=True)
        ]
        key = _encode([change, *(values[index] for index in self._keys)])
        event = {
            "type": "track",
            "event": change,
            "messageId": hashlib.blake2b(key, key=self._source[:64], digest_size=16).hexdigest(),
        }
        for name, index in self._taken:
            if values[index] is not None:
                event[name] = _text(values[index])
        return {**event, "properties": self._properties(values)}

    def _properties(self, values: Sequence[Any]) -> dict[str, Any]:
        properties: dict[str, Any] = {}
        for path, value in zip(self._paths, values, strict=True):
            inner = properties
            for name in path[:-1]:
                inner = inner.setdefault(name, {})
            inner[path[-1]] = value
        return properties


def _paths(names: Sequence[str]) -> list[list[str]]:
    """Return the path of each column: what is between the dots of its name."""
    paths = [name.split(".") if all(name.split(".")) else [name] for name in names]
    whole = {tuple(path): name for path, name in zip(paths, names, strict=True)}
    for path, name in zip(paths, names, strict=True):
        for length in range(1, len(path)):
            if other := whole.get(tuple(path[:length])):
                raise ConfigurationError(
                    f"The columns `{other}` and `{name}` cannot both be properties, as the dots in "
                    "a name separate the parts of its path. Rename one with --query."
                )
    return paths


def _converter(type_: Any, name: str) -> _Convert | None:
    """Return what makes JSON of the values of a type; None if they are JSON as they are."""
    if type_.id not in _COMPOUND:
        return _parsed if name == "JSON" else None
    parts = dict(type_.children)
    if type_.id == "decimal":
        return float if parts["precision"] <= _EXACT_DIGITS else str
    if type_.id == "union":
        return _plain
    converters = {part: _converter(one, str(one)) for part, one in parts.items() if part != "size"}
    if type_.id == "map":
        return _of_map(converters["value"])
    if type_.id == "struct":
        return _of_struct({part: one for part, one in converters.items() if one})
    return _of_list(converters["child"])


def _of_list(convert: _Convert | None) -> _Convert | None:
    """Return what converts each item of a list."""
    if convert is None:
        return None
    return lambda items: [None if one is None else convert(one) for one in items]


def _of_struct(parts: dict[str, _Convert]) -> _Convert | None:
    """Return what converts these *parts* of a struct."""
    if not parts:
        return None

    def converted(value: dict[str, Any]) -> dict[str, Any]:
        return {
            key: parts[key](one) if key in parts and one is not None else one
            for key, one in value.items()
        }

    return converted


def _of_map(convert: _Convert | None) -> _Convert:
    """Return what makes an object of a map; keys that are not text are written as text."""
    return lambda value: {
        _text(key): convert(one) if convert and one is not None else one
        for key, one in value.items()
    }


def _parsed(value: str) -> Any:
    try:
        return _decode(value)
    except msgspec.DecodeError:
        return value


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal) else value


def _text(value: Any) -> str:
    """Return a value as text, as JSON writes it."""
    return value if isinstance(value, str) else _encode(value).decode().strip('"')
