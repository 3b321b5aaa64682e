"""Faults on purpose: which call of which route goes wrong, how, and how often."""

from __future__ import annotations

import errno
import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from framework.errors import ConfigurationError, UnknownNameError

EVERY_ROUTE: Final = "*"

GENERIC_FAULTS: Final[Mapping[str, str]] = {
    "drop-before": "The connection ends without an answer, and nothing happened.",
    "drop-after": "The call takes effect, and the connection ends without an answer.",
    "slow": "The call takes effect, and the answer comes `seconds` later.",
    "html": "An HTML page with status 200 instead of JSON, and nothing happened.",
    "html-gateway": "An HTML page with status 502, as a gateway sends it, and nothing happened.",
}
"""The faults that every sandbox knows, by kind."""


class DroppedConnectionError(ConnectionResetError):
    """The connection ends here, without an answer.

    A sandbox raises it out of its WSGI callable. Servers see a connection that the client has
    reset and close it silently; `SandboxTransport` turns it into what httpx raises then.
    """

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "The sandbox dropped the connection.")


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong: from the *call*-th call of *route* on, *times* times.

    *route* is a name from the sandbox's `calls`, or `*` for all; *call* counts from one, starting
    with the first call after the injection. *seconds* is how slow, or how long to wait.
    """

    kind: str
    route: str = EVERY_ROUTE
    call: int = 1
    times: int = 1
    seconds: float = 1.0

    def __post_init__(self) -> None:
        if problems := list(_problems(self)):
            raise ConfigurationError("\n".join(problems), problems)

    @classmethod
    def read(cls, raw: object) -> Fault:
        """Read a fault from its JSON object; raises ConfigurationError."""
        if not isinstance(raw, dict) or not isinstance(raw.get("kind"), str):
            raise ConfigurationError('A fault must be an object with a "kind".')
        known = [item.name for item in fields(cls)]
        for name in raw:
            if name not in known:
                raise UnknownNameError.of("fault option", name, known)
        return cls(**raw)

    def to_json(self) -> dict[str, Any]:
        """Return the fault as the JSON object that `read` takes."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


def _problems(fault: Fault) -> list[str]:
    found = []
    if not isinstance(fault.route, str):
        found.append("Fault option `route` must be a text.")
    for name in ("call", "times"):
        value = getattr(fault, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            found.append(f"Fault option `{name}` must be a whole number from 1.")
    seconds = fault.seconds
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not number or not math.isfinite(seconds) or seconds < 0:
        found.append("Fault option `seconds` must be a number from 0.")
    return found


class FaultPlan:
    """The faults that are still to come; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[tuple[Fault, int]] = []

    def add(self, fault: Fault) -> None:
        """Put *fault* behind those that are waiting; of two that are due, the older is played."""
        with self._lock:
            self._waiting.append((fault, 0))

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._waiting.clear()

    def pending(self) -> list[Fault]:
        """List the faults that are still to come or not over yet."""
        with self._lock:
            return [fault for fault, _ in self._waiting]

    def due(self, route: str) -> Fault | None:
        """Count one call of *route* and give the fault that hits it."""
        with self._lock:
            hit = None
            left: list[tuple[Fault, int]] = []
            for fault, seen in self._waiting:
                count = seen + (fault.route in {EVERY_ROUTE, route})
                due = count > seen and count >= fault.call
                if due and hit is not None:
                    count = seen  # its turn comes with the next call
                elif due:
                    hit = fault
                if count < fault.call + fault.times - 1:
                    left.append((fault, count))
            self._waiting = left
            return hit
