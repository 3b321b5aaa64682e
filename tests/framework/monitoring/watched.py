"""A relay to a partner in memory that rejects some events, over a store on disk."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from framework.definition import Subscription
from framework.delivery import Patience
from framework.relay import DeadLetter, EventStore, Relay, RelayRoute, SQLiteStore
from tests.framework.delivery.bench import URL, connected, plugin, said

SOON = Patience(run_for=math.inf, first=0.01, cap=0.02)


class Rejecting(httpx.BaseTransport):
    """A partner that rejects events named `bad`."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(400 if b"bad" in request.read() else 200)


def post(client: Any, payload: Any) -> None:
    """Send one event."""
    client.post(URL, json={"text": payload.text})


def append(store: SQLiteStore, *texts: str, received: str = "") -> None:
    """Store events."""
    more = {"receivedAt": received} if received else {}
    store.append("events", [json.dumps({**said(text), **more}).encode() for text in texts])


def stopped_relay(store: EventStore, name: str = "ads", *, waits: bool = False) -> Relay:
    """Return a relay of the stream `events` that is not started."""
    route = RelayRoute(
        name=name,
        stream="events",
        open_connection=lambda rates, _: connected(
            plugin(perform=post),
            Subscription(action="send", name="Send"),
            partner=Rejecting(),
            rates=rates,
        ),
        patience=SOON,
    )
    return Relay(store, [route], from_start=True, waits=waits)


@contextmanager
def relaying(store: SQLiteStore, name: str = "ads") -> Iterator[Relay]:
    """Relay the stream `events` until the block ends."""
    relay = stopped_relay(store, name)
    relay.start()
    try:
        yield relay
    finally:
        assert relay.stop(20)


def add_dead_letters(store: EventStore, number: int, name: str = "ads") -> None:
    """Store dead letters of a connection that no relay works for."""
    letters = [
        DeadLetter(
            connection=name, line=line, subscription="Send", event=b"{}", code="NO",
            outcome={"outcome": "failed"},
        )
        for line in range(1, number + 1)
    ]  # fmt: skip
    owner = store.own(name, "events", from_start=True)
    assert owner
    owner.save(0, owner.checkpoint, letters)
    owner.release()
