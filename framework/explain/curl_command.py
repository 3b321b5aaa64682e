"""The curl command that repeats the request of an exchange."""

from __future__ import annotations

import shlex
from typing import Final

from framework.delivery import Exchange

_OWN: Final = frozenset(
    {"host", "connection", "content-length", "accept-encoding", "user-agent", "accept"}
)
"""Headers that curl sets itself."""


def as_curl(exchange: Exchange) -> str:
    """Return the request as a shell command; redacted values stay redacted."""
    parts = ["curl", "--request", exchange.method, exchange.url]
    for name, value in exchange.request_headers.items():
        if name not in _OWN:
            parts += ["--header", f"{name}: {value}"]
    if exchange.request_body:
        parts += ["--data-raw", exchange.request_body]
    return shlex.join(parts)
