"""The destination's settings, its two actions, and how a batch is delivered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from destinations.criteo_audiences import conflicts
from destinations.criteo_audiences.api import (
    HOST,
    MAX_BYTES,
    MAX_IDENTIFIERS,
    SIZE_DELAY,
    Amendment,
    Criteo,
)
from destinations.criteo_audiences.identifiers import ALIASES, EMAIL_FORMS, READERS, read_emails
from destinations.criteo_audiences.lists import ContactLists
from destinations.criteo_audiences.refusals import describe
from destinations.criteo_audiences.updates import amend_by_id, amend_by_name, each
from framework import (
    Action,
    Batching,
    Cache,
    Choice,
    Columns,
    Condition,
    Conflict,
    ConnectionCheck,
    ErrorDescription,
    Failed,
    InvalidAuthenticationError,
    Payload,
    Result,
    Settings,
    Subscription,
    Target,
    field,
    hookimpl,
)

if TYPE_CHECKING:
    import httpx


class CriteoSettings(Settings):
    """Credentials and the advertiser whose contact lists are updated."""

    advertiser_id: str = field(
        "Advertiser ID", "The ID of your advertiser at Criteo, a number.", pattern=r"^[0-9]+$"
    )
    client_id: str = field("API Client ID", "The client ID of your app at Criteo.")
    client_secret: str = field(
        "API Client Secret", "The client secret of your app at Criteo.", type="password"
    )
    enable_batching: bool = field(
        "Enable Batching?",
        "Has no effect: events are sent in batches unless a mapping disables that.",
        default=True,
        hidden=True,
    )
    api_version: str = field(
        "API Version",
        "The version of Criteo's API, as year and month. Criteo supports each version for a year.",
        default="2026-07",
        pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$",
        display_mode="collapsed",
    )


class Membership(Payload):
    """The payload of both actions: one user who enters or leaves an audience."""

    audience_key: str | None = field(
        "Audience key",
        "Unique name of the audience. Criteo's contact list is found or created by this name.",
        mapping={"@path": "$.properties.audience_key"},
        required=Condition("contact_list_id"),
    )
    event: str | None = field(
        "Event name",
        "The name of the event. It is not sent and has no effect.",
        mapping={"@path": "$.event"},
    )
    email: str | None = field(
        "Email",
        "The user's email address, plain or already hashed.",
        mapping={"@path": "$.context.traits.email"},
        required=Condition("identifier_type", "is", "email"),
        category="hashedPII",
    )
    hash_emails: bool = field(
        "Hash Emails",
        "Hash addresses with SHA-256 before sending, which may lower the match rate. "
        "Otherwise addresses are sent in plain text, and Criteo hashes them on receipt.",
        default=False,
    )
    enable_batching: bool = field(
        "Enable Batching?",
        "Send events in batches. When disabled, every event needs a request of its own.",
        default=True,
        read_only=True,
    )
    contact_list_id: str | None = field(
        "Contact List ID",
        "The ID of an existing contact list at Criteo, used instead of the audience key.",
        pattern=r"^[0-9]+$",
        display_mode="collapsed",
    )
    email_form: str | None = field(
        "Email Form",
        "The form in which addresses are sent. Overrides Hash Emails.",
        choices=EMAIL_FORMS,
        display_mode="collapsed",
    )
    identifier_type: str = field(
        "Identifier Type",
        "The type of identifier sent. Types other than email are read from the field Identifier.",
        default="email",
        choices=(
            Choice("email", "Email address"),
            Choice("madid", "Mobile advertising ID"),
            Choice("identityLink", "LiveRamp identity link"),
            Choice("gum", "Criteo user ID (requires the caller ID)"),
            Choice("phoneNumber", "Phone number (advertisers in India)"),
        ),
        display_mode="collapsed",
    )
    identifier: str | None = field(
        "Identifier",
        "The user's identifier, for types other than email.",
        required=Condition(
            "identifier_type", "is", ["madid", "identityLink", "gum", "phoneNumber"]
        ),
        display_mode="collapsed",
    )
    gum_caller_id: int | None = field(
        "GUM Caller ID",
        "The caller ID to which the Criteo user IDs belong.",
        required=Condition("identifier_type", "is", "gum"),
        display_mode="collapsed",
    )


def target_list(key: Mapping[str, Any]) -> Target:
    """Return the contact list that a batch key means, by its ID if there is one, else by its name.

    A list has members by type; a name and an ID may mean the same list.
    """
    kind, list_id = key["identifier_type"], key["contact_list_id"]
    scope = kind, key["gum_caller_id"] if kind == "gum" else None
    if list_id:
        return Target(_number(list_id), "id", scope)
    return Target(key["audience_key"], "name", scope)


def _number(list_id: str) -> str:
    """Return the ID of a list without leading zeros."""
    return list_id.lstrip("0") or "0"


BATCHING = Batching(
    keys=("audience_key", "contact_list_id", "identifier_type", "gum_caller_id", "email_form"),
    max_size=MAX_IDENTIFIERS,
    max_bytes=MAX_BYTES,
    lane="membership",
    target=target_list,
    aliases=ALIASES,
    coalesce="membership",
)

ADD = Action(
    slug="addUserToAudience",
    title="Add users to Audience",
    description="Add users to a Criteo audience through Criteo's API.",
    trigger='type = "track" and event = "Audience Entered"',
    payload=Membership,
    batching=BATCHING,
    membership=True,
)
REMOVE = Action(
    slug="removeUserFromAudience",
    title="Remove users from Audience",
    description="Remove users from a Criteo audience through Criteo's API.",
    trigger='type = "track" and event = "Audience Exited"',
    payload=Membership,
    batching=BATCHING,
    membership=False,
)


def find_conflicts(subscriptions: Sequence[Subscription]) -> list[Conflict]:
    """Find subscriptions that add users in a form in which no other one removes them."""
    return conflicts.find_conflicts(subscriptions, adding=ADD.slug, removing=REMOVE.slug)


@hookimpl
def auth(settings: CriteoSettings) -> httpx.Auth:
    """Return OAuth with the app's credentials; a token is renewed 60 seconds before it expires."""
    from framework import OAuthClientCredentials  # noqa: PLC0415 - needs httpx, unlike checks

    return OAuthClientCredentials(
        f"{HOST}/oauth2/token", settings.client_id, settings.client_secret, early=60.0
    )


@hookimpl
def check_authentication(client: httpx.Client, settings: CriteoSettings) -> None:
    """Raise InvalidAuthenticationError unless the advertiser has given consent to the app.

    Other IntegrationErrors, such as invalid credentials, come from the request itself.
    """
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
def check_connection(client: httpx.Client, settings: CriteoSettings) -> list[ConnectionCheck]:
    """Return whether the advertiser's contact lists can be read, and how many there are."""
    pages = Criteo(client, settings.api_version).contact_lists(settings.advertiser_id)
    lists = {one.id: one for page in pages for one in page}
    fixed = sum(one.read_only for one in lists.values())
    text = f"Advertiser {settings.advertiser_id} has {len(lists)} contact lists"
    return [ConnectionCheck("contact lists", f"{text}{f', {fixed} read-only' if fixed else ''}.")]


@hookimpl
def describe_error(response: httpx.Response) -> ErrorDescription:
    """Return code, message and scope of Criteo's error response."""
    return describe(response)


@hookimpl
def identify(columns: Columns) -> list[str | Failed]:
    """Return the identifier to send for each payload, or the reason for its rejection."""
    found: list[str | Failed] = []
    for (kind, form, hashed), part in columns.runs("identifier_type", "email_form", "hash_emails"):
        if kind == "email":
            found += read_emails(part["email"], form or _FORMS[hashed])
        else:
            found += map(READERS[kind], part["identifier"])
    return found


_FORMS = {False: "plain", True: "sha256"}


@hookimpl
def member_payload(
    audience_name: str, naming: str, identifier: str, fixed: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return the payload for one member of a list, called by its ID if *naming* is `id`.

    A subscription with a constant list ID is about that list only.
    """
    list_id = fixed.get("contact_list_id")
    if naming == "name" and list_id:
        return None
    by_id = naming == "id" or bool(list_id)
    chosen = {"contact_list_id": audience_name} if by_id else {"audience_key": audience_name}
    if list_id and _number(str(list_id)) != _number(audience_name):
        return None
    kept = {key: value for key, value in fixed.items() if key not in _OF_MEMBER}
    emails = (kept.get("identifier_type") or "email") == "email"
    return {**kept, **chosen, "email" if emails else "identifier": identifier}


_OF_MEMBER = frozenset({"audience_key", "contact_list_id", "email", "identifier"})


@hookimpl
def audience_size(
    client: httpx.Client, settings: CriteoSettings, audience_name: str, naming: str, cache: Cache
) -> dict[str, Any]:
    """Return the number of identifiers that Criteo counts in a list, of all types together."""
    criteo = Criteo(client, settings.api_version)
    list_id: str | None = audience_name
    if naming != "id":
        list_id = ContactLists(criteo, settings.advertiser_id, cache).find(audience_name)
    return {"members": criteo.size(list_id) if list_id else None, "delay": SIZE_DELAY}


@hookimpl
def perform_batch(  # noqa: PLR0913, PLR0917 - a hook names what it uses
    action: Action,
    client: httpx.Client,
    settings: CriteoSettings,
    identifiers: Sequence[str],
    key: Mapping[str, Any],
    cache: Cache,
    forget_members: Callable[[], None],
) -> Result | list[Result]:
    """Add users to one audience, or remove them; return one result per payload, or one for all.

    Raises IntegrationError where a contact list cannot be found or created; where Criteo denies
    access to the advertiser, it concerns the connection.
    """
    criteo = Criteo(client, settings.api_version)
    lists = ContactLists(criteo, settings.advertiser_id, cache, forget_members)
    amendment = Amendment(
        _OPERATIONS[action.slug], key["identifier_type"], identifiers, key["gum_caller_id"]
    )
    if key["contact_list_id"]:
        list_id = _number(key["contact_list_id"])
        return each(amend_by_id(lists, list_id, amendment), identifiers)
    if key["audience_key"]:
        return each(amend_by_name(lists, key["audience_key"], amendment), identifiers)
    return NO_AUDIENCE_KEY


NO_AUDIENCE_KEY = Failed(
    400,
    "NO_AUDIENCE_KEY",
    "Field `audience_key` is empty. Give an audience key or a `contact_list_id`.",
)
_OPERATIONS = {ADD.slug: "add", REMOVE.slug: "remove"}
