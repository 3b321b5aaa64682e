"""Everything that can be said of a subscription before an event moves."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from framework.definition import (
    INTERNAL,
    SYNC_MODE_KEY,
    Action,
    Conditions,
    Destination,
    Field,
    Problem,
    Subscription,
    demand,
)
from framework.errors import MappingError
from framework.linting.event_models import EventModel
from framework.linting.fit import UNKNOWN, Miss, fit, is_always_empty, may_be_empty
from framework.linting.inference import TypeScope, infer
from framework.linting.issues import DocumentPath, Issue, Severity, suggestion, unchecked
from framework.linting.mapping_rules import (
    EffectiveMapping,
    check_batching,
    check_hashes,
    check_rules,
    effective,
    is_computed,
)
from framework.linting.trigger_rules import (
    Triggered,
    check_trigger,
    exclude_by_texts,
    find_gap,
    find_overlap,
    shown_event,
)
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

_CONTROLS = frozenset(
    {"batch_bytes", "batch_keys", "batch_size", "dynamicAuthSettings", "enable_batching",
     "onMappingSave", "retlOnMappingSave"}
)  # fmt: skip
_END = re.compile(r"[/` ]|\Z")
_UNKNOWN_DIRECTIVE = "has an invalid directive: "
_OPPOSITES = (
    ("add", "remove"), ("add", "delete"), ("create", "delete"), ("subscribe", "unsubscribe"),
    ("enter", "exit"), ("suppress", "unsuppress"), ("follow", "unfollow"),
)  # fmt: skip


@dataclass(frozen=True)
class Checked:
    """What came of checking a subscription: its *faults*, and whether it *cannot_fail*.

    Where it cannot fail, no event of the world that the trigger lets through is refused by
    the mapping or the shape, limits of size aside.
    """

    faults: tuple[Issue, ...]
    cannot_fail: bool


def check_subscription(
    destination: Destination,
    subscription: Subscription,
    world: EventModel,
    effort: WorkBudget | None = None,
) -> Checked:
    """Check one subscription of a destination; its action must exist.

    Of a file with several, all are given one *effort*. Where it ends, a fault says what is not
    checked.
    """
    effort = effort or WorkBudget()
    action = destination.action(subscription.action)
    text = subscription.trigger if subscription.trigger is not None else action.trigger
    faults: list[Issue] = []
    if text is None:
        message = f"A trigger is needed: action `{action.slug}` has no default trigger."
        faults.append(Issue("AD403", "error", "action", message, "Give it as `subscribe`."))
        triggered = Triggered(None, world, ())
    else:
        triggered = check_trigger(text, world, effort)
        faults += triggered.faults if subscription.trigger is not None else ()
    known = triggered.world.knowing(_words(action))
    mapped = check_mapping(action, subscription.mapping, known, effort)
    whole = (*faults, *mapped.faults)
    blocked = any(fault.severity == "error" for fault in whole)
    return Checked(whole, mapped.cannot_fail and not blocked)


def check_mapping(
    action: Action, own: Mapping[str, JSON], world: EventModel, effort: WorkBudget | None = None
) -> Checked:
    """Check the mapping of a subscription against the fields of its action."""
    faults: list[Issue] = []
    try:
        safe = _check_mapping(effective(action, own), world, effort or WorkBudget(), faults)
    except BudgetExhausted:
        faults.append(unchecked("mapping"))
        safe = False
    return Checked(tuple(faults), safe)


def _check_mapping(
    filled: EffectiveMapping, world: EventModel, effort: WorkBudget, faults: list[Issue]
) -> bool:
    """Collect the faults of a mapping; tell whether it cannot fail."""
    faults += _check_keys(filled, effort)
    faults += _check_sync_mode(filled)
    effort.compile(dict(filled.mapping))
    if ROOT_DIRECTIVE in filled.mapping:
        whole = mapping_faults(dict(filled.mapping))
        faults += [filled.fault("AD501", "error", (ROOT_DIRECTIVE,), text) for text in whole]
        return False
    broken = set[str]()
    for key in filled.mapping:
        wrong = list(_check_shape(filled, key, effort))
        faults += wrong
        broken |= {key} if wrong else set()
    safe = not broken
    for key, field in filled.action.fields.items():
        if key not in broken:
            found, misses = _check_field(filled, key, field, world, effort)
            faults += misses
            safe = safe and found
    faults += check_rules(filled)
    faults += check_batching(filled, effort)
    faults += check_hashes(filled)
    return safe


def check_exclusion(
    destination: Destination,
    subscriptions: Sequence[Subscription],
    triggers: Mapping[int, str],
    effort: WorkBudget | None = None,
) -> Iterator[tuple[int, Issue]]:
    """Find events that two opposite subscriptions both match, or that fall between them.

    *triggers* gives the text of each trigger that parses, by the subscription's index. Yields the
    index of the later subscription of a pair with each fault. Where the *effort* ends, the last
    fault says so.
    """
    effort = effort or WorkBudget()
    for later, text in triggers.items():
        for earlier, other in triggers.items():
            one, two = subscriptions[earlier], subscriptions[later]
            if earlier < later and _are_opposite(destination, one.action, two.action):
                try:
                    found = list(_compare(one, other, text, effort))
                except BudgetExhausted:
                    yield later, _uncompared(text)
                    return
                yield from ((later, fault) for fault in found)


def _uncompared(text: str) -> Issue:
    message = "From here on, opposite subscriptions are not compared: that would take too long."
    hint = "Make the file smaller."
    return _about_trigger("AD105", "warning", message, hint, text)


def _compare(earlier: Subscription, other: str, text: str, effort: WorkBudget) -> Iterator[Issue]:
    effort.spend(20)
    one, two = parse(other), parse(text)
    if exclude_by_texts(one, two, effort):
        return
    overlap = find_overlap(one, two, effort)
    if overlap is not None:
        message = f'An event can match this and "{earlier.name}" both, which do the opposite.'
        yield _about_trigger("AD417", "warning", message, f"One is: {shown_event(overlap)}", text)
        return
    gap = find_gap(one, two, effort)
    if gap is not None:
        message = f'Between this and "{earlier.name}" there are events that match neither.'
        yield _about_trigger("AD418", "hint", message, f"One is: {shown_event(gap)}", text)


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
    """Give the names that the action's default mapping reads, by the object that holds them."""
    found: dict[tuple[str, ...], set[str]] = {}
    try:
        paths = compile_mapping(action.default_mapping).paths
    except MappingError:
        return {}
    for path in paths:
        for index, part in enumerate(path.parts):
            found.setdefault(path.parts[:index], set()).add(part)
    return {key: frozenset(words) for key, words in found.items()}


def _check_keys(filled: EffectiveMapping, effort: WorkBudget) -> Iterator[Issue]:
    action = filled.action
    for key in sorted(filled.own):
        if key in action.fields or key in _CONTROLS or key.startswith(INTERNAL):
            continue
        effort.compare(key, action.fields)
        hint = suggestion(key, action.fields, "fields")
        severity: Severity = "error" if hint.startswith("Did") else "warning"
        message = f"Action `{action.slug}` has no field `{key}`."
        yield Issue("AD503", severity, "mapping", message, hint, (key,), on_key=True)


def _check_sync_mode(filled: EffectiveMapping) -> Iterator[Issue]:
    mode, given = filled.action.sync_mode, filled.mapping.get(SYNC_MODE_KEY, MISSING)
    if mode and SYNC_MODE_KEY in filled.own and given not in mode.choices:
        choices = ", ".join(mode.choices)
        message = f"The sync mode must be one of {choices}, got {json.dumps(given)}."
        yield Issue("AD508", "error", "mapping", message, "", (SYNC_MODE_KEY,))


def _check_shape(filled: EffectiveMapping, key: str, effort: WorkBudget) -> Iterator[Issue]:
    value = {key: filled.mapping[key]}
    problems, code = check_mapping_shape(value), "AD501"
    if not problems:
        problems, code = list(compile_mapping(value).faults), "AD502"
    for problem in problems:
        name = problem.partition(_UNKNOWN_DIRECTIVE)[2].rstrip(".")
        effort.spend(20 + len(problem))
        place = _place_of(problem, value) or (() if name else (key,))
        if name:
            effort.compare(name, DIRECTIVES)
            place = place if _has(value, (*place, name)) else _holder_of(name, value, effort)
        hint = suggestion(name, DIRECTIVES, "directives") if name else ""
        fault = filled.fault(code, "error", (*place, name) if name else place, problem, hint)
        yield replace(fault, on_key=bool(name) and fault.part == "mapping")


def _has(raw: JSON, place: DocumentPath) -> bool:
    for part in place:
        if isinstance(raw, dict) and part in raw:
            raw = raw[part]
        elif isinstance(raw, list) and part.isdecimal() and int(part) < len(raw):
            raw = raw[int(part)]
        else:
            return False
    return True


def _holder_of(key: str, raw: JSON, effort: WorkBudget) -> DocumentPath:
    """Give the place of the first object that has a key."""
    if isinstance(raw, dict) and key in raw:
        return ()
    effort.compile(raw)
    items = raw.items() if isinstance(raw, dict) else enumerate(raw)
    for part, inner in items:
        if isinstance(inner, dict | list) and _holds(key, inner):
            return (str(part), *_holder_of(key, inner, effort))
    return ()


def _holds(key: str, raw: JSON) -> bool:
    if isinstance(raw, dict):
        return key in raw or any(_holds(key, inner) for inner in raw.values())
    return isinstance(raw, list) and any(_holds(key, inner) for inner in raw)


def _place_of(problem: str, raw: JSON) -> DocumentPath:
    """Find the place that a problem's text begins with, as far as it leads into *raw*."""
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


# The type of each field's value


def _check_field(
    filled: EffectiveMapping, key: str, field: Field, world: EventModel, effort: WorkBudget
) -> tuple[bool, list[Issue]]:
    """Check what is mapped to a field; tell too whether it cannot fail."""
    noted: dict[Issue, None] = {}
    made = NOTHING
    if key in filled.mapping:
        made = infer(filled.mapping[key], (key,), TypeScope(world.whole, noted, effort, world))
    faults = list(noted) if key in filled.own else []
    found = fit(made, key, field)
    safe = found.is_safe and not made.refuses
    asked = None
    if isinstance(field.required, Conditions) and may_be_empty(made, field):
        asked = filled.verdict(field.required)
        safe = safe and asked is False
    doubts = _Doubts(filled, key, field, made, world)
    if found.is_hopeless:
        return safe, [*faults, *doubts.hopeless(found.misses)]
    faults += doubts.possible(found.misses)
    if asked is not False and isinstance(field.required, Conditions):
        faults += doubts.conditional(certain=asked is True)
    return safe, faults


@dataclass(frozen=True)
class _Doubts:
    """Puts into words what does not fit a field."""

    filled: EffectiveMapping
    key: str
    field: Field
    made: Type
    world: EventModel

    @property
    def _source(self) -> str:
        value = self.filled.mapping.get(self.key)
        path = value.get("@path") if isinstance(value, dict) else None
        return f"`{path}`" if isinstance(path, str) else "its mapping"

    def _name(self, miss: Miss) -> str:
        place = str(Path(miss.place)).removeprefix("$.")
        return f"Field `{place}` of action `{self.filled.action.slug}`"

    def _demand(self, miss: Miss) -> str:
        path = tuple(int(part) if part.isdecimal() else part for part in miss.place)
        return demand(Problem(path, miss.code, miss.field))

    @property
    def _graver(self) -> Severity:
        """How bad something is that follows from the events: a sample is no proof."""
        computed = is_computed(self.filled.mapping.get(self.key))
        return "warning" if computed and self.world.is_sample else "error"

    @property
    def _lesser(self) -> Severity:
        return "hint" if self.world.origin == "the spec" else "warning"

    def hopeless(self, misses: tuple[Miss, ...]) -> Iterator[Issue]:
        for miss in self._grouped(misses):
            text = f"{self._name(miss)} {self._demand(miss)}"
            code = {"required": "AD511", "type": "AD513"}.get(miss.code, "AD515")
            if miss.code == "required":
                text = f"{self._name(miss)} is required; {self._nothing(miss)}."
            elif miss.code in {"type", "choices"}:
                text = f"{text}; {self._source} gives {miss.found}."
            else:
                text = f"{text}."
            yield self.filled.fault(code, self._graver, miss.place, text)

    def _grouped(self, misses: Sequence[Miss]) -> Iterator[Miss]:
        """Give one miss for each place and code; values of events are not shown, only kinds."""
        computed = is_computed(self.filled.mapping.get(self.key))
        groups: dict[tuple[str, DocumentPath], list[Miss]] = {}
        for miss in misses:
            groups.setdefault((miss.code, miss.place), []).append(miss)
        for same in groups.values():
            found = (_kind(miss.found) if computed else miss.found for miss in same)
            *others, last = dict.fromkeys(found)
            yield replace(same[0], found=f"{', '.join(others)} or {last}" if others else last)

    def _nothing(self, miss: Miss) -> str:
        if self.key not in self.filled.mapping:
            return "nothing is mapped to it"
        if len(miss.place) > 1:
            return "it is not in what is mapped"
        if not is_computed(self.filled.mapping[self.key]):
            return "its value is empty"
        return f"{self._source} gives nothing for any event that comes here"

    def possible(self, misses: tuple[Miss, ...]) -> Iterator[Issue]:
        for miss in self._grouped(misses):
            if miss.found == UNKNOWN and (miss.code != "required" or len(miss.place) > 1):
                continue
            if miss.code == "required":
                text = f"{self._name(miss)} is required; {self._source} may give nothing."
                yield self.filled.fault("AD512", self._lesser, miss.place, text)
            elif miss.code == "type" or self.world.origin != "the spec":
                found = f"{self._source} may give {miss.found}"
                text = f"{self._name(miss)} {self._demand(miss)}; {found}."
                yield self.filled.fault("AD514", self._lesser, miss.place, text)

    def conditional(self, *, certain: bool) -> Iterator[Issue]:
        if not may_be_empty(self.made, self.field):
            return
        miss = Miss("required", (self.key,), "nothing", self.field)
        always = is_always_empty(self.made, self.field)
        if always and certain:
            text = f"{self._name(miss)} {self._demand(miss)}; {self._nothing(miss)}."
            yield self.filled.fault("AD511", self._graver, (self.key,), text)
        elif self.key in self.filled.mapping and certain:
            text = f"{self._name(miss)} {self._demand(miss)}; {self._source} may give nothing."
            yield self.filled.fault("AD512", self._lesser, (self.key,), text)


def _kind(found: str) -> str:
    """Give the kind of a value that is shown as JSON; anything else as it is."""
    try:
        value = json.loads(found)
    except ValueError:
        return found
    return type_of(value).kinds[0]
