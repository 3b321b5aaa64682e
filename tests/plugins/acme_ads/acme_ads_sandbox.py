"""A partner with lists of people."""

import json

from framework.paths import JSON
from framework.sandbox import Sandbox, SandboxRequest, SandboxResponse


class AdsSandbox(Sandbox):
    """Lists by ID, and the regions that they were created for."""

    name = "Acme Ads"
    origins = ("https://ads.acme.test",)

    def __init__(self) -> None:
        super().__init__()
        self.clear()

    def clear(self) -> None:
        """Forget all lists."""
        self.lists: dict[str, set[str]] = {}
        self.created: list[tuple[str, str | None]] = []

    def settings(self) -> dict[str, JSON]:
        """Return settings."""
        return {"account": "a-1"}

    def answer(self, request: SandboxRequest) -> SandboxResponse:
        """Create a list, find it, or change who is in it."""
        _, _, number, *people = (*request.path.split("/"), "", "")[:4]
        if request.method == "POST" and not number:
            wanted = json.loads(request.body)
            self.created.append((wanted["name"], wanted.get("region")))
            number = f"L{len(self.created)}"
            self.lists[number] = set()
            return SandboxResponse(201, {"id": number})
        if number not in self.lists:
            return SandboxResponse(404, {"error": "There is no such list."})
        if people != [""] and request.method == "POST":
            change = json.loads(request.body)
            self.lists[number] |= {*change["add"]}
            self.lists[number] -= {*change["remove"]}
        return SandboxResponse(200, {"id": number})
