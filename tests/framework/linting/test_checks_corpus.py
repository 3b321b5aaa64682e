"""Real destinations: their own defaults are checked without a crash and without a false error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from framework.definition import Action, Destination, Subscription, compile_shape
from framework.definition.field_json import IN_ACTIONS, read_table
from framework.definition.json_io import JsonPointer
from framework.errors import PayloadValidationError
from framework.linting import Checked, Issue, check_subscription, sample_world, spec_world
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
    """Give what was recorded; a run without a trigger takes every event."""
    trigger = run.get("subscribe", ANY_EVENT)
    return Subscription(
        action=case["action"], trigger=trigger, mapping=run["mapping"], name=run["name"]
    )


def errors(checked: Checked) -> list[Issue]:
    return [fault for fault in checked.faults if fault.severity == "error"]


@pytest.mark.parametrize("line", LINES, ids=lambda line: json.loads(line)["id"])
def test_an_error_is_proven_by_every_event(line: str) -> None:
    """What is called an error is one: no recorded event that matches gets through."""
    case = json.loads(line)
    for run in case["runs"]:
        target, chosen = destination(case), subscription(case, run)
        found = errors(check_subscription(target, chosen, spec_world()))
        assert {fault.code for fault in found} <= {"AD511"}, "a required field is left to users"
        if found:
            assert not any(accepted(target, chosen, event) for event in case["events"].values())


@pytest.mark.parametrize("line", LINES, ids=lambda line: json.loads(line)["id"])
def test_what_cannot_fail_with_a_sample_does_not(line: str) -> None:
    """With the recorded events for a sample nothing crashes either, and promises hold."""
    case = json.loads(line)
    events = list(case["events"].values())
    for run in case["runs"]:
        target, chosen = destination(case), subscription(case, run)
        checked = check_subscription(target, chosen, sample_world(events))
        if checked.cannot_fail:
            matching = [event for event in events if matches(chosen, event)]
            assert all(accepted(target, chosen, event) for event in matching)


def matches(chosen: Subscription, event: dict[str, Any]) -> bool:
    return parse(chosen.trigger or "").matches(event)


def accepted(target: Destination, chosen: Subscription, event: dict[str, Any]) -> bool:
    """Tell whether an event matches and gets through mapping and shape."""
    try:
        raw = compile_mapping(dict(chosen.mapping)).resolve(event)
        compile_shape(target.action(chosen.action).fields).apply(raw)
    except PayloadValidationError:
        return False
    return matches(chosen, event)
