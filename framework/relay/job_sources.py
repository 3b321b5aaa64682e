"""Where the jobs of runs over files and of streams are kept."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from framework.delivery import JobRecord, JobSource, job_records
from framework.storage import storage

if TYPE_CHECKING:
    from framework.events import EventFile, Identity
    from framework.relay.checkpoint import ConnectionIdentity
    from framework.state_store import StateStore

_KIND: Final = "job"
_HEAD: Final = 4096


def file_jobs(
    state: StateStore | None,
    source: EventFile,
    serves: ConnectionIdentity,
    *,
    restart: bool = False,
) -> JobSource:
    """Return where the jobs of a run over *source* are kept: in *state*, if it can be resumed.

    The file is recognized by its first line, so that it may be renamed and grow, and a table by
    all of it. With *restart*,
    records of earlier runs over it are removed. Raises StorageError if the file cannot be read.
    """
    name = serves.name or serves.label.split()[0]
    if source.identity is None or state is None:
        return JobSource.passing(name)
    head = _head(source.name, source.identity)
    where = "\n".join((*_account(serves), hashlib.sha256(head).hexdigest()))
    found = JobSource(state, name, hashlib.sha256(where.encode()).hexdigest())
    if restart:
        for record in job_records(state, name):
            if record.source == found.source:
                state.delete(_KIND, record.state_key)
    return found


def _head(name: str, identity: Identity) -> bytes:
    if identity.form in {"table", "result"}:
        return identity.digest.encode()
    with storage("The events", name, "read"), Path(name).open("rb") as file:
        return file.read(_HEAD).split(b"\n", 1)[0]


def stream_jobs(state: StateStore | None, stream: str, serves: ConnectionIdentity) -> JobSource:
    """Return where the jobs of a connection are kept that reads a stream of a store."""
    where = "\n".join((*_account(serves), "stream", stream))
    return JobSource(state, serves.name, hashlib.sha256(where.encode()).hexdigest())


def kept_jobs(state: StateStore, connection: str | None = None) -> list[JobRecord]:
    """Return the jobs that are not finished, or whose results are not saved; oldest first."""
    return job_records(state, connection)


def _account(serves: ConnectionIdentity) -> tuple[str, str, str]:
    """Return where the jobs are: those of other credentials are others."""
    return serves.label.split()[0], serves.settings, serves.sent_to
