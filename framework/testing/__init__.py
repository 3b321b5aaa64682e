"""The author's bench: events, a harness, pretend partners, snapshots, cassettes, and journeys.

Names are loaded at first use, so that the pytest plugin costs nothing where it is not used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework.doors import door

if TYPE_CHECKING:
    from framework.testing.cases import CaseResult, run_case
    from framework.testing.cassettes import Recording, Replay
    from framework.testing.clock import Clock, FrozenClock, SystemClock
    from framework.testing.curl import as_curl
    from framework.testing.events import (
        EVENT_TYPES,
        make_audience_event,
        make_event,
        make_journey_event,
        make_row_event,
    )
    from framework.testing.faults import DroppedConnectionError, Fault
    from framework.testing.generating import generate_event, generate_payload
    from framework.testing.harness import EVERY_EVENT, Harness, Ran
    from framework.testing.passage import (
        Company,
        FieldProblem,
        Journey,
        Leg,
        MappedField,
        Nearest,
        Source,
        exchange_to_json,
        hidden,
        journey,
        journeys,
        mapped_fields,
        mapping_problems,
        payload_problems,
        raw_mapping,
    )
    from framework.testing.sandboxes import Answer, Call, Panel, Request, Route, Sandbox
    from framework.testing.serving import LOOPBACK_NAMES, Server, serve
    from framework.testing.snapshots import SnapshotMismatch, Snapshots, requests_of
    from framework.testing.transport import SandboxTransport

_ROOMS = {
    "cases": "CaseResult run_case",
    "cassettes": "Recording Replay",
    "clock": "Clock FrozenClock SystemClock",
    "curl": "as_curl",
    "events": "EVENT_TYPES make_audience_event make_event make_journey_event make_row_event",
    "faults": "DroppedConnectionError Fault",
    "generating": "generate_event generate_payload",
    "harness": "EVERY_EVENT Harness Ran",
    "passage": (
        "Company FieldProblem Journey Leg MappedField Nearest Source exchange_to_json hidden "
        "journey journeys mapped_fields mapping_problems payload_problems raw_mapping"
    ),
    "sandboxes": "Answer Call Panel Request Route Sandbox",
    "serving": "LOOPBACK_NAMES Server serve",
    "snapshots": "SnapshotMismatch Snapshots requests_of",
    "transport": "SandboxTransport",
}

__all__ = [
    "EVENT_TYPES",
    "EVERY_EVENT",
    "LOOPBACK_NAMES",
    "Answer",
    "Call",
    "CaseResult",
    "Clock",
    "Company",
    "DroppedConnectionError",
    "Fault",
    "FieldProblem",
    "FrozenClock",
    "Harness",
    "Journey",
    "Leg",
    "MappedField",
    "Nearest",
    "Panel",
    "Ran",
    "Recording",
    "Replay",
    "Request",
    "Route",
    "Sandbox",
    "SandboxTransport",
    "Server",
    "SnapshotMismatch",
    "Snapshots",
    "Source",
    "SystemClock",
    "as_curl",
    "exchange_to_json",
    "generate_event",
    "generate_payload",
    "hidden",
    "journey",
    "journeys",
    "make_audience_event",
    "make_event",
    "make_journey_event",
    "make_row_event",
    "mapped_fields",
    "mapping_problems",
    "payload_problems",
    "raw_mapping",
    "requests_of",
    "run_case",
    "serve",
]

__getattr__ = door(__name__, _ROOMS)
