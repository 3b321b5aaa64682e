"""Webhook: send events, or the members of audiences, to any address."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx

from destinations.webhook.payloads import AudienceMember, Message, WebhookRequest, WebhookSettings
from destinations.webhook.signatures import signature_headers, standard_key
from destinations.webhook.webhook_requests import (
    address,
    body_of,
    deletion_address,
    headers_of,
    json_bytes,
    prepare,
)
from framework import (
    Action,
    Batching,
    Clock,
    Columns,
    Conflict,
    DeletionRequest,
    Delivered,
    Destination,
    Failed,
    IntegrationError,
    InvalidAuthenticationError,
    PayloadValidationError,
    Preset,
    Result,
    Subscription,
    Target,
    hookimpl,
)

if TYPE_CHECKING:
    from destinations.webhook.receiver import WebhookReceiver

_MISSING = {404, 410}
_OF_REQUEST = ("url", "method", "headers", "enable_batching", "batch_format", "envelope")

SEND = Action(
    slug="send",
    title="Send",
    description="Send events as JSON.",
    payload=Message,
    batching=Batching(keys=_OF_REQUEST, order_keys=("order_by",)),
)


def _audience(key: Mapping[str, Any]) -> Target:
    return Target(key["audience"])


_MEMBERS = Batching(
    keys=("audience", *_OF_REQUEST), lane="audience", target=_audience, coalesce="membership"
)

ADD = Action(
    slug="addToAudience",
    title="Add to audience",
    description="Send users who enter an audience.",
    trigger='type = "track" and event = "Audience Entered"',
    payload=AudienceMember,
    batching=_MEMBERS,
    membership=True,
)
UPDATE = Action(
    slug="updateInAudience",
    title="Update in audience",
    description="Send data of users that changed.",
    trigger='type = "identify"',
    payload=AudienceMember,
    batching=_MEMBERS,
)
REMOVE = Action(
    slug="removeFromAudience",
    title="Remove from audience",
    description="Send users who leave an audience.",
    trigger='type = "track" and event = "Audience Exited"',
    payload=AudienceMember,
    batching=_MEMBERS,
    membership=False,
)
_ACTIONS = {action.slug: action for action in (SEND, ADD, UPDATE, REMOVE)}


def find_conflicts(subscriptions: Sequence[Subscription]) -> list[Conflict]:
    """Find mappings with which something would be sent in clear, or not at all."""
    mappings = [{**_ACTIONS[one.action].default_mapping, **one.mapping} for one in subscriptions]
    return [*_unhashed(mappings), *_same_audience(subscriptions, mappings)]


def _unhashed(mappings: Sequence[Mapping[str, Any]]) -> Iterator[Conflict]:
    """Yield values to hash that the mapping of `data` does not have."""
    for index, mapping in enumerate(mappings):
        data, places = mapping.get("data"), mapping.get("hash_fields")
        if not isinstance(places, list) or not isinstance(data, dict):
            continue
        if any(key.startswith("@") for key in data):
            continue  # what it holds is not known before
        for place in places:
            if isinstance(place, str) and place.split(".")[0] not in data:
                yield Conflict(
                    index,
                    f"`hash_fields` names `{place}`, which `data` does not have.",
                    f"Known keys: {', '.join(data)}.",
                    "hash_fields",
                )


def _same_audience(
    subscriptions: Sequence[Subscription], mappings: Sequence[Mapping[str, Any]]
) -> Iterator[Conflict]:
    """Yield mappings for two lists that are one audience: only one of them would be sent."""
    first: dict[tuple[str, str], str] = {}
    for index, (subscription, mapping) in enumerate(zip(subscriptions, mappings, strict=True)):
        if subscription.action not in {ADD.slug, REMOVE.slug}:
            continue
        key = subscription.action, json.dumps(mapping.get("audience"), sort_keys=True)
        target = json.dumps(mapping.get("url"), sort_keys=True)
        if first.setdefault(key, target) != target:
            yield Conflict(
                index,
                f"Another mapping of `{subscription.action}` has the same `audience` and another "
                "`url`, so that a user would be sent to one of them only.",
                "Give the lists different texts in `audience`.",
                "audience",
            )


@hookimpl
def destination() -> Destination:
    """Return the destination's definition; its action `send` is compatible with Segment's."""
    return Destination(
        slug="actions-webhook",
        name="Webhook",
        description="Send events, or the members of audiences, to any address as JSON.",
        presets=tuple(
            Preset(name=action.title, action=action.slug, trigger=action.trigger)
            for action in (ADD, REMOVE)
        ),
        conflicts=find_conflicts,
    )


@hookimpl
def settings() -> type[WebhookSettings]:
    """Return the settings class."""
    return WebhookSettings


@hookimpl
def actions() -> list[Action]:
    """Return the actions: send events; add users to an audience, update and remove them."""
    return list(_ACTIONS.values())


@hookimpl(specname="check_authentication")
def check_settings(settings: WebhookSettings) -> None:
    """Raise InvalidAuthenticationError for settings with which no request can be sent."""
    try:
        if settings.url:
            address(settings, None)
        if settings.delete_url:
            deletion_address(settings, "user", "user")
        if settings.sharedSecret and settings.signature == "standard":
            standard_key(settings.sharedSecret)
    except PayloadValidationError as error:
        raise InvalidAuthenticationError(str(error), error.code) from None
    except ValueError as error:
        raise InvalidAuthenticationError(str(error), "INVALID_SECRET") from None


@hookimpl
def identify(action: Action, columns: Columns) -> Sequence[str | Failed]:
    """Return the user of each payload, or the ID of a message.

    A message without an ID is known by its data.
    """
    if action.slug != SEND.slug:
        return [one.strip() for one in columns["identifier"]]
    return [
        one or hashlib.sha256(repr(data).encode("utf-8", "backslashreplace")).hexdigest()
        for one, data in zip(columns["message_id"], columns["data"], strict=True)
    ]


@hookimpl
def perform_batch(  # noqa: PLR0913, PLR0917 - a hook names what it uses
    client: httpx.Client,
    settings: WebhookSettings,
    payloads: Sequence[WebhookRequest],
    identifiers: Sequence[str],
    clock: Clock,
    forget_members: Callable[[], None],
) -> httpx.Response | list[Result]:
    """Send payloads in one request, without those whose values cannot be hashed.

    Raises PayloadValidationError if the request cannot be made. A receiver that responds with 404
    or 410 has no such audience, so no one counts as its member any more.
    """
    first = payloads[0]
    batched = first.enable_batching or len(payloads) > 1
    lines = batched and first.batch_format == "ndjson"
    prepared = [prepare(payload) for payload in payloads]
    valid = [place for place, one in enumerate(prepared) if not isinstance(one, Failed)]
    if not valid:
        return [one for one in prepared if isinstance(one, Failed)]
    ids = [identifiers[place] for place in valid]
    with _noticing(forget_members):
        response = _send(
            client,
            settings,
            method=first.method,
            url=address(settings, first.url),
            headers=headers_of(settings, first.headers, lines=lines),
            body=body_of(first, [prepared[place] for place in valid], batched=batched),
            message_id=ids[0] if len(ids) == 1 else _digest(ids),
            now=clock.time(),
        )
    if len(valid) == len(payloads):
        return response
    delivered = Delivered(response.status_code)
    return [one if isinstance(one, Failed) else delivered for one in prepared]


@contextmanager
def _noticing(forget_members: Callable[[], None]) -> Iterator[None]:
    """Call *forget_members* if the receiver says that its address does not exist."""
    try:
        yield
    except IntegrationError as error:
        if error.status in _MISSING:
            forget_members()
        raise


@hookimpl
def delete_users(
    client: httpx.Client,
    settings: WebhookSettings,
    requests: Sequence[DeletionRequest],
    clock: Clock,
) -> list[Result]:
    """Ask the receiver to delete each user, in a request of its own."""
    if not settings.delete_url:
        text = "The webhook has no setting `delete_url`. Delete the user there yourself."
        return [Failed(501, "DELETION_NOT_SUPPORTED", text)] * len(requests)
    return [_delete(client, settings, one, clock.time()) for one in requests]


def _delete(
    client: httpx.Client, settings: WebhookSettings, request: DeletionRequest, now: float
) -> Result:
    ids = {"user_id": request.user_id, "anonymous_id": request.anonymous_id}
    try:
        response = _send(
            client,
            settings,
            method=settings.delete_method,
            url=deletion_address(settings, **ids),
            headers=headers_of(settings, None, lines=False),
            body=json_bytes(ids),
            message_id=_digest([f"{name}={value}" for name, value in ids.items()]),
            now=now,
        )
    except IntegrationError as error:
        return Failed.from_error(error)
    return Delivered(response.status_code)


def _send(  # noqa: PLR0913 - the parts of a request
    client: httpx.Client,
    settings: WebhookSettings,
    *,
    method: str,
    url: httpx.URL,
    headers: httpx.Headers,
    body: bytes,
    message_id: str,
    now: float,
) -> httpx.Response:
    try:
        signed = signature_headers(settings, body, message_id=message_id, now=now)
    except ValueError as error:
        raise InvalidAuthenticationError(str(error), "INVALID_SECRET") from None
    headers.update(signed)
    return client.request(method, url, content=body, headers=headers)


def _digest(identifiers: Sequence[str]) -> str:
    """Return an ID of a batch that is equal for each try."""
    text = "\n".join(identifiers).encode("utf-8", "backslashreplace")
    return hashlib.sha256(text).hexdigest()


@hookimpl
def sandbox() -> WebhookReceiver:
    """Return a receiver in memory that checks signatures."""
    from destinations.webhook.receiver import (  # noqa: PLC0415 - needed by tests and tools only
        WebhookReceiver,
    )

    return WebhookReceiver()
