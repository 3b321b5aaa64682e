"""Acme Signed: events and deletions by requests with a signature of time and body."""

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from typing import Any

import httpx

from framework import (
    Action,
    Clock,
    DeletionRequest,
    Destination,
    Payload,
    Settings,
    field,
    hookimpl,
)


class Access(Settings):
    """Where to post, and the secret that both sides know."""

    url: str = field("URL", "Where requests are posted.", format="uri", required=True)
    secret: str = field("Secret", "Signs requests.", secret=True, required=True)


class Message(Payload):
    """One event."""

    name: str = field("Event", "The name of the event.", mapping={"@path": "$.event"})
    user: str | None = field("User ID", "The user at the sender.", mapping={"@path": "$.userId"})


class Signature(httpx.Auth):
    """Signs the time of a request and its body."""

    requires_request_body = True

    def __init__(self, secret: str, clock: Clock) -> None:
        self._secret, self._clock = secret.encode(), clock

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        sent = str(int(self._clock.time()))
        signed = hmac.new(self._secret, sent.encode() + b"." + request.content, hashlib.sha256)
        request.headers.update({"X-Timestamp": sent, "X-Signature": signed.hexdigest()})
        yield request


@hookimpl
def destination() -> Destination:
    text = "Post the name and the user of an event."
    track = 'type = "track"'
    send = Action(slug="send", title="Send", description=text, trigger=track, payload=Message)
    return Destination(
        slug="acme-signed",
        name="Acme Signed",
        description="Post events and deletions, each request with a signature.",
        settings=Access,
        actions=[send],
    )


@hookimpl
def auth(settings: Access, clock: Clock) -> httpx.Auth:
    return Signature(settings.secret, clock)


@hookimpl
def perform(client: httpx.Client, settings: Access, payload: Message) -> httpx.Response:
    return client.post(settings.url, json={"name": payload.name, "user": payload.user})


@hookimpl
def delete_users(
    client: httpx.Client, settings: Access, requests: Sequence[DeletionRequest]
) -> httpx.Response:
    users = [one.user_id or one.anonymous_id for one in requests]
    return client.post(settings.url, json={"delete": users})


@hookimpl
def sandbox() -> Any:
    from acme_signed_sandbox import SignedSandbox  # noqa: PLC0415 - only where it is simulated

    return SignedSandbox()
