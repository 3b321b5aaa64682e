"""What a destination is: its fields, their shape, its actions, all checked when constructed."""

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
from framework.definition.document import (
    from_document,
    read_document,
    to_document,
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
from framework.definition.manifest import (
    ManifestReading,
    from_manifest,
    read_manifest,
    to_manifest,
)
from framework.definition.problems import (
    Problem,
)
from framework.definition.records import (
    Payload,
    Settings,
    field,
    fields_of,
    values_of,
)
from framework.definition.shape import (
    Shape,
    compile_shape,
    shape_settings,
)
from framework.definition.subscriptions import (
    preset_subscription,
    starting_subscriptions,
    subscription_from_wire,
    subscription_to_public_api,
    subscription_to_wire,
)

__all__ = [
    "MATCHING_KEY",
    "SYNC_MODES",
    "SYNC_MODE_KEY",
    "Action",
    "AuthScheme",
    "Batching",
    "Category",
    "Choice",
    "Condition",
    "Conditions",
    "Destination",
    "DisplayMode",
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
    "check_fields",
    "compile_shape",
    "field",
    "fields_of",
    "from_document",
    "from_manifest",
    "membership",
    "preset_subscription",
    "read_document",
    "read_manifest",
    "shape_settings",
    "starting_subscriptions",
    "subscription_from_wire",
    "subscription_to_public_api",
    "subscription_to_wire",
    "to_document",
    "to_manifest",
    "values_of",
]
