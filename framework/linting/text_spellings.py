"""Texts that are written like something of an event: a path, a template or a directive."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from framework.paths import JSON


class Spelling(NamedTuple):
    """A way of writing *what* comes from an event, and the *directive* that reads it."""

    pattern: re.Pattern[str]
    what: str
    directive: str = ""


_KEYS: Final = r"(?:\.[\w$-]+|\[(?:[0-9]+|'[^']+'|\"[^\"]+\")\])+"
_ROOTS: Final = r"(?:properties|traits|context)"
_SPELLINGS: Final = (
    Spelling(
        re.compile(r"@(?:path|template|literal|if|liquid|arrayPath)\b.*", re.DOTALL), "directive"
    ),
    Spelling(re.compile(r"\s*\{\s*[\"']@[A-Za-z]+[\"']\s*:.*\}\s*", re.DOTALL), "directive"),
    Spelling(re.compile(r"[^{]*\{\{\{?\s*[$\w][^{}]*\}\}.*", re.DOTALL), "template", "@template"),
    Spelling(
        re.compile(r"[^$]*\$\{\s*(?!env:|file:)[A-Za-z_$][\w.$]*\s*\}.*", re.DOTALL),
        "template",
        "@template",
    ),
    Spelling(re.compile(rf"(?:\$\.)?{_ROOTS}{_KEYS}"), "path", "@path"),
    Spelling(re.compile(r"\$(?:\.(?=[A-Za-z_$])|(?=\[))\S+"), "path", "@path"),
    Spelling(re.compile(rf"\$\.{_ROOTS}\..+"), "path", "@path"),
)
_LONGEST: Final = 10_000


def spelling_of(text: JSON) -> Spelling | None:
    """Return what a text looks like, or None if it looks like text."""
    if not isinstance(text, str) or len(text) > _LONGEST:
        return None
    return next((each for each in _SPELLINGS if each.pattern.fullmatch(text)), None)
