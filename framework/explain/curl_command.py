"""An exchange as the command that would repeat its request."""

from __future__ import annotations

import shlex
from typing import Final

from framework.delivery import Exchange

_OWN: Final = frozenset(
    {"host", "connection", "content-length", "accept-encoding", "user-agent", "accept"}
)
"""Headers that curl sends by itself, or that would be wrong when it does."""


def as_curl(exchange: Exchange) -> str:
    """Give the request as a shell command; redacted values stay redacted."""
    parts = ["curl", "--request", exchange.method, exchange.url]
    for name, value in exchange.request_headers.items():
        if name not in _OWN:
            parts += ["--header", f"{name}: {value}"]
    if exchange.request_body:
        parts += ["--data-raw", exchange.request_body]
    return shlex.join(parts)
