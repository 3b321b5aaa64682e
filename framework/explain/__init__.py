"""Traces of events through a connection, stage by stage, and runs of mapping tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework.lazy import lazy_exports

if TYPE_CHECKING:
    from framework.explain.cases import (
        CaseResult,
        run_case,
    )
    from framework.explain.curl_command import (
        as_curl,
    )
    from framework.explain.trace import (
        BatchPeers,
        EventTrace,
        FieldProblem,
        MappedField,
        Nearest,
        Source,
        SubscriptionTrace,
        iterate_traces,
        mapped_fields,
        mapping_problems,
        payload_problems,
        raw_mapping,
        trace_event,
        trace_events,
    )
    from framework.explain.trace_json import (
        exchange_to_json,
        hidden,
    )

_EXPORTS = {
    "cases": "CaseResult run_case",
    "curl_command": "as_curl",
    "trace": (
        "BatchPeers EventTrace FieldProblem MappedField Nearest Source SubscriptionTrace "
        "iterate_traces mapped_fields mapping_problems payload_problems raw_mapping trace_event "
        "trace_events"
    ),
    "trace_json": "exchange_to_json hidden",
}

__all__ = [
    "BatchPeers",
    "CaseResult",
    "EventTrace",
    "FieldProblem",
    "MappedField",
    "Nearest",
    "Source",
    "SubscriptionTrace",
    "as_curl",
    "exchange_to_json",
    "hidden",
    "iterate_traces",
    "mapped_fields",
    "mapping_problems",
    "payload_problems",
    "raw_mapping",
    "run_case",
    "trace_event",
    "trace_events",
]

if not TYPE_CHECKING:
    __getattr__ = lazy_exports(__name__, _EXPORTS)
