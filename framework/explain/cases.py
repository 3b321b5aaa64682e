"""Runs of mapping tests: the results of a connection, compared with the expected ones.

No test sends network requests: the destination's sandbox responds; without one, it is a dry run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from framework.config import Case
from framework.definition import DestinationFilter, Subscription
from framework.delivery import (
    DELETIONS,
    DryRun,
    Exchange,
    Implementation,
    Report,
    Retry,
    connect,
)
from framework.explain.expectations import call_differences, in_expected_form, result_differences
from framework.results import Accepted, Delivered
from framework.sandbox import SandboxTransport


@dataclass(frozen=True, slots=True)
class CaseResult:
    """The *differences* of a test (empty if it passed), with the actual results and requests.

    The results *expect* are in the form in which the test expected them.
    """

    case: Case
    differences: tuple[str, ...]
    expect: list[dict[str, Any]]
    calls: list[dict[str, Any]]


def run_case(  # noqa: PLR0913 - the parts of a connection, and the test
    plugin: Implementation,
    settings: Mapping[str, Any],
    subscriptions: tuple[Subscription, ...],
    case: Case,
    *,
    consent: Sequence[str] = (),
    filters: Sequence[DestinationFilter] = (),
    audience_settings: Mapping[str, Mapping[str, Any]] | None = None,
    features: Mapping[str, Any] | None = None,
) -> CaseResult:
    """Deliver the events of *case* to a new sandbox and compare the results.

    *consent* names the consent categories that events need; *filters* come before subscriptions,
    *audience_settings* are those of audiences by key, *features* the flags that hooks can read.
    Raises ConfigurationError if the connection is invalid.
    """
    transport: Any = DryRun()
    if plugin.implements("sandbox"):
        sandbox = plugin.call("sandbox")
        sandbox.admit(settings)
        transport = SandboxTransport(sandbox)
    with connect(
        plugin,
        settings,
        subscriptions,
        filters=filters,
        consent=consent,
        audience_settings=audience_settings,
        features=features,
        transport=transport,
        retry=Retry.never(),
        offline=True,
    ) as connection:
        if plugin.implements("sandbox"):
            connection.check_authentication()
        report = connection.deliver(case.events)
    results, calls = _results(report, len(case.events)), [*map(_call, report.exchanges)]
    differences: list[str] = []
    if case.expect is not None or case.calls is None:
        differences += result_differences(case.expect or [], results)
    if case.calls is not None:
        differences += call_differences(case.calls, calls)
    return CaseResult(case, tuple(differences), in_expected_form(case.expect, results), calls)


def _results(report: Report, events: int) -> list[dict[str, Any]]:
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
