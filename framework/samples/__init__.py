"""Sample events and payloads, generated from Segment's spec, triggers and definitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework.lazy import lazy_exports

if TYPE_CHECKING:
    from framework.samples.events import (
        EVENT_TYPES,
        EVERY_EVENT,
        make_audience_event,
        make_event,
        make_journey_event,
        make_row_event,
    )
    from framework.samples.generate import (
        generate_event,
        generate_payload,
    )

_EXPORTS = {
    "events": (
        "EVENT_TYPES EVERY_EVENT make_audience_event make_event make_journey_event make_row_event"
    ),
    "generate": "generate_event generate_payload",
}

__all__ = [
    "EVENT_TYPES",
    "EVERY_EVENT",
    "generate_event",
    "generate_payload",
    "make_audience_event",
    "make_event",
    "make_journey_event",
    "make_row_event",
]

if not TYPE_CHECKING:
    __getattr__ = lazy_exports(__name__, _EXPORTS)
