"""Values that know where they stand, within limits that no document may exceed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from framework.config.diagnostics import DiagnosticList, Spot

MAX_DEPTH = 64
"""Levels of nesting that a document may have."""

MAX_NUMBER = 400
"""Characters of the longest number; longer ones are texts."""

MAX_VALUES = 10_000
"""Values that a document may hold, those that its aliases repeat included."""

MAX_REPEATED = 1024 * 1024
"""Characters of texts that a document's aliases may repeat."""

DocumentScalar: TypeAlias = str | int | float | bool | None
Pair: TypeAlias = "tuple[str, Spot, DocumentNode]"

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,300})(\.[0-9]+)?([eE][+-]?[0-9]{1,4})?\Z")
_WORDS: Mapping[str, DocumentScalar] = {"null": None, "true": True, "false": False}
_KINDS = {str: "text", bool: "true or false", int: "a number", float: "a number"}


@dataclass(frozen=True, slots=True, eq=False)
class DocumentNode:
    """A value of a document and where it stands.

    *value* is a scalar, a dict of nodes or a list of nodes; *keys* says where an object's keys
    stand; *size* counts the values within, itself included, *height* the levels, *length* the
    characters of texts and keys.
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
        if isinstance(self.value, dict):
            return "an object"
        if isinstance(self.value, list):
            return "a list"
        return "nothing" if self.value is None else _KINDS[type(self.value)]

    def plain(self) -> Any:
        """Give the value as plain JSON."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def at(self, *path: str | int) -> DocumentNode:
        """Follow *path* as far as it leads; gives the innermost value that is there."""
        node = self
        for part in path:
            inner = node._inside(str(part))
            if inner is None:
                return node
            node = inner
        return node

    def key(self, name: str) -> Spot:
        """Give the spot of the key *name*, or of the object itself when it has no such key."""
        return self.keys.get(name, self.spot)

    def _inside(self, part: str) -> DocumentNode | None:
        if isinstance(self.value, dict):
            return self.value.get(part)
        if isinstance(self.value, list) and part.isdecimal() and int(part) < len(self.value):
            return self.value[int(part)]
        return None


class Unreadable(Exception):  # noqa: N818 - not an error: it ends a reading, after what was noted
    """The rest of the document cannot be read; the findings say why."""


class NodeBuilder:
    """Makes nodes, sees to the limits, and notes keys that are given twice."""

    def __init__(self, findings: DiagnosticList) -> None:
        self.findings = findings
        self._made = 0
        self._repeated = 0
        self._repeated_length = 0

    def scalar(self, spot: Spot, value: DocumentScalar) -> DocumentNode:
        """Make a node without an inside."""
        self._count(spot, 0)
        return DocumentNode(spot, value, {}, length=len(value) if isinstance(value, str) else 0)

    def again(self, spot: Spot, node: DocumentNode) -> DocumentNode:
        """Give a node once more, as an alias does."""
        self._repeated += node.size
        self._repeated_length += node.length
        self._count(spot, self._repeated)
        if self._repeated_length > MAX_REPEATED:
            limit = f"{MAX_REPEATED // 1024:,} KiB"
            raise self.stop(
                "AD103", spot, f"The document's aliases repeat more than {limit} of text."
            )
        return node

    def list(self, spot: Spot, nodes: list[DocumentNode]) -> DocumentNode:
        """Make a list."""
        return DocumentNode(spot, nodes, {}, *self._measure(spot, nodes))

    def object(self, spot: Spot, pairs: Iterable[Pair]) -> DocumentNode:
        """Make an object of *pairs* (key, its spot, value); of a double key the first stays."""
        keys: dict[str, Spot] = {}
        members: dict[str, DocumentNode] = {}
        for key, key_spot, node in pairs:
            if key in keys:
                line = keys[key].line
                text = f"The key `{key}` is already given in line {line}."
                self.findings.error("AD102", key_spot, text)
            else:
                keys[key], members[key] = key_spot, node
        size, height, length = self._measure(spot, members.values())
        return DocumentNode(spot, members, keys, size, height, length + sum(map(len, keys)))

    def check_depth(self, depth: int, spot: Spot) -> None:
        """End the reading when *depth* levels are too many."""
        if depth > MAX_DEPTH:
            raise self.stop(
                "AD103", spot, f"The document is nested more than {MAX_DEPTH} levels deep."
            )

    def stop(self, code: str, spot: Spot, message: str, hint: str = "") -> Unreadable:
        """Note an error after which nothing more can be read; gives the exception to raise."""
        self.findings.error(code, spot, message, hint)
        return Unreadable()

    def _count(self, spot: Spot, size: int) -> None:
        self._made += 1
        if max(self._made, size) > MAX_VALUES:
            raise self.stop("AD103", spot, f"The document holds more than {MAX_VALUES:,} values.")

    def _measure(self, spot: Spot, nodes: Iterable[DocumentNode]) -> tuple[int, int, int]:
        size, height, length = 1, 1, 0
        for node in nodes:
            size += node.size
            height = max(height, node.height + 1)
            length += node.length
        self._count(spot, size)
        self.check_depth(height, spot)
        return size, height, length


def plain_scalar(text: str) -> DocumentScalar:
    """Read a scalar as JSON does; what JSON does not know is text."""
    if text in _WORDS:
        return _WORDS[text]
    match = _NUMBER.match(text) if len(text) <= MAX_NUMBER else None
    if match is None:
        return text
    return float(text) if match[1] or match[2] else int(text)
