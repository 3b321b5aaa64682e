"""Writing checkpoints durably in a background thread, in order."""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Self

from framework.threads import Latch, start_thread


class CheckpointWriter:
    """Runs saves one at a time in a background thread, in order; a context manager.

    `start` blocks while the previous save runs; leaving the context waits for the last one. An
    exception of a save is raised by the next use of the writer, or by leaving the context.
    """

    def __init__(self) -> None:
        self._saves: SimpleQueue[_Save | None] = SimpleQueue()
        self._ended = Latch()
        self._pending: _Save | None = None
        self._since = self._took = 0.0

    def __enter__(self) -> Self:
        start_thread(self._serve, name="checkpoint-writer")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._finish()
        if kind is None:  # otherwise the earlier exception takes precedence
            self._wait()

    def start(self, save: Callable[[], None]) -> None:
        """Start *save* when the previous save has ended; raises what that one raised."""
        self._wait()
        self._since = time.monotonic()
        self._pending = _Save(save)
        self._saves.put(self._pending)

    @property
    def took(self) -> float:
        """Seconds that the last save took, or has taken so far; 0 before the first."""
        if self._pending and self._pending.ended.is_open:
            self._wait()
        return time.monotonic() - self._since if self._pending else self._took

    def _wait(self) -> None:
        pending = self._pending
        if pending:
            pending.ended.wait_until_open()
            self._pending, self._took = None, pending.took
            if pending.error:
                raise pending.error

    def _finish(self) -> None:
        """Wait for all saves, interrupted or not: none may overwrite what another run saves."""
        try:
            self._saves.put(None)
            self._ended.wait_until_open()
        except KeyboardInterrupt:
            self._finish()
            raise

    def _serve(self) -> None:
        try:
            while save := self._saves.get():
                save.run()
        finally:
            self._ended.open()


class _Save:
    """A save, what it raised, and the seconds that it took."""

    def __init__(self, save: Callable[[], None]) -> None:
        self._save = save
        self.ended = Latch()
        self.error: BaseException | None = None
        self.took = 0.0

    def run(self) -> None:
        start = time.monotonic()
        try:
            self._save()
        except BaseException as error:  # noqa: BLE001 - raised again in the run's thread
            self.error = error
        self.took = time.monotonic() - start
        self.ended.open()
