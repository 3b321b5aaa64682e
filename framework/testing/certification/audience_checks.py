"""Checks of audiences: created once, found again, and changed as events say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

from framework.clock import FrozenClock
from framework.definition import Action, AudienceCall, Audiences, fields_of
from framework.delivery import Connection, KeptAudiences
from framework.errors import IntegrationError
from framework.results import Delivered, Failed
from framework.samples import generate_payload
from framework.testing.certification.certificate import CertificateFinding
from framework.testing.certification.failure_checks import BODIES, answer_with, mutants
from framework.testing.certification.row_checks import sampled, told
from framework.testing.certification.sample_events import AUDIENCE
from framework.testing.certification.scripted_partner import Script, ScriptedPartner
from framework.testing.certification.subject import (
    Subject,
    answer_of,
    failing_from,
    json_response,
    shown,
)

Findings = Iterator[CertificateFinding]

CREATE: Final = "audience.create"
GET: Final = "audience.get"
UNKNOWN: Final = "certified-unknown-audience"


class _Remembered(KeptAudiences):
    """IDs of audiences in memory."""

    def __init__(self) -> None:
        self.sent_to = ""
        self._known: dict[str, str] = {}

    def get(self, entry: str) -> str | None:
        """Return a kept ID."""
        return self._known.get(entry)

    def put(self, entry: str, external_id: str) -> None:
        """Keep an ID."""
        self._known[entry] = external_id

    def delete(self, entry: str) -> bool:
        """Forget an ID."""
        return self._known.pop(entry, None) is not None

    def lock(self, entry: str) -> AbstractContextManager[None]:
        """Nothing else creates audiences meanwhile."""
        del entry
        return nullcontext()


class _Desk:
    """A connection with which audiences are created and found, of a partner of its own."""

    def __init__(self, subject: Subject, connection: Connection, partner: ScriptedPartner) -> None:
        rules = subject.definition.audience
        assert rules is not None
        self.rules: Audiences = rules
        self.partner = partner
        self._connection = connection
        self.chosen = generate_payload(fields_of(rules.settings), subject.seed)

    def create(self, key: str, chosen: Mapping[str, Any] | None = None) -> Any:
        """Return what `create` returns, or the exception that it raises."""
        return answer_of(self._connection, "create", self.rules.create, self._call(key, chosen))

    def get(self, external_id: str) -> Any:
        """Return what `get` returns, or the exception that it raises."""
        assert self.rules.get is not None
        call = self._call(AUDIENCE).known_as(external_id)
        return answer_of(self._connection, "get", self.rules.get, call)

    def _call(self, key: str, chosen: Mapping[str, Any] | None = None) -> AudienceCall[Any, Any]:
        assert self._connection.audiences is not None
        return self._connection.audiences.call(key, self.chosen if chosen is None else chosen)


def check_audiences(subject: Subject) -> Findings:
    """Yield audiences that are not created, not found, or created twice."""
    partner = subject.partner()
    with subject.connect(partner) as connection, subject.capture():
        desk = _Desk(subject, connection, partner)
        first = desk.create("certified_one")
        if not isinstance(first, str) or not first:
            yield CertificateFinding(CREATE, f"It has to return an ID, and {_said(first)}.")
            return
        yield from _created(subject, desk, first)
        if desk.rules.get is not None:
            yield from _found(desk, first)
        yield from _failing(subject, desk, first)


def _created(subject: Subject, desk: _Desk, first: str) -> Findings:
    if not desk.partner.calls:
        yield CertificateFinding(CREATE, "It returns an ID without any request.")
    number = len(desk.partner.calls)
    second = desk.create("certified_two")
    has_sandbox = subject.plugin.implements("sandbox")
    if has_sandbox and second == first:
        yield CertificateFinding(CREATE, "Two audiences get one ID.")
    effects = [one.effect for one in desk.partner.calls]
    if effects[:number] == effects[number:]:
        text = "The request for an audience does not depend on its name."
        yield CertificateFinding(CREATE, text)
    for key, entry in fields_of(desk.rules.settings).items():
        values = [one.value for one in entry.choices or ()] or ["one", "two"]
        if entry.type not in {"string", "text"} or len(values) < 2:
            continue
        yield from _depends(desk, key, [{**desk.chosen, key: value} for value in values[:2]])


def _depends(desk: _Desk, key: str, chosen: list[dict[str, Any]]) -> Findings:
    asked = []
    for one in chosen:
        number = len(desk.partner.calls)
        found = desk.create("certified_three", one)
        asked.append([seen.effect for seen in desk.partner.calls[number:]])
        if isinstance(found, Exception):
            return
    if asked[0] == asked[1]:
        text = "Its value makes no difference to the request for a new audience."
        yield CertificateFinding(f"audience.settings.{key}", text, warning=True)


def _found(desk: _Desk, first: str) -> Findings:
    again = desk.get(first)
    if again != first:
        yield CertificateFinding(GET, f"For an audience that there is, it {_said(again)}.")
    unknown = desk.get(UNKNOWN)
    missing = isinstance(unknown, IntegrationError) and unknown.status == 404
    if unknown is not None and not missing:
        text = f"For an ID that the partner does not have, it {_said(unknown)}; None is expected."
        yield CertificateFinding(GET, text)


def _failing(subject: Subject, desk: _Desk, first: str) -> Findings:
    asked: list[tuple[str, Callable[[], Any]]] = [(CREATE, lambda: desk.create("certified_four"))]
    if desk.rules.get is not None:
        asked.append((GET, lambda: desk.get(first)))
    for where, ask in asked:
        number = len(desk.partner.calls)
        ask()
        calls = desk.partner.calls[number:]
        desk.partner.script = failing_from(1, 503)
        failing = ask()
        if calls and not isinstance(failing, IntegrationError):
            text = f"After the partner answers 503, it {_said(failing)}; it has to raise."
            yield CertificateFinding(where, text)
        bodies = ((what, answer_with(200, body)) for what, body in BODIES.items())
        changes = (one for call in calls[:1] for one in mutants(subject, call))
        others = ((what, json_response(changed)) for what, changed in changes)
        for what, response in (*bodies, *others):
            desk.partner.script = _always(response)
            desk.partner.seen.clear()
            wrong = _wrong(ask(), may_be_none=where == GET)
            if wrong:
                yield CertificateFinding(where, f"After {what}, it {wrong}.")
                break
        desk.partner.script = None


def _always(response: Any) -> Script:
    return lambda seen: None if seen.is_for_token else response


def _wrong(found: Any, *, may_be_none: bool) -> str:
    expected = isinstance(found, IntegrationError) or (isinstance(found, str) and bool(found))
    if expected or (found is None and may_be_none):
        return ""
    return _said(found)


def _said(found: Any) -> str:
    if isinstance(found, BaseException):
        return f"raises {type(found).__name__}: {shown(found)}"
    if isinstance(found, str):
        return "returns another ID" if found else "returns an empty text"
    return "returns None" if found is None else f"returns {type(found).__name__}"


def check_members(subject: Subject) -> Findings:
    """Yield events that change another audience, or in another way, than they say."""
    for action in sampled(subject):
        yield from _memberships(subject, action)
        yield from _own_audience(subject, action)
        yield from _no_audience(subject, action)
        if subject.definition.audience is not None and subject.plugin.implements("sandbox"):
            yield from _lost(subject, action)


def _memberships(subject: Subject, action: Action) -> Findings:
    """Yield events that add and remove alike, and those that remove though they do not say so."""
    declared = any(one.membership is not None for one in subject.definition.actions)
    if declared or not _asks_for_memberships(subject, action):
        return
    event = subject.events(action, 1)[0]
    change = subject.in_audience
    outcomes = {
        member: subject.deliver(action, [change(event, AUDIENCE, member=member)])
        for member in (True, False, None)
    }
    if not any(one.partner.calls for one in outcomes.values()):
        return
    if outcomes[True].all_delivered and outcomes[True].effects == outcomes[False].effects:
        text = "Events that add to an audience and that remove from it make equal requests."
        yield CertificateFinding(action.slug, text)
    elif outcomes[None].all_delivered and outcomes[None].effects == outcomes[False].effects:
        text = (
            "An event that neither adds nor removes (its membership is None) removes a person. "
            "Fail it, or add the person."
        )
        yield CertificateFinding(action.slug, text)


def _asks_for_memberships(subject: Subject, action: Action) -> bool:
    wanted = subject.plugin.wants("perform") | subject.plugin.wants("perform_batch")
    coalesces = action.batching is not None and action.batching.coalesce == "membership"
    return bool(wanted & {"membership", "memberships"}) or coalesces


def _own_audience(subject: Subject, action: Action) -> Findings:
    """Yield events about two audiences of which one is not named by any request."""
    if subject.definition.audience is None or not subject.plugin.implements("sandbox"):
        return
    keys = ("certified_one", "certified_two")
    events = [
        subject.in_audience(event, key, member=action.membership is not False)
        for event, key in zip(subject.events(action, 2), keys, strict=True)
    ]
    clock = FrozenClock()
    partner = subject.partner(None, clock)
    with subject.connect(partner, action, clock) as connection:
        chosen = [event["context"]["personas"]["audience_settings"] for event in events]
        with subject.capture():
            try:
                ids = [connection.create_audience(*one) for one in zip(keys, chosen, strict=True)]
            except IntegrationError:
                return  # another check is about that
        partner.seen.clear()
        outcome = subject.deliver_on(connection, events, partner)
    said = [f"{one.url} {one.body.decode('utf-8', 'replace')}" for one in outcome.partner.calls]
    for external_id in ids:
        pattern = rf"(?<![A-Za-z0-9]){re.escape(external_id)}(?![A-Za-z0-9])"
        if outcome.all_delivered and not any(re.search(pattern, text) for text in said):
            text = "Events are delivered, but no request names the ID of their audience."
            yield CertificateFinding(action.slug, text)
            return


def _no_audience(subject: Subject, action: Action) -> Findings:
    """Yield what goes wrong for an event that is about no audience."""
    event = dict(subject.events(action, 1)[0])
    event["context"] = {
        key: value for key, value in event.get("context", {}).items() if key != "personas"
    }
    for failed in subject.deliver(action, [event]).defects:
        yield CertificateFinding(action.slug, f"An event about no audience is {told(failed)}.")


def _lost(subject: Subject, action: Action) -> Findings:
    """Yield what goes wrong if an audience was deleted at the partner."""
    events = subject.events(action, 1)
    kept = _Remembered()
    results = []
    for _ in range(2):  # each partner is a new one, without audiences
        clock = FrozenClock()
        partner = subject.partner(None, clock)
        with subject.connect(partner, action, clock, audiences=kept) as connection:
            results.append(subject.deliver_on(connection, events, partner).results[0])
    first, second = results
    if isinstance(first, Delivered) and isinstance(second, Failed):
        text = (
            f"If an audience was deleted at the partner, an event is {told(second)}: `get` of "
            "Audiences has to return None, so that it is created again."
        )
        warning = subject.definition.audience is not None and not subject.definition.audience.get
        yield CertificateFinding(action.slug, text, warning)
