"""The document of the tester's own API: every route, what it takes and what it gives.

The server reads its routes and the checks of request bodies from here, so that what is described
is what is served. The page stands at `/` (`page/index.html`), its files at `/page/...`; neither
needs the token, which the page reads from the fragment of its own address, `/#token=...`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType, defstruct
from msgspec.json import schema_components

from framework.tester import api_types as api
from framework.tester.api_types import about

JsonSchema: TypeAlias = dict[str, Any]

TOKEN_HEADER: Final = "X-Actions-Token"  # noqa: S105 - a name, not a token
TOKEN_PARAMETER: Final = "token"  # noqa: S105 - the same


@dataclass(frozen=True)
class Operation:
    """One route of the API: *body* is the type of what is posted, *answer* of what comes back.

    *place* is its method and its path, separated by a space.
    *stream* marks routes that answer with server-sent events; *parameters* are query parameters.
    *refusals* are the statuses beyond those that every route can answer.
    """

    id: str
    place: str
    refusals: tuple[int, ...]
    summary: str
    answer: Any
    body: Any = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    stream: bool = False

    @property
    def method(self) -> str:
        """The method of its requests."""
        return self.place.partition(" ")[0]

    @property
    def path(self) -> str:
        """The path of its requests; names in braces stand for parts of it."""
        return self.place.partition(" ")[2]


def _object(name: str, /, *omissible: str, **fields: Any) -> Any:
    """Return the type of an object that one operation alone takes or gives."""
    rows: list[Any] = [
        (key, kind | UnsetType, UNSET) if key in omissible else (key, kind)
        for key, kind in fields.items()
    ]
    return defstruct(name, rows, kw_only=True)


_EXAMPLES: Final = _object("Examples", examples=list[api.ExampleJson])
_NAME: Final = Annotated[
    str,
    about(
        "Letters, digits, blanks, `_`, `.` and `-`.",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]{0,79}(?![\s\S])",
    ),
]


OPERATIONS: Final = (
    Operation(
        "status",
        "GET /api/status",
        (),
        "What the tester was started with.",
        _object(
            "Status",
            version=str,
            destination=api.DestinationSlug | None,
            connection=api.ConnectionFileJson | None,
            reload=Annotated[bool, about("Whether `/api/changes` tells of restarts.")],
            follows=Annotated[bool, about("Whether `/api/live` follows a run.")],
        ),
    ),
    Operation(
        "catalogue",
        "GET /api/destinations",
        (),
        "The destinations that are installed, and why others were left out.",
        _object("Catalogue", destinations=list[api.InstalledJson], problems=list[str]),
    ),
    Operation(
        "definition",
        "GET /api/destinations/{slug}",
        (404,),
        "A destination's definition: forms, actions, defaults.",
        api.DefinitionJson,
    ),
    Operation(
        "schemas",
        "GET /api/schemas",
        (),
        "The JSON Schemas by file name, for completion and checking in editors.",
        api.JsonObject,
    ),
    Operation(
        "validate",
        "POST /api/validate",
        (404,),
        "Everything that is wrong with a connection, by place.",
        _object("Diagnostics", diagnostics=list[api.DiagnosticJson]),
        _object("ValidateBody", connection=api.ConnectionJson),
    ),
    Operation(
        "trigger",
        "POST /api/trigger",
        (),
        "Read a trigger and judge events by it: the live truth of the editor.",
        _object(
            "TriggerTruth",
            "offset",
            canonical=Annotated[str | None, about("null: does not parse.")],
            remarks=list[str],
            error=Annotated[str | None, about("With the text and a caret.")],
            offset=Annotated[
                int, about("Characters into the text, where the error points at one.")
            ],
            verdicts=Annotated[list[api.VerdictJson], about("One for each event.")],
        ),
        _object("TriggerBody", trigger=api.TriggerText, events=api.EventList),
    ),
    Operation(
        "resolve",
        "POST /api/resolve",
        (404,),
        "What a mapping makes of an event, whatever the trigger says.",
        _object(
            "Resolved",
            mapping=list[api.MappedFieldJson],
            payload=api.JsonObject | None,
            problems=list[api.FieldProblemJson],
        ),
        _object(
            "ResolveBody",
            destination=api.DestinationSlug,
            subscription=api.SubscriptionJson,
            event=api.JsonObject,
        ),
    ),
    Operation(
        "explain",
        "POST /api/explain",
        (404,),
        "One event's journey, without sending anything.",
        api.JourneyJson,
        _object("ExplainBody", connection=api.ConnectionJson, event=api.JsonObject),
    ),
    Operation(
        "dryRun",
        "POST /api/dry-run",
        (404,),
        "What would be sent for events.",
        api.RunJson,
        _object("DryRunBody", connection=api.ConnectionJson, events=api.NonEmptyEventList),
    ),
    Operation(
        "run",
        "POST /api/run",
        (404, 409),
        "Deliver events, and show the journey of each.",
        api.RunJson,
        _object(
            "RunBody",
            "mode",
            connection=api.ConnectionJson,
            events=api.NonEmptyEventList,
            mode=api.ModeName,
        ),
    ),
    Operation(
        "authenticate",
        "POST /api/authenticate",
        (404, 409),
        "Test the credentials of a connection.",
        _object(
            "Authenticated",
            ok=bool,
            message=Annotated[str, about("What the partner says, in words.")],
            code=str | None,
            status=int | None,
            exchanges=list[api.ExchangeJson],
        ),
        _object("AuthenticateBody", "mode", connection=api.ConnectionJson, mode=api.ModeName),
    ),
    Operation(
        "sandbox",
        "GET /api/sandboxes/{slug}",
        (404, 409),
        "The state of a pretend partner; it starts when it is first asked for.",
        api.SandboxJson,
    ),
    Operation(
        "startSandbox",
        "POST /api/sandboxes/{slug}",
        (404, 409),
        "Let connections with these settings in, besides those that are.",
        api.SandboxJson,
        _object("StartSandboxBody", "settings", settings=api.JsonObject),
    ),
    Operation(
        "resetSandbox",
        "POST /api/sandboxes/{slug}/reset",
        (404, 409),
        "Forget everything that happened, and all faults to come.",
        api.SandboxJson,
        api.JsonObject,
    ),
    Operation(
        "injectFault",
        "POST /api/sandboxes/{slug}/faults",
        (404, 409),
        "Make calls go wrong.",
        api.SandboxJson,
        api.FaultJson,
    ),
    Operation(
        "moveClock",
        "POST /api/sandboxes/{slug}/clock",
        (404, 409),
        "Make it later at the pretend partner.",
        api.SandboxJson,
        _object("MoveClockBody", move=Annotated[float, Meta(ge=0, le=31_536_000)]),
    ),
    Operation(
        "watchSandbox",
        "GET /api/sandboxes/{slug}/events",
        (404, 409),
        "The state of a pretend partner whenever it changes (event `state`).",
        api.SandboxJson,
        stream=True,
    ),
    Operation(
        "examples",
        "GET /api/examples",
        (),
        "Events to try: one of each kind, and those that were saved.",
        _EXAMPLES,
    ),
    Operation(
        "generate",
        "POST /api/examples/generate",
        (404,),
        "Make an event that an action's default mapping can use.",
        _object("Generated", event=api.JsonObject),
        _object(
            "GenerateBody",
            "seed",
            "only",
            destination=api.DestinationSlug,
            subscription=api.SubscriptionJson,
            seed=Annotated[int, about("Same seed, same event.", ge=0, le=2**31)],
            only=Annotated[Literal["all", "required"], about("Which fields get a value.")],
        ),
    ),
    Operation(
        "readEvents",
        "POST /api/events",
        (),
        "Read a text or a file of events, as `actions run` reads it.",
        _object(
            "EventsRead",
            events=Annotated[list[api.JsonObject], about("The events, in their order.")],
            lines=Annotated[list[int], about("The line of each event, from 1.")],
            rejected=Annotated[list[api.RejectedJson], about("The lines that are no events.")],
            unpacked=Annotated[dict[str, int], about("Envelopes by kind.")],
            whole=Annotated[bool, about("Whether everything was read, before a limit.")],
        ),
        _object(
            "EventsText",
            "text",
            "base64",
            "name",
            "unpack",
            text=Annotated[str, about("The text; or give `base64`.")],
            base64=Annotated[str, about("The bytes of a file in base64.")],
            name=Annotated[str, about("The file's name, for messages.", max_length=200)],
            unpack=Annotated[bool, about("Whether envelopes are replaced by the events in them.")],
        ),
    ),
    Operation(
        "saveExample",
        "POST /api/examples",
        (409,),
        "Keep events under a name, for this and later sessions.",
        _EXAMPLES,
        _object("SaveExampleBody", name=_NAME, events=api.NonEmptyEventList),
    ),
    Operation(
        "deleteExample",
        "DELETE /api/examples/{name}",
        (404, 409),
        "Forget saved events.",
        _EXAMPLES,
    ),
    Operation(
        "export",
        "POST /api/export",
        (404, 409),
        "A case as a `*.test.yaml` for `actions test`: events and what came of them.",
        _object("Exported", file=str, text=str),
        _object(
            "ExportBody",
            "name",
            "mode",
            connection=api.ConnectionJson,
            events=api.NonEmptyEventList,
            name=Annotated[str, about("The case's name.", max_length=200)],
            mode=api.ModeName,
        ),
    ),
    Operation(
        "live",
        "GET /api/live",
        (409,),
        "The outcomes of a run as they happen (events `outcome` and `restart`).",
        api.OutcomeJson,
        parameters={
            "outcome": Annotated[str, about("Only these, separated by commas.", max_length=200)],
            "subscription": Annotated[str, about("Only of this one.", max_length=200)],
            "text": Annotated[str, about("Only rows that contain it.", max_length=200)],
        },
        stream=True,
    ),
    Operation(
        "changes",
        "GET /api/changes",
        (),
        "Tells of the tester's start (event `started`); after a restart the page reloads.",
        dict[str, str],
        stream=True,
    ),
    Operation("document", "GET /api/openapi.json", (), "This document.", api.JsonObject),
)
"""Every route of the API."""

_REFUSALS: Final = {
    400: "The body is no JSON, or not as described.",
    401: "The token is missing or wrong.",
    403: "The request comes from another page.",
    404: "There is nothing of that name.",
    409: "That is not possible with this destination or as the tester was started.",
    413: "The body is too large.",
    415: "The body is not sent as `application/json`.",
    421: "The request is meant for another host.",
}


def _described() -> tuple[list[Any], list[JsonSchema], dict[str, JsonSchema]]:
    """Return the types that operations name, their schemas, and those that these refer to."""
    types: list[Any] = [api.ErrorJson]
    for one in OPERATIONS:
        types += [one.answer, *one.parameters.values()]
        types += [one.body] if one.body is not None else []
    found = schema_components(types, ref_template="#/components/schemas/{name}")
    schemas, named = json.loads(re.sub(r'(/schemas/\w+)Json"', r'\1"', json.dumps(found)))
    components = {name.removesuffix("Json"): schema for name, schema in named.items()}
    for schema in components.values():
        del schema["title"]
        if not schema["required"]:
            del schema["required"]
    _join_null([*schemas, components])
    return types, schemas, components


def _join_null(value: Any) -> None:
    """Write a text, number or open object that may be null as one schema, which refusals quote."""
    match value:
        case {"anyOf": [{"type": str(kind), **more}, {"type": "null"}]} if "items" not in more:
            del value["anyOf"]
            value.update(more, type=[kind, "null"])
        case dict() | list():
            for inner in value.values() if isinstance(value, dict) else value:
                _join_null(inner)


_TYPES, _SCHEMAS, SCHEMAS = _described()


def schema_of(kind: Any) -> JsonSchema:
    """Return the schema of a type that an operation names; it may refer to SCHEMAS."""
    return _SCHEMAS[_TYPES.index(kind)]


def openapi(version: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the tester's API."""
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    schemes = {
        "header": {"type": "apiKey", "in": "header", "name": TOKEN_HEADER},
        "query": {"type": "apiKey", "in": "query", "name": TOKEN_PARAMETER},
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "The local tester",
            "version": version,
            "description": "Try destinations on this machine. Every route needs the token that is "
            f"in the page's address, as the header `{TOKEN_HEADER}` or the query parameter "
            f"`{TOKEN_PARAMETER}` (for streams, which cannot send headers).",
        },
        "security": [{"header": []}, {"query": []}],
        "paths": paths,
        "components": {"schemas": SCHEMAS, "securitySchemes": schemes},
    }


def _operation(operation: Operation) -> dict[str, Any]:
    kind = "text/event-stream" if operation.stream else "application/json"
    schema = {"type": "string"} if operation.stream else schema_of(operation.answer)
    common = (400, 413, 415) if operation.body is not None else ()
    refused = sorted({401, 403, 421, *common, *operation.refusals})
    document: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": list(_parameters(operation)),
        "responses": {
            "200": {"description": "As asked.", "content": {kind: {"schema": schema}}},
            **{str(status): _refusal(status) for status in refused},
        },
    }
    if operation.body is not None:
        content = {"application/json": {"schema": schema_of(operation.body)}}
        document["requestBody"] = {"required": True, "content": content}
    return document


def _parameters(operation: Operation) -> Iterator[JsonSchema]:
    for part in operation.path.split("/"):
        if part.startswith("{"):
            schema = {"type": "string", "minLength": 1}
            yield {"name": part.strip("{}"), "in": "path", "required": True, "schema": schema}
    for name, kind in operation.parameters.items():
        yield {"name": name, "in": "query", "required": False, "schema": schema_of(kind)}


def _refusal(status: int) -> dict[str, Any]:
    content = {"application/json": {"schema": schema_of(api.ErrorJson)}}
    return {"description": _REFUSALS[status], "content": content}
