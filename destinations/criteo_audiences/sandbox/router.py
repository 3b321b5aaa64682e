"""The way in: which endpoint a request is for, tokens, rights, budgets, then the answer."""

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
    RefusedError,
    Visit,
    no_consent,
    problem,
    success,
)
from destinations.criteo_audiences.sandbox.state import MANAGE, READ, App, CriteoState
from framework.sandbox import Fault, SandboxRequest, SandboxResponse, SandboxRoute

FAULTS: Final[Mapping[str, str]] = {
    "expired-token": "The token of the call expires now: 401 until there is a new one.",
    "rate-limited": "429; `x-ratelimit-reset` is `seconds` away.",
    "server-error": "500 with a problem, and nothing happened.",
    "unavailable": "503 with a problem, and nothing happened.",
}
"""The faults that Criteo has of its own, by kind."""

_LAST_TWIN = "2025-10"


@dataclass(frozen=True, slots=True)
class _Endpoint:
    name: str
    method: str
    path: re.Pattern[str]
    right: str | None
    answer: Callable[[Visit], SandboxResponse]
    until: str | None = None

    def names(self, request: SandboxRequest) -> dict[str, str] | None:
        """Give the names in the path if *request* is for this endpoint and its version has it."""
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
    answer: Callable[[Visit], SandboxResponse],
    until: str | None = None,
) -> _Endpoint:
    version = r"/(?P<version>[0-9]{4}-(?:0[1-9]|1[0-2])|preview|experimental)"
    pattern = version + path.replace("{segment}", r"(?P<segment>[^/]+)")
    return _Endpoint(name, method, re.compile(pattern), right, answer, until)


def _me(visit: Visit) -> SandboxResponse:
    number = int(hashlib.sha256(visit.app.client_id.encode()).hexdigest()[:6], 16)
    attributes = {
        "applicationId": number,
        "organizationId": number + 1,
        "criteoService": "MarketingSolutions",
        "name": visit.app.client_id,
        "description": "An app of the sandbox.",
    }
    return success({"type": "Application", "attributes": attributes})


def _advertisers(visit: Visit) -> SandboxResponse:
    return success(
        [
            {"type": "advertiser", "id": one, "attributes": {"advertiserName": f"Advertiser {one}"}}
            for one in sorted(visit.app.advertisers)
        ]
    )


_ALL = "/marketing-solutions/audience-segments"
_LIST = _ALL + "/{segment}/contact-list"
_TWIN = "/audiences/{segment}/contactlist"
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
    _endpoint("amend", "PATCH", _TWIN, MANAGE, contact_lists.amend, _LAST_TWIN),
    _endpoint("clear", "DELETE", _TWIN, MANAGE, contact_lists.clear, _LAST_TWIN),
)


def find(world: CriteoState, request: SandboxRequest) -> SandboxRoute:
    """Find what *request* is for."""
    if (request.method, request.path) == ("POST", "/oauth2/token"):
        return SandboxRoute("token", partial(_guarded, partial(_token, world, request)))
    for endpoint in _ENDPOINTS:
        names = endpoint.names(request)
        if names is not None:
            resource = partial(_resource, world, endpoint, names, request)
            return SandboxRoute(endpoint.name, partial(_guarded, resource))
    unknown = _refused(world, request, 404, "not-found", "there is nothing here")
    return SandboxRoute("unknown", lambda: unknown.answer)


def fail(
    world: CriteoState, fault: Fault, route: SandboxRoute, request: SandboxRequest
) -> SandboxResponse:
    """Answer with one of `FAULTS`."""
    if fault.kind == "expired-token":
        world.expire(_bearer(request) or "")
        return route.answer()
    if fault.kind == "rate-limited":
        headers = (
            ("x-ratelimit-limit", str(world.knobs.rate_limit)),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", str(math.ceil(world.clock.time() + fault.seconds))),
        )
        return _limited(world, request, headers).answer
    status = 500 if fault.kind == "server-error" else 503
    title = "something went wrong on this side"
    return _refused(world, request, status, "internal-error", title, "availability").answer


def _guarded(act: Callable[[], SandboxResponse]) -> SandboxResponse:
    try:
        return act()
    except RefusedError as refusal:
        return refusal.answer


def _token(world: CriteoState, request: SandboxRequest) -> SandboxResponse:
    """Give a token for client credentials."""
    _check_body(world, request, "application/x-www-form-urlencoded")
    form = parse_qs(request.body.decode("utf-8", "replace"))
    client, secret, grant = (
        form.get(name, [""])[0] for name in ("client_id", "client_secret", "grant_type")
    )
    note = {"client_id": client}
    if grant != "client_credentials":
        return _oauth_problem(400, "unsupported_grant_type", note)
    app = world.apps.get(client)
    if app is None or app.client_secret != secret:
        return _oauth_problem(world.knobs.bad_credentials, "invalid_client", note)
    if world.knobs.rate_counts_tokens == "yes":
        _take_call(world, request, app)
    body = {
        "access_token": world.issue(app),
        "token_type": "Bearer",
        "expires_in": world.knobs.token_lifetime,
    }
    if world.knobs.refresh_field == "null":
        body["refresh_token"] = None
    return SandboxResponse(body=body, headers=(("Cache-Control", "no-store"),), note=note)


def _oauth_problem(status: int, error: str, note: Mapping[str, Any]) -> SandboxResponse:
    text = "The client credentials or the grant are not accepted."
    return SandboxResponse(status, {"error": error, "error_description": text}, note=note)


def _resource(
    world: CriteoState, endpoint: _Endpoint, names: Mapping[str, str], request: SandboxRequest
) -> SandboxResponse:
    """Answer a call of an endpoint, from the version to the answer itself."""
    version = names["version"]
    if version in world.knobs.gone_versions:
        raise _refused(world, request, 410, "endpoint-gone", "this version is out of support")
    app = _authenticated(world, request)
    _take_call(world, request, app)
    try:
        answer = _authorised(endpoint, Visit(world, request, app, names))
    except RefusedError as refusal:
        answer = refusal.answer
    headers = (*answer.headers, *_rate_headers(world, app), *_sunset(world, version))
    return replace(answer, headers=headers)


def _authenticated(world: CriteoState, request: SandboxRequest) -> App:
    if "authorization" not in request.headers:
        raise _unauthenticated(world, request, "missing")
    token = world.tokens.get(_bearer(request) or "")
    if token is None:
        raise _unauthenticated(world, request, "invalid")
    if token.expires <= world.clock.time():
        raise _unauthenticated(world, request, "expired")
    return world.apps[token.client_id]


def _bearer(request: SandboxRequest) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else None


def _take_call(world: CriteoState, request: SandboxRequest, app: App) -> None:
    now = world.clock.time()
    budget = world.budget(app)
    if not budget.take(now):
        raise _limited(world, request, budget.headers(now))


def _authorised(endpoint: _Endpoint, visit: Visit) -> SandboxResponse:
    if visit.request.method in {"POST", "PATCH"}:
        _check_body(visit.world, visit.request, "application/json")
    if endpoint.right is not None and endpoint.right not in visit.app.rights:
        raise no_consent(visit, f"the app lacks the right {endpoint.right}")
    return endpoint.answer(visit)


def _check_body(world: CriteoState, request: SandboxRequest, content_type: str) -> None:
    limit = world.knobs.body_limit
    if limit is not None and request.size > limit:
        raise _refused(world, request, 413, "invalid", "the body is too large")
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent != content_type:
        raise _refused(world, request, 415, "invalid", f"the body must be {content_type}")


def _rate_headers(world: CriteoState, app: App) -> tuple[tuple[str, str], ...]:
    if world.knobs.rate_headers == "when-limited":
        return ()
    return world.budget(app).headers(world.clock.time())


def _sunset(world: CriteoState, version: str) -> tuple[tuple[str, str], ...]:
    date = world.knobs.deprecated_versions.get(version)
    return () if date is None else (("Deprecation", "true"), ("Sunset", date))


def _refused(  # noqa: PLR0913, PLR0917 - the parts of a problem, and where it is
    world: CriteoState,
    request: SandboxRequest,
    status: int,
    code: str,
    title: str,
    kind: str = "validation",
) -> RefusedError:
    return RefusedError(status, problem(world, kind, code, request.path, title))


def _unauthenticated(world: CriteoState, request: SandboxRequest, why: str) -> RefusedError:
    code, title = f"authorization-token-{why}", f"the token is {why}"
    return _refused(world, request, 401, code, title, "authorization")


def _limited(
    world: CriteoState, request: SandboxRequest, headers: tuple[tuple[str, str], ...]
) -> RefusedError:
    if world.knobs.rate_body == "empty":
        return RefusedError(429, None, headers)
    about = problem(world, "quota", "rate-limit-exceeded", request.path, "too many calls")
    return RefusedError(429, about, headers)
