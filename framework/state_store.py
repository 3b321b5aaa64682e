"""State that is kept across processes: tokens, IDs of audiences, outputs of hooks, jobs."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from framework.errors import StorageError


class StateStore(Protocol):
    """JSON values by kind and key, kept durably and readable by their owner only.

    Kinds are `token`, `audience`, `outputs`, `job`, `alert`, and `plugin` for the author's own
    values. All methods are safe under threads and processes, and raise StorageError if the store
    cannot be read or written. A value that is damaged counts as absent.
    """

    def get(self, kind: str, key: str) -> Any:
        """Return the value, or None if it is absent."""

    def keys(self, kind: str) -> list[str]:
        """Return the keys of all values of a kind, ascending."""

    def put(self, kind: str, key: str, value: Any) -> None:
        """Set the value."""

    def create(self, kind: str, key: str, value: Any) -> bool:
        """Set the value if it is absent; return whether it was."""

    def swap(self, kind: str, key: str, seen: Any, new: Any) -> bool:
        """Replace the value if it equals *seen* (None: it is absent); return whether it did."""

    def delete(self, kind: str, key: str) -> bool:
        """Remove the value; return whether it existed."""

    def lock(self, key: str, patience: float = 60.0) -> AbstractContextManager[None]:
        """Hold the lock named *key* until the context ends; other threads and processes wait.

        Raises StorageError if it is not free within *patience* seconds. The lock of a process that
        ends is free.
        """


class MemoryState:
    """A `StateStore` that is not durable: for tests, and as long as it exists."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._values: dict[tuple[str, str], str] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def get(self, kind: str, key: str) -> Any:
        """Return the value, or None if it is absent."""
        with self._mutex:
            return self._read(kind, key)

    def keys(self, kind: str) -> list[str]:
        """Return the keys of all values of a kind, ascending."""
        with self._mutex:
            return sorted(key for of, key in self._values if of == kind)

    def put(self, kind: str, key: str, value: Any) -> None:
        """Set the value."""
        with self._mutex:
            self._values[kind, key] = json.dumps(value)

    def create(self, kind: str, key: str, value: Any) -> bool:
        """Set the value if it is absent; return whether it was."""
        return self.swap(kind, key, None, value)

    def swap(self, kind: str, key: str, seen: Any, new: Any) -> bool:
        """Replace the value if it equals *seen* (None: it is absent); return whether it did."""
        with self._mutex:
            same: bool = self._read(kind, key) == seen
            if same:
                self._values[kind, key] = json.dumps(new)
            return same

    def delete(self, kind: str, key: str) -> bool:
        """Remove the value; return whether it existed."""
        with self._mutex:
            return self._values.pop((kind, key), None) is not None

    @contextmanager
    def lock(self, key: str, patience: float = 60.0) -> Iterator[None]:
        """Hold the lock named *key*; raises StorageError if it is not free within *patience* s."""
        with self._mutex:
            lock = self._locks[key]
        if not lock.acquire(timeout=patience):
            raise StorageError(f"The state is in use for more than {patience:g} seconds.")
        try:
            yield
        finally:
            lock.release()

    def _read(self, kind: str, key: str) -> Any:
        return json.loads(self._values.get((kind, key), "null"))
