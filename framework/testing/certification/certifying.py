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
    audience_checks,
    conduct_checks,
    definition_checks,
    deletion_checks,
    failure_checks,
    job_checks,
    migration_checks,
    payload_checks,
    resource_checks,
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


def _by_client(subject: Subject) -> bool:
    return subject.definition.transport == "http"


def _by_resource(subject: Subject) -> bool:
    return subject.definition.transport == "other"


def _sends(subject: Subject) -> bool:
    return _by_client(subject) or subject.has_resource


def _deletes(subject: Subject) -> bool:
    return subject.plugin.implements("delete_users") and _sends(subject)


def _describes_errors(subject: Subject) -> bool:
    return subject.plugin.implements("describe_error") and _by_client(subject)


def _has_choices(subject: Subject) -> bool:
    definition = subject.definition
    hooks = [hook for action in definition.actions for hook in action.hooks]
    dynamic = [action.dynamic for action in definition.actions] + [one.dynamic for one in hooks]
    return _by_client(subject) and bool(definition.dynamic_settings or any(dynamic))


def _has_hooks(subject: Subject) -> bool:
    return _by_client(subject) and any(action.hooks for action in subject.definition.actions)


def _has_jobs(subject: Subject) -> bool:
    return _by_client(subject) and any(action.poll for action in subject.definition.actions)


def _has_audiences(subject: Subject) -> bool:
    return _by_client(subject) and subject.definition.audience is not None


def _previews(subject: Subject) -> bool:
    return _by_resource(subject) and subject.has_resource


def _merges(subject: Subject) -> bool:
    rules = (action.batching for action in subject.definition.actions)
    return _sends(subject) and any(one is not None and one.coalesce == "merge" for one in rules)


def _weighs(subject: Subject) -> bool:
    rules = (action.batching for action in subject.definition.actions)
    return _sends(subject) and any(one is not None and one.weigh is not None for one in rules)


def _has_rules(subject: Subject) -> bool:
    definition = subject.definition
    return bool(definition.settings_rules or any(action.rules for action in definition.actions))


def _plain(*checks: tuple[str, str, Run]) -> tuple[_Check, ...]:
    """Return checks that call no hook."""
    return tuple(_Check(*one) for one in checks)


def _if(applies: Callable[[Subject], bool], *checks: tuple[str, str, Run]) -> tuple[_Check, ...]:
    """Return checks that call hooks, for the destinations to which they apply."""
    return tuple(_Check(*one, applies) for one in checks)


def _has_migrations(subject: Subject) -> bool:
    return any(action.migrations for action in subject.definition.actions)


_CHECKS: Final = (
    *_plain(
        ("texts", "everything is named and described", definition_checks.check_texts),
        ("defaults", "defaults are valid, triggers match", definition_checks.check_defaults),
        ("mappings", "default mappings read what events have", definition_checks.check_mappings),
        ("secret settings", "secrets are declared", definition_checks.check_secret_settings),
        ("batching", "batching rules have an effect", definition_checks.check_batching),
    ),
    *_if(
        _has_migrations,
        (
            "migrations",
            "older mappings become valid ones, once",
            migration_checks.check_migrations,
        ),
    ),
    *_if(_has_rules, ("rules", "rules can be met", payload_checks.check_rules)),
    *_if(
        _sends,
        ("speed", "hooks do not block", conduct_checks.check_speed),
        ("generated events", "events are delivered", row_checks.check_generated),
        ("dry run", "only `client` reaches the network", conduct_checks.check_dry_run),
        ("empty batch", "no events, no requests", row_checks.check_empty),
        ("alignment", "a bad row concerns no other", row_checks.check_alignment),
        ("unusual values", "no value is a surprise", row_checks.check_defects),
        ("optional values", "no missing value is a surprise", payload_checks.check_optional),
        ("sent", "what is delivered was sent", row_checks.check_sent),
        ("fields", "mapped fields are sent", row_checks.check_fields),
        ("repetition", "a repetition is the same", row_checks.check_repetition),
        ("coalescing", "no row is lost", row_checks.check_coalescing),
        ("events", "events are left unchanged", row_checks.check_untouched),
        ("members", "audiences change as events say", audience_checks.check_members),
    ),
    *_if(_merges, ("merging", "payloads are merged", payload_checks.check_merging)),
    *_if(_weighs, ("weights", "requests are no larger than weighed", payload_checks.check_weights)),
    *_if(
        _by_client,
        (
            "retry classes",
            "permanent and temporary failures are told apart",
            failure_checks.check_retry_classes,
        ),
    ),
    *_if(
        _sends,
        (
            "lost connections",
            "requests without an answer are retryable",
            failure_checks.check_lost_connections,
        ),
    ),
    *_if(
        _by_client,
        ("hostile answers", "no answer is a surprise", failure_checks.check_hostile_answers),
        ("answers", "answers are read", failure_checks.check_answers_read),
        ("tokens", "tokens are reused and renewed", failure_checks.check_tokens),
        (
            "refused access",
            "refused credentials halt the connection",
            failure_checks.check_refused_access,
        ),
        ("signed in", "secrets are used", failure_checks.check_secrets_used),
        ("authentication", "wrong credentials are noticed", failure_checks.check_authentication),
    ),
    *_if(
        _describes_errors,
        (
            "error descriptions",
            "every error response can be read",
            failure_checks.check_error_descriptions,
        ),
    ),
    *_if(
        _sends,
        ("outputs", "no secret is written", conduct_checks.check_outputs),
        ("process", "the process is left alone", conduct_checks.check_process),
    ),
    *_if(
        _deletes,
        ("deletion", "users are deleted", deletion_checks.check_deletion),
        (
            "failing deletion",
            "no deletion is reported by mistake",
            deletion_checks.check_failing_deletion,
        ),
    ),
    *_if(_has_choices, ("choices", "dynamic fields answer", conduct_checks.check_choices)),
    *_if(_has_hooks, ("hooks", "hooks of mappings run", conduct_checks.check_mapping_hooks)),
    *_if(
        _has_audiences,
        ("audiences", "audiences are created and found", audience_checks.check_audiences),
    ),
    *_if(_has_jobs, ("jobs", "jobs are submitted once, and end", job_checks.check_jobs)),
    *_if(
        _by_resource,
        ("resource", "a resource is opened once", resource_checks.check_resources),
    ),
    *_if(_previews, ("previews", "dry runs show what is sent", resource_checks.check_previews)),
)


CHECK_NAMES: Final = tuple(check.name for check in _CHECKS)
"""The names of the checks, in the order in which they are run."""


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
    for name in only:
        if name not in CHECK_NAMES:
            raise UnknownNameError.of("check", name, CHECK_NAMES)
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
