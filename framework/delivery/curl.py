"""Requests over the network by libcurl: an httpx transport that keeps connections."""

from __future__ import annotations

import logging
import os
import socket
import ssl
import weakref
from functools import cached_property, lru_cache
from math import ceil
from pathlib import Path
from typing import Any, Final
from urllib.request import getproxies, proxy_bypass

import httpx
import pycurl

from framework.delivery.http_messages import (
    MAX_BODY,
    ResponseTooLargeError,
    is_repeatable,
    parse_response,
    request_body,
    request_lines,
)
from framework.delivery.workers import Watch, current_watch
from framework.delivery_options import NO_PROXY

MAX_IDLE: Final = 5
"""Seconds for which a connection is kept."""

_KEPT_HANDLES = 20
_KEPT_HEADS = 128
_CONNECT, _TOTAL = 10.0, 30.0
_logger = logging.getLogger("action_destinations")

# What an error of libcurl means while nothing was sent, and what it means afterwards.
_OTHERWISE = (httpx.ConnectError, httpx.ReadError)
_NO_PROXY = (httpx.ProxyError, httpx.ReadError)
_NOT_HTTP = (httpx.ConnectError, httpx.RemoteProtocolError)
_ERRORS: dict[int, tuple[type[httpx.TransportError], type[httpx.TransportError]]] = {
    pycurl.E_URL_MALFORMAT: (httpx.UnsupportedProtocol, httpx.UnsupportedProtocol),
    pycurl.E_OPERATION_TIMEDOUT: (httpx.ConnectTimeout, httpx.ReadTimeout),
    pycurl.E_SEND_ERROR: (httpx.ConnectError, httpx.WriteError),
    pycurl.E_COULDNT_RESOLVE_PROXY: _NO_PROXY,
    97: _NO_PROXY,  # CURLE_PROXY
    pycurl.E_UNSUPPORTED_PROTOCOL: _NOT_HTTP,
    pycurl.E_FTP_WEIRD_SERVER_REPLY: _NOT_HTTP,
    pycurl.E_GOT_NOTHING: _NOT_HTTP,
    pycurl.E_PARTIAL_FILE: _NOT_HTTP,
    pycurl.E_HTTP2: _NOT_HTTP,
    92: _NOT_HTTP,  # CURLE_HTTP2_STREAM
}
_CAUSES: dict[int, type[OSError]] = {
    pycurl.E_COULDNT_RESOLVE_HOST: socket.gaierror,
    pycurl.E_PEER_FAILED_VERIFICATION: ssl.SSLCertVerificationError,
    pycurl.E_SSL_CONNECT_ERROR: ssl.SSLError,
}


def trusted_certificates(ca_file: Path | None) -> str:
    """Return the file of trusted certificates: *ca_file*, `SSL_CERT_FILE` or certifi's."""
    if ca_file is not None:
        return str(ca_file)
    import certifi  # noqa: PLC0415 - needed for TLS only

    return os.environ.get("SSL_CERT_FILE") or certifi.where()


class CurlTransport(httpx.BaseTransport):
    """Sends requests to `http` and `https` origins, over HTTP/1.1 or, with *http2*, HTTP/2.

    Safe under threads and forks. A call takes at most the read timeout of its request in all (30
    seconds where none is given), of which the connect timeout (10) to connect; the whole response
    is read before it is returned. Redirects are not followed, cookies not kept, netrc not read.
    Proxies are those of the environment, trusted certificates those of certifi or, where it is
    set, of the file `SSL_CERT_FILE`.

    Raises httpx.ConnectError, ConnectTimeout and ProxyError only where nothing was sent, and
    ReadError for a response that is too large or when the transport is closed meanwhile. A kept
    connection that ends before a response is replaced once, for repeatable requests only.
    """

    def __init__(
        self, *, http2: bool = False, proxy: str | None = None, ca_file: Path | None = None
    ) -> None:
        self.http_version = (pycurl.CURL_HTTP_VERSION_1_1, pycurl.CURL_HTTP_VERSION_2TLS)[http2]
        self.closed = False
        self._given_proxy, self._ca_file = proxy, ca_file
        self._proxies = getproxies()
        self._request_lines = lru_cache(maxsize=_KEPT_HEADS)(request_lines)
        self._idle: list[_Handle] = []
        _transports.add(self)

    @cached_property
    def certificates(self) -> str:
        """The file of trusted certificates."""
        return trusted_certificates(self._ca_file)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request* and return its response, complete with its body."""
        if self.closed:
            raise RuntimeError("Cannot send a request, as the transport has been closed.")
        head, length = self._request_lines(request.method, tuple(request.headers.raw))
        handle = self._handle()
        try:
            response = handle.call(request, head, length)
        except BaseException:
            handle.close()
            raise
        self._idle.append(handle)
        if self.closed or len(self._idle) > _KEPT_HANDLES:
            self._handle().close()
        return response

    def proxy(self, url: httpx.URL) -> str:
        """Return the proxy for *url*, or an empty string."""
        if self._given_proxy is not None:
            return "" if self._given_proxy == NO_PROXY else self._given_proxy
        proxy = self._proxies.get(url.scheme) or self._proxies.get("all")
        return "" if not proxy or proxy_bypass(url.host) else proxy

    def disown(self) -> None:
        """Leave the connections, unclosed, to the process that this one was forked from."""
        _inherited.extend(self._idle)
        self._idle = []

    def close(self) -> None:
        """Close the connections; calls under way fail within a second."""
        self.closed = True
        while self._idle:
            self._handle().close()

    def _handle(self) -> _Handle:
        """Return the handle that was used last, as its connections are warm, or a new one."""
        try:
            return self._idle.pop()
        except IndexError:
            return _Handle(self)


class _Handle:
    """A libcurl handle with the connections it keeps, for one call at a time."""

    def __init__(self, transport: CurlTransport) -> None:
        self._transport = transport
        self._curl = pycurl.Curl()
        self._current: dict[int, Any] = {}
        self._target: tuple[str, bytes, bytes] | None = None
        self._form, self._proxy, self._large = 0, "", False
        self._watch: Watch | None = None
        self._lines: list[bytes] = []
        self._pieces: list[bytes] = []
        self._attempts, self._allowed = 0, 1
        for option, value in (
            (pycurl.HTTP_VERSION, transport.http_version),
            (pycurl.PATH_AS_IS, 1),
            (pycurl.USERAGENT, ""),
            (pycurl.NOPROXY, ""),
            (pycurl.NOSIGNAL, 1),
            (pycurl.NOPROGRESS, 0),
            (pycurl.MAXAGE_CONN, MAX_IDLE),
            # These two run no Python code, so that no signal handler can raise in them.
            (pycurl.HEADERFUNCTION, self._lines.append),
            (pycurl.WRITEFUNCTION, self._pieces.append),
            (pycurl.XFERINFOFUNCTION, self._progress),
            (pycurl.PREREQFUNCTION, self._attempt),
        ):
            self._curl.setopt(option, value)

    def call(self, request: httpx.Request, head: list[bytes], length: bytes) -> httpx.Response:
        """Send *request*, whose headers are *head*, and return its response."""
        target = request.url.scheme, request.url.netloc, request.url.raw_path
        if target != self._target:
            self._aim(request.url, target)
        timeout = request.extensions.get("timeout", {})
        connect, total = timeout.get("connect", _CONNECT), timeout.get("read", _TOTAL)
        self._set(pycurl.CONNECTTIMEOUT_MS, ceil(1000 * (connect or 0)))  # 0 is no limit
        self._set(pycurl.TIMEOUT_MS, ceil(1000 * (total or 0)))
        self._set(pycurl.HTTPHEADER, head)
        self._set(pycurl.CUSTOMREQUEST, request.method)
        self._load(request, length)
        self._attempts, self._allowed = 0, 1 + is_repeatable(request)
        self._watch, self._large = current_watch(), False
        self._lines.clear()
        self._pieces.clear()
        try:
            self._curl.perform()
        except pycurl.error as error:
            raise self._error(*error.args) from self._cause(*error.args)
        if _logger.isEnabledFor(logging.DEBUG):
            status, made = map(self._curl.getinfo, (pycurl.RESPONSE_CODE, pycurl.NUM_CONNECTS))
            place, kind = request.url.netloc.decode("ascii"), "new" if made else "kept"
            _logger.debug("%s answered %d on a %s connection.", place, status, kind)
        tunnelled = self._proxy and self._curl.getinfo(pycurl.HTTP_CONNECTCODE)
        return parse_response(self._lines, b"".join(self._pieces), tunnelled=bool(tunnelled))

    def close(self) -> None:
        """Close the connections."""
        self._curl.close()

    def _set(self, option: int, value: Any) -> None:
        if self._current.get(option) != value:
            self._curl.setopt(option, value)
            self._current[option] = value

    def _aim(self, url: httpx.URL, target: tuple[str, bytes, bytes]) -> None:
        """Set where requests go and how they get there."""
        if url.scheme not in {"http", "https"}:
            raise httpx.UnsupportedProtocol("The address begins with neither `http` nor `https`.")
        self._target, self._proxy = target, self._transport.proxy(url)
        address = b"%b://%b%b" % (url.raw_scheme, url.netloc, url.raw_path)
        self._set(pycurl.URL, address)
        self._set(pycurl.PROXY, self._proxy)
        # libcurl would change the case of escapes.
        whole = self._proxy and url.scheme == "http"
        self._set(pycurl.REQUEST_TARGET, address if whole else url.raw_path)
        if self._proxy or url.scheme == "https":
            self._set(pycurl.CAINFO, self._transport.certificates)
            self._set(pycurl.PROXY_CAINFO, self._transport.certificates)

    def _load(self, request: httpx.Request, length: bytes) -> None:
        """Set the body of *request*; one that streams is read to its end first."""
        body, head = request_body(request, length), request.method == "HEAD"
        form = pycurl.NOBODY if head else pycurl.POST if body or not length else pycurl.HTTPGET
        if form != self._form:
            self._curl.setopt(form, 1)
            self._form = form
        if form == pycurl.POST:
            self._curl.setopt(pycurl.POSTFIELDS, body)

    def _attempt(self, *_: object) -> bool:
        """Return whether to refuse sending the request now, on a connection that is ready.

        Without that, libcurl repeats any request, POST included, when a kept connection ends
        before a response.
        """
        self._attempts += 1
        return self._attempts > self._allowed

    def _progress(self, _total: int, received: int, _total_up: int, _sent: int) -> bool:
        """Return whether to abort; libcurl asks at least once a second."""
        if received > MAX_BODY:
            self._large = True
            return True
        return self._transport.closed or (self._watch is not None and self._watch.stopping)

    def _error(self, code: int, message: str) -> httpx.TransportError:
        if code == pycurl.E_ABORTED_BY_CALLBACK and self._large:
            return ResponseTooLargeError("The response is too large.")
        before, after = _ERRORS.get(code, _OTHERWISE)
        if not self._attempts and self._curl.getinfo(pycurl.HTTP_CONNECTCODE) >= 300:
            before = httpx.ProxyError
        return (after if self._attempts else before)(message)

    def _cause(self, code: int, message: str) -> OSError | None:
        """Return the error of the operating system or of TLS behind an error of libcurl."""
        if code == pycurl.E_COULDNT_CONNECT:
            return OSError(self._curl.getinfo(pycurl.OS_ERRNO), message)
        kind = _CAUSES.get(code)
        return kind(code, message) if kind else None


_inherited: list[_Handle] = []
_transports: weakref.WeakSet[CurlTransport] = weakref.WeakSet()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: [*map(CurlTransport.disown, _transports)])
