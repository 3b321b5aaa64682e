"""A destination whose forms are as unusual as definitions allow; it has no sandbox, no preset."""

from __future__ import annotations

from typing import Any

import httpx

from framework import (
    Action,
    AtMostOne,
    Choice,
    Choices,
    ChoicesCall,
    Destination,
    Payload,
    Settings,
    SyncMode,
    field,
    hookimpl,
)


class OddSettings(Settings):
    """One setting of every kind, one of them called as JavaScript calls something of its own."""

    constructor: str = field("Constructor")
    size: float | None = field("Size")
    level: int | None = field("Level", choices=(Choice(0, "zero"), Choice(1, "one")), default=0)
    flag: bool | None = field("Flag", default=True)
    several: list[str] | None = field("Several")
    part: dict[str, Any] | None = field("Part")
    key: str | None = field("Key", type="password")
    keys: list[str] | None = field("Keys", secret=True)


class Address(Payload):
    """A part with a part of its own."""

    street: str = field("Street")


class OddPayload(Payload):
    """Fields that are edited in different ways."""

    constructor: str | None = field("Constructor")
    flag: bool | None = field("Flag")
    level: int | None = field("Level", choices=(Choice(0, "zero"), Choice(1, "one")), dynamic=True)
    numbers: list[int] | None = field("Numbers")
    address: Address | None = field("Address")


class Nothing(Payload):
    """No field at all."""


def find_levels(call: ChoicesCall[Any]) -> Choices:
    raise AssertionError(call.place)  # a destination without a sandbox is asked live only


@hookimpl
def destination() -> Destination:
    return Destination(slug="actions-odd", name="Odd")


@hookimpl
def settings() -> type[OddSettings]:
    return OddSettings


@hookimpl
def actions() -> list[Action]:
    return [
        Action(
            slug="odd",
            title="Odd",
            payload=OddPayload,
            dynamic={"level": find_levels},
            sync_mode=SyncMode(label="How rows are sent", default="upsert"),
            rules=[AtMostOne("constructor", "numbers")],
        ),
        Action(slug="nothing", title="Nothing", trigger='type = "page"', payload=Nothing),
    ]


@hookimpl
def perform(client: httpx.Client, payload: Any) -> httpx.Response:
    return client.post("https://odd.test/all", json={"flag": getattr(payload, "flag", None)})
