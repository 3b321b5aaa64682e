"""Static checks of connections: settings, triggers, mappings and batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework.lazy import lazy_exports

if TYPE_CHECKING:
    from framework.linting.catalogue import (
        CATALOGUE,
        CODES,
        MANIFEST,
        Entry,
        page,
    )
    from framework.linting.connection_files import (
        check,
        check_settings,
        check_without_destination,
        choose,
        validate,
    )
    from framework.linting.counterfactual import (
        Change,
        nearest_change,
    )
    from framework.linting.current_mappings import (
        CurrentSubscription,
        current_subscription_of,
    )
    from framework.linting.event_models import (
        EVENT_TYPES,
        EventModel,
        model_from_sample,
        model_from_schema,
        model_from_spec,
    )
    from framework.linting.filter_checks import (
        filter_issues,
    )
    from framework.linting.issues import (
        Issue,
        nearest,
        suggestion,
    )
    from framework.linting.satisfiability import (
        HeldTrigger,
        SearchResult,
        find_event,
    )
    from framework.linting.segment_differences import (
        Difference,
        difference,
        segment_matches,
    )
    from framework.linting.setting_checks import (
        setting_problems,
    )
    from framework.linting.subscription_checks import (
        CheckResult,
        check_exclusion,
        check_mapping,
        check_subscription,
    )
    from framework.linting.work_budget import (
        MAX_STEPS,
        WorkBudget,
    )

_EXPORTS = {
    "catalogue": "CATALOGUE CODES MANIFEST Entry page",
    "connection_files": "check check_settings check_without_destination choose validate",
    "counterfactual": "Change nearest_change",
    "current_mappings": "CurrentSubscription current_subscription_of",
    "event_models": "EVENT_TYPES EventModel model_from_sample model_from_schema model_from_spec",
    "filter_checks": "filter_issues",
    "issues": "Issue nearest suggestion",
    "satisfiability": "HeldTrigger SearchResult find_event",
    "segment_differences": "Difference difference segment_matches",
    "setting_checks": "setting_problems",
    "subscription_checks": "CheckResult check_exclusion check_mapping check_subscription",
    "work_budget": "MAX_STEPS WorkBudget",
}

__all__ = [
    "CATALOGUE",
    "CODES",
    "EVENT_TYPES",
    "MANIFEST",
    "MAX_STEPS",
    "Change",
    "CheckResult",
    "CurrentSubscription",
    "Difference",
    "Entry",
    "EventModel",
    "HeldTrigger",
    "Issue",
    "SearchResult",
    "WorkBudget",
    "check",
    "check_exclusion",
    "check_mapping",
    "check_settings",
    "check_subscription",
    "check_without_destination",
    "choose",
    "current_subscription_of",
    "difference",
    "filter_issues",
    "find_event",
    "model_from_sample",
    "model_from_schema",
    "model_from_spec",
    "nearest",
    "nearest_change",
    "page",
    "segment_matches",
    "setting_problems",
    "suggestion",
    "validate",
]

if not TYPE_CHECKING:
    __getattr__ = lazy_exports(__name__, _EXPORTS)
