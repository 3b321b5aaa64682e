"""Counts of what an intake accepts and refuses, and log lines about it without its content."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

ArrivalKind: TypeAlias = Literal["accepted", "repeated", "invalid", "refused"]
"""Events that were stored, events left out as they were stored before, invalid events, and refused
requests."""

_LOG_EVERY: Final = 1.0
"""Minimum seconds between two log lines about the same."""

_logger = logging.getLogger("action_destinations")


class Arrivals:
    """Counts by kind and stream, or by kind and code for refused requests; safe under threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._unlogged: Counter[tuple[str, str]] = Counter()
        self._logged: dict[tuple[str, str], float] = {}

    def counts(self) -> Mapping[tuple[str, str], int]:
        """Return the counts so far by kind and stream or code."""
        with self._lock:
            return dict(self._counts)

    def add(self, kind: ArrivalKind, label: str, number: int) -> None:
        """Count events."""
        if number:
            with self._lock:
                self._counts[kind, label] += number

    def invalid(self, stream: str, reasons: list[str]) -> None:
        """Count and log events that are invalid; the log names the first reason."""
        if reasons:
            self.add("invalid", stream, len(reasons))
            text = "The stream `%s` refused %d invalid events: %s"
            self._log(("invalid", stream), text, len(reasons), reasons[0])

    def refused(self, code: str, message: str) -> None:
        """Count and log a request that was refused."""
        self.add("refused", code, 1)
        self._log(("refused", code), "The intake refused (%s) %d requests: %s", 1, message)

    def _log(self, about: tuple[str, str], text: str, number: int, why: str) -> None:
        now = time.monotonic()
        with self._lock:
            self._unlogged[about] += number
            if now - self._logged.get(about, -_LOG_EVERY) < _LOG_EVERY:
                return
            self._logged[about] = now
            number = self._unlogged.pop(about)
        kind, label = about
        marks = {"counts": {kind: number}, **({"stream": label} if kind == "invalid" else {})}
        _logger.warning(text, label, number, why, extra=marks)
