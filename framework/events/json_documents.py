"""Splitting a JSON document into its values: an array, or objects one after the other.

Objects may be pretty-printed, several on a line, or separated by commas. A document is read as a
whole or not at all; of an event in it only the extent is found here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator
from typing import Final, NamedTuple

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_BRACKET: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"|[{}\[\]]', re.DOTALL)
_scan: Final = json.JSONDecoder(
    parse_int=str, parse_float=str, parse_constant=str, strict=False
).raw_decode


class Place(NamedTuple):
    """The place of an event in a file: its *line* (from 1) and the *offset* of its first byte."""

    line: int
    offset: int


class Record(NamedTuple):
    """The *text* of one value, without anything around it, and its *place*.

    *too_long* is its length in bytes if it is too long to be kept; *text* is empty then.
    """

    text: bytes
    place: Place
    too_long: int = 0


class DocumentError(ValueError):
    """A document is not valid JSON: the *line* (from 1) and the *reason*, a part of a sentence."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


def split(data: bytes) -> list[Record]:
    """Return the values of a document, those of arrays one by one; raises DocumentError.

    What is wrong inside of a value only, such as invalid UTF-8 in a string, is not noticed.
    """
    text = data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    line, offset, last = 1, len(data) - len(text.encode("utf-8", "surrogateescape")), 0
    found = []
    for start, end in _extents(text):
        before = text[last:start]
        line += before.count("\n")
        offset += len(before.encode("utf-8", "surrogateescape"))
        value = text[start:end].encode("utf-8", "surrogateescape")
        found.append(Record(value, Place(line, offset)))
        line += value.count(b"\n")
        offset += len(value)
        last = end
    return found


def ends_early(text: str) -> bool:
    """Return whether *text* starts with a value of which the end is missing."""
    try:
        _scan(text.strip())
    except json.JSONDecodeError as error:
        return error.msg.startswith("Unterminated string") or error.pos >= len(text.strip())
    except RecursionError:
        pass
    return False


def ends_in_string(text: str) -> bool:
    """Return whether *text* starts with a value of which the end is missing from a string on."""
    try:
        _scan(text.strip())
    except json.JSONDecodeError as error:
        return error.msg.startswith("Unterminated string")
    except RecursionError:
        pass
    return False


def _extents(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each value."""
    here = _skip(text, 0)
    while here < len(text):
        if text[here] == "[":
            here = yield from _items(text, here)
        else:
            end = _end(text, here)
            yield here, end
            here = end
        here = _skip(text, here)
        if text.startswith(",", here):
            here = _skip(text, here + 1)


def _items(text: str, start: int) -> Generator[tuple[int, int], None, int]:
    """Yield the extents of an array's items; return its end."""
    here = _skip(text, start + 1)
    while not text.startswith("]", here):
        end = _end(text, here)
        yield here, end
        here = _skip(text, end)
        if text.startswith(",", here):
            here = _skip(text, here + 1)
            if text.startswith("]", here):
                raise _error(text, here, "a comma before the end of the array")
        elif not text.startswith("]", here):
            what = "a comma" if here < len(text) else "the end of the array"
            raise _error(text, here, f"{what} is missing")
    return here + 1


def _end(text: str, start: int) -> int:
    try:
        return _scan(text, start)[1]
    except json.JSONDecodeError as error:
        cut = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string")
        what = error.msg.removesuffix(" at").removesuffix(" starting").removesuffix(": ")
        raise _error(text, error.pos, "the end is missing" if cut else what) from None
    except RecursionError:
        return _end_of_deep(text, start)


def _end_of_deep(text: str, start: int) -> int:
    """Return the end of a value that is nested too deep to be scanned, from its brackets."""
    depth = 0
    for token in _BRACKET.finditer(text, start):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token[0], 0)
        if not depth:
            return token.end()
    raise _error(text, len(text), "the end is missing")


def _skip(text: str, start: int) -> int:
    match = _SPACE.match(text, start)
    assert match is not None
    return match.end()


def _error(text: str, position: int, reason: str) -> DocumentError:
    return DocumentError(text.count("\n", 0, position) + 1, reason)
