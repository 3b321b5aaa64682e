"""Read YAML into nodes; its scalars mean what they mean in JSON.

`true`, `false`, `null`, `~`, nothing at all and decimal numbers without leading zeros are what
they look like; anything else, `yes`, `0123` and `2024-01-01` among it, is text.
Anchors, aliases and merge keys work; tags other than `!!str` and further documents do not.

PyYAML's parser in C reads the text, where PyYAML was built with it, as it is in its wheels: only
so a document of a mebibyte ends within a second, whatever it holds. It refuses `{key:, ...}`, which
PyYAML's own parser reads: within braces and brackets a space follows the `:` of a bare key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml
from yaml.reader import Reader

from framework.config.diagnostics import DiagnosticList, Spot
from framework.config.nodes import (
    DocumentNode,
    DocumentScalar,
    NodeBuilder,
    Pair,
    Unreadable,
    plain_scalar,
)

_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT_TAGS = {"!", "tag:yaml.org,2002:str"}
_FORBIDDEN = Reader.NON_PRINTABLE
_BREAKS = "\r\n|[\n\r\x85\u2028\u2029]"
_WORDING = (
    ("did not find expected (.*)", r"expected \1, but got {}"),
    ("found character that (.*)", r"found character {} that \1"),
    ("a tab character that.*", r"character {} that cannot start any token"),
    ("in this context", "here"),
)
_HINTS = {
    "'\\t'": "Indent with spaces.",
    "mapping values are not allowed": "Put a text that holds `: ` into quotes.",
    "cannot start any token": "Put the text into quotes.",
    "unexpected ':'": "Write a space after the key's `:`, or put a text with `:` into quotes.",
}


def read_yaml(text: str, findings: DiagnosticList) -> DocumentNode:
    """Give the document's value; raises Unreadable after noting why in *findings*."""
    reader = _Reader(findings)
    forbidden = _FORBIDDEN.search(text)
    if forbidden:
        raise reader.character(text, forbidden.start())
    try:
        return reader.document(yaml.parse(text, Loader=_PARSER))
    except yaml.MarkedYAMLError as error:
        raise reader.syntax(text, error) from None


def write_yaml(value: Any) -> str:
    """Give *value* as YAML in block style, its keys in their order."""
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)
    return text


class _Reader:
    """Composes the events of PyYAML's parser into nodes."""

    def __init__(self, findings: DiagnosticList) -> None:
        self._build = NodeBuilder(findings)
        self._anchors: dict[str, DocumentNode] = {}

    def document(self, events: Iterator[yaml.Event]) -> DocumentNode:
        next(events)
        if isinstance(next(events), yaml.StreamEndEvent):
            raise self._build.stop("AD101", Spot(), "The document is empty.")
        root = self._node(next(events), events, 1)
        next(events)
        following = next(events)
        if not isinstance(following, yaml.StreamEndEvent):
            text = "A second document begins here; a connection file holds one."
            raise self._build.stop("AD104", _spot(following), text)
        return root

    def syntax(self, text: str, error: yaml.MarkedYAMLError) -> Unreadable:
        mark = error.problem_mark or error.context_mark
        spot, found = _found(text, mark.line, mark.column) if mark else (Spot(), "the end")
        problem = error.problem or error.context or ""
        for pattern, wording in _WORDING:
            problem = re.sub(pattern, wording, problem)
        problem = problem.replace("{}", found)
        hint = next((hint for part, hint in _HINTS.items() if part in problem), "")
        return self._build.stop("AD101", spot, f"This is not valid YAML: {problem}.", hint)

    def character(self, text: str, position: int) -> Unreadable:
        before = text[:position]
        spot = Spot(before.count("\n") + 1, len(before) - before.rfind("\n"))
        code = f"U+{ord(text[position]):04X}"
        return self._build.stop(
            "AD101", spot, f"This is not valid YAML: the character {code} is not allowed."
        )

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> DocumentNode:
        spot = _spot(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, spot)
        assert isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent)
        self._check_tag(event.tag, spot)
        if isinstance(event, yaml.ScalarEvent):
            node = self._build.scalar(spot, _scalar(event))
        else:
            self._build.check_depth(depth, spot)
            is_list = isinstance(event, yaml.SequenceStartEvent)
            node = (self._list if is_list else self._object)(spot, events, depth)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _list(self, spot: Spot, events: Iterator[yaml.Event], depth: int) -> DocumentNode:
        nodes = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            nodes.append(self._node(event, events, depth + 1))
        return self._build.list(spot, nodes)

    def _object(self, spot: Spot, events: Iterator[yaml.Event], depth: int) -> DocumentNode:
        pairs: list[Pair] = []
        merged: list[DocumentNode] = []
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self._node(event, events, depth + 1)
            value = self._node(next(events), events, depth + 1)
            if isinstance(event, yaml.ScalarEvent) and event.value == "<<" and not event.style:
                merged += self._sources(value)
            elif isinstance(key.value, dict | list):
                text = f"A key must be text, got {key.kind}."
                self._build.findings.error("AD104", key.spot, text)
            else:
                pairs.append((_key(key), key.spot, value))
        return self._build.object(spot, [*pairs, *_inherited(merged, pairs)])

    def _sources(self, merged: DocumentNode) -> list[DocumentNode]:
        nodes = merged.value if isinstance(merged.value, list) else [merged]
        for node in nodes:
            if not isinstance(node.value, dict):
                text = f"`<<` merges objects, got {node.kind}."
                self._build.findings.error("AD201", node.spot, text)
        return nodes

    def _alias(self, event: yaml.AliasEvent, spot: Spot) -> DocumentNode:
        if event.anchor in self._anchors:
            return self._build.again(spot, self._anchors[event.anchor])
        text = f"The alias `*{event.anchor}` has no anchor `&{event.anchor}` before it."
        raise self._build.stop("AD104", spot, text)

    def _check_tag(self, tag: str | None, spot: Spot) -> None:
        if tag and tag not in _TEXT_TAGS:
            text = f"The tag `{tag}` is not used in connection files."
            self._build.findings.error("AD104", spot, text, "Leave it out.")


def _scalar(event: yaml.ScalarEvent) -> DocumentScalar:
    if event.style or event.tag:
        return str(event.value)
    return None if event.value in {"", "~"} else plain_scalar(event.value)


def _key(key: DocumentNode) -> str:
    return key.value if isinstance(key.value, str) else json.dumps(key.value)


def _inherited(merged: list[DocumentNode], pairs: list[Pair]) -> list[Pair]:
    """Give what merge keys bring: an object's own keys win, then those of the first merged."""
    own = {key for key, _, _ in pairs}
    found: dict[str, Pair] = {}
    for node in merged:
        for key, value in node.members.items():
            if key not in own:
                found.setdefault(key, (key, node.key(key), value))
    return list(found.values())


def _found(text: str, line: int, column: int) -> tuple[Spot, str]:
    """Give the spot of a place counted from 0 and what stands there; at most that of the end."""
    lines = re.split(_BREAKS, text)
    if line >= len(lines):
        line, column = len(lines) - 1, len(lines[-1])
    spot, here = Spot(line + 1, column + 1), lines[line][column : column + 1]
    if here:
        return spot, repr(here)
    return spot, "the end" if line == len(lines) - 1 else "the end of the line"


def _spot(event: yaml.Event) -> Spot:
    start, end = event.start_mark, event.end_mark
    assert start is not None
    assert end is not None
    length = end.column - start.column if end.line == start.line else 1
    return Spot(start.line + 1, start.column + 1, max(length, 1))
