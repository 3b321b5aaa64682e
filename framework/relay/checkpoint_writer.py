"""What is to survive a crash is made durable beside the caller's thread, in order."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self


class CheckpointWriter:
    """Saves in a thread of its own, in the order in which it is asked; a context manager.

    Whoever asks waits only while what was asked for before is not done. Leaving waits for
    everything. What a save raises is raised to whoever comes next, by any method.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "saving")
        self._under_way: Future[float] | None = None
        self._since = self._took = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self._wait()
        except Exception:
            if kind is None:  # else there was a failure before, and that is the one to tell
                raise
        finally:
            self._thread.shutdown()

    def start(self, save: Callable[[], None]) -> None:
        """Save as soon as what was asked for before is done."""
        self._wait()
        self._since = time.monotonic()
        self._under_way = self._thread.submit(_timed, save)

    @property
    def took(self) -> float:
        """How many seconds the last save took, or has taken so far; 0 before the first."""
        if self._under_way and self._under_way.done():
            self._wait()
        return time.monotonic() - self._since if self._under_way else self._took

    def _wait(self) -> None:
        under_way, self._under_way = self._under_way, None
        if under_way:
            self._took = under_way.result()


def _timed(save: Callable[[], None]) -> float:
    start = time.monotonic()
    save()
    return time.monotonic() - start
