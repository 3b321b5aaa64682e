"""Dead letters: events that failed permanently in a subscription, kept for review and replay.

They hold whole events, which are personal data: files are readable by their owner only.
"""

from __future__ import annotations

import hashlib
import json
import os
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, Self

import msgspec
from msgspec.structs import replace

from framework.errors import ConfigurationError
from framework.events import Chunk, EventFile, NotJSONError, Position, parse, reread
from framework.relay.event_store import EVERY_LETTER, DeadLetter, DeadLetterFilter
from framework.results import Failed
from framework.storage import open_private, storage, sync_folder

_WHAT = "The dead-letter file"
_BLOCK = 64 * 1024


class DeadLetterFile:
    """Dead letters in a file of JSON lines; the IDs of dropped ones are listed in a second file.

    So dropping does not change the length up to which a checkpoint refers to the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._dropped = path.with_name(f"{path.name}.dropped")

    def count(self, which: DeadLetterFilter = EVERY_LETTER) -> int:
        """Return the number of letters; raises StorageError, ConfigurationError."""
        return len(self._found(which))

    def list(
        self, which: DeadLetterFilter = EVERY_LETTER, *, after: int = 0, most: int = 100
    ) -> list[DeadLetter]:
        """Return at most *most* letters with an ID above *after*, by ID.

        Raises StorageError, ConfigurationError.
        """
        found = sorted(self._found(which), key=lambda one: one.id)
        return [one for one in found if one.id > after][:most]

    def drop(self, which: DeadLetterFilter = EVERY_LETTER) -> int:
        """Drop letters; return their number. Raises StorageError, ConfigurationError."""
        found = self._found(which)
        with (
            storage(_WHAT, self._dropped, "written"),
            open(self._dropped, "ab", opener=open_private) as file,
        ):
            file.write("".join(f"{one.id}\n" for one in found).encode())
            file.flush()
            os.fsync(file.fileno())
        return len(found)

    def _found(self, which: DeadLetterFilter) -> Sequence[DeadLetter]:
        """Return the letters that *which* selects, in the order of the file."""
        with storage(_WHAT, self.path, "read"):
            if self.path.exists() and not self.path.is_file():
                raise ConfigurationError(f"`{self.path}` is not a file of dead letters.")
            dropped = set(self._dropped.read_bytes().split()) if self._dropped.exists() else set()
            lines = self.path.read_bytes().splitlines()
        found: dict[int, DeadLetter] = {}
        for number, line in enumerate(lines, 1):
            try:
                letter = _read(json.loads(line))
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                text = (
                    f"`{self.path}:{number}`: the line is not a dead letter: {_why(error, line)}. "
                    "A run keeps dead letters in EVENTS.NAME-DIGEST.dead-letters.ndjson."
                )
                raise ConfigurationError(text) from None
            if b"%d" % letter.id not in dropped and _admits(which, letter):
                found[letter.id] = letter  # a later one about the same replaces it
        return [*found.values()]


class DeadLetterWriter:
    """Adds the failures of a run to a file of dead letters; a context manager.

    *length* in bytes comes from the checkpoint: what was written after it is written again. None
    appends after the last whole line of the file. The file is created with the first letter.
    """

    def __init__(self, path: Path, connection: str, length: int | None) -> None:
        self.path = path
        self._connection = connection
        self._buffer = bytearray()
        self._file: BinaryIO | None = None
        with storage(_WHAT, path, "written"):
            size, whole = _sizes(path)
        self._length = whole if length is None else min(size, length)
        if size > self._length:
            self._opened()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def add(
        self, name: str, result: Failed, lines: dict[int, bytes], *, now: float, tried: Any = None
    ) -> None:
        """Add events by their lines, which all failed in the subscription *name*."""
        for line, text in lines.items():
            event = reread(text)
            outcome = result.to_json()
            row = {
                "connection": self._connection,
                "line": line,
                "subscription": name,
                "messageId": event.get("messageId"),
                "code": result.code,
                "outcome": outcome,
                "tries": tried.tries if tried else 1,
                "first": tried.first if tried else now,
                "at": now,
                "event": event,
            }
            self._buffer += json.dumps(row).encode() + b"\n"

    def flush(self) -> int:
        """Write everything that was added; return the length of the file in bytes."""
        if self._buffer:
            file = self._opened()
            with storage(_WHAT, self.path, "written"):
                file.write(self._buffer)
                file.flush()
            self._length += len(self._buffer)
            self._buffer.clear()
        return self._length

    def sync(self) -> None:
        """Make everything that was flushed durable; thread-safe."""
        if self._file:
            with storage(_WHAT, self.path, "written"):
                os.fsync(self._file.fileno())

    def _opened(self) -> BinaryIO:
        if self._file is None:
            with storage(_WHAT, self.path, "written"):
                self._file = open(self.path, "ab", opener=open_private)  # noqa: SIM115 - closed on leaving
                self._file.truncate(self._length)
                sync_folder(self.path.parent)
        return self._file


def _sizes(path: Path) -> tuple[int, int]:
    """Return the length of a file, and the length up to its last line end."""
    if not path.exists():
        return 0, 0
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        at = end
        while at:
            start = max(0, at - _BLOCK)
            file.seek(start)
            place = file.read(at - start).rfind(b"\n")
            if place >= 0:
                return end, start + place + 1
            at = start
    return end, 0


def _read(row: dict[str, Any]) -> DeadLetter:
    """Return the letter of a line; its ID is a digest of where it failed, and of the event."""
    named = [row["connection"], row["subscription"], row["line"], row["event"]]
    digest = hashlib.sha256(json.dumps(named).encode()).hexdigest()[:12]
    message_id = row["messageId"]
    letter = {
        "connection": row["connection"],
        "line": row["line"],
        "subscription": row["subscription"],
        "event": b"",
        "code": row["code"],
        "outcome": row["outcome"],
        "tries": row["tries"],
        "first": row["first"],
        "at": row["at"],
        "message_id": "" if message_id is None else str(message_id),
        "id": int(digest, 16),
    }
    event = json.dumps(row["event"]).encode()
    return msgspec.structs.replace(msgspec.convert(letter, DeadLetter), event=event)


def _why(error: Exception, line: bytes) -> str:
    """Return why a *line* is not a dead letter, without the words of Python's decoders."""
    if isinstance(error, UnicodeDecodeError | json.JSONDecodeError | RecursionError):
        try:
            parse(line)
        except NotJSONError as found:
            return f"it {found.reason.removesuffix('.')}"
    return "it lacks what a dead letter has"


def _admits(which: DeadLetterFilter, letter: DeadLetter) -> bool:
    return (
        which.connection in {None, letter.connection}
        and which.subscription in {None, letter.subscription}
        and which.code in {None, letter.code}
        and which.message_id in {None, letter.message_id}
        and (which.since is None or letter.at >= which.since)
        and (which.until is None or letter.at < which.until)
        and (which.ids is None or letter.id in which.ids)
    )


class RawLines:
    """The texts of events by number, as they were read, until all of their chunk have results.

    A plain file is read again for them; what can be read only once, or may be replaced, is kept.
    """

    def __init__(self, source: EventFile) -> None:
        self._source = source
        self._rereads = source.divisible and not source.follows
        self._kept: list[Chunk] = []
        self._last: tuple[Position, list[bytes]] | None = None

    def keep(self, chunk: Chunk) -> None:
        """Keep a chunk that was read, if it cannot be read again."""
        if not self._rereads:
            self._kept.append(replace(chunk, block=b""))

    def forget(self, before: int) -> None:
        """Drop the lines before a number."""
        if self._kept:
            self._kept = [one for one in self._kept if one.end.lines >= before]

    def texts(self, numbers: Sequence[int], starts: Sequence[Position]) -> dict[int, bytes]:
        """Return the texts of events by number; *starts* are positions at which chunks begin."""
        if not self._rereads:
            return {
                number: one.lines[number - one.start.lines - 1]
                for one in self._kept
                for number in numbers
                if one.start.lines < number <= one.end.lines
            }
        return {number: self._reread(number, starts) for number in numbers}

    def _reread(self, number: int, starts: Sequence[Position]) -> bytes:
        at = bisect_left(starts, number, key=lambda start: start.lines) - 1
        start, end = starts[at], starts[at + 1]
        if self._last is None or self._last[0] != start:
            name = self._source.name
            with storage("The events file", name, "read"), Path(name).open("rb") as file:
                file.seek(start.offset)
                content = file.read(end.offset - start.offset)
            self._last = (start, content.split(b"\n"))
        return self._last[1][number - start.lines - 1]
