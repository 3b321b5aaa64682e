"""Webhook: post one line of text for each event."""

import httpx

from framework import Action, Destination, Payload, Settings, field, hookimpl


class WebhookSettings(Settings):
    """Where to post."""

    url: str = field("URL", "Every message is posted here.", format="uri")


class Message(Payload):
    """One line of text."""

    text: str = field("Text", "What to say.", mapping={"@path": "$.event"})


@hookimpl
def destination() -> Destination:
    return Destination(slug="webhook", name="Webhook", description="Post a line of text to a URL.")


@hookimpl
def settings() -> type[WebhookSettings]:
    return WebhookSettings


@hookimpl
def actions() -> list[Action]:
    return [
        Action(
            slug="postMessage",
            title="Post message",
            description="Post one message.",
            trigger='type = "track"',
            payload=Message,
        )
    ]


@hookimpl
def perform(client: httpx.Client, settings: WebhookSettings, payload: Message) -> httpx.Response:
    return client.post(settings.url, json={"text": payload.text})
