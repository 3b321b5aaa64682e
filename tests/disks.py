"""A file system of its own whose power can be cut: what was not flushed to it is lost."""

from __future__ import annotations

import filecmp
import subprocess
from pathlib import Path
from typing import Final, Self

_MEGABYTES: Final = 200  # a store takes nothing more where less than 64 are free


class Disk:
    """A file system in an image below *folder*, mounted at `place`; a context manager.

    Raises OSError where it cannot be mounted: that takes a privileged user and loop devices.
    """

    def __init__(self, folder: Path) -> None:
        self.place = folder / "disk"
        self._image = folder / "disk.img"
        self._copy = folder / "disk.copy"
        self.place.mkdir()
        with self._image.open("wb") as file:
            file.truncate(_MEGABYTES * 1024 * 1024)
        _run("mkfs.ext4", "-q", self._image)

    def cut(self) -> None:
        """Cut the power: what is written but not flushed is lost, as it is in the page cache.

        Processes that use the file system must be stopped, and killed before `restore`. The kernel
        goes on writing, so that a copy may hold parts of different moments: it is made again until
        nothing was written meanwhile.
        """
        equal = False
        while not equal:
            _run("cp", "--sparse=always", self._image, self._copy)
            equal = filecmp.cmp(self._image, self._copy, shallow=False)

    def restore(self) -> None:
        """Mount what was there when the power was cut."""
        _run("umount", self.place)
        self._copy.replace(self._image)
        _run("mount", "-o", "loop", self._image, self.place)

    def __enter__(self) -> Self:
        _run("mount", "-o", "loop", self._image, self.place)
        return self

    def __exit__(self, *_: object) -> None:
        _run("umount", self.place)


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"`{command[0]}` failed: {done.stderr.strip()}")
