"""Checks of connection files, with the position of every finding in the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from framework.config import (
    ConnectionFile,
    Diagnostic,
    DiagnosticList,
    DocumentNode,
    Reading,
    Severity,
    Spot,
    SubscriptionItem,
)
from framework.definition import Conflict, Destination, Field, Subscription, resolve_slug
from framework.errors import TriggerError, UnknownNameError
from framework.linting.current_mappings import current_subscription_of
from framework.linting.event_models import EventModel
from framework.linting.issues import Issue, SubscriptionPart, suggestion
from framework.linting.setting_checks import SETTING_CODES, setting_problems
from framework.linting.subscription_checks import (
    check_directives,
    check_exclusion,
    check_subscription,
)
from framework.linting.trigger_rules import check_trigger
from framework.linting.work_budget import WorkBudget
from framework.paths import JSON
from framework.triggers import parse

_REFERENCE: Final = "${"
_SHELL_VARIABLE: Final = re.compile(r"\$[A-Z_][A-Z0-9_]*\Z")
_ANY_EVENT: Final = 'type != "none"'


def check(
    reading: Reading,
    known: Mapping[str, Destination],
    model: EventModel,
    unknown: UnknownNameError | None = None,
) -> tuple[Diagnostic, ...]:
    """Check a connection against the destination that it names; return all findings.

    *unknown* is as for `choose`.
    """
    destination = choose(reading, known, unknown)
    if destination is not None:
        validate(reading, destination, model)
    else:
        check_without_destination(reading, model)
    return reading.diagnostics


def choose(
    reading: Reading,
    known: Mapping[str, Destination],
    unknown: UnknownNameError | None = None,
) -> Destination | None:
    """Return the destination that a file names; add a finding if it is not among *known*.

    *unknown* is why it is not, for one that is installed and was left out.
    """
    draft = reading.draft
    if draft is None or not draft.destination:
        return None
    found = resolve_slug(draft.destination, known)
    if found is None:
        error = unknown or UnknownNameError.of("destination", draft.destination, known)
        reading.findings.error("AD401", draft.node.at("destination").spot, str(error))
    return known[found] if found else None


def check_without_destination(reading: Reading, model: EventModel) -> None:
    """Check what means the same for every destination: triggers and filters."""
    if reading.draft is None:
        return
    if reading.draft.filter_items:
        from framework.linting.filter_checks import check_filters  # noqa: PLC0415 - rarely used

        check_filters(reading.draft.filter_items, model, reading.findings)
    budget = WorkBudget()
    for item in reading.draft.items:
        for issue in _trigger_issues(item, model, budget):
            _report(_of(item, issue), item, reading.findings, budget)


def validate(reading: Reading, destination: Destination, model: EventModel) -> None:
    """Check a connection against its destination and add the problems to the reading's findings.

    Every command that uses a connection file refuses it if there are errors. Parts that cannot be
    read are skipped, so that all problems of a file are reported together.
    """
    if reading.draft is not None:
        check_settings(reading.draft, destination, reading.findings)
        if reading.draft.audiences:
            from framework.linting.audience_settings import check_audiences  # noqa: PLC0415 - rare

            check_audiences(reading.draft, destination, reading.findings)
        if reading.draft.filter_items:
            from framework.linting.filter_checks import check_filters  # noqa: PLC0415 - rarely used

            check_filters(reading.draft.filter_items, model, reading.findings)
        _check_subscriptions(reading.draft, destination, model, reading.findings)


def check_settings(
    file: ConnectionFile, destination: Destination, findings: DiagnosticList
) -> None:
    """Check the settings: missing, invalid and unknown ones, and secrets in plain text."""
    node = file.node.members.get("settings")
    table = destination.settings_fields
    if node is not None and not isinstance(node.value, dict | None):
        return
    inside, refused = node or DocumentNode(file.node.spot, {}, {}), findings.refused
    settings_spot = file.node.key("settings") if node and node.value is not None else inside.spot
    secrets = [
        found
        for key, member in inside.members.items()
        if key in table
        for found in _secrets(table[key], key, member)
    ]
    for _, part in secrets:
        findings.cover(part.spot.line)
    rules = () if refused else destination.settings_rules
    for problem, text in setting_problems(table, file.settings, rules):
        place = inside.at(*problem.path)
        spot = settings_spot if place is inside else place.spot
        if (spot.line, spot.column) not in refused:
            hint = _misplaced(str(problem.path[0]), file.node) if problem.path else ""
            findings.error(SETTING_CODES.get(problem.code, "AD312"), spot, text, hint)
    for key in inside.members:
        if key not in table:
            text = f"Destination `{destination.slug}` has no setting `{key}`."
            hint = suggestion(key, table, "settings")
            findings.warning("AD313", inside.key(key), text, hint)
    for path, part in secrets:
        if _is_plain_text(part.value):
            findings.warning("AD305", part.spot, *_in_plain_text(path, str(part.value)))


def _misplaced(key: str, root: DocumentNode) -> str:
    """Return what to do if a setting is written next to `settings`."""
    if key not in root.members:
        return ""
    return f"Move `{key}` from line {root.key(key).line} below `settings`."


def _secrets(field: Field, path: str, node: DocumentNode) -> Iterator[tuple[str, DocumentNode]]:
    """Yield the values that are secrets, with their paths: also those of objects and lists."""
    if isinstance(node.value, list):
        for index, item in enumerate(node.value):
            yield from _secrets(field, f"{path}[{index}]", item)
    elif isinstance(node.value, dict):
        for key, member in node.members.items():
            inner = field if field.secret else (field.properties or {}).get(key)
            if inner is not None:
                yield from _secrets(inner, f"{path}.{key}", member)
    elif field.secret:
        yield path, node


def _in_plain_text(path: str, value: str) -> tuple[str, str]:
    """Return the message and the hint about a secret in plain text."""
    key = path.rpartition(".")[2].partition("[")[0]
    variable = re.sub(r"[^A-Z0-9]", "_", key.upper())
    if _SHELL_VARIABLE.match(value):  # which may be a password all the same
        text = f"Setting `{path}` is the text as it is written: `$NAME` is not replaced."
        return text, f"Write `{key}: ${{env:NAME}}` for the variable NAME."
    text = f"Setting `{path}` is a secret in plain text: anyone with the file can read it."
    return text, f"Write `{key}: ${{env:{variable}}}` and set the variable."


def _is_plain_text(value: JSON) -> bool:
    return isinstance(value, str) and bool(value) and _REFERENCE not in value


def _check_subscriptions(
    file: ConnectionFile, destination: Destination, model: EventModel, findings: DiagnosticList
) -> None:
    triggers: dict[int, str] = {}
    budget = WorkBudget()
    items = tuple(_current(item, destination, findings, budget) for item in file.items)
    file = replace(file, items=items)
    for index, item in enumerate(file.items):
        for issue in _subscription_issues(item, destination, model, budget):
            _report(issue, item, findings, budget)
        has_trigger = item.subscription.enabled and "trigger" not in item.refused
        if has_trigger and item.subscription.action in _slugs(destination):
            triggers |= _parsed_trigger(index, item, destination, budget)
    subscriptions = file.subscriptions
    for index, issue in check_exclusion(destination, subscriptions, triggers, budget):
        _report(issue, file.items[index], findings, budget)
    if destination.conflicts:
        for conflict in destination.conflicts(subscriptions):
            _report(_issue(conflict, subscriptions), file.items[conflict.index], findings, budget)


def _current(
    item: SubscriptionItem, destination: Destination, findings: DiagnosticList, budget: WorkBudget
) -> SubscriptionItem:
    """Return the subscription with its action's migrations applied, and report what changed."""
    current = current_subscription_of(destination, item.subscription)
    for issue in current.issues:
        _report(_of(item, issue), item, findings, budget)
    return replace(item, subscription=current.subscription)


def _of(item: SubscriptionItem, issue: Issue) -> Issue:
    """Return an issue of a subscription.

    Errors of a disabled one are warnings: they keep nothing from being delivered.
    """
    disabled = issue.severity == "error" and not item.subscription.enabled
    return replace(issue, severity="warning") if disabled else issue


def _issue(conflict: Conflict, subscriptions: Sequence[Subscription]) -> Issue:
    """Return a conflict as an issue, about its field if the mapping has it."""
    found = conflict.field in subscriptions[conflict.index].mapping
    part: SubscriptionPart = "mapping" if found else "action"
    place = (conflict.field,) if found else ()
    return Issue("AD404", "error", part, conflict.message, conflict.hint, place)


def _slugs(destination: Destination) -> frozenset[str]:
    return frozenset(action.slug for action in destination.actions)


def _subscription_issues(
    item: SubscriptionItem, destination: Destination, model: EventModel, budget: WorkBudget
) -> Iterator[Issue]:
    """Yield the issues of a subscription; those of parts of the wrong kind are found already."""
    for issue in _found_issues(item, destination, model, budget):
        yield _of(item, issue)


def _found_issues(
    item: SubscriptionItem, destination: Destination, model: EventModel, budget: WorkBudget
) -> Iterator[Issue]:
    subscription, known = item.subscription, _slugs(destination)
    if subscription.action not in known:
        if subscription.action:
            text = f"Destination `{destination.slug}` has no action `{subscription.action}`."
            hint = suggestion(subscription.action, known, "actions")
            yield Issue("AD402", "error", "action", text, hint)
        yield from _trigger_issues(item, model, budget)
        if "mapping" not in item.refused:
            yield from check_directives(subscription.mapping, model, budget)
        return
    if "trigger" in item.refused:
        subscription = replace(subscription, trigger=_ANY_EVENT)
    for issue in check_subscription(destination, subscription, model, budget).issues:
        if issue.part == "trigger":
            shown = "trigger" not in item.refused
        else:
            shown = "mapping" not in item.refused or issue.code == "AD403"
        if shown:
            yield issue


def _trigger_issues(
    item: SubscriptionItem, model: EventModel, budget: WorkBudget
) -> tuple[Issue, ...]:
    """Return the issues of a trigger on its own, without an action's default."""
    text = item.subscription.trigger
    if text is None or "trigger" in item.refused:
        return ()
    return check_trigger(text, model, budget).issues


def _parsed_trigger(
    index: int, item: SubscriptionItem, destination: Destination, budget: WorkBudget
) -> dict[int, str]:
    """Return the text of a subscription's trigger by its index, if it parses; else nothing."""
    given = item.subscription.trigger
    text = given if given is not None else destination.action(item.subscription.action).trigger
    if not budget.affords(len(text or "")):
        return {}
    try:
        parse(text or "")
    except TriggerError:
        return {}
    return {index: text or ""}


def _report(
    issue: Issue, item: SubscriptionItem, findings: DiagnosticList, budget: WorkBudget
) -> None:
    spot = _spot(issue, item, findings, budget)
    add: Mapping[Severity, Callable[..., None]] = {
        "error": findings.error,
        "warning": findings.warning,
        "hint": findings.hint,
    }
    add[issue.severity](issue.code, spot, issue.message, issue.hint)


def _spot(
    issue: Issue, item: SubscriptionItem, findings: DiagnosticList, budget: WorkBudget
) -> Spot:
    if issue.part == "trigger":
        spot = item.spot("trigger")
        text = item.subscription.trigger or ""
        known = bool(text) and budget.affords(2 * issue.offset + issue.length)
        return findings.within(spot, text, issue.offset, issue.length) if known else spot
    if issue.part == "mapping_version":
        return item.spot("mapping_version")
    if issue.code == "AD403" and "trigger" in item.parts:
        return item.spot("trigger")
    if issue.part == "action" or "mapping" not in item.parts:
        return item.spot("action")
    node = item.parts["mapping"]
    if issue.on_key:
        return node.at(*issue.place[:-1]).key(issue.place[-1])
    return _innermost(node, issue.place)


def _innermost(node: DocumentNode, place: tuple[str, ...]) -> Spot:
    """Return the spot of a place in a mapping; inside an object, that of its key."""
    spot = node.key(place[0]) if place else node.spot
    for part in place:
        inner = node.at(part)
        if inner is node:
            break
        spot = node.key(part) if isinstance(inner.value, dict | list) else inner.spot
        node = inner
    return spot
