"""Segment's local HTTP API for one destination: its routes, bodies and responses.

Tools for the local server of Segment's implementation work with it unchanged. It needs no token
and accepts the same web pages. Action errors have status 200, the results of a batch are not
returned, and triggers are not evaluated; use the tester's own API for these.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import httpx
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from framework.definition import Action, MappingHook, Subscription, to_manifest, unknown_fields
from framework.delivery import ChoicesQuery, Connection, Exchange, is_deletion
from framework.errors import ConfigurationError, FrameworkError, IntegrationError, SettingsError
from framework.explain import hidden, trace_events
from framework.paths import JSON
from framework.results import Failed
from framework.samples import EVERY_EVENT
from framework.tester.bodies import read_json, write_json
from framework.tester.guard import Gate
from framework.tester.problems_json import ApiRefusal
from framework.tester.workspace import Mode, Workspace

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

ORIGINS: Final = frozenset(
    {
        "https://app.segment.com",
        "https://eu1.app.segment.com",
        "https://app.segment.build",
        "https://eu1.app.segment.build",
        "http://localhost:8000",
    }
)
"""The web pages that Segment's local server accepts."""

_Body: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class ApiReply:
    """A response: its status, and a body that is JSON or an HTML page."""

    status: int
    body: JSON


def reference_app(workspace: Workspace, slug: str, names: frozenset[str], mode: Mode) -> ASGIApp:
    """Return the app of the destination *slug*, for requests to *names*, delivering in *mode*."""
    return Gate(_app(SegmentApi(workspace, slug, mode)), names, ORIGINS)


def _app(served: SegmentApi) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        if request.method == "OPTIONS":
            answer = Response(status_code=204)
        else:
            answer = await _answer(served, request)
        await answer(scope, receive, send)

    return app


async def _answer(served: SegmentApi, request: Request) -> Response:
    path = request.url.path
    view = served.route(request.method, path)
    if view is None:
        return _page(404, f"Cannot {request.method} {path}")
    try:
        body = read_json(await request.body() or b"{}") if request.method == "POST" else {}
    except ApiRefusal as refusal:
        if refusal.status != 400:
            raise
        return _page(400, "Bad Request")
    if not isinstance(body, dict):
        return _page(400, "Bad Request")
    told = await run_in_threadpool(view, body)
    return Response(write_json(told.body), told.status, media_type="application/json")


def _page(status: int, text: str) -> Response:
    content = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n'
        f"</head>\n<body>\n<pre>{html.escape(text)}</pre>\n</body>\n</html>\n"
    )
    return Response(content, status, media_type="text/html")


class SegmentApi:
    """One destination with Segment's routes."""

    def __init__(self, workspace: Workspace, slug: str, mode: Mode) -> None:
        self._workspace = workspace
        self._plugin = workspace.plugin(slug)
        self._definition = self._plugin.definition
        self._mode = mode

    def route(self, method: str, path: str) -> Callable[[_Body], ApiReply] | None:
        """Return the handler of a request, or None if the path is unknown."""
        parts = path.strip("/").split("/")
        if (method, parts) == ("GET", ["manifest"]):
            return self._manifest
        if method != "POST":
            return None
        fixed = self._fixed().get(parts[0]) if len(parts) == 1 else None
        return fixed or self._of_action(parts)

    def _fixed(self) -> dict[str, Callable[[_Body], ApiReply]]:
        routes = {
            "authenticate": self._authenticate,
            "refreshAccessToken": self._refresh,
        }
        optional = {
            "createAudience": (self._definition.audience, self._create_audience),
            "getAudience": (self._definition.audience, self._get_audience),
            "delete": (self._plugin.implements("delete_users"), self._delete),
        }
        defined = {name: view for name, (declared, view) in optional.items() if declared}
        return {**routes, **defined}

    def _of_action(self, parts: Sequence[str]) -> Callable[[_Body], ApiReply] | None:
        action = {one.slug: one for one in self._definition.actions}.get(parts[0])
        if action is None:
            return None
        hooks: dict[str, MappingHook] = {one.kind: one for one in action.hooks}
        match parts[1:]:
            case []:
                return lambda body: self._perform(action, body)
            case [key] if key in action.dynamic:
                return lambda body: self._choices(action, key, body)
            case ["hooks", kind] if kind in hooks:
                return lambda body: self._hook(action, kind, body)
            case ["hooks", kind, "dynamic", key] if kind in hooks and key in hooks[kind].dynamic:
                return lambda body: self._choices(action, key, body, kind)
        return None

    def _manifest(self, body: _Body) -> ApiReply:
        del body
        name = self._definition.slug.removeprefix("actions-")
        return ApiReply(200, {**to_manifest(self._definition), "directoryName": name})

    def _authenticate(self, body: _Body) -> ApiReply:
        """Test credentials in the root of the body or under `settings`."""
        nested = body.get("settings")
        settings = nested if isinstance(nested, dict) else body
        try:
            with self._open(settings, ()) as connection:
                connection.check_authentication()
        except SettingsError as error:
            fields = _fields(error.problems)
            return ApiReply(200, {"ok": False, "error": str(error), "fields": fields})
        except Exception as error:  # noqa: BLE001 - a plugin can fail in any way
            return ApiReply(200, {"ok": False, "error": _text(error), "fields": {}})
        return ApiReply(200, {"ok": True})

    def _refresh(self, body: _Body) -> ApiReply:
        settings = {**_named(body, self._definition.settings_fields), **_object(body, "settings")}
        captor = _Captor()
        try:
            with self._open(settings, (), captor) as connection:
                connection.hook_runner.client.get("https://token.invalid/")
        except Exception as error:  # noqa: BLE001 - a plugin can fail in any way
            return ApiReply(400, {"ok": False, "error": _text(error)})
        if not captor.token:
            message = f"{self._definition.name} has no access token to refresh."
            return ApiReply(400, {"ok": False, "error": message})
        return ApiReply(200, {"ok": True, "data": {"accessToken": captor.token}})

    def _perform(self, action: Action, body: _Body) -> ApiReply:
        payload = body.get("payload", {})
        events = payload if isinstance(payload, list) else [payload]
        if any(map(is_deletion, events)):
            text = "Events of type `delete` do not go to actions. Send them to `/delete`."
            return ApiReply(200, [_entry(400, text, "PayloadValidationError")])
        mapping = _mapping(action, _object(body, "mapping"), events)
        chosen = Subscription(action=action.slug, trigger=EVERY_EVENT, mapping=mapping)
        try:
            with self._open(_object(body, "settings"), (chosen,)) as connection:
                report = connection.deliver(events)
                hide = connection.redactor.hide
                told = trace_events(connection, events, report)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            return ApiReply(200, [_error(error)])
        failed = [
            one.subscriptions[0] for one in told if isinstance(one.subscriptions[0].result, Failed)
        ]
        if failed and not isinstance(payload, list):
            return ApiReply(200, [hidden(_failure(failed[0]), hide)])
        return ApiReply(200, _exchanges(report.exchanges))

    def _choices(
        self, action: Action, place: str, body: _Body, hook: str | None = None
    ) -> ApiReply:
        context, page = _object(body, "dynamicFieldContext"), body.get("page")
        query = ChoicesQuery(
            payload=_object(body, "payload"),
            page=None if page in {None, "", 1, "1"} else str(page),  # 1 is their first page
            search=context.get("query"),
            selected_key=context.get("selectedKey"),
            selected_index=context.get("selectedArrayIndex"),
            audience_settings=_object(body, "audienceSettings"),
            hook_inputs=_object(body, "hookInputs"),
        )
        try:
            with self._open(_object(body, "settings"), ()) as connection:
                found = connection.choices(action.slug, place, query, hook=hook)
                told = hidden(found.to_json(), connection.redactor.hide)
                failed = found.error
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            return ApiReply(500, [_error(error)])
        if failed:
            return ApiReply(500, [_entry(failed.status, told["error"]["message"], failed.code)])
        return ApiReply(200, told)

    def _hook(self, action: Action, kind: str, body: _Body) -> ApiReply:
        inputs = body.get("hookInputs", {})
        try:
            with self._open(_object(body, "settings"), ()) as connection:
                saved = connection.save_mapping(
                    action.slug,
                    kind,
                    inputs,
                    payload=_object(body, "payload"),
                    audience_settings=_object(body, "audienceSettings"),
                )
        except SettingsError as error:
            return ApiReply(500, [{"message": str(error), "code": "INVALID_SETTINGS"}])
        except ConfigurationError as error:  # of the inputs
            whole = [] if isinstance(inputs, dict) else ["The hook's input must be an object."]
            told = whole or error.problems
            problems = [{"path": "$", "pointer": "#", "message": one} for one in told]
            return ApiReply(500, [problems])
        except IntegrationError as error:
            return ApiReply(500, [{"message": str(error), "code": error.code}])
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            return ApiReply(500, [{"message": _text(error), "code": "INTERNAL_ERROR"}])
        return ApiReply(200, {"successMessage": saved.message, "savedData": saved.outputs})

    def _create_audience(self, body: _Body) -> ApiReply:
        name = str(body.get("audienceName") or "")
        return self._audience(body, lambda one, given: one.create_audience(name, given))

    def _get_audience(self, body: _Body) -> ApiReply:
        external_id = str(body.get("externalId") or "")
        return self._audience(body, lambda one, given: one.get_audience(external_id, given))

    def _audience(self, body: _Body, ask: Callable[[Connection, _Body], str]) -> ApiReply:
        try:
            with self._open(_object(body, "settings"), ()) as connection:
                found = ask(connection, _object(body, "audienceSettings"))
                return ApiReply(200, {"externalId": connection.redactor.hide(found)})
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            return ApiReply(400, {"ok": False, "error": _text(error)})

    def _delete(self, body: _Body) -> ApiReply:
        payload = _object(body, "payload")
        try:
            with self._open(_object(body, "settings"), ()) as connection:
                report = connection.deliver([{**payload, "type": "delete"}])
                hide = connection.redactor.hide
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            return ApiReply(200, [_error(error)])
        result = report.items[0].result
        if isinstance(result, Failed):
            told = result.message if result.body is None else result.body
            return ApiReply(200, [hidden(_entry(result.status, told, result.code), hide)])
        return ApiReply(200, _exchanges(report.exchanges))

    def _call(self, hook: str, body: _Body, given: _Body) -> Any:
        with self._open(_object(body, "settings"), ()) as connection:
            return hidden(_called(connection, hook, given), connection.redactor.hide)

    @contextmanager
    def _open(
        self,
        settings: _Body,
        subscriptions: tuple[Subscription, ...],
        captor: _Captor | None = None,
    ) -> Iterator[Connection]:
        """Open a separate connection, so that no call shows exchanges of another one.

        The secrets of the connection file are never used: a caller without a token could have them
        sent anywhere.
        """
        raw = {"destination": self._definition.slug, "settings": settings, "subscriptions": []}
        chosen = replace(self._workspace.choose(raw, kept=False), subscriptions=subscriptions)
        transport = self._workspace.transport(chosen, self._mode)
        if captor is not None:
            captor.transport = transport
            transport = captor
        try:
            with self._workspace.connect(chosen, self._mode, transport) as connection:
                yield connection
        except FrameworkError as error:
            error.args = (chosen.redactor.hide(str(error)), *error.args[1:])
            raise


class _Captor(httpx.BaseTransport):
    """Passes token requests on to *transport*, and records the current token."""

    transport: httpx.BaseTransport

    def __init__(self) -> None:
        self.token = ""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Handle one request."""
        if "token" in request.extensions:
            return self.transport.handle_request(request)
        self.token = request.headers.get("authorization", "").rpartition(" ")[2]
        return httpx.Response(200, json={})


def _named(body: _Body, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the credentials, with the usual names of settings."""
    names = {
        "access_token": "accessToken",
        "refresh_token": "refreshToken",
        "client_id": "clientId",
        "client_secret": "clientSecret",
    }
    return {key: body[wire] for key, wire in names.items() if key in known and body.get(wire)}


def _called(connection: Connection, hook: str, given: _Body) -> Any:
    client, settings = connection.hook_runner.client, connection.settings
    return connection.plugin.call(hook, client=client, settings=settings, **given)


def _mapping(action: Action, given: _Body, events: Sequence[Any]) -> dict[str, JSON]:
    """Return the mapping with the action's defaults; if that is empty, the payload itself.

    Keys that are not fields of the action are left out, as Segment's server ignores them.
    """
    whole = {**action.default_mapping, **given}
    if not whole and events and isinstance(events[0], dict):
        whole = dict(events[0])
    unknown = unknown_fields(action, whole)
    return {key: value for key, value in whole.items() if key not in unknown}


def _object(body: _Body, key: str) -> dict[str, Any]:
    value = body.get(key)
    return value if isinstance(value, dict) else {}


def _exchanges(exchanges: Any) -> list[JSON]:
    found: list[Exchange] = list(exchanges)
    return [exchange.to_json() for exchange in found]


def _failure(leg: Any) -> dict[str, JSON]:
    failed = leg.result
    message = failed.message if failed.body is None else failed.body
    if leg.problems and leg.problems[0].code != "identifier":
        fields = {one.field: one.message for one in leg.problems}
        return {**_entry(500, failed.message, failed.code), "fields": fields}
    return _entry(failed.status, message, failed.code)


def _error(error: Exception) -> dict[str, JSON]:
    status = error.status if isinstance(error, IntegrationError) else 500
    told = _entry(status, _text(error), type(error).__name__)
    if isinstance(error, SettingsError):
        told["fields"] = _fields(error.problems)
    return told


def _entry(status: int, message: JSON, kind: str) -> dict[str, JSON]:
    text = message if isinstance(message, str) else json.dumps(message)
    return {
        "statusCode": status,
        "message": message,
        "stack": [f"{kind}: {text}"],
        "requestError": True,
    }


def _fields(problems: Sequence[str]) -> dict[str, str]:
    """Return the messages about settings by name."""
    return {problem.split("`")[1]: problem for problem in problems if problem.count("`") > 1}


def _text(error: Exception) -> str:
    return str(error) if isinstance(error, FrameworkError) else type(error).__name__
