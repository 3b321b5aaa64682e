"""Characters that control a terminal or the direction of text, made visible."""

from __future__ import annotations

import re
from typing import Final

_CONTROL: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"
    r"\ud800-\udfff]"
)


def visible(text: str) -> str:
    r"""Return *text* with its control characters escaped, like `\u001b`; line feeds and tabs stay.

    Control characters are those of ASCII and ISO 8859 (C0, DEL, C1), line separators, the
    characters that set the direction of text, and lone surrogates, which cannot be written. In
    JSON they occur inside strings only, whose value stays the same.
    """
    if text.isascii() and text.isprintable():
        return text
    return _CONTROL.sub(_escape, text)


def visible_json(lines: bytes) -> bytes:
    """Return JSON in UTF-8 with the same characters escaped."""
    if lines.isascii() and b"\x7f" not in lines:
        return lines  # JSON escapes the others
    return visible(lines.decode("utf-8")).encode("utf-8")


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
