"""The parts of an action that new destinations of several kinds have in common."""

from __future__ import annotations

from typing import Final

from framework.definition import Action, Destination, Field, Subscription
from framework.linting import check_subscription, model_from_spec

_DETAILS: Final = ("$.properties", "$.traits", "$.context")

MESSAGE: Final = '''class Message(Payload):
    """What is sent of one event."""

    user_id: str = field(
        "User ID",
        "Who the event is about.",
        mapping={"@path": "$.userId"},
        category="identifier",
    )
    message_id: str = field(
        "Message ID",
        "By which the partner knows a repetition.",
        mapping={"@path": "$.messageId"},
    )
    details: dict[str, Any] | None = field(
        "Details",
        "More about the event.",
        mapping={"@path": "%DETAILS%"},
    )


def item_of(payload: Message) -> dict[str, Any]:
    """Return the item that is sent for a payload."""
    return {
        "user": payload.user_id.strip(),
        "id": payload.message_id,
        "details": payload.details or {},
    }
'''


def details_path(trigger: str) -> str:
    """Return the path of what says most about the events that match *trigger*."""
    fitting = (path for path in _DETAILS if _is_in_events(path, trigger))
    return next(fitting, _DETAILS[-1])


def _is_in_events(path: str, trigger: str) -> bool:
    """Return whether events of Segment's spec that match a trigger have something at a path."""
    details = {"details": Field(type="object")}
    probe = Action(slug="probe", title="Probe", trigger=trigger, payload=details)
    destination = Destination(slug="probe", name="Probe", actions=[probe])
    mapping = {"details": {"@path": path}}
    mapped = Subscription(action="probe", trigger=trigger, mapping=mapping)
    issues = check_subscription(destination, mapped, model_from_spec()).issues
    return not any("details" in issue.place for issue in issues)


def operation_text(function: str, *options: str, payload: str = "Message") -> str:
    """Return the text that declares an action, with *options* besides what all kinds have."""
    more = "".join(f"        {option},\n" for option in options)
    return f"""OPERATION = Operation(
    Action(
        slug="%SLUG%",
        title=%TITLE%,
        description=%DESCRIPTION%,
        trigger=%TRIGGER%,
        payload={payload},
{more}    ),
    {function},
)
"""
