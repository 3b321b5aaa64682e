"""The texts in settings that are secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from framework.definition.fields import FieldTable


def secret_texts(fields: FieldTable, values: Any) -> Iterator[str]:
    """Yield the texts of secret fields at any depth, those of objects and lists included.

    Messages, logs and outcomes never contain them. *values* are settings, or a part of them.
    """
    for key, entry in fields.items():
        value = values.get(key) if isinstance(values, Mapping) else None
        value = entry.default if value is None else value
        for one in value if isinstance(value, list) else [value]:
            if entry.secret:
                yield from _texts(one)
            elif entry.properties:
                yield from secret_texts(entry.properties, one)


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts of a secret, which may be an object, such as headers."""
    if isinstance(value, Mapping):
        value = [*value.values()]
    if isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif value is not None:
        yield str(value)
