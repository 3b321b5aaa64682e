"""A destination that does everything a destination can do, with a pretend partner."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import httpx

from framework import (
    Action,
    AudienceCall,
    Audiences,
    Batching,
    Choice,
    Choices,
    ChoicesCall,
    DeletionRequest,
    Destination,
    HookCall,
    IntegrationError,
    MappingHook,
    OAuthClientCredentials,
    Payload,
    Preset,
    Saved,
    Settings,
    field,
    hookimpl,
)
from framework.definition import MappingHookKind
from framework.sandbox import (
    Fault,
    Panel,
    Sandbox,
    SandboxClock,
    SandboxRequest,
    SandboxResponse,
    SandboxRoute,
)

HOST = "https://bazaar.test"
SECRET = "open-sesame-4711"


class BazaarSettings(Settings):
    """Access to the bazaar."""

    client_id: str = field("Client", "Who trades.")
    client_secret: str = field("Secret", "What opens the bazaar.", type="password")
    region: str = field("Region", choices=(Choice("eu", "Europe"), Choice("us")), default="eu")


class Order(Payload):
    """One order."""

    thing: str = field("Thing", "What is ordered.", mapping={"@path": "$.properties.thing"})
    pieces: int = field("Pieces", minimum=1, maximum=9, default=1)
    email: str | None = field("Mail", format="email", mapping={"@path": "$.context.traits.email"})
    stall: str | None = field("Stall", dynamic=True)
    colours: list[str] | None = field("Colours", choices=["red", "blue"])


class Note(Payload):
    """A note without default mapping."""

    text: str | None = field("Text")


def find_stalls(call: ChoicesCall[BazaarSettings]) -> Choices:
    stalls = call.client.get(f"{HOST}/stalls").json()
    found = [Choice(one, one.title()) for one in stalls if (call.search or "") in one]
    return Choices(found, f"{call.place}-{call.page or 1}")


class Shelf(Payload):
    """What a new shelf needs."""

    name: str | None = field("Name")
    shelf: str | None = field("Beside", dynamic=True)


class MadeShelf(Payload):
    """A shelf that was made."""

    id: str = field("ID")


def make_shelf(call: HookCall[BazaarSettings, Shelf]) -> Saved:
    if not call.inputs.name:
        raise IntegrationError("A name is needed.", "NAME_NEEDED", 400)
    call.client.post(f"{HOST}/orders", json={"thing": "shelf"})
    return Saved(MadeShelf(id=f"shelf-{call.inputs.name}"))


def shelf_hook(kind: MappingHookKind) -> MappingHook:
    return MappingHook(
        kind=kind,
        label="Make a shelf",
        inputs=Shelf,
        outputs=MadeShelf,
        run=make_shelf,
        dynamic={"shelf": find_stalls},
    )


def create_audience(call: AudienceCall[BazaarSettings, Any]) -> str:
    if not call.name:
        raise IntegrationError("An audience needs a name.", "NAME_NEEDED", 400)
    call.client.post(f"{HOST}/notes", json={"text": call.name})
    return f"audience-{call.name}"


def get_audience(call: AudienceCall[BazaarSettings, Any]) -> str | None:
    if not str(call.external_id).startswith("audience-"):
        raise IntegrationError("There is no such audience.", "NOT_FOUND", 404)
    return call.external_id


@hookimpl
def destination() -> Destination:
    presets = (Preset(name="Orders", action="order", trigger='type = "track"'),)
    return Destination(
        slug="actions-bazaar",
        name="Bazaar",
        presets=presets,
        audience=Audiences(create=create_audience, get=get_audience),
    )


@hookimpl
def settings() -> type[BazaarSettings]:
    return BazaarSettings


@hookimpl
def actions() -> list[Action]:
    batching = Batching(keys=("stall",), max_size=100)
    return [
        Action(
            slug="order",
            title="Order",
            description="Order one thing.",
            trigger='type = "track"',
            payload=Order,
            batching=batching,
            dynamic={"stall": find_stalls},
            hooks=[shelf_hook("onMappingSave"), shelf_hook("retlOnMappingSave")],
        ),
        Action(slug="note", title="Note", description="Leave a note.", payload=Note),
    ]


@hookimpl
def auth(settings: BazaarSettings) -> httpx.Auth:
    return OAuthClientCredentials(f"{HOST}/token", settings.client_id, settings.client_secret)


@hookimpl
def check_authentication(client: httpx.Client) -> None:
    client.get(f"{HOST}/me")


@hookimpl
def perform(client: httpx.Client, payload: Any, action: Action) -> httpx.Response:
    kind = "orders" if action.slug == "order" else "notes"
    body = {key: getattr(payload, key, None) for key in ("thing", "email", "text")}
    if body["thing"] == "bug":
        raise RuntimeError(SECRET)
    return client.post(f"{HOST}/{kind}?from=tester", json=body)


@hookimpl
def perform_batch(client: httpx.Client, payloads: list[Any]) -> httpx.Response:
    return client.post(f"{HOST}/orders", json=[{"thing": one.thing} for one in payloads])


@hookimpl
def delete_users(client: httpx.Client, requests: Sequence[DeletionRequest]) -> None:
    for one in requests:
        client.delete(f"{HOST}/people/{one.user_id}")


class BazaarSandbox(Sandbox):
    """Sells everything but poison, to those who have a token."""

    name: ClassVar[str] = "Bazaar"
    origins: ClassVar[tuple[str, ...]] = (HOST,)
    own_faults: ClassVar[Mapping[str, str]] = {"closed": "503: the bazaar is closed."}

    def __init__(self, clock: SandboxClock | None = None) -> None:
        super().__init__(clock)
        self._known = {"trader": SECRET}
        self.clear()

    def clear(self) -> None:
        self._sold: list[str] = []

    def settings(self) -> dict[str, Any]:
        return {"client_id": "trader", "client_secret": SECRET}

    def admit(self, settings: Mapping[str, Any]) -> None:
        self._known[str(settings["client_id"])] = str(settings["client_secret"])

    def describe(self, detail: str) -> dict[str, Any]:
        return {"sold": len(self._sold), "detail": detail}

    def panels(self) -> tuple[Panel, ...]:
        return (Panel("Sold", ("Thing",), tuple((one,) for one in self._sold)),)

    def fail(self, fault: Fault, route: SandboxRoute, request: SandboxRequest) -> SandboxResponse:
        del fault, route, request
        return SandboxResponse(503, {"error": "closed"})

    def route(self, request: SandboxRequest) -> SandboxRoute:
        name = request.path.split("/")[1]
        if name == "token":
            return SandboxRoute("token", lambda: self._token(request.body.decode()))
        if request.headers.get("authorization") != "Bearer fresh-token-0815":
            return SandboxRoute(name, lambda: SandboxResponse(401, {"error": "Who are you?"}))
        answers = {
            "me": SandboxResponse,
            "orders": lambda: self._order(json.loads(request.body)),
            "notes": lambda: SandboxResponse(201, {"echo": request.body.decode()}),
            "stalls": lambda: SandboxResponse(200, ["lamps", "carpets"]),
            "people": lambda: SandboxResponse(204),
        }
        return SandboxRoute(name, answers.get(name, lambda: SandboxResponse(404)))

    def _token(self, form: str) -> SandboxResponse:
        sent = httpx.QueryParams(form)
        if self._known.get(sent["client_id"]) != sent["client_secret"]:
            return SandboxResponse(401, {"error": "invalid_client", "said": sent["client_secret"]})
        return SandboxResponse(200, {"access_token": "fresh-token-0815", "expires_in": 900})

    def _order(self, body: Any) -> SandboxResponse:
        things = [one["thing"] for one in (body if isinstance(body, list) else [body])]
        if "poison" in things:
            return SandboxResponse(422, {"error": "Not sold here.", "things": things})
        self._sold += things
        return SandboxResponse(200, {"ordered": things})


@hookimpl
def sandbox() -> BazaarSandbox:
    return BazaarSandbox()
