"""A receiver that checks signatures."""

import hashlib
import hmac
import json
from typing import Any

from framework.paths import JSON
from framework.sandbox import Sandbox, SandboxRequest, SandboxResponse

_LIMIT = 300.0


class SignedSandbox(Sandbox):
    """Keeps what it receives, if the signature fits and is not too old."""

    name = "Acme Signed"
    origins = ("https://signed.acme.test",)

    def __init__(self) -> None:
        super().__init__()
        self.received: list[Any] = []
        self.secret = "s1gning-secret"

    def clear(self) -> None:
        """Forget what was received."""
        self.received = []

    def settings(self) -> dict[str, JSON]:
        """Return settings."""
        return {"url": f"{self.origins[0]}/in", "secret": self.secret}

    def answer(self, request: SandboxRequest) -> SandboxResponse:
        """Check the signature, and keep the body."""
        sent = request.headers.get("x-timestamp", "0")
        signed = hmac.new(self.secret.encode(), sent.encode() + b"." + request.body, hashlib.sha256)
        if request.headers.get("x-signature") != signed.hexdigest():
            return SandboxResponse(401, {"error": "The signature does not fit."})
        if abs(self.clock.time() - float(sent)) > _LIMIT:
            return SandboxResponse(401, {"error": "The request is too old."})
        self.received.append(json.loads(request.body))
        return SandboxResponse(204)
