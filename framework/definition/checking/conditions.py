"""What can be said of a trigger before an event comes: errors, slips, what never holds."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from framework.definition.checking.events import EVENT_TYPES, World, sample_world, spec_world
from framework.definition.checking.faults import Fault, Severity, nearest
from framework.definition.checking.inference import Scope, check_path
from framework.definition.checking.types import Type, constant, enter, join, refine, texts_in
from framework.errors import TriggerError
from framework.paths import JSON, Event, Path
from framework.triggers import (
    And,
    Comparison,
    Condition,
    Constant,
    Field,
    Not,
    Or,
    Trigger,
    difference,
    find_event,
    parse,
    write,
)

TYPE: Final = Path(("type",))
_SHOWN: Final = 60


@dataclass(frozen=True)
class Triggered:
    """A trigger that was checked: None where it does not parse; the *world* of its events."""

    trigger: Trigger | None
    world: World
    faults: tuple[Fault, ...]


def check_trigger(text: str, world: World) -> Triggered:
    """Check the text of a trigger, and give the world of the events that it lets through."""
    try:
        trigger = parse(text)
    except TriggerError as error:
        message = str(error).partition("\n")[0]
        fault = Fault("AD411", "error", "trigger", message, offset=error.offset or 0, length=1)
        return Triggered(None, world, (fault,))
    types = _types_met(trigger, world)
    faults = [_warning("AD412", remark, text, _quoted(remark)) for remark in trigger.remarks]
    faults += _unknown_types(trigger, text) if types else ()
    if not types:
        return Triggered(trigger, world, (*faults, *_never(trigger, text)))
    inner = _narrowed(trigger, world, types)
    faults += _unknown_fields(trigger, text, world if world.is_sample else inner)
    inner = _refined(trigger, inner)
    faults += _own_faults(text)
    if world.is_sample and not any(map(trigger.matches, world.sample)):
        faults.append(_warning("AD419", "No event of the sample matches the trigger.", text, text))
    return Triggered(trigger, inner, tuple(faults))


@lru_cache(maxsize=512)
def _own_faults(text: str) -> tuple[Fault, ...]:
    """Find what a trigger has wrong whatever the events are."""
    return (*_parts(parse(text), text), *_read_differently(text))


def find_overlap(one: Trigger, other: Trigger) -> Event | None:
    """Give an event that both triggers match, if one is found."""
    trees = (one.tree, other.tree)
    wanted = find_event(
        lambda event: one.matches(event) and other.matches(event), trees, {TYPE: EVENT_TYPES}
    )
    return wanted.event


def find_gap(one: Trigger, other: Trigger) -> Event | None:
    """Give an event between those of two triggers: a number that neither of them takes."""
    for path in sorted(one.paths & other.paths, key=str):
        first, second = _limits(one.tree, path), _limits(other.tree, path)
        limits = sorted({*first, *second})
        if not first or not second:
            continue
        between = [value for limit in limits for value in (limit - 1, limit, limit + 1)]
        between += [(a + b) / 2 for a, b in itertools.pairwise(limits)]
        gap = _gap(one, other, path, sorted(set(between)))
        if gap:
            return gap
    return None


def _gap(one: Trigger, other: Trigger, path: Path, values: list[float]) -> Event | None:
    trees = (one.tree, other.tree)

    def is_between(event: Event) -> bool:
        if one.matches(event) or other.matches(event):
            return False
        ends = [_with(event, path, value) for value in (values[0], values[-1])]
        taken = [[trigger.matches(end) for trigger in (one, other)] for end in ends]
        return taken in ([[True, False], [False, True]], [[False, True], [True, False]])

    return find_event(is_between, trees, {TYPE: EVENT_TYPES, path: values}).event


def _with(event: JSON, path: Path, value: JSON) -> JSON:
    key, *rest = path.parts
    inner = event.get(key) if isinstance(event, dict) else None
    made = _with(inner or {}, Path(tuple(rest)), value) if rest else value
    return {**(event if isinstance(event, dict) else {}), key: made}


def _limits(tree: Condition, path: Path) -> list[float]:
    match tree:
        case And(parts) | Or(parts):
            return [limit for part in parts for limit in _limits(part, path)]
        case Not(part):
            return _limits(part, path)
        case Comparison(Field(found), ">" | ">=" | "<" | "<=", Constant(int() | float() as limit)):
            return [limit] if found == path else []
    return []


def _types_met(trigger: Trigger, world: World) -> tuple[str, ...]:
    """Give the types of events that may match."""
    known = () if world.is_sample else tuple(texts_in(enter(world.whole, "type")))
    known = known or EVENT_TYPES
    if TYPE not in trigger.paths:
        found = find_event(trigger.matches, [trigger.tree])
        return known if found.event is not None or not found.is_certain else ()
    met = []
    for name in known:
        found = find_event(trigger.matches, [trigger.tree], {TYPE: [name]})
        if found.event is not None or not found.is_certain:
            met.append(name)
    return tuple(met)


def _narrowed(trigger: Trigger, world: World, types: tuple[str, ...]) -> World:
    if world.is_sample:
        met = [event for event in world.sample if trigger.matches(event)]
        return sample_world(met) if met else world
    if world.origin == "the spec":
        return replace(world, whole=spec_world(types).whole)
    return world


def _refined(trigger: Trigger, world: World) -> World:
    """Give the world with what the trigger says about fields."""
    if world.is_sample:
        return world
    whole = world.whole
    for path, fact in _facts(trigger.tree).items():
        if all(not part.isdecimal() for part in path.parts):
            whole = refine(whole, path.parts, fact)
    return replace(world, whole=whole)


def _facts(tree: Condition) -> Mapping[Path, Type]:
    """Give what fields hold in every event that matches."""
    match tree:
        case And(parts):
            return {path: fact for part in parts for path, fact in _facts(part).items()}
        case Comparison(Field(path), "=", Constant(str() as value)) if value:
            return {path: constant(value)}
        case Comparison(Field(path), "in", Constant(tuple() as values)):
            if values and all(isinstance(value, str) and value for value in values):
                return {path: join(*map(constant, values))}
    return {}


def _never(trigger: Trigger, text: str) -> Iterator[Fault]:
    for node in _conditions(trigger.tree):
        match node:
            case Comparison(Field(Path(("type",))), "=", Constant(str() as name)):
                if name not in EVENT_TYPES:
                    message = f'No event has the type "{name}".'
                    yield _marked("AD414", "error", message, _type_hint(node), text, name)
                    return
    message = "The trigger can never hold: its conditions exclude each other."
    yield _marked("AD414", "error", message, "", text, text)


def _conditions(tree: Condition) -> Iterator[Condition]:
    yield tree
    match tree:
        case And(parts) | Or(parts):
            for part in parts:
                yield from _conditions(part)
        case Not(part):
            yield from _conditions(part)


def _unknown_fields(trigger: Trigger, text: str, world: World) -> Iterator[Fault]:
    for path in sorted(trigger.paths, key=str):
        noted: list[Fault] = []
        check_path(path, (), Scope(world.whole, noted, world))
        for fault in noted:
            yield _marked("AD413", "warning", fault.message, fault.hint, text, ".".join(path.parts))


def _parts(trigger: Trigger, text: str) -> Iterator[Fault]:
    """Find alternatives that never hold and conditions that always do."""
    fixed = {TYPE: EVENT_TYPES} if TYPE in trigger.paths else {}
    whole = find_event(lambda event: not trigger.matches(event), [trigger.tree], fixed)
    if whole.event is None and whole.is_certain:
        message = "The trigger always holds: every event matches."
        yield _marked("AD415", "warning", message, "", text, text)
        return
    for node in _conditions(trigger.tree):
        for part in node.parts if isinstance(node, And | Or) else ():
            single = Trigger(part)
            own = {TYPE: EVENT_TYPES} if TYPE in single.paths else {}
            never = find_event(single.matches, [part], own)
            always = find_event(lambda event: not single.matches(event), [part], own)  # noqa: B023 - called at once
            shown = _short(write(part))
            if isinstance(node, Or) and never.event is None and never.is_certain:
                message = f"`{shown}` can never hold."
                yield _marked("AD414", "warning", message, _type_hint(part), text, write(part))
            if isinstance(node, And) and always.event is None and always.is_certain:
                message = f"`{shown}` always holds."
                yield _marked("AD415", "warning", message, "Leave it out.", text, write(part))


def _unknown_types(trigger: Trigger, text: str) -> Iterator[Fault]:
    """Find types in lists that no event has."""
    for node in _conditions(trigger.tree):
        match node:
            case Comparison(Field(Path(("type",))), "in", Constant(tuple() as names)):
                for name in names:
                    if name not in EVENT_TYPES:
                        near = nearest(str(name), EVENT_TYPES)
                        hint = f'Did you mean "{near}"?' if near else ""
                        message = f"No event has the type {json.dumps(name)}."
                        yield _marked("AD414", "warning", message, hint, text, str(name))


def _type_hint(part: Condition) -> str:
    match part:
        case Comparison(Field(Path(("type",))), "=", Constant(str() as name)):
            near = nearest(name, EVENT_TYPES)
            return f'Did you mean "{near}"?' if near else f"Types: {', '.join(EVENT_TYPES)}."
    return ""


def _read_differently(text: str) -> Iterator[Fault]:
    try:
        found = difference(text)
    except TriggerError:
        return
    if found:
        yield _marked("AD416", "hint", found.message, "", text, text)


def _warning(code: str, message: str, text: str, part: str) -> Fault:
    return _marked(code, "warning", message, "", text, part)


def _marked(  # noqa: PLR0913, PLR0917 - a fault has these parts
    code: str, severity: Severity, message: str, hint: str, text: str, part: str
) -> Fault:
    """Make a fault that underlines *part* where the text has it, else the whole text."""
    offset = text.find(part) if part else -1
    length = len(part) if offset >= 0 else len(text)
    return Fault(code, severity, "trigger", message, hint, offset=max(offset, 0), length=length)


def _quoted(remark: str) -> str:
    return remark.split("`")[1] if "`" in remark else ""


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def shown_event(event: Event) -> str:
    """Give an event as short JSON."""
    return json.dumps(event, ensure_ascii=False)
