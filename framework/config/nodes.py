"""Values of a document with their positions, and the limits that no document may exceed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from framework.config.diagnostics import Spot

MAX_DEPTH = 64
"""Levels of nesting that a document may have."""

MAX_VALUES = 10_000
"""Values that a document may hold, those that its aliases repeat included."""

MAX_REPEATED = 1024 * 1024
"""Characters of texts that a document's aliases may repeat."""

DocumentScalar: TypeAlias = str | int | float | bool | None

# Longer numbers are strings.
_NUMBER = re.compile(
    r"(?=.{1,400}\Z)-?(?:0|[1-9][0-9]{0,300})(\.[0-9]+)?([eE][+-]?[0-9]{1,4})?\Z", re.ASCII
)
_WORDS: Mapping[str, DocumentScalar] = {"null": None, "true": True, "false": False}
_KINDS = {
    dict: "an object",
    list: "a list",
    type(None): "nothing",
    str: "a string",
    bool: "true or false",
    int: "a number",
    float: "a number",
}


class Unreadable(Exception):  # noqa: N818 - not an error: it ends a reading, after what was noted
    """The rest of the document cannot be read; the findings state the reason."""


@dataclass(frozen=True, slots=True, eq=False)
class DocumentNode:
    """A value of a document and its position.

    *value* is a scalar, a dict of nodes or a list of nodes; *keys* holds the positions of an
    object's keys; *size* counts the values within, itself included, *height* the levels, *length*
    the characters of texts and keys.
    """

    spot: Spot
    value: DocumentScalar | dict[str, DocumentNode] | list[DocumentNode]
    keys: Mapping[str, Spot]
    size: int = 1
    height: int = 0
    length: int = 0

    @property
    def members(self) -> dict[str, DocumentNode]:
        """The members of an object; nothing for any other value."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def kind(self) -> str:
        """The value's kind in words, with an article."""
        return _KINDS[type(self.value)]

    def plain(self) -> Any:
        """Return the value as plain JSON."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        return [node.plain() for node in self.value] if isinstance(self.value, list) else self.value

    def at(self, *path: str | int) -> DocumentNode:
        """Follow *path* as far as it leads; return the innermost value that exists."""
        node = self
        for part in map(str, path):
            inner = node.members.get(part)
            if isinstance(node.value, list) and part.isdecimal() and int(part) < len(node.value):
                inner = node.value[int(part)]
            if inner is None:
                break
            node = inner
        return node

    def key(self, name: str) -> Spot:
        """Return the position of the key *name*, or of the object where it has no such key."""
        return self.keys.get(name, self.spot)


def plain_scalar(text: str) -> DocumentScalar:
    """Return a scalar's value by JSON's rules; anything else is a string."""
    if text in _WORDS:
        return _WORDS[text]
    match = _NUMBER.match(text)
    if match is None:
        return text
    return float(text) if match[1] or match[2] else int(text)
