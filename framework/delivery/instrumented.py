"""The transport that every request passes: rate-limited, counted, and recorded on demand."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache

import httpx

from framework.delivery.exchanges import ReceivedResponse, Recorder, Redactor, SentRequest
from framework.delivery.http_errors import place_of
from framework.delivery.http_messages import names_received
from framework.delivery.rate_limits import RateLimits
from framework.delivery.throttle import TELLING
from framework.delivery.workers import current_watch

_MOST_ENDPOINTS = 200  # names in paths can be without number
_IDENTIFIER = re.compile(r"/(?:\d+|[0-9a-fA-F-]{16,})(?=/|$)")
_OF_FAREWELL = frozenset({b"deprecation", b"sunset"})
_logger = logging.getLogger("action_destinations")
_CLEANED_LOGGERS = ("httpx", "httpcore", "action_destinations")
_LATE_LOGGERS = ("httpcore.connection", "httpcore.http11", "httpcore.proxy")  # at the first call


class InstrumentedTransport(httpx.BaseTransport):
    """Wraps the transport of a client; requests of auth flows pass it, too.

    `guard` is called directly before each request, after its wait, and may refuse it by raising.
    """

    def __init__(
        self,
        transport: httpx.BaseTransport,
        limits: RateLimits,
        recorder: Recorder,
        redactor: Redactor,
    ) -> None:
        self._transport = transport
        self._limits = limits
        self._recorder = recorder
        self.endpoints = Endpoints(redactor)
        self.guard: Callable[[], object] = lambda: None
        self._redactor = redactor
        self._loggers = _cleaned_loggers()
        for logger in self._loggers:
            logger.addFilter(redactor)
        # Records of other loggers, such as a plugin's own, reach a terminal by this handler.
        self._last_resort = logging.lastResort
        if self._last_resort:
            self._last_resort.addFilter(redactor)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request* as soon as the rate limit allows."""
        held: list[threading.Semaphore] = []
        try:
            if watch := current_watch():
                watch.wait_for_rate(self._limits.take, request, self.guard, held)
            else:
                self._limits.take(request, self.guard, held)
            return self._sent(request)
        finally:
            for slots in held:
                slots.release()

    def _sent(self, request: httpx.Request) -> httpx.Response:
        endpoint = self.endpoints.count(request)
        send = self._recorded if self._recorder.active else self._transport.handle_request
        start = time.perf_counter()
        try:
            response = send(request)
        except httpx.TransportError:
            self.endpoints.count_status(0)
            raise
        self.endpoints.count_status(response.status_code)
        if response.is_closed:  # made in this process: httpx measures streams only
            response.elapsed = timedelta(seconds=time.perf_counter() - start)
        names = names_received(response)
        if response.status_code == 429 or not TELLING.isdisjoint(names):
            self._limits.tell(request, response.status_code, response.headers)
        if not _OF_FAREWELL.isdisjoint(names):
            self.endpoints.notice(endpoint, response.headers)
        return response

    def close(self) -> None:
        """Close the wrapped transport."""
        for logger in self._loggers:
            logger.removeFilter(self._redactor)
        if self._last_resort:
            self._last_resort.removeFilter(self._redactor)
        self._transport.close()

    def _recorded(self, request: httpx.Request) -> httpx.Response:
        stream = request.stream
        body = b"".join(stream) if isinstance(stream, httpx.ByteStream) else None
        outgoing = SentRequest(request.method, request.url, request.headers.raw, body)
        try:
            response = self._transport.handle_request(request)
            raw = _drained(response)
        except httpx.RequestError as error:
            self._recorder.add(outgoing, f"{type(error).__name__}: {error}")
            raise
        self._recorder.add(outgoing, _answer(response, raw), token="token" in request.extensions)
        return response if isinstance(response.stream, httpx.ByteStream) else _copy(response, raw)


class Endpoints:
    """Counters and deprecation notices by endpoint; IDs in paths are replaced."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._lock = threading.Lock()
        self.number = 0
        self._calls: Counter[str] = Counter()
        self._statuses: Counter[int] = Counter()
        self._said: set[str] = set()

    def calls(self) -> Counter[str]:
        """Return the number of requests by endpoint."""
        with self._lock:
            calls = dict(self._calls)
        shown: Counter[str] = Counter()
        for endpoint, number in calls.items():
            shown[self._redactor.text(endpoint)] += number
        return shown

    def statuses(self) -> Counter[int]:
        """Return the number of responses by status; 0 counts requests without a response."""
        with self._lock:
            return Counter(self._statuses)

    def count_status(self, status: int) -> None:
        """Count a response."""
        with self._lock:
            self._statuses[status] += 1

    def count(self, request: httpx.Request) -> str:
        """Count a request and return the name of its endpoint."""
        url = request.url
        endpoint = _named(request.method, url.netloc, url.raw_path)
        with self._lock:
            if endpoint not in self._calls and len(self._calls) >= _MOST_ENDPOINTS:
                endpoint = "others"
            self._calls[endpoint] += 1
            self.number += 1
        return endpoint

    def notice(self, endpoint: str, headers: httpx.Headers) -> None:
        """Log once for each endpoint that the partner has deprecated it."""
        deprecation, sunset = headers.get("deprecation"), headers.get("sunset")
        endpoint = self._redactor.text(endpoint)
        with self._lock:
            said = endpoint in self._said
            self._said.add(endpoint)
        if not said:
            end = f" and goes away on {self._redactor.text(sunset)}" if sunset else ""
            marks = {"endpoint": endpoint, "deprecation": deprecation, "sunset": sunset}
            _logger.warning("`%s` is deprecated%s.", endpoint, end, extra=marks)


def _cleaned_loggers() -> list[logging.Logger]:
    """Return the loggers that may receive partner data, including those of loaded plugins.

    The libraries log whole URLs, and at debug level the headers of responses. A logger's filter
    does not see the records of its descendants, therefore each gets its own.
    """
    known = (*_CLEANED_LOGGERS, *_LATE_LOGGERS, *logging.root.manager.loggerDict)
    names = {name for name in known if name.partition(".")[0] in _CLEANED_LOGGERS}
    return [logging.getLogger(name) for name in sorted(names)]


@lru_cache(maxsize=128)
def _named(method: str, netloc: bytes, target: bytes) -> str:
    return _IDENTIFIER.sub("/{id}", place_of(method, netloc, target))


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


def _answer(response: httpx.Response, raw: bytes) -> ReceivedResponse:
    headers = response.headers.raw
    values = {name.lower(): value for name, value in headers}
    if b"content-encoding" in values:
        body = _decoded(_copy(response, raw))
    else:
        body = raw.decode(_charset(values.get(b"content-type", b"")), "replace")
    return ReceivedResponse(response.status_code, response.reason_phrase, headers, body)


def _decoded(response: httpx.Response) -> str:
    try:
        response.read()
    except httpx.DecodingError:
        return "<not decodable>"
    return response.text


@lru_cache(maxsize=64)
def _charset(content_type: bytes) -> str:
    """Return the encoding of text with *content_type*, as httpx determines it."""
    response = httpx.Response(200, headers=[(b"Content-Type", content_type)])
    charset = response.encoding or "utf-8"
    try:
        b"".decode(charset)
    except LookupError:  # an encoding, but not of text
        return "utf-8"
    return charset
