"""The API keeps to its own document, whatever it is asked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from jsonschema import Draft202012Validator
from schemathesis.checks import CheckFunction
from schemathesis.specs.openapi.checks import positive_data_acceptance

from framework.tester import LocalServer, openapi
from framework.tester.bodies import check_body
from framework.tester.openapi import OPERATIONS, SCHEMAS, schema_of
from framework.tester.problems_json import ApiRefusal
from framework.tester.views import VIEWS

TOKEN = {"X-Actions-Token": "only-the-page-knows"}
STREAMS = [one.path for one in OPERATIONS if one.stream]


schema = schemathesis.openapi.from_dict(openapi("1")).exclude(path=STREAMS)


@schema.parametrize()
@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_the_api_keeps_to_its_document(
    case: schemathesis.Case[Any], serve: Callable[..., LocalServer], examples: Path
) -> None:
    """No request makes it fail, and every answer is described.

    No schema can tell which texts hold events, so `readEvents` may refuse what its schema allows.
    """
    excluded: list[CheckFunction] = [positive_data_acceptance] if case.path == "/api/events" else []
    case.call_and_validate(
        base_url=started(serve, examples), headers=TOKEN, excluded_checks=excluded
    )


_started: list[str] = []


def started(serve: Callable[..., LocalServer], examples: Path) -> str:
    """Return the address of one tester for all requests."""
    if not _started:
        _started.append(serve(examples=examples).url)
    return _started[0]


def test_the_document_is_served(client: httpx.Client) -> None:
    served = client.get("/api/openapi.json").json()
    assert served == openapi(served["info"]["version"])


def test_every_route_is_described_and_answered() -> None:
    """What is no stream has a view, and what has a view is in the document."""
    assert {one.id for one in OPERATIONS if not one.stream} == set(VIEWS)
    assert len({(one.method, one.path) for one in OPERATIONS}) == len(OPERATIONS)


def test_the_schemas_are_schemas() -> None:
    for one in OPERATIONS:
        for kind in (one.answer, one.body):
            if kind is not None:
                Draft202012Validator.check_schema(schema_of(kind))
    Draft202012Validator.check_schema({"$defs": SCHEMAS})


def test_the_document_is_whole() -> None:
    """Every reference leads to a schema, every part of a path is declared, and names are unique."""
    document = openapi("1")
    assert document["openapi"] == "3.1.0"
    refs = set(re.findall(r'"\$ref": "([^"]*)"', json.dumps(document)))
    named = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert refs <= named
    assert named - refs == {"#/components/schemas/Outcome"}  # sent as an event of a stream
    assert not re.search(r"Json|_", "".join(named))
    operations = [one for path in document["paths"].values() for one in path.values()]
    assert len({one["operationId"] for one in operations}) == len(operations)
    for path, methods in document["paths"].items():
        for one in methods.values():
            declared = {part["name"] for part in one["parameters"] if part["in"] == "path"}
            assert declared == set(re.findall(r"{(\w+)}", path))
            assert {"200", "401", "403", "421"} <= set(one["responses"])
            assert ("requestBody" in one) == ({"400", "413", "415"} <= set(one["responses"]))


def test_texts_and_limits_of_types_are_in_the_document() -> None:
    assert SCHEMAS["Subscription"] == {
        "type": "object",
        "properties": {
            "partnerAction": {"type": "string", "description": "The slug of the action."},
            "name": {
                "type": "string",
                "description": "The name in reports; unique in the connection.",
            },
            "subscribe": {
                "type": ["string", "null"],
                "maxLength": 20_000,
                "description": "The trigger. Default: the action's trigger.",
            },
            "mapping": {
                "type": "object",
                "description": "Value or directive by field. Other fields use the default.",
            },
            "enabled": {"type": "boolean", "description": "Whether it is enabled."},
        },
        "required": ["partnerAction"],
    }
    assert SCHEMAS["Leg"]["description"] == "The trace of an event in one subscription."
    assert SCHEMAS["Leg"]["properties"]["mapping"] == {
        "anyOf": [
            {
                "type": "array",
                "description": (
                    "null if the trigger did not match, or if the event must not be sent."
                ),
                "items": {"$ref": "#/components/schemas/MappedField"},
            },
            {"type": "null"},
        ]
    }


BODIES: dict[str, dict[str, Any]] = {
    "run": {
        "connection": {"destination": "x", "subscriptions": [{"partnerAction": "a"}]},
        "events": [{"type": "track"}],
        "mode": "dry",
    },
    "trigger": {"trigger": "type = track", "events": []},
    "injectFault": {"kind": "http", "times": 2, "seconds": 1},
    "generate": {"destination": "x", "subscription": {"partnerAction": "a", "subscribe": None}},
}


@pytest.mark.parametrize("operation", BODIES)
def test_a_body_that_is_let_in_is_one_of_its_type(operation: str) -> None:
    """The types can decode what the schemas made from them accept, and give the same again."""
    body = check_body(operation, BODIES[operation])
    kind = next(one.body for one in OPERATIONS if one.id == operation)
    assert msgspec.to_builtins(msgspec.convert(body, kind)) == body


def test_refusals_name_every_place() -> None:
    body = {"connection": {"destination": 1, "subscriptions": [{"subscribe": 2}]}, "mode": "x"}
    with pytest.raises(ApiRefusal) as caught:
        check_body("run", body)
    assert caught.value.problems == [
        "`/`: 'events' is a required property.",
        "`/connection/destination`: 1 is not of type 'string'.",
        "`/connection/subscriptions/0`: 'partnerAction' is a required property.",
        "`/connection/subscriptions/0/subscribe`: 2 is not of type 'string', 'null'.",
        "`/mode`: 'x' is not one of ['dry', 'live', 'sandbox'].",
    ]
