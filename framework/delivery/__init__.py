"""Delivery of events: connections, the one pipeline, the HTTP client, auth flows and records."""

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
    "OAuthClientCredentials",
    "OAuthRefreshToken",
    "OfflinePlugin",
    "Patience",
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
    "network_allowed",
    "no_network",
    "seal",
    "trusted_certificates",
]
