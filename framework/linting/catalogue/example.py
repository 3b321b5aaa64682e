"""The destination of the examples, and the connection file they are variants of."""

from __future__ import annotations

from typing import Any, Final


def _text(label: str, **options: Any) -> dict[str, Any]:
    return {"label": label, "description": "", "type": "string", **options}


_READER: Final = {"reader": _text("Reader", required=True, format="email")}

MANIFEST: Final[dict[str, Any]] = {
    "slug": "letters",
    "name": "Letters",
    "mode": "cloud",
    "description": "Send letters to readers.",
    "authentication": {
        "scheme": "custom",
        "fields": {
            "office": _text("Office", required=True, format="uri"),
            "key": _text("Key", type="password", required=True),
            "region": _text("Region", choices=["north", "south"]),
            "branch": _text("Branch"),
        },
        "rules": [{"atMostOne": ["region", "branch"]}],
    },
    "actions": {
        "sendLetter": {
            "title": "Send letter",
            "description": "Send a letter.",
            "platform": "cloud",
            "hasPerformBatch": True,
            "batching": {"keys": ["round"]},
            "migrations": [
                {"version": 1, "steps": [{"renameField": {"old": "recipient", "new": "address"}}]}
            ],
            "fields": {
                "address": _text("Address", required=True, format="email"),
                "text": _text("Text", required=True),
                "copies": _text("Copies", type="integer", minimum=1, maximum=9),
                "paper": _text("Paper", choices=["plain", "fine"], default="plain"),
                "seal": _text(
                    "Seal",
                    depends_on={
                        "conditions": [{"fieldKey": "paper", "operator": "is", "value": "fine"}]
                    },
                ),
                "sender": _text("Sender", readOnly=True, default="the house"),
                "trace": _text("Trace", hidden=True),
                "reference": _text("Reference", disabledInputMethods=["literal"]),
                "phone": _text("Phone", category="hashedPII"),
                "hash_phone": _text("Hash phone", type="boolean", default=False),
                "round": _text("Round"),
                "stamp": _text("Stamp", category="config"),
            },
        },
        "addReader": {
            "title": "Add reader",
            "description": "Add a reader.",
            "platform": "cloud",
            "fields": _READER,
        },
        "removeReader": {
            "title": "Remove reader",
            "description": "Remove a reader.",
            "platform": "cloud",
            "fields": {**_READER, "card": _text("Card")},
            "matchingKeys": ["reader", "card"],
            "syncMode": {
                "default": "add",
                "label": "How",
                "description": "",
                "choices": [
                    {"label": "Add", "value": "add"},
                    {"label": "Delete", "value": "delete"},
                ],
            },
        },
    },
    "presets": [],
}
"""The manifest of a destination that sends letters."""

HEAD: Final = """\
destination: letters
settings:
  office: https://letters.example
  key: ${env:LETTERS_KEY}
"""

ACTION: Final = """\
subscriptions:
  - partnerAction: sendLetter
    subscribe: type = "track"
"""


def trigger(text: str) -> str:
    """Return a connection file with a trigger."""
    mapping = "      address: a@b.example\n      text: Hello\n"
    return (
        f"{HEAD}subscriptions:\n  - partnerAction: sendLetter\n    subscribe: {text}\n"
        f"    mapping:\n{mapping}"
    )


def mapping(*lines: str, without: str = "") -> str:
    """Return a connection file with additional lines in its mapping, and without one field."""
    fields = {"address": "a@b.example", "text": "Hello"}
    kept = [f"{key}: {value}" for key, value in fields.items() if key != without]
    return f"{HEAD}{ACTION}    mapping:\n" + "".join(f"      {line}\n" for line in (*kept, *lines))


def readers(first: str, second: str, extra: str = "") -> str:
    """Return a connection file with two opposite subscriptions: add and remove readers."""
    return (
        f"{HEAD}subscriptions:\n"
        f"  - partnerAction: addReader\n    subscribe: {first}\n"
        "    mapping: {reader: a@b.example}\n"
        f"  - partnerAction: removeReader\n    subscribe: {second}\n"
        f"    mapping: {{reader: a@b.example{extra}}}\n"
    )
