"""The webhook with a ledger of memberships: what is not sent again, and what a 404 means."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from destinations import webhook
from destinations.webhook.receiver import WebhookReceiver
from framework import Delivered, Failed, Result, Skipped, Subscription
from framework.delivery import Connection, Ledger, connect
from framework.plugins import open_plugin
from framework.relay import SQLiteStore
from framework.samples import make_event
from framework.sandbox import Fault, SandboxTransport

SHARED = {"audience": "vip", "enable_batching": True}
SUBSCRIPTIONS = [
    Subscription(action="addToAudience", mapping={**SHARED, "url": "add"}),
    Subscription(action="updateInAudience", mapping={**SHARED, "url": "update"}),
    Subscription(action="removeFromAudience", mapping={**SHARED, "url": "remove"}),
]


@pytest.fixture
def receiver() -> WebhookReceiver:
    return WebhookReceiver()


@pytest.fixture
def connection(receiver: WebhookReceiver) -> Iterator[Connection]:
    transport = SandboxTransport(receiver)
    plugin, settings = open_plugin(webhook), receiver.settings()
    with connect(plugin, settings, SUBSCRIPTIONS, transport=transport) as connection:
        yield connection


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with SQLiteStore(tmp_path / "events.db") as store:
        claim = store.claim("webhook")
        assert claim is not None
        yield Ledger(claim.memberships("account"), lambda: 1_800_000_000)


def deliver(connection: Connection, ledger: Ledger, *events: dict[str, Any]) -> list[Result]:
    """Deliver events together; return the results of those that matched."""
    sender = connection.stream(ledger=ledger)
    found: dict[tuple[int, int], Result] = {}
    for completions in (*sender.add(enumerate(events)), *sender.flush(), *sender.close()):
        for completion in completions:
            for position, subscription, result in completion.each():
                found[position, subscription] = result
    return [
        result
        for _, result in sorted(found.items())
        if not (isinstance(result, Skipped) and result.code == "NOT_MATCHED")
    ]


def entered(user: str) -> dict[str, Any]:
    return make_event(event="Audience Entered", userId=user)


def test_a_confirmed_membership_is_not_sent_again(
    connection: Connection, ledger: Ledger, receiver: WebhookReceiver
) -> None:
    """Updates are, since they change no membership."""
    assert deliver(connection, ledger, entered("ann")) == [Delivered(204)]
    (unchanged,) = deliver(connection, ledger, entered("ann"))
    assert isinstance(unchanged, Skipped)
    assert unchanged.code == "UNCHANGED"
    update = make_event("identify", userId="ann")
    for _ in range(2):
        assert deliver(connection, ledger, update) == [Delivered(204)]
    assert [one.path for one in receiver.received] == ["/in/add", "/in/update", "/in/update"]


def test_an_endpoint_that_is_gone_has_no_members(
    connection: Connection, ledger: Ledger, receiver: WebhookReceiver
) -> None:
    deliver(connection, ledger, entered("ann"))
    receiver.inject(Fault("gone"))
    (failed,) = deliver(connection, ledger, entered("bob"))
    assert isinstance(failed, Failed)
    assert failed.status == 410
    assert deliver(connection, ledger, entered("ann")) == [Delivered(204)]
    assert [len(one.payloads) for one in receiver.received] == [1, 1]
