"""The events files that names of files, folders and patterns select."""

from __future__ import annotations

import glob
import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from framework.errors import ConfigurationError
from framework.storage import storage

STANDARD_INPUT: Final = "-"

_SUFFIXES: Final = (".ndjson", ".jsonl", ".json")
ENDINGS: Final = (*_SUFFIXES, *(f"{suffix}.gz" for suffix in _SUFFIXES))
"""Endings of the names of events files in a folder, in lower case."""

_MADE_BY_RUNS: Final = (
    ".checkpoint",
    ".checkpoint.lock",
    ".checkpoint.part",
    ".dead-letters.ndjson",
    ".dropped",
    ".outcomes.ndjson",
)


class Selection(Struct, frozen=True):
    """Events files in the order in which they are read, each once.

    *single* is whether the name of one file was given, instead of several, a folder or a pattern.
    """

    names: Sequence[str]
    single: bool


def select_files(given: Sequence[str], but: Iterable[Path] = ()) -> Selection:
    """Return the events files that *given* names: files, folders, patterns, `-` for standard input.

    A folder selects the files directly in it whose names have one of ENDINGS, a pattern such as
    `day-*.ndjson` what it matches, `**` included; both by name. They leave out hidden files,
    files that runs write (checkpoints, dead letters, outcomes), and *but*.
    Raises StorageError if a file is missing or cannot be read, ConfigurationError if one is named
    twice, or a folder or pattern selects none.
    """
    left_out = {path.resolve() for path in but}
    names = [name for one in given for name in _named_by(one, left_out)]
    _check_readable(names)
    _check_once(names)
    single = len(given) == 1 and names == [*given]
    return Selection(names, single)


def _named_by(given: str, left_out: Collection[Path]) -> list[str]:
    if given == STANDARD_INPUT:
        return [given]
    path = Path(given)
    if path.is_dir():
        with storage("The folder of events", path, "read"):
            inside = sorted(one for one in path.iterdir() if one.name.lower().endswith(ENDINGS))
        if found := _events(map(str, inside), left_out):
            return found
        endings = ", ".join(f"*{one}" for one in _SUFFIXES)
        raise ConfigurationError(
            f"The folder `{given}` holds no events files ({endings}, each also with .gz)."
        )
    if path.exists() or not glob.has_magic(given):
        return [given]
    matched = glob.glob(given, recursive=True)  # noqa: PTH207 - absolute patterns, too
    if found := _events(sorted(matched), left_out):
        return found
    raise ConfigurationError(f"No events file matches `{given}`.")


def _events(names: Iterable[str], left_out: Collection[Path]) -> list[str]:
    return [
        name
        for name in names
        if not (path := Path(name)).name.startswith(".")
        and not name.endswith(_MADE_BY_RUNS)
        and not path.is_dir()
        and path.resolve() not in left_out
    ]


def _check_readable(names: Sequence[str]) -> None:
    """Raise StorageError for the first file that cannot be read; pipes are not opened."""
    for name in names:
        if name == STANDARD_INPUT:
            continue
        with storage("The events file", name, "read"):
            Path(name).stat()
            if Path(name).is_file():
                Path(name).open("rb").close()


def _check_once(names: Sequence[str]) -> None:
    """Raise ConfigurationError if two names are of the same file, by whatever path or link."""
    seen: dict[tuple[int, int] | str, str] = {}
    for name in names:
        found = None if name == STANDARD_INPUT else os.stat(name)  # noqa: PTH116 - also for pipes
        key = (found.st_dev, found.st_ino) if found else name
        if key in seen:
            shown = "Standard input" if found is None else f"The events file `{name}`"
            other = "" if seen[key] == name else f", also as `{seen[key]}`"
            raise ConfigurationError(f"{shown} is given twice{other}. Name each file once.")
        seen[key] = name
