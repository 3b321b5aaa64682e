"""Checks of triggers: syntax errors, likely typos, conditions that are never or always true."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from framework.config import Severity
from framework.errors import TriggerError
from framework.linting.event_models import (
    EVENT_TYPES,
    MAX_LEVELS,
    EventModel,
    MatchingEvents,
    model_from_sample,
    model_from_spec,
)
from framework.linting.issues import Issue, incomplete_check, nearest
from framework.linting.satisfiability import HeldTrigger, find_event
from framework.linting.segment_differences import difference
from framework.linting.type_scopes import TypeScope, check_path
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
class CheckedTrigger:
    """A checked trigger (None if it does not parse), the *model* of its events and its *issues*."""

    trigger: Trigger | None
    model: EventModel
    issues: tuple[Issue, ...]


def check_trigger(text: str, model: EventModel, budget: WorkBudget) -> CheckedTrigger:
    """Check the text of a trigger; the result contains the model of the events that match it.

    If the budget is exhausted, the last issue says so.
    """
    found: list[Issue] = []
    try:
        return _checked(text, model, budget, found)
    except TriggerError as error:
        return CheckedTrigger(None, model, (_syntax_error(error),))
    except BudgetExhausted:
        incomplete = incomplete_check("trigger", len(text))
        return CheckedTrigger(None, model, (*found, *_unreadable(text), incomplete))


def _syntax_error(error: TriggerError) -> Issue:
    message = str(error).partition("\n")[0]
    return Issue("AD411", "error", "trigger", message, offset=error.offset or 0, length=1)


def _unreadable(text: str) -> Iterator[Issue]:
    """Yield the syntax error of a trigger that is not checked in full."""
    try:
        parse(text)
    except TriggerError as error:
        yield _syntax_error(error)


def _checked(
    text: str, model: EventModel, budget: WorkBudget, issues: list[Issue]
) -> CheckedTrigger:
    budget.spend(3 * len(text))
    trigger = parse(text)
    issues += [_warning("AD412", remark, text, _quoted(remark)) for remark in trigger.remarks]
    issues += _foreign_constants(text)
    types = _matching_types(trigger, model, budget)
    if not types:
        return CheckedTrigger(trigger, model, (*issues, *_unsatisfiable(trigger, text)))
    issues += _unknown_types(trigger, text, budget)
    inner = _narrowed(trigger, model, types)
    issues += _unknown_fields(trigger, text, model if model.is_sample else inner, budget)
    inner = _refined(trigger, inner)
    try:
        issues += _trigger_issues_within(text, budget)
    except BudgetExhausted:
        issues.append(incomplete_check("trigger", len(text)))
    if model.is_sample and not any(map(trigger.matches, model.sample)):
        issues.append(_warning("AD419", "No event of the sample matches the trigger.", text, text))
    return CheckedTrigger(trigger, inner, tuple(issues))


_FOREIGN_CONSTANT: Final = re.compile(
    r"""(?:"[^"]*"|'[^']*')|(?:!=|=)\s*(?P<word>NULL|Null|None|nil|undefined|TRUE|True|FALSE|False)\b"""
    r"""(?![.\\-])"""
)


def _foreign_constants(text: str) -> Iterator[Issue]:
    """Yield unquoted words that are text here, but constants in other languages."""
    for match in _FOREIGN_CONSTANT.finditer(text):
        word = match["word"]
        if word:
            meant = word.lower() if word.lower() in {"true", "false"} else "null"
            message = f"`{word}` is text here, not a constant."
            hint = f"Write `{meant}`, or put quotes around it."
            place = match.start("word")
            yield Issue(
                "AD420", "warning", "trigger", message, hint, offset=place, length=len(word)
            )


def _trigger_issues_within(text: str, budget: WorkBudget) -> tuple[Issue, ...]:
    budget.spend(0)
    issues, steps = _trigger_issues(text)
    budget.spend_once(steps, text)
    if issues is None:
        raise BudgetExhausted
    return issues


@lru_cache(maxsize=512)
def _trigger_issues(text: str) -> tuple[tuple[Issue, ...] | None, int]:
    """Return the issues of a trigger that do not depend on the events, and the steps it took.

    The issues are None if the check took too many steps.
    """
    budget = WorkBudget(_OWN_STEPS)
    try:
        issues = (*_parts(parse(text), text, budget), *_segment_difference(text, budget))
    except BudgetExhausted:
        return None, _OWN_STEPS
    return issues, _OWN_STEPS - budget.left


def exclude_by_texts(one: Trigger, other: Trigger, budget: WorkBudget) -> bool:
    """Return whether two triggers require different strings in one field: no event matches both."""
    texts = [_texts_needed(trigger.tree) for trigger in (one, other)]
    budget.spend(2 * sum(len(some) for each in texts for some in each.values()))
    return any(texts[0][path].isdisjoint(texts[1][path]) for path in texts[0].keys() & texts[1])


def _texts_needed(tree: BooleanNode) -> Mapping[Path, frozenset[str]]:
    """Return the strings of which a field must have one in every event that matches."""
    match tree:
        case And(parts):
            return {path: texts for part in parts for path, texts in _texts_needed(part).items()}
        case Comparison(FieldNode(path), "=", ConstantNode(str() as value)):
            return {path: frozenset((value,))}
        case Comparison(FieldNode(path), "in", ConstantNode(tuple() as values)):
            if values and all(isinstance(value, str) for value in values):
                return {path: frozenset(map(str, values))}
    return {}


def find_overlap(one: Trigger, other: Trigger, budget: WorkBudget) -> Event | None:
    """Return an event that both triggers match, if the search finds one."""
    both = (HeldTrigger(one), HeldTrigger(other))
    return find_event(both, fixed={TYPE: EVENT_TYPES}, spend=budget.spend).event


def find_gap(one: Trigger, other: Trigger, budget: WorkBudget) -> Event | None:
    """Return an event in the gap between two triggers: with a number that neither accepts."""
    for path in sorted(one.paths & other.paths, key=str):
        budget.spend(len([*_conditions(one.tree), *_conditions(other.tree)]))
        first, second = _limits(one.tree, path), _limits(other.tree, path)
        limits = sorted({*first, *second})
        if not first or not second:
            continue
        between = [value for limit in limits for value in (limit - 1, limit, limit + 1)]
        between += [(a + b) / 2 for a, b in itertools.pairwise(limits)]
        gap = _gap(one, other, path, sorted(set(between)), budget)
        if gap:
            return gap
    return None


def _gap(
    one: Trigger, other: Trigger, path: Path, values: list[float], budget: WorkBudget
) -> Event | None:
    low, high = {path: values[0]}, {path: values[-1]}
    neither = (HeldTrigger(one, wanted=False), HeldTrigger(other, wanted=False))
    ways = [
        (HeldTrigger(below, instead=low), HeldTrigger(above, False, low),
         HeldTrigger(above, instead=high), HeldTrigger(below, False, high), *neither)
        for below, above in ((one, other), (other, one))
    ]  # fmt: skip
    fixed = {TYPE: EVENT_TYPES, path: values}
    return find_event(*ways, fixed=fixed, spend=budget.spend).event


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


def _matching_types(trigger: Trigger, model: EventModel, budget: WorkBudget) -> tuple[str, ...]:
    """Return the event types that may match."""
    known = () if model.is_sample else tuple(texts_in(enter(model.whole, "type")))
    known = known or EVENT_TYPES
    budget.spend(20 * len([*_conditions(trigger.tree)]))
    if TYPE not in trigger.paths:
        if trigger.matches({}):
            return known
        found = find_event((HeldTrigger(trigger),), spend=budget.spend)
        return known if found.event is not None or not found.is_certain else ()
    parts = trigger.tree.parts if isinstance(trigger.tree, And) else (trigger.tree,)
    sure = [part for part in parts if Trigger(part).paths == {TYPE}]
    left = [name for name in known if all(evaluate(part, {"type": name}) for part in sure)]
    matching = set[str]()
    for names in _indistinguishable(trigger, left, budget):
        if trigger.matches({"type": names[0]}):
            matching |= set(names)
            continue
        found = find_event((HeldTrigger(trigger),), fixed={TYPE: names[:1]}, spend=budget.spend)
        matching |= set(names) if found.event is not None or not found.is_certain else set()
    return tuple(name for name in left if name in matching)


def _indistinguishable(
    trigger: Trigger, names: Sequence[str], budget: WorkBudget
) -> list[list[str]]:
    """Return the event types in groups that no condition of a trigger distinguishes."""
    single = [node for node in _conditions(trigger.tree) if not isinstance(node, And | Or | Not)]
    read = [{each.path for each in walk(node) if isinstance(each, FieldNode)} for node in single]
    atoms = [node for node, paths in zip(single, read, strict=True) if TYPE in paths]
    budget.spend(30 * len(atoms) * len(names))
    if any(TYPE in paths and len(paths) > 1 for paths in read):
        return [[name] for name in names]
    groups: dict[tuple[bool, ...], list[str]] = {}
    for name in names:
        event = {"type": name}
        truths = (evaluate(each, event) for atom in atoms for each in (atom, Not(atom)))
        groups.setdefault(tuple(truths), []).append(name)
    return list(groups.values())


def _narrowed(trigger: Trigger, model: EventModel, types: tuple[str, ...]) -> EventModel:
    if model.is_sample:
        matching = model_from_sample(MatchingEvents(model.sample, trigger.matches))
        return matching if matching.is_sample else model
    if model.source == "spec":
        return replace(model, whole=model_from_spec(types).whole)
    return model


def _refined(trigger: Trigger, model: EventModel) -> EventModel:
    """Return the model with the facts that the trigger states about fields."""
    if model.is_sample:
        return model
    whole = model.whole
    for path, fact in _facts(trigger.tree).items():
        if len(path.parts) <= MAX_LEVELS and not any(part.isdecimal() for part in path.parts):
            whole = refine(whole, path.parts, fact)
    return replace(model, whole=whole)


def _facts(tree: BooleanNode) -> Mapping[Path, Type]:
    """Return the types of fields in every event that matches."""
    match tree:
        case And(parts):
            return {path: fact for part in parts for path, fact in _facts(part).items()}
        case Comparison(FieldNode(path), "=", ConstantNode(str() as value)) if value:
            return {path: constant(value)}
        case Comparison(FieldNode(path), "in", ConstantNode(tuple() as values)):
            if values and all(isinstance(value, str) and value for value in values):
                return {path: join(*map(constant, values))}
    return {}


def _unsatisfiable(trigger: Trigger, text: str) -> Iterator[Issue]:
    for node in _conditions(trigger.tree):
        match node:
            case Comparison(FieldNode(Path(("type",))), "=", ConstantNode(str() as name)):
                if name not in EVENT_TYPES:
                    message = f'No event has the type "{name}".'
                    yield _marked("AD414", "error", message, _type_hint(node), text, name)
                    return
    message = "The trigger can never match: its conditions contradict each other."
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
    trigger: Trigger, text: str, model: EventModel, budget: WorkBudget
) -> Iterator[Issue]:
    for path in sorted(trigger.paths, key=str):
        noted: dict[Issue, None] = {}
        check_path(path, (), TypeScope(model.whole, noted, budget, model), path_in_trigger)
        for issue in noted:
            yield _marked("AD413", "warning", issue.message, issue.hint, text, ".".join(path.parts))


def path_in_trigger(path: Path) -> str:
    """Return a path as a trigger writes it; an empty string if it cannot."""
    try:
        return write(FieldNode(path))
    except TriggerError:
        return ""


def _parts(trigger: Trigger, text: str, budget: WorkBudget) -> Iterator[Issue]:
    """Yield alternatives that are never true and conditions that always are."""
    fixed = {TYPE: EVENT_TYPES} if TYPE in trigger.paths else {}
    unmatched = HeldTrigger(trigger, wanted=False)
    whole = find_event((unmatched,), fixed=fixed, spend=budget.spend)
    if whole.event is None and whole.is_certain:
        if _selects_all(trigger.tree):
            return
        message = "The trigger matches every event."
        yield _marked("AD415", "warning", message, "", text, text)
        return
    for node in _conditions(trigger.tree):
        for part in node.parts if isinstance(node, And | Or) else ():
            single = Trigger(part)
            own = {TYPE: EVENT_TYPES} if TYPE in single.paths else {}
            never = find_event((HeldTrigger(single),), fixed=own, spend=budget.spend)
            always = find_event((HeldTrigger(single, wanted=False),), fixed=own, spend=budget.spend)
            shown = _short(write(part))
            if isinstance(node, Or) and never.event is None and never.is_certain:
                message = f"`{shown}` is never true."
                yield _marked("AD414", "warning", message, _type_hint(part), text, write(part))
            if isinstance(node, And) and always.event is None and always.is_certain:
                message = f"`{shown}` is always true."
                yield _marked("AD415", "warning", message, "Remove it.", text, write(part))


def _selects_all(tree: BooleanNode) -> bool:
    """Return whether a trigger is the one that is written to match every event."""
    match tree:
        case Comparison(FieldNode(Path(("type",))), "!=", ConstantNode("")):
            return True
    return False


def _unknown_types(trigger: Trigger, text: str, budget: WorkBudget) -> Iterator[Issue]:
    """Yield unknown event types in lists."""
    for node in _conditions(trigger.tree):
        match node:
            case Comparison(FieldNode(Path(("type",))), "in", ConstantNode(tuple() as names)):
                for name in names:
                    if name not in EVENT_TYPES:
                        budget.compare(str(name), EVENT_TYPES)
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


def _segment_difference(text: str, budget: WorkBudget) -> Iterator[Issue]:
    budget.spend(5 * len(text))
    try:
        found = difference(text, budget.spend)
    except TriggerError:
        return
    if found:
        yield _marked("AD416", "hint", found.message, "", text, text)


def _warning(code: str, message: str, text: str, part: str) -> Issue:
    return _marked(code, "warning", message, "", text, part)


def _marked(  # noqa: PLR0913, PLR0917 - an issue has these parts
    code: str, severity: Severity, message: str, hint: str, text: str, part: str
) -> Issue:
    """Return an issue that underlines *part* if the text contains it, else the whole text."""
    offset = text.find(part) if part else -1
    length = len(part) if offset >= 0 else len(text)
    return Issue(code, severity, "trigger", message, hint, offset=max(offset, 0), length=length)


def _quoted(remark: str) -> str:
    return remark.split("`")[1] if "`" in remark else ""


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def shown_event(event: Event) -> str:
    """Return an event as short JSON."""
    return json.dumps(event, ensure_ascii=False)
