"""The types of the tester's API about sandboxes: their state, their requests and their faults."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct

from framework.tester.api_types import JsonObject, Omissible, about


class FaultJson(Struct):
    """A fault that a sandbox injects into calls."""

    kind: Annotated[str, about("One of the known kinds.")]
    route: Omissible[Annotated[str, about("A name from `calls`, or `*`.")]] = UNSET
    call: Omissible[
        Annotated[int, about("The first affected call, counted from 1.", ge=1, le=1_000_000)]
    ] = UNSET
    times: Omissible[Annotated[int, about("The number of affected calls.", ge=1, le=1_000_000)]] = (
        UNSET
    )
    seconds: Omissible[Annotated[float, Meta(ge=0, le=60)]] = UNSET


class PanelJson(Struct):
    """A table of a sandbox's state."""

    title: str
    columns: list[str]
    rows: list[list[Any]]
    empty: str


class SandboxRequestJson(Struct):
    """A request that a sandbox has answered."""

    at: float
    route: str
    method: str
    path: str
    status: int | None
    fault: str | None
    size: int
    note: JsonObject


class FaultsJson(Struct):
    """The faults that a sandbox knows, and those that wait for their calls."""

    known: Annotated[JsonObject, about("Kind to description.")]
    pending: list[FaultJson]


class SandboxJson(Struct):
    """The state of a sandbox."""

    destination: str
    name: str
    settings: Annotated[JsonObject, about("Sample settings that are accepted.")]
    now: float
    calls: Annotated[JsonObject, about("Calls by route.")]
    panels: Annotated[list[PanelJson], about("The tables of its state.")]
    requests: Annotated[list[SandboxRequestJson], about("The last fifty, newest first.")]
    faults: FaultsJson
