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
    from framework.explain.field_problems import (
        FieldProblem,
        mapping_problems,
        payload_problems,
        raw_mapping,
    )
    from framework.explain.trace import (
        BatchPeers,
        EventTrace,
        MappedField,
        Nearest,
        Source,
        SubscriptionTrace,
        iterate_traces,
        mapped_fields,
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
    "field_problems": "FieldProblem mapping_problems payload_problems raw_mapping",
    "trace": (
        "BatchPeers EventTrace MappedField Nearest Source SubscriptionTrace iterate_traces "
        "mapped_fields trace_event trace_events"
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
