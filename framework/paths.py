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
_PLAIN = re.compile(r"""[^.\[\]"'0-9][^.\[\]"']*\Z""")


@dataclass(frozen=True, slots=True)
class Path:
    """A path into an event: its keys, outermost first; no keys mean the whole event."""

    parts: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Path:
        """Parse `$.a.b`, `a.b`, `a[0].b` or `a['b c']`; the empty string is the whole event.

        Parses exactly as Segment's implementation does: the first `$.` is dropped; dots, `[` before
        a quote or digit and `]` after one separate keys; empty keys are dropped and quotes removed,
        so a key that contains a dot cannot be written. Every string is a valid path.
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
    """Return the member of *value* at one key or decimal index, as `Path.get` does, or MISSING."""
    if isinstance(value, dict):
        return value.get(part, MISSING)
    if value and isinstance(value, (list, str)):
        return _item(value, part)
    return MISSING if value or isinstance(value, list) else value


def _item(items: list[JSON] | str, part: str) -> JSON:
    if not _is_decimal(part) or (part[0] == "0" and part != "0"):
        return MISSING
    index = int(part) if len(part) < 10 else len(items)
    return items[index] if index < len(items) else MISSING


def _is_decimal(part: str) -> bool:
    return part.isdecimal() and part.isascii()


@lru_cache(maxsize=4096)
def _parse(text: str) -> Path:
    parts = _BREAK.split(text.replace("$.", "", 1))
    return Path(tuple(_QUOTE.sub("", part) for part in parts if part))
