"""Placeholders: `{{path}}` and `{{{path}}}` in a string, recognized as by Segment."""

from __future__ import annotations

from typing import Final, TypeAlias

from framework.mapping.javascript import BLANKS
from framework.paths import Path

Piece: TypeAlias = str | Path
"""Literal text, or the path of a value to insert."""

_TRIPLE: Final = ("{{{", "}}}")
_DOUBLE: Final = ("{{", "}}")


def parse_placeholders(text: str) -> tuple[Piece, ...]:
    """Split a string into pieces: triple braces first, then double braces between them.

    A placeholder holds anything but `}`; white space around it is ignored. Every string is valid:
    braces that form no placeholder are literal text. Inserted values are not searched for
    placeholders.
    """
    pieces: list[Piece] = []
    for piece in _split(text, *_TRIPLE):
        pieces += _split(piece, *_DOUBLE) if isinstance(piece, str) else [piece]
    return tuple(pieces)


def _split(text: str, opening: str, closing: str) -> list[Piece]:
    """Split at one kind of braces in one pass; the first `}` must begin the closing braces."""
    pieces: list[Piece] = []
    start = 0
    begin = text.find(opening)
    while begin >= 0:
        end = text.find("}", begin)
        if end < 0:
            break
        inside = begin + len(opening)
        if end > inside and text.startswith(closing, end):
            pieces += [text[start:begin]] if begin > start else []
            pieces.append(Path.parse(text[inside:end].strip(BLANKS)))
            start = end = end + len(closing)
        begin = text.find(opening, max(end, begin + 1))
    return [*pieces, text[start:]] if start < len(text) else pieces
