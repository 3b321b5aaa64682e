"""Checks of destination filters: their conditions, and the fields that they name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from framework.config import DiagnosticList, FilterItem
from framework.definition import (
    ALL_EVENTS,
    DestinationFilter,
    FilterAction,
    as_condition,
    filter_paths,
)
from framework.linting.event_models import EventModel
from framework.linting.issues import Issue, incomplete_check
from framework.linting.trigger_rules import CheckedTrigger, check_trigger
from framework.linting.type_scopes import TypeScope, check_path
from framework.linting.work_budget import BudgetExhausted, WorkBudget

FilterPlace: TypeAlias = tuple[str | int, ...]
"""Keys and indexes inside of a filter."""

_OF_SUBSCRIPTIONS: Final = frozenset({"AD416", "AD419"})
"""Findings about triggers that mean nothing for a filter."""
_CONDITION: Final[FilterPlace] = ("if",)


def check_filters(items: Sequence[FilterItem], model: EventModel, findings: DiagnosticList) -> None:
    """Check the filters of a connection file and add the problems to *findings*."""
    budget = WorkBudget()
    for item in items:
        for place, issue in filter_issues(item.filter, model, budget):
            spot = item.spot(*place)
            if place == _CONDITION:
                spot = findings.within(spot, item.filter.condition, issue.offset, issue.length)
            add = findings.error if issue.severity == "error" else findings.warning
            add(issue.code, spot, issue.message, issue.hint)


def filter_issues(
    checked: DestinationFilter, model: EventModel, budget: WorkBudget | None = None
) -> Iterator[tuple[FilterPlace, Issue]]:
    """Yield the problems of a filter, each with its place; without a *budget* it has one alone."""
    budget = budget or WorkBudget()
    condition = CheckedTrigger(None, model, ())
    if checked.condition.strip() != ALL_EVENTS:
        condition = check_trigger(checked.condition, model, budget)
    for issue in condition.issues:
        if issue.code not in _OF_SUBSCRIPTIONS:
            yield _CONDITION, _of_condition(issue)
    for index, action in enumerate(checked.actions):
        for place, issue in _field_issues(action, condition.model, budget):
            yield ("actions", index, *place), issue


def _of_condition(issue: Issue) -> Issue:
    """Return an issue of a trigger as one of a condition; only a syntax error is an error."""
    severe = issue.severity == "error" and issue.code != "AD411"
    text = as_condition(issue.message).replace("The trigger", "The condition")
    text = text.replace("trigger", "condition")
    return replace(issue, message=text, severity="warning" if severe else issue.severity)


def _field_issues(
    action: FilterAction, model: EventModel, budget: WorkBudget
) -> Iterator[tuple[FilterPlace, Issue]]:
    for path, name in _dotted(action):
        inside = f"{path}.{name}".strip(".")
        outer, _, last = inside.rpartition(".")
        text = f"`{name}` means one key with that name, not a path."
        hint = f"For the field `{inside}`, write `{outer}: [{last}]`."
        yield ("fields", path), Issue("AD210", "warning", "mapping", text, hint)
    try:
        for inner, found in filter_paths(action):
            noted: dict[Issue, None] = {}
            check_path(found, (), TypeScope(model.whole, noted, budget, model), str)
            for issue in noted:
                yield inner, replace(issue, code="AD210", severity="warning")
    except BudgetExhausted:
        issue = incomplete_check("mapping")
        yield (), replace(issue, message=issue.message.replace("mapping", "filter"))


def _dotted(action: FilterAction) -> Iterator[tuple[str, str]]:
    """Yield names that contain a dot, with the path of their object."""
    for path, names in action.fields.items():
        yield from ((path, name) for name in names if "." in name.strip("."))
