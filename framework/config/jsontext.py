"""Read JSON (RFC 8259) into nodes."""

from __future__ import annotations

import json
import re

from framework.config.diagnostics import DiagnosticList, Spot
from framework.config.nodes import DocumentNode, NodeBuilder, Pair, Unreadable, plain_scalar

_STRINGS = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")
_LITERAL = re.compile(r"(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.])")


def read_json(text: str, findings: DiagnosticList) -> DocumentNode:
    """Give the document's value; raises Unreadable after noting why in *findings*."""
    return _Reader(text, findings).document()


class _Reader:
    def __init__(self, text: str, findings: DiagnosticList) -> None:
        self._text = text
        self._build = NodeBuilder(findings)
        self._lines = _Lines(text)

    def document(self) -> DocumentNode:
        start = self._skip(0)
        if start == len(self._text):
            raise self._build.stop("AD101", Spot(), "The document is empty.")
        node, end = self._value(start, 1)
        end = self._skip(end)
        if end < len(self._text):
            raise self._unexpected(end, "the end of the document")
        return node

    def _value(self, start: int, depth: int) -> tuple[DocumentNode, int]:
        match self._text[start : start + 1]:
            case "{":
                return self._object(start, depth)
            case "[":
                return self._list(start, depth)
            case '"':
                text, end = self._string(start)
                return self._build.scalar(self._spot(start, end), text), end
        literal = _LITERAL.match(self._text, start)
        if literal is None:
            raise self._unexpected(start, "a value")
        spot = self._spot(start, literal.end())
        return self._build.scalar(spot, plain_scalar(literal[0])), literal.end()

    def _object(self, start: int, depth: int) -> tuple[DocumentNode, int]:
        spot = self._spot(start)
        self._build.check_depth(depth, spot)
        pairs: list[Pair] = []
        here = self._skip(start + 1)
        while not self._is_at(here, "}"):
            if pairs:
                here = self._expect(here, ",", "`,` or `}`")
            if not self._is_at(here, '"'):
                raise self._unexpected(here, "a key in double quotes")
            key, end = self._string(here)
            key_spot = self._spot(here, end)
            node, here = self._value(self._expect(self._skip(end), ":", "`:`"), depth + 1)
            pairs.append((key, key_spot, node))
            here = self._skip(here)
        return self._build.object(spot, pairs), here + 1

    def _list(self, start: int, depth: int) -> tuple[DocumentNode, int]:
        spot = self._spot(start)
        self._build.check_depth(depth, spot)
        nodes: list[DocumentNode] = []
        here = self._skip(start + 1)
        while not self._is_at(here, "]"):
            if nodes:
                here = self._expect(here, ",", "`,` or `]`")
            node, here = self._value(here, depth + 1)
            nodes.append(node)
            here = self._skip(here)
        return self._build.list(spot, nodes), here + 1

    def _string(self, start: int) -> tuple[str, int]:
        try:
            return _STRINGS.raw_decode(self._text, start)
        except json.JSONDecodeError as error:
            what = error.msg.removesuffix(" at").removesuffix(" starting")
            raise self._build.stop(
                "AD101", self._spot(error.pos), f"This is not valid JSON: {what}."
            ) from None

    def _skip(self, start: int) -> int:
        match = _SPACE.match(self._text, start)
        return match.end() if match else start

    def _is_at(self, here: int, token: str) -> bool:
        return self._text.startswith(token, here)

    def _expect(self, here: int, token: str, expected: str) -> int:
        if not self._is_at(here, token):
            raise self._unexpected(here, expected)
        return self._skip(here + 1)

    def _unexpected(self, here: int, expected: str) -> Unreadable:
        found = json.dumps(self._text[here]) if here < len(self._text) else "the end"
        text = f"This is not valid JSON: expected {expected}, got {found}."
        return self._build.stop("AD101", self._spot(here), text)

    def _spot(self, start: int, end: int | None = None) -> Spot:
        line, column = self._lines.place(start)
        return Spot(line, column, (end or start + 1) - start)


class _Lines:
    """Finds the lines of offsets; quick where each one lies behind the one before."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._known, self._line, self._start = 0, 1, 0

    def place(self, offset: int) -> tuple[int, int]:
        """Give the line and the column of an offset, both from 1."""
        if offset < self._known:
            self._known, self._line, self._start = 0, 1, 0
        passed = self._text[self._known : offset]
        if "\n" in passed or "\r" in passed:
            breaks = passed.count("\n") + passed.count("\r") - passed.count("\r\n")
            self._line += breaks
            self._start = self._known + max(passed.rfind("\n"), passed.rfind("\r")) + 1
        self._known = offset
        return self._line, offset - self._start + 1
