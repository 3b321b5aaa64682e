"""Auth flows of authors: what they add to a request is treated as a secret."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from typing import Any, Final

import httpx

from framework.delivery.redaction import Redactor

_PLAIN_HEADERS: Final = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "connection",
        "content-length",
        "content-type",
        "date",
        "host",
        "transfer-encoding",
        "user-agent",
        "x-amz-date",
        "x-date",
        "x-timestamp",
    }
)
_PLAIN_VALUES: Final = frozenset({"false", "json", "none", "null", "true"})
_SEPARATORS: Final = re.compile(r"[\s,;]+")
_LIKE_A_KEY: Final = re.compile(r"(?=.*\d)[^()]{8,}|[^()\s]{16,}")


class ConfidingAuth(httpx.Auth):
    """The auth flow *auth*, in any of httpx's forms, with a redactor that learns what it adds.

    Those are headers, parameters of the query, and the tokens in requests of its own and their
    responses. Serves sync clients only.
    """

    def __init__(self, auth: Any, redactor: Redactor) -> None:
        if isinstance(auth, tuple):
            redactor.pass_on(str(auth[1]))
            auth = httpx.BasicAuth(*auth)
        self._auth: httpx.Auth = auth if isinstance(auth, httpx.Auth) else _Function(auth)
        self._redactor = redactor

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """Do what the flow does."""
        before = _facts(request)
        flow = self._auth.sync_auth_flow(request)
        try:
            outgoing = next(flow)
            while True:
                self._learn(outgoing, before)
                response = yield outgoing
                if outgoing is not request:
                    with suppress(httpx.StreamError):
                        self._redactor.learn(response.text)
                outgoing = flow.send(response)
        except StopIteration:
            return
        finally:
            flow.close()

    def _learn(self, request: httpx.Request, before: set[tuple[str, str]]) -> None:
        """Protect what *request* has and the original request had not."""
        for name, value in _facts(request) - before:
            for secret in _secrets(name, value):
                self._redactor.pass_on(secret)
        with suppress(httpx.StreamError):
            self._redactor.learn(request.content.decode("utf-8", "replace"))


class _Function(httpx.Auth):
    """A function that changes a request, as httpx accepts it in place of a flow."""

    def __init__(self, function: Callable[[httpx.Request], httpx.Request]) -> None:
        self._function = function

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send the request as the function returns it."""
        yield self._function(request)


def _facts(request: httpx.Request) -> set[tuple[str, str]]:
    """Return the headers and the parameters of the query that may carry credentials."""
    headers = ((name.lower(), value) for name, value in request.headers.multi_items())
    found = {(name, value) for name, value in headers if name not in _PLAIN_HEADERS}
    return found | {(f"?{name}", value) for name, value in request.url.params.multi_items()}


def _secrets(name: str, value: str) -> Iterator[str]:
    """Yield the value of a header or parameter, and the parts of it that look like keys."""
    if value.lower() not in _PLAIN_VALUES:
        yield value
    if name in {"authorization", "proxy-authorization"}:
        yield value.partition(" ")[2].strip()
    scheme, *others = _SEPARATORS.split(value)
    for part in others:
        _, equals, inner = part.partition("=")
        for one in (part, inner if equals else ""):
            if _LIKE_A_KEY.fullmatch(one.strip('"')):
                yield one.strip('"')
    _, equals, inner = scheme.partition("=")
    if equals and others and _LIKE_A_KEY.fullmatch(inner.strip('"')):
        yield inner.strip('"')
