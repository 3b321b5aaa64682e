"""Dotted paths into events, parsed once and looked up many times; and MISSING, the absent value.

Paths have the same meaning in triggers, directives and templates.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias, final

JSON: TypeAlias = Any
"""A JSON value: dict with string keys, list, str, int, float, bool or None."""

Event: TypeAlias = dict[str, Any]
"""An event of the Segment spec, as decoded JSON."""


@final
class Missing:
    """The type of MISSING: no value at all, which is neither null nor empty."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False

    def __copy__(self) -> Missing:
        return self

    def __deepcopy__(self, memo: object) -> Missing:
        return self

    def __reduce__(self) -> str:
        return "MISSING"


MISSING: Final = Missing()
"""The result of a lookup that finds no value."""


@final
class ListItem:
    """The type of ITEM: a path step for every item of a list."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ITEM"

    def __reduce__(self) -> str:
        return "ITEM"


ITEM: Final = ListItem()
"""The path step for every item of a list."""

PathSteps: TypeAlias = tuple[str | ListItem, ...]
"""A path that may continue in the items of lists: keys, with ITEM for every item."""

_BREAK = re.compile(r"""\[(?=["'0-9])|\.|(?<=["'0-9])\]+""")
_QUOTE = re.compile("[\"']")
_DOTTED = re.compile(r"""\[(["'])[^"'\[\]]*\.[^"'\[\]]*\1\]|\\\.""")
_DOT = "\ufdd0"  # stands for a dot in a key; not a character
_PLAIN = re.compile(r"""[^.\[\]"'0-9][^.\[\]"']*\Z""")


@dataclass(frozen=True, slots=True)
class Path:
    """A path into an event: its keys, outermost first; no keys mean the whole event."""

    parts: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Path:
        r"""Parse `$.a.b`, `a.b`, `a[0].b` or `a['b c']`; the empty string is the whole event.

        Parses as Segment's implementation does: the first `$.` is dropped; dots, `[` before a quote
        or digit and `]` after one separate keys; empty keys are dropped and quotes removed. In
        addition, a key may contain dots: `a['b.c']`, `a["b.c"]` and `a.b\.c` mean the key `b.c`
        of `a`, or its keys `b` and `c` if there is no such key. Every string is a valid path.
        """
        return _parse(text)

    def get(self, value: JSON) -> JSON:
        """Return the value at the path in *value*, or MISSING.

        Objects are entered by key, lists and strings by decimal index. As in Segment's
        implementation, a path that continues after null, false, 0 or the empty string returns that
        value; other numbers and true have no members.
        """
        for part in self.parts:
            value = step(value, part)
            if value is MISSING:
                return MISSING
        return value

    def __str__(self) -> str:
        written = "".join(
            f".{part}"
            if _PLAIN.match(part)
            else f"[{part}]"
            if _is_decimal(part)
            else f"['{part}']"
            for part in self.parts
        )
        return "$." + written.removeprefix(".")


def step(value: JSON, part: str) -> JSON:
    """Return the member of *value* at one key or decimal index, as `Path.get` does, or MISSING.

    A key that contains dots and is not there means the keys between its dots.
    """
    if isinstance(value, dict):
        found = value.get(part, MISSING)
        return found if found is not MISSING or "." not in part else _nested(value, part)
    if value and isinstance(value, (list, str)):
        return _item(value, part)
    return MISSING if value or isinstance(value, list) else value


def _item(items: list[JSON] | str, part: str) -> JSON:
    if not _is_decimal(part) or (part[0] == "0" and part != "0"):
        return _nested(items, part) if "." in part else MISSING
    index = int(part) if len(part) < 10 else len(items)
    return items[index] if index < len(items) else MISSING


def _nested(value: JSON, part: str) -> JSON:
    """Return what the keys between the dots of *part* lead to."""
    keys = [key for key in part.split(".") if key]
    return Path(tuple(keys)).get(value) if keys else MISSING


def _is_decimal(part: str) -> bool:
    return part.isdecimal() and part.isascii()


@lru_cache(maxsize=4096)
def _parse(text: str) -> Path:
    if _DOTTED.search(text) and _DOT not in text:
        hidden = _DOTTED.sub(lambda match: match[0].strip("\\").replace(".", _DOT), text)
        return Path(tuple(part.replace(_DOT, ".") for part in _split(hidden)))
    return Path(_split(text))


def _split(text: str) -> tuple[str, ...]:
    parts = _BREAK.split(text.replace("$.", "", 1))
    return tuple(_QUOTE.sub("", part) for part in parts if part)
