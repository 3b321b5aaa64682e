"""Segment's tracking API as an ASGI app: a request is answered when its events are stored."""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from framework.errors import ConfigurationError, StorageError, StoreFullError
from framework.events import NotJSONError, read_request_body
from framework.intake.arrivals import Arrivals
from framework.intake.body_reader import Disconnected, read_content
from framework.intake.refused_request import RefusedRequest
from framework.intake.stamps import StampedEvents, stamp_all
from framework.intake.write_keys import WriteKeys
from framework.paths import Event

if TYPE_CHECKING:
    from framework.relay import EventStore

MAX_BODY: Final = 4 * 1024 * 1024
"""Bytes of the longest body by default."""

BATCHES: Final = ("/v1/batch", "/v1/b", "/v1/import")
"""Paths that take a batch of events."""

KINDS: Final = ("track", "identify", "page", "screen", "group", "alias")
"""Types of single events; their paths are `/v1/track`, `/v1/t` and so on."""

_LARGE: Final = 64 * 1024
"""Size in bytes above which a body is parsed in another thread, so that small ones do not wait."""

_MAX_WAITING: Final = 16
"""Maximum number of bodies of the largest size that wait for the store together."""

_HOST: Final = re.compile(r"[\w.-]+(:\d+)?|\[[0-9A-Fa-f:.]+\](:\d+)?|[0-9A-Fa-f:]+")
_ORIGIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(" + _HOST.pattern + r")/?")

_SUCCESS: Final = b'{"success":true}'

_logger = logging.getLogger("action_destinations")


@dataclass(frozen=True)
class IntakeOptions:
    """What an intake accepts.

    *hosts* are names that the `Host` header may have besides those of the machine itself, such as
    that of a TLS proxy in front; *origins* are those of web pages that may send events, such as
    `https://www.example.com`. Bodies have at most *max_body* bytes as received and *max_unpacked*
    unpacked. *retry_after* is the number of whole seconds after which clients may try again when
    the store is full.
    Raises ConfigurationError for what is no host name and for what is no origin.
    """

    hosts: Sequence[str] = ()
    origins: Sequence[str] = ()
    max_body: int = MAX_BODY
    max_unpacked: int = 2 * MAX_BODY
    retry_after: int = 10
    now: Callable[[], float] = field(default=time.time, repr=False)

    def __post_init__(self) -> None:
        """Check hosts and origins."""
        problems = [
            f"The host `{one}` must be a name without scheme and path, like events.example.com."
            for one in self.hosts
            if not _HOST.fullmatch(one)
        ]
        problems += [
            f"The origin `{one}` must be a scheme and a host, like https://www.example.com; there "
            "is no wildcard."
            for one in self.origins
            if not _ORIGIN.fullmatch(one)
        ]
        if problems:
            raise ConfigurationError("\n".join(problems), problems)


class _Accepted(NamedTuple):
    """The streams of a request, what is stored in them, and what is not."""

    streams: Sequence[str]
    stamped: StampedEvents
    invalid: list[str]


def tracking_app(
    store: EventStore, keys: WriteKeys, options: IntakeOptions, arrivals: Arrivals
) -> Starlette:
    """Return the app with the routes of the tracking API and error bodies for everything else."""
    tracker = _Tracker(store, keys, options, arrivals)
    routes = [Route(path, tracker.endpoint(""), methods=["POST"]) for path in BATCHES]
    for kind in KINDS:
        endpoint = tracker.endpoint(kind)
        routes += [Route(f"/v1/{name}", endpoint, methods=["POST"]) for name in (kind, kind[0])]
    handlers: Mapping[Any, Callable[..., Any]] = {
        404: tracker.missing,
        405: tracker.not_allowed,
    }
    app = Starlette(routes=routes, exception_handlers=dict(handlers))
    app.router.redirect_slashes = False  # clients take a redirect for success or failure
    return app


class _Tracker:
    """Takes the requests of all routes."""

    def __init__(
        self, store: EventStore, keys: WriteKeys, options: IntakeOptions, arrivals: Arrivals
    ) -> None:
        self._store = store
        self._keys = keys
        self._options = options
        self._arrivals = arrivals
        self._waiting_bytes = 0

    def endpoint(self, kind: str) -> Callable[[Request], Awaitable[Response]]:
        """Return the endpoint for a batch, or for a single event of *kind*."""

        async def answer(request: Request) -> Response:
            try:
                await self._take(request, kind)
            except RefusedRequest as refused:
                return self._refuse(refused)
            except Disconnected:
                return Response(status_code=400)  # nobody reads it
            except Exception as error:  # noqa: BLE001 - its text may hold what was sent
                _logger.error("The intake failed: %s", type(error).__name__)  # noqa: TRY400
                failed = RefusedRequest(500, "INTERNAL_ERROR", "The request failed.")
                return self._refuse(failed)
            return Response(_SUCCESS, media_type="application/json")

        return answer

    async def missing(self, request: Request, _: Exception) -> Response:
        """Return the response to a request for an unknown path."""
        del request
        return self._refuse(RefusedRequest(404, "NOT_FOUND", "The tracking API has no such path."))

    async def not_allowed(self, request: Request, _: Exception) -> Response:
        """Return the response to a request by another method."""
        del request
        message = "The tracking API takes POST requests."
        refused = RefusedRequest(405, "METHOD_NOT_ALLOWED", message)
        return self._refuse(refused, {"allow": "POST, OPTIONS"})

    def _refuse(
        self, refused: RefusedRequest, headers: Mapping[str, str] | None = None
    ) -> Response:
        self._arrivals.refused(refused.code, refused.message)
        return refused.response(headers)

    async def _take(self, request: Request, kind: str) -> None:
        """Return when the events of a request are stored; raises RefusedRequest, Disconnected."""
        header = _basic_user(request.headers.get("authorization", ""))
        streams = self._streams(header) if header else ()
        options = self._options
        content = await read_content(request, options.max_body, options.max_unpacked)
        if self._waiting_bytes + len(content) > _MAX_WAITING * options.max_unpacked:
            message = "Too many requests wait for the store."
            raise RefusedRequest(429, "TOO_MANY_REQUESTS", message, retry_after=1)
        self._waiting_bytes += len(content)
        try:
            if len(content) > _LARGE:
                accepted = await run_in_threadpool(self._read, content, kind, streams)
            else:
                accepted = self._read(content, kind, streams)
            await self._keep(accepted)
        finally:
            self._waiting_bytes -= len(content)
        if accepted.invalid and not accepted.stamped.lines:
            raise RefusedRequest(400, "INVALID_EVENT", accepted.invalid[0])

    def _read(self, content: bytes, kind: str, streams: Sequence[str]) -> _Accepted:
        """Return what a body holds; raises RefusedRequest."""
        try:
            head, events, invalid = read_request_body(content, kind)
        except NotJSONError as error:
            raise RefusedRequest(400, "INVALID_JSON", f"The body {error.reason}") from None
        streams = streams or self._streams(_key_in(head, events))
        stamped = stamp_all(events, self._options.now())
        return _Accepted(streams, stamped, invalid + stamped.invalid)

    async def _keep(self, accepted: _Accepted) -> None:
        """Store events, and count them."""
        streams, (lines, ids, _), invalid = accepted
        for stream in streams:
            self._arrivals.invalid(stream, invalid)
        if not lines:
            return
        try:
            futures = [self._store.submit(stream, lines, ids) for stream in streams]
            appended = await asyncio.gather(*map(asyncio.wrap_future, futures))
        except StoreFullError as error:
            _logger.warning("The intake is full: %s", error)
            message = "The store is full. Try again later."
            wait = self._options.retry_after
            raise RefusedRequest(429, "STORE_FULL", message, retry_after=wait) from None
        except StorageError as error:
            _logger.error("The intake cannot store events: %s", error)  # noqa: TRY400
            raise RefusedRequest(503, "STORE_FAILED", "The events could not be stored.") from None
        for stream, (stored, repeated) in zip(streams, appended, strict=True):
            self._arrivals.add("accepted", stream, stored)
            self._arrivals.add("repeated", stream, repeated)

    def _streams(self, key: str) -> Sequence[str]:
        """Return the streams that a write key feeds; raises RefusedRequest."""
        if not key:
            message = "Send the write key as the user name of Basic auth, or as `writeKey`."
            raise RefusedRequest(401, "NO_WRITE_KEY", message)
        streams = self._keys.streams_of(key)
        if not streams:
            raise RefusedRequest(401, "UNKNOWN_WRITE_KEY", "The write key is unknown.")
        return streams


def _basic_user(header: str) -> str:
    """Return the user name of a Basic `Authorization` header, or an empty string."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        text = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return text.partition(":")[0].strip()


def _key_in(head: Event, events: Sequence[Event]) -> str:
    """Return the write key in a body, or that of its first event; an empty string without one."""
    given = head.get("writeKey") or (events[0].get("writeKey") if events else None)
    return given.strip() if isinstance(given, str) else ""
