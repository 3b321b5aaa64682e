"""A shop that takes orders over HTTP: the destination for tests of the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

import httpx

from framework import Action, Destination, Payload, Settings, field, hookimpl
from framework.sandbox import (
    Fault,
    Panel,
    Sandbox,
    SandboxClock,
    SandboxRequest,
    SandboxResponse,
    SandboxRoute,
)

SHOP = "https://shop.example"


class ShopSettings(Settings):
    """Who orders."""

    customer: str = field("Customer", "Who orders.")
    key: str = field("Key", "What opens the shop.", type="password")
    note: str = field("Note", "Not shown.", default="", hidden=True)


class Order(Payload):
    """One thing that is ordered."""

    thing: str = field("Thing", "What is ordered.", mapping={"@path": "$.properties.thing"})
    pieces: int = field("Pieces", "How many.", default=1)
    colours: list[str] | None = field("Colours", "In which colours.", choices=["red", "blue"])
    gift: str | None = field("Gift", mapping={"@if": {"exists": "$.gift", "then": "yes"}})


@hookimpl
def destination() -> Destination:
    return Destination(slug="shop", name="The Shop", description="Takes orders.")


@hookimpl
def settings() -> type[ShopSettings]:
    return ShopSettings


@hookimpl
def actions() -> list[Action]:
    return [
        Action(
            slug="order",
            title="Order",
            description="Order one thing.",
            trigger='type = "track"',
            payload=Order,
        )
    ]


@hookimpl
def check_authentication(client: httpx.Client, settings: ShopSettings) -> None:
    client.get(f"{SHOP}/me", headers={"x-api-key": settings.key})


@hookimpl
def perform(client: httpx.Client, settings: ShopSettings, payload: Order) -> httpx.Response:
    body = {"thing": payload.thing, "pieces": payload.pieces}
    return client.post(f"{SHOP}/orders", json=body, headers={"x-api-key": settings.key})


class ShopSandbox(Sandbox):
    """Sells everything but poison, to those who have the key."""

    name: ClassVar[str] = "Shop"
    origins: ClassVar[tuple[str, ...]] = (SHOP,)
    own_faults: ClassVar[Mapping[str, str]] = {"closed": "503: the shop is closed."}

    def __init__(self, clock: SandboxClock | None = None) -> None:
        super().__init__(clock)
        self._key = "sesame"
        self.clear()

    def route(self, request: SandboxRequest) -> SandboxRoute:
        if request.headers.get("x-api-key") != self._key:
            return SandboxRoute("door", lambda: SandboxResponse(401, {"error": "no such key"}))
        if request.path == "/me":
            return SandboxRoute("me", lambda: SandboxResponse(200, {}))
        return SandboxRoute("order", lambda: self._order(json.loads(request.body)["thing"]))

    def _order(self, thing: str) -> SandboxResponse:
        if thing == "poison":
            return SandboxResponse(422, {"error": "not sold here"})
        if thing == "closing time":
            return SandboxResponse(503, {"error": "closed"})
        self._sold.append(thing)
        return SandboxResponse(200, {"ok": True})

    def fail(self, fault: Fault, route: SandboxRoute, request: SandboxRequest) -> SandboxResponse:
        del fault, route, request
        return SandboxResponse(503, {"error": "closed"})

    def clear(self) -> None:
        self._sold: list[str] = []

    def describe(self, detail: str) -> dict[str, Any]:
        del detail
        return {"sold": self._sold}

    def panels(self) -> tuple[Panel, ...]:
        rows = tuple((thing, None) for thing in self._sold)
        return (Panel("Sold", ("Thing", "Note"), rows, empty="Nothing was sold."),)

    def settings(self) -> dict[str, Any]:
        return {"customer": "somebody", "key": self._key}

    def admit(self, settings: Mapping[str, Any]) -> None:
        self._key = settings["key"]


@hookimpl
def sandbox() -> ShopSandbox:
    return ShopSandbox()
