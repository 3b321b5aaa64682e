"""The OpenAPI document of the tester's own API: every route with its request and response.

The server takes its routes and the validation of request bodies from here, so that the document
matches the server. The page is at `/` (`page/index.html`), its files are at `/page/...`; neither
needs the token, which the page reads from the fragment of its own address, `/#token=...`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, TypeAlias

from msgspec import Meta
from msgspec.json import schema_components

from framework.tester import api_types as api
from framework.tester import file_edits, partner_questions, runs, sandbox_types, store_views
from framework.tester.api_types import about
from framework.tester.operation import Operation, record

JsonSchema: TypeAlias = dict[str, Any]

TOKEN_HEADER: Final = "X-Actions-Token"  # noqa: S105 - a name, not a token
TOKEN_PARAMETER: Final = "token"  # noqa: S105 - the same


_EXAMPLES: Final = record("Examples", examples=list[api.ExampleJson])
_NAME: Final = Annotated[
    str,
    about(
        "Letters, digits, blanks, `_`, `.` and `-`.",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]{0,79}(?![\s\S])",
    ),
]


_OWN: Final = (
    Operation(
        "status",
        "GET /api/status",
        (),
        "The options of the tester.",
        record(
            "Status",
            version=str,
            destination=api.DestinationSlug | None,
            connection=api.ConnectionFileJson | None,
            reload=Annotated[bool, about("Whether `/api/changes` reports restarts.")],
            follows=Annotated[bool, about("Whether `/api/live` follows a run.")],
            store=Annotated[bool, about("Whether there is a store, for `/api/store`.")],
        ),
    ),
    Operation(
        "catalogue",
        "GET /api/destinations",
        (),
        "The installed destinations, and the problems of plugins that were left out.",
        record("Catalogue", destinations=list[api.InstalledJson], problems=list[str]),
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
        "All problems of a connection, with positions.",
        record("Diagnostics", diagnostics=list[api.DiagnosticJson]),
        record("ValidateBody", connection=api.ConnectionJson),
    ),
    Operation(
        "trigger",
        "POST /api/trigger",
        (),
        "Parse a trigger and evaluate events.",
        record(
            "TriggerTruth",
            "offset",
            canonical=Annotated[str | None, about("null if it does not parse.")],
            remarks=list[str],
            error=Annotated[str | None, about("The message, with the text and a caret.")],
            offset=Annotated[int, about("Character offset of the error in the text.")],
            verdicts=Annotated[list[api.VerdictJson], about("One for each event.")],
        ),
        record("TriggerBody", trigger=api.TriggerText, events=api.EventList),
    ),
    Operation(
        "resolve",
        "POST /api/resolve",
        (404,),
        "Evaluate a mapping on an event, regardless of the trigger.",
        record(
            "Resolved",
            mapping=list[api.MappedFieldJson],
            payload=api.JsonObject | None,
            problems=list[api.FieldProblemJson],
        ),
        record(
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
        "Trace one event without sending anything.",
        api.JourneyJson,
        record("ExplainBody", connection=api.ConnectionJson, event=api.JsonObject),
    ),
    Operation(
        "authenticate",
        "POST /api/authenticate",
        (404, 409),
        "Test the credentials of a connection.",
        record(
            "Authenticated",
            ok=bool,
            message=Annotated[str, about("The result as a sentence.")],
            code=str | None,
            status=int | None,
            exchanges=list[api.ExchangeJson],
        ),
        record("AuthenticateBody", "mode", connection=api.ConnectionJson, mode=api.ModeName),
    ),
    Operation(
        "sandbox",
        "GET /api/sandboxes/{slug}",
        (404, 409),
        "The state of a sandbox, which starts with the first request.",
        sandbox_types.SandboxJson,
    ),
    Operation(
        "startSandbox",
        "POST /api/sandboxes/{slug}",
        (404, 409),
        "Accept connections with these settings, in addition to others.",
        sandbox_types.SandboxJson,
        record("StartSandboxBody", "settings", settings=api.JsonObject),
    ),
    Operation(
        "resetSandbox",
        "POST /api/sandboxes/{slug}/reset",
        (404, 409),
        "Reset the state and remove pending faults.",
        sandbox_types.SandboxJson,
        api.JsonObject,
    ),
    Operation(
        "injectFault",
        "POST /api/sandboxes/{slug}/faults",
        (404, 409),
        "Inject a fault.",
        sandbox_types.SandboxJson,
        sandbox_types.FaultJson,
    ),
    Operation(
        "moveClock",
        "POST /api/sandboxes/{slug}/clock",
        (404, 409),
        "Advance the clock of the sandbox.",
        sandbox_types.SandboxJson,
        record("MoveClockBody", move=Annotated[float, Meta(ge=0, le=31_536_000)]),
    ),
    Operation(
        "watchSandbox",
        "GET /api/sandboxes/{slug}/events",
        (404, 409),
        "The state of a sandbox whenever it changes (event `state`).",
        sandbox_types.SandboxJson,
        stream=True,
    ),
    Operation(
        "examples",
        "GET /api/examples",
        (),
        "Sample events: one of each kind, and saved ones.",
        _EXAMPLES,
    ),
    Operation(
        "generate",
        "POST /api/examples/generate",
        (404,),
        "Generate an event for an action's default mapping.",
        record("Generated", event=api.JsonObject),
        record(
            "GenerateBody",
            "seed",
            "only",
            destination=api.DestinationSlug,
            subscription=api.SubscriptionJson,
            seed=Annotated[
                int, about("The seed; equal seeds generate equal events.", ge=0, le=2**31)
            ],
            only=Annotated[Literal["all", "required"], about("The fields that get a value.")],
        ),
    ),
    Operation(
        "readEvents",
        "POST /api/events",
        (),
        "Read a text or a file of events, as `actions run` reads it.",
        record(
            "EventsRead",
            events=Annotated[list[api.JsonObject], about("The events, in their order.")],
            lines=Annotated[list[int], about("The line of each event, from 1.")],
            rejected=Annotated[list[api.RejectedJson], about("The lines that are no events.")],
            unpacked=Annotated[dict[str, int], about("Envelopes by kind.")],
            whole=Annotated[bool, about("Whether everything was read, before a limit.")],
        ),
        record(
            "EventsText",
            "text",
            "base64",
            "name",
            "unpack",
            text=Annotated[str, about("The text; or give `base64`.")],
            base64=Annotated[
                str,
                about(
                    "The bytes of a file in base64.",
                    pattern=r"^([A-Za-z0-9+/]{4})*"
                    r"([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?(?![\s\S])",
                ),
            ],
            name=Annotated[str, about("The file's name, for messages.", max_length=200)],
            unpack=Annotated[bool, about("Whether envelopes are replaced by the events in them.")],
        ),
    ),
    Operation(
        "saveExample",
        "POST /api/examples",
        (409,),
        "Save events under a name, also for later sessions.",
        _EXAMPLES,
        record("SaveExampleBody", name=_NAME, events=api.NonEmptyEventList),
    ),
    Operation(
        "deleteExample",
        "DELETE /api/examples/{name}",
        (404, 409),
        "Delete saved events.",
        _EXAMPLES,
    ),
    Operation(
        "live",
        "GET /api/live",
        (409,),
        "The outcomes of a run in real time (events `outcome` and `restart`).",
        api.OutcomeJson,
        parameters={
            "outcome": Annotated[
                str, about("Only these outcomes, separated by commas.", max_length=200)
            ],
            "subscription": Annotated[str, about("Only of this subscription.", max_length=200)],
            "text": Annotated[str, about("Only rows that contain this text.", max_length=200)],
        },
        stream=True,
    ),
    Operation(
        "changes",
        "GET /api/changes",
        (),
        "Reports the tester's start (event `started`); after a restart the page reloads.",
        dict[str, str],
        stream=True,
    ),
    Operation("document", "GET /api/openapi.json", (), "This document.", api.JsonObject),
)
OPERATIONS: Final = (
    *_OWN,
    *partner_questions.OPERATIONS,
    *file_edits.OPERATIONS,
    *store_views.OPERATIONS,
    *runs.OPERATIONS,
)
"""Every route of the API."""

_REFUSALS: Final = {
    400: "The body is not valid JSON or does not match the schema.",
    401: "The token is missing or wrong.",
    403: "The request comes from another page.",
    404: "The name is unknown.",
    409: "Not possible with this destination or with the options of the tester.",
    413: "The body is too large.",
    415: "The content type is not `application/json`.",
    421: "The request is for another host.",
}


def _described() -> tuple[list[Any], list[JsonSchema], dict[str, JsonSchema]]:
    """Return the types of the operations, with their schemas and all referenced schemas."""
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
    """Write a nullable string, number or open object as one schema, as error messages quote it."""
    match value:
        case {"anyOf": [{"type": str(kind), **more}, {"type": "null"}]} if "items" not in more:
            del value["anyOf"]
            value.update(more, type=[kind, "null"])
        case dict() | list():
            for inner in value.values() if isinstance(value, dict) else value:
                _join_null(inner)


_TYPES, _SCHEMAS, SCHEMAS = _described()


def schema_of(kind: Any) -> JsonSchema:
    """Return the schema of an operation's type; it may refer to SCHEMAS."""
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
            "description": "Test destinations on this machine. Every route needs the token in the "
            f"page's address, as the header `{TOKEN_HEADER}` or the query parameter "
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
            "200": {"description": "Success.", "content": {kind: {"schema": schema}}},
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
