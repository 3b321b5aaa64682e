"""State that is kept across processes: tokens, IDs of audiences, outputs of hooks, jobs."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol


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
