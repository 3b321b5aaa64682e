"""The document of the tester's own API: every route, what it takes and what it gives.

The server reads its routes and the checks of request bodies from here, so that what is described
is what is served. The page stands at `/` (`page/index.html`), its files at `/page/...`; neither
needs the token, which the page reads from the fragment of its own address, `/#token=...`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

Schema: TypeAlias = dict[str, Any]

MODES: Final = ("sandbox", "dry", "live")
"""Where requests go: to the pretend partner, nowhere, or to the real partner."""

MAX_EVENTS: Final = 5_000
TOKEN_HEADER: Final = "X-Actions-Token"  # noqa: S105 - a name, not a token
TOKEN_PARAMETER: Final = "token"  # noqa: S105 - the same


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One route of the API: *body* is the schema of what is posted, *answer* of what comes back.

    *stream* marks routes that answer with server-sent events; *parameters* are query parameters.
    *refusals* are the statuses beyond those that every route can answer.
    """

    id: str
    method: str
    path: str
    summary: str
    answer: Schema
    body: Schema | None = None
    parameters: Mapping[str, Schema] = field(default_factory=dict)
    refusals: tuple[int, ...] = ()
    stream: bool = False


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _text(description: str, **more: Any) -> Schema:
    return {"type": "string", "description": description, **more}


def _flag(description: str) -> Schema:
    return {"type": "boolean", "description": description}


def _whole(description: str, **more: Any) -> Schema:
    return {"type": "integer", "description": description, **more}


def _list(items: Schema, description: str = "", **more: Any) -> Schema:
    told = {"description": description} if description else {}
    return {"type": "array", "items": items, **told, **more}


def _maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _object(properties: Mapping[str, Schema], optional: str = "", description: str = "") -> Schema:
    """Give the schema of an object; *optional* names the keys that may be left out."""
    needed = [key for key in properties if key not in optional.split()]
    told = {"description": description} if description else {}
    required = {"required": needed} if needed else {}
    return {"type": "object", **told, "properties": dict(properties), **required}


_ANY: Final[Schema] = {}
_OPEN: Final[Schema] = {"type": "object"}
_SLUG: Final = _text("The slug of a destination.", maxLength=200)
_MODE: Final[Schema] = {
    "enum": list(MODES),
    "description": "Where requests go: `sandbox` (the pretend partner), `dry` (nowhere) or `live`.",
}
_EVENTS: Final = _list(_OPEN, "Events as decoded JSON.", minItems=1, maxItems=MAX_EVENTS)
_TRIGGER: Final = _text("A trigger's text.", maxLength=20_000)

SCHEMAS: Final[Mapping[str, Schema]] = {
    "Error": _object(
        {
            "error": _object(
                {
                    "code": _text("The problem for machines."),
                    "message": _text("The problem for people."),
                    "problems": _list({"type": "string"}, "Every problem, a sentence each."),
                }
            )
        }
    ),
    "Subscription": _object(
        {
            "name": _text("What outcomes are reported by; unique in the connection."),
            "partnerAction": _text("The slug of the action."),
            "subscribe": {
                "type": ["string", "null"],
                "maxLength": 20_000,
                "description": "The trigger; without it the action's default.",
            },
            "mapping": {**_OPEN, "description": "Field to value or directive; others: default."},
            "enabled": _flag("Whether it takes part."),
        },
        "name subscribe mapping enabled",
    ),
    "Connection": _object(
        {
            "destination": _SLUG,
            "settings": {
                **_OPEN,
                "description": "Settings by key. Secrets that are left out are taken from the "
                "connection file that the tester was started with, if it is of this destination.",
            },
            "subscriptions": _list(
                _ref("Subscription"),
                "Without it: those that a new connection starts with.",
                maxItems=50,
            ),
        },
        "settings subscriptions",
    ),
    "Definition": _object(
        {
            "slug": _SLUG,
            "name": {"type": "string"},
            "description": {"type": "string"},
            "hasSandbox": _flag("Whether there is a pretend partner."),
            "checksAuthentication": _flag("Whether credentials can be tested."),
            "rate": _maybe(_object({"calls": _whole("Calls"), "seconds": {"type": "number"}})),
            "settings": _list(_ref("FormField"), "The form of the settings."),
            "actions": _list(_ref("Action")),
            "subscriptions": _list(
                _ref("Subscription"), "What a new connection starts with, mappings complete."
            ),
            "manifest": {**_OPEN, "description": "The reference's `metadata.json` of it."},
        }
    ),
    "Action": _object(
        {
            "slug": {"type": "string"},
            "title": {"type": "string"},
            "description": {"type": "string"},
            "trigger": {"type": ["string", "null"]},
            "mapping": {**_OPEN, "description": "The default mapping."},
            "batching": _maybe(_OPEN),
            "hidden": {"type": "boolean"},
            "fields": _list(_ref("FormField")),
        }
    ),
    "FormField": _object(
        {
            "key": {"type": "string"},
            "label": {"type": "string"},
            "description": {"type": "string"},
            "type": _text("string, text, password, number, integer, boolean, datetime, object."),
            "required": {"description": "true, false, or conditions `{match, conditions: [...]}`."},
            "multiple": {"type": "boolean"},
            "secret": _flag("Show it as a password; its value is never sent back."),
            "default": {"description": "A value, or null."},
            "mapping": {"description": "The expression a new subscription starts with, or null."},
            "choices": _list(
                _object({"value": _ANY, "label": {"type": "string"}}, description="A choice.")
            ),
            "placeholder": {"type": "string"},
            "category": {"type": ["string", "null"]},
            "dynamic": {"type": "boolean"},
            "readOnly": {"type": "boolean"},
            "hidden": {"type": "boolean"},
            "displayMode": {"type": ["string", "null"]},
            "properties": _maybe(_list(_ref("FormField"))),
        }
    ),
    "Condition": _object(
        {
            "condition": _text("The condition's text."),
            "join": {"enum": ["and", "or", "not", "condition"]},
            "truth": {"type": ["boolean", "null"], "description": "null: it cannot be judged."},
            "parts": _list(_ref("Condition"), "The conditions that are joined."),
            "saw": _list(
                _object(
                    {"field": {"type": "string"}, "value": _ANY},
                    "value",
                    "A field and its value; no `value`: the event does not have it.",
                )
            ),
        },
        "parts saw",
    ),
    "Verdict": _object(
        {
            "matched": {"type": "boolean"},
            "reason": _text("One sentence."),
            "tree": _ref("Condition"),
            "changes": _maybe(_list(_ref("Change"), "The smallest that would make it match.")),
        }
    ),
    "Change": _object(
        {
            "path": _text("Where in the event: `$.properties.plan`."),
            "kind": {"enum": ["set", "remove"]},
            "value": {"description": "What it is set to."},
            "text": _text("The change in words."),
        },
        "value",
    ),
    "MappedField": _object(
        {
            "field": {"type": "string"},
            "value": {"description": "What the mapping gave; absent where it gave nothing."},
            "mapping": {"description": "The expression."},
            "isDefault": _flag("Whether the expression is the action's default."),
            "sources": _list(
                _object(
                    {"path": {"type": "string"}, "value": _ANY},
                    "value",
                    "A place of the event that was read; no `value`: nothing is there.",
                )
            ),
        },
        "value",
    ),
    "FieldProblem": _object(
        {
            "field": _text("The field's path; empty where it is about the whole."),
            "code": _text("required, type, choices, format, ... or mapping, identifier."),
            "message": {"type": "string"},
        }
    ),
    "Exchange": _object(
        {
            "request": _object(
                {
                    "url": {"type": "string"},
                    "method": {"type": "string"},
                    "headers": _OPEN,
                    "body": {"type": "string"},
                }
            ),
            "response": _maybe(
                _object(
                    {
                        "statusCode": {"type": "integer"},
                        "statusMessage": {"type": "string"},
                        "headers": _OPEN,
                        "body": {"description": "JSON where it is that, else text."},
                    }
                )
            ),
            "error": _text("Why there is no answer."),
            "curl": _text("The request as a command, redacted."),
        },
        "error",
    ),
    "Result": _object(
        {
            "outcome": {"enum": ["delivered", "failed", "skipped", "waiting"]},
            "status": {"type": "integer"},
            "code": {"type": "string"},
            "message": {"type": "string"},
            "reporter": {"enum": ["framework", "partner"]},
            "retryable": {"type": "boolean"},
            "problems": _list({"type": "string"}),
            "body": {"description": "What the partner answered."},
        },
        "status code message reporter retryable problems body",
    ),
    "Leg": _object(
        {
            "subscription": {"type": "string"},
            "action": {"type": "string"},
            "trigger": _object(
                {
                    "text": {"type": "string"},
                    "matched": {"type": "boolean"},
                    "reason": {"type": "string"},
                    "tree": _ref("Condition"),
                }
            ),
            "mapping": _maybe(_list(_ref("MappedField"), "null where the trigger did not match.")),
            "payload": {"type": ["object", "null"], "description": "The mapped values in shape."},
            "problems": _list(_ref("FieldProblem"), "Why there is no payload."),
            "identifier": {"type": ["string", "null"]},
            "batch": _maybe(
                _object(
                    {
                        "index": _whole("Its place among the run's batches."),
                        "key": {**_OPEN, "description": "Fields in which all its payloads agree."},
                        "size": _whole("How many payloads it held."),
                        "reason": _text("Why it was closed: count, bytes, age or flush."),
                        "mates": _list(
                            _whole("Position"), "The first fifty other events that settled in it."
                        ),
                        "others": _whole("How many other events settled in it."),
                    }
                )
            ),
            "exchanges": _list(
                _ref("Exchange"),
                "Those of its batch. From the fiftieth event of a run on they are left out; the "
                "run's `batches` have them all.",
            ),
            "result": _ref("Result"),
        },
        description="An event's way through one subscription.",
    ),
    "Journey": _object(
        {
            "position": _whole("The event's place, from 0."),
            "messageId": _ANY,
            "event": _OPEN,
            "outcome": {
                "enum": ["delivered", "failed", "skipped"],
                "description": "The worst of its legs: failed before delivered before skipped.",
            },
            "legs": _list(_ref("Leg"), "One for each enabled subscription."),
            "nearest": _maybe(
                _object(
                    {
                        "subscription": {"type": "string"},
                        "reason": _text("Why it did not match."),
                        "changes": _maybe(_list(_ref("Change"))),
                        "text": _text("All of it in words."),
                    },
                    description="Where no subscription matched: the one that came nearest.",
                )
            ),
        }
    ),
    "Run": _object(
        {
            "mode": _MODE,
            "destination": {"type": "string"},
            "journeys": _list(_ref("Journey"), "One for each event."),
            "batches": _list(
                _object(
                    {
                        "action": {"type": "string"},
                        "key": _OPEN,
                        "size": {"type": "integer"},
                        "reason": {"type": "string"},
                        "exchanges": _list(_ref("Exchange")),
                    }
                )
            ),
            "counts": _object(
                {name: {"type": "integer"} for name in ("delivered", "failed", "skipped")},
                description="Results of all events and subscriptions.",
            ),
            "milliseconds": {"type": "number"},
        }
    ),
    "Diagnostic": _object(
        {
            "pointer": _text("JSON pointer into the connection: `/subscriptions/0/mapping`."),
            "severity": {"enum": ["error", "warning", "hint"]},
            "message": {"type": "string"},
            "hint": _text("What would be right, where that is known."),
            "code": _text("As `actions validate` names it; may be empty."),
            "offset": _whole("Characters into a trigger's text, where that is known."),
        },
        "offset",
    ),
    "Sandbox": _object(
        {
            "destination": {"type": "string"},
            "name": {"type": "string"},
            "settings": {**_OPEN, "description": "Made-up settings that are let in."},
            "now": {"type": "number"},
            "calls": {**_OPEN, "description": "Calls by route."},
            "panels": _list(
                _object(
                    {
                        "title": {"type": "string"},
                        "columns": _list({"type": "string"}),
                        "rows": _list(_list(_ANY)),
                        "empty": {"type": "string"},
                    }
                ),
                "Tables to show.",
            ),
            "requests": _list(
                _object(
                    {
                        "at": {"type": "number"},
                        "route": {"type": "string"},
                        "method": {"type": "string"},
                        "path": {"type": "string"},
                        "status": {"type": ["integer", "null"]},
                        "fault": {"type": ["string", "null"]},
                        "size": {"type": "integer"},
                        "note": _OPEN,
                    }
                ),
                "The last fifty, newest first.",
            ),
            "faults": _object(
                {
                    "known": {**_OPEN, "description": "Kind to description."},
                    "pending": _list(_ref("Fault")),
                }
            ),
        }
    ),
    "Fault": _object(
        {
            "kind": _text("One of the known kinds."),
            "route": _text("A name from `calls`, or `*`."),
            "call": _whole("From which call on, counted from 1.", minimum=1, maximum=1_000_000),
            "times": _whole("How often.", minimum=1, maximum=1_000_000),
            "seconds": {"type": "number", "minimum": 0, "maximum": 60},
        },
        "route call times seconds",
    ),
    "Example": _object(
        {
            "name": {"type": "string"},
            "title": {"type": "string"},
            "origin": {"enum": ["generated", "saved"]},
            "events": _list(_OPEN),
        }
    ),
    "Outcome": _object(
        {
            "line": {"type": "integer"},
            "messageId": _ANY,
            "subscription": {"type": ["string", "null"]},
            "outcome": {"enum": ["delivered", "failed", "skipped", "rejected"]},
        },
        description="A row of the outcome file, as `actions run --outcomes` writes it.",
    ),
}

_EXAMPLES: Final = _object({"examples": _list(_ref("Example"))})
_NAME: Final[Schema] = {
    "type": "string",
    "pattern": r"^[A-Za-z0-9][A-Za-z0-9 _.-]{0,79}(?![\s\S])",
    "description": "Letters, digits, blanks, `_`, `.` and `-`.",
}

OPERATIONS: Final = (
    Operation(
        id="status",
        method="GET",
        path="/api/status",
        summary="What the tester was started with.",
        answer=_object(
            {
                "version": {"type": "string"},
                "destination": _maybe(_SLUG),
                "connection": _maybe(
                    _object(
                        {
                            "name": {"type": "string"},
                            "file": _text("The file's name without its folder."),
                            "kept": _list(
                                {"type": "string"}, "Secret settings that the file gives."
                            ),
                            "connection": _ref("Connection"),
                        },
                        description="The connection file; secret settings are left out.",
                    )
                ),
                "reload": _flag("Whether `/api/changes` tells of restarts."),
                "follows": _flag("Whether `/api/live` follows a run."),
            }
        ),
    ),
    Operation(
        id="catalogue",
        method="GET",
        path="/api/destinations",
        summary="The destinations that are installed, and why others were left out.",
        answer=_object(
            {
                "destinations": _list(
                    _object(
                        {
                            "slug": _SLUG,
                            "name": {"type": "string"},
                            "description": {"type": "string"},
                            "origin": _text("Distribution and version."),
                            "actions": _list({"type": "string"}, "Titles."),
                            "hasSandbox": {"type": "boolean"},
                        }
                    )
                ),
                "problems": _list({"type": "string"}),
            }
        ),
    ),
    Operation(
        id="definition",
        method="GET",
        path="/api/destinations/{slug}",
        summary="A destination's definition: forms, actions, defaults.",
        answer=_ref("Definition"),
        refusals=(404,),
    ),
    Operation(
        id="schemas",
        method="GET",
        path="/api/schemas",
        summary="The JSON Schemas by file name, for completion and checking in editors.",
        answer=_OPEN,
    ),
    Operation(
        id="validate",
        method="POST",
        path="/api/validate",
        summary="Everything that is wrong with a connection, by place.",
        body=_object({"connection": _ref("Connection")}),
        answer=_object({"diagnostics": _list(_ref("Diagnostic"))}),
        refusals=(404,),
    ),
    Operation(
        id="trigger",
        method="POST",
        path="/api/trigger",
        summary="Read a trigger and judge events by it: the live truth of the editor.",
        body=_object({"trigger": _TRIGGER, "events": {**_EVENTS, "minItems": 0}}),
        answer=_object(
            {
                "canonical": {"type": ["string", "null"], "description": "null: does not parse."},
                "remarks": _list({"type": "string"}),
                "error": {"type": ["string", "null"], "description": "With the text and a caret."},
                "offset": _whole("Characters into the text, where the error points at one."),
                "verdicts": _list(_ref("Verdict"), "One for each event."),
            },
            "offset",
        ),
    ),
    Operation(
        id="resolve",
        method="POST",
        path="/api/resolve",
        summary="What a mapping makes of an event, whatever the trigger says.",
        body=_object(
            {
                "destination": _SLUG,
                "subscription": _ref("Subscription"),
                "event": _OPEN,
            }
        ),
        answer=_object(
            {
                "mapping": _list(_ref("MappedField")),
                "payload": {"type": ["object", "null"]},
                "problems": _list(_ref("FieldProblem")),
            }
        ),
        refusals=(404,),
    ),
    Operation(
        id="explain",
        method="POST",
        path="/api/explain",
        summary="One event's journey, without sending anything.",
        body=_object({"connection": _ref("Connection"), "event": _OPEN}),
        answer=_ref("Journey"),
        refusals=(404,),
    ),
    Operation(
        id="dryRun",
        method="POST",
        path="/api/dry-run",
        summary="What would be sent for events.",
        body=_object({"connection": _ref("Connection"), "events": _EVENTS}),
        answer=_ref("Run"),
        refusals=(404,),
    ),
    Operation(
        id="run",
        method="POST",
        path="/api/run",
        summary="Deliver events, and show the journey of each.",
        body=_object({"connection": _ref("Connection"), "events": _EVENTS, "mode": _MODE}, "mode"),
        answer=_ref("Run"),
        refusals=(404, 409),
    ),
    Operation(
        id="authenticate",
        method="POST",
        path="/api/authenticate",
        summary="Test the credentials of a connection.",
        body=_object({"connection": _ref("Connection"), "mode": _MODE}, "mode"),
        answer=_object(
            {
                "ok": {"type": "boolean"},
                "message": _text("What the partner says, in words."),
                "code": {"type": ["string", "null"]},
                "status": {"type": ["integer", "null"]},
                "exchanges": _list(_ref("Exchange")),
            }
        ),
        refusals=(404, 409),
    ),
    Operation(
        id="sandbox",
        method="GET",
        path="/api/sandboxes/{slug}",
        summary="The state of a pretend partner; it starts when it is first asked for.",
        answer=_ref("Sandbox"),
        refusals=(404, 409),
    ),
    Operation(
        id="startSandbox",
        method="POST",
        path="/api/sandboxes/{slug}",
        summary="Let connections with these settings in, besides those that are.",
        body=_object({"settings": _OPEN}, "settings"),
        answer=_ref("Sandbox"),
        refusals=(404, 409),
    ),
    Operation(
        id="resetSandbox",
        method="POST",
        path="/api/sandboxes/{slug}/reset",
        summary="Forget everything that happened, and all faults to come.",
        body=_object({}),
        answer=_ref("Sandbox"),
        refusals=(404, 409),
    ),
    Operation(
        id="injectFault",
        method="POST",
        path="/api/sandboxes/{slug}/faults",
        summary="Make calls go wrong.",
        body=_ref("Fault"),
        answer=_ref("Sandbox"),
        refusals=(404, 409),
    ),
    Operation(
        id="moveClock",
        method="POST",
        path="/api/sandboxes/{slug}/clock",
        summary="Make it later at the pretend partner.",
        body=_object(
            {"move": {"type": "number", "minimum": 0, "maximum": 31_536_000}},
        ),
        answer=_ref("Sandbox"),
        refusals=(404, 409),
    ),
    Operation(
        id="watchSandbox",
        method="GET",
        path="/api/sandboxes/{slug}/events",
        summary="The state of a pretend partner whenever it changes (event `state`).",
        answer=_ref("Sandbox"),
        refusals=(404, 409),
        stream=True,
    ),
    Operation(
        id="examples",
        method="GET",
        path="/api/examples",
        summary="Events to try: one of each kind, and those that were saved.",
        answer=_EXAMPLES,
    ),
    Operation(
        id="generate",
        method="POST",
        path="/api/examples/generate",
        summary="Make an event that an action's default mapping can use.",
        body=_object(
            {
                "destination": _SLUG,
                "subscription": _ref("Subscription"),
                "seed": _whole("Same seed, same event.", minimum=0, maximum=2**31),
                "only": {"enum": ["all", "required"], "description": "Which fields get a value."},
            },
            "seed only",
        ),
        answer=_object({"event": _OPEN}),
        refusals=(404,),
    ),
    Operation(
        id="saveExample",
        method="POST",
        path="/api/examples",
        summary="Keep events under a name, for this and later sessions.",
        body=_object({"name": _NAME, "events": _EVENTS}),
        answer=_EXAMPLES,
        refusals=(409,),
    ),
    Operation(
        id="deleteExample",
        method="DELETE",
        path="/api/examples/{name}",
        summary="Forget saved events.",
        answer=_EXAMPLES,
        refusals=(404, 409),
    ),
    Operation(
        id="export",
        method="POST",
        path="/api/export",
        summary="A case as a `*.test.yaml` for `actions test`: events and what came of them.",
        body=_object(
            {
                "connection": _ref("Connection"),
                "events": _EVENTS,
                "name": _text("The case's name.", maxLength=200),
                "mode": _MODE,
            },
            "mode name",
        ),
        answer=_object({"file": {"type": "string"}, "text": {"type": "string"}}),
        refusals=(404, 409),
    ),
    Operation(
        id="live",
        method="GET",
        path="/api/live",
        summary="The outcomes of a run as they happen (events `outcome` and `restart`).",
        answer=_ref("Outcome"),
        parameters={
            "outcome": _text("Only these, separated by commas.", maxLength=200),
            "subscription": _text("Only of this one.", maxLength=200),
            "text": _text("Only rows that contain it.", maxLength=200),
        },
        refusals=(409,),
        stream=True,
    ),
    Operation(
        id="changes",
        method="GET",
        path="/api/changes",
        summary="Tells of the tester's start (event `started`); after a restart the page reloads.",
        answer=_object({"started": {"type": "string"}}),
        stream=True,
    ),
    Operation(
        id="document",
        method="GET",
        path="/api/openapi.json",
        summary="This document.",
        answer=_OPEN,
    ),
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


def openapi(version: str) -> dict[str, Any]:
    """Give the OpenAPI 3.1 document of the tester's API."""
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
        "components": {"schemas": dict(SCHEMAS), "securitySchemes": schemes},
    }


def _operation(operation: Operation) -> dict[str, Any]:
    kind = "text/event-stream" if operation.stream else "application/json"
    schema = {"type": "string"} if operation.stream else operation.answer
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
        content = {"application/json": {"schema": operation.body}}
        document["requestBody"] = {"required": True, "content": content}
    return document


def _parameters(operation: Operation) -> Any:
    for part in operation.path.split("/"):
        if part.startswith("{"):
            schema = {"type": "string", "minLength": 1}
            yield {"name": part.strip("{}"), "in": "path", "required": True, "schema": schema}
    for name, schema in operation.parameters.items():
        yield {"name": name, "in": "query", "required": False, "schema": schema}


def _refusal(status: int) -> dict[str, Any]:
    content = {"application/json": {"schema": _ref("Error")}}
    return {"description": _REFUSALS[status], "content": content}
