"""A CRM whose token endpoint replaces the refresh token at each use."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import httpx

from framework import (
    Action,
    Destination,
    OAuthRefreshToken,
    Payload,
    Settings,
    field,
    hookimpl,
)
from framework.clock import Clock
from framework.sandbox import Sandbox, SandboxRequest, SandboxResponse

HOST = "https://crm.test"


class CrmSettings(Settings):
    """Access to the CRM."""

    client_id: str = field("Client")
    client_secret: str = field("Secret", type="password")
    refresh_token: str = field("Refresh token", type="password")


class Contact(Payload):
    """One contact."""

    email: str = field("Email", mapping={"@path": "$.properties.email"})


@hookimpl
def destination() -> Destination:
    """Return the destination."""
    return Destination(slug="crm", name="CRM")


@hookimpl
def settings() -> type[CrmSettings]:
    """Return the settings."""
    return CrmSettings


@hookimpl
def actions() -> list[Action]:
    """Return the action."""
    return [Action(slug="upsert", title="Upsert", trigger='type = "track"', payload=Contact)]


@hookimpl
def auth(settings: CrmSettings, clock: Clock) -> httpx.Auth:
    """Return the flow that renews tokens."""
    return OAuthRefreshToken(
        f"{HOST}/token",
        settings.client_id,
        settings.client_secret,
        settings.refresh_token,
        clock=clock,
    )


@hookimpl
def check_authentication(client: httpx.Client) -> None:
    """Ask who this is."""
    client.get(f"{HOST}/me")


@hookimpl
def perform(client: httpx.Client, payload: Contact) -> httpx.Response:
    """Write the contact."""
    return client.post(f"{HOST}/contacts", json={"email": payload.email})


class CrmSandbox(Sandbox):
    """Takes each refresh token once; a token that is used again ends all access, as thieves may."""

    name = "CRM"
    origins = (HOST,)

    def __init__(self) -> None:
        super().__init__()
        self.number = 0
        self.current = "refresh-0"
        self.revoked = False
        self.contacts: list[str] = []

    def settings(self) -> dict[str, Any]:
        """Return the first credentials."""
        return {"client_id": "c", "client_secret": "secret-31", "refresh_token": "refresh-0"}

    def admit(self, settings: Mapping[str, Any]) -> None:
        """Take a new first refresh token."""
        self.current = str(settings["refresh_token"])

    def answer(self, request: SandboxRequest) -> SandboxResponse:
        """Renew tokens, or write a contact."""
        if request.path == "/token":
            given = parse_qs(request.body.decode())["refresh_token"][0]
            if given != self.current or self.revoked:
                self.revoked = True
                return SandboxResponse(400, {"error": "invalid_grant"})
            self.number += 1
            self.current = f"refresh-{self.number}"
            return SandboxResponse(
                200,
                {
                    "access_token": f"access-{self.number}",
                    "refresh_token": self.current,
                    "expires_in": 3600,
                },
            )
        if request.headers.get("authorization") != f"Bearer access-{self.number}":
            return SandboxResponse(401, {})
        if request.path == "/contacts":
            self.contacts.append(json.loads(request.body)["email"])
        return SandboxResponse(200, {})


@hookimpl
def sandbox() -> CrmSandbox:
    """Return a sandbox."""
    return CrmSandbox()
