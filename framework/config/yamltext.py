"""Read YAML into nodes, with scalars as in JSON.

`true`, `false`, `null`, `~`, empty values and decimal numbers without leading zeros are literals;
any other scalar, such as `yes`, `0123` or `2024-01-01`, is a string.
Anchors, aliases and merge keys are supported; tags other than `!!str` and multiple documents are
not.

PyYAML's C parser is used where it is available, as in PyYAML's wheels: only with it, any document
of a mebibyte is read within a second. It rejects `{key:, ...}`, which PyYAML's Python parser
accepts: within braces and brackets, write a space after the `:` of an unquoted key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, cast

import yaml
from yaml.composer import Composer
from yaml.reader import Reader

from framework.config.diagnostics import DiagnosticList, Spot
from framework.config.nodes import (
    MAX_DEPTH,
    MAX_REPEATED,
    MAX_VALUES,
    DocumentNode,
    DocumentScalar,
    Unreadable,
    plain_scalar,
)

_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT_TAGS = {"!", "tag:yaml.org,2002:str"}
_FORBIDDEN = Reader.NON_PRINTABLE
_BREAKS = "\r\n|[\n\r\x85\u2028\u2029]"
_WORDING = (
    (
        "did not find expected '-' indicator",
        "expected `-` below that of the item before, got {}",
    ),
    ("did not find expected key", "expected a key below the one before, got {}"),
    ("did not find expected (.*)", r"expected \1, but got {}"),
    ("found character that (.*)", r"found character {} that \1"),
    ("a tab character that.*", r"character {} that cannot start any token"),
    ("in this context", "here"),
)
_HINTS = {
    "'\\t'": "Indent with spaces.",
    "mapping values are not allowed": "Put a text that holds `: ` into quotes, or indent the line "
    "like the one before.",
    "below that of the item before": "Indent all items of a list alike.",
    "below the one before": "Indent all keys of an object alike.",
    "<block end>": "Indent all items of a list, and all keys of an object, alike.",
    "expected ',' or ']'": "Close the list with `]`, or put a comma between its items.",
    "expected ',' or '}'": "Close the object with `}`, or put a comma between its keys.",
    "unexpected end of stream": "Close the quotes of the text.",
    "cannot start any token": "Put the text into quotes.",
    "unexpected ':'": "Write a space after the key's `:`, or put a text with `:` into quotes.",
}


_QUOTED = re.compile(r"""(?:[:,\[{-] *)(?=(["'])).*\1\s*\Z""")
"""The beginning of a line up to the end of a value in quotes, behind which nothing may follow."""

_WITHIN_QUOTES = {
    '"': "Leave out the quotes around a text that has double quotes in it, or write single ones.",
    "'": "Leave out the quotes around a text that has single quotes in it, or write those twice.",
}


def read_yaml(text: str, findings: DiagnosticList) -> DocumentNode:
    """Return the document's value; raises Unreadable after noting why in *findings*."""
    if forbidden := _FORBIDDEN.search(text):
        before = text[: forbidden.start()]
        spot = Spot(before.count("\n") + 1, len(before) - before.rfind("\n"))
        problem = f"the character U+{ord(forbidden[0]):04X} is not allowed"
        raise stop(findings, "AD101", spot, f"This is not valid YAML: {problem}.")
    try:
        return compose(text, NodeComposer, findings)
    except yaml.MarkedYAMLError as error:
        raise _syntax(text, error, findings) from None


def write_yaml(value: Any) -> str:
    """Return *value* as YAML in block style, its keys in their order; no part refers to another."""
    text: str = yaml.dump(
        value, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, width=100
    )
    return text


class _PlainDumper(yaml.SafeDumper):
    """Writes a value that occurs twice twice."""

    def ignore_aliases(self, data: Any) -> bool:
        """Return True."""
        del data
        return True


def compose(
    text: str, composer: type[NodeComposer], findings: DiagnosticList, source: str = ""
) -> DocumentNode:
    """Return the value of the one document in *text*; raises Unreadable and YAMLError."""
    loader: Any = partial(type("Loader", (composer, _PARSER), {}), findings, source)
    root = yaml.compose(text, Loader=loader)
    if root is None:
        raise stop(findings, "AD101", Spot(), "The document is empty.")
    value: DocumentNode = root.value
    return value


class NodeComposer(Composer):
    """PyYAML's composer, to be joined with a parser; a node's value is a Node of ours.

    Each event is held against the limits before it becomes a node. *source* is what *text* was
    made from, where it was.
    """

    peek_event: Callable[[], Any]
    get_event: Callable[[], Any]

    def __init__(self, findings: DiagnosticList, source: str, text: str) -> None:
        _PARSER.__init__(self, text)
        self.findings, self.source = findings, source
        self.anchors: dict[Any, yaml.Node] = {}
        self._anchored: dict[str, yaml.Node] = {}
        self._open = self._made = self._repeated = self._repeated_length = 0

    def compose_document(self) -> yaml.Node | None:
        """Compose the document, which nothing may follow."""
        root = super().compose_document()
        following = self.peek_event()
        if not isinstance(following, yaml.StreamEndEvent):
            text = "A second document begins here; a connection file holds one."
            raise stop(self.findings, "AD104", _spot(following), text)
        return root

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose one value; within a mapping *index* is its key, or nothing for a key itself."""
        event = self.peek_event()
        spot, in_object = _spot(event), isinstance(parent, yaml.MappingNode)
        node: Any
        if isinstance(event, yaml.AliasEvent):
            node = self._again(self.get_event(), spot)
        else:
            self._check(event, spot)
            node = super().compose_node(parent, index)
            node.value = self._value(node, event, spot, is_key=in_object and index is None)
            if event.anchor:
                self._anchored[event.anchor] = node
        if in_object and index is not None:
            self._check_key(index, node.value)
        return cast("yaml.Node", node)

    def scalar(self, event: yaml.ScalarEvent, spot: Spot, *, is_key: bool) -> DocumentNode:
        """Return a scalar's value; keys count as values."""
        del is_key
        self.count(spot)
        value: DocumentScalar = event.value
        if not event.style and not event.tag:
            value = None if event.value in {"", "~"} else plain_scalar(event.value)
        return DocumentNode(spot, value, {}, length=len(value) if isinstance(value, str) else 0)

    def _again(self, event: yaml.AliasEvent, spot: Spot) -> yaml.Node:
        if event.anchor not in self._anchored:
            text = f"The alias `*{event.anchor}` has no anchor `&{event.anchor}` before it."
            raise stop(self.findings, "AD104", spot, text)
        node = self._anchored[event.anchor]
        self._repeated += node.value.size
        self._repeated_length += node.value.length
        self.count(spot, self._repeated)
        if self._repeated_length > MAX_REPEATED:
            text = f"The document's aliases repeat more than {MAX_REPEATED // 1024:,} KiB of text."
            raise stop(self.findings, "AD103", spot, text)
        return node

    def _check(self, event: Any, spot: Spot) -> None:
        if event.tag and event.tag not in _TEXT_TAGS:
            text = f"The tag `{event.tag}` is not used in connection files."
            self.findings.error("AD104", spot, text, "Leave it out.")
        if isinstance(event, yaml.CollectionStartEvent):
            self._open += 1
            self._check_depth(self._open, spot)
        self.anchors.clear()  # the composer refuses an anchor that is set again

    def _check_key(self, key: yaml.Node, value: DocumentNode) -> None:
        if _is_merge(key):
            for node in _sources(value):
                if not isinstance(node.value, dict):
                    text = f"`<<` merges objects, got {node.kind}."
                    self.findings.error("AD201", node.spot, text)
        elif isinstance(key.value.value, dict | list):
            text = f"A key must be a string, got {key.value.kind}."
            self.findings.error("AD104", key.value.spot, text)

    def _value(self, node: yaml.Node, event: Any, spot: Spot, *, is_key: bool) -> DocumentNode:
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(event, spot, is_key=is_key)
        self._open -= 1
        if isinstance(node, yaml.MappingNode):
            return self._object(node, spot)
        nodes = [inner.value for inner in node.value]
        return DocumentNode(spot, nodes, {}, *self._measure(spot, nodes))

    def _object(self, node: yaml.MappingNode, spot: Spot) -> DocumentNode:
        """Return an object; the first of duplicate keys is kept."""
        keys: dict[str, Spot] = {}
        members: dict[str, DocumentNode] = {}
        for key, key_spot, value in _pairs(node):
            if key in keys:
                text = f"The key `{key}` is already given in line {keys[key].line}."
                self.findings.error("AD102", key_spot, text)
            else:
                keys[key], members[key] = key_spot, value
        size, height, length = self._measure(spot, [*members.values()])
        return DocumentNode(spot, members, keys, size, height, length + sum(map(len, keys)))

    def _measure(self, spot: Spot, nodes: list[DocumentNode]) -> tuple[int, int, int]:
        size = 1 + sum(node.size for node in nodes)
        height = 1 + max((node.height for node in nodes), default=0)
        self.count(spot, size)
        self._check_depth(height, spot)
        return size, height, sum(node.length for node in nodes)

    def _check_depth(self, depth: int, spot: Spot) -> None:
        if depth > MAX_DEPTH:
            text = f"The document is nested more than {MAX_DEPTH} levels deep."
            raise stop(self.findings, "AD103", spot, text)

    def count(self, spot: Spot, size: int = 0) -> None:
        """Count a value, of which aliases may have made *size*."""
        self._made += 1
        if max(self._made, size) > MAX_VALUES:
            text = f"The document holds more than {MAX_VALUES:,} values."
            raise stop(self.findings, "AD103", spot, text)


def _pairs(node: yaml.MappingNode) -> Iterator[tuple[str, Spot, DocumentNode]]:
    """Yield an object's own members, then those that it merges; there the first one wins."""
    inherited: dict[str, tuple[str, Spot, DocumentNode]] = {}
    own = set()
    for key, value in node.value:
        if _is_merge(key):
            for source in _sources(value.value):
                for name, inner in source.members.items():
                    inherited.setdefault(name, (name, source.key(name), inner))
        elif not isinstance(key.value.value, dict | list):
            text = key.value.value
            name = text if isinstance(text, str) else json.dumps(text)
            own.add(name)
            yield name, key.value.spot, value.value
    yield from (pair for name, pair in inherited.items() if name not in own)


def _is_merge(key: yaml.Node) -> bool:
    return isinstance(key, yaml.ScalarNode) and key.value.value == "<<" and not key.style


def _sources(merged: DocumentNode) -> list[DocumentNode]:
    return merged.value if isinstance(merged.value, list) else [merged]


def stop(
    findings: DiagnosticList, code: str, spot: Spot, message: str, hint: str = ""
) -> Unreadable:
    """Note an error after which nothing more can be read; return the exception to raise."""
    findings.error(code, spot, message, hint)
    return Unreadable()


def _syntax(text: str, error: yaml.MarkedYAMLError, findings: DiagnosticList) -> Unreadable:
    mark = error.problem_mark or error.context_mark
    spot, found = _found(text, mark.line, mark.column) if mark else (Spot(), "the end")
    problem = error.problem or error.context or ""
    for pattern, wording in _WORDING:
        problem = re.sub(pattern, wording, problem)
    problem = problem.replace("{}", found)
    hint = next((hint for part, hint in _HINTS.items() if part in problem), "")
    if mark and (
        quoted := _QUOTED.search(re.split(_BREAKS, text)[spot.line - 1][: spot.column - 1])
    ):
        hint = _WITHIN_QUOTES[quoted[1]]
    return stop(findings, "AD101", spot, f"This is not valid YAML: {problem}.", hint)


def _found(text: str, line: int, column: int) -> tuple[Spot, str]:
    """Return a position counted from 0 as a spot within the document, and the text at it."""
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
