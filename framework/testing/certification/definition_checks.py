"""Checks of a definition: texts, defaults, secret settings and batching rules."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from framework.definition import Action, Field, Subscription, compile_shape
from framework.errors import FrameworkError
from framework.linting import check_subscription, model_from_spec, nearest_change
from framework.samples import EVERY_EVENT, make_audience_event, make_event, make_row_event
from framework.testing.certification.certificate import CertificateFinding
from framework.testing.certification.subject import Subject
from framework.triggers import parse

Findings = Iterator[CertificateFinding]

_UNMAPPED: Final = "AD511"
"""The code of required fields without a value; users map those without a default mapping."""

_UNFINISHED: Final = re.compile(r"\b(?:TODO|FIXME|XXX|TBD|lorem ipsum)\b", re.IGNORECASE)
_SECRET_NAME: Final = re.compile(
    r"secret|passw|passphrase|credential|private_?key|api_?key|access_?key|(?:^|_)token$",
    re.IGNORECASE,
)


def check_texts(subject: Subject) -> Findings:
    """Yield names, titles, labels and descriptions that are missing or unfinished."""
    definition = subject.definition
    yield from _text(definition.slug, "name", definition.name)
    yield from _text(definition.slug, "description", definition.description)
    yield from _field_texts("settings", definition.settings_fields)
    for action in definition.actions:
        yield from _text(action.slug, "title", action.title)
        yield from _text(action.slug, "description", action.description)
        yield from _field_texts(action.slug, action.fields)
    yield from _repeated(definition.slug, "title", [one.title for one in definition.actions])


def _field_texts(where: str, fields: Mapping[str, Field]) -> Findings:
    for key, entry in fields.items():
        place = f"{where}.{key}"
        yield from _text(place, "label", entry.label)
        yield from _text(place, "description", entry.description, warning=True)
        labels = [one.label or str(one.value) for one in entry.choices or ()]
        yield from _repeated(place, "choice", labels)
        if entry.properties:
            yield from _field_texts(place, entry.properties)
    shown = [entry.label for entry in fields.values() if not entry.hidden]
    yield from _repeated(where, "label", shown)


def _text(where: str, name: str, text: str, *, warning: bool = False) -> Findings:
    if not text.strip():
        yield CertificateFinding(where, f"It has no {name}.", warning)
    elif text != text.strip():
        yield CertificateFinding(where, f"White space around the {name}.")
    if found := _UNFINISHED.search(text):
        yield CertificateFinding(where, f"The {name} is unfinished: it says `{found[0]}`.")


def _repeated(where: str, name: str, texts: list[str]) -> Findings:
    for text, number in Counter(filter(None, texts)).items():
        if number > 1:
            message = f"{number} have the {name} `{text}`; users cannot tell them apart."
            yield CertificateFinding(where, message)


def check_defaults(subject: Subject) -> Findings:
    """Yield defaults that their own fields refuse, and triggers that no event matches."""
    for action in subject.definition.actions:
        yield from _default_values(action.slug, action.fields)
        if action.trigger is not None and not _matches_any(action.trigger):
            yield CertificateFinding(action.slug, "No event of the spec matches its trigger.")
        if action.batching and (problem := _body_problem(subject, action)):
            yield CertificateFinding(action.slug, problem)
        if problem := subject.why_not(action):
            yield CertificateFinding(action.slug, problem, warning=True)
    yield from _default_values("settings", subject.definition.settings_fields)


def _default_values(where: str, fields: Mapping[str, Field]) -> Findings:
    for key, entry in fields.items():
        if entry.default is None:
            continue
        _, problems = compile_shape({key: entry}).interpret({key: entry.default})
        for problem in problems:
            text = f"Its default is refused: {problem.code}."
            yield CertificateFinding(f"{where}.{key}", text)


def _matches_any(trigger: str) -> bool:
    tree = parse(trigger)
    samples = [make_event(), make_event("identify"), make_row_event("new")]
    samples += [make_audience_event(entered=True), make_audience_event(entered=False)]
    return any(nearest_change(tree, event) is not None for event in samples)


def _body_problem(subject: Subject, action: Action) -> str:
    if not subject.plugin.implements("sandbox") or action.batching is None:
        return ""
    limit = subject.sandbox().body_limit
    if limit is not None and action.batching.max_bytes > limit:
        return (
            f"`max_bytes` of Batching is {action.batching.max_bytes}, the partner reads at most "
            f"{limit} bytes."
        )
    return ""


def check_mappings(subject: Subject) -> Findings:
    """Yield default mappings that read what no event has; users map what has no default."""
    model = model_from_spec()
    for action in subject.definition.actions:
        trigger = action.trigger or EVERY_EVENT
        mapping = action.default_mapping
        subscription = Subscription(
            action=action.slug,
            trigger=trigger,
            mapping=mapping,
            mapping_version=action.mapping_version,
        )
        try:
            found = check_subscription(subject.definition, subscription, model)
        except FrameworkError as error:
            yield CertificateFinding(action.slug, str(error))
            continue
        for issue in found.issues:
            if issue.code == _UNMAPPED and not issue.place:
                continue
            place = ".".join((action.slug, *map(str, issue.place)))
            told = " ".join(filter(None, (issue.message, issue.hint)))
            if issue.severity in {"error", "warning"}:
                yield CertificateFinding(place, told, warning=issue.severity == "warning")


def check_secret_settings(subject: Subject) -> Findings:
    """Yield settings that look like secrets and are shown, and secrets with a default."""
    for key, entry in subject.definition.settings_fields.items():
        hidden = entry.secret or entry.type == "password"
        if entry.type in {"string", "text"} and not hidden and _SECRET_NAME.search(key):
            message = 'It looks like a secret, and is shown everywhere. Declare type="password".'
            yield CertificateFinding(f"settings.{key}", message)
        if hidden and entry.default is not None:
            yield CertificateFinding(f"settings.{key}", "A secret has no default.")


def check_batching(subject: Subject) -> Findings:
    """Yield batching rules that have no effect."""
    batched = subject.plugin.implements("perform_batch")
    if not batched:
        for action in subject.definition.actions:
            if action.batching is not None:
                message = "It declares Batching, but there is no hook `perform_batch`."
                yield CertificateFinding(action.slug, message, warning=True)
    elif not subject.plugin.implements("perform"):
        for action in subject.definition.actions:
            if action.batching is None:
                message = "There is only `perform_batch`, but the action declares no Batching."
                yield CertificateFinding(action.slug, message, warning=True)
