"""The author's bench: events, a harness, pretend partners, snapshots, cassettes, and journeys.

Names are loaded at first use, so that the pytest plugin costs nothing where it is not used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from framework.testing.cases import CaseResult, run_case
    from framework.testing.clock import Clock, FrozenClock, SystemClock
    from framework.testing.curl import as_curl
    from framework.testing.faults import DroppedConnectionError, Fault
    from framework.testing.passage import (
        Company,
        FieldProblem,
        Journey,
        Leg,
        MappedField,
        Nearest,
        Source,
        journey,
        journeys,
    )
    from framework.testing.sandboxes import Answer, Call, Panel, Request, Route, Sandbox
    from framework.testing.serving import Server, serve
    from framework.testing.transport import SandboxTransport

_ROOMS = {
    "cases": "CaseResult run_case",
    "clock": "Clock FrozenClock SystemClock",
    "curl": "as_curl",
    "faults": "DroppedConnectionError Fault",
    "passage": ("Company FieldProblem Journey Leg MappedField Nearest Source journey journeys"),
    "sandboxes": "Answer Call Panel Request Route Sandbox",
    "serving": "Server serve",
    "transport": "SandboxTransport",
}
_ORIGIN = {name: room for room, names in _ROOMS.items() for name in names.split()}

__all__ = [
    "Answer",
    "Call",
    "CaseResult",
    "Clock",
    "Company",
    "DroppedConnectionError",
    "Fault",
    "FieldProblem",
    "FrozenClock",
    "Journey",
    "Leg",
    "MappedField",
    "Nearest",
    "Panel",
    "Request",
    "Route",
    "Sandbox",
    "SandboxTransport",
    "Server",
    "Source",
    "SystemClock",
    "as_curl",
    "journey",
    "journeys",
    "run_case",
    "serve",
]


def __getattr__(name: str) -> Any:
    if name not in _ORIGIN:
        raise AttributeError(f"module `framework.testing` has no attribute `{name}`")
    value = getattr(importlib.import_module(f"framework.testing.{_ORIGIN[name]}"), name)
    globals()[name] = value
    return value
