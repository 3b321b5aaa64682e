"""Checkpoints: the progress of a run, stored so that it survives a crash."""

from __future__ import annotations

import glob
import hashlib
import json
import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from framework.delivery import Failing
from framework.errors import ConfigurationError
from framework.events import START, EventFile, Identity, Position, StreamHead
from framework.relay.summary import SummaryRow
from framework.storage import storage, sync_folder, write_durably

if TYPE_CHECKING:
    from framework.delivery import Connection

VERSION: Final = 2
UNCHECKED: Final = 1
"""The format before this one, which knew neither settings nor a checksum."""

_LONGEST_NAME: Final = 40
_logger = logging.getLogger("action_destinations")


class ConnectionIdentity(Struct, frozen=True, kw_only=True):
    """The connection of a run: destination and subscriptions as *label*, and its *name*.

    *settings* is a digest of the settings that are not secret. *sent_to* is empty for the partner,
    otherwise what receives the requests in its place. *audiences* is a digest of the settings that
    say whose audiences are changed, empty if it is the same as *settings*.
    """

    label: str
    name: str = ""
    settings: str = ""
    sent_to: str = ""
    audiences: str = ""

    @classmethod
    def of(cls, connection: Connection, name: str = "", sent_to: str = "") -> ConnectionIdentity:
        """Return the identity of *connection*, which is called *name* in its file."""
        label, settings = connection.label, connection.settings_digest
        whose = connection.audiences_digest
        return cls(
            label=label,
            name=name,
            settings=settings,
            sent_to=sent_to,
            audiences="" if whose == settings else whose,
        )

    def difference(self, other: ConnectionIdentity) -> str:
        """Return what *other* is a run for, or an empty string if it serves the same."""
        if self.label.split()[0] != other.label.split()[0]:
            return f"the destination `{other.label.split()[0]}`"
        if self.name != other.name:
            return f"the connection `{other.name}`"
        if self.settings != other.settings:
            return "other settings"
        if self.label != other.label:
            return "other subscriptions"
        if self.sent_to != other.sent_to:
            return other.sent_to or "the partner itself"
        return ""

    @property
    def account(self) -> str:
        """Whose audiences the connection changes, for a ledger of memberships."""
        where = (self.label.split()[0], self.audiences or self.settings, self.sent_to)
        return " ".join(filter(None, where))

    @property
    def file_name(self) -> str:
        """A readable part of a file's name, different for connections that send elsewhere."""
        words = re.findall(r"[a-z0-9]+", self.name.lower())
        readable = "-".join(words)[:_LONGEST_NAME].rstrip("-") or self.label.split()[0]
        where = (self.label.split()[0], self.name, self.settings, self.sent_to)
        digest = hashlib.sha256(msgspec.json.encode(where)).hexdigest()[:8]
        return f"{readable}-{digest}"


_FORMS = {
    "": "lines",
    "document": "parts of a JSON document",
    "unpacked": "parts of envelopes (--unpack)",
    "table": "rows of a table (--key)",
    "result": "rows that a query selects in a database (--query)",
}


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The progress of a run: read up to *read*; all lines before *position* have results.

    *unsettled* holds, by index of the subscription, the lines between the two that have no result
    yet, each as the distance from the previous one; `5x3` means `5 1 1`. Everything else up to
    *read* is counted in *counts*, *calls* (requests) and *rejected* (invalid lines).
    *serves* is the connection; *file* is None for a stream, which has a *head* instead.
    *outcomes* is the length of the outcome file in bytes at this point, or None without one.
    *failing* holds, by a digest of lane and batch key, a key's first failure and number of tries.
    *dead_letters* is the length of the file of dead letters, if there is one. *first_line* is the
    line from which a run was asked to deliver. *unreported* is the number of failures and invalid
    lines that no exit code has reported so far.
    """

    serves: ConnectionIdentity
    file: Identity | None
    head: StreamHead | None = None
    position: Position = START
    read: Position = START
    unsettled: dict[int, str] = {}
    counts: tuple[SummaryRow, ...] = ()
    calls: dict[str, int] = {}
    rejected: int = 0
    outcomes: int | None = None
    finished: bool = False
    failing: dict[str, Failing] | UnsetType = UNSET
    dead_letters: int | UnsetType = UNSET
    first_line: int | UnsetType = UNSET
    unreported: int | UnsetType = UNSET
    version: int = VERSION

    @property
    def unreported_failures(self) -> int:
        """The number of failures and invalid lines that no exit code has reported so far."""
        return self.unreported if isinstance(self.unreported, int) else 0

    def unfinished(self) -> Checkpoint:
        """Return the same checkpoint, not finished, for a source that may have grown since."""
        return msgspec.structs.replace(self, finished=False)

    def pending(self) -> Iterator[tuple[int, int]]:
        """Yield the line (from 1) and the subscription's index of every missing result.

        Raises ValueError if *unsettled* is damaged.
        """
        for subscription, packed in self.unsettled.items():
            for lines in unpack_lines(packed, self.read.lines):
                for one in lines:
                    yield one, subscription


def pack(unsettled: Mapping[int, Sequence[range]]) -> dict[int, str]:
    """Return lines by subscription, given as ascending ranges, in the form of a checkpoint."""
    return {subscription: pack_lines(lines) for subscription, lines in unsettled.items()}


def pack_lines(lines: Iterable[range]) -> str:
    """Return ascending ranges of lines in the form of a checkpoint."""
    return " ".join(_packed(lines))


def unpack_lines(packed: str, last: int) -> Iterator[range]:
    """Yield the ranges that were packed; ValueError if damaged, or for a line after *last*."""
    line = 0
    for written in packed.split():
        distance, _, number = written.partition("x")
        line += int(distance)
        lines = range(line, line + int(number or 1))
        if lines.stop - 1 > last:
            raise ValueError("a line after the last line read")
        yield lines
        line = lines.stop - 1


def _packed(lines: Iterable[range]) -> Iterator[str]:
    last = 0
    for some in lines:
        distance = str(some.start - last)
        yield distance if len(some) == 1 else f"{distance}x{len(some)}"
        last = some.stop - 1


def default_path(events: str | Path, serves: ConnectionIdentity) -> Path | None:
    """Return the path of an events file's checkpoint, next to the file; None for a stream.

    Connections that send elsewhere have checkpoints of their own.
    """
    return checkpoint_path(events, serves) if Path(events).is_file() else None


def checkpoint_path(events: str | Path, serves: ConnectionIdentity) -> Path:
    """Return the path of the checkpoint of an events file that may have been renamed or removed."""
    path = Path(events)
    return path.with_name(f"{path.name}.{serves.file_name}.checkpoint")


def others(path: Path) -> list[Path]:
    """Return the checkpoints next to the default *path* that are for the same name.

    They are for other settings, such as those before a change, or another address.
    """
    start, _, _ = path.name.rpartition("-")
    return sorted(set(path.parent.glob(f"{glob.escape(start)}-????????.checkpoint")) - {path})


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint at *path* durably; raises StorageError."""
    content = msgspec.json.encode(checkpoint)
    signed = b'%b,"checksum":"%b"}' % (content[:-1], _checksum(content).encode())
    with storage("The checkpoint", path, "written"):
        write_durably(path, msgspec.json.format(signed, indent=1) + b"\n")


def load(path: Path, serves: ConnectionIdentity, events: EventFile) -> Checkpoint | None:
    """Return the checkpoint at *path* for delivering *events* to *serves*, or None.

    A completed run over an earlier result of the same query does not count. Raises
    ConfigurationError if it belongs to another file, and what `recorded` raises.
    """
    checkpoint = recorded(path, serves)
    if checkpoint is None:
        return None
    before, now = checkpoint.file, events.identity
    if (before is None) != (now is None):
        raise _refuse(path, f"does not match `{events.name}`: only one of both is a stream")
    if before and now and before.form != now.form:
        forms = f"as {_FORMS.get(before.form)}, not as {_FORMS[now.form]}"
        raise _refuse(path, f"counts the events of `{events.name}` in another way: {forms}")
    if before and now and now.form == "result" and before != now:
        return _before_result(path, checkpoint, events)
    if checkpoint.file is not None and not events.is_same(checkpoint.file):
        raise _refuse(
            path,
            f"does not match the events file `{events.name}`, which is another one or was changed",
        )
    if checkpoint.head is not None and not events.begins_with(checkpoint.head):
        raise _refuse(path, f"belongs to another stream: `{events.name}` begins otherwise")
    return checkpoint


def _before_result(path: Path, checkpoint: Checkpoint, events: EventFile) -> Checkpoint:
    """Return the checkpoint of a run that starts, after the completed one over an earlier result.

    Raises ConfigurationError if that was not completed.
    """
    if not checkpoint.finished:
        raise _refuse(
            path,
            "belongs to a run that was not completed, and since then the rows that its query "
            f"selects from `{events.name}` have changed",
        )
    return Checkpoint(
        serves=checkpoint.serves, file=events.identity, unreported=checkpoint.unreported
    )


def recorded(path: Path, serves: ConnectionIdentity) -> Checkpoint | None:
    """Return the checkpoint at *path* for *serves*, whatever its events file, or None.

    Raises StorageError if it cannot be read, ConfigurationError if it is damaged or belongs to
    another connection. One in the previous format, which knows less, counts as a checkpoint for
    *serves* if its destination and subscriptions match.
    """
    with storage("The checkpoint", path, "read"):
        if not path.exists():
            return None
        content = path.read_bytes()
    checkpoint = _decode(path, content, serves)
    if other := serves.difference(checkpoint.serves):
        raise _refuse(path, f"belongs to a run for {other}")
    return checkpoint


def refuse_previous(events: str | Path, place: str, serves: ConnectionIdentity) -> None:
    """Raise ConfigurationError if *events* have a checkpoint by the name that was usual before.

    It may be for *serves*, but does not say for which settings it is. *place* is the part of its
    name for requests that go elsewhere, empty for the partner.
    """
    path = Path(f"{events}{place and f'.{place}'}.checkpoint")
    with storage("The checkpoint", path, "read"):
        if not path.is_file():
            return
        content = path.read_bytes()
    try:
        stamp = msgspec.json.decode(content, type=_Stamp)
    except (msgspec.DecodeError, ValueError):
        stamp = _Stamp(UNCHECKED, None, serves.label)
    if (stamp.version, stamp.connection) == (UNCHECKED, serves.label):
        raise ConfigurationError(
            f"The checkpoint `{path}` is from an earlier version, which did not record the "
            "settings of its connection. If it is for this connection, resume from it with "
            f"--checkpoint {path}; otherwise deliver the whole file with --restart."
        )


def discard(path: Path) -> None:
    """Remove the checkpoint at *path* durably, if it exists; raises StorageError.

    A new outcome file must not meet it after a crash.
    """
    with storage("The checkpoint", path, "removed"):
        if path.exists():
            path.unlink()
            sync_folder(path.parent)


def mark_reported(path: Path, serves: ConnectionIdentity) -> None:
    """Record in the checkpoint at *path* that an exit code has reported its failures.

    Raises StorageError, and ConfigurationError if another run uses the checkpoint.
    """
    with locked(path):
        checkpoint = recorded(path, serves)
        if checkpoint and checkpoint.unreported_failures:
            save(path, msgspec.structs.replace(checkpoint, unreported=UNSET))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock the checkpoint at *path* against other runs, until the context ends.

    Raises ConfigurationError if another run has locked it, StorageError if it cannot be locked.
    """
    lock = path.with_name(f"{path.name}.lock")
    with storage("The checkpoint", path, "locked"):
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    _locks.add(descriptor)
    try:
        if not _lock(descriptor):
            raise ConfigurationError(
                f"Another run is using the checkpoint `{path}`. Wait until it ends, or name "
                "another checkpoint with --checkpoint."
            )
        yield
        lock.unlink(missing_ok=True)
    finally:
        _locks.discard(descriptor)
        os.close(descriptor)


_locks: set[int] = set()


def _release() -> None:
    """Leave the locks to the process that this one was forked from, which may end before it."""
    while _locks:
        os.close(_locks.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_release)


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


class _Stamp(Struct):
    """What every format has; *connection* is the label in the previous one."""

    version: Any = None
    checksum: str | None = None
    connection: str | None = None


def _decode(path: Path, content: bytes, serves: ConnectionIdentity) -> Checkpoint:
    try:
        stamp = msgspec.json.decode(content, type=_Stamp)
        if stamp.version == UNCHECKED and stamp.checksum is None:
            checkpoint = _previous(path, content, stamp, serves)
        elif stamp.version == VERSION:
            checkpoint = _current(content, stamp)
        else:
            found = json.dumps(stamp.version)
            raise _refuse(path, f"has format {found}, but this program reads format {VERSION}")
        sum(1 for _ in checkpoint.pending())
    except UnicodeDecodeError as error:
        raise _refuse(path, "is damaged (its text is not UTF-8)") from error
    except (msgspec.DecodeError, ValueError) as error:
        raise _refuse(path, f"is damaged ({error})") from error
    return checkpoint


def _current(content: bytes, stamp: _Stamp) -> Checkpoint:
    checkpoint = msgspec.json.decode(content, type=Checkpoint)
    if stamp.checksum != _checksum(msgspec.json.encode(checkpoint)):
        raise ValueError("its checksum does not match")
    return checkpoint


def _previous(path: Path, content: bytes, stamp: _Stamp, serves: ConnectionIdentity) -> Checkpoint:
    """Return a checkpoint in the previous format as one for *serves*, as far as it can be seen."""
    if stamp.connection is None:
        raise ValueError("it names no connection")
    if stamp.connection != serves.label:
        raise _refuse(
            path,
            f"belongs to a run for `{stamp.connection}`, but this run is for `{serves.label}`",
        )
    raw = msgspec.json.decode(content, type=dict[str, Any])
    raw.pop("connection", None)
    raw |= {"serves": msgspec.to_builtins(serves), "version": VERSION}
    _logger.warning(
        "The checkpoint `%s` is from an earlier version, which did not record the settings of its "
        "connection. It counts as one for this connection.",
        path,
    )
    return msgspec.convert(raw, Checkpoint, str_keys=True)


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _refuse(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"The checkpoint `{path}` {why}. Name another one with --checkpoint, or deliver the whole "
        "file again with --restart."
    )
