"""The problems of a connection, each with a JSON pointer.

The findings are those of `actions validate`; this module adds their positions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from framework.definition import Destination, read_filter
from framework.errors import FrameworkError, TriggerError
from framework.linting import (
    Issue,
    check_exclusion,
    check_subscription,
    current_subscription_of,
    filter_issues,
    model_from_spec,
    setting_problems,
    suggestion,
)
from framework.paths import JSON
from framework.tester.workspace import Chosen
from framework.triggers import parse

_PARTS: Mapping[str, str] = {
    "action": "partnerAction",
    "trigger": "subscribe",
    "mapping": "mapping",
    "mapping_version": "mappingVersion",
}


def diagnostics(chosen: Chosen) -> Iterator[dict[str, JSON]]:
    """Yield every finding: settings first, then subscription by subscription."""
    definition = chosen.plugin.definition
    rules = definition.settings_rules
    for problem, text in setting_problems(definition.settings_fields, chosen.settings, rules):
        yield _finding(("settings", *problem.path), chosen.redactor.hide(text))
    known = [action.slug for action in definition.actions]
    readable: dict[int, str] = {}
    current = [current_subscription_of(definition, one) for one in chosen.subscriptions]
    for number, one in enumerate(current):
        for fault in one.issues:
            yield _told(number, fault)
    chosen = replace(chosen, subscriptions=tuple(one.subscription for one in current))
    for number, subscription in enumerate(chosen.subscriptions):
        if subscription.action not in known:
            text = f"Destination `{definition.slug}` has no action `{subscription.action}`."
            hint = suggestion(subscription.action, known, "actions")
            yield _finding(("subscriptions", number, "partnerAction"), text, hint=hint)
            continue
        for fault in check_subscription(definition, subscription, model_from_spec()).issues:
            yield _told(number, fault)
        if subscription.enabled and (trigger := _readable(chosen, number)):
            readable[number] = trigger
    yield from _names(chosen)
    yield from _exclusions(definition, chosen, readable)


def filter_diagnostics(filters: Sequence[JSON]) -> Iterator[dict[str, JSON]]:
    """Yield every finding about destination filters, which may be of the wrong form."""
    for number, document in enumerate(filters):
        found, problems = read_filter(document, f"filters[{number}]")
        for one in problems:
            yield _finding(("filters", number, *one.place), one.message, hint=one.hint)
        for place, fault in filter_issues(found, model_from_spec()) if found else ():
            told = ("filters", number, *place)
            yield {
                **_finding(told, fault.message, fault.severity, fault.hint, fault.code),
                **({"offset": fault.offset} if place == ("if",) else {}),
            }


def _exclusions(
    definition: Destination, chosen: Chosen, readable: Mapping[int, str]
) -> Iterator[dict[str, JSON]]:
    for number, fault in check_exclusion(definition, chosen.subscriptions, readable):
        yield _told(number, fault)


def _names(chosen: Chosen) -> Iterator[dict[str, JSON]]:
    names: set[str] = set()
    for number, subscription in enumerate(chosen.subscriptions):
        name = subscription.name or subscription.action
        if name in names:
            text = f"Another subscription is already called `{name}`."
            yield _finding(("subscriptions", number, "name"), text, "warning")
        names.add(name)


def _readable(chosen: Chosen, number: int) -> str:
    """Return the text of a subscription's trigger, or nothing if it does not parse."""
    subscription = chosen.subscriptions[number]
    action = chosen.plugin.definition.action(subscription.action)
    text = subscription.trigger if subscription.trigger is not None else action.trigger
    try:
        parse(text or "")
    except TriggerError:
        return ""
    return text or ""


def caret(error: FrameworkError) -> dict[str, JSON]:
    """Return the position of the caret in a trigger's error as `offset`, if there is one."""
    pointed = [line for line in str(error).splitlines() if line.strip() == "^"]
    return {"offset": max(pointed[-1].index("^") - 2, 0)} if pointed else {}


def _told(number: int, fault: Issue) -> dict[str, JSON]:
    part = _PARTS.get(fault.part, fault.part)
    place: tuple[str | int, ...] = ("subscriptions", number, part, *fault.place)
    told = _finding(place, fault.message, fault.severity, fault.hint, fault.code)
    return {**told, "offset": fault.offset} if fault.part == "trigger" else told


def _finding(
    place: Sequence[str | int],
    message: str,
    severity: str = "error",
    hint: str = "",
    code: str = "",
) -> dict[str, JSON]:
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in place)
    return {
        "pointer": "".join(f"/{step}" for step in steps),
        "severity": severity,
        "message": message,
        "hint": hint,
        "code": code,
    }
