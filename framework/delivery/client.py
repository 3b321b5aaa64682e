"""The HTTP client of destinations: rate-limited, retrying, recording, raising our errors."""

from __future__ import annotations

import copy
import random
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import Any, Self, TypeAlias

import httpx

from framework.clock import Clock, InterruptibleClock
from framework.definition import plain_json
from framework.delivery.auth import Credentials
from framework.delivery.confiding import ConfidingAuth
from framework.delivery.exchanges import Recorder, Redactor
from framework.delivery.http_errors import ErrorReader, error_from_response, error_from_transport
from framework.delivery.http_messages import (
    PlainRequest,
    ResponseTooLargeError,
    check_request_head,
    is_repeatable,
    names_of,
    names_received,
)
from framework.delivery.instrumented import InstrumentedTransport
from framework.delivery.rate_limits import RateLimits
from framework.delivery.retries import Retry
from framework.delivery.throttle import Throttle
from framework.delivery.transports import Network
from framework.delivery.workers import current_watch
from framework.errors import IntegrationError, RetryableError

TIMEOUT = httpx.Timeout(30.0, connect=10.0)
"""Seconds: for a call in all, and of these to reach the partner."""

# Failures before the first byte of the request.
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_KEPT_URLS = 128
_KEPT_HEADERS = 128
_OF_COOKIES = frozenset({b"set-cookie", b"set-cookie2"})
_OF_PLAIN = frozenset({"content", "headers", "timeout", "extensions"})
_OF_FRAMING = frozenset({b"host", b"content-length", b"transfer-encoding"})
_OF_SENDING = ("auth", "follow_redirects")
_OF_CLIENT = frozenset({"mounts", "params", "default_encoding"})
_Pairs: TypeAlias = tuple[tuple[bytes, bytes], ...]


class Client(httpx.Client):
    """An `httpx.Client` for one connection; its requests raise when they do not succeed.

    An answer other than 2xx becomes an error (see `refusal` in `answers`) once the auth flow is
    through with it, and so does a request without an answer. Requests wait for the *throttle*, or
    for several *limits*, are repeated as *retry* says where that can do no harm, and are recorded
    while the `recorder` is asked to. Texts of errors and logs pass the *redactor*. *error_reader*
    reads code and text from the partner's errors where the common places do not hold them;
    *addresses* are those that all events share, see `error_from_response`. A body that is streamed
    is sent once only. While the `clock` is asked to stop, nothing is repeated or waited for.
    """

    def __init__(  # noqa: PLR0913 - each replaces one part of the client
        self,
        *,
        auth: httpx.Auth | None = None,
        transport: httpx.BaseTransport | None = None,
        retry: Retry | None = None,
        throttle: Throttle | None = None,
        limits: RateLimits | None = None,
        redactor: Redactor | None = None,
        clock: Clock | None = None,
        error_reader: ErrorReader | None = None,
        addresses: Collection[str] = (),
        **options: Any,
    ) -> None:
        self.clock = clock if isinstance(clock, InterruptibleClock) else InterruptibleClock(clock)
        self.redactor = redactor or Redactor()
        self.recorder = Recorder(self.redactor)
        self._error_reader = error_reader
        self._addresses = addresses
        self._retry = retry or Retry()
        self._limits = limits or RateLimits(throttle or Throttle(clock=self.clock))
        self._wire = InstrumentedTransport(
            transport or Network(), self._limits, self.recorder, self.redactor
        )
        self._jar = _Jar(options.pop("cookies", None))
        self._url = lru_cache(maxsize=_KEPT_URLS)(httpx.URL)
        self._merged = lru_cache(maxsize=_KEPT_HEADERS)(_merged)
        self._simple = _OF_CLIENT.isdisjoint(options)
        self._origin: Client = self
        self._marks: Mapping[str, Any] = {}
        options = {"timeout": TIMEOUT, **options}
        options["headers"] = {"User-Agent": "action-destinations", **(options.get("headers") or {})}
        super().__init__(auth=auth, transport=self._wire, **options)
        if isinstance(auth, Credentials):
            auth.confide(self.redactor.protect)

    @property
    def number_of_calls(self) -> int:
        """The number of requests made so far, including token requests and retries."""
        return self._wire.endpoints.number

    @property
    def calls(self) -> Counter[str]:
        """The number of requests by method, host and path, including token requests and retries.

        IDs in paths are replaced, as in `GET api.test/lists/{id}`.
        """
        return self._wire.endpoints.calls()

    @property
    def statuses(self) -> Counter[int]:
        """The number of responses so far by status; 0 counts requests without a response."""
        return self._wire.endpoints.statuses()

    @property
    def wait(self) -> float:
        """The seconds until the rate limit lets a request go, 0 if it may go now."""
        return self._limits.wait()

    @property
    def is_paced(self) -> bool:
        """Whether there is a rate limit, so that a request makes the next ones wait."""
        return self._limits.is_paced

    def idempotent(self) -> Self:
        """Return a client all of whose requests may be repeated, and everything else of this one.

        A request with the extension `idempotent` says itself whether it may.
        """
        other = copy.copy(self)
        other.__dict__["_marks"] = {**self._marks, "idempotent": True}
        return other

    def for_tokens(self) -> Self:
        """Return a client whose requests are token requests, and everything else of this one.

        They carry no credentials, and are repeated together with the request that needs the token.
        """
        other = copy.copy(self)
        other.__dict__.update(_auth=None, _marks={"token": True}, _retry=Retry.never())
        return other

    def extended(
        self,
        base_url: str,
        headers: Mapping[str, str],
        params: Mapping[str, Any],
        timeout: float | httpx.Timeout | None,
        auth: httpx.Auth | None,
    ) -> Self:
        """Return a client with other defaults for its requests, and everything else of this one.

        It is as long open as this one. Raises IntegrationError (400, `INVALID_REQUEST`) for what
        HTTP does not allow.
        """
        other = copy.copy(self)
        try:
            if base_url:
                other.base_url = httpx.URL(base_url)
            check_request_head("GET", httpx.Headers(headers).raw)
            other.headers = self.headers
            other.headers.update(headers)
        except _IMPOSSIBLE as error:
            raise _refused("The options of its requests", error) from None
        other.params = self.params.merge(params)
        other.__dict__["_simple"] = self._simple and not params
        if timeout is not None:
            other.timeout = httpx.Timeout(timeout)
        if auth is not None:
            other.auth = auth
        if isinstance(auth, Credentials):
            auth.confide(self.redactor.protect)
        return other

    def guard(self, check: Callable[[], object]) -> None:
        """Call *check* before each request, after its wait; it may refuse the request by raising.

        It should raise an IntegrationError, which then becomes the result of the events.
        """
        self._wire.guard = check

    @property
    def cookies(self) -> httpx.Cookies:
        """The cookies that the partner has set."""
        return self._jar

    @cookies.setter
    def cookies(self, cookies: Any) -> None:
        self._jar = _Jar(cookies)

    def request(self, method: str, url: httpx.URL | str, **options: Any) -> httpx.Response:
        """Send a request and return its response, see `send`."""
        if options.get("cookies") is not None:
            return super().request(method, url, **options)  # with its warning
        sending = {name: options.pop(name) for name in _OF_SENDING if name in options}
        return self.send(self.build_request(method, url, **options), **sending)

    def build_request(self, method: str, url: httpx.URL | str, **options: Any) -> httpx.Request:
        """Return a request with the defaults of the client: base URL, headers and timeout.

        Raises IntegrationError (400, `INVALID_REQUEST`) for what cannot be sent over HTTP.
        """
        try:
            known = self._url(url) if isinstance(url, str) else url
            given = {name for name, value in options.items() if value is not None}
            plain = given <= _OF_PLAIN and self._simple and known.is_absolute_url and not self._jar
            request = self._built(method, known, options) if plain else None
            request = request or self._encoded(method, known, options)
        except _IMPOSSIBLE as error:
            raise _refused(f"A {method} request", error) from None
        for name, value in self._marks.items():
            request.extensions.setdefault(name, value)
        return request

    def _encoded(self, method: str, url: httpx.URL, options: dict[str, Any]) -> httpx.Request:
        """Return the request of httpx; typed payloads in its `json` are sent as objects by key."""
        try:
            return super().build_request(method, url, **options)
        except TypeError:
            if options.get("json") is None:
                raise
        return super().build_request(
            method, url, **{**options, "json": plain_json(options["json"])}
        )

    def _built(
        self, method: str, url: httpx.URL, options: Mapping[str, Any]
    ) -> httpx.Request | None:
        """Return the request of httpx for a body in bytes, or None if other options matter."""
        content = options.get("content")
        if not isinstance(content, bytes) or not content:
            return None
        given = options.get("headers")
        own = tuple(given.items() if type(given) is dict else httpx.Headers(given).raw)
        headers = self._merged(tuple(self.headers.raw), own, url.netloc, len(content))
        if headers is None:
            return None
        extensions = dict(options.get("extensions") or {})
        if "timeout" not in extensions:
            timeout = options.get("timeout", httpx.USE_CLIENT_DEFAULT)
            chosen = self.timeout if timeout is httpx.USE_CLIENT_DEFAULT else httpx.Timeout(timeout)
            extensions["timeout"] = chosen.as_dict()
        stream = httpx.ByteStream(content)
        return PlainRequest(method.upper(), url, headers, stream, extensions)

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send *request* and return its response, which is a 2xx.

        Raises IntegrationError, mostly one of its subclasses, with the response as `response`.
        """
        if not isinstance(request.stream, httpx.ByteStream):
            return self._send_once(request, options)
        return self._retry.run(
            lambda: self._send_once(request, options),
            lambda error: self._goes_on and _repeatable(request, error),
            self.clock,
        )

    @property
    def _goes_on(self) -> bool:
        return not (self._origin.is_closed or self.clock.stopping)

    def _watching(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return *options*, in which an auth flow of the author's own tells what it adds."""
        auth = options.get("auth", httpx.USE_CLIENT_DEFAULT)
        auth = self.auth if auth is httpx.USE_CLIENT_DEFAULT else auth
        if auth is None or isinstance(auth, Credentials):
            return options
        return {**options, "auth": ConfidingAuth(auth, self.redactor)}

    def _send_once(self, request: httpx.Request, options: dict[str, Any]) -> httpx.Response:
        watch = current_watch()
        if watch:
            watch.check()
        try:
            response = super().send(request, **self._watching(options))
            if response.is_success:
                return response
            response.read()
        except (httpx.TransportError, httpx.DecodingError, httpx.TooManyRedirects) as error:
            self.redactor.protect_credentials(request.headers.raw)
            if watch:
                watch.check()
            # A protocol error of ours quotes the header that it refuses.
            cause = None if isinstance(error, httpx.LocalProtocolError) else error
            raise error_from_transport(error, self.redactor) from cause
        except IntegrationError as error:  # of the auth flow or the throttle
            error.args = (self.redactor.text(str(error)),)
            self._set_pause(error)
            raise
        raise self.error_of(response)

    def error_of(self, response: httpx.Response) -> IntegrationError:
        """Return the error for an unsuccessful response, see `error_from_response`.

        A RetryableError has the pause that the partner requests, with jitter, so that clients with
        the same pause do not return together.
        """
        reader, addresses = self._error_reader, self._addresses
        error = error_from_response(response, self.redactor, reader, addresses)
        self._set_pause(error)
        return error

    def _set_pause(self, error: IntegrationError) -> None:
        if not isinstance(error, RetryableError) or error.response is None:
            return
        pause = self._limits.pause(error.response.status_code, error.response.headers)
        spread = 0.0 if pause is None else random.uniform(0, min(pause / 10, 5.0))  # noqa: S311 - spreads load only
        error.pause = None if pause is None else pause + spread


def _refused(what: str, error: Exception) -> IntegrationError:
    """Return the error for an address, header or body that cannot be sent over HTTP."""
    if isinstance(error, httpx.InvalidURL):
        reason = "its address is not a valid URL"
    elif isinstance(error, httpx.LocalProtocolError):
        reason = "a header has a name or value that HTTP does not allow"
    else:
        of_header = getattr(error, "encoding", "") == "ascii"
        reason = "a header is not ASCII" if of_header else "its body is not valid Unicode"
    return IntegrationError(f"{what} cannot be sent: {reason}.", "INVALID_REQUEST", 400)


_IMPOSSIBLE = (httpx.InvalidURL, httpx.LocalProtocolError, UnicodeEncodeError)


def _merged(
    inherited: _Pairs, own: tuple[Any, ...], netloc: bytes, length: int
) -> httpx.Headers | None:
    """Return the headers of a request to *netloc*; its *own* replace those *inherited*.

    None if they contain the host or the length of the request themselves.
    """
    given = httpx.Headers(own)
    replaced = names_of(given)
    pairs = [*(pair for pair in inherited if pair[0].lower() not in replaced), *given.raw]
    if not _OF_FRAMING.isdisjoint(name.lower() for name, _ in pairs):
        return None
    return httpx.Headers([(b"Host", netloc), *pairs, (b"Content-Length", b"%d" % length)])


class _Jar(httpx.Cookies):
    """Cookies of a client; responses that set none cost nothing."""

    def extract_cookies(self, response: httpx.Response) -> None:
        """Store the cookies that a response sets."""
        if not _OF_COOKIES.isdisjoint(names_received(response)):
            super().extract_cookies(response)


def _repeatable(request: httpx.Request, error: RetryableError) -> bool:
    """Return whether *request* may be sent again without doing anything twice.

    True after 429, if the failed request was never sent or is safe by its method or extension,
    and if a repeatable token request failed. A response that is too large would be so again.
    """
    cause = error.__cause__
    if isinstance(cause, ResponseTooLargeError):
        return False
    failed = error.response.request if error.response is not None else None
    if isinstance(cause, httpx.RequestError):
        failed = cause.request
    if error.status == 429 or failed is None or isinstance(cause, _NEVER_SENT):
        return True
    asked = failed if "token" in failed.extensions else request
    return is_repeatable(asked)
