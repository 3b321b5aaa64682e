"""A destination with dynamic fields, a dynamic setting and hooks of mappings, and its sandbox."""

from __future__ import annotations

from typing import Any

import httpx

from framework import (
    Action,
    Choice,
    Choices,
    ChoicesCall,
    Destination,
    HookCall,
    IntegrationError,
    MappingHook,
    Payload,
    Saved,
    Settings,
    field,
    hookimpl,
)
from framework.sandbox import Sandbox, SandboxRequest, SandboxResponse

HOST = "https://lists.test"
PAGE = 2


class ListsSettings(Settings):
    """Access to the lists."""

    region: str = field("Region", dynamic=True)
    token: str = field("Token", type="password")


class Address(Payload):
    """Where somebody lives."""

    country: str | None = field("Country", dynamic=True)


class Item(Payload):
    """One thing."""

    sku: str | None = field("SKU", dynamic=True)


class Row(Payload):
    """One row of a list."""

    list_id: str | None = field("List", dynamic=True)
    address: Address | None = field("Address")
    items: list[Item] | None = field("Items")
    extra: dict[str, Any] | None = field("Extra", dynamic=True)
    text: str | None = field("Text", mapping={"@path": "$.event"})


class NewList(Payload):
    """What a new list needs."""

    name: str = field("Name", maximum=10)
    folder: str | None = field("Folder", dynamic=True)


class MadeList(Payload):
    """A list that was made."""

    id: str = field("ID")


def lists(call: ChoicesCall[ListsSettings]) -> Choices:
    """Return the lists whose names hold what is searched, two at a time."""
    query = {"search": call.search or "", "page": call.page or "1", "region": call.settings.region}
    answer = call.client.get(f"{HOST}/lists", params=query).json()
    return Choices([Choice(one["id"], one["name"]) for one in answer["lists"]], answer["next"])


def seen(call: ChoicesCall[ListsSettings]) -> Choices:
    """Return what was asked."""
    parts = (call.place, call.selected_key, call.selected_index, call.payload.get("list_id"))
    return Choices([Choice(part) for part in parts if part is not None])


def broken(call: ChoicesCall[ListsSettings]) -> Any:
    """Return what is no Choices, raise, or leak, as the payload says."""
    kind = call.payload.get("kind")
    if kind == "raise":
        raise RuntimeError(call.settings.token)
    if kind == "refuse":
        raise IntegrationError(f"Not with {call.settings.token}.", "NOT_NOW", 409)
    label = Choices([Choice("a", 1)])  # type: ignore[arg-type]
    wrong = {"list": ["a"], "choice": Choices(["a"]), "page": Choices([], 2), "label": label}  # type: ignore[list-item,arg-type]
    return wrong[str(kind)]


def make_list(call: HookCall[ListsSettings, NewList]) -> Saved:
    """Make a list with the given name."""
    if call.inputs.name == "odd":
        return Saved({"wrong": 1})
    if call.inputs.name == "nothing":
        return None  # type: ignore[return-value]
    if call.inputs.name == "empty":
        return Saved(None)  # type: ignore[arg-type]
    made = call.client.post(f"{HOST}/lists", json={"name": call.inputs.name}).json()
    return Saved(MadeList(id=made["id"]), f"List {call.inputs.name} was made.")


@hookimpl
def destination() -> Destination:
    """Return the destination."""
    return Destination(slug="lists", name="Lists", dynamic_settings={"region": seen})


@hookimpl
def settings() -> type[ListsSettings]:
    """Return the settings."""
    return ListsSettings


@hookimpl
def actions() -> list[Action]:
    """Return one action with everything."""
    hook = MappingHook(
        kind="onMappingSave",
        label="Make a list",
        inputs=NewList,
        outputs=MadeList,
        run=make_list,
        dynamic={"folder": seen},
    )
    return [
        Action(
            slug="row",
            title="Add a row",
            trigger='type = "track"',
            payload=Row,
            dynamic={
                "list_id": lists,
                "address.country": seen,
                "items[].sku": seen,
                "extra.__keys__": seen,
                "extra.__values__": broken,
            },
            hooks=[hook],
        )
    ]


@hookimpl
def perform(client: httpx.Client, payload: Row, hook_outputs: dict[str, Any]) -> httpx.Response:
    """Add a row to the list of the payload, else to the one that the hook has made."""
    made: MadeList | None = hook_outputs["onMappingSave"]
    target = payload.list_id or (made.id if made else "none")
    return client.post(f"{HOST}/lists/{target}/rows", json={"text": payload.text})


class ListsSandbox(Sandbox):
    """Three lists, and those that are made."""

    name = "Lists"
    origins = (HOST,)
    names = ("Spring", "Summer", "Autumn")

    def answer(self, request: SandboxRequest) -> SandboxResponse:
        """Return a page of lists, or make one."""
        if request.method == "POST":
            return SandboxResponse(201, {"id": "L77"})
        wanted = request.query.get("search", "").lower()
        page = int(request.query.get("page", "1"))
        found = [one for one in self.names if wanted in one.lower()]
        shown = found[(page - 1) * PAGE : page * PAGE]
        more = str(page + 1) if page * PAGE < len(found) else None
        lists = [{"id": f"L{self.names.index(one)}", "name": one} for one in shown]
        return SandboxResponse(200, {"lists": lists, "next": more})


@hookimpl
def sandbox() -> ListsSandbox:
    """Return a sandbox."""
    return ListsSandbox()
