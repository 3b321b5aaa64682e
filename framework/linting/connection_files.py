"""Everything that can be wrong in a connection file, told in its place.

What the words of the file mean for a destination is checked by `framework.definition`; here it is
put where it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from framework.config import (
    ConnectionFile,
    DiagnosticList,
    DocumentNode,
    Reading,
    Severity,
    Spot,
    SubscriptionItem,
)
from framework.definition import Destination, meant
from framework.errors import TriggerError, UnknownNameError
from framework.linting.event_models import EventModel
from framework.linting.issues import Issue, suggestion
from framework.linting.setting_checks import setting_problems
from framework.linting.subscription_checks import check_exclusion, check_subscription
from framework.linting.work_budget import WorkBudget
from framework.triggers import parse

_REFERENCE: Final = "${"
_SETTING_CODES: Final = {"required": "AD311"}


def choose(reading: Reading, known: Mapping[str, Destination]) -> Destination | None:
    """Give the destination that a file names, of those that are known; note where it is none."""
    draft = reading.draft
    if draft is None or not draft.destination:
        return None
    found = meant(draft.destination, known)
    if found is None:
        error = UnknownNameError.of("destination", draft.destination, known)
        reading.findings.error("AD401", draft.node.at("destination").spot, str(error))
    return known[found] if found else None


def validate(reading: Reading, destination: Destination, world: EventModel) -> None:
    """Check a connection against its destination; the reading's findings take what is found.

    What could not be read is passed over, so that all problems of a file are told at once.
    """
    if reading.draft is not None:
        check_settings(reading.draft, destination, reading.findings)
        _check_subscriptions(reading.draft, destination, world, reading.findings)


def check_settings(
    file: ConnectionFile, destination: Destination, findings: DiagnosticList
) -> None:
    """Check the settings: what is missing, wrong, unknown, or a secret that anybody can read."""
    node = file.node.members.get("settings")
    table = destination.settings_fields
    if node is not None and not isinstance(node.value, dict | None):
        return
    inside, refused = node or DocumentNode(file.node.spot, {}, {}), findings.refused
    for key, member in inside.members.items():
        if key in table and table[key].secret:
            findings.cover(member.spot.line)
    for problem, text in setting_problems(table, file.settings):
        place = inside.at(*problem.path)
        spot = place.spot if place is not inside or node is None else _after(file, node)
        if (spot.line, spot.column) not in refused:
            findings.error(_SETTING_CODES.get(problem.code, "AD312"), spot, text)
    for key, member in inside.members.items():
        if key not in table:
            text = f"Destination `{destination.slug}` has no setting `{key}`."
            hint = suggestion(key, table, "settings")
            findings.warning("AD313", inside.key(key), text, hint)
        elif table[key].secret and _is_readable(member):
            text = f"Setting `{key}` is a secret that anybody who has the file can read."
            hint = f"Write `{key}: ${{env:{key.upper()}}}` and set the variable."
            findings.warning("AD305", member.spot, text, hint)


def _after(file: ConnectionFile, node: DocumentNode) -> Spot:
    """Give the spot of the key `settings`, where something in it is missing."""
    return file.node.key("settings") if node.value is not None else node.spot


def _is_readable(node: DocumentNode) -> bool:
    value = node.value
    return isinstance(value, str) and bool(value) and _REFERENCE not in value


def _check_subscriptions(
    file: ConnectionFile, destination: Destination, world: EventModel, findings: DiagnosticList
) -> None:
    known = {action.slug for action in destination.actions}
    usable: dict[int, str] = {}
    effort = WorkBudget()
    for index, item in enumerate(file.items):
        subscription = item.subscription
        if subscription.action in known:
            checked = check_subscription(destination, subscription, world, effort)
            for fault in checked.faults:
                _tell(fault, item, findings, effort)
            if subscription.enabled:
                usable |= _readable(index, item, destination, effort)
        elif subscription.action:
            text = f"Destination `{destination.slug}` has no action `{subscription.action}`."
            hint = suggestion(subscription.action, known, "actions")
            findings.error("AD402", item.spot("action"), text, hint)
    subscriptions = file.subscriptions
    for index, fault in check_exclusion(destination, subscriptions, usable, effort):
        _tell(fault, file.items[index], findings, effort)


def _readable(
    index: int, item: SubscriptionItem, destination: Destination, effort: WorkBudget
) -> dict[int, str]:
    """Give the text of a subscription's trigger by its index, where there is one that parses."""
    given = item.subscription.trigger
    text = given if given is not None else destination.action(item.subscription.action).trigger
    if not effort.affords(len(text or "")):
        return {}
    try:
        parse(text or "")
    except TriggerError:
        return {}
    return {index: text or ""}


def _tell(
    fault: Issue, item: SubscriptionItem, findings: DiagnosticList, effort: WorkBudget
) -> None:
    spot = _spot(fault, item, findings, effort)
    add: Mapping[Severity, Callable[..., None]] = {
        "error": findings.error,
        "warning": findings.warning,
        "hint": findings.hint,
    }
    add[fault.severity](fault.code, spot, fault.message, fault.hint)


def _spot(
    fault: Issue, item: SubscriptionItem, findings: DiagnosticList, effort: WorkBudget
) -> Spot:
    if fault.part == "trigger":
        spot = item.spot("trigger")
        text = item.subscription.trigger or ""
        known = bool(text) and effort.affords(2 * fault.offset + fault.length)
        return findings.within(spot, text, fault.offset, fault.length) if known else spot
    if fault.part == "action" or "mapping" not in item.parts:
        return item.spot("action")
    node = item.parts["mapping"]
    if fault.on_key:
        return node.at(*fault.place[:-1]).key(fault.place[-1])
    return _innermost(node, fault.place)


def _innermost(node: DocumentNode, place: tuple[str, ...]) -> Spot:
    """Give where a place of a mapping stands; for what is inside of objects, their keys' lines."""
    spot = node.key(place[0]) if place else node.spot
    for part in place:
        inner = node.at(part)
        if inner is node:
            break
        spot = node.key(part) if isinstance(inner.value, dict | list) else inner.spot
        node = inner
    return spot
