"""Rules of a partner that only its sandbox knows are no faults of a destination."""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import httpx

from framework import (
    DELIVERED,
    Action,
    Batching,
    Destination,
    Failed,
    Payload,
    Result,
    Settings,
    field,
    hookimpl,
    json_body,
)
from framework.sandbox import Sandbox, SandboxRequest, SandboxResponse
from framework.testing import certify

HOST = "https://contacts.test"


class Nothing(Settings):
    """No settings."""


class Contact(Payload):
    """One contact."""

    user: str = field("User ID", "Who it is.", mapping={"@path": "$.userId"})
    email: str = field("Email address", "Where.", mapping={"@path": "$.traits.email"})
    list_id: str = field("List", "Chosen by the user, without a default.")
    traits: dict[str, Any] = field("Traits", "What else.", mapping={"@path": "$.traits"})


class Contacts(Sandbox):
    """Refuses an address that another contact has."""

    name = "Contacts"
    origins = (HOST,)

    def __init__(self) -> None:
        super().__init__()
        self.clear()

    def clear(self) -> None:
        self.owners: dict[str, str] = {}

    def answer(self, request: SandboxRequest) -> SandboxResponse:
        rows = json.loads(request.body)
        return SandboxResponse(200, [self.take(row["user"], row["email"]) for row in rows])

    def take(self, user: str, email: str) -> str:
        if not user:
            return "missing"
        return "ok" if self.owners.setdefault(email, user) == user else "taken"


def contacts() -> ModuleType:
    @hookimpl
    def destination() -> Destination:
        put = Action(
            slug="put",
            title="Put",
            trigger='type = "identify"',
            payload=Contact,
            batching=Batching(max_size=100),
        )
        return Destination(slug="contacts", name="Contacts", settings=Nothing, actions=[put])

    @hookimpl
    def perform_batch(client: httpx.Client, payloads: Sequence[Contact]) -> list[Result]:
        rows = [
            {"user": one.user, "email": one.email, "list": one.list_id, **one.traits}
            for one in payloads
        ]
        found = json_body(client.post(f"{HOST}/contacts", json=rows))
        return [DELIVERED if one == "ok" else Failed(409, "REFUSED", str(one)) for one in found]

    @hookimpl
    def sandbox() -> Contacts:
        return Contacts()

    made = ModuleType("contacts")
    for hook in (destination, perform_batch, sandbox):
        setattr(made, hook.__name__, hook)
    return made


def test_an_address_that_another_contact_has_is_no_misalignment() -> None:
    """The rows of a check have different values in every field."""
    found = certify(contacts(), only=["alignment", "fields"])
    assert [str(one) for one in found.findings] == []


def test_a_required_field_may_be_left_to_the_user() -> None:
    """Such as a list, which has no default mapping."""
    found = certify(contacts(), only=["mappings", "generated events"])
    assert [str(one) for one in found.findings] == []
