"""Runs of mapping tests: the results of a connection, compared with the expected ones.

No test sends network requests: the destination's sandbox responds; without one, it is a dry run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from framework.config import Case
from framework.definition import DestinationFilter, Subscription
from framework.delivery import (
    DELETIONS,
    Connection,
    DryRun,
    Exchange,
    Implementation,
    Report,
    Retry,
    connect,
)
from framework.results import Accepted, Delivered
from framework.sandbox import SandboxTransport


@dataclass(frozen=True, slots=True)
class CaseResult:
    """The *differences* of a test (none: it passed), with the actual results and requests."""

    case: Case
    differences: tuple[str, ...]
    expect: list[dict[str, Any]]
    calls: list[dict[str, Any]]


def run_case(  # noqa: PLR0913 - the parts of a connection, and the test
    plugin: Implementation,
    settings: Mapping[str, Any],
    subscriptions: tuple[Subscription, ...],
    case: Case,
    consent: Sequence[str] = (),
    *,
    filters: Sequence[DestinationFilter] = (),
) -> CaseResult:
    """Deliver the events of *case* to a new sandbox and compare the results.

    *consent* names the consent categories that events need; *filters* come before subscriptions.
    Raises ConfigurationError if the connection is invalid.
    """
    with _open(plugin, settings, subscriptions, consent, filters) as connection:
        if plugin.implements("sandbox"):
            connection.check_authentication()
        report = connection.deliver(case.events)
    expect, calls = _expectations(report, len(case.events)), [*map(_call, report.exchanges)]
    differences = [*_compare("expect", case.expect or [], expect)]
    if case.calls is not None:
        differences += _compare("calls", case.calls, _like(calls, case.calls))
    return CaseResult(case, tuple(differences), expect, calls)


def _open(
    plugin: Implementation,
    settings: Mapping[str, Any],
    subscriptions: tuple[Subscription, ...],
    consent: Sequence[str],
    filters: Sequence[DestinationFilter],
) -> Connection:
    transport: Any = DryRun()
    if plugin.implements("sandbox"):
        sandbox = plugin.call("sandbox")
        sandbox.admit(settings)
        transport = SandboxTransport(sandbox)
    return connect(
        plugin,
        settings,
        subscriptions,
        filters=filters,
        consent=consent,
        transport=transport,
        retry=Retry.never(),
        offline=True,
    )


def _expectations(report: Report, events: int) -> list[dict[str, Any]]:
    """Return the results of each event by subscription, without those that did not match."""
    found: list[dict[str, Any]] = [{} for _ in range(events)]
    for item in report.items:
        if item.matched or item.subscription == DELETIONS:
            result: dict[str, Any] = {} if item.payload is None else {"payload": item.payload}
            if item.result and not isinstance(item.result, Delivered):
                result["outcome"] = item.result.to_json()["outcome"]
                if not isinstance(item.result, Accepted):
                    result["code"] = item.result.code
            found[item.position][item.subscription] = result
    return found


def _call(exchange: Exchange) -> dict[str, Any]:
    body: Any = exchange.request_body
    with suppress(ValueError):
        body = json.loads(body)
    return {
        "method": exchange.method,
        "url": exchange.url,
        **({} if body in (None, "") else {"body": body}),
    }


def _like(calls: list[dict[str, Any]], expected: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Reduce each call to the keys that the expected call at its position has."""
    kept = [
        {key: value for key, value in call.items() if key in wanted}
        for call, wanted in zip(calls, expected, strict=False)
    ]
    return kept + calls[len(expected) :]


def _compare(where: str, expected: Any, found: Any) -> Iterator[str]:
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in [*expected, *(key for key in found if key not in expected)]:
            place = f"{where}.{key}" if str(key).isidentifier() else f"{where}[{_shown(key)}]"
            yield from _member(place, expected, found, key)
    elif isinstance(expected, list) and isinstance(found, list):
        for index in range(max(len(expected), len(found))):
            wanted = dict(enumerate(expected))
            yield from _member(f"{where}[{index}]", wanted, dict(enumerate(found)), index)
    elif expected != found or isinstance(expected, bool) is not isinstance(found, bool):
        yield f"{where}: expected {_shown(expected)}, got {_shown(found)}"


def _member(where: str, expected: Any, found: Any, key: Any) -> Iterator[str]:
    if key not in found:
        yield f"{where}: expected {_shown(expected[key])}, got nothing"
    elif key not in expected:
        yield f"{where}: expected nothing, got {_shown(found[key])}"
    else:
        yield from _compare(where, expected[key], found[key])


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
