"""Read JSON (RFC 8259) into nodes.

Python's own reader decides what is JSON, PyYAML's composer where its values are: JSON whose
strings are emptied, and whose colons follow their keys at once, is YAML.
"""

from __future__ import annotations

import json
import re
import string
from typing import Final

import yaml

from framework.config.diagnostics import DiagnosticList, Spot
from framework.config.nodes import (
    MAX_VALUES,
    DocumentNode,
    DocumentScalar,
    Unreadable,
    plain_scalar,
)
from framework.config.yamltext import NodeComposer, compose, stop

_DECODER: Final = json.JSONDecoder(parse_int=str, parse_float=str)
_SPACE: Final = " \t\r\n"
_IN_LITERALS: Final = string.ascii_letters + string.digits + "+-."
_LITERAL = re.compile(r"true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_STRING = re.compile(r'("(?:[^"\\]++|\\.)*+")([ \t\r\n]*:)?', re.DOTALL)
_FOREIGN = re.compile(r"""[^\w \r\n.+:,"{}\[\]-]""")
_MOST_STRINGS: Final = 2 * MAX_VALUES + 2048
"""Keys and values until a document holds too many, and as many as a parser may look ahead."""

_EXPECTED: Final = {
    "Expecting property name enclosed in double quotes": "a key in double quotes",
    "Illegal trailing comma before end of object": "a key in double quotes",
    "Expecting ':' delimiter": "`:`",
    "Expecting value": "a value",
    "Illegal trailing comma before end of array": "a value",
    "Extra data": "the end of the document",
}


def read_json(text: str, findings: DiagnosticList) -> DocumentNode:
    """Return the document's value; raises Unreadable after noting why in *findings*."""
    error = _error(text)
    known = text if error is None else text[: error[1]]
    skeleton = _skeleton(known)
    if error and text.strip(_SPACE) and not skeleton.strip():
        raise _refusal(text, skeleton, *error, findings)
    try:
        root = compose(skeleton, _JsonComposer, findings, known[: len(skeleton)])
    except yaml.YAMLError:
        if error is None:
            raise
    if error is not None:
        raise _refusal(text, skeleton, *error, findings)
    return root


class _JsonComposer(NodeComposer):
    """Composes JSON's skeleton; strings are read from the source."""

    def scalar(self, event: yaml.ScalarEvent, spot: Spot, *, is_key: bool) -> DocumentNode:
        """Return the value of a scalar; keys do not count."""
        assert event.start_mark is not None
        start = event.start_mark.index
        value: DocumentScalar = plain_scalar(event.value)
        if self.source.startswith('"', start):
            value, end = _DECODER.raw_decode(self.source, start)
            spot = spot._replace(length=end - start)
        elif event.value and not _LITERAL.fullmatch(event.value):
            raise _refusal(self.source, "", "Expecting value", start, self.findings)
        if not is_key:
            self.count(spot)
        return DocumentNode(spot, value, {})


def _error(text: str) -> tuple[str, int] | None:
    """Return the json module's message about *text*, and the offset of the error."""
    try:
        _DECODER.decode(text)
    except RecursionError:
        return "nested too deeply", len(text)
    except json.JSONDecodeError as error:
        message, place = error.msg, error.pos
        if message.startswith("Illegal trailing comma"):
            place += 1
            return message, place + len(text[place:]) - len(text[place:].lstrip(_SPACE))
        word = len(text[:place].rstrip(_IN_LITERALS))
        if word < place and re.match(r"[\w.]", text[place:]):
            return "Expecting value", word
        return message, place
    return None


def _skeleton(text: str) -> str:
    """Return the beginning of *text* that is like JSON, with its strings emptied in place."""
    skeleton = _STRING.sub(_emptied, text, count=_MOST_STRINGS).replace("\t", " ")
    if skeleton.count('"') % 2:
        skeleton = skeleton[: skeleton.rfind('"')]
    return _FOREIGN.split(skeleton, maxsplit=1)[0]


def _emptied(match: re.Match[str]) -> str:
    """Empty a string and move a key's colon next to it, without moving the following text."""
    blank, space = " " * (len(match[1]) - 2), (match[2] or "")[:-1]
    if not space:
        return f'"":{blank}' if match[2] else f'""{blank}'
    return f'"":{blank[1:]}{space} ' if blank else f"k:{space} "


def _refusal(
    text: str, skeleton: str, message: str, place: int, findings: DiagnosticList
) -> Unreadable:
    expected = _EXPECTED.get(message, "")
    if message == "Expecting ',' delimiter":
        expected = f"`,` or `{_closing(skeleton)}`"
    found = json.dumps(text[place]) if place < len(text) else "the end"
    problem = message.removesuffix(" at").removesuffix(" starting")
    if expected:
        problem = f"expected {expected}, got {found}"
    lines = re.split(r"\r\n|[\r\n]", text[:place])
    spot = Spot(len(lines), len(lines[-1]) + 1)
    return stop(findings, "AD101", spot, f"This is not valid JSON: {problem}.")


def _closing(skeleton: str) -> str:
    """Return the bracket that closes the innermost list or object that is open at the end."""
    closed = 0
    for character in reversed(skeleton):
        if character in "[{" and not closed:
            return "]" if character == "[" else "}"
        closed += (character in "]}") - (character in "[{")
    return "]"
