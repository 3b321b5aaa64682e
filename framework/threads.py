"""Threads and waits that a signal may interrupt at any moment, as it does in the main thread.

An exception of a signal handler in `threading.Event.wait` or `Condition.wait` can turn into a
RuntimeError about a lock, or leave the lock unusable.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

_TICK: Final = 1.0


class Latch:
    """Is opened once; an interrupted wait does not break later ones."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()
        self.is_open = False

    def open(self) -> None:
        """Open the latch; may be called once."""
        self.is_open = True
        self._lock.release()

    def wait(self, seconds: float) -> bool:
        """Wait for at most *seconds*; return whether the latch is open."""
        # An interruption may keep the lock: what counts is that the latch is open.
        if not self.is_open and self._lock.acquire(timeout=seconds):
            self._lock.release()
        return self.is_open

    def wait_until_open(self) -> None:
        """Wait until the latch is open.

        Signals are handled in between: at once where they end a system call, within a second where
        they do not, as those of `_thread.interrupt_main` or on Windows.
        """
        while not self.wait(_TICK):
            pass


def start_thread(target: Callable[..., None], *arguments: Any, name: str) -> None:
    """Start a daemon thread that calls *target*."""
    thread = threading.Thread(target=target, args=arguments, name=name, daemon=True)
    with interrupts_kept():
        thread.start()


@contextmanager
def interrupts_kept() -> Iterator[None]:
    """Raise the KeyboardInterrupt that a wait of `threading` turned into a RuntimeError."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise error.__context__ from None
        raise
