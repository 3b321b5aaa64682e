"""Texts of destinations that send batches."""

from __future__ import annotations

from typing import Final

from framework.scaffolding.action_texts import MESSAGE, operation_text

OPERATION: Final = '''"""What an action is made of, and how the answer to a batch is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import httpx
from framework import DELIVERED, Action, Failed, Result, RetryableError, json_body


class Operation(NamedTuple):
    """The definition of an action, and the function that sends a batch of its payloads."""

    action: Action
    send: Callable[[httpx.Client, Sequence[Any]], Sequence[Result]]


def results_of(response: httpx.Response, size: int) -> list[Result]:
    """Return one result for each of the *size* items of a request."""
    body = json_body(response)
    rows = body.get("results") if isinstance(body, dict) else None
    if not isinstance(rows, list) or len(rows) != size:
        raise RetryableError("The answer has no result for each item.", "UNREADABLE", 502)
    return [_result(row) for row in rows]


def _result(row: Any) -> Result:
    if not isinstance(row, dict):
        return Failed(502, "UNREADABLE", "The result of the item cannot be read.")
    if row.get("status") == "accepted":
        return DELIVERED
    return Failed(400, "REJECTED", str(row.get("error")), "partner")
'''

_OPERATION: Final = operation_text("send", "batching=Batching(max_size=500)")

ACTION: Final = f'''"""An action: what is sent of an event, and how."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
from framework import Action, Batching, Payload, Result, field

from %PACKAGE%.actions.operation import Operation, results_of
from %PACKAGE%.settings import HOST


{MESSAGE}

def send(client: httpx.Client, payloads: Sequence[Message]) -> list[Result]:
    """Send a batch; the client raises if the partner does not accept the request."""
    items = [item_of(one) for one in payloads]
    response = client.post(f"{{HOST}}/v1/%MODULE%", json={{"items": items}})
    return results_of(response, len(items))


{_OPERATION}'''

IDENTIFY: Final = '''@hookimpl
def identify(payloads: Sequence[Any]) -> list[str]:
    """Return the user that each payload is about, in the form that is sent."""
    return [one.user_id.strip() for one in payloads]
'''

HOOKS: Final = f'''{IDENTIFY}

@hookimpl
def perform_batch(
    action: Action,
    client: httpx.Client,
    payloads: Sequence[Any],
) -> Sequence[Result]:
    """Send a batch of payloads of one action."""
    return _SENDERS[action.slug](client, payloads)
'''

ANSWER: Final = """        items = json.loads(request.body)["items"]
        return SandboxResponse(200, {"results": [self.take(one) for one in items]})
"""

MORE: Final = '''
    def take(self, item: dict[str, Any]) -> dict[str, str]:
        """Take one item, and return its result."""
        if not item["user"]:
            return {"status": "rejected", "error": "the user is missing"}
        self.accepted.append(item)
        return {"status": "accepted"}
'''

RESULT_OF: Final = '''def result_of(slug: str, **changes: str) -> Result:
    """Return the result of a generated event with *changes*."""
    with Harness(%PACKAGE%) as harness:
        event = generate_event(harness.plugin.definition.action(slug))
        return harness.run_action(slug, {**event, **changes}, defaults=True).result
'''

CHECKED: Final = '''@pytest.mark.parametrize("slug", SLUGS)
def test_events_are_delivered(slug: str) -> None:
    """An event is accepted."""
    assert isinstance(result_of(slug), Delivered)


@pytest.mark.parametrize("slug", SLUGS)
def test_events_about_nobody_fail(slug: str) -> None:
    """They are refused, and not retried."""
    result = result_of(slug, userId=" ")
    assert isinstance(result, Failed)
    assert not result.retryable


def test_credentials_are_checked() -> None:
    """The sandbox accepts its own settings, and those of a connection."""
    with Harness(%PACKAGE%) as harness:
        harness.check_authentication()
        others = {key: f"my-{key}" for key in harness.settings}
    with Harness(%PACKAGE%, others) as harness:
        harness.check_authentication()


def test_the_destination_is_certified() -> None:
    """As `actions certify` says."""
    found = certify(%PACKAGE%)
    assert found.certified, "\\n".join(found.lines())
'''

TESTS: Final = f'''"""Events reach the sandbox, and the destination is certified."""

from __future__ import annotations

import pytest
from framework import Delivered, Failed, Result
from framework.testing import Harness, certify, generate_event

import %PACKAGE%
from %PACKAGE%.actions import OPERATIONS

SLUGS = [one.action.slug for one in OPERATIONS]


{RESULT_OF}

{CHECKED}'''
