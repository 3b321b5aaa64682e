"""Checks of subscriptions: trigger, mapping and opposite subscriptions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from framework.config import Severity
from framework.definition import (
    MATCHING_KEY,
    SYNC_MODE_KEY,
    Action,
    Conditions,
    Destination,
    Field,
    Problem,
    Subscription,
    requirement_text,
)
from framework.errors import MappingError
from framework.linting.event_models import EventModel
from framework.linting.fit import UNKNOWN, Mismatch, fit, is_always_empty, may_be_empty
from framework.linting.inference import infer
from framework.linting.issues import (
    INCOMPLETE,
    DocumentPath,
    Issue,
    incomplete_check,
    suggestion,
)
from framework.linting.mapping_rules import (
    EffectiveMapping,
    check_batching,
    check_hashes,
    check_rules,
    effective_mapping,
    is_computed,
)
from framework.linting.nested_checks import check_keys, check_texts
from framework.linting.trigger_rules import (
    CheckedTrigger,
    check_trigger,
    exclude_by_texts,
    find_gap,
    find_overlap,
    shown_event,
)
from framework.linting.type_scopes import TypeScope
from framework.linting.value_types import NOTHING, Type, type_of
from framework.linting.work_budget import BudgetExhausted, WorkBudget
from framework.mapping import (
    DIRECTIVES,
    ROOT_DIRECTIVE,
    check_mapping_shape,
    compile_mapping,
    mapping_faults,
)
from framework.paths import JSON, MISSING, Path
from framework.triggers import parse

_END = re.compile(r"[/` ]|\Z")
_UNKNOWN_DIRECTIVE = "has an invalid directive: "
_OF_DIRECTIVES = frozenset({"AD105", "AD501", "AD502", "AD504", "AD505"})
_OPPOSITES = (
    ("add", "remove"), ("add", "delete"), ("create", "delete"), ("subscribe", "unsubscribe"),
    ("enter", "exit"), ("suppress", "unsuppress"), ("follow", "unfollow"),
)  # fmt: skip


@dataclass(frozen=True)
class CheckResult:
    """The *issues* of a subscription, and whether it *cannot_fail*.

    If it cannot fail, mapping and shape accept every event of the model that matches the trigger,
    size limits aside.
    """

    issues: tuple[Issue, ...]
    cannot_fail: bool


def check_subscription(
    destination: Destination,
    subscription: Subscription,
    model: EventModel,
    budget: WorkBudget | None = None,
) -> CheckResult:
    """Check one subscription of a destination; its action must exist.

    The subscriptions of a file share one *budget*. If it is exhausted, an issue says what is not
    checked.
    """
    budget = budget or WorkBudget()
    action = destination.action(subscription.action)
    text = subscription.trigger if subscription.trigger is not None else action.trigger
    issues: list[Issue] = []
    if text is None:
        message = f"The trigger is missing: action `{action.slug}` has no default trigger."
        issues.append(Issue("AD403", "error", "action", message, "Set `subscribe`."))
        triggered = CheckedTrigger(None, model, ())
    else:
        triggered = check_trigger(text, model, budget)
        issues += triggered.issues if subscription.trigger is not None else ()
    known = triggered.model.knowing(_words(action))
    mapped = check_mapping(action, subscription.mapping, known, budget)
    whole = (*issues, *mapped.issues)
    blocked = any(issue.severity == "error" for issue in whole)
    return CheckResult(whole, mapped.cannot_fail and not blocked)


def check_mapping(
    action: Action, own: Mapping[str, JSON], model: EventModel, budget: WorkBudget | None = None
) -> CheckResult:
    """Check the mapping of a subscription against the fields of its action."""
    issues: list[Issue] = []
    try:
        safe = _check_mapping(effective_mapping(action, own), model, budget or WorkBudget(), issues)
    except BudgetExhausted:
        issues += _unreadable(action, own, issues)
        issues.append(incomplete_check("mapping"))
        safe = False
    return CheckResult(tuple(issues), safe)


def check_directives(
    own: Mapping[str, JSON], model: EventModel, budget: WorkBudget
) -> Iterator[Issue]:
    """Yield what is wrong with the directives and paths of a mapping, whatever its action."""
    fields = {key: Field() for key in own if not key.startswith("@")}
    action = Action(slug="any", title="Any action", payload=fields)
    for issue in check_mapping(action, own, model, budget).issues:
        if issue.code in _OF_DIRECTIVES:
            yield issue


def _unreadable(action: Action, own: Mapping[str, JSON], found: list[Issue]) -> Iterator[Issue]:
    """Yield what keeps a mapping from being compiled, unless errors are found already."""
    if not any(issue.severity == "error" for issue in found):
        effective = effective_mapping(action, own)
        for problem in check_mapping_shape(dict(effective.mapping)):
            yield effective.issue("AD501", "error", tuple(own)[:1], problem)


def _check_mapping(
    effective: EffectiveMapping, model: EventModel, budget: WorkBudget, issues: list[Issue]
) -> bool:
    """Collect the issues of a mapping; return whether it cannot fail."""
    issues += check_keys(effective, budget)
    if any(issue.code == "AD501" for issue in issues):
        return False
    issues += _check_sync_mode(effective)
    issues += _check_matching_key(effective)
    issues += check_texts(effective, budget)
    budget.compile(dict(effective.mapping))
    if ROOT_DIRECTIVE in effective.mapping:
        whole = mapping_faults(dict(effective.mapping))
        issues += [effective.issue("AD501", "error", (ROOT_DIRECTIVE,), text) for text in whole]
        return False
    broken = set[str]()
    for key in effective.mapping:
        wrong = list(_check_shape(effective, key, budget))
        issues += wrong
        broken |= {key} if wrong else set()
    safe = not broken
    for key, field in effective.action.fields.items():
        if key not in broken:
            found, mismatches = _check_field(effective, key, field, model, budget)
            issues += mismatches
            safe = safe and found
    issues += check_rules(effective)
    issues += check_batching(effective, budget)
    issues += check_hashes(effective)
    return safe


def check_exclusion(
    destination: Destination,
    subscriptions: Sequence[Subscription],
    triggers: Mapping[int, str],
    budget: WorkBudget | None = None,
) -> Iterator[tuple[int, Issue]]:
    """Find events that two opposite subscriptions both match, or that neither of them matches.

    *triggers* maps the index of a subscription to the text of its trigger, if it parses. Yields
    each issue with the index of the later subscription of the pair. If the *budget* is exhausted,
    the last issue says so.
    """
    budget = budget or WorkBudget()
    for later, text in triggers.items():
        for earlier, other in triggers.items():
            one, two = subscriptions[earlier], subscriptions[later]
            if earlier < later and _are_opposite(destination, one.action, two.action):
                try:
                    found = list(_compare(one, other, text, budget))
                except BudgetExhausted:
                    message = f"{INCOMPLETE} The remaining opposite subscriptions are not compared."
                    yield (
                        later,
                        _about_trigger("AD105", "warning", message, "Split the file.", text),
                    )
                    return
                yield from ((later, issue) for issue in found)


def _compare(earlier: Subscription, other: str, text: str, budget: WorkBudget) -> Iterator[Issue]:
    budget.spend(20)
    one, two = parse(other), parse(text)
    if exclude_by_texts(one, two, budget):
        return
    overlap = find_overlap(one, two, budget)
    if overlap is not None:
        message = f'An event can match both this subscription and "{earlier.name}", its opposite.'
        yield _about_trigger("AD417", "warning", message, f"Example: {shown_event(overlap)}", text)
        return
    gap = find_gap(one, two, budget)
    if gap is not None:
        message = f'Events between this subscription and "{earlier.name}" match neither.'
        yield _about_trigger("AD418", "hint", message, f"Example: {shown_event(gap)}", text)


def _about_trigger(code: str, severity: Severity, message: str, hint: str, text: str) -> Issue:
    return Issue(code, severity, "trigger", message, hint, offset=0, length=len(text))


def _are_opposite(destination: Destination, one: str, other: str) -> bool:
    if one == other:
        return False
    first, second = destination.action(one), destination.action(other)
    lanes = [action.batching.lane for action in (first, second) if action.batching]
    if len(lanes) == 2 and lanes[0] and lanes[0] == lanes[1]:
        return True
    slugs = one.lower(), other.lower()
    return any(
        (slugs[a].startswith(start) and slugs[b].startswith(end))
        for start, end in _OPPOSITES
        for a, b in ((0, 1), (1, 0))
    )


def _words(action: Action) -> dict[tuple[str, ...], frozenset[str]]:
    """Return the keys that the action's default mapping reads, by the path of their object."""
    found: dict[tuple[str, ...], set[str]] = {}
    try:
        paths = compile_mapping(action.default_mapping).paths
    except MappingError:
        return {}
    for path in paths:
        for index, part in enumerate(path.parts):
            found.setdefault(path.parts[:index], set()).add(part)
    return {key: frozenset(words) for key, words in found.items()}


def _check_sync_mode(effective: EffectiveMapping) -> Iterator[Issue]:
    mode, given = effective.action.sync_mode, effective.mapping.get(SYNC_MODE_KEY, MISSING)
    if mode and SYNC_MODE_KEY in effective.own and given not in mode.choices:
        choices = ", ".join(mode.choices)
        message = f"The sync mode must be one of {choices}, got {json.dumps(given)}."
        yield Issue("AD508", "error", "mapping", message, "", (SYNC_MODE_KEY,))


def _check_matching_key(effective: EffectiveMapping) -> Iterator[Issue]:
    keys, given = effective.action.matching_keys, effective.mapping.get(MATCHING_KEY)
    if keys and given and given not in keys:
        message = f"The matching key must be one of {', '.join(keys)}, got {json.dumps(given)}."
        yield effective.issue("AD510", "error", (MATCHING_KEY,), message)


def _check_shape(effective: EffectiveMapping, key: str, budget: WorkBudget) -> Iterator[Issue]:
    value = {key: effective.mapping[key]}
    problems, code = check_mapping_shape(value), "AD501"
    if not problems:
        problems, code = list(compile_mapping(value).faults), "AD502"
    for problem in problems:
        name = problem.partition(_UNKNOWN_DIRECTIVE)[2].rstrip(".")
        budget.spend(20 + len(problem))
        place = _place_of(problem, value) or (() if name else (key,))
        if name:
            budget.compare(name, DIRECTIVES)
            place = place if _has(value, (*place, name)) else _holder_of(name, value, budget)
        hint = suggestion(name, DIRECTIVES, "directives") if name else ""
        issue = effective.issue(code, "error", (*place, name) if name else place, problem, hint)
        yield replace(issue, on_key=bool(name) and issue.part == "mapping")


def _has(raw: JSON, place: DocumentPath) -> bool:
    for part in place:
        if isinstance(raw, dict) and part in raw:
            raw = raw[part]
        elif isinstance(raw, list) and part.isdecimal() and int(part) < len(raw):
            raw = raw[int(part)]
        else:
            return False
    return True


def _holder_of(key: str, raw: JSON, budget: WorkBudget) -> DocumentPath:
    """Return the place of the first object that has a key."""
    if isinstance(raw, dict) and key in raw:
        return ()
    budget.compile(raw)
    items = raw.items() if isinstance(raw, dict) else enumerate(raw)
    for part, inner in items:
        if isinstance(inner, dict | list) and _holds(key, inner):
            return (str(part), *_holder_of(key, inner, budget))
    return ()


def _holds(key: str, raw: JSON) -> bool:
    if isinstance(raw, dict):
        return key in raw or any(_holds(key, inner) for inner in raw.values())
    return isinstance(raw, list) and any(_holds(key, inner) for inner in raw)


def _place_of(problem: str, raw: JSON) -> DocumentPath:
    """Return the place at the start of a problem's text, as far as *raw* has it."""
    rest, place = problem.lstrip("`"), list[str]()
    while rest.startswith("/"):
        ends = (match.start() for match in _END.finditer(rest, 1))
        key = next((rest[1:end] for end in reversed([*ends]) if _has(raw, (rest[1:end],))), None)
        if key is None:
            break
        place.append(key)
        raw = raw[key] if isinstance(raw, dict) else raw[int(key)]
        rest = rest[len(key) + 1 :]
    return tuple(place)


# The value of each field


def _check_field(
    effective: EffectiveMapping, key: str, field: Field, model: EventModel, budget: WorkBudget
) -> tuple[bool, list[Issue]]:
    """Check the mapping of a field; return whether it cannot fail, and its issues."""
    noted: dict[Issue, None] = {}
    made = NOTHING
    if key in effective.mapping:
        made = infer(effective.mapping[key], (key,), TypeScope(model.whole, noted, budget, model))
    issues = list(noted) if key in effective.own else []
    found = fit(made, key, field)
    safe = found.never_fails and not made.may_fail
    required = None
    if isinstance(field.required, Conditions) and may_be_empty(made, field):
        required = effective.verdict(field.required)
        safe = safe and required is False
    wording = _FieldIssues(effective, key, field, made, model)
    if found.always_fails:
        return safe, [*issues, *wording.certain(found.mismatches)]
    issues += wording.possible(found.mismatches)
    if required is not False and isinstance(field.required, Conditions):
        issues += wording.conditional(certain=required is True)
    return safe, issues


@dataclass(frozen=True)
class _FieldIssues:
    """Describes the mismatches of a field."""

    effective: EffectiveMapping
    key: str
    field: Field
    made: Type
    model: EventModel

    @property
    def _source(self) -> str:
        value = self.effective.mapping.get(self.key)
        path = value.get("@path") if isinstance(value, dict) else None
        return f"`{path}`" if isinstance(path, str) else "its mapping"

    def _name(self, mismatch: Mismatch) -> str:
        place = str(Path(mismatch.place)).removeprefix("$.")
        return f"Field `{place}` of action `{self.effective.action.slug}`"

    def _demand(self, mismatch: Mismatch) -> str:
        path = tuple(int(part) if part.isdecimal() else part for part in mismatch.place)
        return requirement_text(Problem(path, mismatch.code, mismatch.field, mismatch.value))

    @property
    def _certain_severity(self) -> Severity:
        """The severity of a failure derived from events: a sample is no proof."""
        computed = is_computed(self.effective.mapping.get(self.key))
        return "warning" if computed and self.model.is_sample else "error"

    @property
    def _possible_severity(self) -> Severity:
        return "hint" if self.model.source == "spec" else "warning"

    @property
    def _is_telling(self) -> bool:
        """Whether a possible failure is reported: not of a default, written or not, by the spec."""
        written = self.effective.mapping.get(self.key, MISSING)
        default = self.effective.action.default_mapping.get(self.key, MISSING)
        return self.model.source != "spec" or (
            self.key in self.effective.own and written != default
        )

    def certain(self, mismatches: tuple[Mismatch, ...]) -> Iterator[Issue]:
        for mismatch in self._grouped(mismatches):
            text = f"{self._name(mismatch)} {self._demand(mismatch)}"
            code = {"required": "AD511", "type": "AD513"}.get(mismatch.code, "AD515")
            if mismatch.code == "required":
                text = f"{self._name(mismatch)} is required; {self._nothing(mismatch)}."
            elif mismatch.code in {"type", "choices"}:
                text = f"{text}; {self._source} gives {mismatch.found}."
            else:
                text = f"{text}."
            yield self.effective.issue(code, self._certain_severity, mismatch.place, text)

    def _grouped(self, mismatches: Sequence[Mismatch]) -> Iterator[Mismatch]:
        """Return one mismatch per place and code, with kinds instead of values from events."""
        computed = is_computed(self.effective.mapping.get(self.key))
        groups: dict[tuple[str, DocumentPath], list[Mismatch]] = {}
        for mismatch in mismatches:
            groups.setdefault((mismatch.code, mismatch.place), []).append(mismatch)
        for same in groups.values():
            found = (_kind(mismatch.found) if computed else mismatch.found for mismatch in same)
            *others, last = dict.fromkeys(found)
            yield replace(same[0], found=f"{', '.join(others)} or {last}" if others else last)

    def _nothing(self, mismatch: Mismatch) -> str:
        if self.key not in self.effective.mapping:
            return "nothing is mapped to it"
        if len(mismatch.place) > 1:
            return "the mapped object does not contain it"
        if not is_computed(self.effective.mapping[self.key]):
            return "its value is empty"
        return f"{self._source} gives no value for any event"

    def possible(self, mismatches: tuple[Mismatch, ...]) -> Iterator[Issue]:
        if not self._is_telling:
            return
        for mismatch in self._grouped(mismatches):
            if mismatch.found == UNKNOWN and (
                mismatch.code != "required" or len(mismatch.place) > 1
            ):
                continue
            if mismatch.code == "required":
                text = f"{self._name(mismatch)} is required; {self._source} may give no value."
                yield self.effective.issue("AD512", self._possible_severity, mismatch.place, text)
            elif mismatch.code == "type" or self.model.source != "spec":
                found = f"{self._source} may give {mismatch.found}"
                text = f"{self._name(mismatch)} {self._demand(mismatch)}; {found}."
                yield self.effective.issue("AD514", self._possible_severity, mismatch.place, text)

    def conditional(self, *, certain: bool) -> Iterator[Issue]:
        if not may_be_empty(self.made, self.field):
            return
        mismatch = Mismatch("required", (self.key,), "nothing", self.field)
        always = is_always_empty(self.made, self.field)
        demand_text = f"{self._name(mismatch)} {self._demand(mismatch)}"
        if always and certain:
            text = f"{demand_text}; {self._nothing(mismatch)}."
            yield self.effective.issue("AD511", self._certain_severity, (self.key,), text)
        elif self.key in self.effective.mapping and certain and self._is_telling:
            text = f"{demand_text}; {self._source} may give no value."
            yield self.effective.issue("AD512", self._possible_severity, (self.key,), text)


def _kind(found: str) -> str:
    """Return the kind of a value that is shown as JSON; any other text unchanged."""
    try:
        value = json.loads(found)
    except ValueError:
        return found
    return type_of(value).kinds[0]
