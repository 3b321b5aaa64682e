"""Dividing connections among the processes that work for the same ones."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from framework.errors import StorageError

if TYPE_CHECKING:
    from framework.relay.event_store import EventStore

_LOOK: Final = 0.25
"""Seconds between two looks at the number of processes."""


class Spread:
    """Says which of *connections* this process works for; safe under threads.

    Each process takes as many as are its share, whichever are free, and gives back the surplus
    when another process appears. So those of a process that ends are taken by the others.
    """

    def __init__(self, store: EventStore, connections: Sequence[str]) -> None:
        self._store = store
        self._connections = sorted(connections)
        self._lock = threading.Lock()
        self._taken: set[str] = set()
        self._share = len(self._connections)
        self._looking = threading.Lock()
        self._looked = -_LOOK

    def take(self, connection: str) -> bool:
        """Return whether this process may work for one more connection, and count it if so."""
        self._look()
        with self._lock:
            if len(self._taken) < self._share:
                self._taken.add(connection)
            return connection in self._taken

    def give_back(self, connection: str) -> None:
        """Stop counting a connection."""
        with self._lock:
            self._taken.discard(connection)

    def is_surplus(self, connection: str) -> bool:
        """Return whether a connection is to be given back: the last ones beyond the share are."""
        self._look()
        with self._lock:
            return connection in sorted(self._taken)[self._share :]

    def _look(self) -> None:
        """Divide by the number of processes; a store that cannot be read changes nothing."""
        if time.monotonic() - self._looked < _LOOK or not self._looking.acquire(blocking=False):
            return
        try:
            with suppress(StorageError):
                workers = max(1, self._store.workers(self._connections))
                with self._lock:
                    self._share = -(-len(self._connections) // workers)
            self._looked = time.monotonic()
        finally:
            self._looking.release()
