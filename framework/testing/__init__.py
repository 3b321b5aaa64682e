"""Tools for authors: certification, a harness, snapshots, cassettes, sandboxes, sample events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework.lazy import lazy_exports

if TYPE_CHECKING:
    from framework.samples import (
        EVENT_TYPES,
        EVERY_EVENT,
        generate_event,
        generate_payload,
        make_audience_event,
        make_event,
        make_journey_event,
        make_row_event,
    )
    from framework.sandbox import (
        Clock,
        DroppedConnectionError,
        Fault,
        FrozenClock,
        LoggedRequest,
        MovableClock,
        Panel,
        Sandbox,
        SandboxClock,
        SandboxRequest,
        SandboxResponse,
        SandboxRoute,
        SandboxTransport,
        Server,
        SystemClock,
        serve,
    )
    from framework.testing.cassettes import (
        Recording,
        Replay,
    )
    from framework.testing.certification.certificate import (
        Certificate,
        CertificateCheck,
        CertificateFinding,
    )
    from framework.testing.certification.certifying import (
        certify,
    )
    from framework.testing.harness import (
        Harness,
        Ran,
    )
    from framework.testing.snapshots import (
        SnapshotMismatch,
        Snapshots,
        requests_of,
    )

_EXPORTS = {
    "cassettes": "Recording Replay",
    "certification.certificate": "Certificate CertificateCheck CertificateFinding",
    "certification.certifying": "certify",
    "framework.samples": (
        "EVENT_TYPES EVERY_EVENT generate_event generate_payload make_audience_event "
        "make_event make_journey_event make_row_event"
    ),
    "framework.sandbox": (
        "Clock DroppedConnectionError Fault FrozenClock LoggedRequest MovableClock Panel "
        "Sandbox SandboxClock SandboxRequest SandboxResponse SandboxRoute SandboxTransport "
        "Server SystemClock serve"
    ),
    "harness": "Harness Ran",
    "snapshots": "SnapshotMismatch Snapshots requests_of",
}

__all__ = [
    "EVENT_TYPES",
    "EVERY_EVENT",
    "Certificate",
    "CertificateCheck",
    "CertificateFinding",
    "Clock",
    "DroppedConnectionError",
    "Fault",
    "FrozenClock",
    "Harness",
    "LoggedRequest",
    "MovableClock",
    "Panel",
    "Ran",
    "Recording",
    "Replay",
    "Sandbox",
    "SandboxClock",
    "SandboxRequest",
    "SandboxResponse",
    "SandboxRoute",
    "SandboxTransport",
    "Server",
    "SnapshotMismatch",
    "Snapshots",
    "SystemClock",
    "certify",
    "generate_event",
    "generate_payload",
    "make_audience_event",
    "make_event",
    "make_journey_event",
    "make_row_event",
    "requests_of",
    "serve",
]

if not TYPE_CHECKING:
    __getattr__ = lazy_exports(__name__, _EXPORTS)
