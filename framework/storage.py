"""Durable local files; failures raise StorageError with the operating system's reason."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from framework.errors import StorageError


@contextmanager
def storage(what: str, path: str | Path, act: str) -> Iterator[None]:
    """Turn an OSError into a StorageError: "*what* `path` cannot be *act*: reason"."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageError(f"{what} `{path}` cannot be {act}: {reason}.") from error


def write_durably(path: Path, content: bytes) -> None:
    """Replace the file at *path* atomically and durably; raises OSError."""
    temporary = path.with_name(f"{path.name}.part")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the name of a new or renamed file durable, if the system supports it."""
    with suppress(OSError):  # Windows cannot open folders, some file systems cannot sync them.
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
