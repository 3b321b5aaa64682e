"""How far a run has come, kept so that it survives a crash and is not taken for another's."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from framework.errors import ConfigurationError
from framework.relay.files import START, EventFile, Identity, Position
from framework.relay.storage import storage, write_durably
from framework.relay.summary import SummaryRow

VERSION: Final = 1


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run has come: read up to *read*, with nothing unsettled before *position*.

    *unsettled* holds, by index of the subscription, the lines between the two that have no outcome
    yet, each as the distance from the one before; `5x3` stands for `5 1 1`. Everything else up to
    *read* is counted in *counts*, *calls* and *rejected*.
    *connection* names what was delivered to, in words; *file* is None for a stream.
    *outcomes* is the length of the outcome file at this point, None where none is written.
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
        """Return the same checkpoint for a source that may have grown since."""
        return msgspec.structs.replace(self, finished=False)

    def open(self) -> Iterator[tuple[int, int]]:
        """Yield line and subscription of everything that is unsettled.

        Raises ValueError where that is damaged.
        """
        for route, distances in self.unsettled.items():
            line = 0
            for written in distances.split():
                distance, _, number = written.partition("x")
                line += int(distance)
                last = line + int(number or 1) - 1
                if last > self.read.lines:
                    raise ValueError("a line beyond those that were read")
                for one in range(line, last + 1):
                    yield one, route
                line = last


def pack(unsettled: Mapping[int, Sequence[range]]) -> dict[int, str]:
    """Return lines by subscription, as ascending ranges, in the form a checkpoint keeps."""
    return {route: " ".join(_packed(lines)) for route, lines in unsettled.items()}


def _packed(lines: Iterable[range]) -> Iterator[str]:
    last = 0
    for some in lines:
        distance = str(some.start - last)
        yield distance if len(some) == 1 else f"{distance}x{len(some)}"
        last = some.stop - 1


def default_path(events: str | Path, place: str = "") -> Path | None:
    """Return where the checkpoint of an events file is kept: beside it; a stream has none.

    *place* tells apart where the events are delivered to; it becomes part of the name.
    """
    path = Path(events)
    suffix = f".{place}.checkpoint" if place else ".checkpoint"
    return path.with_name(path.name + suffix) if path.is_file() else None


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Keep *checkpoint* durably in place of the one before; raises StorageError."""
    content = msgspec.json.format(msgspec.json.encode(checkpoint), indent=1)
    with storage("The checkpoint", path, "written"):
        write_durably(path, content + b"\n")


def load(path: Path, connection: str, events: EventFile) -> Checkpoint | None:
    """Return the checkpoint kept at *path* for delivering *events* to *connection*, if there is one.

    Raises StorageError where it cannot be read, ConfigurationError where it is damaged or belongs
    to another file or connection; the text says the way out.
    """
    with storage("The checkpoint", path, "read"):
        if not path.exists():
            return None
        content = path.read_bytes()
    checkpoint = _decode(path, content)
    if checkpoint.connection != connection:
        raise _refuse(
            path,
            f"belongs to a run for `{checkpoint.connection}`, and this one is for `{connection}`",
        )
    if checkpoint.file is not None and not events.is_same(checkpoint.file):
        raise _refuse(path, f"belongs to another events file than `{events.name}` as it is now")
    return checkpoint


def forget(path: Path) -> None:
    """Remove the checkpoint kept at *path*, if there is one; raises StorageError."""
    with storage("The checkpoint", path, "removed"):
        path.unlink(missing_ok=True)


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Keep other runs from using the checkpoint at *path* for a while.

    Raises ConfigurationError where another run does, StorageError where that cannot be told.
    """
    lock = path.with_name(f"{path.name}.lock")
    with storage("The checkpoint", path, "locked"):
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not _lock(descriptor):
            raise ConfigurationError(
                f"Another run is using the checkpoint `{path}`. Wait for its end, or name another "
                "one with --checkpoint."
            )
        yield
        lock.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Lock an open file until it is closed; False where another process has or had it."""
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
            raise _refuse(path, f"has format {found}, and this program reads {VERSION}")
        checkpoint = msgspec.json.decode(content, type=Checkpoint)
        sum(1 for _ in checkpoint.open())
    except (msgspec.DecodeError, ValueError) as error:
        raise _refuse(path, f"is damaged ({error})") from error
    return checkpoint


def _refuse(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"The checkpoint `{path}` {why}. Name another one with --checkpoint, or deliver the whole "
        "file again with --restart."
    )
