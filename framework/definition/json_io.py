"""What reading and writing any wire form has in common: places, simple values, what is left over.

Reading never gives up at the first problem: every place of a document reports what is wrong there.
What cannot be read is left out of the object but kept in its `extra`, so that writing gives the
document back.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

from framework.paths import JSON, MISSING

MAX_DEPTH = 100
"""How many levels a document may be nested; real ones have about twenty."""

_KINDS = {dict: "an object", list: "a list", str: "text", bool: "true or false"}


class JsonPointer(NamedTuple):
    """A place in a document, and the lists of what is wrong there and elsewhere."""

    path: str
    errors: list[tuple[str, str]]
    warnings: list[tuple[str, str]]

    def at(self, *keys: str | int) -> JsonPointer:
        """Return the place that *keys* lead to from here."""
        steps = "".join(f"/{str(key).replace('~', '~0').replace('/', '~1')}" for key in keys)
        return JsonPointer(self.path + steps, self.errors, self.warnings)

    def error(self, text: str) -> None:
        """Note what makes the document wrong; *text* goes on after the path."""
        self.errors.append((self.path, text))

    def warn(self, text: str) -> None:
        """Note what cannot be used although the rest of the document can."""
        self.warnings.append((self.path, text))


def told(notes: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return notes as sentences that begin with their path, ordered by it."""
    return tuple(f"`{path or '/'}` {text}" for path, text in sorted(notes, key=_by_path))


def _by_path(note: tuple[str, str]) -> list[str]:
    return [step.zfill(9) if step.isdecimal() else step for step in note[0].split("/")]


WireReader: TypeAlias = Callable[[JSON, JsonPointer], Any]
"""Turns a wire value into ours; MISSING when it is unusable, which it has noted then."""


def is_a(kind: type, value: JSON, place: JsonPointer) -> bool:
    """Return whether *value* is of a JSON kind (dict, list, str or bool); note it where not."""
    if type(value) is kind:
        return True
    place.error(f"must be {_KINDS[kind]}, got {shown(value)}.")
    return False


def shown(value: JSON) -> str:
    """Return a JSON value as a message shows it: objects and lists by kind, long texts cut."""
    if isinstance(value, dict | list):
        return _KINDS[type(value)]
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def read_text(value: JSON, place: JsonPointer) -> Any:
    """Read text; null is the empty text."""
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
    place.error(f"must be a finite number, got {shown(value)}.")
    return MISSING


def read_word(allowed: Iterable[str]) -> WireReader:
    """Read one of some words, or null; a word that is not known is left out with a warning."""
    words = tuple(allowed)

    def read(value: JSON, place: JsonPointer) -> Any:
        if value is None or value in words:
            return value
        place.warn(f"must be one of {', '.join(words)}, got {shown(value)}; it is left out.")
        return MISSING

    return read


def read_each(read: WireReader) -> WireReader:
    """Read a list of what *read* reads, without what is unusable; null is the empty list."""

    def read_list(value: JSON, place: JsonPointer) -> Any:
        if value is None:
            return ()
        if not is_a(list, value, place):
            return MISSING
        found = (read(item, place.at(index)) for index, item in enumerate(value))
        return tuple(item for item in found if item is not MISSING)

    return read_list


def residue(written: Mapping[str, JSON], document: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return what a document says beyond what was understood, or differently.

    A key that the document does not have is MISSING there.
    """
    keys = [*document, *(key for key in written if key not in document)]
    pairs = ((key, written.get(key, MISSING), document.get(key, MISSING)) for key in keys)
    return {key: said for key, ours, said in pairs if not same(ours, said)}


def restore(written: Mapping[str, JSON], extra: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return the document that `residue` was taken from."""
    return {key: v for key, v in {**written, **extra}.items() if v is not MISSING}


def same(one: JSON, other: JSON) -> bool:
    """Return whether two JSON values are the same text; 1, 1.0 and true are three values."""
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
