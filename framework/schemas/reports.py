"""The schema of a report: what became of every event of a delivery."""

from __future__ import annotations

from framework.schemas.schema_parts import (
    Schema,
    document,
    listing,
    maybe,
    record,
    reference,
    value,
)


def report_schema() -> Schema:
    """Return the schema of what `Report.to_json` gives."""
    properties = {
        "destination": value("string", "The slug of the destination."),
        "items": listing(reference("item"), "One for each event and enabled subscription."),
        "batches": listing(reference("batch"), "The batches that were performed, in order."),
    }
    return document(
        "Report",
        "What became of a delivery.",
        {
            **record(properties, tuple(properties)),
            "$defs": {
                "item": _item(),
                "result": _result(),
                "batch": _batch(),
                "exchange": _exchange(),
            },
        },
    )


def _item() -> Schema:
    properties = {
        "position": value("integer", "The event's place in the delivery, from 0.", minimum=0),
        "messageId": {"description": "The event's own id, if it has one."},
        "subscription": value("string", "The subscription's name."),
        "action": value("string", "The action's slug."),
        "matched": value("boolean", "Whether the trigger matched."),
        "mapped": maybe("object", "What the mapping gave."),
        "payload": maybe("object", "What the action received: the mapped values in shape."),
        "batch": maybe("integer", "The place of the event's batch among `batches`."),
        "result": reference("result", "What became of the event."),
    }
    head = {"title": "Item", "description": "One event on its way through one subscription."}
    return {**head, **record(properties, ("position", "subscription", "action", "result"))}


def _result() -> Schema:
    status = value("integer", "The HTTP status that describes it.")
    delivered = record(
        {
            "outcome": {"const": "delivered", "description": "The partner accepted the event."},
            "status": status,
            "body": {"description": "What the partner answered for this event."},
        },
        ("outcome", "status"),
    )
    failed = record(
        {
            "outcome": {"const": "failed", "description": "The event was not delivered."},
            "status": status,
            "code": value("string", "The failure for machines."),
            "message": value("string", "The failure for people."),
            "reporter": {
                "description": "Who refused: the framework or the partner.",
                "enum": ["framework", "partner"],
            },
            "retryable": value("boolean", "Whether the same event may be delivered later."),
            "problems": listing({"type": "string"}, "Every problem, where there are several."),
            "body": {"description": "What the partner answered, where that is known."},
        },
        ("outcome", "status", "code", "message", "reporter", "retryable"),
    )
    skipped = record(
        {
            "outcome": {"const": "skipped", "description": "Nothing was sent, rightly."},
            "code": value("string", "The reason for machines."),
            "message": value("string", "The reason for people."),
        },
        ("outcome", "code", "message"),
    )
    waiting = record(
        {"outcome": {"const": "waiting", "description": "Nothing is decided yet."}}, ("outcome",)
    )
    return {
        "title": "Result",
        "description": "What became of one event; `outcome` is its kind.",
        "oneOf": [delivered, failed, skipped, waiting],
    }


def _batch() -> Schema:
    properties = {
        "action": value("string", "The action's slug."),
        "key": value("object", "The values of the fields in which all payloads agree."),
        "size": value("integer", "How many payloads it held.", minimum=0),
        "reason": value("string", "Why the batch was closed."),
        "exchanges": listing(reference("exchange"), "The requests that it caused."),
    }
    head = {"title": "Batch", "description": "Payloads that were performed together."}
    return {**head, **record(properties, tuple(properties))}


def _exchange() -> Schema:
    headers = value("object", "The headers; secrets are hidden.")
    request = record(
        {
            "url": value("string", "The address."),
            "method": value("string", "The method."),
            "headers": headers,
            "body": value("string", "The body as text; empty where there is none."),
        },
        ("url", "method", "headers", "body"),
        description="What was sent.",
    )
    response = {
        **record(
            {
                "statusCode": value("integer", "The HTTP status."),
                "statusMessage": value("string", "The text of the status."),
                "headers": headers,
                "body": {"description": "The body: JSON where it is that, otherwise text."},
            },
            ("statusCode", "statusMessage", "headers", "body"),
        ),
        "type": ["object", "null"],
        "description": "What came back; null where nothing did.",
    }
    return {
        "title": "Exchange",
        "description": "One request with its answer, without secrets.",
        **record(
            {
                "request": request,
                "response": response,
                "error": maybe("string", "Why there is no answer."),
            },
            ("request", "response"),
        ),
    }
