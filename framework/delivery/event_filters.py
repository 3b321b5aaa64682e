"""Destination filters at work: which events a connection drops, and what it removes from others.

Filters are asked before subscriptions. Their actions are applied by type, in the order that
Segment documents for its destination filters: SAMPLE, DROP, DROP_PROPERTIES, ALLOW_PROPERTIES.
Conditions are tested on the event as it arrived, so that the order of filters does not matter.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from framework.definition import (
    ALL_EVENTS,
    FILTER_TYPES,
    DestinationFilter,
    FilterAction,
    FilterType,
    as_condition,
)
from framework.delivery.permission import Permission, is_deletion
from framework.delivery.report import Completion
from framework.errors import ConfigurationError, FrameworkError
from framework.paths import JSON, MISSING, Event, Path
from framework.results import Skipped
from framework.triggers import parse

_Effect: TypeAlias = Callable[[Event, Event], Event | Skipped]
"""Takes an event as it arrived and as it is now; returns it as it is then, or its result."""

_WORD: Final = 2**64


@dataclass(frozen=True, slots=True)
class FilterStep:
    """An action of the filter called *filter* on one event, for people.

    *index* is that of the filter in the connection, from 0. *matched* says whether the event meets
    the condition, *effect* what was done, in words; it is empty if nothing was.
    """

    index: int
    filter: str
    condition: str
    type: FilterType
    matched: bool
    effect: str = ""

    def to_json(self) -> dict[str, JSON]:
        """Return the step as a JSON object."""
        return {
            "index": self.index,
            "filter": self.filter,
            "condition": self.condition,
            "type": self.type,
            "matched": self.matched,
            "effect": self.effect,
        }


@dataclass(frozen=True, slots=True)
class _Stage:
    """One action, compiled; *index* is that of its filter."""

    index: int
    name: str
    condition: str
    action: FilterAction
    matches: Callable[[Event], bool]
    effect: _Effect


class EventFilters:
    """The enabled filters of a connection, compiled.

    Raises ConfigurationError with the problems of all conditions that do not parse.
    """

    def __init__(self, filters: Sequence[DestinationFilter], permission: Permission) -> None:
        self._filters = tuple(one for one in filters if one.enabled)
        self._permission = permission
        stages = [*_compiled(filters)]
        self._stages = sorted(stages, key=lambda one: FILTER_TYPES.index(one.action.type))

    def __bool__(self) -> bool:
        return bool(self._stages)

    @property
    def identity(self) -> JSON:
        """What distinguishes the filters from others, as JSON."""
        return [(one.condition, [part.to_json() for part in one.actions]) for one in self._filters]

    def apply(self, event: Event) -> Event | Skipped:
        """Return an event without what the filters remove, or its result if they drop it.

        The event itself is not changed. Requests to delete a user are returned as they are. An
        event that loses fields is asked for permission with them, since `integrations` and
        `context.consent` may be among them.
        """
        if is_deletion(event):
            return event
        kept: Event = event
        for stage in self._stages:
            if stage.matches(event):
                made = stage.effect(event, kept)
                if isinstance(made, Skipped):
                    return made
                kept = made
        if kept is not event:
            return self._permission.refusal(event) or kept
        return kept

    def steps(self, event: Event) -> Iterator[FilterStep]:
        """Yield what each action does with an event, until one drops it."""
        kept: Event = event
        for stage in self._stages:
            matched = stage.matches(event)
            made = stage.effect(event, kept) if matched else kept
            effect = _effect_text(stage.action, kept, made) if matched else ""
            kind = stage.action.type
            yield FilterStep(stage.index, stage.name, stage.condition, kind, matched, effect)
            if isinstance(made, Skipped):
                return
            kept = made

    def select(
        self, events: Sequence[Event], positions: Sequence[int], subscriptions: int
    ) -> tuple[list[Event], list[int], list[Completion]]:
        """Return the events that remain with their positions, and the completions of the others.

        Those that are dropped have their result in each of that many *subscriptions*.
        """
        left: list[Event] = []
        places: list[int] = []
        dropped: dict[Skipped, list[int]] = {}
        apply = self.apply
        for position, event in zip(positions, events, strict=True):
            made = apply(event)
            if isinstance(made, Skipped):
                dropped.setdefault(made, []).append(position)
            else:
                left.append(made)
                places.append(position)
        completions = [
            Completion(index, several, result)
            for result, several in dropped.items()
            for index in range(subscriptions)
        ]
        return left, places, completions


def _compiled(filters: Sequence[DestinationFilter]) -> Iterator[_Stage]:
    problems: list[str] = []
    for index, one in enumerate(filters):
        if not one.enabled:
            continue
        name = one.title or f"number {index + 1}"
        try:
            matches = _condition(one.condition)
        except FrameworkError as error:
            problems.append(f"Filter `{name}`: {as_condition(str(error))}")
            continue
        for action in one.actions:
            yield _Stage(index, name, one.condition, action, matches, _effect(name, action))
    if problems:
        raise ConfigurationError("\n".join(problems), problems)


def _condition(text: str) -> Callable[[Event], bool]:
    if text.strip() == ALL_EVENTS:
        return lambda _: True
    return parse(text).matches


def _effect(name: str, action: FilterAction) -> _Effect:
    if action.type == "DROP":
        dropped = Skipped("FILTERED", f"The filter `{name}` drops the event.")
        return lambda _, __: dropped
    if action.type == "SAMPLE":
        return _sampling(name, action)
    edit = _without if action.type == "DROP_PROPERTIES" else _only
    edits = [(Path.parse(path).parts, frozenset(names)) for path, names in action.fields.items()]

    def change(_: Event, event: Event) -> Event:
        for parts, names in edits:
            event = _edited(event, parts, lambda inner, names=names: edit(inner, names))  # type: ignore[misc]
        return event

    return change


# Sampling


def _sampling(name: str, action: FilterAction) -> _Effect:
    share, path = action.percent, Path.parse(action.path) if action.path else None
    by = f"`{path}`" if path else "message ID"
    reason = f"The filter `{name}` keeps {share * 100:g}% of the events by {by}, without this one."
    left_out = Skipped("SAMPLED", reason)

    def sample(arrived: Event, event: Event) -> Event | Skipped:
        return event if share >= 1 or _place(arrived, path, name) < share else left_out

    return sample


def _place(event: Event, path: Path | None, name: str) -> float:
    """Return the place of an event among all, from 0 to below 1; it is kept below the share.

    Events with equal values at the path have the same place: the first 64 bits of the MD5 of the
    value as JSON, as in Segment's sampler (`segmentio/tsub-js`, `transformers.ts`). Without a
    path, or with null or no value there, the message ID decides in its place, so that a repeated
    delivery keeps the same events; the filter's name lets filters choose independently.
    """
    value = None if path is None else path.get(event)
    if value is None or value is MISSING:
        own = event.get("messageId") if isinstance(event, dict) else None
        value = [name, event if own is None else own]
    text = json.dumps(_plain(value), separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.md5(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()
    return int.from_bytes(digest[:8], "big") / _WORD


def _plain(value: JSON) -> JSON:
    """Return a value with whole numbers as integers, as JavaScript writes them."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


# Removing fields


def _without(inner: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {key: one for key, one in inner.items() if key not in names}


def _only(inner: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {key: one for key, one in inner.items() if key in names}


def _edited(value: Any, parts: Sequence[str], edit: Callable[[Any], Any]) -> Any:
    """Return a value with the objects at a path edited, those of a list there each.

    The value itself is not changed, and is returned if nothing in it is.
    """
    if isinstance(value, list) and (not parts or not parts[0].isdecimal()):
        items = [_edited(one, parts, edit) if isinstance(one, dict) else one for one in value]
        same = all(one is other for one, other in zip(items, value, strict=True))
        return value if same else items
    if isinstance(value, list):
        place = int(parts[0])
        if place >= len(value):
            return value
        inner = _edited(value[place], parts[1:], edit)
        return value if inner is value[place] else [*value[:place], inner, *value[place + 1 :]]
    if not isinstance(value, dict):
        return value
    if not parts:
        made = edit(value)
        return value if len(made) == len(value) else made
    found = value.get(parts[0], MISSING)
    inner = _edited(found, parts[1:], edit)
    return value if inner is found else {**value, parts[0]: inner}


def _effect_text(action: FilterAction, before: Event, after: Event | Skipped) -> str:
    """Return what an action did with an event, in words."""
    if isinstance(after, Skipped):
        return after.reason
    if action.type == "SAMPLE":
        return "The event is kept."
    if after is before:
        return "Nothing to remove."
    gone = [
        str(Path((*Path.parse(path).parts, name)))
        for path in action.fields
        for name in _removed(Path.parse(path).get(before), Path.parse(path).get(after))
    ]
    return f"Removed {', '.join(f'`{one}`' for one in gone)}." if gone else "Fields are removed."


def _removed(before: JSON, after: JSON) -> list[str]:
    """Return the keys of the objects at one place that are gone."""
    if isinstance(before, list) and isinstance(after, list):
        lost = [key for pair in zip(before, after, strict=True) for key in _removed(*pair)]
        return [*dict.fromkeys(lost)]
    if isinstance(before, dict) and isinstance(after, dict):
        return [key for key in before if key not in after]
    return []
