"""Writing checkpoints durably in a background thread, in order."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self


class CheckpointWriter:
    """Runs saves one at a time in a background thread, in order; a context manager.

    `start` blocks while the previous save runs; leaving the context waits for the last one. An
    exception of a save is raised by the next use of the writer, or by leaving the context.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "checkpoint-writer")
        self._pending: Future[float] | None = None
        self._since = self._took = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self._wait()
        except Exception:
            if kind is None:  # otherwise the earlier exception takes precedence
                raise
        finally:
            self._thread.shutdown()

    def start(self, save: Callable[[], None]) -> None:
        """Start *save* when the previous save has ended; raises what that one raised."""
        self._wait()
        self._since = time.monotonic()
        self._pending = self._thread.submit(_timed, save)

    @property
    def took(self) -> float:
        """Seconds that the last save took, or has taken so far; 0 before the first."""
        if self._pending and self._pending.done():
            self._wait()
        return time.monotonic() - self._since if self._pending else self._took

    def _wait(self) -> None:
        pending, self._pending = self._pending, None
        if pending:
            self._took = pending.result()


def _timed(save: Callable[[], None]) -> float:
    start = time.monotonic()
    save()
    return time.monotonic() - start
