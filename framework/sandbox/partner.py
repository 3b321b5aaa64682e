"""A sandbox is a simulated partner: a WSGI app with state, a log, injected faults and a clock.

Authors implement the partner's responses; the base class reads requests, drops connections, counts
requests and logs them.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import parse_qsl

from framework.clock import MovableClock, SandboxClock
from framework.errors import DefinitionError, UnknownNameError
from framework.paths import JSON
from framework.sandbox.faults import GENERIC_FAULTS, DroppedConnectionError, Fault, FaultPlan

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

LOG_LENGTH: Final = 1000
DELAY: Final = "sandbox.delay"
"""Key in the WSGI environ under which a sandbox stores the delay of its response in seconds."""

_PIECE = 1 << 16
_PHRASES = {one.value: one.phrase for one in HTTPStatus}
_ANSWERING: Final = ("answer", "route", "resource")
"""The methods of a sandbox of which it needs one; the last is for partners without HTTP."""

_SECRET_HEADERS = {"authorization", "cookie", "proxy-authorization"}
_HTML = b"<!doctype html><title>Please wait</title><h1>This is not the answer you expect</h1>"


@dataclass(frozen=True, slots=True)
class SandboxRequest:
    """A request that a sandbox received; header names are lower-case.

    *query* holds the last value of each parameter, decoded; a form in *body* is read with
    `urllib.parse.parse_qsl`, JSON with `json.loads`.
    *size* is the length of the body in bytes; *body* is empty where that exceeds the limit.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    size: int

    @classmethod
    def read(cls, environ: WSGIEnvironment, limit: int | None) -> SandboxRequest:
        """Read the request from *environ*; a body above *limit* bytes is read but not kept."""
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
    """A sandbox's response: JSON, or bytes sent unchanged; None is an empty body.

    *headers* are a mapping, or pairs of name and value, of which a name may have several.
    *note* is stored in the log; it must hold no personal data.
    """

    status: int = 200
    body: JSON = None
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = ()
    note: Mapping[str, JSON] = field(default_factory=dict)
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class SandboxRoute:
    """The route of one request: *name* for the log and for faults, *answer* to respond to it."""

    name: str
    answer: Callable[[], SandboxResponse]


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """A request in a sandbox's log: without its body, with *note* instead.

    *at* is a Unix time, *size* the length of the body in bytes. *status* is None where the
    connection was dropped; *fault* is the kind of the fault that was applied, if any.
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
    """A table on the sandbox's page; cells are strings, numbers or None.

    *empty* is shown instead of a table without rows.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[JSON, ...], ...]
    empty: str = "Nothing yet."


class Sandbox:
    """A simulated partner: a WSGI app whose state can be inspected.

    Subclasses set *name* and *origins* (the partner's origins that it simulates; `*` in a host
    matches any text, as in `https://*.acme.test`), and implement `answer`, or `route` where routes
    have names of their own. The other methods that can be overridden have defaults for a partner
    that keeps nothing and accepts everybody; all of them run under the sandbox's lock. *own_faults*
    are descriptions of the sandbox's own faults by kind, for which `fail` responds. `calls` counts
    requests by route.
    """

    name: ClassVar[str] = "Sandbox"
    origins: ClassVar[tuple[str, ...]] = ()
    own_faults: ClassVar[Mapping[str, str]] = {}

    def __init__(self, clock: SandboxClock | None = None) -> None:
        if all(getattr(type(self), one) is getattr(Sandbox, one) for one in _ANSWERING):
            raise self._incomplete()
        self.clock: SandboxClock = clock or MovableClock()
        self.lock = threading.RLock()
        self.calls: Counter[str] = Counter()
        self._log: deque[LoggedRequest] = deque(maxlen=LOG_LENGTH)
        self._plan = FaultPlan()

    def answer(self, request: SandboxRequest) -> SandboxResponse:
        """Return the response to *request*, if `route` is not overridden."""
        del request
        raise self._incomplete()

    def _incomplete(self) -> DefinitionError:
        """Return the error of a sandbox that answers nothing."""
        return DefinitionError(
            f"The sandbox `{type(self).__name__}` needs the method `answer`, or `route`."
        )

    def route(self, request: SandboxRequest) -> SandboxRoute:
        """Return the route of *request*, also of an unknown one; by default method and path."""
        return SandboxRoute(f"{request.method} {request.path}", lambda: self.answer(request))

    def fail(self, fault: Fault, route: SandboxRoute, request: SandboxRequest) -> SandboxResponse:
        """Return the response for one of the sandbox's own faults."""
        del route, request
        return SandboxResponse(500, {"error": fault.kind})

    def clear(self) -> None:
        """Reset the partner's state."""

    def describe(self, detail: str) -> dict[str, JSON]:
        """Return the partner's state as JSON without secrets; *detail* as in `state`."""
        del detail
        return {}

    def panels(self) -> tuple[Panel, ...]:
        """Return the tables of the page, without secrets or personal data."""
        return ()

    def simulates(self, origin: str) -> bool:
        """Return whether the partner has *origin*, by default if one of `origins` matches it."""
        return any(_pattern(one).fullmatch(origin) for one in self.origins)

    def settings(self) -> dict[str, JSON]:
        """Return connection settings that the sandbox accepts."""
        return {}

    def admit(self, settings: Mapping[str, JSON]) -> None:
        """Accept connections with *settings*, also after a reset."""

    def resource(self) -> AbstractContextManager[Any]:
        """Return what a harness opens in place of the hook `open_resource`, if it is overridden."""
        raise NotImplementedError(f"{type(self).__name__} has no resource.")

    @property
    def body_limit(self) -> int | None:
        """Maximum size in bytes of a request body that the partner reads; None is no limit."""
        return None

    @property
    def app(self) -> WSGIApplication:
        """The WSGI callable."""
        return self.__call__

    @property
    def faults(self) -> dict[str, str]:
        """Descriptions of all faults that can be injected, by kind."""
        return {**GENERIC_FAULTS, **self.own_faults}

    @property
    def requests(self) -> tuple[LoggedRequest, ...]:
        """The latest thousand requests, oldest first."""
        with self.lock:
            return tuple(self._log)

    def inject(self, fault: Fault) -> None:
        """Inject *fault* into later requests; raises UnknownNameError for an unknown kind."""
        if fault.kind not in self.faults:
            raise UnknownNameError.of("fault", fault.kind, self.faults)
        self._plan.add(fault)

    def pending_faults(self) -> list[Fault]:
        """Return the faults that can still affect a request."""
        return self._plan.pending()

    def reset(self) -> None:
        """Clear state, log, counts and faults; keep the clock and the accepted settings."""
        with self.lock:
            self.calls.clear()
            self._log.clear()
            self._plan.clear()
            self.clear()

    def state(self, detail: str = "counts") -> dict[str, JSON]:
        """Return the whole state as JSON; *detail* is one of counts, digests and members.

        Raises UnknownNameError for another detail.
        """
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
        """Respond to one WSGI request; raises DroppedConnectionError to close the connection."""
        request = SandboxRequest.read(environ, self.body_limit)
        with self.lock:
            route = self.route(request)
            fault = self._plan.due(route.name)
            kind = fault.kind if fault else None
            response = self._apply(fault, route, request)
            self._record(request, route, kind, response)
        if kind in {"drop-before", "drop-after"}:
            raise DroppedConnectionError
        if fault and kind == "slow":
            environ[DELAY] = fault.seconds
            self.clock.sleep(fault.seconds)
        return respond(response, start_response)

    def _apply(
        self, fault: Fault | None, route: SandboxRoute, request: SandboxRequest
    ) -> SandboxResponse:
        if fault is None or fault.kind in {"slow", "drop-after"}:
            return self._checked(route.answer(), route.name)
        if fault.kind == "drop-before":
            return SandboxResponse()
        if fault.kind in {"html", "html-gateway"}:
            status = 200 if fault.kind == "html" else 502
            return SandboxResponse(status, _HTML, content_type="text/html; charset=utf-8")
        return self._checked(self.fail(fault, route, request), route.name)

    def _checked(self, response: object, route: str) -> SandboxResponse:
        """Return the response of a route; raises DefinitionError for anything else."""
        if not isinstance(response, SandboxResponse):
            problem = f"got {type(response).__name__}"
        elif type(response.status) is not int or not 200 <= response.status <= 599:
            problem = f"with a status from 200 to 599, got {response.status!r}"
        else:
            return response
        raise DefinitionError(
            f"The sandbox `{type(self).__name__}` must return a SandboxResponse for `{route}`, "
            f"{problem}."
        )

    def _record(
        self,
        request: SandboxRequest,
        route: SandboxRoute,
        kind: str | None,
        response: SandboxResponse,
    ) -> None:
        dropped = kind in {"drop-before", "drop-after"}
        call = LoggedRequest(
            at=self.clock.time(),
            route=route.name,
            method=request.method,
            path=request.path,
            headers={k: v for k, v in request.headers.items() if k not in _SECRET_HEADERS},
            size=request.size,
            status=None if dropped else response.status,
            fault=kind,
            note=response.note,
        )
        self.calls[route.name] += 1
        self._log.append(call)


@cache
def _pattern(origin: str) -> re.Pattern[str]:
    return re.compile(re.escape(origin).replace(r"\*", r"[^/:@]+"))


def respond(response: SandboxResponse, start_response: StartResponse) -> list[bytes]:
    """Send *response* as WSGI; return its body. Raises DefinitionError for one that is not JSON."""
    body = response.body
    if body is None:
        payload = b""
    elif isinstance(body, bytes):
        payload = body
    else:
        try:
            payload = json.dumps(body, separators=(",", ":")).encode()
        except (TypeError, ValueError) as error:
            text = f"The body of a SandboxResponse must be JSON, bytes or None: {error}."
            raise DefinitionError(text) from None
    own = response.headers
    pairs = own.items() if isinstance(own, Mapping) else own
    headers = [("Content-Length", str(len(payload))), *pairs]
    if payload:
        headers.append(("Content-Type", response.content_type))
    start_response(f"{response.status} {_PHRASES.get(response.status, 'Unknown')}", headers)
    return [payload]


def _read_body(environ: WSGIEnvironment, limit: int | None) -> tuple[bytes, int]:
    """Return body and size; read it to its end, so that the client can finish sending."""
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
