"""What the destination does: settings, the two actions, and the delivery of a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from destinations.criteo_audiences.api import (
    HOST,
    MOST_BYTES,
    MOST_IDENTIFIERS,
    Amendment,
    Criteo,
)
from destinations.criteo_audiences.identifiers import EMAIL_FORMS, READERS, read_emails
from destinations.criteo_audiences.lists import ContactLists
from destinations.criteo_audiences.refusals import describe
from destinations.criteo_audiences.updates import amend, amend_by_name, each
from framework import (
    Action,
    Batching,
    Cache,
    Choice,
    Columns,
    Condition,
    Failed,
    InvalidAuthenticationError,
    OAuthClientCredentials,
    Payload,
    Result,
    Settings,
    field,
    hookimpl,
)


class CriteoSettings(Settings):
    """Access to one advertiser."""

    advertiser_id: str = field(
        "Advertiser ID", "The number of your advertiser at Criteo.", pattern=r"^[0-9]+$"
    )
    client_id: str = field("API Client ID", "The client id of your app at Criteo.")
    client_secret: str = field(
        "API Client Secret", "The client secret of your app at Criteo.", type="password"
    )
    enable_batching: bool = field(
        "Enable Batching?",
        "Has no effect: events travel in batches unless a mapping switches that off.",
        default=True,
        hidden=True,
    )
    api_version: str = field(
        "API Version",
        "The version of Criteo's API, as year and month. Criteo serves a version for a year.",
        default="2026-07",
        pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$",
        display_mode="collapsed",
    )


class Membership(Payload):
    """One user who enters or leaves an audience."""

    audience_key: str | None = field(
        "Audience key",
        "Unique name of the audience. Criteo's contact list is found or created by this name.",
        mapping={"@path": "$.properties.audience_key"},
        required=Condition("contact_list_id"),
    )
    event: str | None = field(
        "Event name",
        "The event with which a user enters or leaves the audience. Nothing depends on it.",
        mapping={"@path": "$.event"},
    )
    email: str | None = field(
        "Email",
        "The user's e-mail address, plain or already hashed.",
        mapping={"@path": "$.context.traits.email"},
        required=Condition("identifier_type", "is", "email"),
        category="hashedPII",
    )
    hash_emails: bool = field(
        "Hash Emails",
        "Hash addresses with SHA-256 before they are sent (this may lower the match rate). "
        "Otherwise they are sent as they are, and Criteo hashes them when they arrive.",
        default=False,
    )
    enable_batching: bool = field(
        "Enable Batching?",
        "Send events in batches. Without it every event costs a call of its own.",
        default=True,
        read_only=True,
    )
    contact_list_id: str | None = field(
        "Contact List ID",
        "The id of an existing contact list at Criteo, to be used instead of the audience key.",
        pattern=r"^[0-9]+$",
        display_mode="collapsed",
    )
    email_form: str | None = field(
        "Email Form",
        "In which form addresses are sent. Decides instead of Hash Emails where it is given.",
        choices=EMAIL_FORMS,
        display_mode="collapsed",
    )
    identifier_type: str = field(
        "Identifier Type",
        "What users are known by. Types other than email are read from the field Identifier.",
        default="email",
        choices=(
            Choice("email", "E-mail address"),
            Choice("madid", "Mobile advertising id"),
            Choice("identityLink", "LiveRamp identity link"),
            Choice("gum", "Criteo user id (needs the caller id)"),
            Choice("phoneNumber", "Phone number (advertisers in India)"),
        ),
        display_mode="collapsed",
    )
    identifier: str | None = field(
        "Identifier",
        "The user's identifier, where the type is not email.",
        required=Condition(
            "identifier_type", "is", ["madid", "identityLink", "gum", "phoneNumber"]
        ),
        display_mode="collapsed",
    )
    gum_caller_id: int | None = field(
        "GUM Caller ID",
        "The caller id that belongs to Criteo user ids.",
        required=Condition("identifier_type", "is", "gum"),
        display_mode="collapsed",
    )


BATCHING = Batching(
    keys=("audience_key", "contact_list_id", "identifier_type", "gum_caller_id", "email_form"),
    max_size=MOST_IDENTIFIERS,
    max_bytes=MOST_BYTES,
    lane="membership",
)

ADD = Action(
    slug="addUserToAudience",
    title="Add users to Audience",
    description="Add users to a Criteo audience through Criteo's API.",
    trigger='type = "track" and event = "Audience Entered"',
    payload=Membership,
    batching=BATCHING,
)
REMOVE = Action(
    slug="removeUserFromAudience",
    title="Remove users from Audience",
    description="Remove users from a Criteo audience through Criteo's API.",
    trigger='type = "track" and event = "Audience Exited"',
    payload=Membership,
    batching=BATCHING,
)


@hookimpl
def auth(settings: CriteoSettings) -> httpx.Auth:
    """Sign requests with the app's token, renewed a minute before its 900 seconds are over."""
    return OAuthClientCredentials(
        f"{HOST}/oauth2/token", settings.client_id, settings.client_secret, early=60.0
    )


@hookimpl
def check_authentication(client: httpx.Client, settings: CriteoSettings) -> None:
    """Raise unless Criteo gives a token, and the advertiser has given consent to the app."""
    advertisers = Criteo(client, settings.api_version).advertisers()
    if settings.advertiser_id not in advertisers:
        shown = [f"{key} ({name})" if name else key for key, name in sorted(advertisers.items())]
        raise InvalidAuthenticationError(
            f"Advertiser {settings.advertiser_id} has not given consent to this app. "
            f"Advertisers that have: {', '.join(shown[:20]) or 'none'}"
            f"{f' and {len(shown) - 20} more' if len(shown) > 20 else ''}.",
            "ADVERTISER_WITHOUT_CONSENT",
            403,
        )


@hookimpl
def describe_error(response: httpx.Response) -> tuple[str, str] | None:
    """Read Criteo's problem objects."""
    return describe(response)


@hookimpl
def identify(columns: Columns) -> list[str | Failed]:
    """Give each user's identifier as it will be sent."""
    found: list[str | Failed] = []
    for (kind, form, hashed), part in columns.runs("identifier_type", "email_form", "hash_emails"):
        if kind == "email":
            found += read_emails(part["email"], form or _FORMS[hashed])
        else:
            found += map(READERS[kind], part["identifier"])
    return found


_FORMS = {False: "plain", True: "sha256"}


@hookimpl
def perform_batch(  # noqa: PLR0913, PLR0917 - a hook names what it uses
    action: Action,
    client: httpx.Client,
    settings: CriteoSettings,
    identifiers: Sequence[str],
    key: Mapping[str, Any],
    cache: Cache,
) -> Result | list[Result]:
    """Add users to one audience, or remove them; one result per payload, or one for all."""
    criteo = Criteo(client, settings.api_version)
    lists = ContactLists(criteo, settings.advertiser_id, cache)
    amendment = Amendment(
        _OPERATIONS[action.slug], key["identifier_type"], identifiers, key["gum_caller_id"]
    )
    if key["contact_list_id"]:
        return each(amend(criteo, key["contact_list_id"], amendment), identifiers)
    if key["audience_key"]:
        return each(amend_by_name(lists, key["audience_key"], amendment), identifiers)
    return NO_AUDIENCE_KEY


NO_AUDIENCE_KEY = Failed(
    400,
    "NO_AUDIENCE_KEY",
    "Field `audience_key` is empty: there is no audience to add to or remove from.",
)
_OPERATIONS = {ADD.slug: "add", REMOVE.slug: "remove"}
