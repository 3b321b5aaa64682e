"""The tester checks and delivers older mappings in their new form, and says so in its problems."""

from __future__ import annotations

from typing import Any

import pytest

from framework import (
    Action,
    Destination,
    Field,
    Migration,
    RenameAction,
    RenameField,
    Subscription,
    hookimpl,
    open_plugin,
)
from framework.definition import subscription_to_wire
from framework.delivery import Redactor
from framework.tester.forms import definition_to_json
from framework.tester.live_checks import diagnostics
from framework.tester.workspace import Chosen


class Press:
    """A destination whose action was called `press`."""

    @hookimpl
    def destination(self) -> Destination:
        action = Action(
            slug="print",
            title="Print",
            trigger='type = "track"',
            payload={"text": Field("Text", required=True)},
            migrations=[Migration(4, [RenameField("words", "text"), RenameAction("press")])],
        )
        return Destination(slug="press", name="Press", actions=[action])

    @hookimpl
    def perform(self, payload: Any) -> None:
        """Print nothing."""


def problems(*subscriptions: Subscription) -> list[tuple[Any, Any, Any]]:
    chosen = Chosen(open_plugin(Press()), {}, subscriptions, Redactor([]))
    found = diagnostics(chosen)
    return [(one["pointer"], one["severity"], one["code"]) for one in found]


def test_an_older_mapping_has_one_problem() -> None:
    old = Subscription(action="press", mapping={"words": "hello"})
    assert problems(old) == [("/subscriptions/0/mapping/words", "warning", "AD405")]
    current = Subscription(action="print", mapping={"text": "hello"})
    later = Subscription(action="print", mapping={"text": "hello"}, mapping_version=5, name="2")
    assert problems(current, later) == [("/subscriptions/1/mappingVersion", "error", "AD406")]


@pytest.mark.parametrize("version", [None, 4])
def test_the_page_keeps_the_mark(version: int | None) -> None:
    one = Subscription(action="print", mapping_version=version)
    assert subscription_to_wire(one).get("mappingVersion") == version
    told: Any = definition_to_json(open_plugin(Press()))
    assert told["actions"][0]["mappingVersion"] == 4
