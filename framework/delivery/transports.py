"""Destinations of requests: the network, another origin, an app in this process, or nowhere."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TypeAlias
from urllib.parse import urlsplit
from wsgiref.types import WSGIApplication

import httpx

from framework.delivery.http_errors import REDIRECTED
from framework.delivery.http_messages import PlainRequest, check_request_head
from framework.delivery_options import DeliveryOptions
from framework.errors import ConfigurationError

Origin: TypeAlias = tuple[str, str, int]
"""Scheme, host and port."""

_PORTS = {"http": 80, "https": 443}
_KEPT_URLS = 128


def make_transport(
    *,
    redirect: Mapping[str, str] | None = None,
    apps: Mapping[str, WSGIApplication] | None = None,
    options: DeliveryOptions | None = None,
    network: httpx.BaseTransport | None = None,
) -> httpx.BaseTransport:
    """Return a transport that sends some origins elsewhere and everything else to *network*.

    *redirect* maps origins to the origins that are called instead; *apps* maps origins to
    WSGI apps of this process. An origin has the form `https://api.example.com`, with a port unless
    it is the default. The proxy and the certificates of *options* are those of the network unless
    *network* replaces it. Raises ConfigurationError with every invalid origin.
    """
    _check_origins([*(redirect or {}), *(redirect or {}).values(), *(apps or {})])
    transport = network or Network(options)
    if apps:
        transport = InProcess(apps, otherwise=transport)
    return OriginRewrite(redirect, transport) if redirect else transport


def trusted_certificates(options: DeliveryOptions) -> str:
    """Return the file of the certificates that connections with *options* trust."""
    from framework.delivery import curl  # noqa: PLC0415 - heavy, loaded with the first request

    return curl.trusted_certificates(options.ca_file)


class Network(httpx.BaseTransport):
    """The real network; libcurl is loaded with the first request.

    Of *options*, the proxy and the certificates replace those of the environment.
    """

    def __init__(self, options: DeliveryOptions | None = None) -> None:
        self._options = options or DeliveryOptions()
        self._lock = threading.Lock()
        self._curl: httpx.BaseTransport | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request* to its origin, or to the proxy for it."""
        return (self._curl or self._opened()).handle_request(request)

    def close(self) -> None:
        """Close the connections; calls under way fail within a second."""
        if self._curl:
            self._curl.close()

    def _opened(self) -> httpx.BaseTransport:
        from framework.delivery.curl import CurlTransport  # noqa: PLC0415 - takes a while to load

        with self._lock:
            proxy, ca_file = self._options.proxy, self._options.ca_file
            self._curl = self._curl or CurlTransport(proxy=proxy, ca_file=ca_file)
            return self._curl


class OriginRewrite(httpx.BaseTransport):
    """Sends requests for some origins to others; path, query, headers and body stay."""

    def __init__(self, origins: Mapping[str, str], transport: httpx.BaseTransport) -> None:
        self._origins = {_origin(old): _origin(new) for old, new in origins.items()}
        self._transport = transport
        self._moved = lru_cache(maxsize=_KEPT_URLS)(_moved)
        self._target = lru_cache(maxsize=_KEPT_URLS)(self._target_of)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request* to the origin that replaces its own, if any."""
        target = self._target(request.url.scheme, request.url.netloc)
        if target is None:
            return self._transport.handle_request(request)
        url = self._moved(target, request.url.raw_path)
        moved = PlainRequest(
            request.method, url, request.headers, request.stream, request.extensions
        )
        moved.headers["Host"] = url.netloc.decode("ascii")
        try:
            return self._transport.handle_request(moved)
        except httpx.RequestError:
            request.extensions[REDIRECTED] = str(url.copy_with(raw_path=b"/")).rstrip("/")
            raise

    def close(self) -> None:
        """Close the wrapped transport."""
        self._transport.close()

    def _target_of(self, scheme: str, netloc: bytes) -> Origin | None:
        return self._origins.get(_origin_of(httpx.URL(f"{scheme}://{netloc.decode('ascii')}")))


def _moved(target: Origin, raw_path: bytes) -> httpx.URL:
    scheme, host, port = target
    return httpx.URL(scheme=scheme, host=host, port=port, raw_path=raw_path)


class InProcess(httpx.BaseTransport):
    """Answers requests for some origins by WSGI apps of this process."""

    def __init__(
        self, apps: Mapping[str, WSGIApplication], *, otherwise: httpx.BaseTransport
    ) -> None:
        self._apps = {_origin(name): httpx.WSGITransport(app) for name, app in apps.items()}
        self._otherwise = otherwise

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request* to the app of its origin, if any."""
        app = self._apps.get(_origin_of(request.url), self._otherwise)
        return app.handle_request(request)

    def close(self) -> None:
        """Close the wrapped transport."""
        self._otherwise.close()


class DryRun(httpx.BaseTransport):
    """Sends nothing: keeps the requests and answers each with the response of *answer*.

    Without *answer*, token requests receive an invalid token, all others `200 {}`.
    """

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response] | None = None) -> None:
        self.requests: list[httpx.Request] = []
        self._answer = answer or _nothing

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Keep *request* and return a made-up response."""
        check_request_head(request.method, request.headers.raw)
        request.read()
        self.requests.append(request)
        return self._answer(request)


def _nothing(request: httpx.Request) -> httpx.Response:
    if "token" in request.extensions:
        return httpx.Response(200, json={"access_token": "dry-run", "expires_in": 900})
    return httpx.Response(200, json={})


def _origin_of(url: httpx.URL) -> Origin:
    return url.scheme, url.host, url.port or _PORTS.get(url.scheme, 0)


def _origin(text: str) -> Origin:
    parts = urlsplit(text)
    return parts.scheme, (parts.hostname or ""), parts.port or _PORTS[parts.scheme]


def _check_origins(texts: list[str]) -> None:
    problems = [
        f"`{text}` is not an origin; write it like `https://api.example.com`."
        for text in texts
        if not _is_origin(text)
    ]
    if problems:
        raise ConfigurationError("\n".join(problems), problems)


def _is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
        named = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    extra = parts.username or parts.password or parts.query or parts.fragment
    return named and not extra and parts.path in {"", "/"}
