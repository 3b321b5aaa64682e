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

_PART = re.compile(r"""[^\[\].'"]+""")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


@dataclass(frozen=True, slots=True)
class Path:
    """Where in an event: the keys to follow, outermost first; no keys means the whole event."""

    parts: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Path:
        """Read `$.a.b`, `a.b`, `a[0].b` or `a['b c']`; `$` and the empty text mean everything."""
        return _parse(text)

    def get(self, value: JSON) -> JSON:
        """Follow the path from *value*; MISSING where it leads nowhere.

        Objects are entered by key and lists by decimal index; anything else has no inside.
        """
        for part in self.parts:
            value = step(value, part)
            if value is MISSING:
                return MISSING
        return value

    def __str__(self) -> str:
        return "$" + "".join(
            f".{part}" if _PLAIN.match(part) else f"[{part}]" if part.isdecimal() else f"['{part}']"
            for part in self.parts
        )


def step(value: JSON, part: str) -> JSON:
    """Enter *value* by one key or decimal index; MISSING where there is nothing."""
    if isinstance(value, dict):
        return value.get(part, MISSING)
    if isinstance(value, list) and part.isdecimal() and part.isascii():
        if part != "0" and part[0] == "0":
            return MISSING
        index = int(part) if len(part) < 10 else len(value)
        return value[index] if index < len(value) else MISSING
    return MISSING


@lru_cache(maxsize=4096)
def _parse(text: str) -> Path:
    if text in {"$", "$."}:
        return Path(())
    return Path(tuple(_PART.findall(text.removeprefix("$."))))
