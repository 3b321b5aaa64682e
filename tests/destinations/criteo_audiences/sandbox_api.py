"""A plain client for tests of the sandbox."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import httpx

from destinations.criteo_audiences.sandbox import App, CriteoOptions, CriteoSandbox
from framework.sandbox import FrozenClock, SandboxTransport

NOW = 1_795_255_250.25  # 2026-11-21T10:00:50.25Z
OTHER = App("other-client", "other-secret", frozenset({"99"}))
SEGMENTS = "/2026-07/marketing-solutions/audience-segments"


class Api:
    """Sends requests to its own sandbox, `sandbox`, with the demo app's token."""

    def __init__(self, *apps: App, **options: Any) -> None:
        chosen = CriteoOptions(**options)
        clock = FrozenClock(NOW)
        self.sandbox = (
            CriteoSandbox(apps, options=chosen, clock=clock)
            if apps
            else CriteoSandbox(options=chosen, clock=clock)
        )
        transport = SandboxTransport(self.sandbox)
        self.client = httpx.Client(
            transport=transport, base_url="https://api.criteo.com", trust_env=False
        )
        self.log_in()

    def log_in(self) -> None:
        """Request and use a new token of the first app."""
        settings = self.sandbox.settings()
        answer = self.token(settings["client_id"], settings["client_secret"])
        self.client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def token(self, client: str, secret: str, grant: str = "client_credentials") -> httpx.Response:
        """Request a token."""
        form = {"client_id": client, "client_secret": secret, "grant_type": grant}
        return self.client.post("/oauth2/token", data=form)

    def search(self, query: str = "", /, **filters: Any) -> httpx.Response:
        """Search with filters under their wire names."""
        body = {"data": {"type": "AudienceSegment", "attributes": filters}}
        return self.client.post(f"{SEGMENTS}/search{query}", json=body)

    def create(self, *names: Any, advertiser: str = "12345") -> httpx.Response:
        """Create contact lists."""
        items = [
            {"attributes": {"advertiserId": advertiser, "name": name, "contactList": {}}}
            for name in names
        ]
        return self.client.post(f"{SEGMENTS}/create", json={"data": items})

    def amend(
        self, segment: str, operation: str, identifiers: Iterable[Any], kind: str | None = "email"
    ) -> httpx.Response:
        """Add or remove identifiers."""
        attributes = {"operation": operation, "identifiers": list(identifiers)}
        if kind is not None:
            attributes["identifierType"] = kind
        return self.send(segment, {"type": "ContactlistAmendment", "attributes": attributes})

    def send(self, segment: str, data: Any) -> httpx.Response:
        """Send any contact-list amendment."""
        return self.client.patch(f"{SEGMENTS}/{segment}/contact-list", json={"data": data})

    def statistics(self, segment: str) -> httpx.Response:
        """Request the statistics of a contact list."""
        return self.client.get(f"{SEGMENTS}/{segment}/contact-list/statistics")


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Return status and code of a rejected request, whose envelope must have one problem."""
    body = answer.json()
    (problem,) = body["errors"]
    assert body["warnings"] == []
    return answer.status_code, problem["code"]
