"""How the pretend Criteo speaks: envelopes, problems, and refusals of whole calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from destinations.criteo_audiences.sandbox.state import App, CriteoState
from framework.sandbox import SandboxRequest, SandboxResponse

Problem = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Visit:
    """One authorised call: who calls and what the path names."""

    world: CriteoState
    request: SandboxRequest
    app: App
    names: Mapping[str, str]

    @property
    def now(self) -> float:
        """The time of the call."""
        return self.world.clock.time()


class RefusedError(Exception):
    """The whole call is refused with *status* and one problem, or with an empty body."""

    def __init__(
        self, status: int, problem: Problem | None, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(status)
        self.answer = SandboxResponse(
            status, None if problem is None else {"errors": [problem], "warnings": []}, headers
        )


def problem(world: CriteoState, kind: str, code: str, instance: str, title: str) -> Problem:
    """Give a problem object, its trace id under the name that the knobs say."""
    names = ("traceId", "traceIdentifier")
    wanted = names if world.knobs.trace_field == "both" else (world.knobs.trace_field,)
    trace = world.trace()
    return {
        **dict.fromkeys(wanted, trace),
        "type": kind,
        "code": code,
        "instance": instance,
        "title": title,
        "detail": title,
        "source": {},
    }


def success(data: object, note: Mapping[str, object] | None = None) -> SandboxResponse:
    """Answer that everything went well."""
    return SandboxResponse(body={"data": data, "errors": [], "warnings": []}, note=note or {})


def refused(
    visit: Visit, status: int, code: str, title: str, kind: str = "validation"
) -> RefusedError:
    """Give the refusal of the whole call."""
    return RefusedError(status, problem(visit.world, kind, code, visit.request.path, title))


def no_consent(
    visit: Visit, title: str = "the advertiser gave this app no consent"
) -> RefusedError:
    """Give the refusal of a call that advertiser or app are not allowed."""
    return refused(visit, 403, "insufficient-advertiser-permissions", title, "authorization")


def read_data(visit: Visit, shape: type[list[Any] | dict[str, Any]]) -> Any:
    """Read the `data` of the request's JSON body, which must be a list or an object."""
    try:
        body = orjson.loads(visit.request.body)
    except orjson.JSONDecodeError:
        raise refused(visit, 400, "invalid", "the body is not JSON") from None
    if not isinstance(body, dict) or body.get("data") is None:
        raise refused(visit, 400, "required-field", "data is required")
    if not isinstance(body["data"], shape):
        raise refused(visit, 400, "invalid", "data has the wrong type")
    return body["data"]


def read_attributes(visit: Visit, data: Mapping[str, Any]) -> dict[str, Any]:
    """Read the `attributes` of a resource."""
    attributes = data.get("attributes")
    if attributes is None:
        raise refused(visit, 400, "required-field", "attributes are required")
    if not isinstance(attributes, dict):
        raise refused(visit, 400, "invalid", "attributes have the wrong type")
    return attributes


def seven_digits(time: float) -> str:
    """Write a time the way Criteo does, with seven digits after the second and no zone."""
    moment = datetime.fromtimestamp(time, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}0"
