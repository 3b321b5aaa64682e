"""The streams of the page: the state of a sandbox, and the outcomes of a run."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from framework.paths import JSON
from framework.tester.bodies import write_json

_TICK: Final = 0.2
_PIECE: Final = 1 << 16
_MOST_BEHIND: Final = 1 << 20
"""Bytes at the end of a long file that are read first."""


def message(kind: str, value: JSON) -> bytes:
    """Write one server-sent event."""
    return b"event: " + kind.encode() + b"\ndata: " + write_json(value) + b"\n\n"


async def watch(state: Callable[[], JSON]) -> AsyncIterator[bytes]:
    """Yield *state* now and whenever it changes, ignoring its `now`."""
    import anyio  # noqa: PLC0415 - heavy, imported at first use

    last: JSON = None
    while True:
        current = state()
        mark = {key: value for key, value in current.items() if key != "now"}
        if mark != last:
            last = mark
            yield message("state", current)
        await anyio.sleep(_TICK)


async def once(kind: str, value: JSON) -> AsyncIterator[bytes]:
    """Yield one message, and then nothing until the client disconnects."""
    import anyio  # noqa: PLC0415 - heavy, imported at first use

    yield message(kind, value)
    while True:
        await anyio.sleep(15)
        yield b": still here\n\n"


@dataclass(frozen=True)
class Filter:
    """A filter of outcomes by kind, subscription and text; empty values match all."""

    outcomes: frozenset[str] = frozenset()
    subscription: str = ""
    text: str = ""

    def lets(self, row: dict[str, Any]) -> bool:
        """Return whether a row matches."""
        return (
            (not self.outcomes or row.get("outcome") in self.outcomes)
            and (not self.subscription or row.get("subscription") == self.subscription)
            and self.text.lower() in json.dumps(row, ensure_ascii=False).lower()
        )


async def follow(path: Path, chosen: Filter) -> AsyncIterator[bytes]:
    """Yield the rows of an outcome file as a run appends them, and `restart` if it is replaced.

    The file need not exist yet. Of a long file, only the last part is read.
    """
    import anyio  # noqa: PLC0415 - heavy, imported at first use

    tail = Tail(path)
    while True:
        told = await anyio.to_thread.run_sync(tail.read)
        if tail.restarted:
            yield message("restart", {"file": path.name})
        for row in told:
            if chosen.lets(row):
                yield message("outcome", row)
        if not told:
            await anyio.sleep(_TICK)


class Tail:
    """Reads appended rows of a file of JSON lines, and detects when it is replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rest = b""
        self._place: int | None = None
        self._identity: int | None = None
        self.restarted = False

    def read(self) -> list[dict[str, Any]]:
        """Return the complete rows that were appended since the last call."""
        self.restarted = False
        try:
            with self._path.open("rb") as file:
                self._find(file)
                assert self._place is not None
                file.seek(self._place)
                piece = file.read(_PIECE)
        except OSError:
            return []
        self._place += len(piece)
        *lines, self._rest = (self._rest + piece).split(b"\n")
        return [row for line in lines if (row := _row(line)) is not None]

    def _find(self, file: Any) -> None:
        """Set the offset: the end of the last read, or the beginning of a new file."""
        found = os.fstat(file.fileno())
        begun_anew = self._place is not None and (
            found.st_ino != self._identity or found.st_size < self._place
        )
        if self._place is None or begun_anew:
            self._place = max(found.st_size - _MOST_BEHIND, 0) if self._place is None else 0
            self._rest = b""
            self.restarted = begun_anew
        self._identity = found.st_ino


def _row(line: bytes) -> dict[str, Any] | None:
    """Return the row of a line; None for an incomplete first line."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None
