"""Criteo's error responses: problem objects, and the exceptions raised for them.

Problems occur in `errors` or in `warnings`, with an error status or with 200, and name their trace
ID in two ways; every known form is read.
"""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import orjson

from framework import APIError, ErrorDescription, IntegrationError, RetryableError

if TYPE_CHECKING:
    import httpx

_PLACES = ("errors", "warnings")
_LONGEST_TITLE = 80


class CriteoProblem(NamedTuple):
    """A problem object; `detail` is left out, since it may repeat an identifier."""

    code: str
    type: str
    title: str
    trace_id: str

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> CriteoProblem:
        """Read a problem object, whose trace ID has two names."""
        code, kind, title = (str(raw.get(key) or "") for key in ("code", "type", "title"))
        return cls(code, kind, title, str(raw.get("traceId") or raw.get("traceIdentifier") or ""))

    def __str__(self) -> str:
        details = [self.type, f"trace ID {self.trace_id}" if self.trace_id else ""]
        inside = ", ".join(filter(None, details))
        said = (self.title or self.code or "no reason given").rstrip(".")
        # Redaction would not recognize half of a secret or an address, so words are kept whole.
        title = textwrap.shorten(said, _LONGEST_TITLE, placeholder=" ...")
        return f"{title} ({inside})" if inside else title


class NameTakenError(APIError):
    """The advertiser already has a segment of that name."""


class ListGoneError(APIError):
    """The contact list does not exist, or the app may not amend it."""


class TooLargeError(APIError):
    """The body of an amendment exceeds Criteo's size limit."""


def describe(response: httpx.Response) -> ErrorDescription:
    """Return code, message and scope of an error response; code and message may be empty.

    The message holds title, type and trace ID of each problem, and advice.
    """
    body = read_json(response)
    found = body if isinstance(body, dict) else {}
    problems = problems_of(found)
    concerns: Literal["event", "connection"] | None = None
    if problems and problems[0].code in LIST_CODES:
        concerns = "event"
    elif _concerns_connection(response, problems):
        concerns = "connection"
    if problems:
        said = [_text(problems), _ADVICE.get(response.status_code)]
        return ErrorDescription(problems[0].code, ". ".join(filter(None, said)), concerns)
    if isinstance(found.get("error"), str):
        return ErrorDescription(found["error"], _ADVICE[401], concerns)
    return ErrorDescription(scope=concerns)


def _concerns_connection(response: httpx.Response, problems: Sequence[CriteoProblem]) -> bool:
    """Return whether a response refuses access, the API version, or what all requests share.

    Searches contain nothing of an event, so every refusal of one concerns the connection; a
    contact list may be unknown, but the other addresses exist for every event.
    """
    status, path = response.status_code, response.request.url.path
    if status >= 500 and status != 501:
        return False
    if status in _OF_CONNECTION or any(one.type in _ACCESS for one in problems):
        return True
    return path.endswith(_SEARCHES) or (status == 404 and not path.endswith(_OF_LIST))


_OF_CONNECTION = frozenset({403, 405, 406, 410, 415, 501})
_ACCESS = frozenset({"access-control", "access_control", "authentication", "authorization"})
_OF_LIST = ("/contact-list", "/contact-list/statistics")
_SEARCHES = ("/audience-segments/search", "/advertisers/me")


_ADVICE = {
    401: "Check `client_id` and `client_secret`",
    403: "Check the advertiser's consent and the app's permissions",
    410: "Set `api_version` to a supported version",
}


def read_json(response: httpx.Response) -> Any:
    """Return the JSON value of the response's body, or None where it is not JSON."""
    try:
        return orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return None


def objects(found: Any) -> list[dict[str, Any]]:
    """Return the objects in a list; an empty list for any other value."""
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def problems_of(body: Mapping[str, Any], *places: str) -> list[CriteoProblem]:
    """Return the problems in *places* (by default errors and warnings), without deprecations."""
    found = itertools.chain(*(objects(body.get(place)) for place in places or _PLACES))
    return [problem for problem in map(CriteoProblem.read, found) if problem.type != "deprecation"]


def _text(problems: Sequence[CriteoProblem]) -> str:
    return "; ".join(map(str, problems))


def api_error(problems: Sequence[CriteoProblem], what: str) -> IntegrationError:
    """Return the error for problems in a response with status 200; *what* begins its message."""
    code = problems[0].code if problems else ""
    said = _text(problems) or "no reason given"
    named = f" ({code})" if code else ""
    told = (f"{what}: {said}{named}.", code or "API_ERROR")
    types = {one.type for one in problems}
    if code in _KINDS:
        return _KINDS[code](*told, _STATUSES.get(code, 400))
    if types & _ACCESS:
        return APIError(*told, 403, scope="connection")
    if "quota" in types:
        return RetryableError(*told, 429, scope="connection")
    if "availability" in types:
        return RetryableError(*told, 503)
    return APIError(*told, 400)


def specific_error(error: IntegrationError) -> IntegrationError:
    """Return *error* as NameTakenError, ListGoneError or TooLargeError where one applies."""
    kind = _KINDS.get(error.code) or _BY_STATUS.get(error.status)
    if kind is None or error.scope == "connection":
        return error
    found = kind(str(error), error.code, error.status)
    found.response = error.response
    return found


LIST_CODES = frozenset({"audience-invalid", "segment-not-found"})
"""Codes of problems with one contact list."""

_KINDS: dict[str, type[APIError]] = {
    "name-must-be-unique": NameTakenError,
    **dict.fromkeys(LIST_CODES, ListGoneError),
}
_BY_STATUS: dict[int, type[APIError]] = {404: ListGoneError, 413: TooLargeError}
_STATUSES = dict.fromkeys(LIST_CODES, 404)
