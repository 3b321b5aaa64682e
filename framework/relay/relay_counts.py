"""Counts of what a relay does for one connection, for people and monitoring."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterable
from typing import Final, TypeAlias

from framework.delivery import Completion
from framework.relay.summary import Kind

CountKey: TypeAlias = tuple[str, str, str]
"""Subscription, outcome and code of results."""

OTHER_CODES: Final = "OTHER"
"""The code of results with unusual codes, and of those beyond the first hundred codes."""

_MOST_CODES: Final = 100
_USUAL: Final = re.compile(r"(?!.*\d{7})[A-Za-z0-9_.-]{0,64}", re.ASCII)


class RelayCounts:
    """Results of one connection by subscription, outcome and code; safe under threads.

    Codes come from partners: unusual ones, which might hold anything, are counted as OTHER_CODES.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._results: Counter[CountKey] = Counter()
        self._codes: set[str] = set()
        self._dead_letters = 0

    def add(self, names: list[str], completions: Iterable[Completion]) -> None:
        """Count completions; *names* are those of the subscriptions, by index."""
        with self._lock:
            for one in completions:
                kind = Kind.of(names[one.subscription], one.result)
                key = (kind.subscription, kind.outcome, self._code(kind.code))
                self._results[key] += len(one.positions)

    def add_dead_letters(self, number: int) -> None:
        """Count dead letters that were written."""
        with self._lock:
            self._dead_letters += number

    @property
    def dead_letters(self) -> int:
        """The number of dead letters that were written."""
        return self._dead_letters

    def results(self) -> Counter[CountKey]:
        """Return the counts so far."""
        with self._lock:
            return Counter(self._results)

    def _code(self, code: str) -> str:
        if code in self._codes:
            return code
        if not _USUAL.fullmatch(code) or len(self._codes) >= _MOST_CODES:
            return OTHER_CODES
        self._codes.add(code)
        return code
