"""A sandbox of the webhook: a receiver that keeps what it is sent, and checks signatures."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Mapping
from typing import Any, ClassVar, Final, NamedTuple
from urllib.parse import urlsplit

from destinations.webhook.payloads import WebhookSettings
from destinations.webhook.signatures import signature_headers
from framework.sandbox import (
    Fault,
    Panel,
    Sandbox,
    SandboxClock,
    SandboxRequest,
    SandboxResponse,
    SandboxRoute,
)

ORIGIN: Final = "https://webhook.example"
_SIGNING: Final = {
    "sharedSecret": "",
    "signature": "body",
    "signature_header": "X-Signature",
    "signature_algorithm": "sha1",
    "signature_encoding": "hex",
    "signature_prefix": "",
}
KEPT: Final = 100
"""Number of requests that are kept with their bodies."""

_FAULTS: Final[Mapping[str, SandboxResponse]] = {
    "refused": SandboxResponse(401, {"error": "unknown key"}),
    "gone": SandboxResponse(410, {"error": "this endpoint was removed"}),
    "too-large": SandboxResponse(413, {"error": "the body is too large"}),
    "invalid": SandboxResponse(422, {"error": "a value is invalid"}),
    "rate-limited": SandboxResponse(429, {"error": "slow down"}, (("Retry-After", "1"),)),
    "unavailable": SandboxResponse(503, {"error": "maintenance"}),
}


class Received(NamedTuple):
    """An accepted request: *payloads* are its JSON values, one for each line or item."""

    method: str
    path: str
    body: bytes
    payloads: list[Any]
    signed: bool


class WebhookReceiver(Sandbox):
    """A receiver of any method and path; it responds with 204.

    Once settings with a secret are admitted, a request without the valid signature is refused with
    401. The names in `calls` are method and path, such as `POST /in`.
    """

    name: ClassVar[str] = "Webhook"
    origins: ClassVar[tuple[str, ...]] = (ORIGIN,)
    own_faults: ClassVar[Mapping[str, str]] = {
        kind: f"{response.status}; the request is not accepted."
        for kind, response in _FAULTS.items()
    }

    def __init__(self, clock: SandboxClock | None = None) -> None:
        super().__init__(clock)
        self._settings: WebhookSettings | None = None
        self.clear()

    @property
    def received(self) -> list[Received]:
        """The latest hundred accepted requests, the oldest first."""
        with self.lock:
            return list(self._received)

    def clear(self) -> None:
        """Remove all that was received."""
        self._received: deque[Received] = deque(maxlen=KEPT)
        self._counts: dict[tuple[str, str], list[int]] = {}

    def settings(self) -> dict[str, Any]:
        """Return settings with an address, and without a secret."""
        return {"url": f"{ORIGIN}/in", **_SIGNING}

    def admit(self, settings: Mapping[str, Any]) -> None:
        """Receive for the addresses in *settings*, and check signatures as they say."""
        urls = [settings.get("url"), settings.get("delete_url")]
        found = [_origin(url) for url in urls if isinstance(url, str) and "://" in url]
        with self.lock:
            # An attribute of this receiver in place of that of all.
            vars(self)["origins"] = tuple(dict.fromkeys([*self.origins, *found]))
            given: dict[str, Any] = {key: settings[key] for key in _SIGNING if key in settings}
            self._settings = WebhookSettings(**given) if given.get("sharedSecret") else None

    def route(self, request: SandboxRequest) -> SandboxRoute:
        """Return the route of any request."""
        name = f"{request.method} {request.path}"
        return SandboxRoute(name, lambda: self._accept(request))

    def fail(self, fault: Fault, route: SandboxRoute, request: SandboxRequest) -> SandboxResponse:
        """Return the response for one of the receiver's own faults."""
        del route, request
        return _FAULTS[fault.kind]

    def describe(self, detail: str) -> dict[str, Any]:
        """Return requests and payloads by endpoint; with details, the latest ones themselves."""
        endpoints = [
            {"method": method, "path": path, "requests": count, "payloads": payloads}
            for (method, path), (count, payloads) in self._counts.items()
        ]
        if detail == "counts":
            return {"endpoints": endpoints}
        latest = [
            {"method": one.method, "path": one.path, **_shown(one, detail)}
            for one in self._received
        ]
        return {"endpoints": endpoints, "latest": latest}

    def panels(self) -> tuple[Panel, ...]:
        """Return a table of the endpoints, without what they received."""
        rows = tuple(
            (method, path, count, payloads)
            for (method, path), (count, payloads) in self._counts.items()
        )
        columns = ("Method", "Path", "Requests", "Payloads")
        return (Panel("Endpoints", columns, rows, "Nothing was received."),)

    def _accept(self, request: SandboxRequest) -> SandboxResponse:
        signed = self._settings is not None
        if signed and not self._is_signed(request):
            return SandboxResponse(401, {"error": "the signature is missing or wrong"})
        try:
            payloads = _payloads(request)
        except ValueError:
            return SandboxResponse(400, {"error": "the body is not JSON"})
        one = Received(request.method, request.path, request.body, payloads, signed)
        self._received.append(one)
        counts = self._counts.setdefault((request.method, request.path), [0, 0])
        counts[0] += 1
        counts[1] += len(payloads)
        return SandboxResponse(204, note={"payloads": len(payloads), "signed": signed})

    def _is_signed(self, request: SandboxRequest) -> bool:
        assert self._settings is not None
        given = request.headers
        time = given.get("webhook-timestamp") or _time(
            given.get(self._settings.signature_header.lower(), "")
        )
        expected = signature_headers(
            self._settings,
            request.body,
            message_id=given.get("webhook-id", ""),
            now=float(time) if time.isdecimal() else 0,
        )
        return all(given.get(name.lower()) == value for name, value in expected.items())


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _time(header: str) -> str:
    return header.partition(",")[0].removeprefix("t=")


def _payloads(request: SandboxRequest) -> list[Any]:
    if "ndjson" in request.headers.get("content-type", ""):
        return [json.loads(line) for line in request.body.splitlines()]
    found = json.loads(request.body)
    return found if isinstance(found, list) else [found]


def _shown(one: Received, detail: str) -> dict[str, Any]:
    if detail == "members":
        return {"payloads": one.payloads}
    return {"sha256": hashlib.sha256(one.body).hexdigest()}
