"""Checks of conduct: what is written, how long it takes, what else is touched; dynamic parts."""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
from collections.abc import Iterator
from typing import Any, Final

import httpx

from framework.definition import Action, MappingHook, fields_of
from framework.delivery import ChoicesQuery, Connection
from framework.errors import FrameworkError, IntegrationError
from framework.results import Failed
from framework.samples import generate_payload
from framework.testing.certification.certificate import CertificateFinding
from framework.testing.certification.row_checks import sampled
from framework.testing.certification.scripted_partner import Answer, SeenRequest
from framework.testing.certification.subject import (
    Outcome,
    Subject,
    every_text,
    failing_from,
    json_response,
    shown,
)

Findings = Iterator[CertificateFinding]

SLOW: Final = 0.4
"""Seconds that a delivery may take although the partner answers at once."""

TRIES: Final = 6
"""Slow deliveries after which an action counts as slow: other work may delay some."""

MOST_PAGES: Final = 50

_PAST_RESOURCE: Final = (
    "It reaches the outside by other means than its resource. Open them in the hook "
    "`open_resource`, so that a sandbox can replace them."
)


def check_speed(subject: Subject) -> Findings:
    """Yield actions that take long although the partner answers at once."""
    for action in sampled(subject):
        events = subject.events(action, 2)
        for place, status in (("", 200), (" that fails", 503)):
            script = None if status == 200 else failing_from(1, status)
            if _seconds(subject, action, events, script) > SLOW:
                text = (
                    f"A delivery{place} takes longer than {SLOW} s although the partner answers at "
                    "once. Wait with `clock.sleep`, or leave the retry to the framework."
                )
                yield CertificateFinding(action.slug, text)
                break


def _seconds(subject: Subject, action: Action, events: Any, script: Any) -> float:
    """Return the shortest time of up to TRIES deliveries."""
    best = float("inf")
    for _ in range(TRIES):
        best = min(best, subject.deliver(action, events, script).seconds)
        if best < SLOW:
            break
    return best


def check_dry_run(subject: Subject) -> Findings:
    """Yield actions that reach the network by other means than `client` or the resource."""
    for action in sampled(subject):
        for result in subject.baseline(action).results:
            if isinstance(result, Failed) and result.code == "DRY_RUN_NETWORK":
                other = subject.definition.transport == "other"
                text = _PAST_RESOURCE if other else result.message
                yield CertificateFinding(action.slug, text)
                break


def check_outputs(subject: Subject) -> Findings:
    """Yield secrets in results, reports, messages and state; personal data in own outputs."""
    for action in sampled(subject):
        events = subject.events(action, 2)
        for script in (None, _echo, failing_from(1, 503)):
            outcome = subject.deliver(action, events, script)
            secrets = {*subject.secrets, *_tokens(outcome)}
            for where, text in _written(outcome):
                if any(secret in text for secret in secrets):
                    yield CertificateFinding(action.slug, f"A secret is in {where}.")
                    return
            people = {text for event in events for text in _people(subject, action, event)}
            if any(text in outcome.captured.text for text in people):
                text = (
                    "It prints or logs values of events. Use the argument `logger`, without them."
                )
                yield CertificateFinding(action.slug, text)
                return
    yield from _sandbox_outputs(subject)


def _written(outcome: Outcome) -> Iterator[tuple[str, str]]:
    results = [one.to_json() for one in outcome.results if one is not None]
    yield "a result", json.dumps(results, default=str)
    yield "the report", json.dumps(outcome.report.to_json(), default=str)
    yield "what it prints or logs", outcome.captured.text


def _tokens(outcome: Outcome) -> set[str]:
    answers = (seen.answer for seen in outcome.partner.token_requests)
    found = (answer.get(key) for answer in answers for key in ("access_token", "refresh_token"))
    return {text for text in found if isinstance(text, str) and len(text) >= 4}


def _people(subject: Subject, action: Action, event: Any) -> Iterator[str]:
    for _, path in subject.fields_with_path(action).values():
        yield from every_text(path.get(event))


def _echo(seen: SeenRequest) -> Answer:
    """Answer with an error that repeats all of the request."""
    if seen.is_for_token:
        return None
    said = f"{dict(seen.headers)} {seen.body[:2000].decode('utf-8', 'replace')}"
    return json_response({"error": {"code": "ECHO", "message": said}, "message": said}, 400)


def _sandbox_outputs(subject: Subject) -> Findings:
    if not subject.plugin.implements("sandbox"):
        text = "There is no such hook, so users cannot try the destination without an account."
        yield CertificateFinding("sandbox", text, warning=True)
        return
    sandbox = subject.sandbox()
    texts = [json.dumps(sandbox.state(detail), default=str) for detail in ("counts", "members")]
    texts.append(repr(sandbox.panels()))
    if any(secret in text for secret in subject.secrets for text in texts):
        yield CertificateFinding("sandbox", "A secret is in its state or on its page.")


def check_process(subject: Subject) -> Findings:
    """Yield what hooks change in the process that runs them."""
    before = _process()
    for action in sampled(subject):
        subject.deliver(action, subject.events(action, 1))
    for name, value in _process().items():
        if before[name] != value:
            yield CertificateFinding("process", f"A delivery changes {name} of the process.")


def _process() -> dict[str, Any]:
    root = logging.getLogger()
    return {
        "the working directory": os.getcwd(),  # noqa: PTH109 - as the process has it
        "environment variables": dict(os.environ),
        "the handlers of the root logger": list(root.handlers),
        "the level of the root logger": root.level,
        "the import path": list(sys.path),
        "the default timeout of sockets": socket.getdefaulttimeout(),
        "the limit of recursion": sys.getrecursionlimit(),
    }


def check_choices(subject: Subject) -> Findings:
    """Yield dynamic fields that do not answer, or not in pages that end."""
    definition = subject.definition
    places = [(None, place, None) for place in definition.dynamic_settings]
    asked: list[tuple[str | None, str, str | None]] = [*places]
    for action in definition.actions:
        asked += [(action.slug, place, None) for place in action.dynamic]
        for hook in action.hooks:
            asked += [(action.slug, place, hook.kind) for place in hook.dynamic]
    for slug, place, kind in asked:
        where = f"{slug or 'settings'}.{place}"
        yield from _pages(subject, where, (slug, place, kind))
        yield from _failing_choices(subject, where, (slug, place, kind))


def _pages(subject: Subject, where: str, asked: tuple[str | None, str, str | None]) -> Findings:
    slug, place, kind = asked
    seen: set[str | None] = set()
    page: str | None = None
    with subject.connect(subject.partner()) as connection, subject.capture():
        for _ in range(MOST_PAGES):
            query = ChoicesQuery(payload={}, page=page, search=None)
            found = connection.choices(slug, place, query, hook=kind)
            if found.error is not None:
                text = f"It does not answer: {found.error.code}: {shown(found.error.message)}"
                yield CertificateFinding(where, text)
                return
            labels = [one.label or str(one.value) for one in found.choices]
            if not all(label.strip() for label in labels):
                yield CertificateFinding(where, "A choice has neither label nor value.")
            page = found.next_page
            if page is None:
                return
            if page in seen:
                break
            seen.add(page)
    yield CertificateFinding(where, "Its pages do not end: `next_page` repeats itself.")


def _failing_choices(
    subject: Subject, where: str, asked: tuple[str | None, str, str | None]
) -> Findings:
    slug, place, kind = asked
    page = httpx.Response(200, content=b"<html>", headers={"Content-Type": "text/html"})
    scripts = {"500": failing_from(1, 500), "a web page": _every(page), "a list": _every([1])}
    for what, script in scripts.items():
        partner = subject.partner(script)
        with subject.connect(partner) as connection, subject.capture():
            found = connection.choices(slug, place, hook=kind)
        if found.error is not None and found.error.code in {"INTERNAL_ERROR", "CHOICES_TYPE"}:
            text = f"After {what}, it fails with {found.error.code}: {shown(found.error.message)}"
            yield CertificateFinding(where, text)
            return
        if found.error is None and what == "500" and partner.calls:
            yield CertificateFinding(where, "A failure of the partner looks like no choices.")
            return


def _every(answer: Any) -> Any:
    response = answer if isinstance(answer, httpx.Response) else json_response(answer)
    return lambda seen: None if seen.is_for_token else response


def check_mapping_hooks(subject: Subject) -> Findings:
    """Yield hooks of mappings that do not run, or fail in another way than they may."""
    for action in subject.definition.actions:
        for hook in action.hooks:
            yield from _mapping_hook(subject, action, hook)


def _mapping_hook(subject: Subject, action: Action, hook: MappingHook) -> Findings:
    where = f"{action.slug}.{hook.kind}"
    inputs = generate_payload(fields_of(hook.inputs), subject.seed)
    for script in (None, failing_from(1, 500), _every([1])):
        partner = subject.partner(script)
        with subject.connect(partner) as connection, subject.capture():
            problem = _save(connection, action, hook, inputs)
        asked = script is not None and bool(partner.calls)
        if script is None and problem is not None:
            yield CertificateFinding(where, f"It fails: {shown(problem)}")
            return
        if asked and problem is None and script is not None:
            yield CertificateFinding(where, "It succeeds although the partner fails.")
            return
        if isinstance(problem, IntegrationError):
            if problem.code in {"INTERNAL_ERROR", "HOOK_OUTPUT"} and script is not None:
                yield CertificateFinding(where, f"It fails by mistake: {shown(problem)}")
                return
        elif problem is not None:
            yield CertificateFinding(where, f"It raises {type(problem).__name__}.")
            return


def _save(
    connection: Connection, action: Action, hook: MappingHook, inputs: dict[str, Any]
) -> Exception | None:
    try:
        connection.save_mapping(action.slug, hook.kind, inputs)
    except (FrameworkError, Exception) as error:  # noqa: BLE001 - whatever it raises is looked at
        return error
    return None
