"""Checks of failures: retry classes, hostile answers, tokens and the authentication check."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

import httpx

from framework.clock import FrozenClock
from framework.definition import Action
from framework.errors import ErrorDescription, IntegrationError
from framework.paths import JSON
from framework.results import Delivered, Failed
from framework.testing.certification.certificate import CertificateFinding
from framework.testing.certification.row_checks import sampled, told
from framework.testing.certification.scripted_partner import (
    LIFETIME,
    Answer,
    Script,
    SeenRequest,
)
from framework.testing.certification.subject import (
    DEFECTS,
    Outcome,
    Subject,
    failing_from,
    json_response,
    shown,
)

Findings = Iterator[CertificateFinding]

PERMANENT: Final = (400, 403, 422)
TEMPORARY: Final = (429, 500, 503)
PAUSE: Final = 17.0
MUTANTS: Final = 8

BODIES: Final[dict[str, bytes]] = {
    "an empty body": b"",
    "a web page": b"<!doctype html><title>Please wait</title>",
    "null": b"null",
    "a number": b"7",
    "a list": b'[1, null, {"a": []}]',
    "an empty object": b"{}",
    "an object of other types": b'{"data": 7, "errors": "x", "error": [], "results": {"a": null}}',
    "lists of nothing": b'{"data": [null], "errors": [null], "results": [null], "error": null}',
    "half a document": b'{"data": [{"id"',
    "octets that are no text": b"\xff\xfe\x00\xc3(",
    "a deep document": b"[" * 400 + b"]" * 400,
    "a large body": b'{"data": "' + b"x" * 50_000 + b'"}',
}
"""Bodies that a partner, or a gateway before it, may answer with, by what they are."""


def check_retry_classes(subject: Subject) -> Findings:
    """Yield failures of the partner that are taken for another kind."""
    for action in sampled(subject):
        one = subject.events(action, 1)
        calls = len(subject.deliver(action, one).partner.calls)
        tries = [(subject.events(action, 3), 1), *((one, place) for place in range(2, calls + 1))]
        found = (
            finding
            for events, place in tries[:4]
            for status in (*PERMANENT, *TEMPORARY)
            for finding in _wrong_class(subject, action, events, place, status)
        )
        yield from islice(found, 3)


def _wrong_class(
    subject: Subject, action: Action, events: list[Any], place: int, status: int
) -> Findings:
    pause = {"Retry_After": f"{PAUSE:g}"} if status == 429 else {}
    outcome = subject.deliver(action, events, failing_from(place, status, **pause))
    answered = f"After the partner answers {status} to request {place}, an event is"
    for result in outcome.results:
        if isinstance(result, Delivered):
            text = f"{answered} delivered."
        elif not isinstance(result, Failed):
            continue
        elif result.retryable != (status in TEMPORARY):
            kind = "retryable" if result.retryable else "not retryable"
            text = f"{answered} {kind}: {told(result)}."
        elif pause and (result.pause is None or result.pause < PAUSE):
            text = f"{answered} retried after {result.pause} s; the partner asks for {PAUSE:g} s."
        else:
            continue
        yield CertificateFinding(action.slug, text)
        return


def check_lost_connections(subject: Subject) -> Findings:
    """Yield requests without an answer whose events are not retried."""
    for action in sampled(subject):
        events = subject.events(action, 2)
        for kind in (httpx.ReadTimeout, httpx.RemoteProtocolError, httpx.ConnectError):
            outcome = subject.deliver(action, events, _raising(kind))
            for result in outcome.results:
                if not (isinstance(result, Failed) and result.retryable):
                    text = f"After {kind.__name__}, an event is {told(result)}, not retryable."
                    yield CertificateFinding(action.slug, text)
                    return


def _raising(kind: type[httpx.TransportError]) -> Script:
    def script(seen: SeenRequest) -> Answer:
        return None if seen.is_for_token else kind("certification")

    return script


def check_hostile_answers(subject: Subject) -> Findings:
    """Yield answers that make the destination raise an unexpected exception."""
    for action in sampled(subject):
        events = subject.events(action, 2)
        calls = subject.deliver(action, events).partner.calls
        if len(calls) > len(subject.deliver(action, events[:1]).partner.calls):
            events = events[:1]
        seen: set[str] = set()
        for what, script in _hostile(subject, calls):
            for failed in subject.deliver(action, events, script).defects:
                if failed.message not in seen:
                    seen.add(failed.message)
                    text = f"After {what}, an event is {told(failed)}."
                    yield CertificateFinding(action.slug, text)


def check_answers_read(subject: Subject) -> Findings:
    """Yield actions that deliver whatever the partner's answer says."""
    if not subject.plugin.implements("sandbox"):
        return
    for action in sampled(subject):
        one = subject.deliver(action, subject.events(action, 1))
        if not one.all_delivered or not one.partner.calls or not one.partner.calls[-1].answer:
            continue
        last = len(one.partner.calls)
        for body in BODIES.values():
            script = _answering(last, answer_with(200, body))
            if not subject.deliver(action, subject.events(action, 1), script).all_delivered:
                break
        else:
            text = "Events are delivered whatever the partner's answer says."
            yield CertificateFinding(action.slug, text, warning=True)


def _hostile(subject: Subject, calls: list[SeenRequest]) -> Iterator[tuple[str, Script]]:
    for place, call in enumerate(calls[:4], 1):
        for what, body in BODIES.items():
            yield f"{what}", _answering(place, answer_with(200, body))
        for what, body in islice(BODIES.items(), 4):
            yield f"{what} with status 500", _answering(place, answer_with(500, body))
        for what, changed in mutants(subject, call):
            yield what, _answering(place, json_response(changed))


def _shortened(found: Any) -> Iterator[Any]:
    """Yield an answer with each of its lists shorter, longer and empty."""
    if isinstance(found, list):
        yield from ([], found[:-1], [*found, *found[-1:]])
    elif isinstance(found, dict):
        for key, inner in found.items():
            yield from ({**found, key: changed} for changed in _shortened(inner))


def answer_with(status: int, body: bytes) -> httpx.Response:
    """Return a response with one of the bodies."""
    kind = "text/html" if body.startswith(b"<") else "application/json"
    return httpx.Response(status, content=body, headers={"Content-Type": kind})


def _answering(place: int, response: httpx.Response) -> Script:
    def script(seen: SeenRequest) -> Answer:
        return response if not seen.is_for_token and seen.place == place else None

    return script


def mutants(subject: Subject, seen: SeenRequest) -> Iterator[tuple[str, JSON]]:
    """Yield the partner's real answer with lists of other lengths, and other values."""
    found = seen.answer
    chance = random.Random(subject.seed)  # noqa: S311 - deterministic on purpose
    random_ones = (_mutated(found, chance) for _ in range(MUTANTS)) if found else ()
    for changed in (*_shortened(found), *random_ones):
        yield f"the answer {shown(json.dumps(changed), 80)}", changed


def _mutated(value: Any, chance: random.Random) -> Any:
    if isinstance(value, dict) and value and chance.random() < 0.8:
        key = chance.choice(sorted(value))
        if chance.random() < 0.3:
            return {name: inner for name, inner in value.items() if name != key}
        return {**value, key: _mutated(value[key], chance)}
    if isinstance(value, list) and value and chance.random() < 0.8:
        if chance.random() < 0.3:
            return value[:-1]
        return [_mutated(value[0], chance), *value[1:]]
    return chance.choice((None, 7, "x", [], {}, [None], True))


def check_tokens(subject: Subject) -> Findings:
    """Yield what goes wrong with tokens: their renewal, their reuse and their refusal."""
    for action in sampled(subject):
        if not subject.baseline(action).partner.token_requests:
            continue
        yield from _refused_once(subject, action)
        yield from _renewed(subject, action)
        yield from _without_token(subject, action)
        return


def _refused_once(subject: Subject, action: Action) -> Findings:
    events = subject.events(action, 2)
    outcome = subject.deliver(action, events, _answering(1, json_response({}, 401)))
    if not outcome.all_delivered:
        text = f"After a token is refused once, an event is {told(outcome.results[0])}."
        yield CertificateFinding(action.slug, text)
    elif len(outcome.partner.token_requests) < 2:
        yield CertificateFinding(action.slug, "After a token is refused, no new one is requested.")


def _renewed(subject: Subject, action: Action) -> Findings:
    clock = FrozenClock()
    partner = subject.prepared(action, subject.events(action, 5), None, clock)
    with subject.connect(partner, action, clock) as connection:
        first = subject.deliver_on(connection, subject.events(action, 1), partner)
        number = len(partner.token_requests)
        subject.deliver_on(connection, subject.events(action, 1, start=1), partner)
        if len(partner.token_requests) > number:
            yield CertificateFinding(action.slug, "A token is requested for every batch.")
        last = first
        for place in (2, 3):
            clock.move(30 * 86_400 + LIFETIME)
            last = subject.deliver_on(connection, subject.events(action, 1, place), partner)
    if first.all_delivered and not last.all_delivered:
        text = f"After its token expires, an event is {told(last.results[0])}."
        yield CertificateFinding(action.slug, text)
    yield from _rotated(action, partner.token_requests)


def _rotated(action: Action, requests: list[SeenRequest]) -> Findings:
    latest: Any = None
    for seen in requests:
        given = seen.form.get("refresh_token")
        if latest is not None and given is not None and given != latest:
            text = "A refresh token that the partner replaced is used again."
            yield CertificateFinding(action.slug, text)
            return
        latest = seen.answer.get("refresh_token") or latest


def _without_token(subject: Subject, action: Action) -> Findings:
    events = subject.events(action, 2)
    answers: tuple[tuple[int, JSON, bool], ...] = (
        (503, {"error": "busy"}, True),
        (401, {"error": "invalid_client"}, False),
    )
    for status, body, retryable in answers:
        outcome = subject.deliver(action, events, _token_answer(json_response(body, status)))
        result = outcome.results[0]
        if outcome.partner.calls:
            text = f"After the token endpoint answers {status}, a request is sent without a token."
            yield CertificateFinding(action.slug, text)
        elif not isinstance(result, Failed) or result.code in DEFECTS:
            text = f"After the token endpoint answers {status}, an event is {told(result)}."
            yield CertificateFinding(action.slug, text)
        elif result.retryable != retryable:
            text = (
                f"After the token endpoint answers {status}, an event is "
                f"{'' if result.retryable else 'not '}retryable: {told(result)}."
            )
            yield CertificateFinding(action.slug, text)


def _token_answer(response: httpx.Response) -> Script:
    return lambda seen: response if seen.is_for_token else None


def check_refused_access(subject: Subject) -> Findings:
    """Yield actions that do not tell that the credentials are refused."""
    for action in sampled(subject):
        outcome = subject.deliver(action, subject.events(action, 2), _refusing)
        for result in outcome.results:
            if not (isinstance(result, Failed) and result.concerns_connection):
                text = (
                    f"After the partner refuses the credentials (401), an event is {told(result)}; "
                    "the connection has to halt."
                )
                yield CertificateFinding(action.slug, text)
                break


def _refusing(seen: SeenRequest) -> Answer:
    return None if seen.is_for_token else json_response({"error": "unauthorized"}, 401)


def check_secrets_used(subject: Subject) -> Findings:
    """Yield secret settings that no request depends on."""
    fields = subject.definition.settings_fields
    for action in sampled(subject):
        before = subject.baseline(action)
        for key, value in subject.settings.items():
            entry = fields.get(key)
            hidden = entry is not None and (entry.secret or entry.type == "password")
            if not hidden or not isinstance(value, str):
                continue
            settings = {**subject.settings, key: f"{value}-other"}
            after = subject.deliver(action, subject.events(action, 3), settings=settings)
            if after.all_delivered and _signed(before) == _signed(after):
                text = "No request depends on this secret: is the destination signed in?"
                yield CertificateFinding(f"settings.{key}", text)
        return


def _signed(outcome: Outcome) -> list[Any]:
    return [(*one.effect, sorted(one.headers.items())) for one in outcome.partner.seen]


def check_authentication(subject: Subject) -> Findings:
    """Yield what the check of credentials lets pass, or raises by mistake."""
    if not subject.plugin.implements("check_authentication"):
        if subject.secrets:
            text = "There is no such hook, so wrong credentials are noticed with the first event."
            yield CertificateFinding("check_authentication", text, warning=True)
        return
    error, requests = _authentication(subject, None)
    if error is not None:
        text = f"It refuses valid settings: {shown(error)}"
        yield CertificateFinding("check_authentication", text)
        return
    if not requests:
        return
    error, _ = _authentication(subject, _denying)
    if error is None:
        yield CertificateFinding("check_authentication", "It accepts credentials that are refused.")
    for what, body in BODIES.items():
        for status in (200, 502):
            error, _ = _authentication(subject, _answering(1, answer_with(status, body)))
            if error is not None and not isinstance(error, IntegrationError):
                text = f"After {what} with status {status}, it raises {type(error).__name__}."
                yield CertificateFinding("check_authentication", text)
                return


def _denying(_: SeenRequest) -> Answer:
    return json_response({"error": "unauthorized"}, 401)


def _authentication(subject: Subject, script: Script | None) -> tuple[Exception | None, int]:
    partner = subject.partner(script)
    with subject.connect(partner) as connection, subject.capture():
        try:
            connection.check_authentication()
        except Exception as error:  # noqa: BLE001 - whatever a destination raises is looked at
            return error, len(partner.seen)
    return None, len(partner.seen)


def check_error_descriptions(subject: Subject) -> Findings:
    """Yield error responses that the hook `describe_error` cannot read."""
    if not subject.plugin.implements("describe_error"):
        return
    read: Callable[[httpx.Response], Any] = lambda response: subject.plugin.call(  # noqa: E731
        "describe_error", response=response
    )
    for what, body in BODIES.items():
        for status in (400, 404, 500):
            response = answer_with(status, body)
            response.request = httpx.Request("POST", "https://partner.example/v1/rows")
            try:
                found = read(response)
            except Exception as error:  # noqa: BLE001 - the same
                text = f"For {what} it raises {type(error).__name__}."
                yield CertificateFinding("describe_error", text)
                return
            if not _is_description(found):
                text = f"For {what} it returns {type(found).__name__}: two texts are expected."
                yield CertificateFinding("describe_error", text)
                return


def _is_description(found: object) -> bool:
    if found is None:
        return True
    if isinstance(found, ErrorDescription):
        return isinstance(found.code, str) and isinstance(found.text, str)
    return (
        isinstance(found, tuple)
        and len(found) == 2
        and all(isinstance(part, str) for part in found)
    )
