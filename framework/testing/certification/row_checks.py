"""Checks of deliveries: every row is sent once, and has its own result."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any, Final

from framework.clock import FrozenClock
from framework.definition import Action
from framework.delivery import SUPERSEDED
from framework.linting import Change
from framework.paths import Event
from framework.results import Delivered, Failed, Result, Skipped, Unconfirmed
from framework.testing.certification.certificate import CertificateFinding
from framework.testing.certification.subject import Outcome, Subject, shown

Findings = Iterator[CertificateFinding]

MANY: Final = 120
"""Rows of a large batch."""

WEIRD: Final[tuple[Any, ...]] = (
    "", " ", "not an address", "x" * 4_000, "Zoë \u2028 \u0000 \\ \" '; --", "{{ x }}", "-1",
    "a,b\nc", None,
)  # fmt: skip
"""Values that partners may refuse, and that no destination may stumble over."""


def sampled(subject: Subject) -> Iterator[Action]:
    """Yield the actions for which events can be generated."""
    return (one for one in subject.definition.actions if not subject.why_not(one))


def check_generated(subject: Subject) -> Findings:
    """Yield actions whose generated events are not delivered."""
    for action in sampled(subject):
        found = subject.baseline(action)
        for result in found.results:
            if not isinstance(result, Delivered):
                yield CertificateFinding(action.slug, f"A generated event is {told(result)}.")
                break
        else:
            if not found.partner.calls:
                text = "Its events are delivered without any request."
                if subject.has_resource:
                    text = "Its events are delivered, but neither client nor resource is called."
                yield CertificateFinding(action.slug, text)


def told(result: Result | None) -> str:
    """Return what a result says, for a finding."""
    match result:
        case Failed():
            return f"Failed {result.status} {result.code} ({shown(result.message)})"
        case Skipped() | Unconfirmed():
            return f"{type(result).__name__} {result.code} ({shown(result.reason)})"
        case None:
            return "without a result"
    return "delivered"


_SENTENCE: Final = (
    "The code of a failure has several words. Failed takes status, code and message, in this "
    "order: the code is one word for programs, the message is for people."
)


def check_alignment(subject: Subject) -> Findings:
    """Yield rows whose result in a batch differs from the one they have alone."""
    for action in sampled(subject):
        good = subject.events(action, len(WEIRD) + 1)
        others = subject.events(action, len(WEIRD), start=500)  # which share no value with them
        for key, (_, path) in list(subject.fields_with_path(action).items())[:4]:
            rows = [good[0]]
            for place, value in enumerate(WEIRD, 1):
                rows += [Change(path, value).apply(others[place - 1]), good[place]]
            rows = [_numbered(row, place) for place, row in enumerate(rows)]
            finding = _misaligned(subject, action, key, rows)
            if finding is not None:
                yield finding
                break


def _numbered(event: Event, place: int) -> Event:
    """Return an event with an ID of its own."""
    return {**event, "messageId": f"row-{place}"} if "messageId" in event else event


def _misaligned(
    subject: Subject, action: Action, key: str, rows: Sequence[Event]
) -> CertificateFinding | None:
    alone = [subject.deliver(action, [row]).results[0] for row in rows]
    for order in (range(len(rows)), range(len(rows) - 1, -1, -1)):
        outcome = subject.deliver(action, [rows[place] for place in order])
        for place, result in zip(order, outcome.results, strict=True):
            if result is not None and not _agree(alone[place], result):
                text = (
                    f"With a bad `{key}` in the batch, a row is {told(result)}; alone it is "
                    f"{told(alone[place])}."
                )
                return CertificateFinding(action.slug, text)
    return None


def _agree(alone: Result | None, batched: Result) -> bool:
    if isinstance(alone, Unconfirmed) or isinstance(batched, Unconfirmed | Skipped):
        return True
    return type(alone) is type(batched)


def check_defects(subject: Subject) -> Findings:
    """Yield unexpected exceptions and results for unusual values."""
    for action in sampled(subject):
        events = subject.events(action, len(WEIRD))
        seen = set()
        for key, (_, path) in subject.fields_with_path(action).items():
            rows = [Change(path, w).apply(e) for w, e in zip(WEIRD, events, strict=True)]
            for row in rows:
                outcome = subject.deliver(action, [row])
                for failed in outcome.defects:
                    if failed.code not in seen:
                        seen.add(failed.code)
                        text = f"An unusual value is {told(failed)}."
                        yield CertificateFinding(f"{action.slug}.{key}", text)
                if _SENTENCE not in seen and any(map(_has_a_sentence_as_code, outcome.results)):
                    seen.add(_SENTENCE)
                    yield CertificateFinding(action.slug, _SENTENCE, warning=True)


def _has_a_sentence_as_code(result: Result | None) -> bool:
    return isinstance(result, Failed) and len(result.code.split()) > 1


def check_sent(subject: Subject) -> Findings:
    """Yield rows that are delivered though the requests do not depend on them."""
    for action in sampled(subject):
        numbers = [4]
        one = subject.deliver(action, subject.events(action, 1))
        batched = len(subject.baseline(action).effects) < len(one.effects) + 2
        if batched and action.batching and action.batching.max_size >= MANY:
            numbers.append(MANY)
        for number in numbers:
            found = _unsent(subject, action, number)
            if found is not None:
                yield found
                break


def _unsent(subject: Subject, action: Action, number: int) -> CertificateFinding | None:
    events = subject.events(action, number)
    others = subject.events(action, number, start=1_000)
    before = subject.deliver(action, events)
    if not before.all_delivered:
        return None
    for place in range(number) if number < MANY else (0, number // 2, number - 1):
        changed = [*events[:place], others[place], *events[place + 1 :]]
        after = subject.deliver(action, changed)
        if after.all_delivered and sorted(after.effects) == sorted(before.effects):
            text = f"Row {place + 1} of {number} is delivered, but nothing of it is sent."
            return CertificateFinding(action.slug, text)
    return None


def check_fields(subject: Subject) -> Findings:
    """Yield fields with a default mapping whose values are not sent."""
    for action in sampled(subject):
        event = subject.events(action, 1)[0]
        before = subject.deliver(action, [event])
        for key, (entry, path) in subject.fields_with_path(action).items():
            other = path.get(subject.events(action, 1, start=500)[0])
            after = subject.deliver(action, [Change(path, other).apply(event)])
            delivered = before.all_delivered and after.all_delivered
            if delivered and entry.depends_on is None and before.effects == after.effects:
                text = "Its value makes no difference to the request."
                yield CertificateFinding(f"{action.slug}.{key}", text, warning=True)


def check_empty(subject: Subject) -> Findings:
    """Yield actions that send something, or fail, for no events."""
    for action in sampled(subject):
        outcome = subject.deliver(action, [])
        if outcome.partner.calls:
            yield CertificateFinding(action.slug, "A request is sent for no events.")
        event = subject.events(action, 1)[0]
        one = subject.deliver(action, [event])
        for failed in one.defects:
            yield CertificateFinding(action.slug, f"A batch of one is {told(failed)}.")


def check_repetition(subject: Subject) -> Findings:
    """Yield what differs when the same events are delivered again, or by another process."""
    for action in sampled(subject):
        events = subject.events(action, 3)
        first, second = subject.deliver(action, events), subject.deliver(action, events)
        if first.effects != second.effects:
            text = "Equal events make different requests, so a partner cannot know a repetition."
            yield CertificateFinding(action.slug, text)
        elif (headers := _differing(first, second)) is not None:
            text = f"Header `{headers}` differs each time, so a partner cannot know a repetition."
            yield CertificateFinding(action.slug, text)
        if first.identifiers != second.identifiers:
            yield CertificateFinding(action.slug, "`identify` returns something else each time.")
        yield from _repeated(subject, action, events)


def _differing(first: Outcome, second: Outcome) -> str | None:
    for one, other in zip(first.partner.calls, second.partner.calls, strict=False):
        for name, value in one.headers.items():
            if name not in {"authorization", "date"} and other.headers.get(name) != value:
                return name
    return None


def _repeated(subject: Subject, action: Action, events: Sequence[Event]) -> Findings:
    """Yield differences of a second delivery on the same connection."""
    clock = FrozenClock()
    partner = subject.prepared(action, events, None, clock)
    with subject.connect(partner, action, clock) as connection:
        before = subject.deliver_on(connection, events, partner)
        number = len(partner.calls)
        after = subject.deliver_on(connection, events, partner)
    if not before.all_delivered or not number:
        return
    again = partner.calls[number : after.submitted]
    if not after.all_delivered:
        bad = next(one for one in after.results if not isinstance(one, Delivered))
        yield CertificateFinding(action.slug, f"When repeated, an event is {told(bad)}.")
    elif not again:
        text = "When repeated, events are delivered, but nothing is sent."
        yield CertificateFinding(action.slug, text)
    elif before.effects[before.submitted - 1] != again[-1].effect:
        yield CertificateFinding(action.slug, "When repeated, another request is sent.")


def check_coalescing(subject: Subject) -> Findings:
    """Yield rows that coalescing loses, or tells to be delivered without having been sent."""
    for action in sampled(subject):
        events = subject.events(action, 4)
        found = subject.deliver(action, events)
        lost = [
            one for one in found.results if isinstance(one, Skipped) and one.code == SUPERSEDED.code
        ]
        if lost:
            text = f"An event about somebody else is {told(lost[0])}."
            yield CertificateFinding(action.slug, text)
        if action.batching and action.batching.coalesce != "none":
            yield from _coalesced(subject, action, events[0])


def _coalesced(subject: Subject, action: Action, event: Event) -> Findings:
    """Yield how two events about one identifier go wrong: the newer one has to be sent."""
    other = subject.events(action, 1, start=700)[0]
    alone = subject.deliver(action, [event])
    for path in (path for _, path in subject.fields_with_path(action).values()):
        newer = Change(path, path.get(other)).apply(event)
        changed = subject.deliver(action, [newer])
        if changed.identifiers != alone.identifiers or changed.effects == alone.effects:
            continue
        both = subject.deliver(action, [event, newer])
        if both.effects == alone.effects:
            text = f"Of two events about one identifier the older `{path}` is sent."
            yield CertificateFinding(action.slug, text)
        sent = sum(isinstance(one, Delivered) for one in both.results)
        if sent == 2 and len(both.effects) < 2 * len(alone.effects):
            text = "Two events about one identifier are delivered, but only one is sent."
            yield CertificateFinding(action.slug, text)


def check_untouched(subject: Subject) -> Findings:
    """Yield actions that change the events that they are given."""
    for action in sampled(subject):
        events = subject.events(action, 3)
        kept = copy.deepcopy(events)
        partner = subject.prepared(action, events)
        with subject.connect(partner, action) as connection, subject.capture():
            connection.deliver(events)
        if events != kept:
            yield CertificateFinding(action.slug, "It changes the events that it is given.")
