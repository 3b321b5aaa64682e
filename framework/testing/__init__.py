"""The author's bench: events, a harness, pretend partners, snapshots, cassettes, and journeys.

Names are loaded at first use, so that the pytest plugin costs nothing where it is not used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework.lazy import lazy_exports

if TYPE_CHECKING:
    from framework.explain.cases import CaseResult, run_case
    from framework.explain.curl_command import as_curl
    from framework.explain.trace import (
        BatchPeers,
        EventTrace,
        FieldProblem,
        MappedField,
        Nearest,
        Source,
        SubscriptionTrace,
        exchange_to_json,
        hidden,
        mapped_fields,
        mapping_problems,
        payload_problems,
        raw_mapping,
        trace,
        traces,
    )
    from framework.samples.events import (
        EVENT_TYPES,
        make_audience_event,
        make_event,
        make_journey_event,
        make_row_event,
    )
    from framework.samples.generate import generate_event, generate_payload
    from framework.sandbox.clock_to_merge import Clock, FrozenClock, SystemClock
    from framework.sandbox.faults import DroppedConnectionError, Fault
    from framework.sandbox.partner import (
        LoggedRequest,
        Panel,
        Sandbox,
        SandboxRequest,
        SandboxResponse,
        SandboxRoute,
    )
    from framework.sandbox.server import LOOPBACK_NAMES, Server, serve
    from framework.sandbox.transport import SandboxTransport
    from framework.testing.cassettes import Recording, Replay
    from framework.testing.harness import EVERY_EVENT, Harness, Ran
    from framework.testing.snapshots import SnapshotMismatch, Snapshots, requests_of

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
        "BatchPeers FieldProblem EventTrace SubscriptionTrace MappedField Nearest Source exchange_to_json hidden "
        "trace traces mapped_fields mapping_problems payload_problems raw_mapping"
    ),
    "sandboxes": "SandboxResponse LoggedRequest Panel SandboxRequest SandboxRoute Sandbox",
    "serving": "LOOPBACK_NAMES Server serve",
    "snapshots": "SnapshotMismatch Snapshots requests_of",
    "transport": "SandboxTransport",
}

__all__ = [
    "EVENT_TYPES",
    "EVERY_EVENT",
    "LOOPBACK_NAMES",
    "SandboxResponse",
    "LoggedRequest",
    "CaseResult",
    "Clock",
    "BatchPeers",
    "DroppedConnectionError",
    "Fault",
    "FieldProblem",
    "FrozenClock",
    "Harness",
    "EventTrace",
    "SubscriptionTrace",
    "MappedField",
    "Nearest",
    "Panel",
    "Ran",
    "Recording",
    "Replay",
    "SandboxRequest",
    "SandboxRoute",
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
    "trace",
    "traces",
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

if not TYPE_CHECKING:  # a name that does not exist is an error to type checkers
    __getattr__ = lazy_exports(__name__, _ROOMS)
