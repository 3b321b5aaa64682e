"""Acme Bulk: conversions uploaded as CSV files, which the partner imports later."""

import csv
import io
from collections.abc import Sequence
from typing import Any

import httpx

from framework import (
    Accepted,
    Action,
    Batching,
    Delivered,
    Destination,
    Failed,
    FindJobCall,
    Job,
    Payload,
    Pending,
    PollCall,
    Result,
    RetryableError,
    Settings,
    field,
    hookimpl,
    json_body,
)

ORIGIN = "https://bulk.acme.test"


class Account(Settings):
    """Whose conversions are uploaded."""

    account: str = field("Account", "ID of the account.", required=True)


class Conversion(Payload):
    """One conversion."""

    email: str = field(
        "Email address", "Of the buyer.", required=True, mapping={"@path": "$.properties.email"}
    )
    value: float = field("Value", "In euros.", mapping={"@path": "$.properties.value"})


def line_of(payload: Conversion) -> bytes:
    """Return the line of a conversion in a file."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([payload.email, f"{payload.value or 0:g}"])
    return line.getvalue().encode()


def read(response: httpx.Response, key: str, kind: type[Any]) -> Any:
    """Return a value of an answer."""
    found = json_body(response)
    value = found.get(key) if isinstance(found, dict) else None
    if not isinstance(value, kind) or value == "":
        raise RetryableError(f"Acme's answer has no `{key}`.", "UNREADABLE", 502)
    return value


def find_job(call: FindJobCall[Account]) -> str | None:
    """Return the upload with an idempotency key, if there is one."""
    response = call.client.get(f"{ORIGIN}/uploads", params={"key": call.idempotency_key})
    ids = read(response, "uploads", list)
    return str(ids[0]) if ids else None


def poll(call: PollCall[Account]) -> Pending | list[Result]:
    """Return the results of an upload, if it is imported."""
    response = call.client.get(f"{ORIGIN}/uploads/{call.ticket}")
    state = read(response, "state", str)
    if state == "failed":
        return [Failed(503, "IMPORT_FAILED", "The import failed.", "partner")] * call.size
    if state != "imported":
        return Pending()
    wrong = read(response, "wrong", dict)
    return [
        Failed(400, "WRONG_LINE", str(wrong[str(at)]), "partner")
        if str(at) in wrong
        else Delivered()
        for at in range(call.size)
    ]


@hookimpl
def destination() -> Destination:
    upload = Action(
        slug="upload",
        title="Upload conversions",
        description="Upload conversions as a file.",
        trigger='type = "track"',
        payload=Conversion,
        batching=Batching(max_size=1_000, max_bytes=1_000_000, weigh=lambda one: len(line_of(one))),
        poll=poll,
        job=Job(first=0.05, most=1.0, give_up=3600.0, find_job=find_job),
    )
    return Destination(
        slug="acme-bulk",
        name="Acme Bulk",
        description="Conversions, uploaded as files.",
        settings=Account,
        actions=[upload],
    )


@hookimpl
def perform_batch(
    client: httpx.Client, settings: Account, payloads: Sequence[Conversion], idempotency_key: str
) -> Accepted:
    response = client.post(
        f"{ORIGIN}/uploads",
        params={"account": settings.account},
        content=b"".join(map(line_of, payloads)),
        headers={"content-type": "text/csv", "idempotency-key": idempotency_key},
    )
    return Accepted(read(response, "id", str))


@hookimpl
def sandbox() -> Any:
    from acme_bulk_sandbox import BulkSandbox  # noqa: PLC0415 - only where it is simulated

    return BulkSandbox()
