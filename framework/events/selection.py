"""The events files that names of files, folders and patterns select."""

from __future__ import annotations

import glob
import os
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final

from msgspec import Struct

from framework.errors import ConfigurationError
from framework.storage import storage

STANDARD_INPUT: Final = "-"

_SUFFIXES: Final = (".ndjson", ".jsonl", ".json")
ENDINGS: Final = (*_SUFFIXES, *(f"{suffix}.gz" for suffix in _SUFFIXES))
"""Endings of the names of events files in a folder, in lower case."""

_UNFINISHED: Final = (".crdownload", ".part", ".partial", ".tmp")
"""Endings of the names of files that are still being written."""

_LOOKED_AT: Final = 1_000
"""Maximum number of entries of a folder that are looked at for an example."""

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


def select_files(
    given: Sequence[str], but: Iterable[Path] = (), *, may_appear: bool = False
) -> Selection:
    """Return the events files that *given* names: files, folders, patterns, `-` for standard input.

    A folder selects the files directly in it whose names have one of ENDINGS, a pattern such as
    `day-*.ndjson` what it matches, `**` included; both by name. They leave out hidden files,
    files that are still written (`.part`, `.tmp`, ...) or that runs write (checkpoints, dead
    letters, outcomes), and *but*.
    Raises StorageError if a file is missing or cannot be read, ConfigurationError if one is named
    twice, or a folder or pattern selects none. If files *may_appear* later, none may be there yet,
    and those in folders and patterns, which may also be removed, are not looked at.
    """
    left_out = {path.resolve() for path in but}
    names = [name for one in given for name in _named_by(one, left_out, may_be_empty=may_appear)]
    checked = [name for name in names if name in given] if may_appear else names
    _check_readable(checked)
    _check_once(checked)
    single = len(given) == 1 and names == [*given]
    return Selection(names, single)


def matching(given: str) -> list[str] | None:
    """Return the names that a folder or pattern matches, by name; None for the name of a file.

    Raises StorageError if the folder, or the one in which a pattern begins, cannot be read.
    """
    if given == STANDARD_INPUT:
        return None
    path = Path(given)
    if path.is_dir() or given.endswith(("/", os.sep)):
        with storage("The folder of events", path, "read"):
            inside = sorted(os.listdir(path))  # noqa: PTH208 - names, of many files
        return [str(path / name) for name in inside if name.lower().endswith(ENDINGS)]
    if path.exists() or not glob.has_magic(given):
        return None
    return sorted(glob.glob(given, recursive=True))  # noqa: PTH207 - absolute patterns, too


def selected(names: Iterable[str], left_out: Collection[Path]) -> list[str]:
    """Return those of the *names* in a folder that may be events files, without *left_out*."""
    return [
        name
        for name in names
        if not (path := Path(name)).name.startswith(".")
        and not name.endswith(_MADE_BY_RUNS)
        and not name.lower().endswith(_UNFINISHED)
        and not path.is_dir()
        and path.resolve() not in left_out
    ]


def _named_by(given: str, left_out: Collection[Path], *, may_be_empty: bool) -> list[str]:
    names = matching(given)
    if names is None:
        return [given]
    found = selected(names, left_out)
    if found or may_be_empty:
        return found
    if not Path(given).is_dir():
        raise ConfigurationError(f"No events file matches `{given}`.")
    endings = ", ".join(f"*{one}" for one in _SUFFIXES)
    raise ConfigurationError(
        f"The folder `{given}` holds no events files ({endings}, each also with .gz)."
        f"{_other_names(Path(given))}"
    )


def _other_names(folder: Path) -> str:
    """Return how to name files that have other names or are in inner folders, if there are any."""
    with suppress(OSError):
        for path in islice(sorted(folder.iterdir()), _LOOKED_AT):
            found = [path] if path.is_file() else islice(path.rglob("*"), _LOOKED_AT)
            for one in selected(map(str, found), ()):
                name = f"*{Path(one).suffix}"
                pattern = folder / name if one == str(path) else folder / "**" / name
                return f" To read other files in it, give a quoted pattern, such as '{pattern}'."
    return ""


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
