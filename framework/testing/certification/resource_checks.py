"""Checks of destinations that send by a resource: opened once, closed, and not in dry runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from framework.clock import FrozenClock
from framework.definition import Action
from framework.results import Delivered, Failed, Skipped
from framework.testing.certification.certificate import CertificateFinding
from framework.testing.certification.row_checks import WEIRD, sampled, told
from framework.testing.certification.subject import Subject, failing_from, shown

Findings = Iterator[CertificateFinding]

_CLOSE: Final = "resource.close"
_LEAVE: Final = "resource.__exit__"
"""The end of a `with` block, which closes files, and only ends a transaction of databases."""


def check_resources(subject: Subject) -> Findings:
    """Yield resources that are closed by hooks, or that cannot be replaced."""
    if not subject.has_resource:
        text = (
            "Nothing that it sends can be tried: open what it uses in the hook `open_resource`, "
            "and return a replacement from the method `resource` of its sandbox."
        )
        yield CertificateFinding("sandbox", text)
        return
    for action in sampled(subject):
        yield from _used(subject, action)
        yield from _swallowed(subject, action)


def _used(subject: Subject, action: Action) -> Findings:
    clock = FrozenClock()
    partner = subject.partner(None, clock)
    with subject.connect(partner, action, clock) as connection:
        first = subject.deliver_on(connection, subject.events(action, 2), partner)
        partner.script = failing_from(len(partner.calls) + 1, 503)
        subject.deliver_on(connection, subject.events(action, 2, start=50), partner)
        partner.script = None
        last = subject.deliver_on(connection, subject.events(action, 2, start=90), partner)
    called = {seen.url for seen in partner.calls}
    stays_open = first.all_delivered == last.all_delivered
    if _CLOSE in called or (_LEAVE in called and not stays_open):
        text = "It closes its resource. Leave that to the connection, which opens it only once."
        yield CertificateFinding(action.slug, text)
    elif first.all_delivered and not last.all_delivered:
        text = f"After a call of the resource failed, the next event is {told(last.results[0])}."
        yield CertificateFinding(action.slug, text)
    if any(one.is_open for one in partner.opened) or len(partner.opened) > 1:
        yield CertificateFinding(action.slug, "Its resource is not closed at the end.")


def _swallowed(subject: Subject, action: Action) -> Findings:
    """Yield calls of the resource that fail, and whose events are delivered or given up."""
    events = subject.events(action, 2)
    calls = len(subject.deliver(action, events).partner.calls)
    for place in range(1, min(calls, 4) + 1):
        outcome = subject.deliver(action, events, failing_from(place, 503))
        for result in outcome.results:
            if isinstance(result, Delivered) and place == 1:
                text = "An event is delivered although the first call of the resource failed."
            elif isinstance(result, Failed) and not result.retryable:
                text = (
                    f"After call {place} of the resource raises ConnectionError, an event is "
                    f"{told(result)}, not retryable."
                )
            else:
                continue
            yield CertificateFinding(action.slug, text)
            return


def check_previews(subject: Subject) -> Findings:
    """Yield dry runs that open the resource, and previews that fail or show secrets."""
    for action in sampled(subject):
        events = subject.events(action, len(WEIRD))
        clock = FrozenClock()
        partner = subject.partner(None, clock)
        with subject.connect(partner, action, clock, dry=True) as connection:
            results = subject.deliver_on(connection, events, partner).results
            shown_rows = [one.shown for one in connection.hook_runner.previews or []]
        if partner.opened or partner.calls:
            yield CertificateFinding(action.slug, "A dry run opens the resource.")
        if not all(isinstance(one, Skipped) for one in results):
            yield CertificateFinding(action.slug, f"In a dry run an event is {told(results[0])}.")
        yield from _previewed(subject, action, shown_rows)


def _previewed(subject: Subject, action: Action, found: list[object]) -> Findings:
    if not subject.plugin.implements("preview"):
        text = "There is no such hook, so a dry run does not show what would be sent."
        yield CertificateFinding("preview", text, warning=True)
        return
    for one in found:
        if isinstance(one, dict) and one.get("outcome") == "failed":
            yield CertificateFinding(action.slug, f"`preview` fails: {shown(one.get('message'))}")
            return
    if not any(found):
        yield CertificateFinding(action.slug, "`preview` shows nothing of what would be sent.")
    text = json.dumps(found, default=str)
    if any(secret in text for secret in subject.secrets):
        yield CertificateFinding(action.slug, "A secret is in what `preview` returns.")
