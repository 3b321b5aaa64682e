"""Finding a line of a plain file by its number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from framework.events.files import Position
from framework.storage import storage

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK: Final = 1024 * 1024


def find_line(path: str | Path, number: int) -> Position:
    """Return where line *number* (from 1) of a plain file begins, which may be the end of the file.

    In a file with fewer line ends, return the position behind the last one. Raises StorageError.
    """
    offset = lines = 0
    ended = 0
    with storage("The events file", path, "read"), open(path, "rb") as file:  # noqa: PTH123
        while lines < number - 1 and (block := file.read(_BLOCK)):
            found = block.count(b"\n")
            if lines + found < number - 1:
                lines += found
                if found:
                    ended = offset + block.rindex(b"\n") + 1
            else:
                place = -1
                for _ in range(number - 1 - lines):
                    place = block.index(b"\n", place + 1)
                lines, ended = number - 1, offset + place + 1
            offset += len(block)
    return Position(ended, lines)
