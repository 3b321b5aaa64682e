"""What a destination adds to every request of a call: the hook `extend_request`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from math import inf
from typing import Any

import httpx

from framework.definition import RequestOptions
from framework.delivery.client import Client
from framework.delivery.plugin_calls import Implementation, PluginView
from framework.errors import IntegrationError

EXTEND = "extend_request"

_OF_EACH = frozenset({"connection", "content-length", "host", "transfer-encoding"})
"""Headers that say how one request is sent: its address, body and connection."""


class ExtendingPlugin(PluginView):
    """A plugin whose hooks and functions get a client with the options of `extend_request`."""

    def __init__(self, plugin: Implementation) -> None:
        super().__init__(plugin)
        self._asked = plugin.wants(EXTEND)

    def wants(self, hook: str) -> frozenset[str]:
        """Return the arguments of *hook*, and those of `extend_request` if it gets a client."""
        wanted = self._plugin.wants(hook)
        return wanted | self._asked if "client" in wanted else wanted

    def call(self, hook: str, **arguments: Any) -> Any:
        """Call *hook*."""
        if isinstance(arguments.get("client"), Client) and "client" in self._plugin.wants(hook):
            arguments["client"] = self.extended(**arguments)
        return self._plugin.call(hook, **arguments)

    def extended(self, client: Client, **arguments: Any) -> Client:
        """Return the client of one call, as the hook wants it for *arguments*.

        Raises IntegrationError: what the hook raises, `RESULT_TYPE` for a wrong result, and
        `INVALID_REQUEST` for an address or a header that HTTP does not allow.
        """
        known: dict[str, Any] = {
            "action": None,
            "audience": None,
            "key": {},
            "audience_settings": {},
        }
        options = self._plugin.call(EXTEND, **{**known, **arguments})
        if options is None:
            return client
        problem = next(_problems(options), "")
        if problem:
            raise IntegrationError(f"Hook `{EXTEND}` must return {problem}.", "RESULT_TYPE", 500)
        return client.extended(
            options.base_url, options.headers, options.params, options.timeout, options.auth
        )


def extends(plugin: Implementation) -> bool:
    """Return whether a destination adds something to its requests."""
    return plugin.implements(EXTEND)


def _problems(options: Any) -> Iterator[str]:
    """Yield what a hook has to return in place of *options*; nothing more after a wrong type."""
    if not isinstance(options, RequestOptions):
        yield f"RequestOptions or None, got {type(options).__name__}"
        return
    for attribute in ("headers", "params"):
        found = getattr(options, attribute)
        if not isinstance(found, Mapping):
            yield f"an object as `{attribute}`, got {type(found).__name__}"
            return
    yield from _header_problems(options.headers)
    for name, given in options.params.items():
        yield from (
            f"`params` of texts and numbers, got {type(one).__name__} for `{name}`"
            for one in (given if isinstance(given, list | tuple) else [given])
            if not isinstance(one, str | int | float | None)
        )
    yield from _address_problems(options.base_url)
    if options.auth is not None and not isinstance(options.auth, httpx.Auth):
        yield f"an httpx.Auth as `auth`, got {type(options.auth).__name__}"
    limit = options.timeout
    if not isinstance(limit, httpx.Timeout | None) and not _is_positive(limit):
        yield f"a positive number of seconds as `timeout`, got {limit!r}"


def _address_problems(address: Any) -> Iterator[str]:
    """Yield what a hook has to return as `base_url`; an address that is no URL is not sent."""
    if not isinstance(address, str):
        yield f"a text as `base_url`, got {type(address).__name__}"
    elif address:
        with suppress(httpx.InvalidURL):
            url = httpx.URL(address)
            if url.scheme not in {"http", "https"} or not url.host:
                missing = "a host" if url.scheme in {"http", "https"} else "`https://`"
                yield (
                    "an absolute address as `base_url`, such as `https://api.example.com/v2/`, "
                    f"got one without {missing}"
                )


def _header_problems(headers: Mapping[Any, Any]) -> Iterator[str]:
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            yield f"`headers` of texts, got {type(value).__name__} for `{name}`"
        elif name.strip().lower() in _OF_EACH:
            yield f"`headers` without `{name.strip().lower()}`, which each request has of its own"


def _is_positive(value: Any) -> bool:
    return type(value) in {int, float} and 0 < value < inf
