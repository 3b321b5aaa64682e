"""Delivery of events: connections, the one pipeline, the HTTP client, auth flows and records.

Names are imported at first use: a command that only reads definitions needs none of the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework.lazy import lazy_exports

if TYPE_CHECKING:
    from framework.clock import Clock, SystemClock
    from framework.delivery.auth import (
        OAuthClientCredentials,
        OAuthRefreshToken,
        api_key,
        basic,
        bearer,
    )
    from framework.delivery.cache import Cache
    from framework.delivery.client import Client
    from framework.delivery.columns import Columns
    from framework.delivery.compiled import CompiledSubscription, compile_subscriptions
    from framework.delivery.connecting import connect
    from framework.delivery.dynamic_choices import ChoicesQuery
    from framework.delivery.event_filters import EventFilters, FilterStep
    from framework.delivery.exchanges import Exchange, Recorder, Redactor
    from framework.delivery.external_audiences import ExternalAudiences, KeptAudiences
    from framework.delivery.full_lists import FullList
    from framework.delivery.fusion import DELETION
    from framework.delivery.holding import Patience, RetryWait, hold_scope
    from framework.delivery.http_errors import ErrorReader, json_body
    from framework.delivery.http_messages import check_request_head
    from framework.delivery.jobs import JobRecord, Jobs, JobSource, job_records
    from framework.delivery.kept_tokens import KeptTokens
    from framework.delivery.ledger import Audience, Known, Ledger, Member, MemberChange, Memberships
    from framework.delivery.member_subscriptions import MEMBER_PAYLOAD, MemberEvents, identified
    from framework.delivery.offline import OfflinePlugin, network_allowed, no_network, seal
    from framework.delivery.performing import HookRunner
    from framework.delivery.permission import DeletionRequest, is_deletion
    from framework.delivery.pipeline import Connection
    from framework.delivery.plugin_calls import Implementation, Preview
    from framework.delivery.plugin_metrics import MetricKey, PluginMetrics, metric_text
    from framework.delivery.plugin_store import PluginStore, keeps_state
    from framework.delivery.prepare import Intake
    from framework.delivery.prepared_rows import Prepared, RowIds
    from framework.delivery.rate_limits import RateStores
    from framework.delivery.redaction import clean_known
    from framework.delivery.report import (
        DELETIONS,
        SUPERSEDED,
        UNCHANGED,
        BatchReport,
        Completed,
        Completion,
        Failing,
        Report,
        ReportItem,
        Sent,
    )
    from framework.delivery.retries import Retry
    from framework.delivery.saved_mappings import SavedMapping, hook_of
    from framework.delivery.sender import Sender
    from framework.delivery.source_view import InputKind
    from framework.delivery.throttle import (
        LocalRateStore,
        RateHeaders,
        RateStore,
        Throttle,
        ThrottleState,
    )
    from framework.delivery.transports import DryRun, make_transport, trusted_certificates

_EXPORTS = {
    "framework.clock": "Clock SystemClock",
    "auth": "OAuthClientCredentials OAuthRefreshToken api_key basic bearer",
    "cache": "Cache",
    "client": "Client",
    "columns": "Columns",
    "compiled": "CompiledSubscription compile_subscriptions",
    "connecting": "connect",
    "dynamic_choices": "ChoicesQuery",
    "event_filters": "EventFilters FilterStep",
    "exchanges": "Exchange Recorder Redactor",
    "external_audiences": "ExternalAudiences KeptAudiences",
    "full_lists": "FullList",
    "fusion": "DELETION",
    "holding": "Patience RetryWait hold_scope",
    "http_errors": "ErrorReader json_body",
    "http_messages": "check_request_head",
    "jobs": "JobRecord Jobs JobSource job_records",
    "kept_tokens": "KeptTokens",
    "ledger": "Audience Known Ledger Member MemberChange Memberships",
    "member_subscriptions": "MEMBER_PAYLOAD MemberEvents identified",
    "offline": "OfflinePlugin network_allowed no_network seal",
    "performing": "HookRunner",
    "permission": "DeletionRequest is_deletion",
    "pipeline": "Connection",
    "plugin_calls": "Implementation Preview",
    "plugin_metrics": "MetricKey PluginMetrics metric_text",
    "plugin_store": "PluginStore keeps_state",
    "prepare": "Intake",
    "prepared_rows": "Prepared RowIds",
    "rate_limits": "RateStores",
    "redaction": "clean_known",
    "report": (
        "DELETIONS SUPERSEDED UNCHANGED BatchReport Completed Completion Failing Report "
        "ReportItem Sent"
    ),
    "retries": "Retry",
    "saved_mappings": "SavedMapping hook_of",
    "sender": "Sender",
    "source_view": "InputKind",
    "throttle": "LocalRateStore RateHeaders RateStore Throttle ThrottleState",
    "transports": "DryRun make_transport trusted_certificates",
}

__all__ = [
    "DELETION",
    "DELETIONS",
    "MEMBER_PAYLOAD",
    "SUPERSEDED",
    "UNCHANGED",
    "Audience",
    "BatchReport",
    "Cache",
    "ChoicesQuery",
    "Client",
    "Clock",
    "Columns",
    "CompiledSubscription",
    "Completed",
    "Completion",
    "Connection",
    "DeletionRequest",
    "DryRun",
    "ErrorReader",
    "EventFilters",
    "Exchange",
    "ExternalAudiences",
    "Failing",
    "FilterStep",
    "FullList",
    "HookRunner",
    "Implementation",
    "InputKind",
    "Intake",
    "JobRecord",
    "JobSource",
    "Jobs",
    "KeptAudiences",
    "KeptTokens",
    "Known",
    "Ledger",
    "LocalRateStore",
    "Member",
    "MemberChange",
    "MemberEvents",
    "Memberships",
    "MetricKey",
    "OAuthClientCredentials",
    "OAuthRefreshToken",
    "OfflinePlugin",
    "Patience",
    "PluginMetrics",
    "PluginStore",
    "Prepared",
    "Preview",
    "RateHeaders",
    "RateStore",
    "RateStores",
    "Recorder",
    "Redactor",
    "Report",
    "ReportItem",
    "Retry",
    "RetryWait",
    "RowIds",
    "SavedMapping",
    "Sender",
    "Sent",
    "SystemClock",
    "Throttle",
    "ThrottleState",
    "api_key",
    "basic",
    "bearer",
    "check_request_head",
    "clean_known",
    "compile_subscriptions",
    "connect",
    "hold_scope",
    "hook_of",
    "identified",
    "is_deletion",
    "job_records",
    "json_body",
    "keeps_state",
    "make_transport",
    "metric_text",
    "network_allowed",
    "no_network",
    "seal",
    "trusted_certificates",
]

if not TYPE_CHECKING:
    __getattr__ = lazy_exports(__name__, _EXPORTS)
