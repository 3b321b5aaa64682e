"""The webhook's own tests, written with nothing but what the framework gives every author."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from framework import Delivered, Failed
from framework.samples import generate_event, make_event
from framework.testing import Harness, Replay, Snapshots, requests_of

HERE = Path(__file__).parent
SETTINGS = {"url": "https://hooks.example/in"}


def answer(request: httpx.Request) -> httpx.Response:
    """Take every message but one."""
    return httpx.Response(410 if b'"gone"' in request.content else 204)


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.delitem(sys.modules, "acme_webhook", raising=False)
    import acme_webhook  # noqa: PLC0415 - only now it can be found

    with Harness(acme_webhook, SETTINGS, transport=httpx.MockTransport(answer)) as harness:
        yield harness


def test_a_message_is_posted(harness: Harness) -> None:
    """The event's name is the text, unless the mapping says otherwise."""
    ran = harness.run_action("postMessage", make_event(event="Signed Up"), defaults=True)
    assert ran.result == Delivered(204)
    assert requests_of(ran) == [
        {
            "method": "POST",
            "url": "https://hooks.example/in",
            "headers": {"content-type": "application/json"},
            "body": {"text": "Signed Up"},
        }
    ]


def test_every_event_has_its_own_result(harness: Harness) -> None:
    events = [make_event(event=name) for name in ("Signed Up", "gone", "")]
    told = harness.run_batch("postMessage", events, defaults=True)
    assert [type(one) for one in told.results] == [Delivered, Failed, Failed]
    assert [one.status for one in told.results if isinstance(one, Failed)] == [410, 400]


@pytest.mark.parametrize("which", ["all", "required"])
def test_requests_are_as_they_were(harness: Harness, which: str) -> None:
    """Of all fields and of the required ones, for generated events."""
    (action,) = harness.plugin.definition.actions
    event = generate_event(action, 7, "all" if which == "all" else "required")
    ran = harness.run_action("postMessage", event, defaults=True)
    Snapshots(HERE / "snapshots", f"post-message-{which}").check(requests_of(ran))


def test_a_recorded_partner_is_played_again(harness: Harness) -> None:
    """Its answers were recorded once; every request must be on record."""
    replay = Replay(HERE / "cassettes" / "post-message.json")
    with Harness(harness.plugin, SETTINGS, transport=replay) as replayed:
        ran = replayed.run_action("postMessage", make_event(event="Signed Up"), defaults=True)
    assert ran.exchanges[0].response_body == "taken"
    assert replay.left == []
