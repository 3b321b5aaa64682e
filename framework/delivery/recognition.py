"""Digests by which connections and deliveries are recognized, and what settings say openly."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx
import orjson

from framework.definition import Field
from framework.delivery.http_errors import address_of
from framework.paths import Event


def public_values(fields: Mapping[str, Field], values: Any) -> Any:
    """Return *values* without secrets, at any depth."""
    if not isinstance(values, Mapping):
        return [public_values(fields, one) for one in values] if isinstance(values, list) else None
    return {
        key: public_values(entry.properties, values[key]) if entry.properties else values[key]
        for key, entry in fields.items()
        if key in values and not entry.secret
    }


def digest_of(value: Any) -> str:
    """Return a short digest of JSON, in which the order of keys does not matter."""
    return hashlib.sha256(encoded(value)).hexdigest()[:12]


def digest_of_events(events: Sequence[Event]) -> str:
    """Return a digest of events, by which the same delivery is recognized."""
    return hashlib.sha256(b"\n".join(encoded(one) for one in events)).hexdigest()


def addresses_in(settings: Mapping[str, Any]) -> Iterator[str]:
    """Yield the addresses among the settings, in the form in which they are compared."""
    for value in settings.values():
        if isinstance(value, str) and value.startswith(("http://", "https://")):
            with contextlib.suppress(httpx.InvalidURL):
                yield address_of(httpx.URL(value))


def encoded(value: Any) -> bytes:
    """Return a value as JSON; numbers beyond 64 bits and lone surrogates are not for orjson."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return json.dumps(value, sort_keys=True).encode()
