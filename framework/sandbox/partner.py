"""A sandbox is a pretend partner: a WSGI app with state, a log, faults on purpose and a clock.

The author of one says what the partner answers; reading requests, dropping connections, counting
calls and remembering them is done here.
"""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import parse_qsl

from framework.clock import MovableClock, SandboxClock
from framework.errors import UnknownNameError
from framework.paths import JSON
from framework.sandbox.faults import GENERIC_FAULTS, DroppedConnectionError, Fault, FaultPlan

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

LOG_LENGTH: Final = 1000
DELAY: Final = "sandbox.delay"
"""Where a sandbox leaves, in the WSGI environ, how many seconds its answer is late."""

_PIECE = 1 << 16
_SECRET_HEADERS = {"authorization", "cookie", "proxy-authorization"}
_HTML = b"<!doctype html><title>Please wait</title><h1>This is not the answer you expect</h1>"


@dataclass(frozen=True, slots=True)
class SandboxRequest:
    """What a client sent; header names are lower-case.

    *size* is the length of the body in bytes; *body* is empty when that was over the limit.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    size: int

    @classmethod
    def read(cls, environ: WSGIEnvironment, limit: int | None) -> SandboxRequest:
        """Read the request of *environ* to its end, keeping at most *limit* bytes of body."""
        body, size = _read_body(environ, limit)
        headers = {
            name[5:].replace("_", "-").lower(): value
            for name, value in environ.items()
            if name.startswith("HTTP_")
        }
        for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            if environ.get(name):
                headers[name.replace("_", "-").lower()] = environ[name]
        path = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace")
        query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
        return cls(environ["REQUEST_METHOD"], path, query, headers, body, size)


@dataclass(frozen=True, slots=True)
class SandboxResponse:
    """What the partner answers: JSON, or bytes as they are; None is an empty body.

    *note* is what the log says about the call; it must hold no personal values.
    """

    status: int = 200
    body: JSON = None
    headers: tuple[tuple[str, str], ...] = ()
    note: Mapping[str, JSON] = field(default_factory=dict)
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class SandboxRoute:
    """What one request asks for: *name* counts in the log and for faults, *answer* does it."""

    name: str
    answer: Callable[[], SandboxResponse]


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request that a sandbox saw: never its body, only what *note* says of it.

    *status* is None where the connection was dropped; *fault* is the kind of the fault that hit.
    """

    at: float
    route: str
    method: str
    path: str
    headers: Mapping[str, str]
    size: int
    status: int | None
    fault: str | None
    note: Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class Panel:
    """A table of the sandbox's page; cells are texts, numbers or None."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[JSON, ...], ...]
    empty: str = "Nothing yet."


class Sandbox(ABC):
    """A pretend partner that answers as a WSGI app and can be looked into.

    Subclasses set *name*, *origins* (the partner's origins that it answers for), *own_faults*
    (kind to description) and implement the abstract methods, which run under the sandbox's lock.
    """

    name: ClassVar[str]
    origins: ClassVar[tuple[str, ...]]
    own_faults: ClassVar[Mapping[str, str]] = {}

    def __init__(self, clock: SandboxClock | None = None) -> None:
        self.clock: SandboxClock = clock or MovableClock()
        self.lock = threading.RLock()
        self.calls: Counter[str] = Counter()
        self._log: deque[LoggedRequest] = deque(maxlen=LOG_LENGTH)
        self._plan = FaultPlan()

    @abstractmethod
    def route(self, request: SandboxRequest) -> SandboxRoute:
        """Say what *request* asks for; a request for nothing known needs a route, too."""

    @abstractmethod
    def fail(self, fault: Fault, route: SandboxRoute, request: SandboxRequest) -> SandboxResponse:
        """Answer with one of the sandbox's own faults."""

    @abstractmethod
    def clear(self) -> None:
        """Bring the partner's state back to where it began."""

    @abstractmethod
    def describe(self, detail: str) -> dict[str, JSON]:
        """Return the partner's state as JSON, without secrets, in the *detail* asked for."""

    @abstractmethod
    def panels(self) -> tuple[Panel, ...]:
        """Return the tables of the page: no secrets, no personal values."""

    @abstractmethod
    def settings(self) -> dict[str, JSON]:
        """Return settings with which a connection is let in."""

    @abstractmethod
    def admit(self, settings: Mapping[str, JSON]) -> None:
        """Let connections with *settings* in from now on, also after a reset."""

    @property
    def body_limit(self) -> int | None:
        """The most bytes of a body that the partner reads."""
        return None

    @property
    def app(self) -> WSGIApplication:
        """The WSGI callable."""
        return self.__call__

    @property
    def faults(self) -> dict[str, str]:
        """Every kind of fault that can be injected, with a description."""
        return {**GENERIC_FAULTS, **self.own_faults}

    @property
    def requests(self) -> tuple[LoggedRequest, ...]:
        """The last thousand calls, oldest first."""
        with self.lock:
            return tuple(self._log)

    def inject(self, fault: Fault) -> None:
        """Make calls go wrong; raises UnknownNameError for a kind that is not in `faults`."""
        if fault.kind not in self.faults:
            raise UnknownNameError.of("fault", fault.kind, self.faults)
        self._plan.add(fault)

    def pending_faults(self) -> list[Fault]:
        """List the faults that are still to come or not over yet."""
        return self._plan.pending()

    def reset(self) -> None:
        """Forget everything that happened; the clock and the admitted settings stay."""
        with self.lock:
            self.calls.clear()
            self._log.clear()
            self._plan.clear()
            self.clear()

    def state(self, detail: str = "counts") -> dict[str, JSON]:
        """Return the whole state as JSON; *detail* is one of counts, digests and members."""
        known = ("counts", "digests", "members")
        if detail not in known:
            raise UnknownNameError.of("detail", detail, known)
        with self.lock:
            return {
                "sandbox": self.name,
                "now": self.clock.time(),
                "calls": dict(sorted(self.calls.items())),
                "faults": [fault.to_json() for fault in self.pending_faults()],
                **self.describe(detail),
            }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request the WSGI way; raises DroppedConnectionError to end the connection."""
        request = SandboxRequest.read(environ, self.body_limit)
        with self.lock:
            route = self.route(request)
            fault = self._plan.due(route.name)
            kind = fault.kind if fault else None
            answer = self._play(fault, route, request)
            self._remember(request, route, kind, answer)
        if kind in {"drop-before", "drop-after"}:
            raise DroppedConnectionError
        if fault and kind == "slow":
            environ[DELAY] = fault.seconds
            self.clock.sleep(fault.seconds)
        return respond(answer, start_response)

    def _play(
        self, fault: Fault | None, route: SandboxRoute, request: SandboxRequest
    ) -> SandboxResponse:
        if fault is None or fault.kind in {"slow", "drop-after"}:
            return route.answer()
        if fault.kind == "drop-before":
            return SandboxResponse()
        if fault.kind in {"html", "html-gateway"}:
            status = 200 if fault.kind == "html" else 502
            return SandboxResponse(status, _HTML, content_type="text/html; charset=utf-8")
        return self.fail(fault, route, request)

    def _remember(
        self,
        request: SandboxRequest,
        route: SandboxRoute,
        kind: str | None,
        answer: SandboxResponse,
    ) -> None:
        dropped = kind in {"drop-before", "drop-after"}
        call = LoggedRequest(
            at=self.clock.time(),
            route=route.name,
            method=request.method,
            path=request.path,
            headers={k: v for k, v in request.headers.items() if k not in _SECRET_HEADERS},
            size=request.size,
            status=None if dropped else answer.status,
            fault=kind,
            note=answer.note,
        )
        self.calls[route.name] += 1
        self._log.append(call)


def respond(answer: SandboxResponse, start_response: StartResponse) -> list[bytes]:
    """Send *answer* the WSGI way."""
    body = answer.body
    if body is None:
        payload = b""
    elif isinstance(body, bytes):
        payload = body
    else:
        payload = json.dumps(body, separators=(",", ":")).encode()
    headers = [("Content-Length", str(len(payload))), *answer.headers]
    if payload:
        headers.append(("Content-Type", answer.content_type))
    start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", headers)
    return [payload]


def _read_body(environ: WSGIEnvironment, limit: int | None) -> tuple[bytes, int]:
    """Read the body to its end, so that the client is never cut off while it sends."""
    stream: Any = environ["wsgi.input"]
    if environ.get("wsgi.input_terminated"):
        body = stream.read()
        return (body if limit is None or len(body) <= limit else b"", len(body))
    size = int(environ.get("CONTENT_LENGTH") or 0)
    if limit is None or size <= limit:
        return (stream.read(size) if size else b"", size)
    left = size
    while left > 0 and (piece := stream.read(min(left, _PIECE))):
        left -= len(piece)
    return b"", size
