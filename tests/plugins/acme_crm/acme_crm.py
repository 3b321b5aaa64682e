"""Acme CRM: contacts that are merged in batches, and notes that are added one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import httpx

from framework import (
    Action,
    Batching,
    Choice,
    Choices,
    ChoicesCall,
    DeletionRequest,
    Delivered,
    Destination,
    ErrorDescription,
    Failed,
    HookCall,
    InvalidAuthenticationError,
    MappingHook,
    OAuthRefreshToken,
    OneOf,
    Payload,
    Result,
    RetryableError,
    Saved,
    Settings,
    field,
    hookimpl,
)

if TYPE_CHECKING:
    from acme_crm_sandbox import CrmSandbox

HOST = "https://api.crm.test"


class CrmSettings(Settings):
    """The account, and the app that works for it."""

    client_id: str = field("Client ID", "ID of the app.")
    client_secret: str = field("Client secret", "Secret of the app.", type="password")
    refresh_token: str = field("Refresh token", "Given once by a user.", type="password")


class Contact(Payload):
    """One person."""

    email: str | None = field(
        "E-mail", "Address.", mapping={"@path": "$.context.traits.email"}, category="identifier"
    )
    phone: str | None = field("Phone", "Number.", mapping={"@path": "$.context.traits.phone"})
    name: str | None = field("Name", "Full name.", mapping={"@path": "$.traits.name"})
    owner: str | None = field("Owner", "Who looks after the person.", dynamic=True)


class Note(Payload):
    """A text about a person."""

    email: str = field("E-mail", "Address.", mapping={"@path": "$.context.traits.email"})
    text: str = field("Text", "What happened.", mapping={"@path": "$.event"})
    kind: str = field("Kind", "Sort of note.", default="event", choices=["event", "call"])


class ListInputs(Payload):
    """What a new list needs."""

    title: str = field("Title", "Name of the list.")


class ListOutputs(Payload):
    """The list that was created."""

    list_id: str = field("List ID", "ID at Acme.")


def find_owners(call: ChoicesCall[CrmSettings]) -> Choices:
    """Return the users of the account, page by page."""
    response = call.client.get(f"{HOST}/users", params={"page": call.page or "1"})
    answer = read(response)
    users = answer.get("users")
    if not isinstance(users, list):
        raise RetryableError("Acme's answer has no users.", "UNREADABLE", 502)
    found = [Choice(str(one.get("id")), str(one.get("name"))) for one in users if dict_of(one)]
    page = answer.get("next")
    return Choices(found, str(page) if page else None)


def create_list(call: HookCall[CrmSettings, ListInputs]) -> Saved:
    """Create a list and keep its ID."""
    response = call.client.post(f"{HOST}/lists", json={"title": call.inputs.title})
    list_id = read(response).get("id")
    if not list_id:
        raise RetryableError("Acme's answer has no ID.", "UNREADABLE", 502)
    return Saved(ListOutputs(list_id=str(list_id)), "The list was created.")


def newer_values(action: Action, older: Contact, newer: Contact) -> Contact:
    """Return the newer contact, with older values where it has none."""
    del action
    return Contact(
        email=newer.email or older.email,
        phone=newer.phone or older.phone,
        name=newer.name or older.name,
        owner=newer.owner or older.owner,
    )


CONTACT = Action(
    slug="upsertContact",
    title="Upsert contact",
    description="Create people, or change them.",
    trigger='type = "identify"',
    payload=Contact,
    batching=Batching(max_size=200, lane="contacts", coalesce="merge", merge=newer_values),
    dynamic={"owner": find_owners},
    hooks=[
        MappingHook(
            kind="onMappingSave",
            label="Create a list",
            inputs=ListInputs,
            outputs=ListOutputs,
            run=create_list,
        )
    ],
    rules=[OneOf("email", "phone")],
)
NOTE = Action(
    slug="addNote",
    title="Add note",
    description="Add a note to a person.",
    trigger='type = "track"',
    payload=Note,
)


@hookimpl
def destination() -> Destination:
    return Destination(
        slug="acme-crm",
        name="Acme CRM",
        description="People and notes about them.",
        settings=CrmSettings,
        actions=[CONTACT, NOTE],
    )


@hookimpl
def auth(settings: CrmSettings) -> httpx.Auth:
    return OAuthRefreshToken(
        f"{HOST}/oauth/token",
        settings.client_id,
        settings.client_secret,
        settings.refresh_token,
    )


@hookimpl
def check_authentication(client: httpx.Client) -> None:
    if not read(client.get(f"{HOST}/me")).get("account"):
        raise InvalidAuthenticationError("Acme does not know this account.")


@hookimpl
def describe_error(response: httpx.Response) -> ErrorDescription | None:
    error = dict_of(read(response).get("error"))
    return ErrorDescription(str(error.get("code") or ""), str(error.get("message") or ""))


@hookimpl
def identify(payloads: Sequence[Any]) -> list[str | Failed]:
    return [address(one) or phone(one) for one in payloads]


@hookimpl
def perform(client: httpx.Client, payload: Contact | Note) -> httpx.Response | Result:
    if isinstance(payload, Contact):
        return perform_batch(client, [payload])[0]
    body = {"email": payload.email, "text": payload.text, "kind": payload.kind}
    return client.post(f"{HOST}/notes", json=body)


@hookimpl
def perform_batch(client: httpx.Client, payloads: Sequence[Contact]) -> list[Result]:
    body = {"contacts": [as_json(one) for one in payloads]}
    answer = read(client.post(f"{HOST}/contacts/batch", json=body))
    rows = answer.get("results")
    if not isinstance(rows, list) or len(rows) != len(payloads):
        raise RetryableError("Acme's answer does not fit the request.", "UNREADABLE", 502)
    return [result_of(row) for row in rows]


@hookimpl
def delete_users(client: httpx.Client, requests: Sequence[DeletionRequest]) -> list[Result]:
    ids = [one.user_id or one.anonymous_id for one in requests]
    client.post(f"{HOST}/contacts/delete", json={"ids": ids})
    return [Delivered()] * len(requests)


@hookimpl
def sandbox() -> CrmSandbox:
    from acme_crm_sandbox import CrmSandbox  # noqa: PLC0415 - needed by tests and tools only

    return CrmSandbox()


def as_json(contact: Contact) -> dict[str, str]:
    found = {"email": address(contact), "phone": phone(contact)}
    found |= {"name": contact.name or "", "owner": contact.owner or ""}
    return {key: value for key, value in found.items() if value}


def address(one: Any) -> str:
    return (one.email or "").strip().lower()


def phone(one: Any) -> str:
    return (getattr(one, "phone", None) or "").strip()


def result_of(row: Any) -> Result:
    found = dict_of(row)
    if found.get("ok") is True:
        return Delivered()
    return Failed(400, str(found.get("code") or "REFUSED"), str(found.get("why") or "Refused."))


def read(response: httpx.Response) -> dict[str, Any]:
    try:
        return dict_of(response.json())
    except (ValueError, RecursionError):
        return {}


def dict_of(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
