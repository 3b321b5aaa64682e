"""Deliveries of the page: events to the sandbox, to nobody or live, and jobs that they leave."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Annotated, Final

from framework.delivery import Connection, Report
from framework.explain import exchange_to_json, hidden, trace_events
from framework.paths import JSON, Event
from framework.tester import api_types as api
from framework.tester.api_types import about
from framework.tester.operation import ApiRequest, Operation, View, record
from framework.tester.problems_json import ApiRefusal
from framework.tester.workspace import Chosen, Mode

OPERATIONS: Final = (
    Operation(
        "dryRun",
        "POST /api/dry-run",
        (404,),
        "Return the requests for events without sending them.",
        api.RunJson,
        record("DryRunBody", connection=api.ConnectionJson, events=api.NonEmptyEventList),
    ),
    Operation(
        "run",
        "POST /api/run",
        (404, 409),
        "Deliver events and trace each of them.",
        api.RunJson,
        record(
            "RunBody",
            "mode",
            connection=api.ConnectionJson,
            events=api.NonEmptyEventList,
            mode=api.ModeName,
        ),
    ),
    Operation(
        "askJobs",
        "POST /api/jobs",
        (404,),
        "Ask the partner once for the jobs that the last run has left, and return the run anew.",
        api.RunJson,
        record(
            "AskJobsBody",
            run=Annotated[str, about("The ID of the run, from its `jobs`.", max_length=100)],
        ),
    ),
)


class OpenRun:
    """A run whose connection stays open while the partner works on its jobs."""

    def __init__(self, mode: Mode, chosen: Chosen, events: Sequence[Event]) -> None:
        self.id = secrets.token_hex(8)
        self._mode = mode
        self._chosen = chosen
        self._events = events
        self._begun = time.perf_counter()
        self._stack = ExitStack()
        self._connection: Connection

    def deliver(self, call: ApiRequest) -> None:
        """Deliver the events; raises ApiRefusal if the connection cannot be opened."""
        opening = call.workspace.open(self._chosen, self._mode)
        self._connection = self._stack.enter_context(opening)
        try:
            self._connection.deliver(self._events)
        except BaseException:
            self.close()
            raise

    @property
    def jobs(self) -> int:
        """The number of jobs that are not finished."""
        return self._connection.number_of_jobs

    def ask(self) -> None:
        """Ask once for each job."""
        self._connection.poll()

    def close(self) -> None:
        """Close the connection."""
        self._stack.close()

    def to_json(self) -> JSON:
        """Return the trace of every event as far as it has come."""
        report, jobs = self._connection.last_report(), self.jobs
        told = trace_events(self._connection, self._events, report)
        return {
            "mode": self._mode,
            "destination": self._chosen.slug,
            "journeys": [one.to_json() for one in told],
            "batches": hidden(_batches(report), self._chosen.redactor.hide),
            "counts": _counts(report),
            "milliseconds": round((time.perf_counter() - self._begun) * 1000, 1),
            "jobs": {"run": self.id, "open": jobs} if jobs else None,
        }


def _dry_run(call: ApiRequest) -> JSON:
    return _deliver(call, "dry")


def _run(call: ApiRequest) -> JSON:
    slug = call.body["connection"]["destination"]
    mode: Mode = call.body.get("mode") or call.workspace.default_mode(slug)
    return _deliver(call, mode)


def _deliver(call: ApiRequest, mode: Mode) -> JSON:
    chosen = call.workspace.choose(call.body["connection"])
    if mode == "live" and not call.body["connection"].get("enabled", True):
        message = "The connection is disabled; enable it before a live run."
        raise ApiRefusal(409, "DISABLED", message)
    run = OpenRun(mode, chosen, call.body["events"])
    run.deliver(call)
    return _told(call, run)


def _ask_jobs(call: ApiRequest) -> JSON:
    run = call.workspace.take_run(call.body["run"])
    if not isinstance(run, OpenRun):
        message = "The jobs of this run are not asked for any more; another run has followed."
        raise ApiRefusal(404, "UNKNOWN_RUN", message)
    run.ask()
    return _told(call, run)


def _told(call: ApiRequest, run: OpenRun) -> JSON:
    """Return a run; one whose jobs are not finished stays open, in place of an earlier one."""
    try:
        told = run.to_json()
    except BaseException:
        run.close()
        raise
    if run.jobs:
        call.workspace.keep_run(run.id, run)
    else:
        run.close()
    return told


def _batches(report: Report) -> JSON:
    return [
        {**batch.to_json(), "exchanges": [exchange_to_json(one) for one in batch.exchanges]}
        for batch in report.batches
    ]


def _counts(report: Report) -> dict[str, int]:
    counts = dict.fromkeys(("delivered", "failed", "skipped"), 0)
    for (_, kind), number in report.counts().items():
        counts[kind] = counts.get(kind, 0) + number
    return counts


VIEWS: Final[Mapping[str, View]] = {"dryRun": _dry_run, "run": _run, "askJobs": _ask_jobs}
"""The function of each operation."""
