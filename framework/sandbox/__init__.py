"""Sandboxes: simulated partners with state, injected faults, a page and a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework.lazy import lazy_exports

if TYPE_CHECKING:
    from framework.clock import (
        Clock,
        FrozenClock,
        MovableClock,
        SandboxClock,
        SystemClock,
    )
    from framework.sandbox.faults import (
        DroppedConnectionError,
        Fault,
    )
    from framework.sandbox.partner import (
        LoggedRequest,
        Panel,
        Sandbox,
        SandboxRequest,
        SandboxResponse,
        SandboxRoute,
    )
    from framework.sandbox.server import (
        LOOPBACK_NAMES,
        Server,
        serve,
    )
    from framework.sandbox.transport import (
        SandboxTransport,
    )

_EXPORTS = {
    "faults": "DroppedConnectionError Fault",
    "framework.clock": "Clock FrozenClock MovableClock SandboxClock SystemClock",
    "partner": "LoggedRequest Panel Sandbox SandboxRequest SandboxResponse SandboxRoute",
    "server": "LOOPBACK_NAMES Server serve",
    "transport": "SandboxTransport",
}

__all__ = [
    "LOOPBACK_NAMES",
    "Clock",
    "DroppedConnectionError",
    "Fault",
    "FrozenClock",
    "LoggedRequest",
    "MovableClock",
    "Panel",
    "Sandbox",
    "SandboxClock",
    "SandboxRequest",
    "SandboxResponse",
    "SandboxRoute",
    "SandboxTransport",
    "Server",
    "SystemClock",
    "serve",
]

if not TYPE_CHECKING:
    __getattr__ = lazy_exports(__name__, _EXPORTS)
