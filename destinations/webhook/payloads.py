"""The settings of the webhook, and what its actions are given for each event."""

from __future__ import annotations

from typing import Any, Literal

from framework import Choice, Condition, Payload, Settings, field

BODY = "<payloads>"
"""The text in an envelope that the payloads replace."""


class WebhookSettings(Settings):
    """Where requests go, the headers of all of them, and how they are signed."""

    url: str | None = field(
        "URL",
        "Address of the receiver. Mappings may give a path below it.",
        format="uri",
        placeholder="https://api.example.com/v1",
    )
    secret_path: str | None = field(
        "Secret Path",
        "Part of the path that is a secret; it is appended to the URL.",
        type="password",
    )
    headers: dict[str, Any] | None = field(
        "Headers", "Headers of every request.", object_ui="keyvalue:only"
    )
    secret_headers: dict[str, Any] | None = field(
        "Secret Headers",
        "Headers whose values are secrets, such as `Authorization`. They need the setting URL.",
        object_ui="keyvalue:only",
        secret=True,
    )
    allow_http: bool = field(
        "Allow HTTP",
        "Allow addresses without encryption. Those of this machine are always allowed.",
        default=False,
        display_mode="collapsed",
    )
    sharedSecret: str | None = field(  # noqa: N815 - Segment's name
        "Shared Secret", "If set, every request is signed with it.", type="password"
    )
    signature: str = field(
        "Signature",
        "What is signed, and where the signature is.",
        default="body",
        choices=(
            Choice("body", "HMAC of the body in one header"),
            Choice("timestamped", "`t=TIME,v1=HMAC` in one header, as Stripe does"),
            Choice("standard", "Standard Webhooks"),
        ),
        depends_on=Condition("sharedSecret", "is_not"),
    )
    signature_header: str = field(
        "Signature Header",
        "Name of the header, except for Standard Webhooks.",
        default="X-Signature",
        pattern=r"^[A-Za-z0-9-]+$",
        depends_on=Condition("signature", "is", ["body", "timestamped"]),
    )
    signature_algorithm: str = field(
        "Signature Algorithm",
        "The hash function of signatures of the body; the others use SHA-256.",
        default="sha1",
        choices=("sha1", "sha256", "sha512"),
        depends_on=Condition("signature", "is", "body"),
    )
    signature_encoding: str = field(
        "Signature Encoding",
        "How signatures of the body are written.",
        default="hex",
        choices=("hex", "base64"),
        depends_on=Condition("signature", "is", "body"),
    )
    signature_prefix: str = field(
        "Signature Prefix",
        "Text before signatures of the body, such as `sha256=`.",
        default="",
        depends_on=Condition("signature", "is", "body"),
    )
    delete_url: str | None = field(
        "Deletion URL",
        "Where requests to delete a user go: an address, or a path below the URL. "
        "`{user_id}` and `{anonymous_id}` are replaced.",
        display_mode="collapsed",
    )
    delete_method: str = field(
        "Deletion Method",
        "HTTP method of requests to delete a user.",
        default="POST",
        choices=("POST", "DELETE", "PUT", "PATCH"),
        display_mode="collapsed",
    )


class WebhookRequest(Payload):
    """One event: where it goes, and what is sent of it."""

    url: str | None = field(
        "URL",
        "Address for the events of this mapping, or a path below the URL of the settings, "
        "which is the default. Has to be of its origin, if that is set.",
    )
    method: str = field(
        "Method",
        "HTTP method.",
        default="POST",
        choices=("POST", "PUT", "PATCH", "DELETE"),
    )
    headers: dict[str, Any] | None = field(
        "Headers", "More headers; they replace those of the settings.", object_ui="keyvalue:only"
    )
    data: dict[str, Any] = field(
        "Data", "What is sent of an event, as JSON.", mapping={"@path": "$."}
    )
    hash_fields: list[str] | None = field(
        "Hashed Fields",
        "Keys in Data whose values are sent as hashes only, such as `email`; dots lead into "
        "objects.",
    )
    hash_algorithm: Literal["sha256", "sha512", "sha1", "md5"] = field(
        "Hash Algorithm", "The hash function for these.", default="sha256"
    )
    hash_clean: bool = field(
        "Clean Before Hashing",
        "Remove white space around values and lower-case them before they are hashed.",
        default=True,
    )
    enable_batching: bool = field(
        "Enable Batching?",
        "Send several events in a request. When disabled, every event has a request of its own.",
        default=False,
        disabled_input_methods=("variable", "function", "enrichment"),
    )
    batch_format: str = field(
        "Batch Format",
        "How a batch is written.",
        default="array",
        choices=(Choice("array", "JSON array"), Choice("ndjson", "One JSON object per line")),
        depends_on=Condition("enable_batching", "is", True),
    )
    envelope: dict[str, Any] | None = field(
        "Envelope",
        f"JSON object around the data; in it, the text `{BODY}` is replaced by the data of the "
        "event, or by the array of a batch.",
    )


class Message(WebhookRequest):
    """An event that is sent as it is."""

    message_id: str | None = field(
        "Message ID",
        "Identifies the event. Events with equal IDs are sent in order, one per batch.",
        mapping={"@path": "$.messageId"},
        display_mode="collapsed",
    )
    order_by: str | None = field(
        "Order By",
        "Without batching, events with an equal value are sent one after the other, while others "
        "are under way.",
        mapping={
            "@if": {
                "exists": {"@path": "$.userId"},
                "then": {"@path": "$.userId"},
                "else": {"@path": "$.anonymousId"},
            }
        },
        display_mode="collapsed",
    )


class AudienceMember(WebhookRequest):
    """A user who enters or leaves an audience, or whose data changed."""

    audience: str = field(
        "Audience",
        "The audience. Events about one user and audience are sent in order, so mappings for "
        "different lists need different ones.",
        mapping={"@path": "$.context.personas.computation_key"},
    )
    identifier: str = field(
        "Identifier",
        "Identifies the user. Of several events about a user that wait, only the last is sent.",
        mapping={"@path": "$.userId"},
        category="identifier",
    )
    data: dict[str, Any] = field(
        "Data",
        "What is sent of a user, as JSON.",
        mapping={
            "user_id": {"@path": "$.userId"},
            "email": {"@path": "$.context.traits.email"},
            "audience": {"@path": "$.context.personas.computation_key"},
        },
    )
