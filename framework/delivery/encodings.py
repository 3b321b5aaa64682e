"""Secrets that stand in a text in an encoded form: found by decoding, as often as needed.

Percent escapes, escapes of JSON, JavaScript and Python and HTML entities may be mixed and nested;
base64 and hexadecimal may contain each other.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

Finds: TypeAlias = Callable[[str], re.Match[str] | None]
"""Searches a text for a secret."""

Spans: TypeAlias = Sequence[tuple[int, int]]
"""Where each character of a decoded text comes from."""

_ROUNDS: Final = 4
_LEVELS: Final = 2
# Escapes of ASCII characters; others cannot spell a secret that the plain search misses.
_TRIGGER: Final = re.compile(
    r"%(?:25)*[2-7][0-9a-fA-F]|%u00|\\u00[2-7]|\\u\{|\\x[2-7]|&#|&[a-zA-Z]{2,8};"
)
_ESCAPE: Final = re.compile(
    r"(?P<wide>%u[0-9a-fA-F]{4})"
    r"|(?P<percent>(?:%[0-9a-fA-F]{2})+)"
    r"|\\+(?P<braces>u\{[0-9a-fA-F]{1,6}\})"
    r"|(?P<units>(?:\\+u[0-9a-fA-F]{4})+)"
    r"|(?P<octets>(?:\\+x[0-9a-fA-F]{2})+)"
    r"|(?P<entity>&(?:\#[0-9]{1,7}|\#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,8});?)"
)
_RUN: Final = re.compile(r"[A-Za-z0-9+/_-]{6,}={0,2}")
_HEX: Final = re.compile(r"[0-9a-fA-F]{8,}")
_SURELY_HEX: Final = 16
"""Characters; base64 of this length has others than those of hexadecimal."""


def hide_encoded(text: str, finds: Finds, shown: str) -> str:
    """Return *text* with *shown* in place of the encoded secrets that *finds* finds decoded."""
    spans = list(_encoded(text, finds, _LEVELS))
    return _replaced(text, spans, shown) if spans else text


def _encoded(text: str, finds: Finds, levels: int) -> Iterator[tuple[int, int]]:
    """Yield the spans of encoded secrets; words are decoded *levels* deep."""
    yield from _nested(text, finds, levels)
    if _TRIGGER.search(text):
        yield from _escaped(text, finds, levels)


def _replaced(text: str, spans: Spans, shown: str) -> str:
    pieces, end = [], 0
    for start, stop in sorted(spans):
        if start >= end:
            pieces += [text[end:start], shown]
        end = max(end, stop)
    return "".join([*pieces, text[end:]])


def _escaped(text: str, finds: Finds, levels: int) -> Iterator[tuple[int, int]]:
    """Yield the spans of secrets that are written with escapes."""
    spans: Spans = [(at, at + 1) for at in range(len(text))]
    for _ in range(_ROUNDS):
        decoded, spans = _decoded(text, spans)
        if decoded == text:
            return
        text = decoded
        start = 0
        while found := finds(text[start:]):
            first, last = start + found.start(), start + found.end() - 1
            yield spans[first][0], spans[last][1]
            start = last + 1
        for first, end in _nested(text, finds, levels):
            yield spans[first][0], spans[end - 1][1]


def _decoded(text: str, spans: Spans) -> tuple[str, Spans]:
    """Return *text* with its escapes decoded once, and where its characters come from."""
    pieces: list[str] = []
    origins: list[tuple[int, int]] = []
    end = 0
    for found in _ESCAPE.finditer(text):
        plain = _plain(found)
        if not plain:
            continue
        pieces += [text[end : found.start()], plain]
        origins += spans[end : found.start()]
        origins += _shares(found, len(plain), spans)
        end = found.end()
    return "".join([*pieces, text[end:]]), [*origins, *spans[end:]]


def _shares(found: re.Match[str], count: int, spans: Spans) -> Spans:
    """Return the part of an escape that each of its *count* characters comes from."""
    start, width = found.start(), found.end() - found.start()
    if width % count == 0:
        step = width // count
        edges = [(start + at * step, start + (at + 1) * step - 1) for at in range(count)]
    else:
        edges = [(start, found.end() - 1)] * count
    return [(spans[first][0], spans[last][1]) for first, last in edges]


def _plain(found: re.Match[str]) -> str:
    kind, written = str(found.lastgroup), found[0]
    if kind in {"percent", "octets"}:
        digits = re.sub(r"[%x\\]", "", written)
        return bytes.fromhex(digits).decode("utf-8", "replace")
    if kind == "entity":
        decoded = html.unescape(written)
        return "" if decoded == written else decoded
    if kind == "units":
        units = bytes.fromhex(re.sub(r"\\+u", "", written))
        return units.decode("utf-16-be", "replace")
    digits = re.sub(r"[^0-9a-fA-F]", "", written[2:] if kind == "wide" else found[kind][1:])
    number = int(digits, 16)
    return chr(number) if number < 0x110000 else ""


def _nested(text: str, finds: Finds, levels: int) -> Iterator[tuple[int, int]]:
    """Yield the spans of words in base64 or hexadecimal that contain a secret."""
    for found in _RUN.finditer(text):
        for plain in _decodings(found[0]):
            if finds(plain) or (levels > 1 and any(_encoded(plain, finds, levels - 1))):
                yield found.span()
                break


def _decodings(word: str) -> Iterator[str]:
    """Yield what *word* may mean: it may begin within a group of base64."""
    for found in _HEX.findall(word):
        for start in (0, 1):
            digits = found[start : start + (len(found) - start) // 2 * 2]
            yield _text(bytes.fromhex(digits))
        if len(found) == len(word) >= _SURELY_HEX:
            return
    standard = word.rstrip("=").replace("-", "+").replace("_", "/")
    for start in range(4):
        part = standard[start:]
        part = part[: len(part) - (len(part) % 4 == 1)]
        try:
            yield _text(base64.b64decode(part + "=" * (-len(part) % 4)))
        except binascii.Error:
            continue


def _text(data: bytes) -> str:
    return data.replace(b"\0", b"").decode("utf-8", "replace")
