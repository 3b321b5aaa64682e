"""What can be said of a trigger before an event comes: errors, slips, what never holds."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from framework.errors import TriggerError
from framework.linting.event_models import (
    EVENT_TYPES,
    MAX_LEVELS,
    EventModel,
    sample_world,
    spec_world,
)
from framework.linting.inference import TypeScope, check_path
from framework.linting.issues import Issue, Severity, nearest, unchecked
from framework.linting.satisfiability import HeldTrigger, find_event
from framework.linting.segment_differences import difference
from framework.linting.value_types import Type, constant, enter, join, refine, texts_in
from framework.linting.work_budget import MAX_STEPS, BudgetExhausted, WorkBudget
from framework.paths import Event, Path
from framework.triggers import Trigger, evaluate, parse
from framework.triggers.language import (
    And,
    BooleanNode,
    Comparison,
    ConstantNode,
    FieldNode,
    Not,
    Or,
    walk,
    write,
)

TYPE: Final = Path(("type",))
_SHOWN: Final = 60
_OWN_STEPS: Final = MAX_STEPS // 4


@dataclass(frozen=True)
class Triggered:
    """A trigger that was checked: None where it does not parse; the *world* of its events."""

    trigger: Trigger | None
    world: EventModel
    faults: tuple[Issue, ...]


def check_trigger(text: str, world: EventModel, effort: WorkBudget) -> Triggered:
    """Check the text of a trigger, and give the world of the events that it lets through.

    Where the effort ends, a fault says so after those that were found till then.
    """
    found: list[Issue] = []
    try:
        return _checked(text, world, effort, found)
    except TriggerError as error:
        message = str(error).partition("\n")[0]
        fault = Issue("AD411", "error", "trigger", message, offset=error.offset or 0, length=1)
        return Triggered(None, world, (fault,))
    except BudgetExhausted:
        return Triggered(None, world, (*found, unchecked("trigger", len(text))))


def _checked(text: str, world: EventModel, effort: WorkBudget, faults: list[Issue]) -> Triggered:
    effort.spend(3 * len(text))
    trigger = parse(text)
    faults += [_warning("AD412", remark, text, _quoted(remark)) for remark in trigger.remarks]
    types = _types_met(trigger, world, effort)
    if not types:
        return Triggered(trigger, world, (*faults, *_never(trigger, text)))
    faults += _unknown_types(trigger, text, effort)
    inner = _narrowed(trigger, world, types)
    faults += _unknown_fields(trigger, text, world if world.is_sample else inner, effort)
    inner = _refined(trigger, inner)
    try:
        faults += _own_faults_within(text, effort)
    except BudgetExhausted:
        faults.append(unchecked("trigger", len(text)))
    if world.is_sample and not any(map(trigger.matches, world.sample)):
        faults.append(_warning("AD419", "No event of the sample matches the trigger.", text, text))
    return Triggered(trigger, inner, tuple(faults))


def _own_faults_within(text: str, effort: WorkBudget) -> tuple[Issue, ...]:
    effort.spend(0)
    faults, steps = _own_faults(text)
    effort.spend_once(steps, text)
    if faults is None:
        raise BudgetExhausted
    return faults


@lru_cache(maxsize=512)
def _own_faults(text: str) -> tuple[tuple[Issue, ...] | None, int]:
    """Find what a trigger has wrong whatever the events are, and count the steps that it takes.

    None where it takes too many.
    """
    effort = WorkBudget(_OWN_STEPS)
    try:
        faults = (*_parts(parse(text), text, effort), *_read_differently(text, effort))
    except BudgetExhausted:
        return None, _OWN_STEPS
    return faults, _OWN_STEPS - effort.left


def exclude_by_texts(one: Trigger, other: Trigger, effort: WorkBudget) -> bool:
    """Tell whether two triggers need different texts in one field, so that nothing meets both."""
    texts = [_texts_needed(trigger.tree) for trigger in (one, other)]
    effort.spend(2 * sum(len(some) for each in texts for some in each.values()))
    return any(texts[0][path].isdisjoint(texts[1][path]) for path in texts[0].keys() & texts[1])


def _texts_needed(tree: BooleanNode) -> Mapping[Path, frozenset[str]]:
    """Give the texts of which a field must hold one in every event that matches."""
    match tree:
        case And(parts):
            return {path: texts for part in parts for path, texts in _texts_needed(part).items()}
        case Comparison(FieldNode(path), "=", ConstantNode(str() as value)):
            return {path: frozenset((value,))}
        case Comparison(FieldNode(path), "in", ConstantNode(tuple() as values)):
            if values and all(isinstance(value, str) for value in values):
                return {path: frozenset(map(str, values))}
    return {}


def find_overlap(one: Trigger, other: Trigger, effort: WorkBudget) -> Event | None:
    """Give an event that both triggers match, if one is found."""
    both = (HeldTrigger(one), HeldTrigger(other))
    return find_event(both, fixed={TYPE: EVENT_TYPES}, spend=effort.spend).event


def find_gap(one: Trigger, other: Trigger, effort: WorkBudget) -> Event | None:
    """Give an event between those of two triggers: a number that neither of them takes."""
    for path in sorted(one.paths & other.paths, key=str):
        effort.spend(len([*_conditions(one.tree), *_conditions(other.tree)]))
        first, second = _limits(one.tree, path), _limits(other.tree, path)
        limits = sorted({*first, *second})
        if not first or not second:
            continue
        between = [value for limit in limits for value in (limit - 1, limit, limit + 1)]
        between += [(a + b) / 2 for a, b in itertools.pairwise(limits)]
        gap = _gap(one, other, path, sorted(set(between)), effort)
        if gap:
            return gap
    return None


def _gap(
    one: Trigger, other: Trigger, path: Path, values: list[float], effort: WorkBudget
) -> Event | None:
    low, high = {path: values[0]}, {path: values[-1]}
    neither = (HeldTrigger(one, wanted=False), HeldTrigger(other, wanted=False))
    ways = [
        (HeldTrigger(below, instead=low), HeldTrigger(above, False, low),
         HeldTrigger(above, instead=high), HeldTrigger(below, False, high), *neither)
        for below, above in ((one, other), (other, one))
    ]  # fmt: skip
    fixed = {TYPE: EVENT_TYPES, path: values}
    return find_event(*ways, fixed=fixed, spend=effort.spend).event


def _limits(tree: BooleanNode, path: Path) -> list[float]:
    match tree:
        case And(parts) | Or(parts):
            return [limit for part in parts for limit in _limits(part, path)]
        case Not(part):
            return _limits(part, path)
        case Comparison(
            FieldNode(found), ">" | ">=" | "<" | "<=", ConstantNode(int() | float() as limit)
        ):
            return [limit] if found == path else []
    return []


def _types_met(trigger: Trigger, world: EventModel, effort: WorkBudget) -> tuple[str, ...]:
    """Give the types of events that may match."""
    known = () if world.is_sample else tuple(texts_in(enter(world.whole, "type")))
    known = known or EVENT_TYPES
    effort.spend(20 * len([*_conditions(trigger.tree)]))
    if TYPE not in trigger.paths:
        if trigger.matches({}):
            return known
        found = find_event((HeldTrigger(trigger),), spend=effort.spend)
        return known if found.event is not None or not found.is_certain else ()
    parts = trigger.tree.parts if isinstance(trigger.tree, And) else (trigger.tree,)
    sure = [part for part in parts if Trigger(part).paths == {TYPE}]
    left = [name for name in known if all(evaluate(part, {"type": name}) for part in sure)]
    met = set[str]()
    for names in _alike(trigger, left, effort):
        if trigger.matches({"type": names[0]}):
            met |= set(names)
            continue
        found = find_event((HeldTrigger(trigger),), fixed={TYPE: names[:1]}, spend=effort.spend)
        met |= set(names) if found.event is not None or not found.is_certain else set()
    return tuple(name for name in left if name in met)


def _alike(trigger: Trigger, names: Sequence[str], effort: WorkBudget) -> list[list[str]]:
    """Give the types of events in groups that no condition of a trigger tells apart."""
    single = [node for node in _conditions(trigger.tree) if not isinstance(node, And | Or | Not)]
    read = [{each.path for each in walk(node) if isinstance(each, FieldNode)} for node in single]
    atoms = [node for node, paths in zip(single, read, strict=True) if TYPE in paths]
    effort.spend(30 * len(atoms) * len(names))
    if any(TYPE in paths and len(paths) > 1 for paths in read):
        return [[name] for name in names]
    groups: dict[tuple[bool, ...], list[str]] = {}
    for name in names:
        event = {"type": name}
        told = (evaluate(each, event) for atom in atoms for each in (atom, Not(atom)))
        groups.setdefault(tuple(told), []).append(name)
    return list(groups.values())


def _narrowed(trigger: Trigger, world: EventModel, types: tuple[str, ...]) -> EventModel:
    if world.is_sample:
        met = [event for event in world.sample if trigger.matches(event)]
        return sample_world(met) if met else world
    if world.origin == "the spec":
        return replace(world, whole=spec_world(types).whole)
    return world


def _refined(trigger: Trigger, world: EventModel) -> EventModel:
    """Give the world with what the trigger says about fields."""
    if world.is_sample:
        return world
    whole = world.whole
    for path, fact in _facts(trigger.tree).items():
        if len(path.parts) <= MAX_LEVELS and not any(part.isdecimal() for part in path.parts):
            whole = refine(whole, path.parts, fact)
    return replace(world, whole=whole)


def _facts(tree: BooleanNode) -> Mapping[Path, Type]:
    """Give what fields hold in every event that matches."""
    match tree:
        case And(parts):
            return {path: fact for part in parts for path, fact in _facts(part).items()}
        case Comparison(FieldNode(path), "=", ConstantNode(str() as value)) if value:
            return {path: constant(value)}
        case Comparison(FieldNode(path), "in", ConstantNode(tuple() as values)):
            if values and all(isinstance(value, str) and value for value in values):
                return {path: join(*map(constant, values))}
    return {}


def _never(trigger: Trigger, text: str) -> Iterator[Issue]:
    for node in _conditions(trigger.tree):
        match node:
            case Comparison(FieldNode(Path(("type",))), "=", ConstantNode(str() as name)):
                if name not in EVENT_TYPES:
                    message = f'No event has the type "{name}".'
                    yield _marked("AD414", "error", message, _type_hint(node), text, name)
                    return
    message = "The trigger can never hold: its conditions exclude each other."
    yield _marked("AD414", "error", message, "", text, text)


def _conditions(tree: BooleanNode) -> Iterator[BooleanNode]:
    yield tree
    match tree:
        case And(parts) | Or(parts):
            for part in parts:
                yield from _conditions(part)
        case Not(part):
            yield from _conditions(part)


def _unknown_fields(
    trigger: Trigger, text: str, world: EventModel, effort: WorkBudget
) -> Iterator[Issue]:
    for path in sorted(trigger.paths, key=str):
        noted: dict[Issue, None] = {}
        check_path(path, (), TypeScope(world.whole, noted, effort, world))
        for fault in noted:
            yield _marked("AD413", "warning", fault.message, fault.hint, text, ".".join(path.parts))


def _parts(trigger: Trigger, text: str, effort: WorkBudget) -> Iterator[Issue]:
    """Find alternatives that never hold and conditions that always do."""
    fixed = {TYPE: EVENT_TYPES} if TYPE in trigger.paths else {}
    unmatched = HeldTrigger(trigger, wanted=False)
    whole = find_event((unmatched,), fixed=fixed, spend=effort.spend)
    if whole.event is None and whole.is_certain:
        message = "The trigger always holds: every event matches."
        yield _marked("AD415", "warning", message, "", text, text)
        return
    for node in _conditions(trigger.tree):
        for part in node.parts if isinstance(node, And | Or) else ():
            single = Trigger(part)
            own = {TYPE: EVENT_TYPES} if TYPE in single.paths else {}
            never = find_event((HeldTrigger(single),), fixed=own, spend=effort.spend)
            always = find_event((HeldTrigger(single, wanted=False),), fixed=own, spend=effort.spend)
            shown = _short(write(part))
            if isinstance(node, Or) and never.event is None and never.is_certain:
                message = f"`{shown}` can never hold."
                yield _marked("AD414", "warning", message, _type_hint(part), text, write(part))
            if isinstance(node, And) and always.event is None and always.is_certain:
                message = f"`{shown}` always holds."
                yield _marked("AD415", "warning", message, "Leave it out.", text, write(part))


def _unknown_types(trigger: Trigger, text: str, effort: WorkBudget) -> Iterator[Issue]:
    """Find types in lists that no event has."""
    for node in _conditions(trigger.tree):
        match node:
            case Comparison(FieldNode(Path(("type",))), "in", ConstantNode(tuple() as names)):
                for name in names:
                    if name not in EVENT_TYPES:
                        effort.compare(str(name), EVENT_TYPES)
                        near = nearest(str(name), EVENT_TYPES)
                        hint = f'Did you mean "{near}"?' if near else ""
                        message = f"No event has the type {json.dumps(name)}."
                        yield _marked("AD414", "warning", message, hint, text, str(name))


def _type_hint(part: BooleanNode) -> str:
    match part:
        case Comparison(FieldNode(Path(("type",))), "=", ConstantNode(str() as name)):
            near = nearest(name, EVENT_TYPES)
            return f'Did you mean "{near}"?' if near else f"Types: {', '.join(EVENT_TYPES)}."
    return ""


def _read_differently(text: str, effort: WorkBudget) -> Iterator[Issue]:
    effort.spend(5 * len(text))
    try:
        found = difference(text, effort.spend)
    except TriggerError:
        return
    if found:
        yield _marked("AD416", "hint", found.message, "", text, text)


def _warning(code: str, message: str, text: str, part: str) -> Issue:
    return _marked(code, "warning", message, "", text, part)


def _marked(  # noqa: PLR0913, PLR0917 - a fault has these parts
    code: str, severity: Severity, message: str, hint: str, text: str, part: str
) -> Issue:
    """Make a fault that underlines *part* where the text has it, else the whole text."""
    offset = text.find(part) if part else -1
    length = len(part) if offset >= 0 else len(text)
    return Issue(code, severity, "trigger", message, hint, offset=max(offset, 0), length=length)


def _quoted(remark: str) -> str:
    return remark.split("`")[1] if "`" in remark else ""


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def shown_event(event: Event) -> str:
    """Give an event as short JSON."""
    return json.dumps(event, ensure_ascii=False)
