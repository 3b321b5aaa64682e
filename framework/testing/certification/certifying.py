"""Certifying a destination: all checks in order, each within a time limit."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from framework.errors import UnknownNameError
from framework.plugins import Plugin, load_plugins, open_plugin
from framework.testing.certification import (
    conduct_checks,
    definition_checks,
    failure_checks,
    migration_checks,
    row_checks,
)
from framework.testing.certification.certificate import (
    Certificate,
    CertificateCheck,
    CertificateFinding,
    CheckVerdict,
)
from framework.testing.certification.subject import Subject, shown

TOTAL: Final = 55.0
"""Seconds that a certification may take."""

Run = Callable[[Subject], Iterator[CertificateFinding]]


def _always(_: Subject) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class _Check:
    name: str
    promises: str
    run: Run
    applies: Callable[[Subject], bool] = _always


def _calls(subject: Subject) -> bool:
    return subject.definition.transport == "http"


def _implements(hook: str) -> Callable[[Subject], bool]:
    return lambda subject: subject.plugin.implements(hook) and _calls(subject)


def _has_choices(subject: Subject) -> bool:
    definition = subject.definition
    hooks = [hook for action in definition.actions for hook in action.hooks]
    dynamic = [action.dynamic for action in definition.actions] + [one.dynamic for one in hooks]
    return _calls(subject) and bool(definition.dynamic_settings or any(dynamic))


def _has_hooks(subject: Subject) -> bool:
    return _calls(subject) and any(action.hooks for action in subject.definition.actions)


def _has_migrations(subject: Subject) -> bool:
    return any(action.migrations for action in subject.definition.actions)


_CHECKS: Final = (
    _Check("texts", "everything is named and described", definition_checks.check_texts),
    _Check("defaults", "defaults are valid, triggers match", definition_checks.check_defaults),
    _Check("mappings", "default mappings read what events have", definition_checks.check_mappings),
    _Check("secret settings", "secrets are declared", definition_checks.check_secret_settings),
    _Check("batching", "batching rules have an effect", definition_checks.check_batching),
    _Check(
        "migrations",
        "older mappings become valid ones, once",
        migration_checks.check_migrations,
        _has_migrations,
    ),
    _Check("speed", "hooks do not block", conduct_checks.check_speed, _calls),
    _Check("generated events", "events are delivered", row_checks.check_generated, _calls),
    _Check("dry run", "only `client` reaches the network", conduct_checks.check_dry_run, _calls),
    _Check("empty batch", "no events, no requests", row_checks.check_empty, _calls),
    _Check("alignment", "a bad row concerns no other", row_checks.check_alignment, _calls),
    _Check("unusual values", "no value is a surprise", row_checks.check_defects, _calls),
    _Check("sent", "what is delivered was sent", row_checks.check_sent, _calls),
    _Check("fields", "mapped fields are sent", row_checks.check_fields, _calls),
    _Check("repetition", "a repetition is the same", row_checks.check_repetition, _calls),
    _Check("coalescing", "no row is lost", row_checks.check_coalescing, _calls),
    _Check("events", "events are left unchanged", row_checks.check_untouched, _calls),
    _Check(
        "retry classes",
        "permanent and temporary failures are told apart",
        failure_checks.check_retry_classes,
        _calls,
    ),
    _Check(
        "lost connections",
        "requests without an answer are retryable",
        failure_checks.check_lost_connections,
        _calls,
    ),
    _Check(
        "hostile answers",
        "no answer is a surprise",
        failure_checks.check_hostile_answers,
        _calls,
    ),
    _Check("answers", "answers are read", failure_checks.check_answers_read, _calls),
    _Check("tokens", "tokens are reused and renewed", failure_checks.check_tokens, _calls),
    _Check(
        "refused access",
        "refused credentials halt the connection",
        failure_checks.check_refused_access,
        _calls,
    ),
    _Check("signed in", "secrets are used", failure_checks.check_secrets_used, _calls),
    _Check(
        "authentication",
        "wrong credentials are noticed",
        failure_checks.check_authentication,
        _calls,
    ),
    _Check(
        "error descriptions",
        "every error response can be read",
        failure_checks.check_error_descriptions,
        _implements("describe_error"),
    ),
    _Check("outputs", "no secret is written", conduct_checks.check_outputs, _calls),
    _Check("process", "the process is left alone", conduct_checks.check_process, _calls),
    _Check("deletion", "users are deleted", row_checks.check_deletion, _implements("delete_users")),
    _Check(
        "failing deletion",
        "no deletion is reported by mistake",
        conduct_checks.check_failing_deletion,
        _implements("delete_users"),
    ),
    _Check("choices", "dynamic fields answer", conduct_checks.check_choices, _has_choices),
    _Check("hooks", "hooks of mappings run", conduct_checks.check_mapping_hooks, _has_hooks),
)


def certify(
    destination: Any,
    settings: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    patience: float = 25.0,
    only: Collection[str] = (),
) -> Certificate:
    """Check a destination against the contract, and return the certificate.

    *destination* is a plugin's module, a Plugin, or the slug of an installed one. It is tried with
    its sandbox, which accepts *settings* or provides its own; without a sandbox, with a partner
    that accepts everything. *seed* selects the generated events. A check that takes longer than
    *patience* seconds fails, and those that call hooks are not run any more. *only* names checks
    to run, by default all.
    Raises DefinitionError for an invalid plugin, UnknownNameError for an unknown slug or check.
    """
    known = [check.name for check in _CHECKS]
    for name in only:
        if name not in known:
            raise UnknownNameError.of("check", name, known)
    subject = Subject(_plugin(destination), settings, seed)
    end = time.monotonic() + TOTAL
    stuck = False
    found: list[CertificateCheck] = []
    for check in (one for one in _CHECKS if not only or one.name in only):
        calls = check.applies is not _always
        if calls and stuck:
            found.append(CertificateCheck(check.name, check.promises, "not run"))
            continue
        allowed = min(patience, max(0.1, end - time.monotonic()))
        done = _run(check, subject, allowed)
        stuck = stuck or done is None
        found.append(done or _late(check, allowed))
    return Certificate(subject.definition.slug, tuple(found))


def _run(check: _Check, subject: Subject, seconds: float) -> CertificateCheck | None:
    """Return the check's result; None if it does not end in time."""
    if not check.applies(subject):
        return CertificateCheck(check.name, check.promises, "not applicable")
    findings: list[CertificateFinding] = []
    begun = time.monotonic()
    outputs = sys.stdout, sys.stderr
    thread = threading.Thread(target=_collect, args=(check, subject, findings), daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        subject.abandoned = True
        sys.stdout, sys.stderr = outputs
        return None
    took = time.monotonic() - begun
    unique = tuple(dict.fromkeys(findings))
    return CertificateCheck(check.name, check.promises, _verdict(unique), unique, took)


def _collect(check: _Check, subject: Subject, findings: list[CertificateFinding]) -> None:
    try:
        findings.extend(check.run(subject))
    except Exception as error:  # noqa: BLE001 - whatever a destination raises is a finding
        text = f"It raises {type(error).__name__}: {shown(error)}"
        findings.append(CertificateFinding(subject.definition.slug, text))


def _verdict(findings: Sequence[CertificateFinding]) -> CheckVerdict:
    if any(not finding.warning for finding in findings):
        return "failed"
    return "warned" if findings else "passed"


def _late(check: _Check, seconds: float) -> CertificateCheck:
    text = f"The check did not end within {seconds:.0f} s: does a hook block or loop?"
    finding = CertificateFinding(check.name, text)
    return CertificateCheck(check.name, check.promises, "failed", (finding,), seconds)


def _plugin(destination: Any) -> Plugin:
    if isinstance(destination, Plugin):
        return destination
    if isinstance(destination, str):
        return load_plugins(slug=destination).get(destination)
    return open_plugin(destination)
