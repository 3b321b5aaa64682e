"""Connections and harnesses migrate what was saved for older versions, and say so once."""

from __future__ import annotations

import logging
from typing import Any

import httpx
import pytest

from framework import (
    Action,
    ConfigurationError,
    Destination,
    Migration,
    Payload,
    RenameAction,
    RenameField,
    Subscription,
    connect,
    field,
    hookimpl,
    open_plugin,
)
from framework.samples import make_event
from framework.testing import Harness


class Line(Payload):
    """One line."""

    text: str = field("Text", mapping={"@path": "$.event"})


class Press:
    """A destination whose field `text` was called `words`, and whose action `press`."""

    @hookimpl
    def destination(self) -> Destination:
        migrations = [
            Migration(1, [RenameField("words", "text")]),
            Migration(2, [RenameAction("press")]),
        ]
        action = Action(
            slug="print",
            title="Print",
            trigger='type = "track"',
            payload=Line,
            migrations=migrations,
        )
        return Destination(slug="press", name="Press", actions=[action])

    @hookimpl
    def perform(self, client: httpx.Client, payload: Line) -> httpx.Response:
        return client.post("https://press.example", json={"text": payload.text})


OLD = Subscription(action="press", mapping={"words": {"@path": "$.userId"}}, name="Mine")


def sent(request: httpx.Request) -> httpx.Response:
    SENT.append(request.content)
    return httpx.Response(200)


SENT: list[bytes] = []


def test_a_connection_delivers_by_the_new_form(caplog: pytest.LogCaptureFixture) -> None:
    """It says so when it is opened, and not for each event."""
    SENT.clear()
    caplog.set_level(logging.WARNING)
    with connect(open_plugin(Press()), {}, [OLD], transport=httpx.MockTransport(sent)) as it:
        report = it.deliver([{"type": "track", "userId": str(number)} for number in range(3)])
        (subscription,) = it.subscriptions
    assert [type(one).__name__ for one in report.results] == ["Delivered"] * 3
    assert SENT == [b'{"text":"0"}', b'{"text":"1"}', b'{"text":"2"}']
    assert subscription.subscription == Subscription(
        action="print", mapping={"text": {"@path": "$.userId"}}, name="Mine", mapping_version=2
    )
    assert [record.getMessage() for record in caplog.records] == [
        (
            "Subscription `Mine` is migrated: `words` is called `text` now. The action `press` is "
            "called `print` now."
        )
    ]


def test_a_current_subscription_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    for version in (None, 2):
        one = Subscription(action="print", mapping={"text": "x"}, mapping_version=version)
        with connect(open_plugin(Press()), {}, [one]) as it:
            assert it.subscriptions[0].subscription.mapping == {"text": "x"}
    assert caplog.records == []


def test_a_later_version_is_refused() -> None:
    one = Subscription(action="print", mapping_version=3, name="Mine")
    with pytest.raises(ConfigurationError, match="Subscription 1 `Mine`: The mapping has version"):
        connect(open_plugin(Press()), {}, [one])


def test_a_harness_shows_what_becomes_of_a_saved_subscription() -> None:
    with Harness(Press(), transport=httpx.MockTransport(sent)) as harness:
        migrated = harness.migrate(OLD)
        assert migrated.subscription.mapping == {"text": {"@path": "$.userId"}}
        assert len(migrated.notes) == 2
        assert harness.connect([OLD]).deliver([make_event()]).results != []
        ran: Any = harness.run_action("print", make_event(), mapping={"text": "x"})
        assert ran.payloads == ({"text": "x"},)
