"""Payloads and events generated from a field table, deterministic for a seed."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias

from framework.definition import Action, Field, compile_shape
from framework.errors import ConfigurationError
from framework.linting import Change, nearest_change
from framework.paths import JSON, MISSING, Event, Path
from framework.samples.events import make_event
from framework.triggers import parse

Which: TypeAlias = Literal["all", "required"]
"""The fields that get a value."""

_WORDS: Final = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron")
_PATTERNED: Final = ("12345", "2026-07", "A1", "a", "abc", "ABC", "EUR", "en-GB", "+441632960961")
_FORMATS: Final[Mapping[str, Callable[[str, int], str]]] = {
    "date": lambda _, number: f"2026-01-{number % 28 + 1:02}",
    "time": lambda _, number: f"12:{number % 60:02}:00Z",
    "date-time": lambda _, number: f"2026-01-15T12:{number % 60:02}:00Z",
    "uri": lambda word, number: f"https://{word}.example/{number}",
    "uri-reference": lambda word, number: f"/{word}/{number}",
    "uri-template": lambda word, _: f"/{word}/{{id}}",
    "email": lambda word, number: f"{word}.{number}@example.com",
    "hostname": lambda word, _: f"{word}.example",
    "ipv4": lambda _, number: f"203.0.113.{number % 256}",
    "ipv6": lambda _, number: f"2001:db8::{number % 65536:x}",
    "regex": lambda word, _: f"^{word}$",
    "uuid": lambda _, number: f"{number:08x}-0000-4000-8000-000000000000",
}


def generate_payload(
    fields: Mapping[str, Field], seed: int = 0, which: Which = "all"
) -> dict[str, JSON]:
    """Return values that the fields accept, for all fields or for the required ones.

    Conditionally required fields have a value if their condition is true.
    Raises ConfigurationError for a pattern without a known matching value.
    """
    chance = random.Random(seed)  # noqa: S311 - deterministic on purpose
    made = {
        key: value
        for key, field in fields.items()
        if (value := _value(key, field, chance, which)) is not MISSING
        if which == "all" or field.required is True
    }
    return _completed(made, fields, chance)


def generate_event(
    action: Action,
    seed: int = 0,
    which: Which = "all",
    *,
    trigger: str | None = None,
    mapping: Mapping[str, JSON] | None = None,
) -> Event:
    """Return an event that an action maps to a payload that its fields accept.

    The event has the values at the paths that the mapping reads by `@path`, unless the trigger
    requires others; what is inside of another value, such as `$.traits.email` of `$.traits`, is
    added to it. *trigger* and *mapping* override the action's own.
    """
    raw = {**action.default_mapping, **(mapping or {})}
    text = trigger if trigger is not None else action.trigger
    event = make_event("track")
    changes = []
    for key, value in generate_payload(action.fields, seed, which).items():
        expression = raw.get(key)
        path = expression.get("@path") if isinstance(expression, dict) else None
        if isinstance(path, str):
            changes.append(Change(Path.parse(path), value))
    for change in sorted(changes, key=lambda one: len(one.path.parts)):
        event = change.apply(event)
    for change in (nearest_change(parse(text), event) if text is not None else None) or ():
        event = change.apply(event)
    return event


def _completed(
    made: dict[str, JSON], fields: Mapping[str, Field], chance: random.Random
) -> dict[str, JSON]:
    """Add the fields that the existing values and the defaults of others require."""
    shape = compile_shape(fields)
    defaults = {key: one.default for key, one in fields.items() if one.default is not None}
    for _ in fields:
        _, problems = shape.interpret({**defaults, **made})
        missing = {str(one.path[0]) for one in problems if one.code == "required"} - made.keys()
        if not missing:
            break
        for key in sorted(missing & fields.keys()):
            made[key] = _value(key, fields[key], chance, "required")
    return made


def _value(key: str, field: Field, chance: random.Random, which: Which) -> Any:
    one = _one(key, field, chance, which)
    if one is MISSING or not field.multiple:
        return one
    return [one]


def _one(key: str, field: Field, chance: random.Random, which: Which) -> Any:
    if field.default is not None and not field.multiple and field.type != "object":
        return field.default
    if field.choices:
        return chance.choice(field.choices).value
    return _KINDS[field.type](key, field, chance, which)


def _text(key: str, field: Field, chance: random.Random, _: Which) -> JSON:
    word, number = chance.choice(_WORDS), chance.randrange(1, 10_000)
    if field.pattern is not None:
        return _patterned(key, field.pattern)
    if field.format is not None and field.format in _FORMATS:
        return _FORMATS[field.format](word, number)
    if "email" in key.lower():
        return _FORMATS["email"](word, number)
    text = f"{word}-{number}"
    low, high = int(field.minimum or 0), field.maximum
    text = text.ljust(low, "x")
    return text if high is None else text[: int(high)]


def _patterned(key: str, pattern: str) -> str:
    for candidate in _PATTERNED:
        if re.search(pattern, candidate):
            return candidate
    raise ConfigurationError(f"No sample value for field `{key}` matches the pattern `{pattern}`.")


def _number(_: str, field: Field, chance: random.Random, __: Which) -> JSON:
    low = field.minimum if field.minimum is not None else min(1.0, field.maximum or 1.0)
    high = field.maximum if field.maximum is not None else low + 1_000
    if field.type == "integer":
        return chance.randint(-int(-low // 1), int(high // 1))
    return round(chance.uniform(low, high), 2) if high - low > 1 else low


def _object(_: str, field: Field, chance: random.Random, which: Which) -> JSON:
    if not field.properties:
        return {chance.choice(_WORDS): chance.choice(_WORDS)}
    inner = {
        key: _value(key, one, chance, which)
        for key, one in field.properties.items()
        if which == "all" or one.required is True
    }
    return {key: value for key, value in inner.items() if value is not MISSING}


def _boolean(_: str, __: Field, chance: random.Random, ___: Which) -> JSON:
    return chance.random() < 0.5


def _moment(_: str, field: Field, chance: random.Random, __: Which) -> JSON:
    form = field.format if field.format in {"date", "time"} else "date-time"
    return _FORMATS[form]("", chance.randrange(1, 10_000))


_KINDS: Final[Mapping[str, Callable[[str, Field, random.Random, Which], JSON]]] = {
    "string": _text,
    "text": _text,
    "password": _text,
    "number": _number,
    "integer": _number,
    "boolean": _boolean,
    "datetime": _moment,
    "object": _object,
}
