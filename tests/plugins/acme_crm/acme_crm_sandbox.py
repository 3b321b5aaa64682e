"""A sandbox of Acme CRM: refresh tokens that serve once, and batches with a result per row."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

from framework.sandbox import Sandbox, SandboxRequest, SandboxResponse

LIFETIME = 1800
SETTINGS = {
    "client_id": "crm-app",
    "client_secret": "crm-secret-4711",
    "refresh_token": "crm-refresh-0",
}


class CrmSandbox(Sandbox):
    """People by address or number, and notes."""

    name = "Acme CRM"
    origins = ("https://api.crm.test",)

    def clear(self) -> None:
        self.people: dict[str, dict[str, Any]] = {}
        self.tokens: dict[str, float] = {}
        self.refresh = SETTINGS["refresh_token"]
        self.number = 0

    def __init__(self) -> None:
        super().__init__()
        self.clear()

    def settings(self) -> dict[str, Any]:
        return dict(SETTINGS)

    def describe(self, detail: str) -> dict[str, Any]:
        return {"people": len(self.people), "detail": detail}

    def answer(self, request: SandboxRequest) -> SandboxResponse:
        if request.path == "/oauth/token":
            return self.issue(parse_qs(request.body.decode()))
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.tokens.get(token, 0.0) < self.clock.time():
            return refused(401, "TOKEN", "The token is not valid.")
        if request.method == "GET":
            return SandboxResponse(200, self.listing(request))
        try:
            body = json.loads(request.body)
        except ValueError:
            return refused(400, "JSON", "The body is not JSON.")
        return self.change(request.path, body)

    def issue(self, form: dict[str, list[str]]) -> SandboxResponse:
        given = {key: values[0] for key, values in form.items()}
        expected = {**SETTINGS, "refresh_token": self.refresh}
        if any(given.get(key) != value for key, value in expected.items()):
            return SandboxResponse(400, {"error": "invalid_grant"})
        self.number += 1
        token, self.refresh = f"crm-access-{self.number}", f"crm-refresh-{self.number}"
        self.tokens = {token: self.clock.time() + LIFETIME}
        answer = {"access_token": token, "expires_in": LIFETIME, "refresh_token": self.refresh}
        return SandboxResponse(200, answer)

    @staticmethod
    def listing(request: SandboxRequest) -> dict[str, Any]:
        if request.path == "/me":
            return {"account": "a-1"}
        page = int(request.query.get("page", "1"))
        users = [{"id": page * 2 + step, "name": f"User {page * 2 + step}"} for step in (0, 1)]
        return {"users": users, "next": page + 1 if page < 3 else None}

    def change(self, path: str, body: dict[str, Any]) -> SandboxResponse:
        if path == "/contacts/batch":
            return SandboxResponse(200, {"results": [self.keep(row) for row in body["contacts"]]})
        if path == "/lists":
            return SandboxResponse(201, {"id": f"l-{body['title']}"})
        if path == "/notes" and "@" not in body["email"]:
            return refused(400, "EMAIL", "The address is not valid.")
        return SandboxResponse(204)

    def keep(self, row: dict[str, Any]) -> dict[str, Any]:
        email = row.get("email", "")
        if email and "@" not in email:
            return {"ok": False, "code": "EMAIL", "why": "The address is not valid."}
        self.people.setdefault(email or row["phone"], {}).update(row)
        return {"ok": True}


def refused(status: int, code: str, message: str) -> SandboxResponse:
    return SandboxResponse(status, {"error": {"code": code, "message": message}})
