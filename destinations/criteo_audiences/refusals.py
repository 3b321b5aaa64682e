"""What Criteo refuses, and why: problem objects, and the errors that they become.

Problems stand in `errors` or in `warnings`, come with a status of their own or with 200, and name
their trace id in two ways; every form that is known to occur is read.
"""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import httpx
import orjson

from framework import APIError, IntegrationError

_PLACES = ("errors", "warnings")
_LONGEST_TITLE = 80


class CriteoProblem(NamedTuple):
    """What Criteo says went wrong; `detail` is left out, since it may repeat an identifier."""

    code: str
    type: str
    title: str
    trace_id: str

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> CriteoProblem:
        """Read a problem object, whose trace id has two names."""
        code, kind, title = (str(raw.get(key) or "") for key in ("code", "type", "title"))
        return cls(code, kind, title, str(raw.get("traceId") or raw.get("traceIdentifier") or ""))

    def __str__(self) -> str:
        marks = [self.type, f"trace id {self.trace_id}" if self.trace_id else ""]
        inside = ", ".join(filter(None, marks))
        said = (self.title or self.code or "no reason given").rstrip(".")
        # Half of a secret or an address would not be recognised as such; words stay whole.
        title = textwrap.shorten(said, _LONGEST_TITLE, placeholder=" ...")
        return f"{title} ({inside})" if inside else title


class NameTakenError(APIError):
    """The advertiser has a segment of that name already."""


class ListGoneError(APIError):
    """The contact list does not exist (any more), or is not this app's to amend."""


class TooLargeError(APIError):
    """The body of an amendment is larger than Criteo takes."""


def describe(response: httpx.Response) -> tuple[str, str] | None:
    """Give code and text of a refusal: title, type and trace id of each problem, and advice.

    None when the answer holds neither a problem nor an OAuth error.
    """
    answer = read_json(response)
    if not isinstance(answer, dict):
        return None
    if problems := problems_of(answer):
        said = [_text(problems), _ADVICE.get(response.status_code)]
        return problems[0].code, ". ".join(filter(None, said))
    if isinstance(answer.get("error"), str):
        return answer["error"], _ADVICE[401]
    return None


_ADVICE = {
    401: "Check `client_id` and `client_secret`",
    403: "Check the advertiser's consent and the app's rights",
    410: "Set `api_version` to a version that Criteo serves",
}


def read_json(response: httpx.Response) -> Any:
    """Give the answer's JSON value, or None where it is none."""
    try:
        return orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return None


def objects(found: Any) -> list[dict[str, Any]]:
    """Give the objects of a list, and none where there is no list."""
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def problems_of(answer: Mapping[str, Any], *places: str) -> list[CriteoProblem]:
    """Give what an answer reports in *places*, without mere deprecations."""
    found = itertools.chain(*(objects(answer.get(place)) for place in places or _PLACES))
    return [problem for problem in map(CriteoProblem.read, found) if problem.type != "deprecation"]


def _text(problems: Sequence[CriteoProblem]) -> str:
    return "; ".join(map(str, problems))


def refusal(problems: Sequence[CriteoProblem], what: str) -> APIError:
    """Give the error for a refusal that came with status 200."""
    code = problems[0].code if problems else ""
    kind = _KINDS.get(code, APIError)
    said = _text(problems) or "no reason given"
    named = f" ({code})" if code else ""
    return kind(f"{what}: {said}{named}.", code or "API_ERROR", _STATUSES.get(code, 400))


def sharper(error: IntegrationError) -> IntegrationError:
    """Give the error for a refusal by status its own class, where there is one."""
    kind = _KINDS.get(error.code) or _BY_STATUS.get(error.status)
    if kind is None:
        return error
    sharper = kind(str(error), error.code, error.status)
    sharper.response = error.response
    return sharper


_KINDS: dict[str, type[APIError]] = {
    "name-must-be-unique": NameTakenError,
    "audience-invalid": ListGoneError,
    "segment-not-found": ListGoneError,
}
_BY_STATUS: dict[int, type[APIError]] = {404: ListGoneError, 413: TooLargeError}
_STATUSES = {"audience-invalid": 404, "segment-not-found": 404}
