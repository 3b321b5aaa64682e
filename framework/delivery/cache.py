"""A small store with the lifetime of a connection: tokens, IDs, repeated lookups."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any


class Cache:
    """Values by key, each with an optional time to live in seconds; safe under threads."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[Any, float | None]] = {}

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value kept under *key*, or *default* if it is absent or expired."""
        with self._lock:
            value, until = self._kept.get(key, (default, None))
            if until is not None and self._now() >= until:
                del self._kept[key]
                return default
            return value

    def set(self, key: str, value: Any, ttl: float | None = None) -> None:
        """Keep *value* under *key*, for *ttl* seconds if given."""
        until = None if ttl is None else self._now() + ttl
        with self._lock:
            self._kept[key] = (value, until)

    def set_if_absent(self, key: str, value: Any, ttl: float | None = None) -> bool:
        """Keep *value* as `set` does unless a value is kept already; return whether it is kept.

        Of several threads that call it at once for a key, one keeps its value.
        """
        now = self._now()
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and (kept[1] is None or now < kept[1]):
                return False
            self._kept[key] = (value, None if ttl is None else now + ttl)
            return True

    def delete(self, key: str) -> None:
        """Drop the value kept under *key*."""
        with self._lock:
            self._kept.pop(key, None)
