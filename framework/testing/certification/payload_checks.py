"""Checks of payloads: rules across fields, optional fields, merging and weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, islice, product
from typing import Final, TypeAlias

from framework.definition import Action, Field, FieldRule
from framework.linting import Change
from framework.testing.certification.certificate import CertificateFinding
from framework.testing.certification.row_checks import MANY, sampled, told
from framework.testing.certification.scripted_partner import ScriptedPartner
from framework.testing.certification.subject import Outcome, Subject

Findings = Iterator[CertificateFinding]

MOST_RULED: Final = 12
"""Fields of rules of which every combination is tried."""

MOST_SHAPES: Final = 24
ALLOWANCE: Final = 1.1
"""How much more than their weights rows may add to a request."""

_Ruled: TypeAlias = tuple[str, Mapping[str, Field], Sequence[FieldRule]]


def check_rules(subject: Subject) -> Findings:
    """Yield rules across fields that nothing meets, that have no effect, or that defaults break."""
    definition = subject.definition
    tables: list[_Ruled] = [
        ("settings", definition.settings_fields, definition.settings_rules),
        *((action.slug, action.fields, action.rules) for action in definition.actions),
    ]
    for where, fields, rules in tables:
        if not rules:
            continue
        allowed = list(_allowed(fields, rules))
        if not allowed and len(_ruled(rules)) <= MOST_RULED:
            yield CertificateFinding(where, "No values meet all of its rules.")
            continue
        for rule in rules:
            if all(rule.holds(one) for one in _possible(fields, rule)):
                text = f"{rule!r} has no effect: every value meets it."
                yield CertificateFinding(where, text, warning=True)
    for action in definition.actions:
        mapped = _filled(action)
        for rule in action.rules:
            if not rule.holds([key in mapped for key in rule.keys]):
                text = f"The default mapping does not meet a rule: {rule.text}"
                yield CertificateFinding(action.slug, text)


def _filled(action: Action) -> set[str]:
    """Return the fields that have a value if an event has everything that the mapping reads."""
    defaults = {key for key, entry in action.fields.items() if entry.default is not None}
    return {*action.default_mapping, *defaults}


def _ruled(rules: Sequence[FieldRule]) -> list[str]:
    return list(dict.fromkeys(key for rule in rules for key in rule.keys))


def _possible(fields: Mapping[str, Field], rule: FieldRule) -> Iterator[list[bool]]:
    ways = [(True,) if fields[key].required is True else (True, False) for key in rule.keys]
    return (list(one) for one in product(*ways))


def _allowed(fields: Mapping[str, Field], rules: Sequence[FieldRule]) -> Iterator[set[str]]:
    """Yield the sets of fields, among those of rules, that all rules allow; small ones first."""
    keys = _ruled(rules)
    if len(keys) > MOST_RULED:
        return
    needed = {key for key in keys if fields[key].required is True}
    for number in range(len(keys) + 1):
        for chosen in combinations(keys, number):
            present = set(chosen)
            if needed <= present and all(
                rule.holds([key in present for key in rule.keys]) for rule in rules
            ):
                yield present


def check_optional(subject: Subject) -> Findings:
    """Yield payloads without optional values, which hooks stumble over."""
    for action in sampled(subject):
        events = subject.events(action, 2)
        seen: set[str] = set()
        for blank in islice(_blanks(subject, action), MOST_SHAPES):
            for failed in subject.deliver(action, events, blank=blank).defects:
                if failed.code not in seen:
                    seen.add(failed.code)
                    names = ", ".join(f"`{key}`" for key in sorted(blank))
                    text = f"Without {names}, which the fields allow, an event is {told(failed)}."
                    yield CertificateFinding(action.slug, text)
    yield from _optional_settings(subject)


def _blanks(subject: Subject, action: Action) -> Iterator[set[str]]:
    """Yield sets of fields that a payload need not have: all at once, each alone, by the rules."""
    optional = {
        key
        for key in subject.mapping(action)
        if key in action.fields and action.fields[key].required is False
    }
    ruled = set(_ruled(action.rules))
    free = optional - ruled
    for present in _allowed(action.fields, action.rules) if ruled else [set[str]()]:
        yield from (one for one in ([free | (ruled & optional) - present]) if one)
    if len(free) > 1:
        yield from ({key} for key in sorted(free))


def _optional_settings(subject: Subject) -> Findings:
    """Yield what goes wrong with the required settings alone."""
    fields, rules = subject.definition.settings_fields, subject.definition.settings_rules
    optional = {key for key in subject.settings if key in fields and fields[key].required is False}
    ruled = set(_ruled(rules))
    kept = next(_allowed(fields, rules), set()) if ruled else set()
    blank = {key for key in optional if key not in kept}
    if not blank:
        return
    settings = {key: value for key, value in subject.settings.items() if key not in blank}
    for action in sampled(subject):
        outcome = subject.deliver(action, subject.events(action, 1), settings=settings)
        for failed in outcome.defects:
            names = ", ".join(f"`{key}`" for key in sorted(blank))
            text = f"Without {names}, which the fields allow, an event is {told(failed)}."
            yield CertificateFinding("settings", text)
            return


def check_merging(subject: Subject) -> Findings:
    """Yield values of merged payloads that are in no request, and payloads that do not merge."""
    for action in sampled(subject):
        rules = action.batching
        if rules is not None and rules.coalesce == "merge":
            yield from _merged(subject, action)


def _merged(subject: Subject, action: Action) -> Findings:
    event, other = subject.events(action, 1)[0], subject.events(action, 1, start=700)[0]
    for key, (entry, path) in subject.fields_with_path(action).items():
        if entry.required is not False:
            continue
        without = Change(path, None).apply(event)
        older = Change(path, path.get(other)).apply(event)
        outcomes = [subject.deliver(action, one) for one in ([older], [without], [older, without])]
        alone, bare, both = outcomes
        for failed in both.defects:
            text = f"A payload without it is {told(failed)} when it is merged."
            yield CertificateFinding(f"{action.slug}.{key}", text)
        merges = alone.identifiers == bare.identifiers and alone.effects != bare.effects
        if merges and alone.all_delivered and len(both.effects) == len(bare.effects):
            value = str(path.get(other))
            if _says(alone, value) and not _says(both, value):
                text = "Its value is lost if a newer payload, which has none, is merged with it."
                yield CertificateFinding(f"{action.slug}.{key}", text, warning=True)


def _says(outcome: Outcome, text: str) -> bool:
    return any(text.encode() in seen.body or text in seen.url for seen in outcome.partner.calls)


def check_weights(subject: Subject) -> Findings:
    """Yield weights that are less than what rows add to a request."""
    for action in sampled(subject):
        rules = action.batching
        if rules is None or rules.weigh is None:
            continue
        many = min(MANY, rules.max_size)
        one = subject.deliver(action, subject.events(action, 1))
        outcome = subject.deliver(action, subject.events(action, many))
        bodies = [_largest(found.partner) for found in (one, outcome)]
        if not outcome.all_delivered or len(outcome.effects) != len(one.effects):
            continue
        weights = _weights(subject, action, many)
        added = bodies[1] - bodies[0]
        if added > sum(weights[1:]) * ALLOWANCE:
            text = (
                f"`weigh` returns {sum(weights[1:])} bytes for {many - 1} payloads, which add "
                f"{added} bytes to a request. Requests exceed `max_bytes`."
            )
            yield CertificateFinding(action.slug, text)


def _largest(partner: ScriptedPartner) -> int:
    return max((len(seen.body) for seen in partner.calls), default=0)


def _weights(subject: Subject, action: Action, number: int) -> list[int]:
    """Return what the function weighs for the payloads of events."""
    assert action.batching is not None
    assert action.batching.weigh is not None
    outcome = subject.deliver(action, subject.events(action, number))
    shaped = [dict(item.payload or {}) for item in outcome.report.items]
    kind = action.payload
    made = map(kind.build, shaped) if isinstance(kind, type) else shaped
    return [action.batching.weigh(one) for one in made]
