"""Acme Bulk: conversions uploaded as CSV files, which the partner imports later."""

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
    Settings,
    field,
    hookimpl,
)

ORIGIN = "https://bulk.acme.test"


class Account(Settings):
    """Whose conversions are uploaded."""

    account: str = field("Account", required=True)


class Conversion(Payload):
    """One conversion."""

    email: str = field("Email address", required=True, mapping={"@path": "$.properties.email"})
    value: float = field("Value", mapping={"@path": "$.properties.value"})


def line_of(payload: Conversion) -> bytes:
    """Return the line of a conversion in a file."""
    return f"{payload.email},{payload.value or 0:g}\n".encode()


def find_job(call: FindJobCall[Account]) -> str | None:
    """Return the upload with an idempotency key, if there is one."""
    found = call.client.get(f"{ORIGIN}/uploads", params={"key": call.idempotency_key}).json()
    ids: list[str] = found["uploads"]
    return ids[0] if ids else None


def poll(call: PollCall[Account]) -> Pending | list[Result]:
    """Return the results of an upload, if it is imported."""
    answer = call.client.get(f"{ORIGIN}/uploads/{call.ticket}").json()
    if answer["state"] == "waiting":
        return Pending()
    if answer["state"] == "failed":
        return [Failed(503, "IMPORT_FAILED", "The import failed.", "partner")] * call.size
    wrong = answer["wrong"]
    return [
        Failed(400, "WRONG_LINE", wrong[str(at)], "partner") if str(at) in wrong else Delivered()
        for at in range(call.size)
    ]


@hookimpl
def destination() -> Destination:
    upload = Action(
        slug="upload",
        title="Upload conversions",
        trigger='type = "track"',
        payload=Conversion,
        batching=Batching(max_size=1_000, max_bytes=1_000_000, weigh=lambda one: len(line_of(one))),
        poll=poll,
        job=Job(first=0.05, most=1.0, give_up=3600.0, find_job=find_job),
    )
    return Destination(slug="acme-bulk", name="Acme Bulk", settings=Account, actions=[upload])


@hookimpl
def perform_batch(
    client: httpx.Client, settings: Account, payloads: Sequence[Conversion], idempotency_key: str
) -> Accepted:
    answer = client.post(
        f"{ORIGIN}/uploads",
        params={"account": settings.account},
        content=b"".join(map(line_of, payloads)),
        headers={"content-type": "text/csv", "idempotency-key": idempotency_key},
    )
    return Accepted(answer.json()["id"])


@hookimpl
def sandbox() -> Any:
    from acme_bulk_sandbox import BulkSandbox  # noqa: PLC0415 - only where it is simulated

    return BulkSandbox()
