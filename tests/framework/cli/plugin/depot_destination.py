"""A depot that takes deliveries: a destination with fields of every kind."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

import httpx

from framework import (
    Action,
    Batching,
    Delivered,
    Destination,
    Payload,
    Settings,
    SyncMode,
    field,
    hookimpl,
)
from framework.sandbox import Fault, Sandbox, SandboxRequest, SandboxResponse, SandboxRoute

DEPOT = "https://depot.example"


class DepotSettings(Settings):
    """Which depot."""

    site: str = field("Site", choices=["north", "south"])
    key: str = field("Key", type="password")
    attempts: int = field("Attempts", default=3, minimum=1, maximum=9)


class Box(Payload):
    """One box of a delivery."""

    sku: str | None = field("SKU")
    amount: int | None = field("Amount")


class Address(Payload):
    """Where to deliver."""

    street: str | None = field("Street")
    town: str | None = field("Town")


class Delivery(Payload):
    """What is delivered."""

    order: str = field("Order", mapping={"@path": "$.messageId"})
    email: str | None = field("Email", format="email")
    weight: float | None = field("Weight", minimum=0)
    express: bool | None = field("Express")
    due: datetime | None = field("Due")
    lane: str = field("Lane", choices=["day", "night"], default="day")
    tags: list[str] | None = field("Tags")
    boxes: list[Box] | None = field("Boxes")
    address: Address | None = field("Address")
    extra: dict[str, Any] | None = field("Extra")


class Visitor(Payload):
    """Who visits."""

    name: str | None = field("Name", mapping={"@path": "$.context.traits.name"})


@hookimpl
def destination() -> Destination:
    return Destination(slug="depot", name="Depot", description="Takes deliveries.")


@hookimpl
def settings() -> type[DepotSettings]:
    return DepotSettings


@hookimpl
def actions() -> list[Action]:
    mode = SyncMode(label="Rows", default="add", choices=("add", "update"))
    return [
        Action(slug="deliver", title="Deliver", trigger='type = "track"', payload=Delivery),
        Action(
            slug="visit", title="Visit", payload=Visitor, batching=Batching(max_size=9),
            sync_mode=mode,
        ),
    ]  # fmt: skip


@hookimpl
def check_authentication(client: httpx.Client) -> None:
    client.get(f"{DEPOT}/me")


@hookimpl
def perform(client: httpx.Client, payload: Any) -> httpx.Response:
    return client.post(f"{DEPOT}/{type(payload).__name__}", json={})


@hookimpl
def perform_batch(client: httpx.Client, payloads: Sequence[Any]) -> list[Delivered]:
    client.post(f"{DEPOT}/batch", json=len(payloads))
    return [Delivered() for _ in payloads]


class DepotSandbox(Sandbox):
    """Takes everything."""

    name: ClassVar[str] = "Depot"
    origins: ClassVar[tuple[str, ...]] = (DEPOT,)

    def route(self, request: SandboxRequest) -> SandboxRoute:
        return SandboxRoute(request.path, lambda: SandboxResponse(200, {}))

    def fail(self, fault: Fault, route: SandboxRoute, request: SandboxRequest) -> SandboxResponse:
        raise NotImplementedError

    def clear(self) -> None: ...

    def describe(self, detail: str) -> dict[str, Any]:
        return {"detail": detail}

    def panels(self) -> tuple[Any, ...]:
        return ()

    def settings(self) -> dict[str, Any]:
        return {}

    def admit(self, settings: Any) -> None: ...


@hookimpl
def sandbox() -> DepotSandbox:
    return DepotSandbox()
