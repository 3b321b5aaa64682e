"""Checks of jobs: a batch is submitted once, and its job is asked for until it is finished."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final

from framework.clock import FrozenClock
from framework.definition import Action, FindJobCall, Pending, PollCall
from framework.delivery import Connection, Implementation
from framework.errors import IntegrationError
from framework.linting import Change
from framework.paths import Event
from framework.results import Accepted, Delivered, Failed, Result, Skipped, Unconfirmed
from framework.testing.certification.certificate import CertificateFinding
from framework.testing.certification.conduct_checks import SLOW
from framework.testing.certification.failure_checks import BODIES, answer_with, mutants
from framework.testing.certification.row_checks import WEIRD, sampled, told
from framework.testing.certification.scripted_partner import (
    Answer,
    Script,
    ScriptedPartner,
    SeenRequest,
    TooManyRequestsError,
)
from framework.testing.certification.subject import (
    Subject,
    answer_of,
    failing_from,
    json_response,
    shown,
)

Findings = Iterator[CertificateFinding]

ROUNDS: Final = 10
"""Questions for several jobs."""

_RESULTS: Final = (Delivered, Failed, Skipped, Unconfirmed)


@dataclass(frozen=True)
class _Submitted:
    """A batch that the partner has accepted as a job; *key* is that which hooks were given."""

    connection: Connection
    partner: ScriptedPartner
    ticket: str
    size: int
    key: str
    requests: tuple[SeenRequest, ...]

    def ask(self, action: Action, attempt: int = 1) -> Any:
        """Return what the function `poll` returns, or the exception that it raises."""
        call = PollCall(
            client=self.connection.hook_runner.client,
            settings=self.connection.settings,
            ticket=self.ticket,
            size=self.size,
            attempt=attempt,
        )
        assert action.poll is not None
        return answer_of(self.connection, "poll", action.poll, call, action)

    def find(self, action: Action, key: str) -> Any:
        """Return what the function `find_job` returns, or the exception that it raises."""
        assert action.job is not None
        assert action.job.find_job is not None
        call = FindJobCall(
            client=self.connection.hook_runner.client,
            settings=self.connection.settings,
            idempotency_key=key,
            size=self.size,
        )
        return answer_of(self.connection, "find_job", action.job.find_job, call, action)


class _Keys:
    """A destination as it is, which remembers the idempotency keys that its hooks get."""

    def __init__(self, plugin: Implementation) -> None:
        self.definition = plugin.definition
        self.implements = plugin.implements
        self.wants = plugin.wants
        self._plugin = plugin
        self.given = ""

    def call(self, hook: str, **arguments: Any) -> Any:
        """Call *hook*."""
        self.given = arguments.get("idempotency_key", self.given)
        return self._plugin.call(hook, **arguments)


def check_jobs(subject: Subject) -> Findings:
    """Yield jobs that are submitted twice, do not end, or end in another way than they have to."""
    for action in sampled(subject):
        if action.poll is None:
            continue
        found = _submitted(subject, action, subject.events(action, 3))
        if isinstance(found, str):
            yield CertificateFinding(action.slug, found, warning=True)
            continue
        found.connection.close()
        yield from _ends(subject, action)
        yield from _failing_questions(subject, action)
        yield from _hostile_answers(subject, action)
        yield from _waiting(subject, action)
        yield from _two_jobs(subject, action)
        yield from _findable(subject, action)


def _submitted(subject: Subject, action: Action, events: Sequence[Event]) -> _Submitted | str:
    """Return the job of a delivery on an open connection; else why there is none."""
    clock = FrozenClock()
    partner = subject.prepared(action, events, None, clock)
    keys = _Keys(subject.plugin)
    connection = subject.connect(partner, action, clock, plugin=keys)
    with subject.capture():
        results = connection.deliver(events).results
    accepted = [one for one in results if isinstance(one, Accepted)]
    if accepted:
        requests = tuple(partner.calls)
        return _Submitted(
            connection, partner, accepted[0].ticket, len(accepted), keys.given, requests
        )
    connection.close()
    return f"It declares `poll`, but no event is Accepted: the first is {told(results[0])}."


def _ends(subject: Subject, action: Action) -> Findings:
    """Yield what goes wrong if everything goes well."""
    outcome = subject.deliver(action, subject.events(action, 3))
    for failed in outcome.defects:
        yield CertificateFinding(action.slug, f"An event of a job is {told(failed)}.")
        return
    if any(isinstance(one, Accepted) for one in outcome.results):
        yield CertificateFinding(action.slug, "A job does not end, however often it is asked for.")
    submitted = outcome.effects[: outcome.submitted]
    again = [one for one in outcome.effects[outcome.submitted :] if one in submitted]
    if again and again[0][0] != "GET":
        yield CertificateFinding(action.slug, "Asking for a job submits the batch again.")


def _failing_questions(subject: Subject, action: Action) -> Findings:
    """Yield questions for a job that fail, and seem to have been answered."""
    for status in (400, 404, 429, 503):
        found = _submitted(subject, action, subject.events(action, 2))
        if isinstance(found, str):
            return
        with found.connection as connection, subject.capture():
            found.partner.script = failing_from(1, status)
            results = [item.result for item in connection.poll()]
            asked = f"After the partner answers {status} to a question for a job, an event is"
            for result in results:
                temporary = status in {429, 503}
                permanent = isinstance(result, Failed) and not result.retryable
                if isinstance(result, Delivered) or (temporary and permanent):
                    yield CertificateFinding(action.slug, f"{asked} {told(result)}.")
                    break
            if not results and status in {400, 404}:
                answer = found.ask(action)
                if isinstance(answer, Pending):
                    text = f"{asked} not failed: its job is asked for until it is given up."
                    yield CertificateFinding(action.slug, text, warning=True)


def _hostile_answers(subject: Subject, action: Action) -> Findings:
    """Yield answers to a question for a job that make `poll` raise by mistake."""
    found = _submitted(subject, action, subject.events(action, 2))
    if isinstance(found, str):
        return
    told_before: set[str] = set()
    with found.connection, subject.capture():
        number = len(found.partner.calls)
        found.ask(action)
        calls = found.partner.calls[number:]
        for what, response in _answers(subject, calls):
            found.partner.script = _always(response)
            found.partner.seen.clear()
            problem = _wrong_answer(found.ask(action), found.size)
            if problem and problem not in told_before:
                told_before.add(problem)
                text = f"After {what} to a question for a job, `poll` {problem}"
                yield CertificateFinding(action.slug, text)


def _answers(subject: Subject, calls: Sequence[SeenRequest]) -> Iterator[tuple[str, Any]]:
    for what, body in BODIES.items():
        yield what, answer_with(200, body)
    for call in calls[:1]:
        for what, changed in mutants(subject, call):
            yield what, json_response(changed)


def _always(response: Any) -> Script:
    def script(seen: SeenRequest) -> Answer:
        return None if seen.is_for_token else response

    return script


def _wrong_answer(answer: Any, size: int) -> str:
    """Return what is wrong with what `poll` returned or raised; an empty text if nothing is."""
    if isinstance(answer, TooManyRequestsError):
        return "asks without end. Return Pending; the framework asks again."
    if isinstance(answer, IntegrationError | Pending) or answer is None:
        return ""
    if isinstance(answer, BaseException):
        return f"raises {type(answer).__name__}: {shown(answer)}"
    if isinstance(answer, list | tuple):
        if len(answer) != size:
            return f"returns {len(answer)} results for {size} payloads."
        answer = next((one for one in answer if not isinstance(one, _RESULTS)), Delivered())
    if isinstance(answer, _RESULTS):
        return ""
    return f"returns {type(answer).__name__}, which is neither Pending nor a result."


def _waiting(subject: Subject, action: Action) -> Findings:
    """Yield functions that wait for a job by themselves, or end one that is not finished.

    The partner repeats its first answer, which mostly says that the job is not finished.
    """
    found = _submitted(subject, action, subject.events(action, 2))
    if isinstance(found, str):
        return
    with found.connection, subject.capture():
        number = len(found.partner.calls)
        first, seconds = found.ask(action), SLOW
        for _ in range(3):  # since other work may delay one
            begun = perf_counter()
            found.ask(action)
            seconds = min(seconds, perf_counter() - begun)
        requests = found.partner.calls[number:]
        if not requests:
            yield CertificateFinding(action.slug, "`poll` does not ask the partner.")
            return
        found.partner.script = _always(requests[0].response)
        again = found.ask(action, 50)
    if seconds >= SLOW or isinstance(again, TooManyRequestsError):
        text = "`poll` waits for the job. Return Pending; the framework asks again."
        yield CertificateFinding(action.slug, text)
    elif isinstance(first, Pending) and not isinstance(again, Pending):
        text = "`poll` ends a job that the partner has not finished. Leave that to Job.give_up."
        yield CertificateFinding(action.slug, text)


def _two_jobs(subject: Subject, action: Action) -> Findings:
    """Yield jobs that are asked for together, and get the results of each other."""
    good, other = subject.events(action, 1), subject.events(action, 1, start=300)
    bad = next(_refused(subject, action, other[0]), None)
    batches = [good, [bad] if bad else other]
    expected: list[Result | None] = [
        subject.deliver(action, events).results[0] for events in batches
    ]
    clock = FrozenClock()
    partner = subject.prepared(action, good, None, clock)
    with subject.connect(partner, action, clock) as connection, subject.capture():
        reports = [connection.deliver(events) for events in batches]
        tickets = [one.ticket for it in reports for one in it.results if isinstance(one, Accepted)]
        for _ in range(ROUNDS):
            connection.poll()
        results = [one.results[0] for one in reports]
    if len(set(tickets)) < len(tickets):
        yield CertificateFinding(action.slug, "Two batches have the same ticket.")
    elif [*map(type, results)] != [*map(type, expected)]:
        text = "Of two jobs at once, the results of one are taken for those of the other."
        yield CertificateFinding(action.slug, text)


def _refused(subject: Subject, action: Action, event: Event) -> Iterator[Event]:
    """Yield events that the partner accepts with a job, and refuses later."""
    for _, path in subject.fields_with_path(action).values():
        for value in WEIRD:
            changed = Change(path, value).apply(event)
            outcome = subject.deliver(action, [changed])
            later = len(outcome.effects) > outcome.submitted
            if later and isinstance(outcome.results[0], Failed):
                yield changed


def _findable(subject: Subject, action: Action) -> Findings:
    """Yield batches that are submitted twice after a crash."""
    found = _submitted(subject, action, subject.events(action, 2))
    if isinstance(found, str):
        return
    with found.connection, subject.capture():
        if action.job is None or action.job.find_job is None:
            said = (f"{one.url} {dict(one.headers)} {one.body!r}" for one in found.requests)
            if not found.key or not any(found.key[:16] in text for text in said):
                text = (
                    "After a crash a batch is submitted twice, and the partner cannot know: send "
                    "`idempotency_key`, or declare `find_job`."
                )
                yield CertificateFinding(action.slug, text, warning=True)
            return
        yield from _found_again(action, found)


def _found_again(action: Action, found: _Submitted) -> Findings:
    where = f"{action.slug}.find_job"
    if not found.key:
        yield CertificateFinding(where, "No hook sends `idempotency_key`, so no job can be found.")
        return
    ticket = found.find(action, found.key)
    if ticket != found.ticket:
        text = f"For a batch that was submitted, it returns {_named(ticket)}, not its ticket."
        yield CertificateFinding(where, text)
    unknown = found.find(action, "0" * 64)
    if unknown is not None:
        text = f"For a batch that was never submitted, it returns {_named(unknown)}, not None."
        yield CertificateFinding(where, text)
    found.partner.script = failing_from(1, 503)
    failing = found.find(action, found.key)
    if not isinstance(failing, IntegrationError):
        text = (
            f"After the partner answers 503, it returns {_named(failing)}; it has to raise, or the "
            "batch is submitted twice."
        )
        yield CertificateFinding(where, text)
    for what, body in BODIES.items():
        found.partner.script = _always(answer_with(200, body))
        answer = found.find(action, found.key)
        if isinstance(answer, BaseException) and not isinstance(answer, IntegrationError):
            text = f"After {what}, it raises {type(answer).__name__}: {shown(answer)}"
            yield CertificateFinding(where, text)
            return


def _named(answer: Any) -> str:
    if isinstance(answer, BaseException):
        return f"{type(answer).__name__} ({shown(answer)})"
    return "None" if answer is None else f"another {type(answer).__name__}"
