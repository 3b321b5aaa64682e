"""Checks of deletion: users are deleted, and a failure is told as one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from framework.clock import FrozenClock
from framework.paths import Event
from framework.results import Delivered, Failed
from framework.testing.certification.certificate import CertificateFinding
from framework.testing.certification.failure_checks import PERMANENT, TEMPORARY
from framework.testing.certification.row_checks import told
from framework.testing.certification.scripted_partner import Script
from framework.testing.certification.subject import Outcome, Subject, failing_from

Findings = Iterator[CertificateFinding]

WHERE = "delete_users"


def check_deletion(subject: Subject) -> Findings:
    """Yield requests to delete users that are not answered as they have to be."""
    for name in ("userId", "anonymousId"):
        found = [_delete(subject, [_request(name, user)]) for user in ("user-1", "user-2")]
        for outcome in found:
            for failed in outcome.defects:
                yield CertificateFinding(WHERE, f"A request is {told(failed)}.")
        if found[0].all_delivered and found[0].effects == found[1].effects:
            text = (
                f"Users are reported as deleted by `{name}`, but the request does not say which "
                "user. Fail what cannot be deleted."
            )
            yield CertificateFinding(WHERE, text)
    yield from _several(subject)


def _request(name: str, user: str) -> Event:
    return {"type": "delete", name: user}


def _delete(subject: Subject, events: Sequence[Event], script: Script | None = None) -> Outcome:
    clock = FrozenClock()
    partner = subject.partner(script, clock)
    with subject.connect(partner, None, clock) as connection:
        return subject.deliver_on(connection, events, partner)


def _several(subject: Subject) -> Findings:
    """Yield users that are reported as deleted together, though not all are named."""
    users = [f"user-{place}" for place in range(4)]
    before = _delete(subject, [_request("userId", user) for user in users])
    for failed in before.defects:
        yield CertificateFinding(WHERE, f"One of several requests is {told(failed)}.")
        return
    if not before.all_delivered:
        return
    for place in range(len(users)):
        others = [*users[:place], "user-9", *users[place + 1 :]]
        after = _delete(subject, [_request("userId", user) for user in others])
        if after.all_delivered and sorted(after.effects) == sorted(before.effects):
            text = f"User {place + 1} of {len(users)} is reported as deleted, but is not sent."
            yield CertificateFinding(WHERE, text)
            return


def check_failing_deletion(subject: Subject) -> Findings:
    """Yield deletions that are reported although the partner fails, or fail in a wrong way."""
    event = _request("userId", "user-1")
    by_resource = subject.definition.transport == "other"
    for status in (503,) if by_resource else (*PERMANENT, *TEMPORARY):
        outcome = _delete(subject, [event], failing_from(1, status))
        if not outcome.partner.calls:
            return
        result = outcome.results[0]
        text = ""
        if isinstance(result, Delivered):
            text = f"A user is reported as deleted although the partner answers {status}."
        elif isinstance(result, Failed) and result.retryable != (status in TEMPORARY):
            kind = "retryable" if result.retryable else "not retryable"
            text = f"After the partner answers {status}, a request is {kind}: {told(result)}."
        if text:
            yield CertificateFinding(WHERE, text)
            return
