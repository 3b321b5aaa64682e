"""Checkpoints: the progress of a run, stored so that it survives a crash."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from framework.errors import ConfigurationError
from framework.events import START, EventFile, Identity, Position
from framework.relay.summary import SummaryRow
from framework.storage import storage, write_durably

VERSION: Final = 1


_FORMS = {
    "": "lines",
    "document": "parts of a JSON document",
    "unpacked": "parts of envelopes (--unpack)",
}


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The progress of a run: read up to *read*; all lines before *position* have results.

    *unsettled* holds, by index of the subscription, the lines between the two that have no result
    yet, each as the distance from the previous one; `5x3` means `5 1 1`. Everything else up to
    *read* is counted in *counts*, *calls* (requests) and *rejected* (invalid lines).
    *connection* is the connection's label; *file* is None for a stream. *outcomes* is the length of
    the outcome file in bytes at this point, or None without one.
    """

    connection: str
    file: Identity | None
    position: Position = START
    read: Position = START
    unsettled: dict[int, str] = {}
    counts: tuple[SummaryRow, ...] = ()
    calls: dict[str, int] = {}
    rejected: int = 0
    outcomes: int | None = None
    finished: bool = False
    version: int = VERSION

    def unfinished(self) -> Checkpoint:
        """Return the same checkpoint, not finished, for a source that may have grown since."""
        return msgspec.structs.replace(self, finished=False)

    def pending(self) -> Iterator[tuple[int, int]]:
        """Yield the line (from 1) and the subscription's index of every missing result.

        Raises ValueError if *unsettled* is damaged.
        """
        for subscription, distances in self.unsettled.items():
            line = 0
            for written in distances.split():
                distance, _, number = written.partition("x")
                line += int(distance)
                last = line + int(number or 1) - 1
                if last > self.read.lines:
                    raise ValueError("a line after the last line read")
                for one in range(line, last + 1):
                    yield one, subscription
                line = last


def pack(unsettled: Mapping[int, Sequence[range]]) -> dict[int, str]:
    """Return lines by subscription, given as ascending ranges, in the form of a checkpoint."""
    return {subscription: " ".join(_packed(lines)) for subscription, lines in unsettled.items()}


def _packed(lines: Iterable[range]) -> Iterator[str]:
    last = 0
    for some in lines:
        distance = str(some.start - last)
        yield distance if len(some) == 1 else f"{distance}x{len(some)}"
        last = some.stop - 1


def default_path(events: str | Path, target: str = "") -> Path | None:
    """Return the path of an events file's checkpoint, next to the file; None for a stream.

    *target* becomes part of the name, to distinguish deliveries to different addresses.
    """
    path = Path(events)
    suffix = f".{target}.checkpoint" if target else ".checkpoint"
    return path.with_name(path.name + suffix) if path.is_file() else None


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint at *path* durably; raises StorageError."""
    content = msgspec.json.format(msgspec.json.encode(checkpoint), indent=1)
    with storage("The checkpoint", path, "written"):
        write_durably(path, content + b"\n")


def load(path: Path, connection: str, events: EventFile) -> Checkpoint | None:
    """Return the checkpoint at *path* for delivering *events* to *connection*, or None.

    Raises StorageError if it cannot be read, ConfigurationError if it is damaged or belongs to
    another file or connection.
    """
    with storage("The checkpoint", path, "read"):
        if not path.exists():
            return None
        content = path.read_bytes()
    checkpoint = _decode(path, content)
    if checkpoint.connection != connection:
        raise _refuse(
            path,
            f"belongs to a run for `{checkpoint.connection}`, but this run is for `{connection}`",
        )
    before, now = checkpoint.file, events.identity
    if before and now and before.form != now.form:
        forms = f"as {_FORMS.get(before.form)}, not as {_FORMS[now.form]}"
        raise _refuse(path, f"counts the events of `{events.name}` in another way: {forms}")
    if checkpoint.file is not None and not events.is_same(checkpoint.file):
        raise _refuse(
            path,
            f"does not match the events file `{events.name}`, which is another one or was changed",
        )
    return checkpoint


def discard(path: Path) -> None:
    """Remove the checkpoint at *path*, if it exists; raises StorageError."""
    with storage("The checkpoint", path, "removed"):
        path.unlink(missing_ok=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock the checkpoint at *path* against other runs, until the context ends.

    Raises ConfigurationError if another run has locked it, StorageError if it cannot be locked.
    """
    lock = path.with_name(f"{path.name}.lock")
    with storage("The checkpoint", path, "locked"):
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not _lock(descriptor):
            raise ConfigurationError(
                f"Another run is using the checkpoint `{path}`. Wait until it ends, or name "
                "another checkpoint with --checkpoint."
            )
        yield
        lock.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Lock an open file until it is closed; return False if another process has or had it."""
    try:
        import fcntl  # noqa: PLC0415 - not on every system
    except ImportError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(descriptor).st_nlink > 0


def _decode(path: Path, content: bytes) -> Checkpoint:
    try:
        version = msgspec.json.decode(content, type=dict[str, Any]).get("version")
        if version != VERSION:
            found = json.dumps(version)
            raise _refuse(path, f"has format {found}, but this program reads format {VERSION}")
        checkpoint = msgspec.json.decode(content, type=Checkpoint)
        sum(1 for _ in checkpoint.pending())
    except (msgspec.DecodeError, ValueError) as error:
        raise _refuse(path, f"is damaged ({error})") from error
    return checkpoint


def _refuse(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"The checkpoint `{path}` {why}. Name another one with --checkpoint, or deliver the whole "
        "file again with --restart."
    )
