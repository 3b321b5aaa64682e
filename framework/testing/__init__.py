"""The author's bench: pretend partners in this process or on the loopback address."""

from framework.testing.clock import Clock, FrozenClock, SystemClock
from framework.testing.faults import DroppedConnectionError, Fault
from framework.testing.sandboxes import Answer, Call, Panel, Request, Route, Sandbox
from framework.testing.serving import Server, serve
from framework.testing.transport import SandboxTransport

__all__ = [
    "Answer",
    "Call",
    "Clock",
    "DroppedConnectionError",
    "Fault",
    "FrozenClock",
    "Panel",
    "Request",
    "Route",
    "Sandbox",
    "SandboxTransport",
    "Server",
    "SystemClock",
    "serve",
]
