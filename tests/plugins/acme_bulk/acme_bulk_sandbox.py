"""A partner that imports uploaded files later: after it was asked once."""

import csv
import io

from framework.paths import JSON
from framework.sandbox import Sandbox, SandboxRequest, SandboxResponse


class BulkSandbox(Sandbox):
    """Uploads, by ID. *patience* is how often an upload is still waiting when it is asked for.

    The imports of the first *failing* uploads fail.
    """

    name = "Acme Bulk"
    origins = ("https://bulk.acme.test",)

    def __init__(self) -> None:
        super().__init__()
        self.patience = 1
        self.failing = 0
        self.clear()

    def clear(self) -> None:
        """Forget all uploads."""
        self.uploads: dict[str, list[str]] = {}
        self.keys: list[str] = []
        self.asked: dict[str, int] = {}

    def settings(self) -> dict[str, JSON]:
        """Return settings."""
        return {"account": "a-1"}

    def answer(self, request: SandboxRequest) -> SandboxResponse:
        """Take an upload, find it, or say what came of it."""
        if request.method == "POST":
            number = f"u{len(self.keys) + 1}"
            self.keys.append(request.headers["idempotency-key"])
            rows = csv.reader(io.StringIO(request.body.decode(), newline=""))
            self.uploads[number] = [",".join(row) for row in rows]
            return SandboxResponse(202, {"id": number})
        if "key" in request.query:
            found = [f"u{at}" for at, key in enumerate(self.keys, 1) if key == request.query["key"]]
            return SandboxResponse(200, {"uploads": [*found]})
        number = request.path.rpartition("/")[2]
        if number not in self.uploads:
            return SandboxResponse(404, {"error": "There is no such upload."})
        self.asked[number] = self.asked.get(number, 0) + 1
        if self.asked[number] <= self.patience:
            return SandboxResponse(200, {"state": "waiting"})
        if int(number[1:]) <= self.failing:
            return SandboxResponse(200, {"state": "failed"})
        lines = enumerate(self.uploads[number])
        wrong = {str(at): "No address." for at, line in lines if "@" not in line}
        return SandboxResponse(200, {"state": "imported", "wrong": {**wrong}})
