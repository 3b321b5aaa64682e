"""Checks of destination filters: their conditions, and the fields that they name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from framework.config import DiagnosticList, FilterItem
from framework.definition import ALL_EVENTS, FilterAction, filter_paths
from framework.linting.event_models import EventModel
from framework.linting.issues import Issue, incomplete_check
from framework.linting.trigger_rules import CheckedTrigger, check_trigger
from framework.linting.type_scopes import TypeScope, check_path
from framework.linting.work_budget import BudgetExhausted, WorkBudget

_OF_SUBSCRIPTIONS: Final = frozenset({"AD416", "AD419"})
"""Findings about triggers that mean nothing for a filter."""


def check_filters(items: Sequence[FilterItem], model: EventModel, findings: DiagnosticList) -> None:
    """Check the filters of a connection file and add the problems to *findings*."""
    budget = WorkBudget()
    for item in items:
        checked = CheckedTrigger(None, model, ())
        if item.filter.condition.strip() != ALL_EVENTS:
            checked = check_trigger(item.filter.condition, model, budget)
        for issue in map(_of_condition, checked.issues):
            _report(issue, item, findings)
        for index, action in enumerate(item.filter.actions):
            _check_fields(action, ("actions", index), item, checked.model, budget, findings)


def _of_condition(issue: Issue) -> Issue:
    """Return an issue of a trigger as one of a condition; only a syntax error is an error."""
    severe = issue.severity == "error" and issue.code != "AD411"
    text = issue.message.replace("The trigger", "The condition").replace("trigger", "condition")
    return replace(issue, message=text, severity="warning" if severe else issue.severity)


def _report(issue: Issue, item: FilterItem, findings: DiagnosticList) -> None:
    if issue.code in _OF_SUBSCRIPTIONS:
        return
    spot = findings.within(item.spot("if"), item.filter.condition, issue.offset, issue.length)
    add = findings.error if issue.severity == "error" else findings.warning
    add(issue.code, spot, issue.message, issue.hint)


def _check_fields(  # noqa: PLR0913, PLR0917 - where, what, and by which model
    action: FilterAction,
    place: tuple[str | int, ...],
    item: FilterItem,
    model: EventModel,
    budget: WorkBudget,
    findings: DiagnosticList,
) -> None:
    for path, name in _dotted(action):
        inside = f"{path}.{name}".strip(".")
        outer, _, last = inside.rpartition(".")
        text = f"`{name}` means one key with that name, not a path."
        hint = f"For the field `{inside}`, write `{outer}: [{last}]`."
        findings.warning("AD210", item.spot(*place, "fields", path), text, hint)
    try:
        for inner, found in filter_paths(action):
            noted: dict[Issue, None] = {}
            check_path(found, (), TypeScope(model.whole, noted, budget, model))
            for issue in noted:
                spot = item.spot(*place, *inner)
                findings.warning("AD210", spot, issue.message, issue.hint)
    except BudgetExhausted:
        issue = incomplete_check("mapping")
        text = issue.message.replace("mapping", "filter")
        findings.warning(issue.code, item.spot(*place), text, issue.hint)


def _dotted(action: FilterAction) -> Iterator[tuple[str, str]]:
    """Yield names that contain a dot, with the path of their object."""
    for path, names in action.fields.items():
        yield from ((path, name) for name in names if "." in name.strip("."))
