"""What all wire forms share: JSON pointers, simple values and unknown content.

Reading does not stop at the first problem: every location of a document reports its own.
Unusable content is left out of the object but kept in its `extra`, so that writing restores the
document.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

from framework.paths import JSON, MISSING

MAX_DEPTH = 100
"""Maximum nesting of a document; real ones have about twenty levels."""

_KINDS = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}


class JsonPointer(NamedTuple):
    """A location in a document, with the document's lists of errors and warnings."""

    path: str
    errors: list[tuple[str, str]]
    warnings: list[tuple[str, str]]

    def at(self, *keys: str | int) -> JsonPointer:
        """Return the location that *keys* lead to from here."""
        steps = "".join(f"/{str(key).replace('~', '~0').replace('/', '~1')}" for key in keys)
        return JsonPointer(self.path + steps, self.errors, self.warnings)

    def error(self, text: str) -> None:
        """Note a problem that makes the document invalid; *text* follows the path."""
        self.errors.append((self.path, text))

    def warn(self, text: str) -> None:
        """Note an unusable part of a document that is usable otherwise."""
        self.warnings.append((self.path, text))


def sentences(notes: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return notes as sentences that begin with their path, ordered by path."""
    return tuple(f"`{path or '/'}` {text}" for path, text in sorted(notes, key=_by_path))


def _by_path(note: tuple[str, str]) -> list[str]:
    return [step.zfill(9) if step.isdecimal() else step for step in note[0].split("/")]


WireReader: TypeAlias = Callable[[JSON, JsonPointer], Any]
"""Converts a wire value; returns MISSING for an unusable value after noting the problem."""


def is_a(kind: type, value: JSON, place: JsonPointer) -> bool:
    """Return whether *value* is of a JSON type (dict, list, str or bool); note it if not."""
    if type(value) is kind:
        return True
    place.error(f"must be {_KINDS[kind]}, got {display_of(value)}.")
    return False


def display_of(value: JSON) -> str:
    """Return a JSON value as a message shows it: objects and lists by type, long strings cut."""
    if isinstance(value, dict | list):
        return _KINDS[type(value)]
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def read_text(value: JSON, place: JsonPointer) -> Any:
    """Read a string; null is the empty string."""
    if value is None:
        return ""
    return value if is_a(str, value, place) else MISSING


def read_flag(value: JSON, place: JsonPointer) -> Any:
    """Read true or false; null is false."""
    if value is None:
        return False
    return value if is_a(bool, value, place) else MISSING


def read_number(value: JSON, place: JsonPointer) -> Any:
    """Read a finite number or null."""
    if value is None or (type(value) in {int, float} and math.isfinite(value)):
        return value
    place.error(f"must be a finite number, got {display_of(value)}.")
    return MISSING


def read_word(allowed: Iterable[str]) -> WireReader:
    """Read one of some words, or null; an unknown word is left out with a warning."""
    words = tuple(allowed)

    def read(value: JSON, place: JsonPointer) -> Any:
        if value is None or value in words:
            return value
        place.warn(f"must be one of {', '.join(words)}, got {display_of(value)}; it is left out.")
        return MISSING

    return read


def read_each(read: WireReader) -> WireReader:
    """Read a list of values with *read*, without unusable ones; null is the empty list."""

    def read_list(value: JSON, place: JsonPointer) -> Any:
        if value is None:
            return ()
        if not is_a(list, value, place):
            return MISSING
        found = (read(item, place.at(index)) for index, item in enumerate(value))
        return tuple(item for item in found if item is not MISSING)

    return read_list


def residue(written: Mapping[str, JSON], document: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return the keys of a document that differ from *written*.

    Keys that the document does not have are MISSING in the result.
    """
    keys = [*document, *(key for key in written if key not in document)]
    pairs = ((key, written.get(key, MISSING), document.get(key, MISSING)) for key in keys)
    return {key: given for key, ours, given in pairs if not identical_json(ours, given)}


def restore(written: Mapping[str, JSON], extra: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return the document that `residue` was taken from."""
    return {key: v for key, v in {**written, **extra}.items() if v is not MISSING}


def identical_json(one: JSON, other: JSON) -> bool:
    """Return whether two JSON values have the same JSON text; 1, 1.0 and true all differ."""
    if one is MISSING or other is MISSING:
        return one is other
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def is_shallow(document: JSON) -> bool:
    """Return whether a document is nested at most MAX_DEPTH levels."""
    level = [document]
    for _ in range(MAX_DEPTH):
        level = [inner for value in level for inner in _members(value)]
        if not level:
            return True
    return False


def _members(value: JSON) -> Iterable[JSON]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
