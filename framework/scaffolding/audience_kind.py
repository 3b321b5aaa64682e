"""Texts of destinations that change the members of audiences."""

from __future__ import annotations

from typing import Final

from framework.scaffolding.action_texts import operation_text
from framework.scaffolding.batch_kind import CHECKED, IDENTIFY

OPERATION: Final = '''"""What an action is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import httpx
from framework import Action, Result

Send = Callable[[httpx.Client, str, Sequence[str], Sequence[bool | None]], Sequence[Result]]


class Operation(NamedTuple):
    """The definition of an action, and the function that changes members of an audience."""

    action: Action
    send: Send
'''

AUDIENCES: Final = '''"""Audiences at the partner: created once, and found again."""

from __future__ import annotations

from typing import Any

import httpx
from framework import AudienceCall, RetryableError, json_body

from %PACKAGE%.settings import HOST, Account


def create_audience(call: AudienceCall[Account, Any]) -> str:
    """Create an audience, and return its ID."""
    return _id_in(call.client.post(f"{HOST}/v1/audiences", json={"name": call.name}))


def find_audience(call: AudienceCall[Account, Any]) -> str | None:
    """Return the ID of an audience; the client raises if there is none."""
    return _id_in(call.client.get(f"{HOST}/v1/audiences/{call.external_id}"))


def _id_in(response: httpx.Response) -> str:
    body = json_body(response)
    found = body.get("id") if isinstance(body, dict) else None
    if not isinstance(found, str) or not found:
        raise RetryableError("The answer has no ID.", "UNREADABLE", 502)
    return found
'''

_OPERATION: Final = operation_text(
    "send", 'batching=Batching(max_size=1_000, coalesce="membership")', payload="Member"
)

ACTION: Final = f'''"""An action: who becomes a member of an audience, and who leaves it."""

from __future__ import annotations

from collections.abc import Sequence

import httpx
from framework import DELIVERED, Action, Batching, Failed, Payload, Result, field

from %PACKAGE%.actions.operation import Operation
from %PACKAGE%.settings import HOST

NEITHER = Failed(400, "NO_MEMBERSHIP", "The event neither adds to an audience nor removes.")


class Member(Payload):
    """One person."""

    user_id: str = field(
        "User ID",
        "Who becomes a member, or leaves.",
        mapping={{"@path": "$.userId"}},
        category="identifier",
    )


def send(
    client: httpx.Client,
    audience: str,
    identifiers: Sequence[str],
    memberships: Sequence[bool | None],
) -> list[Result]:
    """Change the members of an audience; the client raises if the partner does not accept it."""
    pairs = list(zip(identifiers, memberships, strict=True))
    changes = [{{"user": user, "member": member}} for user, member in pairs if member is not None]
    if changes:
        url = f"{{HOST}}/v1/audiences/{{audience}}/%MODULE%"
        client.post(url, json={{"changes": changes}})
    return [NEITHER if member is None else DELIVERED for member in memberships]


{_OPERATION}'''

HOOKS: Final = f'''{IDENTIFY}

@hookimpl
def perform_batch(
    action: Action,
    client: httpx.Client,
    identifiers: Sequence[str],
    memberships: Sequence[bool | None],
    audience: AudienceCall[Account, Any] | None,
) -> Sequence[Result]:
    """Add people to an audience, and remove them."""
    if audience is None or audience.external_id is None:
        raise IntegrationError("The event is about no audience.", "NO_AUDIENCE", 400)
    return _SENDERS[action.slug](client, audience.external_id, identifiers, memberships)
'''

ANSWER: Final = """        if request.method == "GET":
            return self.find(request.path.split("/")[3])
        body = json.loads(request.body)
        if request.path == "/v1/audiences":
            number = f"aud-{len(self.audiences) + 1}"
            self.audiences[number] = set()
            return SandboxResponse(201, {"id": number})
        return self.change(request.path.split("/")[3], body["changes"])
"""

MORE: Final = '''
    def find(self, number: str) -> SandboxResponse:
        """Return an audience, if there is one."""
        if number not in self.audiences:
            return SandboxResponse(404, {"error": "there is no such audience"})
        return SandboxResponse(200, {"id": number})

    def change(self, number: str, changes: list[dict[str, Any]]) -> SandboxResponse:
        """Change the members of an audience."""
        if number in self.audiences:
            self.audiences[number] |= {one["user"] for one in changes if one["member"]}
            self.audiences[number] -= {one["user"] for one in changes if not one["member"]}
        return self.find(number)
'''

TESTS: Final = f'''"""Events reach the sandbox, and the destination is certified."""

from __future__ import annotations

import pytest
from framework import Delivered, Failed, Result
from framework.testing import Harness, certify, make_audience_event

import %PACKAGE%
from %PACKAGE%.actions import OPERATIONS

SLUGS = [one.action.slug for one in OPERATIONS]


def result_of(slug: str, **changes: str) -> Result:
    """Return the result of an event with *changes* that adds to an audience."""
    with Harness(%PACKAGE%) as harness:
        event = {{**make_audience_event(entered=True), **changes}}
        return harness.run_action(slug, event, defaults=True).result


{CHECKED}'''
