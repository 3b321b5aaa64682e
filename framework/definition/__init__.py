"""What a destination is: its fields, their shape, its actions, all checked when constructed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework.definition.audience import (
    membership,
)
from framework.definition.destination import (
    MATCHING_KEY,
    SYNC_MODE_KEY,
    SYNC_MODES,
    Action,
    AuthScheme,
    Batching,
    Destination,
    Preset,
    PresetKind,
    Rate,
    Subscription,
    SyncMode,
)
from framework.definition.fields import (
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
from framework.definition.problems import (
    Problem,
)
from framework.definition.shape import (
    Shape,
    compile_shape,
    shape_settings,
)
from framework.definition.slugs import meant
from framework.definition.subscriptions import (
    preset_subscription,
    starting_subscriptions,
    subscription_from_wire,
    subscription_to_public_api,
    subscription_to_wire,
)
from framework.definition.typed_classes import Payload, Settings, field, fields_of, values_of
from framework.lazy import lazy_exports

if TYPE_CHECKING:
    from framework.definition.json_schema import from_document, read_document, to_document
    from framework.definition.manifest import (
        ManifestReading,
        from_manifest,
        read_manifest,
        to_manifest,
    )
    from framework.linting import (
        EVENT_TYPES,
        Checked,
        EventModel,
        Issue,
        WorkBudget,
        check_exclusion,
        check_mapping,
        check_subscription,
        nearest,
        sample_world,
        schema_world,
        setting_problems,
        spec_world,
        suggestion,
    )

_ROOMS = {
    "checking": (
        "EVENT_TYPES Checked WorkBudget Issue EventModel check_exclusion check_mapping check_subscription "
        "nearest sample_world schema_world setting_problems spec_world suggestion"
    ),
    "document": "from_document read_document to_document",
    "manifest": "ManifestReading from_manifest read_manifest to_manifest",
}

__all__ = [
    "EVENT_TYPES",
    "MATCHING_KEY",
    "SYNC_MODES",
    "SYNC_MODE_KEY",
    "Action",
    "AuthScheme",
    "Batching",
    "Category",
    "Checked",
    "Choice",
    "Condition",
    "Conditions",
    "Destination",
    "DisplayMode",
    "WorkBudget",
    "Issue",
    "Field",
    "FieldTable",
    "FieldType",
    "Format",
    "InputMethod",
    "ManifestReading",
    "ObjectUI",
    "Payload",
    "Preset",
    "PresetKind",
    "Problem",
    "Rate",
    "Settings",
    "Shape",
    "Subscription",
    "SyncMode",
    "EventModel",
    "check_exclusion",
    "check_fields",
    "check_mapping",
    "check_subscription",
    "compile_shape",
    "field",
    "fields_of",
    "from_document",
    "from_manifest",
    "meant",
    "membership",
    "nearest",
    "preset_subscription",
    "read_document",
    "read_manifest",
    "sample_world",
    "schema_world",
    "setting_problems",
    "shape_settings",
    "spec_world",
    "starting_subscriptions",
    "subscription_from_wire",
    "subscription_to_public_api",
    "subscription_to_wire",
    "suggestion",
    "to_document",
    "to_manifest",
    "values_of",
]

if not TYPE_CHECKING:  # a name that does not exist is an error to type checkers
    __getattr__ = lazy_exports(__name__, _ROOMS)
