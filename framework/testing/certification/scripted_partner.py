"""A partner that answers as a script says, in front of a sandbox or of a partner without state."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qs

import httpx

from framework.clock import FrozenClock
from framework.testing.certification.recorded_resource import OpenedResource

RESOURCE: Final = "resource"
"""The method of what is noted when a destination calls its resource."""

MOST_REQUESTS: Final = 400
"""Requests that a partner takes on one connection before it ends the call."""

LIFETIME: Final = 3600
"""Seconds for which the tokens of a partner without sandbox are valid."""


class TooManyRequestsError(BaseException):
    """A destination does not stop asking; no `except Exception` of it catches this."""


@dataclass(slots=True)
class SeenRequest:
    """A request that the partner received; *place* counts those for tokens, or the others.

    A call of the destination's resource counts as one, with its name as the URL.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    is_for_token: bool
    place: int
    response: httpx.Response | None = field(default=None, repr=False)

    @property
    def effect(self) -> tuple[str, str, bytes]:
        """What the request says, without headers."""
        return self.method, self.url, self.body

    @property
    def form(self) -> dict[str, str]:
        """The body of a request for a token: JSON or form encoding."""
        text = self.body.decode("utf-8", "replace")
        try:
            found = json.loads(text)
        except ValueError:
            return {key: values[0] for key, values in parse_qs(text).items()}
        return found if isinstance(found, dict) else {}

    @property
    def answer(self) -> dict[str, Any]:
        """The JSON object that the request was answered with, if any."""
        return _object(self.response)


Answer: TypeAlias = httpx.Response | Exception | None
"""A scripted answer; None leaves it to the partner behind the script."""

Script: TypeAlias = Callable[[SeenRequest], Answer]


class ScriptedPartner(httpx.BaseTransport):
    """Records requests, and answers those that the *script* does not answer by *inner*.

    *resource* opens what a sandbox has in place of the destination's resource; its calls are
    recorded as requests, and fail where the script answers with an error.
    """

    def __init__(
        self,
        inner: httpx.BaseTransport,
        script: Script | None = None,
        resource: Callable[[], AbstractContextManager[Any]] | None = None,
    ) -> None:
        self.inner = inner
        self.script = script
        self.seen: list[SeenRequest] = []
        self.opened: list[OpenedResource] = []
        self._resource = resource

    @property
    def opener(self) -> Callable[[], OpenedResource] | None:
        """What opens the resource, if there is one."""
        return self._open if self._resource else None

    def _open(self) -> OpenedResource:
        assert self._resource is not None
        self.opened.append(OpenedResource(self._resource(), self._note))
        return self.opened[-1]

    def _note(self, name: str, said: bytes) -> None:
        """Note a call of the resource; raises what the script answers."""
        if len(self.seen) >= MOST_REQUESTS:
            raise TooManyRequestsError
        place = len(self.calls) + 1
        seen = SeenRequest(RESOURCE, name, {}, said, is_for_token=False, place=place)
        self.seen.append(seen)
        answer = self.script(seen) if self.script else None
        if isinstance(answer, httpx.TimeoutException):
            raise TimeoutError("certification")
        if answer is not None:
            raise ConnectionError("certification")

    @property
    def calls(self) -> list[SeenRequest]:
        """The requests that are not for a token."""
        return [one for one in self.seen if not one.is_for_token]

    @property
    def token_requests(self) -> list[SeenRequest]:
        """The requests for a token."""
        return [one for one in self.seen if one.is_for_token]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the scripted answer, else that of the partner behind."""
        if len(self.seen) >= MOST_REQUESTS:
            raise TooManyRequestsError
        body = request.read()
        token = _asks_for_token(request, body)
        place = sum(one.is_for_token == token for one in self.seen) + 1
        headers = {name.lower(): value for name, value in request.headers.items()}
        seen = SeenRequest(request.method, str(request.url), headers, body, token, place)
        self.seen.append(seen)
        answer = self.script(seen) if self.script else None
        if isinstance(answer, httpx.TransportError):
            answer.request = request
        if isinstance(answer, Exception):
            raise answer
        seen.response = answer or self.inner.handle_request(request)
        seen.response.read()
        return seen.response


class AcceptingPartner(httpx.BaseTransport):
    """A partner for destinations without sandbox: it accepts everything, and issues tokens.

    Tokens expire, and a refresh token serves once, if it was issued here.
    """

    def __init__(self, clock: FrozenClock) -> None:
        self._clock = clock
        self._expiry: dict[str, float] = {}
        self._refresh: str | None = None
        self._number = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return 200, or 401 for a token that expired or was never issued."""
        body = request.read()
        if _asks_for_token(request, body):
            form = SeenRequest(request.method, "", {}, body, is_for_token=True, place=1).form
            return self._issue(form)
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind == "Bearer" and token in self._expiry and self._clock.time() > self._expiry[token]:
            return httpx.Response(401, json={"error": "the token has expired"})
        return httpx.Response(200, json={"id": "1", "status": "ok"})

    def _issue(self, form: Mapping[str, str]) -> httpx.Response:
        given = form.get("refresh_token")
        if given and self._refresh and given != self._refresh:
            return httpx.Response(400, json={"error": "invalid_grant"})
        self._number += 1
        token = f"certified-token-{self._number}"
        self._expiry[token] = self._clock.time() + LIFETIME
        found: dict[str, Any] = {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": LIFETIME,
        }
        if given:
            self._refresh = found["refresh_token"] = f"certified-refresh-{self._number}"
        return httpx.Response(200, json=found)


def _asks_for_token(request: httpx.Request, body: bytes) -> bool:
    return bool(request.extensions.get("token")) or b"grant_type" in body


def _object(response: httpx.Response | None) -> dict[str, Any]:
    try:
        found = response.json() if response is not None else None
    except (ValueError, UnicodeDecodeError):
        return {}
    return found if isinstance(found, dict) else {}
