"""The HTTP client that destinations get: paced, repeating, recording, and raising our errors."""

from __future__ import annotations

import logging
import re
import threading
from collections import Counter
from functools import lru_cache
from typing import Any

import httpx

from framework.delivery.answers import ErrorReader, failure, place, refusal
from framework.delivery.auth import Credentials
from framework.delivery.exchanges import Answer, Outgoing, Recorder, Redactor
from framework.delivery.retries import Clock, Retry, SystemClock
from framework.delivery.throttle import Throttle
from framework.delivery.transports import Network
from framework.errors import IntegrationError, RetryableError

TIMEOUT = httpx.Timeout(30.0, connect=10.0, pool=60.0)
"""Seconds: to reach the partner, between any two pieces of an answer, for a free connection."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"})
"""Methods whose requests may be repeated; others need the extension `idempotent`."""

# Failures before the first byte of the request.
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_MOST_ENDPOINTS = 200  # names in paths can be without number
_KEPT_URLS = 128
_OF_COOKIES = frozenset({b"set-cookie", b"set-cookie2"})
_IDENTIFIER = re.compile(r"/(?:\d+|[0-9a-fA-F-]{16,})(?=/|$)")
_logger = logging.getLogger("action_destinations")
_CLEANED_LOGGERS = ("httpx", "httpcore", "action_destinations")
_LATE_LOGGERS = ("httpcore.connection", "httpcore.http11", "httpcore.proxy")  # at the first call


class Client(httpx.Client):
    """An `httpx.Client` for one connection; its requests raise when they do not succeed.

    An answer other than 2xx becomes an error (see `refusal` in `answers`) once the auth flow is
    through with it, and so does a request without an answer. Requests wait for the *throttle*,
    are repeated as *retry* says where that can do no harm, and are recorded while the `recorder`
    is asked to. Texts of errors and logs pass the *redactor*. *error_reader* reads code and text
    from the partner's errors where the common places do not hold them. A body that is streamed
    is sent once only.
    """

    def __init__(  # noqa: PLR0913 - each replaces one part of the client
        self,
        *,
        auth: httpx.Auth | None = None,
        transport: httpx.BaseTransport | None = None,
        retry: Retry | None = None,
        throttle: Throttle | None = None,
        redactor: Redactor | None = None,
        clock: Clock | None = None,
        error_reader: ErrorReader | None = None,
        **options: Any,
    ) -> None:
        self.clock = clock or SystemClock()
        self.redactor = redactor or Redactor()
        self.recorder = Recorder(self.redactor)
        self.error_reader = error_reader
        self._retry = retry or Retry()
        self._wire = _Wire(
            transport or Network(),
            throttle or Throttle(clock=self.clock),
            self.recorder,
            self.redactor,
        )
        self._jar = _Jar(options.pop("cookies", None))
        self._url = lru_cache(maxsize=_KEPT_URLS)(httpx.URL)
        options = {"timeout": TIMEOUT, **options}
        options["headers"] = {"User-Agent": "action-destinations", **(options.get("headers") or {})}
        super().__init__(auth=auth, transport=self._wire, **options)
        if isinstance(auth, Credentials):
            auth.confide(self.redactor.protect)

    @property
    def number_of_calls(self) -> int:
        """How many requests were made so far, token requests and repetitions too."""
        return self._wire.endpoints.number

    @property
    def calls(self) -> Counter[str]:
        """Every request so far, token requests and repetitions too, counted by method and place.

        A place is host and path with its ids left out, as in `GET api.test/lists/{id}`.
        """
        return self._wire.endpoints.calls()

    @property
    def cookies(self) -> httpx.Cookies:
        """The cookies that the partner has set."""
        return self._jar

    @cookies.setter
    def cookies(self, cookies: Any) -> None:
        self._jar = _Jar(cookies)

    def build_request(self, method: str, url: httpx.URL | str, **options: Any) -> httpx.Request:
        """Give a request, its address merged with the client's and its headers too."""
        known = self._url(url) if isinstance(url, str) else url
        return super().build_request(method, known, **options)

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send *request* and give the answer, which is a 2xx.

        Raises IntegrationError, mostly one of its subclasses, with the answer as `response`.
        """
        if not isinstance(request.stream, httpx.ByteStream):
            return self._send_once(request, options)
        return self._retry.run(
            lambda: self._send_once(request, options),
            lambda error: _repeatable(request, error),
            self.clock,
        )

    def _send_once(self, request: httpx.Request, options: dict[str, Any]) -> httpx.Response:
        try:
            response = super().send(request, **options)
            if response.is_success:
                return response
            response.read()
        except (httpx.TransportError, httpx.DecodingError, httpx.TooManyRedirects) as error:
            self.redactor.protect_credentials(request.headers.items())
            # A protocol error of ours quotes the header that it refuses.
            cause = None if isinstance(error, httpx.LocalProtocolError) else error
            raise failure(error, self.redactor) from cause
        except IntegrationError as error:  # of the auth flow or the throttle
            error.args = (self.redactor.text(str(error)),)
            raise
        raise refusal(response, self.redactor, self.error_reader, now=self.clock.time())


class _Wire(httpx.BaseTransport):
    """The place that every request passes, those of auth flows included."""

    def __init__(
        self,
        transport: httpx.BaseTransport,
        throttle: Throttle,
        recorder: Recorder,
        redactor: Redactor,
    ) -> None:
        self._transport = transport
        self._throttle = throttle
        self._recorder = recorder
        self.endpoints = _Endpoints(redactor)
        self._redactor = redactor
        self._loggers = _cleaned_loggers()
        for logger in self._loggers:
            logger.addFilter(redactor)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._throttle.take()
        endpoint = self.endpoints.count(request)
        send = self._recorded if self._recorder.active else self._transport.handle_request
        response = send(request)
        self._throttle.tell(response.status_code, response.headers)
        self.endpoints.notice(endpoint, response.headers)
        return response

    def close(self) -> None:
        for logger in self._loggers:
            logger.removeFilter(self._redactor)
        self._transport.close()

    def _recorded(self, request: httpx.Request) -> httpx.Response:
        replayable = isinstance(request.stream, httpx.ByteStream)
        outgoing = Outgoing(
            request.method,
            str(request.url),
            tuple(request.headers.multi_items()),
            request.content if replayable else None,
        )
        try:
            response = self._transport.handle_request(request)
            raw = _drained(response)
        except httpx.RequestError as error:
            self._recorder.add(outgoing, f"{type(error).__name__}: {error}")
            raise
        self._recorder.add(outgoing, _answer(response, raw))
        return response if isinstance(response.stream, httpx.ByteStream) else _copy(response, raw)


class _Jar(httpx.Cookies):
    """Cookies of a client; answers that set none cost nothing."""

    def extract_cookies(self, response: httpx.Response) -> None:
        """Take in the cookies that an answer sets."""
        if not _OF_COOKIES.isdisjoint(name.lower() for name, _ in response.headers.raw):
            super().extract_cookies(response)


class _Endpoints:
    """What is known about the places that were called, ids in their paths left out."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._lock = threading.Lock()
        self.number = 0
        self._calls: Counter[str] = Counter()
        self._said: set[str] = set()

    def calls(self) -> Counter[str]:
        """Give the number of requests by place."""
        with self._lock:
            calls = dict(self._calls)
        shown: Counter[str] = Counter()
        for endpoint, number in calls.items():
            shown[self._redactor.text(endpoint)] += number
        return shown

    def count(self, request: httpx.Request) -> str:
        """Count a request and give the name of its place."""
        endpoint = _IDENTIFIER.sub("/{id}", place(request))
        with self._lock:
            if endpoint not in self._calls and len(self._calls) >= _MOST_ENDPOINTS:
                endpoint = "others"
            self._calls[endpoint] += 1
            self.number += 1
        return endpoint

    def notice(self, endpoint: str, headers: httpx.Headers) -> None:
        """Say once for each place that the partner is going to take it away."""
        deprecation, sunset = headers.get("deprecation"), headers.get("sunset")
        if deprecation is None and sunset is None:
            return
        endpoint = self._redactor.text(endpoint)
        with self._lock:
            said = endpoint in self._said
            self._said.add(endpoint)
        if not said:
            end = f" and goes away on {self._redactor.text(sunset)}" if sunset else ""
            marks = {"endpoint": endpoint, "deprecation": deprecation, "sunset": sunset}
            _logger.warning("`%s` is deprecated%s.", endpoint, end, extra=marks)


def _cleaned_loggers() -> list[logging.Logger]:
    """Give the loggers that may be told what a partner said, those of loaded plugins included.

    The libraries log whole URLs, and when debugging the headers of answers. A logger's filter sees
    no records of the loggers below it, therefore each gets its own.
    """
    known = (*_CLEANED_LOGGERS, *_LATE_LOGGERS, *logging.root.manager.loggerDict)
    names = {name for name in known if name.partition(".")[0] in _CLEANED_LOGGERS}
    return [logging.getLogger(name) for name in sorted(names)]


def _repeatable(request: httpx.Request, error: RetryableError) -> bool:
    """Tell whether sending *request* again cannot do anything twice.

    So it is after 429, when the failed request was never sent or is safe by its method or
    extension, and when a token could not be had, as long as asking for one is safe.
    """
    cause = error.__cause__
    failed = error.response.request if error.response is not None else None
    if isinstance(cause, httpx.RequestError):
        failed = cause.request
    if error.status == 429 or failed is None or isinstance(cause, _NEVER_SENT):
        return True
    asked = failed if "token" in failed.extensions else request
    return asked.method in SAFE_METHODS or bool(asked.extensions.get("idempotent"))


def _drained(response: httpx.Response) -> bytes:
    assert isinstance(response.stream, httpx.SyncByteStream)
    if isinstance(response.stream, httpx.ByteStream):
        return b"".join(response.stream)
    try:
        return b"".join(response.stream)
    finally:
        response.close()


def _copy(response: httpx.Response, raw: bytes) -> httpx.Response:
    return httpx.Response(
        response.status_code,
        headers=response.headers,
        stream=httpx.ByteStream(raw),
        extensions=response.extensions,
    )


def _answer(response: httpx.Response, raw: bytes) -> Answer:
    headers = tuple(response.headers.multi_items())
    names = dict(headers)
    if "content-encoding" in names:
        body = _decoded(_copy(response, raw))
    else:
        body = raw.decode(_charset(names.get("content-type", "")), "replace")
    return Answer(response.status_code, response.reason_phrase, headers, body)


def _decoded(response: httpx.Response) -> str:
    try:
        response.read()
    except httpx.DecodingError:
        return "<not decodable>"
    return response.text


@lru_cache(maxsize=64)
def _charset(content_type: str) -> str:
    """Give the encoding of text that comes with *content_type*, as httpx decides it."""
    charset = httpx.Response(200, headers={"Content-Type": content_type}).encoding or "utf-8"
    try:
        b"".decode(charset)
    except LookupError:  # an encoding, but not of text
        return "utf-8"
    return charset
