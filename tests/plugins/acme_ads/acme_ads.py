"""Acme Ads: people in lists that the partner creates for audiences."""

from collections.abc import Sequence
from typing import Any

import httpx

from framework import (
    Action,
    AudienceCall,
    Audiences,
    Batching,
    Destination,
    IntegrationError,
    Payload,
    Settings,
    field,
    hookimpl,
)

ORIGIN = "https://ads.acme.test"


class Account(Settings):
    """Whose lists they are."""

    account: str = field("Account", required=True)


class ListSettings(Settings):
    """What a user chooses for each audience."""

    region: str | None = field("Region", choices=["eu", "us"])


class Person(Payload):
    """A person."""

    email: str = field("Email address", required=True, mapping={"@path": "$.context.traits.email"})


def create_list(call: AudienceCall[Account, ListSettings]) -> str:
    """Create a list."""
    wanted = {"name": call.name, "region": call.audience_settings.region}
    found: str = call.client.post(f"{ORIGIN}/lists", json=wanted).json()["id"]
    return found


def find_list(call: AudienceCall[Account, ListSettings]) -> str | None:
    """Return the ID of a list, if it still exists."""
    found: str = call.client.get(f"{ORIGIN}/lists/{call.external_id}").json()["id"]
    return found


@hookimpl
def destination() -> Destination:
    sync = Action(
        slug="sync",
        title="Sync a list",
        trigger='type = "track" or type = "identify"',
        payload=Person,
        batching=Batching(max_size=100, lane="lists", coalesce="membership"),
    )
    return Destination(
        slug="acme-ads",
        name="Acme Ads",
        settings=Account,
        actions=[sync],
        audience=Audiences(settings=ListSettings, create=create_list, get=find_list),
    )


@hookimpl
def identify(payloads: Sequence[Person]) -> list[str]:
    return [one.email.lower() for one in payloads]


@hookimpl
def perform_batch(
    client: httpx.Client,
    identifiers: Sequence[str],
    memberships: Sequence[bool | None],
    audience: AudienceCall[Account, ListSettings] | None,
) -> None:
    if audience is None:
        raise IntegrationError("The event is about no audience.", "NO_AUDIENCE", 400)
    pairs = list(zip(identifiers, memberships, strict=True))
    client.post(
        f"{ORIGIN}/lists/{audience.external_id}/people",
        json={
            "add": [one for one, member in pairs if member],
            "remove": [one for one, member in pairs if not member],
        },
    )


@hookimpl
def sandbox() -> Any:
    from acme_ads_sandbox import AdsSandbox  # noqa: PLC0415 - only where it is simulated

    return AdsSandbox()
