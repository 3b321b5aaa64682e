"""Restart when files change: one process watches, another one serves."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

_TICK: Final = 0.3
_WATCHED: Final = frozenset({".py", ".yaml", ".yml", ".json", ".env"})
_LEFT_OUT: Final = frozenset({"__pycache__", "node_modules", "site-packages"})


def changes(paths: Sequence[Path], before: Mapping[str, tuple[int, int]]) -> Iterator[None]:
    """Yield whenever a file below *paths* differs from *before* or the last state; never ends.

    *before* is an earlier `snapshot` of the same paths.
    """
    while True:
        time.sleep(_TICK)
        now = snapshot(paths)
        if now != before:
            before = now
            yield


def snapshot(paths: Iterable[Path]) -> dict[str, tuple[int, int]]:
    """Return the modification time and the size of every relevant file below *paths*."""
    found = {}
    for file in _files(paths):
        try:
            status = file.stat()
        except OSError:
            continue
        found[str(file)] = (status.st_mtime_ns, status.st_size)
    return found


def serve_again(
    command: Sequence[str], environment: Mapping[str, str], paths: Iterable[Path]
) -> None:
    """Run *command*, and run it again whenever *paths* change; returns when interrupted.

    If the command exits by itself, such as after an error in a file, the next change restarts it.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    watched = tuple(paths)
    before = snapshot(watched)  # the command may have read them before they changed
    process = _start(command, environment)
    try:
        for _ in changes(watched, before):
            print("Files changed; restarting.", file=sys.stderr)  # noqa: T201 - for the person who waits
            _stop(process)
            process = _start(command, environment)
    except KeyboardInterrupt:
        pass
    finally:
        _stop(process)


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_file():
            yield path
        for file in path.rglob("*") if path.is_dir() else ():
            if file.suffix in _WATCHED and not _LEFT_OUT & set(file.parts):
                yield file


def _start(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, env=dict(environment))  # noqa: S603 - our own command


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=3)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
