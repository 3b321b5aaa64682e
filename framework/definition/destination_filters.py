"""Destination filters: events that a connection drops or samples, and fields that it removes.

The form is that of Segment's Public API (`GET /destination/{id}/filters`): a condition `if` in
Segment's Filter Query Language, and `actions` of the types DROP, SAMPLE, ALLOW_PROPERTIES and
DROP_PROPERTIES.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias, get_args

from framework.errors import ConfigurationError
from framework.paths import JSON, Path

FilterType: TypeAlias = Literal["SAMPLE", "DROP", "DROP_PROPERTIES", "ALLOW_PROPERTIES"]

FILTER_TYPES: Final[tuple[str, ...]] = get_args(FilterType)
"""The types of actions, in the order in which Segment documents that they are applied."""

ALL_EVENTS: Final = "all"
"""The condition that every event meets; Segment's exports contain it."""

MAX_FILTERS: Final = 50
"""Filters that a connection may have."""

FilterFault: TypeAlias = Literal["kind", "missing", "unknown", "value"]
"""The kind of a problem: wrong type, missing or unknown key, or any other value."""

_FILTER_KEYS: Final = ("title", "description", "if", "enabled", "actions")
_OF_HOST: Final = frozenset({"id", "sourceId", "destinationId", "createdAt", "updatedAt"})
_ACTION_KEYS: Final = ("type", "percent", "path", "fields")
_HUNDRED: Final = 100
_EDITS: Final = frozenset({"DROP_PROPERTIES", "ALLOW_PROPERTIES"})


@dataclass(frozen=True, slots=True)
class FilterAction:
    """One action of a filter.

    SAMPLE keeps the share *percent*, from 0 to 1, of the events; those with equal values at *path*
    together. DROP_PROPERTIES and ALLOW_PROPERTIES remove or keep *fields*: names by the path of
    their object, the empty path for the event itself.
    """

    type: FilterType
    percent: float = 1.0
    path: str = ""
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def to_json(self) -> dict[str, JSON]:
        """Return the action in the form of the Public API."""
        if self.type == "SAMPLE":
            return {"type": self.type, "percent": self.percent} | (
                {"path": self.path} if self.path else {}
            )
        if self.type == "DROP":
            return {"type": self.type}
        return {"type": self.type, "fields": {key: [*one] for key, one in self.fields.items()}}


@dataclass(frozen=True, slots=True)
class DestinationFilter:
    """The *actions* for events that meet a *condition*: a trigger, or `all`."""

    condition: str
    actions: tuple[FilterAction, ...]
    title: str = ""
    enabled: bool = True
    description: str = ""

    def to_json(self) -> dict[str, JSON]:
        """Return the filter in the form of the Public API and of connection files."""
        told = {"title": self.title, "description": self.description}
        return {
            **{key: text for key, text in told.items() if text},
            "if": self.condition,
            **({} if self.enabled else {"enabled": False}),
            "actions": [action.to_json() for action in self.actions],
        }


@dataclass(frozen=True, slots=True)
class FilterProblem:
    """A problem of a filter: its *place* inside of it, and for unknown keys the *known* ones."""

    fault: FilterFault
    place: tuple[str | int, ...]
    message: str
    hint: str = ""
    known: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


def read_filters(documents: Sequence[JSON]) -> tuple[DestinationFilter, ...]:
    """Return the filters that JSON objects describe; raises ConfigurationError with all problems.

    Keys that only the host uses, such as ids, are ignored.
    """
    found = [read_filter(document, f"filters[{n}]") for n, document in enumerate(documents)]
    problems = [str(one) for _, several in found for one in several]
    if len(documents) > MAX_FILTERS:
        problems.append(f"A connection has at most {MAX_FILTERS} filters, got {len(documents)}.")
    if problems:
        raise ConfigurationError("\n".join(problems), problems)
    return tuple(one for one, _ in found if one)


def read_filter(
    document: JSON, name: str = "filter"
) -> tuple[DestinationFilter | None, tuple[FilterProblem, ...]]:
    """Return the filter that a JSON object describes, and every problem; None if there are any.

    *name* is how messages call it. Conditions are parsed when a connection is opened.
    """
    problems = tuple(_filter_problems(document, name))
    if problems:
        return None, problems
    actions = tuple(_action(one) for one in document["actions"])
    return DestinationFilter(
        condition=document["if"],
        actions=actions,
        title=document.get("title") or "",
        enabled=document.get("enabled") is not False,
        description=document.get("description") or "",
    ), ()


def _action(document: Mapping[str, JSON]) -> FilterAction:
    given = {key: one for key, one in document.items() if one is not None}
    if "fields" in given:
        given["fields"] = {path: tuple(names) for path, names in given["fields"].items()}
    return FilterAction(**given)


def _filter_problems(document: JSON, name: str) -> Iterator[FilterProblem]:
    if not isinstance(document, dict):
        yield FilterProblem("kind", (), f"`{name}` must be an object.")
        return
    yield from _unknown(document, _FILTER_KEYS, (), "A filter")
    for key in ("title", "description"):
        if not isinstance(document.get(key), str | None):
            yield FilterProblem("kind", (key,), f"`{name}.{key}` must be a string.")
    if not isinstance(document.get("enabled"), bool | None):
        yield FilterProblem("kind", ("enabled",), f"`{name}.enabled` must be true or false.")
    yield from _condition_problems(document.get("if"), f"{name}.if")
    actions = document.get("actions")
    if not actions:
        yield FilterProblem("missing", ("actions",), f"`{name}.actions` is required.")
    elif not isinstance(actions, list):
        yield FilterProblem("kind", ("actions",), f"`{name}.actions` must be a list.")
    else:
        for index, action in enumerate(actions):
            yield from _action_problems(action, ("actions", index), f"{name}.actions[{index}]")


def as_condition(message: str) -> str:
    """Return the message of a trigger that does not parse as one of a filter's condition."""
    every = "every event matches `{}`"
    return message.replace(every.format('type != ""'), every.format(ALL_EVENTS))


def _condition_problems(condition: JSON, name: str) -> Iterator[FilterProblem]:
    if condition is None or condition == "":
        hint = f"Write `if: {ALL_EVENTS}` for every event."
        yield FilterProblem("missing", ("if",), f"`{name}` is required.", hint)
    elif not isinstance(condition, str):
        yield FilterProblem("kind", ("if",), f"`{name}` must be a string.")


def _action_problems(
    action: JSON, place: tuple[str | int, ...], name: str
) -> Iterator[FilterProblem]:
    if not isinstance(action, dict):
        yield FilterProblem("kind", place, f"`{name}` must be an object.")
        return
    yield from _unknown(action, _ACTION_KEYS, place, "An action of a filter")
    kind = action.get("type")
    if kind is None:
        yield FilterProblem("missing", (*place, "type"), f"`{name}.type` is required.")
        return
    if kind not in FILTER_TYPES:
        text = f"`{name}.type` must be one of {', '.join(FILTER_TYPES)}."
        yield FilterProblem("value", (*place, "type"), text)
        return
    wanted = ("fields",) if kind in _EDITS else ("percent", "path") if kind == "SAMPLE" else ()
    for key in _ACTION_KEYS[1:]:
        if key not in wanted and action.get(key) is not None:
            text = f"`{name}.{key}` has no effect on an action of type {kind}."
            yield FilterProblem("value", (*place, key), text, "Leave it out.")
    if wanted and action.get(wanted[0]) is None:
        text = f"`{name}.{wanted[0]}` is required for an action of type {kind}."
        yield FilterProblem("missing", (*place, wanted[0]), text)
    if kind == "SAMPLE":
        yield from _sample_problems(action, place, name)
    elif kind in _EDITS and action.get("fields") is not None:
        yield from _fields_problems(action["fields"], (*place, "fields"), f"{name}.fields")


def _sample_problems(
    action: Mapping[str, Any], place: tuple[str | int, ...], name: str
) -> Iterator[FilterProblem]:
    percent = action.get("percent")
    if percent is not None and (isinstance(percent, bool) or not isinstance(percent, int | float)):
        yield FilterProblem("kind", (*place, "percent"), f"`{name}.percent` must be a number.")
    elif percent is not None and not 0 <= percent <= 1:
        hint = ""
        if 1 < percent <= _HUNDRED:
            hint = f"It is a share: write `{percent / 100:g}` for {percent:g} percent."
        text = f"`{name}.percent` must be from 0 to 1."
        yield FilterProblem("value", (*place, "percent"), text, hint)
    if not isinstance(action.get("path"), str | None):
        yield FilterProblem("kind", (*place, "path"), f"`{name}.path` must be a string.")


def _fields_problems(
    fields: JSON, place: tuple[str | int, ...], name: str
) -> Iterator[FilterProblem]:
    if not isinstance(fields, dict):
        hint = "Write names by the path of their object: `properties: [email]`."
        yield FilterProblem("kind", place, f"`{name}` must be an object.", hint)
        return
    if not fields:
        yield FilterProblem("missing", place, f"`{name}` names no field.")
    for path, names in fields.items():
        if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
            text = f"`{name}` must have a list of strings at `{path}`."
            yield FilterProblem("kind", (*place, path), text)


def _unknown(
    document: Mapping[str, JSON],
    known: tuple[str, ...],
    place: tuple[str | int, ...],
    what: str,
) -> Iterator[FilterProblem]:
    for key in document:
        if key not in known and key not in _OF_HOST:
            text = f"{what} has no key `{key}`."
            yield FilterProblem("unknown", (*place, key), text, known=known)


def filter_paths(action: FilterAction) -> Iterator[tuple[tuple[str | int, ...], Path]]:
    """Yield the paths of an event that an action reads or changes, by their place in the action."""
    if action.path:
        yield ("path",), Path.parse(action.path)
    for path, names in action.fields.items():
        inside = Path.parse(path).parts
        for index, name in enumerate(names):
            yield ("fields", path, index), Path((*inside, name))
