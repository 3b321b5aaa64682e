"""Action Destinations: deliver Segment-style events to partner APIs.

What the author of a destination imports; names are loaded at first use, so that a command which
needs few of them starts quickly.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from framework.clock import Clock
    from framework.definition import (
        Action,
        AddField,
        Aliases,
        AllOrNone,
        AtMostOne,
        AudienceCall,
        Audiences,
        Batching,
        ChangeMapping,
        Choice,
        Choices,
        ChoicesCall,
        Condition,
        Conditions,
        Conflict,
        Destination,
        DestinationFilter,
        Field,
        FindJobCall,
        HookCall,
        Job,
        KeepTrigger,
        MappingHook,
        Migration,
        OneOf,
        Payload,
        Pending,
        PollCall,
        Preset,
        Rate,
        RemoveField,
        RenameAction,
        RenameField,
        ReplaceSyncMode,
        ReplaceValue,
        RequestOptions,
        Saved,
        Settings,
        Subscription,
        SyncMode,
        Target,
        field,
        read_fields,
        read_filters,
    )
    from framework.delivery import (
        BatchReport,
        Cache,
        ChoicesQuery,
        Client,
        Columns,
        Connection,
        DeletionRequest,
        OAuthClientCredentials,
        OAuthRefreshToken,
        PluginMetrics,
        PluginStore,
        Report,
        api_key,
        basic,
        bearer,
        connect,
        json_body,
    )
    from framework.errors import (
        APIError,
        ConfigurationError,
        DefinitionError,
        ErrorDescription,
        FrameworkError,
        IntegrationError,
        InvalidAuthenticationError,
        PayloadValidationError,
        RetryableError,
        Stopped,
        UnknownNameError,
    )
    from framework.events import EventReading, TableReading, read_events
    from framework.hookspecs import hookimpl
    from framework.plugins import load_plugins, open_plugin
    from framework.results import (
        DELIVERED,
        Accepted,
        ConnectionCheck,
        Delivered,
        Failed,
        RefreshedToken,
        Result,
        Skipped,
        Unconfirmed,
    )

_EXPORTS = {
    "clock": "Clock",
    "definition": (
        "Action AddField Aliases AllOrNone AtMostOne AudienceCall Audiences Batching "
        "ChangeMapping Choice Choices ChoicesCall Condition Conditions Conflict Destination "
        "DestinationFilter Field FindJobCall HookCall Job KeepTrigger MappingHook Migration "
        "OneOf Payload Pending PollCall Preset Rate RemoveField RenameAction RenameField "
        "ReplaceSyncMode ReplaceValue RequestOptions Saved Settings Subscription SyncMode Target "
        "field read_fields read_filters"
    ),
    "delivery": (
        "BatchReport Cache ChoicesQuery Client Columns Connection DeletionRequest "
        "OAuthClientCredentials PluginMetrics PluginStore OAuthRefreshToken Report api_key basic "
        "bearer connect json_body"
    ),
    "errors": (
        "APIError ConfigurationError DefinitionError ErrorDescription FrameworkError "
        "IntegrationError InvalidAuthenticationError PayloadValidationError RetryableError "
        "Stopped UnknownNameError"
    ),
    "events": "EventReading TableReading read_events",
    "hookspecs": "hookimpl",
    "plugins": "load_plugins open_plugin",
    "results": (
        "DELIVERED Accepted ConnectionCheck Delivered Failed RefreshedToken Result Skipped "
        "Unconfirmed"
    ),
}
_ORIGIN = {name: room for room, names in _EXPORTS.items() for name in names.split()}

__all__ = [
    "DELIVERED",
    "APIError",
    "Accepted",
    "Action",
    "AddField",
    "Aliases",
    "AllOrNone",
    "AtMostOne",
    "AudienceCall",
    "Audiences",
    "BatchReport",
    "Batching",
    "Cache",
    "ChangeMapping",
    "Choice",
    "Choices",
    "ChoicesCall",
    "ChoicesQuery",
    "Client",
    "Clock",
    "Columns",
    "Condition",
    "Conditions",
    "ConfigurationError",
    "Conflict",
    "Connection",
    "ConnectionCheck",
    "DefinitionError",
    "DeletionRequest",
    "Delivered",
    "Destination",
    "DestinationFilter",
    "ErrorDescription",
    "EventReading",
    "Failed",
    "Field",
    "FindJobCall",
    "FrameworkError",
    "HookCall",
    "IntegrationError",
    "InvalidAuthenticationError",
    "Job",
    "KeepTrigger",
    "MappingHook",
    "Migration",
    "OAuthClientCredentials",
    "OAuthRefreshToken",
    "OneOf",
    "Payload",
    "PayloadValidationError",
    "Pending",
    "PluginMetrics",
    "PluginStore",
    "PollCall",
    "Preset",
    "Rate",
    "RefreshedToken",
    "RemoveField",
    "RenameAction",
    "RenameField",
    "ReplaceSyncMode",
    "ReplaceValue",
    "Report",
    "RequestOptions",
    "Result",
    "RetryableError",
    "Saved",
    "Settings",
    "Skipped",
    "Stopped",
    "Subscription",
    "SyncMode",
    "TableReading",
    "Target",
    "Unconfirmed",
    "UnknownNameError",
    "api_key",
    "basic",
    "bearer",
    "connect",
    "field",
    "hookimpl",
    "json_body",
    "load_plugins",
    "open_plugin",
    "read_events",
    "read_fields",
    "read_filters",
]

if not TYPE_CHECKING:  # a name that does not exist is an error to type checkers

    def __getattr__(name: str) -> Any:
        if name not in _ORIGIN:
            raise AttributeError(f"module `framework` has no attribute `{name}`")
        value = getattr(importlib.import_module(f"framework.{_ORIGIN[name]}"), name)
        globals()[name] = value
        return value
