"""Whether a relay works: its store can be written, and all of its threads run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from framework.errors import StorageError

if TYPE_CHECKING:
    from framework.relay import EventStore, Relay

_CHECK_EVERY: Final = 1.0
"""Minimum seconds between two writes that try the store."""


class RelayHealth:
    """Reports what is wrong with a relay and its intake; safe under threads.

    *intake_runs* returns whether the intake serves.
    """

    def __init__(self, store: EventStore, relay: Relay, intake_runs: Callable[[], bool]) -> None:
        self._store = store
        self._relay = relay
        self._intake_runs = intake_runs
        self._lock = threading.Lock()
        self._checked = -_CHECK_EVERY
        self._of_store = ""

    def problems(self) -> list[str]:
        """Return a sentence for each problem."""
        found = [self._store_problem(), *self._relay.ended()]
        if not self._intake_runs():
            found.append("The intake does not run.")
        return [one for one in found if one]

    def _store_problem(self) -> str:
        with self._lock:
            if time.monotonic() - self._checked >= _CHECK_EVERY:
                try:
                    self._store.check()
                    self._of_store = ""
                except StorageError as error:
                    self._of_store = str(error)
                self._checked = time.monotonic()
            return self._of_store
