"""How deep the JSON of an event may be nested, which is the same on every Python.

Readers of JSON have limits of their own, which depend on the version of Python and on the calls
that are under way; this one is below all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import accumulate
from typing import Final

MAX_LEVELS: Final = 200
"""Levels of objects and lists in an event, of which the event itself is the first."""

TOO_DEEP: Final = f"nested deeper than {MAX_LEVELS} levels"

_SHORT: Final = 2 * MAX_LEVELS
"""Bytes of a text that is too short to be nested too deeply."""

_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_STEPS: Final = bytes.maketrans(b"{[}]", b"\x01\x01\xff\xff")
_NO_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")


def any_too_deep(lines: Iterable[bytes]) -> bool:
    """Return whether any of *lines*, each a JSON text, is nested deeper than MAX_LEVELS."""
    return any(is_too_deep(line) for line in lines if len(line) > _SHORT)


def is_too_deep(text: bytes, levels: int = MAX_LEVELS) -> bool:
    """Return whether a JSON text is nested deeper than *levels*; takes time linear in its length.

    Of a text that is no JSON, the part before its first fault counts at least.
    """
    if text.count(b"{") + text.count(b"[") <= levels:
        return False
    brackets = _STRING.sub(b"", text).translate(_STEPS, _NO_BRACKETS)
    return max(accumulate(memoryview(brackets).cast("b")), default=0) > levels
