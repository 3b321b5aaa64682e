"""Durable local files; failures raise StorageError with the operating system's reason."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from framework.errors import StorageError


@contextmanager
def storage(what: str, path: str | Path, act: str) -> Iterator[None]:
    """Turn an OSError into a StorageError: "*what* `path` cannot be *act*: reason. Remedy"."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"{what} `{path}` cannot be {act}: {reason_of(error)}") from error


ACCESS: Final = "Give the user that runs the command access to it and to its folder."
"""What to do about a file that may not be read or written."""

_WAYS_OUT: Final = {
    errno.ENOSPC: "Free some space, then run the command again.",
    getattr(errno, "EDQUOT", errno.ENOSPC): "Free some space, then run the command again.",
    errno.EACCES: ACCESS,
    errno.EPERM: ACCESS,
    errno.EROFS: "Name a file on another one.",
}


def reason_of(error: OSError) -> str:
    """Return the system's reason as a sentence, followed by what to do about it, if it is known."""
    way_out = _WAYS_OUT.get(error.errno or 0)
    return " ".join(filter(None, [f"{error.strerror or error}.", way_out]))


def open_private(path: str, flags: int) -> int:
    """Open a file as `open` does; a new one is readable and writable by its owner only."""
    return os.open(path, flags, 0o600)


def write_durably(path: Path, content: bytes) -> None:
    """Replace the file at *path* atomically and durably; raises OSError.

    An existing file keeps its mode; a new one is readable and writable by its owner only.
    """
    with _replaced(path) as file:
        file.write(content)


def copy_durably(source: Path, path: Path) -> None:
    """Replace the file at *path* as `write_durably` does, with what *source* holds."""
    with source.open("rb") as content, _replaced(path) as file:
        shutil.copyfileobj(content, file)


@contextmanager
def _replaced(path: Path) -> Iterator[BinaryIO]:
    """Yield a new file, which then replaces the one at *path*."""
    temporary = path.with_name(f"{path.name}.part")
    temporary.unlink(missing_ok=True)
    with open(temporary, "wb", opener=open_private) as file:
        if path.exists():
            os.chmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))  # noqa: PTH101 - open file
        yield file
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
