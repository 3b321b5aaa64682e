"""Locks that threads and processes of one machine hold by name, as files in a folder.

The system frees the locks of a process that ends, however it ends. The files stay.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from framework.errors import ConfigurationError, StorageError
from framework.relay.event_store import process_name
from framework.storage import storage

_LOOK: Final = 0.02
"""Seconds between two attempts to take a lock that is held."""


class FileLock:
    """A lock that this process holds until it is released."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Free the lock; further calls have no effect."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


class LockFolder:
    """Locks in a folder that only its owner can use; it is created when first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, kind: str, name: str) -> FileLock | None:
        """Return the lock, or None if it is held.

        Raises StorageError if the folder cannot be written, ConfigurationError on systems that do
        not lock files.
        """
        path = self._path(kind, name)
        lock = self._take(path)
        if lock:
            with suppress(OSError):  # it is held, whether its holder is known or not
                path.write_text(f"{process_name()}\n", encoding="utf-8")
        return lock

    def holder(self, kind: str, name: str) -> str | None:
        """Return the name of the process that holds the lock, None if it is free."""
        path = self._path(kind, name)
        lock = self._take(path)
        if lock:
            lock.release()
            return None
        with storage("The lock", path, "read"):
            return path.read_text(encoding="utf-8", errors="replace").strip()

    @contextmanager
    def hold(self, kind: str, name: str, patience: float) -> Iterator[None]:
        """Hold the lock until the context ends; StorageError if it is not free in *patience* s."""
        end = time.monotonic() + patience
        while (lock := self.take(kind, name)) is None:
            if time.monotonic() >= end:
                raise StorageError(
                    f"The lock of {kind} `{name}` was not free within {patience:g} seconds."
                )
            time.sleep(_LOOK)
        try:
            yield
        finally:
            lock.release()

    def _take(self, path: Path) -> FileLock | None:
        with storage("The lock", path, "taken"):
            self._folder.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            taken = False
            try:
                taken = _lock(descriptor)
            finally:
                if not taken:
                    os.close(descriptor)
        return FileLock(descriptor) if taken else None

    def _path(self, kind: str, name: str) -> Path:
        readable = "-".join(re.findall(r"[a-z0-9]+", name.lower()))[:40]
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return self._folder / f"{kind}-{readable}-{digest}.lock"


def _lock(descriptor: int) -> bool:
    """Lock an open file until it is closed; return False if it is locked."""
    try:
        import fcntl  # noqa: PLC0415 - not on every system
    except ImportError:
        raise ConfigurationError(
            "An SQLite store of events needs a system that locks files by `flock`, such as Linux "
            "or macOS."
        ) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
