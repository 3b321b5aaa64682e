"""The events files that names of files, folders and patterns select, as they appear and grow."""

from __future__ import annotations

import glob
import os
import re
import stat
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Final, NamedTuple, Self

from framework.errors import StorageError
from framework.events.following import QUIET
from framework.events.selection import matching, selected
from framework.storage import storage

SCAN: Final = 1.0
"""Seconds between two looks for files, unless a look takes more than a tenth of that."""

_NUMBERED: Final = re.compile(r"(?P<name>.+)\.\d+(?:\.gz)?", re.DOTALL)


class FileState(NamedTuple):
    """Tells whether a file was written to or replaced: *changed* is in nanoseconds since 1970."""

    device: int
    inode: int
    size: int
    changed: int

    @classmethod
    def of(cls, found: os.stat_result) -> Self:
        """Return the state of the file with this status."""
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)

    def is_file_of(self, other: FileState) -> bool:
        """Return whether *other* is a state of the same file."""
        return self[:2] == other[:2]


class WatchedFiles:
    """Finds the files with something unread, in the order in which they are to be delivered.

    *given* names files, folders and patterns, as for `select_files`, which may select nothing yet;
    *but* are left out, and so are files whose names are those of others with a number behind, such
    as `events.ndjson.1`. Files that appear together are in the order of *given* and by name, and
    before those that appear later. A file with several names has the first of them only.
    """

    def __init__(self, given: Sequence[str], but: Iterable[Path] = ()) -> None:
        self._given = given
        self._folders = {one: folder for one in given if (folder := _folder_of(one))}
        self._left_out = {path.resolve() for path in but}
        self._chosen: dict[str, bool] = {}
        self._files: dict[str, FileState] = {}
        self._read: dict[str, FileState] = {}
        self._since: dict[str, int] = {}
        self._steady: dict[str, float] = {}
        self._not_before: dict[str, float] = {}
        self._missed: set[str] = set()
        self._looks = 0
        self._due = 0.0

    @property
    def files(self) -> Mapping[str, FileState]:
        """All files that are there, by name, as of the last look."""
        return self._files

    def look(self, current: str | None = None) -> None:
        """Look for files now, while *current* is read; raises StorageError for a folder."""
        began = time.monotonic()
        files: dict[str, FileState] = {}
        seen: set[tuple[int, int]] = set()
        for name in self._names():
            try:
                found = os.stat(name)  # noqa: PTH116 - for each of many files, each second
            except OSError:  # it was removed just now, or its link leads nowhere
                continue
            state = FileState.of(found)
            if stat.S_ISREG(found.st_mode) and state[:2] not in seen:
                seen.add(state[:2])
                files[name] = state
        self._steady = {
            name: self._steady.get(name, began) if self._files.get(name) == state else began
            for name, state in files.items()
        }
        self._note_missed(files, current)
        self._files = files
        self._looks += 1
        unread = [name for name, state in files.items() if self._read.get(name) != state]
        self._since = {name: self._since.get(name, self._looks) for name in unread}
        now = time.monotonic()
        self._due = now + max(SCAN, 10 * (now - began))

    def next(self) -> str | None:
        """Return the file to read next, or None if there is nothing to read now.

        Raises StorageError if a folder cannot be read.
        """
        if time.monotonic() >= self._due:
            self.look()
        return min(self._ready(), key=self._since.__getitem__, default=None)

    def unread(self) -> list[str]:
        """Return the files with something unread as of the last look, in order."""
        return sorted(self._ready(), key=self._since.__getitem__)

    def _ready(self) -> Iterator[str]:
        now = time.monotonic()
        return (name for name in self._since if self._not_before.get(name, 0.0) <= now)

    def others_wait(self, current: str) -> bool:
        """Return whether another file than *current* has something unread, or a folder is gone."""
        if time.monotonic() >= self._due:
            try:
                self.look(current)
            except StorageError:
                return True
        return any(name != current for name in self._ready())

    def settle(self, name: str, state: FileState) -> None:
        """Record that a file was read in this *state*, to its end."""
        self._read[name] = state
        self._since.pop(name, None)

    def knows(self, name: str) -> bool:
        """Return whether the last file of this name was read to its end."""
        return name in self._read and name not in self._missed

    def forget(self, name: str) -> None:
        """Record that the next file of this name is unread, whatever its state."""
        self._read.pop(name, None)
        self._since.pop(name, None)
        self._missed.discard(name)
        self._due = 0.0

    def take_missed(self) -> list[str]:
        """Return the files that are gone, but were not read to their end; each once."""
        gone = sorted(self._missed - self._files.keys())
        self._missed.difference_update(gone)
        return gone

    def postpone(self, name: str) -> None:
        """Leave a file out for a moment."""
        self._not_before[name] = time.monotonic() + SCAN

    def has_changed(self, name: str) -> bool:
        """Return whether a file was written to, replaced or removed since the last look."""
        try:
            return self._files.get(name) != FileState.of(os.stat(name))  # noqa: PTH116 - as above
        except OSError:
            return True

    def is_quiet(self, name: str) -> bool:
        """Return whether a file has not changed for QUIET seconds."""
        state = self._files.get(name)
        if state is None or time.time() - state.changed / 1e9 >= QUIET:
            return True
        return time.monotonic() - self._steady[name] >= QUIET

    def _note_missed(self, files: Mapping[str, FileState], current: str | None) -> None:
        """Note which files are gone, by that name and any other, with something unread."""
        inodes = {state[:2] for state in files.values()}
        for name, state in self._files.items():
            if name != current and state[:2] not in inodes and self._read.get(name) != state:
                self._missed.add(name)

    def _names(self) -> list[str]:
        names: dict[str, None] = {}
        for given in self._given:
            if folder := self._folders.get(given):
                with storage("The folder of events", folder, "read"):
                    folder.stat()
            found = matching(given)
            if found is None:
                names[given] = None
                continue
            new = [name for name in found if name not in self._chosen]
            chosen = set(selected(new, self._left_out))
            self._chosen |= {name: name in chosen for name in new}
            names |= dict.fromkeys(name for name in found if self._chosen[name])
        return [name for name in names if name in self._given or not _is_numbered(name, names)]


def _folder_of(given: str) -> Path | None:
    """Return the folder that is given, or the one in which a pattern begins; None for a file."""
    path = Path(given)
    if path.is_dir():
        return path
    if path.exists() or not glob.has_magic(given):
        return None
    fixed = takewhile(lambda part: not glob.has_magic(part), path.parts)
    return Path(*fixed)


def _is_numbered(name: str, names: Mapping[str, None]) -> bool:
    numbered = _NUMBERED.fullmatch(name)
    return numbered is not None and numbered["name"] in names
