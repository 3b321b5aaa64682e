"""The smallest sandbox: a bell that counts how often it was rung."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from framework.sandbox import (
    Fault,
    FrozenClock,
    Panel,
    Sandbox,
    SandboxClock,
    SandboxRequest,
    SandboxResponse,
    SandboxRoute,
)


class Bell(Sandbox):
    """`POST /ring` rings; anything else is unknown."""

    name: ClassVar[str] = "Bell <b>"
    origins: ClassVar[tuple[str, ...]] = ("https://bell.example",)
    own_faults: ClassVar[Mapping[str, str]] = {"jammed": "503: the clapper is stuck."}

    def __init__(self, clock: SandboxClock | None = None, limit: int | None = 10) -> None:
        super().__init__(clock or FrozenClock())
        self.limit = limit
        self.rings = 0
        self.seen: list[SandboxRequest] = []

    @property
    def body_limit(self) -> int | None:
        return self.limit

    def route(self, request: SandboxRequest) -> SandboxRoute:
        self.seen.append(request)
        if (request.method, request.path) == ("POST", "/ring"):
            return SandboxRoute("ring", self._ring)
        return SandboxRoute("unknown", lambda: SandboxResponse(404, {"error": "no bell"}))

    def _ring(self) -> SandboxResponse:
        self.rings += 1
        return SandboxResponse(
            body={"rings": self.rings}, headers=(("X-Bell", "1"),), note={"n": "<i>"}
        )

    def fail(self, fault: Fault, route: SandboxRoute, request: SandboxRequest) -> SandboxResponse:
        return SandboxResponse(
            503, {"fault": fault.kind, "route": route.name, "path": request.path}
        )

    def clear(self) -> None:
        self.rings = 0

    def describe(self, detail: str) -> dict[str, Any]:
        return {"rings": self.rings, "detail": detail}

    def panels(self) -> tuple[Panel, ...]:
        rows = (("<script>", 1234567, None), ("503", 2, 1.5))
        return (
            Panel("Tones & such", ("Tone", "Times", "Pitch"), rows),
            Panel("Ropes", ("Rope",), ()),
        )

    def settings(self) -> dict[str, Any]:
        return {}

    def admit(self, settings: Mapping[str, Any]) -> None:
        del settings
