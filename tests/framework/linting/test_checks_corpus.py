"""Checks of the defaults of real destinations neither crash nor report false errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from framework.definition import Action, Destination, Subscription, compile_shape
from framework.definition.field_json import IN_ACTIONS, read_table
from framework.definition.json_io import JsonPointer
from framework.errors import PayloadValidationError
from framework.linting import (
    CheckResult,
    Issue,
    check_subscription,
    model_from_sample,
    model_from_spec,
)
from framework.mapping import compile_mapping
from framework.triggers import parse
from tests.conformance.runner import OUTSIDE

CORPUS, _ = OUTSIDE
LINES = CORPUS.read_text(encoding="utf-8").splitlines() if CORPUS.exists() else []
ANY_EVENT = 'type != "none"'

pytestmark = pytest.mark.skipif(not LINES, reason="no recorded destinations beside the checkout")


def destination(case: Mapping[str, Any]) -> Destination:
    table = read_table(case["fields"], JsonPointer("", [], []), IN_ACTIONS)
    action = Action(slug=case["action"], title=case["action"], payload=table)
    return Destination(slug=case["destination"], name="Recorded", actions=(action,))


def subscription(case: Mapping[str, Any], run: Mapping[str, Any]) -> Subscription:
    """Return the recorded subscription; a run without a trigger matches every event."""
    trigger = run.get("subscribe", ANY_EVENT)
    return Subscription(
        action=case["action"], trigger=trigger, mapping=run["mapping"], name=run["name"]
    )


def errors(checked: CheckResult) -> list[Issue]:
    return [issue for issue in checked.issues if issue.severity == "error"]


@pytest.mark.parametrize("line", LINES, ids=lambda line: json.loads(line)["id"])
def test_every_event_confirms_an_error(line: str) -> None:
    """No recorded event that matches passes if there is an error."""
    case = json.loads(line)
    for run in case["runs"]:
        target, chosen = destination(case), subscription(case, run)
        found = errors(check_subscription(target, chosen, model_from_spec()))
        assert {issue.code for issue in found} <= {"AD511"}, "a required field is left to users"
        if found:
            assert not any(accepted(target, chosen, event) for event in case["events"].values())


@pytest.mark.parametrize("line", LINES, ids=lambda line: json.loads(line)["id"])
def test_what_cannot_fail_with_a_sample_does_not(line: str) -> None:
    """With the recorded events as a sample, nothing crashes and guarantees are kept."""
    case = json.loads(line)
    events = list(case["events"].values())
    for run in case["runs"]:
        target, chosen = destination(case), subscription(case, run)
        checked = check_subscription(target, chosen, model_from_sample(events))
        if checked.cannot_fail:
            matching = [event for event in events if matches(chosen, event)]
            assert all(accepted(target, chosen, event) for event in matching)


def matches(chosen: Subscription, event: dict[str, Any]) -> bool:
    return parse(chosen.trigger or "").matches(event)


def accepted(target: Destination, chosen: Subscription, event: dict[str, Any]) -> bool:
    """Return whether an event matches and passes mapping and shape."""
    try:
        raw = compile_mapping(dict(chosen.mapping)).resolve(event)
        compile_shape(target.action(chosen.action).fields).apply(raw)
    except PayloadValidationError:
        return False
    return matches(chosen, event)
