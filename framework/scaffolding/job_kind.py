"""Texts of destinations whose partner accepts a batch, and finishes it later."""

from __future__ import annotations

from typing import Final

from framework.scaffolding.action_texts import MESSAGE, operation_text
from framework.scaffolding.batch_kind import CHECKED, IDENTIFY

OPERATION: Final = '''"""What an action is made of, and how its jobs are followed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import httpx
from framework import (
    DELIVERED,
    Accepted,
    Action,
    Failed,
    FindJobCall,
    Pending,
    PollCall,
    Result,
    RetryableError,
    json_body,
)

from %PACKAGE%.settings import HOST, Account


class Operation(NamedTuple):
    """The definition of an action, and the function that submits a batch of its payloads."""

    action: Action
    submit: Callable[[httpx.Client, Sequence[Any], str], Accepted]


def accepted(response: httpx.Response) -> Accepted:
    """Return the job that an answer names."""
    return Accepted(_read(response, "job"))


def poll(call: PollCall[Account]) -> Pending | list[Result]:
    """Return one result for each payload of a job, if it is finished."""
    response = call.client.get(f"{HOST}/v1/jobs/{call.ticket}")
    if _read(response, "state") != "finished":
        return Pending()
    rows = json_body(response).get("results")
    if not isinstance(rows, list) or len(rows) != call.size:
        raise RetryableError("The answer has no result for each item.", "UNREADABLE", 502)
    return [
        DELIVERED if row == "accepted" else Failed(400, "REJECTED", str(row), "partner")
        for row in rows
    ]


def find_job(call: FindJobCall[Account]) -> str | None:
    """Return the job that was submitted with a key, if there is one."""
    response = call.client.get(f"{HOST}/v1/jobs", params={"key": call.idempotency_key})
    return _read(response, "job") if _read(response, "found") == "yes" else None


def _read(response: httpx.Response, key: str) -> str:
    body = json_body(response)
    value = body.get(key) if isinstance(body, dict) else None
    if not isinstance(value, str) or not value:
        raise RetryableError(f"The answer has no `{key}`.", "UNREADABLE", 502)
    return value
'''

_OPERATION: Final = operation_text(
    "submit",
    "batching=Batching(max_size=1_000)",
    "poll=poll",
    "job=Job(first=5.0, most=300.0, give_up=86_400.0, find_job=find_job)",
)

ACTION: Final = f'''"""An action: what is sent of an event, and how."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
from framework import Accepted, Action, Batching, Job, Payload, field

from %PACKAGE%.actions.operation import Operation, accepted, find_job, poll
from %PACKAGE%.settings import HOST


{MESSAGE}

def submit(client: httpx.Client, payloads: Sequence[Message], key: str) -> Accepted:
    """Submit a batch with a key, by which the partner knows a repetition."""
    body = {{"items": [item_of(one) for one in payloads]}}
    headers = {{"Idempotency-Key": key}}
    response = client.post(f"{{HOST}}/v1/%MODULE%", json=body, headers=headers)
    return accepted(response)


{_OPERATION}'''

HOOKS: Final = f'''{IDENTIFY}

@hookimpl
def perform_batch(
    action: Action,
    client: httpx.Client,
    payloads: Sequence[Any],
    idempotency_key: str,
) -> Accepted:
    """Submit a batch of payloads of one action; its function `poll` asks for the results."""
    return _SENDERS[action.slug](client, payloads, idempotency_key)
'''

STATE: Final = """        self.jobs: dict[str, list[Any]] = {}
        self.keys: dict[str, str] = {}
        self.asked: set[str] = set()
"""

ANSWER: Final = """        if request.method == "GET":
            return self.job(request)
        job = f"job-{len(self.jobs) + 1}"
        self.jobs[job] = json.loads(request.body)["items"]
        self.keys[request.headers["idempotency-key"]] = job
        return SandboxResponse(202, {"job": job})
"""

MORE: Final = '''
    def job(self, request: SandboxRequest) -> SandboxResponse:
        """Find a job by its key, or say what came of it; the first time it is under way."""
        if "key" in request.query:
            job = self.keys.get(request.query["key"])
            return SandboxResponse(200, {"found": "yes", "job": job} if job else {"found": "no"})
        job = request.path.rpartition("/")[2]
        if job not in self.jobs:
            return SandboxResponse(404, {"error": "there is no such job"})
        if job not in self.asked:
            self.asked.add(job)
            return SandboxResponse(200, {"state": "waiting"})
        results = ["accepted" if one["user"] else "no user" for one in self.jobs[job]]
        return SandboxResponse(200, {"state": "finished", "results": [*results]})
'''

TESTS: Final = f'''"""Events reach the sandbox, and the destination is certified."""

from __future__ import annotations

import pytest
from framework import Accepted, Delivered, Failed, Result
from framework.testing import Harness, certify, generate_event

import %PACKAGE%
from %PACKAGE%.actions import OPERATIONS

SLUGS = [one.action.slug for one in OPERATIONS]


def result_of(slug: str, **changes: str) -> Result:
    """Return the result of a generated event with *changes*, when its job is finished."""
    with Harness(%PACKAGE%) as harness:
        event = generate_event(harness.plugin.definition.action(slug))
        ran = harness.run_action(slug, {{**event, **changes}}, defaults=True)
        if isinstance(ran.result, Accepted):
            return (harness.poll() or harness.poll())[0]
        return ran.result


{CHECKED}'''
