"""A partner with lists of people."""

import json
from typing import Any

from framework.paths import JSON
from framework.sandbox import Sandbox, SandboxRequest, SandboxResponse


class AdsSandbox(Sandbox):
    """Lists by ID, and the regions that they were created for.

    A change that is complete removes everybody who was not added since the last one.
    """

    name = "Acme Ads"
    origins = ("https://ads.acme.test",)

    def __init__(self) -> None:
        super().__init__()
        self.clear()

    def clear(self) -> None:
        """Forget all lists."""
        self.lists: dict[str, set[str]] = {}
        self.created: list[tuple[str, str | None]] = []
        self.refused = ""
        self.changes: list[tuple[int, bool]] = []
        self.added: dict[str, set[str]] = {}

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
            if self.refused in change["add"]:
                return SandboxResponse(422, {"error": "Somebody is not accepted."})
            self.lists[number] |= {*change["add"]}
            self.lists[number] -= {*change["remove"]}
            self._complete(number, change)
        return SandboxResponse(200, {"id": number})

    def _complete(self, number: str, change: dict[str, Any]) -> None:
        self.changes.append((len(change["add"]) + len(change["remove"]), change["complete"]))
        added = self.added.setdefault(number, set())
        added |= {*change["add"]}
        if change["complete"]:
            self.lists[number] = self.added.pop(number)
