"""The parts of an action that new destinations of several kinds have in common."""

from __future__ import annotations

from typing import Final

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
        mapping={"@path": "$.properties"},
    )


def item_of(payload: Message) -> dict[str, Any]:
    """Return the item that is sent for a payload."""
    return {
        "user": payload.user_id.strip(),
        "id": payload.message_id,
        "details": payload.details or {},
    }
'''


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
