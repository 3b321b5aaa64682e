"""What can be said of a subscription before an event moves: types, triggers, rules, batches."""

from framework.definition.checking.check import (
    Checked,
    check_exclusion,
    check_mapping,
    check_subscription,
)
from framework.definition.checking.effort import MAX_STEPS, Effort
from framework.definition.checking.events import (
    EVENT_TYPES,
    World,
    sample_world,
    schema_world,
    spec_world,
)
from framework.definition.checking.faults import Fault, nearest, suggestion
from framework.definition.checking.settings import setting_problems

__all__ = [
    "EVENT_TYPES",
    "MAX_STEPS",
    "Checked",
    "Effort",
    "Fault",
    "World",
    "check_exclusion",
    "check_mapping",
    "check_subscription",
    "nearest",
    "sample_world",
    "schema_world",
    "setting_problems",
    "spec_world",
    "suggestion",
]
