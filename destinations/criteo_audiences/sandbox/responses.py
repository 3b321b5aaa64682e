"""Bodies of the simulated Criteo: envelopes, problems, and rejections of whole requests."""

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
class ApiCall:
    """An authorized request: its app, and the names in its path."""

    state: CriteoState
    request: SandboxRequest
    app: App
    names: Mapping[str, str]

    @property
    def now(self) -> float:
        """The Unix time of the request."""
        return self.state.clock.time()


class RefusedError(Exception):
    """The whole request is rejected with *status* and one problem, or with an empty body."""

    def __init__(
        self, status: int, problem: Problem | None, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(status)
        self.response = SandboxResponse(
            status, None if problem is None else {"errors": [problem], "warnings": []}, headers
        )


def problem(state: CriteoState, kind: str, code: str, instance: str, title: str) -> Problem:
    """Return a problem object; the options say how its trace ID is named."""
    names = ("traceId", "traceIdentifier")
    wanted = names if state.options.trace_field == "both" else (state.options.trace_field,)
    trace = state.trace()
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
    """Return a successful response with *data*; *note* goes into the log."""
    return SandboxResponse(body={"data": data, "errors": [], "warnings": []}, note=note or {})


def refused(
    call: ApiCall, status: int, code: str, title: str, kind: str = "validation"
) -> RefusedError:
    """Return the exception that rejects the whole request."""
    return RefusedError(status, problem(call.state, kind, code, call.request.path, title))


def no_consent(
    call: ApiCall, title: str = "the advertiser has not given consent to this app"
) -> RefusedError:
    """Return the rejection of a request for which the app has no consent or permission."""
    return refused(call, 403, "insufficient-advertiser-permissions", title, "authorization")


def read_data(call: ApiCall, shape: type[list[Any] | dict[str, Any]]) -> Any:
    """Return the `data` of the request's JSON body; raises RefusedError unless it is a *shape*."""
    try:
        body = orjson.loads(call.request.body)
    except orjson.JSONDecodeError:
        raise refused(call, 400, "invalid", "the body is not JSON") from None
    if not isinstance(body, dict) or body.get("data") is None:
        raise refused(call, 400, "required-field", "data is required")
    if not isinstance(body["data"], shape):
        raise refused(call, 400, "invalid", "data has the wrong type")
    return body["data"]


def read_attributes(call: ApiCall, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `attributes` of a resource; raises RefusedError unless they are an object."""
    attributes = data.get("attributes")
    if attributes is None:
        raise refused(call, 400, "required-field", "attributes are required")
    if not isinstance(attributes, dict):
        raise refused(call, 400, "invalid", "attributes have the wrong type")
    return attributes


def seven_digits(time: float) -> str:
    """Format a Unix time as Criteo does, with seven digits after the second and no zone."""
    moment = datetime.fromtimestamp(time, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}0"
