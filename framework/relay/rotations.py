"""Files that were renamed while nobody followed them: finding them by their checkpoints.

Rotation renames `events.ndjson` to `events.ndjson.1`, `events-20260309.ndjson` or the like. A
checkpoint knows its file by its beginning, so that the file is found by its new name.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from msgspec import UNSET
from msgspec.structs import replace

from framework.events import EventFile, Identity, identify
from framework.relay.checkpoint import Checkpoint, ConnectionIdentity, discard, recorded, save
from framework.storage import storage

_STAMP: Final = re.compile(r"[-_.]\d[\dTZ:._-]*", re.ASCII)
_SUFFIX: Final = ".checkpoint"


def is_rotated_name(name: str, original: str) -> bool:
    """Return whether a rotation may have given *name* to the file *original*: a number or a date.

    It is behind the name or before its ending; `.gz` may follow.
    """
    name = name.removesuffix(".gz")
    base, dot, ending = original.rpartition(".")
    parts = [(original, ""), (base, f"{dot}{ending}")] if base else [(original, "")]
    return any(
        name.startswith(before)
        and name.endswith(after)
        and _STAMP.fullmatch(name[len(before) : len(name) - len(after)])
        for before, after in parts
    )


def predecessors(path: Path, serves: ConnectionIdentity, source: EventFile) -> list[Path]:
    """Return the files to finish before *source*, oldest first: those that it has replaced.

    The first is the one that the checkpoint at *path* is for, the others are younger. There are
    none if the checkpoint is for *source* itself, or if it is not certain which file it is for.
    Raises what `recorded` raises, and StorageError.
    """
    before = recorded(path, serves)
    if before is None or before.file is None or not _may_be_found(before.file):
        return []
    if source.is_same(before.file):
        return []
    events = Path(source.name)
    with storage("The events file", events, "read"):
        rotated = [
            one
            for one in events.parent.iterdir()
            if is_rotated_name(one.name, events.name) and one.is_file()
        ]
        found = [one for one in rotated if _is_of(one, before)]
        if len(found) != 1:
            return []
        ages = {one: age for one in rotated if not _is_packing(one) and (age := _age(one))}
    (first,) = found
    if first not in ages or any(age == ages[first] for one, age in ages.items() if one != first):
        return []
    younger = sorted((age, one) for one, age in ages.items() if age > ages[first])
    return [first, *(one for _, one in younger)]


def adopt_checkpoint(path: Path, serves: ConnectionIdentity, events: Path) -> None:
    """Make the checkpoint at *path* from that of *events* by its former name, if there is one.

    Nothing happens if *path* exists, or if it is not certain which checkpoint it is.
    """
    ending = f".{serves.file_name}{_SUFFIX}"
    if path.exists():
        return
    found = []
    for other in path.parent.glob(f"*{ending}"):
        former = events.with_name(other.name.removesuffix(ending))
        if not is_rotated_name(events.name, former.name):
            continue
        before = recorded(other, serves)
        if before is None or before.file is None or not _may_be_found(before.file):
            continue
        if _is_of(events, before) and not (former.is_file() and _is_of(former, before)):
            found.append((other, before))
    if len(found) == 1:
        ((other, before),) = found
        save(path, replace(before, dead_letters=UNSET))
        discard(other)


def copy_checkpoint(path: Path, to: Path, serves: ConnectionIdentity) -> None:
    """Save the checkpoint at *path* as that of its file's new name.

    The dead letters and failures that are not reported yet stay with the former name.
    Raises what `recorded` raises, and StorageError.
    """
    if checkpoint := recorded(path, serves):
        save(to, replace(checkpoint, dead_letters=UNSET, unreported=UNSET))


def start_checkpoint(path: Path, serves: ConnectionIdentity, source: EventFile) -> None:
    """Save a checkpoint for the beginning of *source* at *path*, in place of any other.

    So that the file is known even if it is renamed before anything of it has a result. Failures
    that were not reported yet are still to be reported.
    Raises what `recorded` raises, and StorageError.
    """
    before = recorded(path, serves)
    unreported = before.unreported if before else UNSET
    save(path, Checkpoint(serves=serves, file=source.identity, unreported=unreported))


def _may_be_found(identity: Identity) -> bool:
    return identity.head > 0 and not identity.form


def _is_of(path: Path, checkpoint: Checkpoint) -> bool:
    """Return whether the file at *path* may be the one of a checkpoint, as far as it was read."""
    recorded_file = checkpoint.file
    if recorded_file is None or not path.is_file():
        return False
    try:
        now = identify(path, recorded_file.head)
    except FileNotFoundError:  # it was renamed just now
        return False
    return now.digest == recorded_file.digest and now.size >= checkpoint.read.offset


def _age(path: Path) -> int:
    """Return when a file was written to last, in nanoseconds; 0 if it was removed just now."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _is_packing(path: Path) -> bool:
    """Return whether a file is the compressed copy of one that is still there."""
    return path.suffix == ".gz" and path.with_suffix("").exists()
