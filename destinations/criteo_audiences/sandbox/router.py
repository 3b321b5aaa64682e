"""Routing: endpoints, authentication, rate limits and permissions of a request."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qs

from destinations.criteo_audiences.sandbox import contact_lists, segments
from destinations.criteo_audiences.sandbox.responses import (
    ApiCall,
    RefusedError,
    no_consent,
    problem,
    success,
)
from destinations.criteo_audiences.sandbox.state import MANAGE, READ, App, CriteoState
from framework.sandbox import Fault, SandboxRequest, SandboxResponse, SandboxRoute

FAULTS: Final[Mapping[str, str]] = {
    "expired-token": "The token of the request expires now: 401 until a new one is issued.",
    "rate-limited": "429; `x-ratelimit-reset` is `seconds` in the future.",
    "server-error": "500 with a problem; the request has no effect.",
    "unavailable": "503 with a problem; the request has no effect.",
}
"""Descriptions of Criteo's own faults, by kind."""

_LAST_ALIAS = "2025-10"


@dataclass(frozen=True, slots=True)
class _Endpoint:
    name: str
    method: str
    path: re.Pattern[str]
    right: str | None
    answer: Callable[[ApiCall], SandboxResponse]
    until: str | None = None

    def names(self, request: SandboxRequest) -> dict[str, str] | None:
        """Return the names in the path, or None if *request* is not for this endpoint."""
        match = self.path.fullmatch(request.path)
        if match is None or request.method != self.method:
            return None
        names = match.groupdict()
        return names if self.until is None or names["version"] <= self.until else None


def _endpoint(  # noqa: PLR0913, PLR0917 - one row of the table below
    name: str,
    method: str,
    path: str,
    right: str | None,
    answer: Callable[[ApiCall], SandboxResponse],
    until: str | None = None,
) -> _Endpoint:
    version = r"/(?P<version>[0-9]{4}-(?:0[1-9]|1[0-2])|preview|experimental)"
    pattern = version + path.replace("{segment}", r"(?P<segment>[^/]+)")
    return _Endpoint(name, method, re.compile(pattern), right, answer, until)


def _me(call: ApiCall) -> SandboxResponse:
    number = int(hashlib.sha256(call.app.client_id.encode()).hexdigest()[:6], 16)
    attributes = {
        "applicationId": number,
        "organizationId": number + 1,
        "criteoService": "MarketingSolutions",
        "name": call.app.client_id,
        "description": "An app of the sandbox.",
    }
    return success({"type": "Application", "attributes": attributes})


def _advertisers(call: ApiCall) -> SandboxResponse:
    return success(
        [
            {"type": "advertiser", "id": one, "attributes": {"advertiserName": f"Advertiser {one}"}}
            for one in sorted(call.app.advertisers)
        ]
    )


_ALL = "/marketing-solutions/audience-segments"
_LIST = _ALL + "/{segment}/contact-list"
_ALIAS = "/audiences/{segment}/contactlist"
_ENDPOINTS: Final = (
    _endpoint("search", "POST", _ALL + "/search", READ, segments.search),
    _endpoint("create", "POST", _ALL + "/create", MANAGE, segments.create),
    _endpoint("update", "PATCH", _ALL, MANAGE, segments.update),
    _endpoint("delete", "POST", _ALL + "/delete", MANAGE, segments.delete),
    _endpoint("amend", "PATCH", _LIST, MANAGE, contact_lists.amend),
    _endpoint("clear", "DELETE", _LIST, MANAGE, contact_lists.clear),
    _endpoint("statistics", "GET", _LIST + "/statistics", READ, contact_lists.statistics),
    _endpoint("compute-sizes", "POST", _ALL + "/compute-sizes", MANAGE, segments.compute_sizes),
    _endpoint("estimate-size", "POST", _ALL + "/estimate-size", MANAGE, segments.estimate_size),
    _endpoint("me", "GET", "/marketing-solutions/me", None, _me),
    _endpoint("advertisers", "GET", "/advertisers/me", None, _advertisers),
    _endpoint("amend", "PATCH", _ALIAS, MANAGE, contact_lists.amend, _LAST_ALIAS),
    _endpoint("clear", "DELETE", _ALIAS, MANAGE, contact_lists.clear, _LAST_ALIAS),
)


def find(state: CriteoState, request: SandboxRequest) -> SandboxRoute:
    """Return the route of *request*; unknown endpoints have one, too."""
    if (request.method, request.path) == ("POST", "/oauth2/token"):
        return SandboxRoute("token", partial(_guarded, partial(_token, state, request)))
    for endpoint in _ENDPOINTS:
        names = endpoint.names(request)
        if names is not None:
            resource = partial(_resource, state, endpoint, names, request)
            return SandboxRoute(endpoint.name, partial(_guarded, resource))
    unknown = _refused(state, request, 404, "not-found", "the endpoint does not exist")
    return SandboxRoute("unknown", lambda: unknown.response)


def fail(
    state: CriteoState, fault: Fault, route: SandboxRoute, request: SandboxRequest
) -> SandboxResponse:
    """Return the response for one of `FAULTS`."""
    if fault.kind == "expired-token":
        state.expire(_bearer(request) or "")
        return route.answer()
    if fault.kind == "rate-limited":
        headers = (
            ("x-ratelimit-limit", str(state.options.rate_limit)),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", str(math.ceil(state.clock.time() + fault.seconds))),
        )
        return _limited(state, request, headers).response
    status = 500 if fault.kind == "server-error" else 503
    title = "an internal error occurred"
    return _refused(state, request, status, "internal-error", title, "availability").response


def _guarded(act: Callable[[], SandboxResponse]) -> SandboxResponse:
    try:
        return act()
    except RefusedError as error:
        return error.response


def _token(state: CriteoState, request: SandboxRequest) -> SandboxResponse:
    """Issue a token for client credentials."""
    _check_body(state, request, "application/x-www-form-urlencoded")
    form = parse_qs(request.body.decode("utf-8", "replace"))
    client, secret, grant = (
        form.get(name, [""])[0] for name in ("client_id", "client_secret", "grant_type")
    )
    note = {"client_id": client}
    if grant != "client_credentials":
        return _oauth_problem(400, "unsupported_grant_type", note)
    app = state.apps.get(client)
    if app is None or app.client_secret != secret:
        return _oauth_problem(state.options.bad_credentials, "invalid_client", note)
    if state.options.rate_counts_tokens == "yes":
        _count_request(state, request, app)
    body = {
        "access_token": state.issue(app),
        "token_type": "Bearer",
        "expires_in": state.options.token_lifetime,
    }
    if state.options.refresh_field == "null":
        body["refresh_token"] = None
    return SandboxResponse(body=body, headers=(("Cache-Control", "no-store"),), note=note)


def _oauth_problem(status: int, error: str, note: Mapping[str, Any]) -> SandboxResponse:
    text = "The client credentials or the grant are invalid."
    return SandboxResponse(status, {"error": error, "error_description": text}, note=note)


def _resource(
    state: CriteoState, endpoint: _Endpoint, names: Mapping[str, str], request: SandboxRequest
) -> SandboxResponse:
    """Check version, token and rate limit of a request, and return the endpoint's response."""
    version = names["version"]
    if version in state.options.gone_versions:
        raise _refused(state, request, 410, "endpoint-gone", "this version is no longer supported")
    app = _authenticated(state, request)
    _count_request(state, request, app)
    try:
        response = _authorized(endpoint, ApiCall(state, request, app, names))
    except RefusedError as error:
        response = error.response
    headers = (*response.headers, *_rate_headers(state, app), *_sunset(state, version))
    return replace(response, headers=headers)


def _authenticated(state: CriteoState, request: SandboxRequest) -> App:
    if "authorization" not in request.headers:
        raise _unauthenticated(state, request, "missing")
    token = state.tokens.get(_bearer(request) or "")
    if token is None:
        raise _unauthenticated(state, request, "invalid")
    if token.expires <= state.clock.time():
        raise _unauthenticated(state, request, "expired")
    return state.apps[token.client_id]


def _bearer(request: SandboxRequest) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else None


def _count_request(state: CriteoState, request: SandboxRequest, app: App) -> None:
    now = state.clock.time()
    window = state.rate_window(app)
    if not window.count(now):
        raise _limited(state, request, window.headers(now))


def _authorized(endpoint: _Endpoint, call: ApiCall) -> SandboxResponse:
    if call.request.method in {"POST", "PATCH"}:
        _check_body(call.state, call.request, "application/json")
    if endpoint.right is not None and endpoint.right not in call.app.rights:
        raise no_consent(call, f"the app lacks the permission {endpoint.right}")
    return endpoint.answer(call)


def _check_body(state: CriteoState, request: SandboxRequest, content_type: str) -> None:
    limit = state.options.body_limit
    if limit is not None and request.size > limit:
        raise _refused(state, request, 413, "invalid", "the body is too large")
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent != content_type:
        raise _refused(state, request, 415, "invalid", f"the body must be {content_type}")


def _rate_headers(state: CriteoState, app: App) -> tuple[tuple[str, str], ...]:
    if state.options.rate_headers == "when-limited":
        return ()
    return state.rate_window(app).headers(state.clock.time())


def _sunset(state: CriteoState, version: str) -> tuple[tuple[str, str], ...]:
    date = state.options.deprecated_versions.get(version)
    return () if date is None else (("Deprecation", "true"), ("Sunset", date))


def _refused(  # noqa: PLR0913, PLR0917 - the parts of a problem
    state: CriteoState,
    request: SandboxRequest,
    status: int,
    code: str,
    title: str,
    kind: str = "validation",
) -> RefusedError:
    return RefusedError(status, problem(state, kind, code, request.path, title))


def _unauthenticated(state: CriteoState, request: SandboxRequest, why: str) -> RefusedError:
    code, title = f"authorization-token-{why}", f"the token is {why}"
    return _refused(state, request, 401, code, title, "authorization")


def _limited(
    state: CriteoState, request: SandboxRequest, headers: tuple[tuple[str, str], ...]
) -> RefusedError:
    if state.options.rate_body == "empty":
        return RefusedError(429, None, headers)
    about = problem(state, "quota", "rate-limit-exceeded", request.path, "too many requests")
    return RefusedError(429, about, headers)
