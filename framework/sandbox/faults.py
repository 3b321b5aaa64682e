"""Injected faults: which request to which route fails, how, and how often."""

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
    "drop-before": "The connection closes without a response; the request has no effect.",
    "drop-after": "The request takes effect; the connection closes without a response.",
    "slow": "The request takes effect; the response is delayed by `seconds`.",
    "html": "An HTML page with status 200 instead of JSON; the request has no effect.",
    "html-gateway": "An HTML page with status 502, as from a gateway; the request has no effect.",
}
"""Descriptions of the faults that every sandbox supports, by kind."""


class DroppedConnectionError(ConnectionResetError):
    """The connection is dropped without a response.

    A sandbox raises it from its WSGI callable. Servers treat it as a connection reset by the client
    and close it silently; `SandboxTransport` turns it into httpx.RemoteProtocolError.
    """

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "The sandbox dropped the connection.")


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of *kind* that affects *times* requests to *route*, from the *call*-th on.

    *route* is a name from the sandbox's `calls`, or `*` for all; *call* counts from one, starting
    with the first request after the injection. *seconds* is the delay, or the wait that the partner
    asks for. Raises ConfigurationError that lists every invalid option.
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
        """Read a fault from a JSON object; raises ConfigurationError if it is invalid."""
        if not isinstance(raw, dict) or not isinstance(raw.get("kind"), str):
            raise ConfigurationError('A fault must be an object with a "kind".')
        known = [item.name for item in fields(cls)]
        for name in raw:
            if name not in known:
                raise UnknownNameError.of("fault option", name, known)
        return cls(**raw)

    def to_json(self) -> dict[str, Any]:
        """Return the fault as a JSON object that `read` accepts."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


def _problems(fault: Fault) -> list[str]:
    found = []
    if not isinstance(fault.route, str):
        found.append("Fault option `route` must be a string.")
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
    """The pending faults; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[tuple[Fault, int]] = []

    def add(self, fault: Fault) -> None:
        """Append *fault*; of two faults due for one request, the older one is applied."""
        with self._lock:
            self._waiting.append((fault, 0))

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._waiting.clear()

    def pending(self) -> list[Fault]:
        """Return the faults that can still affect a request."""
        with self._lock:
            return [fault for fault, _ in self._waiting]

    def due(self, route: str) -> Fault | None:
        """Count one request to *route* and return the fault that applies to it, if any."""
        with self._lock:
            hit = None
            left: list[tuple[Fault, int]] = []
            for fault, seen in self._waiting:
                count = seen + (fault.route in {EVERY_ROUTE, route})
                due = count > seen and count >= fault.call
                if due and hit is not None:
                    count = seen  # applied to the next request
                elif due:
                    hit = fault
                if count < fault.call + fault.times - 1:
                    left.append((fault, count))
            self._waiting = left
            return hit
