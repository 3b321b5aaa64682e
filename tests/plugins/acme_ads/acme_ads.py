"""Acme Ads: people in lists that the partner creates for audiences."""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from framework import (
    Action,
    AudienceCall,
    Audiences,
    Batching,
    Delivered,
    Destination,
    Failed,
    IntegrationError,
    Payload,
    RetryableError,
    Settings,
    field,
    hookimpl,
    json_body,
)

ORIGIN = "https://ads.acme.test"


class Account(Settings):
    """Whose lists they are."""

    account: str = field("Account", "ID of the account.", required=True)


class ListSettings(Settings):
    """What a user chooses for each audience."""

    region: str | None = field("Region", "Where it is kept.", choices=["eu", "us"])


class Person(Payload):
    """A person."""

    email: str = field(
        "Email address",
        "Of the person.",
        required=True,
        mapping={"@path": "$.context.traits.email"},
    )


def id_in(response: httpx.Response) -> str:
    """Return the ID of a list in an answer."""
    found = json_body(response)
    number = found.get("id") if isinstance(found, dict) else None
    if not (number and isinstance(number, str)):
        raise RetryableError("Acme's answer has no ID.", "UNREADABLE", 502)
    return number


def create_list(call: AudienceCall[Account, ListSettings]) -> str:
    """Create a list."""
    wanted = {"name": call.name, "region": call.audience_settings.region}
    return id_in(call.client.post(f"{ORIGIN}/lists", json=wanted))


def find_list(call: AudienceCall[Account, ListSettings]) -> str | None:
    """Return the ID of a list, if it still exists."""
    return id_in(call.client.get(f"{ORIGIN}/lists/{call.external_id}"))


@hookimpl
def destination() -> Destination:
    sync = Action(
        slug="sync",
        title="Sync a list",
        description="Add people to the list of an audience, and remove them.",
        trigger='type = "track" or type = "identify"',
        payload=Person,
        batching=Batching(max_size=100, lane="lists", coalesce="membership"),
    )
    return Destination(
        slug="acme-ads",
        name="Acme Ads",
        description="People in lists, one for each audience.",
        settings=Account,
        actions=[sync],
        audience=Audiences(
            settings=ListSettings, create=create_list, get=find_list, full_sync=True
        ),
    )


@hookimpl
def identify(payloads: Sequence[Person]) -> list[str]:
    return [one.email.lower() for one in payloads]


@hookimpl
def member_payload(identifier: str) -> Mapping[str, str]:
    return {"email": identifier}


@hookimpl
def perform_batch(
    client: httpx.Client,
    identifiers: Sequence[str],
    memberships: Sequence[bool | None],
    audience: AudienceCall[Account, ListSettings] | None,
    full_list: bool,  # noqa: FBT001 - arguments of hooks are named
) -> list[Delivered | Failed]:
    if audience is None:
        raise IntegrationError("The event is about no audience.", "NO_AUDIENCE", 400)
    pairs = list(zip(identifiers, memberships, strict=True))
    client.post(
        f"{ORIGIN}/lists/{audience.external_id}/people",
        json={
            "add": [one for one, member in pairs if member],
            "remove": [one for one, member in pairs if member is False],
            "complete": full_list,
        },
    )
    neither = Failed(400, "NO_MEMBERSHIP", "The event neither adds to the list nor removes.")
    return [neither if member is None else Delivered() for member in memberships]


@hookimpl
def sandbox() -> Any:
    from acme_ads_sandbox import AdsSandbox  # noqa: PLC0415 - only where it is simulated

    return AdsSandbox()
