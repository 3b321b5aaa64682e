"""Traces as JSON: exchanges with their curl command, and text without secrets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from framework.delivery import Exchange
from framework.explain.curl_command import as_curl
from framework.paths import JSON

_OWN_KEYS: Final = frozenset(
    [
        "position",
        "messageId",
        "event",
        "outcome",
        "legs",
        "deletion",
        "nearest",
        "filters",
        "filter",
        "effect",
        "subscription",
        "action",
        "trigger",
        "text",
        "matched",
        "reason",
        "tree",
        "condition",
        "join",
        "truth",
        "parts",
        "saw",
        "field",
        "value",
        "mapping",
        "isDefault",
        "sources",
        "path",
        "payload",
        "problems",
        "code",
        "message",
        "identifier",
        "batch",
        "index",
        "key",
        "size",
        "preview",
        "mates",
        "others",
        "exchanges",
        "result",
        "status",
        "reporter",
        "retryable",
        "body",
        "request",
        "response",
        "url",
        "method",
        "headers",
        "statusCode",
        "statusMessage",
        "error",
        "curl",
        "changes",
        "kind",
        "journeys",
        "batches",
        "counts",
        "mode",
        "destination",
        "milliseconds",
    ]
)
"""Keys of traces and runs, which contain no values of events."""


def hidden(value: JSON, hide: Callable[[str], str]) -> Any:
    """Return a JSON value with *hide* applied to every string, and to keys outside of _OWN_KEYS."""
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, dict):
        return {
            key if key in _OWN_KEYS else hide(str(key)): hidden(inner, hide)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [hidden(inner, hide) for inner in value]
    return value


def exchange_to_json(exchange: Exchange) -> dict[str, JSON]:
    """Return an exchange as a JSON object, including the curl command of its request."""
    return {**exchange.to_json(), "curl": as_curl(exchange)}
