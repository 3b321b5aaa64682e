"""Random values of a type, random fields and random mappings, for the tests of the checks."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from framework.definition import Condition, Field
from framework.definition.fields import Conditions
from framework.linting.value_types import Type
from framework.paths import JSON, MISSING

TEXTS = (
    "",
    "a",
    "7",
    "1e3",
    "true",
    "a@b.example",
    "2024-03-05T06:07:08Z",
    "https://x.example",
    "x y",
)
FORMATS: Mapping[str, tuple[str, ...]] = {
    "date-time": ("2024-03-05T06:07:08Z", "2024-03-05T06:07:08.123+01:00"),
    "date": ("2024-03-05",),
    "email": ("a@b.example",),
    "uri": ("https://x.example/a",),
}
PATHS = (
    "$.userId", "$.anonymousId", "$.messageId", "$.timestamp", "$.event", "$.type", "$.context",
    "$.context.ip", "$.context.traits", "$.context.traits.email", "$.context.page.url",
    "$.properties", "$.properties.total", "$.properties.products", "$.properties.products[0].sku",
    "$.traits", "$.traits.email", "$.groupId", "$.version", "$.no.such", "$.context.active", "$",
)  # fmt: skip


def seeded(seed: int) -> Random:
    """Return a generator with deterministic choices."""
    return Random(seed)  # noqa: S311 - for tests, not for secrets


def value_of(random: Random, found: Type, depth: int = 0) -> JSON:
    """Return a value of a type, or MISSING."""
    ways: list[str] = []
    ways += ["missing"] if found.missing else []
    ways += ["null"] if found.null else []
    ways += ["boolean"] if found.boolean else []
    ways += ["number"] if found.number else []
    ways += ["text"] if found.text else []
    ways += ["list"] if found.items is not None else []
    ways += ["object"] * 3 if found.members is not None and depth < 6 else []
    ways += ["value"] if found.values else []
    assert ways or depth >= 6, "there is no value"
    return _value(random, random.choice(ways or ["value"]), found, depth)


def _value(random: Random, way: str, found: Type, depth: int) -> JSON:
    if way == "number":
        whole = random.choice((0, 1, 5, -3, 10**6))
        return whole if found.number == "integer" else random.choice((whole, 0.5, 2.0))
    if way == "text" and found.text:
        formed = FORMATS.get(found.text.format or "")
        return random.choice(formed or [text for text in TEXTS if text or not found.text.nonempty])
    if way == "list" and found.items is not None:
        many = random.randrange(3) if depth < 4 else 0
        items = [value_of(random, found.items, depth + 2) for _ in range(many)]
        return [item for item in items if item is not MISSING]
    if way == "object":
        return _object(random, found, depth)
    simple = {"missing": MISSING, "null": None, "boolean": random.random() < 0.5}
    return simple[way] if way in simple else random.choice(found.values or ({},))


def _object(random: Random, found: Type, depth: int) -> dict[str, JSON]:
    assert found.members
    made = {key: value_of(random, inner, depth + 1) for key, inner in found.members.known.items()}
    if found.members.rest is None or found.members.rest.is_present:
        for key in random.sample(("total", "products", "sku", "email", "z"), random.randrange(3)):
            if key not in made:
                made[key] = value_of(random, found.members.get(key), depth + 2)
    return {key: value for key, value in made.items() if value is not MISSING}


def mapping_of(random: Random, depth: int = 0) -> JSON:
    """Return a random part of a mapping."""
    if depth > 2 or random.random() < 0.35:
        return random.choice(
            ({"@path": random.choice(PATHS)}, {"@path": random.choice(PATHS)}, _constant(random))
        )

    def inner() -> JSON:
        return mapping_of(random, depth + 1)

    text = random.choice(("{{userId}}", "{{ event }}", "x{{properties}}", "{{type}} {{no}}", "k"))
    return random.choice(
        (
            lambda: {"@template": text},
            lambda: {"@literal": inner()},
            lambda: {"@if": _if(random, inner)},
            lambda: {"@if": _if(random, inner)},
            lambda: {"@case": {"operator": "lower", "value": _directive(inner(), "$.event")}},
            lambda: {"@replace": {"pattern": "a", "value": _directive(inner(), "$.type")}},
            lambda: {"@merge": {"direction": random.choice(("left", "right")), "objects": [
                _directive(inner(), "$.traits"), {"a": inner(), "b": inner()}]}},
            lambda: {"@flatten": {"value": inner(), "separator": "."}},
            lambda: {"@json": {"mode": random.choice(("encode", "decode")), "value": inner()}},
            lambda: {"@excludeWhenNull": inner()},
            lambda: {"@transform": {"apply": {"a": inner(), "userId": inner()}, "mapping": {
                "a": {"@path": "$.a"}, "b": inner()}}},
            lambda: {"@arrayPath": ["$.properties.products", {"sku": {"@path": "$.sku"}}]},
            lambda: {"@arrayPath": [_directive(inner(), "$.context"), {"a": inner()}]},
            lambda: {"a": inner(), "b": inner()},
            lambda: [inner(), inner()],
        )
    )()  # fmt: skip


def _if(random: Random, inner: Any) -> dict[str, JSON]:
    path = {"@path": random.choice(PATHS)}
    test = random.choice(("exists", "blank"))
    return {test: random.choice((path, inner())) or 1, "then": random.choice((path, inner())),
            "else": inner()}  # fmt: skip


def _directive(part: JSON, path: str) -> JSON:
    """Return the part if it is a directive, for places that require one."""
    single = isinstance(part, dict) and any(key.startswith("@") for key in part)
    return part if single else {"@path": path}


def _constant(random: Random) -> JSON:
    return random.choice(("", "a", "7", 5, 0, 2.5, True, False, None, [], ["a"], {}, {"a": 1}))


def field_of(random: Random, depth: int = 0) -> Field:
    """Return a random field."""
    kind = random.choice(
        ("string", "string", "text", "number", "integer", "boolean", "datetime", "object")
    )
    options: dict[str, Any] = {
        "type": kind,
        "required": random.random() < 0.25,
        "multiple": random.random() < 0.25,
        "nullable": random.random() < 0.2,
    }
    if kind == "string" and random.random() < 0.3:
        options |= random.choice(
            ({"format": "email"}, {"format": "uri"}, {"minimum": 1}, {"maximum": 40},
             {"choices": ("a", "track")}, {"pattern": "^[a-z@]"})
        )  # fmt: skip
    if kind in {"number", "integer"} and random.random() < 0.3:
        options |= random.choice(({"minimum": 0}, {"maximum": 10}, {"choices": (1, 5)}))
    if kind == "object" and depth < 2 and random.random() < 0.6:
        options["properties"] = {key: field_of(random, depth + 1) for key in ("a", "email")}
    return Field(**options)


def conditional(random: Random, fields: Mapping[str, Field]) -> Conditions:
    """Return random conditions on some fields."""
    key = random.choice(tuple(fields))
    value = random.choice((MISSING, "a", 5, True))
    return Conditions((Condition(key, random.choice(("is", "is_not")), value),))
