"""Hashing of single values in the data of an event, such as addresses."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from framework import PayloadValidationError
from framework.normalize import DigestMethod, digest


def hash_values(
    data: Mapping[str, Any], places: Iterable[str], algorithm: DigestMethod, *, clean: bool
) -> Mapping[str, Any]:
    """Return *data* with the values at *places* hashed, as hexadecimal digits.

    A place is a key, or keys joined by dots; lists are entered. With *clean*, white space around a
    value is removed, and letters are lower-cased. Values that are hashes already, empty ones and
    null are kept. Raises PayloadValidationError if there is an object or a boolean in a place.
    """
    for place in places:
        data = _replaced(data, place.split("."), place, algorithm, clean=clean)
    return data


def _replaced(
    value: Any, keys: Sequence[str], place: str, algorithm: DigestMethod, *, clean: bool
) -> Any:
    if isinstance(value, list):
        return [_replaced(one, keys, place, algorithm, clean=clean) for one in value]
    if not keys:
        return _hashed(value, place, algorithm, clean=clean)
    first, *rest = keys
    if not isinstance(value, dict) or first not in value:
        return value
    return {**value, first: _replaced(value[first], rest, place, algorithm, clean=clean)}


def _hashed(value: Any, place: str, algorithm: DigestMethod, *, clean: bool) -> Any:
    if value is None:
        return None
    if isinstance(value, dict | bool):
        kind = "an object" if isinstance(value, dict) else "a boolean"
        raise PayloadValidationError(
            f"`{place}` in `data` is {kind} and cannot be hashed. Name the values that it holds.",
            "NOT_HASHABLE",
        )
    text = value if isinstance(value, str) else json.dumps(value)
    if clean:
        text = text.strip().lower()
    return digest(text, algorithm)
