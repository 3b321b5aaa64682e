"""The tester as an ASGI app: the page, its files, and the routes of our own API."""

from __future__ import annotations

import mimetypes
import secrets
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from framework.tester.bodies import check_body, read_json, write_json
from framework.tester.guard import Guard, Limited, Rules
from framework.tester.openapi import OPERATIONS
from framework.tester.operation import ApiRequest, Operation
from framework.tester.problems_json import ApiRefusal
from framework.tester.streams import Filter, follow, once, watch
from framework.tester.views import VIEWS, sandbox_to_json
from framework.tester.workspace import Workspace

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]
"""Handles the requests of one route."""

PAGE: Final = Path(__file__).parent / "page"
_STARTED: Final = secrets.token_hex(8)
"""Identifies this process, so that a restart can be detected."""

_TYPES: Final[Mapping[str, str]] = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
}


def tester_app(workspace: Workspace, rules: Rules) -> Guard:
    """Return the tester's app, protected by the guard."""
    by_path: dict[str, dict[str, Endpoint]] = {}
    for operation in OPERATIONS:
        endpoints = by_path.setdefault(operation.path, {})
        endpoints[operation.method] = _endpoint(operation, workspace)
    routes = [
        Route(path, _by_method(endpoints), methods=[*endpoints])
        for path, endpoints in by_path.items()
    ]
    routes += [
        Route("/", _index, methods=["GET"]),
        Route("/page/{path:path}", _file, methods=["GET"]),
    ]
    handlers: Mapping[Any, Callable[..., Any]] = {
        ApiRefusal: _refused,
        404: _missing,
        405: _not_allowed,
    }
    app = Starlette(routes=routes, exception_handlers=dict(handlers))
    return Guard(app, rules)


def beside(tester: Guard, reference: ASGIApp) -> ASGIApp:
    """Return an app with the tester and, on all other paths, Segment's API."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "/")
        ours = path == "/" or path.startswith(("/api/", "/page/"))
        chosen = reference if scope["type"] == "http" and not ours else tester
        await chosen(scope, receive, send)

    return app


def _by_method(endpoints: Mapping[str, Endpoint]) -> Endpoint:
    async def answer(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        return await endpoints[method](request)

    return answer


def _endpoint(operation: Operation, workspace: Workspace) -> Endpoint:
    if operation.stream:
        return _stream(operation, workspace)
    view = VIEWS[operation.id]

    async def answer(request: Request) -> Response:
        body = await _body(operation, request) if operation.body is not None else {}
        call = ApiRequest(workspace, request.path_params, body)
        # Encoding a large response takes time, during which other requests must not wait.
        return await run_in_threadpool(lambda: _json(200, view(call)))

    return answer


def _stream(operation: Operation, workspace: Workspace) -> Endpoint:
    async def answer(request: Request) -> Response:
        return StreamingResponse(
            _STREAMS[operation.id](request, workspace), media_type="text/event-stream"
        )

    return answer


def _watched(request: Request, workspace: Workspace) -> Any:
    slug = request.path_params["slug"]
    sandbox = workspace.sandbox(slug)
    return watch(lambda: sandbox_to_json(slug, sandbox))


def _followed(request: Request, workspace: Workspace) -> Any:
    path = workspace.setup.follows
    if path is None:
        message = "No run is followed. Start the tester with `--follow` and a run's outcome file."
        raise ApiRefusal(409, "NO_RUN", message)
    asked = request.query_params
    kinds = frozenset(filter(None, asked.get("outcome", "").split(",")))
    return follow(path, Filter(kinds, asked.get("subscription", ""), asked.get("text", "")))


def _changes(request: Request, workspace: Workspace) -> Any:
    del request, workspace
    return once("started", {"started": _STARTED})


_STREAMS: Final[Mapping[str, Callable[[Request, Workspace], Any]]] = {
    "watchSandbox": _watched,
    "live": _followed,
    "changes": _changes,
}


async def _body(operation: Operation, request: Request) -> dict[str, Any]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise ApiRefusal(415, "WRONG_TYPE", "The body must be sent as `application/json`.")
    return check_body(operation.id, read_json(await request.body()))


def _json(status: int, value: Any) -> Response:
    return Response(write_json(value), status, media_type="application/json")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiRefusal)
    if isinstance(request.receive, Limited):
        await request.receive.drain()
    return _json(error.status, error.to_json())


async def _missing(request: Request, _: Exception) -> Response:
    message = f"`{request.url.path[:100]}` does not exist."
    return _json(404, ApiRefusal(404, "NOT_FOUND", message).to_json())


async def _not_allowed(request: Request, error: Exception) -> Response:
    message = f"`{request.url.path[:100]}` does not support {request.method}."
    answer = _json(405, ApiRefusal(405, "NOT_ALLOWED", message).to_json())
    answer.headers.update(getattr(error, "headers", None) or {})
    return answer


async def _index(_: Request) -> Response:
    return _sent(PAGE / "index.html")


async def _file(request: Request) -> Response:
    return _sent(PAGE / request.path_params["path"])


def _sent(path: Path) -> Response:
    """Return a file of the page, and never a file outside its folder."""
    try:
        found = path.resolve(strict=True)
        if not found.is_relative_to(PAGE.resolve()) or not found.is_file():
            raise FileNotFoundError
        content = found.read_bytes()
    except (OSError, ValueError):
        raise ApiRefusal(404, "NOT_FOUND", "The file does not exist.") from None
    kind = _TYPES.get(found.suffix) or mimetypes.guess_type(found.name)[0]
    return Response(content, media_type=kind or "application/octet-stream")
