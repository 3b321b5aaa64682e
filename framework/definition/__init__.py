"""What a destination is: its fields, their shape, its actions, all checked when constructed."""

from framework.definition.fields import (
    Choice,
    Condition,
    Conditions,
    Field,
    FieldTable,
    check_fields,
)
from framework.definition.records import Payload, Settings, field, fields_of, values_of

__all__ = [
    "Choice",
    "Condition",
    "Conditions",
    "Field",
    "FieldTable",
    "Payload",
    "Settings",
    "check_fields",
    "field",
    "fields_of",
    "values_of",
]
