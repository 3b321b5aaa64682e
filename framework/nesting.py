"""The maximum nesting depth of JSON, the same on every Python version.

JSON parsers, printing and comparing have limits of their own, which depend on the version of Python
and on the current call stack; this one is below all of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from itertools import accumulate, chain, repeat
from typing import Any, Final

MAX_LEVELS: Final = 200
"""Maximum levels of objects and lists in an event; the event itself is the first."""

TOO_DEEP: Final = f"nested deeper than {MAX_LEVELS} levels"

_SHORT: Final = 2 * MAX_LEVELS
"""Maximum length in bytes of a text that cannot be nested too deeply."""

_CONTAINERS: Final = (list, dict, tuple)
_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_STEPS: Final = bytes.maketrans(b"{[}]", b"\x01\x01\xff\xff")
_NO_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")


def any_too_deep(lines: Sequence[bytes], block: bytes = b"") -> bool:
    """Return whether any of *lines*, each a JSON text, is nested deeper than MAX_LEVELS.

    *block* is empty, or holds all lines but the first, and is searched instead of each of them.

    A level takes at least two bytes as a list and five as an object. Lines of ordinary length can
    therefore only be too deep with many lists close together, and so can longer lines with few
    objects; that is quickly excluded.
    """
    longest = max(map(len, lines), default=0)
    if longest <= _SHORT:
        return False
    lists = (5 * MAX_LEVELS - longest) // 3
    if lists < 2:
        lists = MAX_LEVELS - max(map(bytes.count, lines, repeat(b"{")))
    if lists > 1 and _lists_are_apart(block or b"".join(lines), longest // (lists - 1) + 1):
        return bool(block) and is_too_deep(lines[0])
    return any(map(is_too_deep, lines))


def _lists_are_apart(text: bytes, distance: int) -> bool:
    """Return whether consecutive lists of *text* begin at least *distance* bytes apart.

    Searches for a byte, which takes a fraction of the time of counting it.
    """
    find = text.find
    place = find(b"[")
    while place >= 0:
        following = find(b"[", place + 1)
        if 0 <= following < place + distance:
            return False
        place = following
    return True


def is_too_deep(text: bytes, levels: int = MAX_LEVELS) -> bool:
    """Return whether a JSON text is nested deeper than *levels*, in time linear in its length.

    For invalid JSON, at least the part before the first error counts.
    """
    if text.count(b"{") + text.count(b"[") <= levels:
        return False
    brackets = _STRING.sub(b"", text).translate(_STEPS, _NO_BRACKETS)
    return max(accumulate(memoryview(brackets).cast("b")), default=0) > levels


def read_json(text: str | bytes, **options: Any) -> Any:
    """Return the value of a JSON text of at most MAX_LEVELS; raises ValueError.

    *options* are those of `json.loads`.
    """
    if is_too_deep(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text):
        raise ValueError(TOO_DEEP)
    return json.loads(text, **options)


def is_nested_deeper(value: Any, levels: int = MAX_LEVELS) -> bool:
    """Return whether a value of lists, tuples and objects has more than *levels* of them.

    What a level holds more than once is entered once.
    """
    if not isinstance(value, _CONTAINERS):
        return False
    level: Collection[Any] = (value,)
    for _ in range(levels):
        members = (one.values() if isinstance(one, dict) else one for one in level)
        inner = (one for one in chain.from_iterable(members) if isinstance(one, _CONTAINERS))
        level = {id(one): one for one in inner}.values()
        if not level:
            return False
    return True
