"""What can be said of a subscription before an event moves: types, triggers, rules, batches."""

from framework.linting.event_models import (
    EVENT_TYPES,
    EventModel,
    sample_world,
    schema_world,
    spec_world,
)
from framework.linting.issues import Issue, nearest, suggestion
from framework.linting.setting_checks import setting_problems
from framework.linting.subscription_checks import (
    Checked,
    check_exclusion,
    check_mapping,
    check_subscription,
)
from framework.linting.work_budget import MAX_STEPS, WorkBudget

__all__ = [
    "EVENT_TYPES",
    "MAX_STEPS",
    "Checked",
    "WorkBudget",
    "Issue",
    "EventModel",
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
