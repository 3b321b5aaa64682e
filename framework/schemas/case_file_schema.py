"""The schema of files of mapping tests."""

from __future__ import annotations

from framework.config import OUTCOMES
from framework.schemas.schema_parts import (
    Schema,
    document,
    listing,
    maybe,
    record,
    reference,
    value,
)


def case_file_schema() -> Schema:
    """Return the JSON Schema of a file of mapping tests (`*.test.yaml`)."""
    properties = {
        "$schema": value("string", "The schema with which editors validate the file."),
        "connection": maybe(
            "string",
            "The connection file, relative to this one. Without it, that of the same name: "
            "`a.connection.yaml` for `a.test.yaml`.",
        ),
        "environment": maybe(
            "object",
            "Environment variables for the connection file.",
            additionalProperties={"type": ["string", "number", "boolean", "null"]},
        ),
        "tests": listing(reference("test"), "The tests.", minItems=1),
    }
    return document(
        "Mapping tests",
        "Tests of a connection file: events and the results that they are expected to have.",
        {
            **record(properties, ("tests",), additionalProperties=False),
            "$defs": {"test": _test(), "result": _result(), "request": _request()},
        },
    )


def _test() -> Schema:
    event = record({"type": value("string", "The type of the event.", minLength=1)}, ("type",))
    by_subscription = {
        "type": "object",
        "description": "The results of an event by the name of the subscription.",
        "additionalProperties": {"anyOf": [reference("result"), {"type": "null"}]},
    }
    properties = {
        "name": maybe("string", "What the test is about."),
        "events": listing(event, "Events, which are delivered together."),
        "expect": {
            **listing(
                by_subscription,
                "The results of each event, without subscriptions that do not match.",
            ),
            "type": ["array", "null"],
        },
        "calls": {
            **listing(reference("request"), "All requests to the partner, in order."),
            "type": ["array", "null"],
        },
    }
    return record(
        properties, ("events",), additionalProperties=False, description="A test of some events."
    )


def _result() -> Schema:
    properties = {
        "outcome": value("string", "What became of the event; `delivered` if it is left out.",
                         enum=list(OUTCOMES)),
        "code": value("string", "The code of a result that is not delivered."),
        "payload": value("object", "The whole payload."),
        "includes": value("object", "Parts of the payload; others may have any value."),
    }  # fmt: skip
    return record(
        properties, additionalProperties=False, description="What is expected of a result."
    )


def _request() -> Schema:
    properties = {
        "method": value("string", "The method."),
        "url": value("string", "The whole address."),
        "body": {"description": "The whole body: decoded, if it is JSON, otherwise text."},
        "includes": value("object", "Parts of a body in JSON; others may have any value."),
    }
    return record(
        properties, additionalProperties=False, description="What is expected of a request."
    )
