"""Definitions of destinations: fields, shapes, actions and manifests, validated on construction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework.definition.audience import (
    membership,
)
from framework.definition.audience_rules import (
    AudienceCall,
    Audiences,
)
from framework.definition.batch_rules import (
    Aliases,
    Batching,
    Coalesce,
    Target,
)
from framework.definition.choices import (
    Choices,
    ChoicesCall,
    ChoicesError,
    ChoicesFunction,
    without_choices,
)
from framework.definition.defaults import (
    default_problems,
)
from framework.definition.destination import (
    MAX_SUBSCRIPTIONS,
    Action,
    AuthScheme,
    Conflict,
    Destination,
    Subscription,
)
from framework.definition.destination_filters import (
    ALL_EVENTS,
    FILTER_TYPES,
    MAX_FILTERS,
    DestinationFilter,
    FilterAction,
    FilterProblem,
    FilterType,
    as_condition,
    filter_paths,
    read_filter,
    read_filters,
)
from framework.definition.field_rules import (
    AllOrNone,
    AtMostOne,
    FieldRule,
    OneOf,
)
from framework.definition.fields import (
    SECRET,
    STRING_TYPES,
    Category,
    Choice,
    Condition,
    Conditions,
    DisplayMode,
    Field,
    FieldTable,
    FieldType,
    Format,
    InputMethod,
    ObjectUI,
    check_fields,
)
from framework.definition.job_rules import (
    FindJobCall,
    Job,
    Pending,
    PollCall,
)
from framework.definition.mapping_hooks import (
    MAPPING_HOOKS,
    HookCall,
    MappingHook,
    MappingHookKind,
    Saved,
    constant_fields,
    outputs_to_json,
)
from framework.definition.presets import Preset, PresetKind
from framework.definition.problems import (
    Problem,
    ProblemCode,
    condition_text,
    requirement_text,
    setting_text,
)
from framework.definition.rates import RATES_BY_SETTINGS, Rate, RatesOfSettings
from framework.definition.secret_values import (
    secret_texts,
)
from framework.definition.shape import (
    Shape,
    compile_shape,
    shape_settings,
)
from framework.definition.slugs import (
    resolve_slug,
)
from framework.definition.subscriptions import (
    CONTROLS,
    INTERNAL,
    preset_subscription,
    read_id,
    read_version,
    starting_subscriptions,
    subscription_from_wire,
    subscription_to_public_api,
    subscription_to_wire,
    unknown_fields,
)
from framework.definition.sync_modes import (
    MATCHING_KEY,
    SYNC_MODE_KEY,
    SYNC_MODES,
    SyncMode,
)
from framework.definition.typed_classes import (
    Payload,
    Settings,
    field,
    fields_of,
    plain_json,
    values_of,
)
from framework.lazy import lazy_exports

if TYPE_CHECKING:
    from framework.definition.coercion import (
        equal_json,
    )
    from framework.definition.field_checks import (
        checks_of,
        top_pruner_of,
    )
    from framework.definition.json_schema import (
        read_fields,
        to_document,
    )
    from framework.definition.manifest import (
        ManifestReading,
        from_manifest,
        read_manifest,
        to_manifest,
    )
    from framework.definition.migrating import (
        MigratedSubscription,
        migrate,
    )
    from framework.definition.migrations import (
        AddField,
        ChangeMapping,
        KeepTrigger,
        Migration,
        MigrationStep,
        RemoveField,
        RenameAction,
        RenameField,
        ReplaceSyncMode,
        ReplaceValue,
        latest_version,
        steps_of,
    )
    from framework.definition.request_options import (
        RequestOptions,
    )
    from framework.definition.requirements import (
        tests_of,
    )
    from framework.definition.shape_interpreter import (
        interpret,
    )

_EXPORTS = {
    "coercion": "equal_json",
    "field_checks": "checks_of top_pruner_of",
    "json_schema": "read_fields to_document",
    "manifest": "ManifestReading from_manifest read_manifest to_manifest",
    "migrating": "MigratedSubscription migrate",
    "migrations": (
        "AddField ChangeMapping KeepTrigger Migration MigrationStep RemoveField RenameAction "
        "RenameField ReplaceSyncMode ReplaceValue latest_version steps_of"
    ),
    "request_options": "RequestOptions",
    "requirements": "tests_of",
    "shape_interpreter": "interpret",
}

__all__ = [
    "ALL_EVENTS",
    "CONTROLS",
    "FILTER_TYPES",
    "INTERNAL",
    "MAPPING_HOOKS",
    "MATCHING_KEY",
    "MAX_FILTERS",
    "MAX_SUBSCRIPTIONS",
    "RATES_BY_SETTINGS",
    "SECRET",
    "STRING_TYPES",
    "SYNC_MODES",
    "SYNC_MODE_KEY",
    "Action",
    "AddField",
    "Aliases",
    "AllOrNone",
    "AtMostOne",
    "AudienceCall",
    "Audiences",
    "AuthScheme",
    "Batching",
    "Category",
    "ChangeMapping",
    "Choice",
    "Choices",
    "ChoicesCall",
    "ChoicesError",
    "ChoicesFunction",
    "Coalesce",
    "Condition",
    "Conditions",
    "Conflict",
    "Destination",
    "DestinationFilter",
    "DisplayMode",
    "Field",
    "FieldRule",
    "FieldTable",
    "FieldType",
    "FilterAction",
    "FilterProblem",
    "FilterType",
    "FindJobCall",
    "Format",
    "HookCall",
    "InputMethod",
    "Job",
    "KeepTrigger",
    "ManifestReading",
    "MappingHook",
    "MappingHookKind",
    "MigratedSubscription",
    "Migration",
    "MigrationStep",
    "ObjectUI",
    "OneOf",
    "Payload",
    "Pending",
    "PollCall",
    "Preset",
    "PresetKind",
    "Problem",
    "ProblemCode",
    "Rate",
    "RatesOfSettings",
    "RemoveField",
    "RenameAction",
    "RenameField",
    "ReplaceSyncMode",
    "ReplaceValue",
    "RequestOptions",
    "Saved",
    "Settings",
    "Shape",
    "Subscription",
    "SyncMode",
    "Target",
    "as_condition",
    "check_fields",
    "checks_of",
    "compile_shape",
    "condition_text",
    "constant_fields",
    "default_problems",
    "equal_json",
    "field",
    "fields_of",
    "filter_paths",
    "from_manifest",
    "interpret",
    "latest_version",
    "membership",
    "migrate",
    "outputs_to_json",
    "plain_json",
    "preset_subscription",
    "read_fields",
    "read_filter",
    "read_filters",
    "read_id",
    "read_manifest",
    "read_version",
    "requirement_text",
    "resolve_slug",
    "secret_texts",
    "setting_text",
    "shape_settings",
    "starting_subscriptions",
    "steps_of",
    "subscription_from_wire",
    "subscription_to_public_api",
    "subscription_to_wire",
    "tests_of",
    "to_document",
    "to_manifest",
    "top_pruner_of",
    "unknown_fields",
    "values_of",
    "without_choices",
]

if not TYPE_CHECKING:
    __getattr__ = lazy_exports(__name__, _EXPORTS)
