"""Dotted paths into events: parsed once, looked up many times; and what "missing" is.

A path means the same in triggers, directives and templates.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias, final

JSON: TypeAlias = Any
"""A JSON value: dict with text keys, list, str, int, float, bool or None."""

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
"""There is no value at the place that was asked for."""


@final
class ListItem:
    """The type of ITEM: no key or index, but every item of a list."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ITEM"

    def __reduce__(self) -> str:
        return "ITEM"


ITEM: Final = ListItem()
"""Stands in a place for every item of a list that is gone through."""

PathSteps: TypeAlias = tuple[str | ListItem, ...]
"""What is read of an event: the parts of a path, which may go on in the items of lists."""

_BREAK = re.compile(r"""\[(?=["'0-9])|\.|(?<=["'0-9])\]+""")
_QUOTE = re.compile("[\"']")
_PLAIN = re.compile(r"""[^.\[\]"'0-9][^.\[\]"']*\Z""")


@dataclass(frozen=True, slots=True)
class Path:
    """Where in an event: the keys to follow, outermost first; no keys means the whole event."""

    parts: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Path:
        """Read `$.a.b`, `a.b`, `a[0].b` or `a['b c']`; the empty text means everything.

        Read exactly as the reference reads it: the first `$.` is dropped; dots, `[` before a
        quote or digit and `]` after one separate keys; empty keys are dropped and quotes removed,
        so that a key with a dot in it cannot be written. Any text is a path.
        """
        return _parse(text)

    def get(self, value: JSON) -> JSON:
        """Follow the path from *value*; MISSING where it leads nowhere.

        Objects are entered by key, lists and texts by decimal index. As in the reference, a path
        that goes on after null, false, 0 or the empty text ends there and gives that value;
        nothing is inside any other number or true.
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
    """Enter *value* by one key or decimal index, as `Path.get` does at each part."""
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
