"""Calls about jobs: a batch is submitted once, and its job is asked for until it is finished."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from framework.definition import Action, FindJobCall, Pending, PollCall
from framework.delivery.compiled import CompiledSubscription
from framework.delivery.holding import Holds, hold_scope
from framework.delivery.hook_failures import store_failed
from framework.delivery.identifier_mask import masking
from framework.delivery.jobs import JobRecord, Jobs
from framework.delivery.performing import HookRunner
from framework.delivery.report import ReportItem
from framework.delivery.result_checks import problems_of
from framework.delivery.row_groups import Batch
from framework.errors import StorageError
from framework.results import Accepted, Failed, Result


class JobResults(list[Any]):
    """Results of a finished job; the partner knows it no more as one that is under way."""


def take_jobs(
    jobs: Jobs, batch: Batch, results: Sequence[Result], holds: Holds | None
) -> tuple[Batch, Sequence[Result]]:
    """Let the rows of a job wait; return the others with their results, of which may be none."""
    if isinstance(results, JobResults):
        if holds and all(map(hold_scope, results)):
            jobs.renew(batch.job)
        else:
            jobs.over(batch.job)
        return replace(batch, job=""), results
    pairs = [*zip(batch.row_ids, results, strict=True)]
    accepted = [row_id for row_id, one in pairs if isinstance(one, Accepted)]
    if batch.job and not holds:  # the question has failed, or the job is under way
        accepted = batch.row_ids
    if accepted:
        if holds:
            holds.answered(batch, accepted=True)
        jobs.wait_for(batch.only(accepted))
        pairs = [(row_id, one) for row_id, one in pairs if row_id not in {*accepted}]
        return batch.only([row_id for row_id, _ in pairs]), [one for _, one in pairs]
    if not (batch.job or batch.deletion or all(map(hold_scope, results))):
        jobs.settled(batch)
    return batch, results


class _Answer(Struct, frozen=True):
    """What a function of an action returned; a Failed without it was raised."""

    value: Any


class JobCalls:
    """Submits batches of actions with jobs, and asks for the jobs."""

    def __init__(self, hook_runner: HookRunner, jobs: Jobs) -> None:
        self._hook_runner = hook_runner
        self._jobs = jobs

    def submit(
        self,
        compiled: CompiledSubscription,
        batch: Batch,
        perform: Callable[[str], Sequence[Result]],
    ) -> Sequence[Result]:
        """Submit a batch with *perform*, which gets the idempotency key, unless it was before."""
        try:
            record, begun = self._jobs.prepare(batch)
            if begun and (found := self._find(compiled.action, record)):
                if isinstance(found, Failed):
                    return [found] * len(batch.row_ids)
                self._jobs.submitted(record, found)
                return [found] * len(batch.row_ids)
            results = perform(record.idempotency_key)
            accepted = results[0] if results and isinstance(results[0], Accepted) else None
            if accepted:
                self._jobs.submitted(record, accepted)
        except StorageError as error:
            return [store_failed(error)] * len(batch.row_ids)
        return results

    def poll(self, action: Action, batch: Batch) -> Sequence[Result]:
        """Ask for the job of a batch: Accepted if it is not finished, else its results.

        If the question itself fails, its failure is returned, but not as JobResults unless it is
        permanent.
        """
        record = self._jobs.record_of(batch.job)
        assert record.ticket is not None
        assert action.poll is not None
        call = PollCall(
            client=self._hook_runner.client,
            settings=self._hook_runner.settings,
            ticket=record.ticket,
            size=record.size,
            attempt=self._jobs.attempt(record.key),
        )
        size = len(batch.row_ids)
        with masking(batch.all_identifiers()):
            found = self._call("poll", action, action.poll, call)
        if not isinstance(found, _Answer):
            open_still = hold_scope(found) and not self._jobs.is_late(record)
            return [found] * size if open_still else JobResults([found] * size)
        if isinstance(found.value, Pending):
            if problems := "; ".join(problems_of(found.value)):
                text = f"`poll` returned a Pending: {problems}."
                return JobResults([Failed(500, "RESULT_TYPE", text)] * size)
            if self._jobs.is_late(record):
                return JobResults([_timeout(action)] * size)
            self._jobs.asked(record.key, found.value.after)
            return [Accepted(record.ticket)] * size
        results = self._hook_runner.answers.results_of("poll", found.value, record.size)
        every = [early or late for early, late in zip(record.results, results, strict=True)]
        return JobResults([every[place] for place in self._jobs.places_of(batch)])

    def _find(self, action: Action, record: JobRecord) -> Accepted | Failed | None:
        """Return the ticket of a batch that may have been submitted, if the partner knows it."""
        find_job = action.job.find_job if action.job else None
        if record.ticket:
            return Accepted(record.ticket)
        if find_job is None:
            return None
        call = FindJobCall(
            client=self._hook_runner.client,
            settings=self._hook_runner.settings,
            idempotency_key=record.idempotency_key,
            size=record.size,
        )
        found = self._call("find_job", action, find_job, call)
        if not isinstance(found, _Answer):
            return found
        if found.value is None:
            return None
        if isinstance(found.value, str) and found.value:
            return Accepted(found.value)
        text = "`find_job` of Job must return a ticket or None, got "
        return Failed(500, "RESULT_TYPE", f"{text}{type(found.value).__name__}.")

    def _call(
        self, name: str, action: Action, function: Callable[..., Any], call: Any
    ) -> _Answer | Failed:
        """Return what a function returns, or the Failed for what it raises."""

        def asked(given: Any) -> _Answer:
            return _Answer(function(given))

        found: _Answer | Failed = self._hook_runner.call_renewing(
            name, asked, call, limit=action.time_limit, action=action
        )
        return found


def _timeout(action: Action) -> Failed:
    give_up = action.job.give_up if action.job else 86_400.0
    return Failed(
        408,
        "JOB_TIMEOUT",
        f"The partner has not finished a job of action `{action.slug}` in {give_up:,.0f} seconds.",
    )


def show_accepted(jobs: Jobs, items: Mapping[tuple[int, int], ReportItem], step: int) -> None:
    """Give the items of jobs their results so far: Accepted, or what the partner said at once.

    *step* is the number of subscriptions, by which row ids grow.
    """
    for record, batch in jobs.tickets().values():
        assert record.ticket is not None
        early = [record.results[place] for place in jobs.places_of(batch)]
        known = dict(zip(batch.row_ids, early, strict=True))
        for row_id in batch.all_row_ids():
            result = known.get(row_id) or Accepted(record.ticket)
            items[divmod(row_id, step)].result = result
