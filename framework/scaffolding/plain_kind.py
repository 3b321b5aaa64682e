"""Texts of destinations that send each event on its own."""

from __future__ import annotations

from typing import Final

from framework.scaffolding.action_texts import operation_text

OPERATION: Final = '''"""What an action is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import httpx
from framework import Action


class Operation(NamedTuple):
    """The definition of an action, and the function that sends one of its payloads."""

    action: Action
    send: Callable[[httpx.Client, Any], httpx.Response]
'''

_OPERATION: Final = operation_text("send", 'batching=Batching(max_size=1, keys=("user_id",))')

ACTION: Final = f'''"""An action: what is sent of an event, and how."""

from __future__ import annotations

from typing import Any

import httpx
from framework import Action, Batching, Payload, field

from %PACKAGE%.actions.operation import Operation
from %PACKAGE%.settings import HOST


class Message(Payload):
    """What is sent of one event."""

    user_id: str = field(
        "User ID",
        "Who the event is about.",
        mapping={{"@path": "$.userId"}},
        category="identifier",
    )
    message_id: str = field(
        "Message ID",
        "By which the partner knows a repetition.",
        mapping={{"@path": "$.messageId"}},
    )
    details: dict[str, Any] | None = field(
        "Details",
        "More about the event.",
        mapping={{"@path": "%DETAILS%"}},
    )


def send(client: httpx.Client, payload: Message) -> httpx.Response:
    """Send one event; the client raises if the partner does not accept it."""
    body = {{
        "user": payload.user_id,
        "id": payload.message_id,
        "details": payload.details or {{}},
    }}
    return client.post(f"{{HOST}}/v1/%MODULE%", json=body)


{_OPERATION}'''

HOOKS: Final = '''@hookimpl
def perform(action: Action, client: httpx.Client, payload: Any) -> httpx.Response:
    """Send one payload."""
    return _SENDERS[action.slug](client, payload)
'''

ANSWER: Final = """        body = json.loads(request.body)
        if not body.get("user", "").strip():
            return SandboxResponse(400, {"error": "the user is missing"})
        self.accepted.append(body)
        return SandboxResponse(204)
"""

TESTS: Final = '''"""Events reach the sandbox, and the destination is certified."""

from __future__ import annotations

import pytest
from framework import Delivered, Failed
from framework.testing import Harness, certify, generate_event

import %PACKAGE%
from %PACKAGE%.actions import OPERATIONS

SLUGS = [one.action.slug for one in OPERATIONS]


@pytest.mark.parametrize("slug", SLUGS)
def test_events_are_delivered(slug: str) -> None:
    """A generated event is accepted."""
    with Harness(%PACKAGE%) as harness:
        event = generate_event(harness.plugin.definition.action(slug))
        ran = harness.run_action(slug, event, defaults=True)
    assert isinstance(ran.result, Delivered)


@pytest.mark.parametrize("slug", SLUGS)
def test_events_about_nobody_fail(slug: str) -> None:
    """The partner refuses them, and they are not retried."""
    with Harness(%PACKAGE%) as harness:
        event = generate_event(harness.plugin.definition.action(slug))
        ran = harness.run_action(slug, {**event, "userId": " "}, defaults=True)
    assert isinstance(ran.result, Failed)
    assert not ran.result.retryable


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
