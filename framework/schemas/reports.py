"""The schema of a report: the results of all events of a delivery."""

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
    """Return the JSON Schema of `Report.to_json`."""
    properties = {
        "destination": value("string", "The slug of the destination."),
        "items": listing(reference("item"), "One for each event and enabled subscription."),
        "batches": listing(reference("batch"), "The batches that were sent, in order."),
    }
    return document(
        "Report",
        "The results of a delivery.",
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
        "position": value("integer", "The index of the event in the delivery, from 0.", minimum=0),
        "messageId": {"description": "The ID of the event, if it has one."},
        "subscription": value("string", "The name of the subscription."),
        "action": value("string", "The slug of the action."),
        "matched": value("boolean", "Whether the trigger matched."),
        "mapped": maybe("object", "The mapped values."),
        "payload": maybe(
            "object", "The payload of the action: the mapped values, converted and validated."
        ),
        "batch": maybe("integer", "The index of the event's batch in `batches`."),
        "result": reference("result", "The result of the event."),
    }
    head = {"title": "Item", "description": "One event in one subscription."}
    return {**head, **record(properties, ("position", "subscription", "action", "result"))}


def _result() -> Schema:
    status = value("integer", "The HTTP status of the result.")
    delivered = record(
        {
            "outcome": {"const": "delivered", "description": "The partner accepted the event."},
            "status": status,
            "body": {"description": "The partner's response for this event."},
        },
        ("outcome", "status"),
    )
    failed = record(
        {
            "outcome": {"const": "failed", "description": "The event was not delivered."},
            "status": status,
            "code": value("string", "The error code, for programs."),
            "message": value("string", "The error message, for people."),
            "reporter": {
                "description": "Who reported the failure: the framework or the partner.",
                "enum": ["framework", "partner"],
            },
            "retryable": value("boolean", "Whether a retry with the same event may succeed."),
            "problems": listing({"type": "string"}, "All problems, if there are several."),
            "body": {"description": "The partner's response for this event, if known."},
        },
        ("outcome", "status", "code", "message", "reporter", "retryable"),
    )
    skipped = record(
        {
            "outcome": {"const": "skipped", "description": "The event was not sent, as intended."},
            "code": value("string", "The reason code, for programs."),
            "message": value("string", "The reason, for people."),
        },
        ("outcome", "code", "message"),
    )
    unconfirmed = record(
        {
            "outcome": {
                "const": "unconfirmed",
                "description": "The partner refused some events of the batch without naming them; "
                "this may be one of them.",
            },
            "code": value("string", "The reason code, for programs."),
            "message": value("string", "The reason, for people."),
        },
        ("outcome", "code", "message"),
    )
    accepted = record(
        {
            "outcome": {
                "const": "accepted",
                "description": "The partner has accepted a job that it finishes later.",
            },
            "ticket": value("string", "The name of the job at the partner."),
        },
        ("outcome", "ticket"),
    )
    waiting = record(
        {
            "outcome": {"const": "waiting", "description": "The event has no result yet."},
            "message": value("string", "Why not, at the end of a run, for people."),
        },
        ("outcome",),
    )
    return {
        "title": "Result",
        "description": "The result of one event; `outcome` is its kind.",
        "oneOf": [delivered, failed, skipped, unconfirmed, accepted, waiting],
    }


def _batch() -> Schema:
    properties = {
        "action": value("string", "The slug of the action."),
        "key": value("object", "The values of the batch keys, equal for all payloads."),
        "size": value("integer", "The number of payloads.", minimum=0),
        "reason": value("string", "Why the batch was closed."),
        "exchanges": listing(reference("exchange"), "The requests that were made for the batch."),
    }
    head = {"title": "Batch", "description": "Payloads that were sent together."}
    preview = {"description": "What a destination without HTTP would send, in a dry run."}
    return {**head, **record({**properties, "preview": preview}, tuple(properties))}


def _exchange() -> Schema:
    headers = value("object", "The headers; secrets are redacted.")
    request = record(
        {
            "url": value("string", "The URL."),
            "method": value("string", "The method."),
            "headers": headers,
            "body": value("string", "The body as text; empty if there is none."),
        },
        ("url", "method", "headers", "body"),
        description="The request.",
    )
    response = {
        **record(
            {
                "statusCode": value("integer", "The HTTP status."),
                "statusMessage": value("string", "The reason phrase of the status."),
                "headers": headers,
                "body": {"description": "The body: JSON if it can be parsed, otherwise text."},
            },
            ("statusCode", "statusMessage", "headers", "body"),
        ),
        "type": ["object", "null"],
        "description": "The response, or null.",
    }
    return {
        "title": "Exchange",
        "description": "One request with its response, without secrets.",
        **record(
            {
                "request": request,
                "response": response,
                "error": maybe("string", "Why there is no response."),
            },
            ("request", "response"),
        ),
    }
