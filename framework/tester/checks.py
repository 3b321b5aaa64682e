"""What is wrong with a connection, each finding with the place where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from framework.definition import Action, shape_settings
from framework.errors import FrameworkError, SettingsError, TriggerError
from framework.mapping import ROOT_DIRECTIVE, mapping_faults
from framework.paths import JSON
from framework.tester.workspace import Chosen
from framework.triggers import parse

_INTERNAL = "__segment_internal_"


def diagnostics(chosen: Chosen, raw: Mapping[str, Any]) -> Iterator[dict[str, JSON]]:
    """Yield every finding: settings first, then subscription by subscription."""
    yield from _settings(chosen)
    known = {action.slug: action for action in chosen.plugin.definition.actions}
    names: set[str] = set()
    for number, subscription in enumerate(raw.get("subscriptions", ())):
        place = f"/subscriptions/{number}"
        name = subscription.get("name") or subscription["partnerAction"]
        if name in names:
            text = f"Another subscription is called `{name}` already."
            yield _finding(f"{place}/name", text, "warning")
        names.add(name)
        action = known.get(subscription["partnerAction"])
        if action is None:
            text = f"There is no such action. Known actions: {', '.join(known)}."
            yield _finding(f"{place}/partnerAction", text)
        else:
            yield from _subscription(place, subscription, action)


def _settings(chosen: Chosen) -> Iterator[dict[str, JSON]]:
    try:
        shape_settings(chosen.plugin.definition.settings, chosen.settings)
    except SettingsError as error:
        fields = chosen.plugin.definition.settings_fields
        for problem in error.problems:
            key = next((key for key in fields if f"`{key}`" in problem), "")
            yield _finding(f"/settings/{key}".rstrip("/"), chosen.redactor.hide(problem))


def _subscription(
    place: str, subscription: Mapping[str, Any], action: Action
) -> Iterator[dict[str, JSON]]:
    yield from _trigger(f"{place}/subscribe", subscription.get("subscribe"), action)
    mapping = subscription.get("mapping") or {}
    for key, expression in mapping.items():
        at = f"{place}/mapping/{key}"
        internal = key.startswith(_INTERNAL) or key == ROOT_DIRECTIVE
        if key not in action.fields and not internal:
            text = f"`{action.slug}` has no such field. Known fields: {', '.join(action.fields)}."
            yield _finding(at, text, "warning")
        if not internal:
            yield from (_finding(at, text) for text in mapping_faults({key: expression}))


def _trigger(place: str, text: str | None, action: Action) -> Iterator[dict[str, JSON]]:
    chosen = text or action.trigger
    if chosen is None:
        yield _finding(place, f"`{action.slug}` has no default trigger; one is needed.")
        return
    try:
        remarks = parse(chosen).remarks
    except TriggerError as error:
        yield {**_finding(place, str(error)), **caret(error)}
        return
    yield from (_finding(place, remark, "warning") for remark in remarks)


def caret(error: FrameworkError) -> dict[str, JSON]:
    """Give the place that the caret of a trigger's error points at, as `offset`, if it has one."""
    lines = str(error).splitlines()
    pointed = [line for line in lines if line.strip() == "^"]
    return {"offset": max(pointed[-1].index("^") - 2, 0)} if pointed else {}


def _finding(pointer: str, message: str, severity: str = "error") -> dict[str, JSON]:
    return {"pointer": pointer, "severity": severity, "message": message}
