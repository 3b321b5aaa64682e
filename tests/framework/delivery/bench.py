"""Small destinations for tests, and a partner in memory that keeps what it is sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import httpx

from framework.definition import (
    Action,
    Batching,
    Destination,
    Payload,
    Settings,
    Subscription,
    field,
)
from framework.delivery import Connection, Retry, connect
from framework.hookspecs import hookimpl
from framework.plugins import Plugin, open_plugin

URL = "https://partner.test/messages"
SECRET = "s3cret-key-0123"
Answer = httpx.Response | httpx.TransportError


class Key(Settings):
    """Access to the partner."""

    key: str = field("Key", secret=True)


class Message(Payload):
    """One message to one room."""

    text: str = field("Text", mapping={"@path": "$.event"})
    room: str | None = field("Room", mapping={"@path": "$.properties.room"})


SEND = Action(
    slug="send",
    title="Send",
    trigger='type = "track"',
    payload=Message,
    batching=Batching(keys=("room",), max_size=3),
)


def module(*actions: Action, **hooks: Callable[..., Any]) -> Any:
    """Give a destination's module with *hooks*; its one action is SEND where none is given."""
    given: dict[str, Callable[..., Any]] = {
        "destination": lambda: Destination(slug="partner", name="Partner"),
        "settings": lambda: Key,
        "actions": lambda: actions or [SEND],
        **hooks,
    }
    return SimpleNamespace(**{name: hookimpl(hook) for name, hook in given.items()})


def plugin(*actions: Action, **hooks: Callable[..., Any]) -> Plugin:
    """Open the destination of `module`."""
    return open_plugin(module(*actions, **hooks))


class Partner(httpx.BaseTransport):
    """Gives its answers one after the other, then 200 without a body; keeps the requests."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        answer = self._answers.pop(0) if self._answers else httpx.Response(200)
        if isinstance(answer, httpx.TransportError):
            raise answer
        return answer

    @property
    def sent(self) -> list[Any]:
        """The JSON body of every request."""
        return [json.loads(request.content) for request in self.requests]


def connected(
    opened: Plugin,
    *subscriptions: Subscription,
    partner: httpx.BaseTransport | None = None,
    key: str = SECRET,
    **options: Any,
) -> Connection:
    """Connect a plugin to *partner*; by default with one subscription to SEND. Nothing repeats."""
    chosen: Sequence[Subscription] = subscriptions or [Subscription(action="send", name="Send")]
    transport = partner or Partner()
    options = {"retry": Retry.never(), **options}
    return connect(opened, {"key": key}, chosen, transport=transport, **options)


def said(text: Any = "hello", room: Any = None, **more: Any) -> dict[str, Any]:
    """Give a track event that SEND makes a message of."""
    properties = {} if room is None else {"properties": {"room": room}}
    return {"type": "track", "event": text, **properties, **more}
