"""Soundness of the checks: a mapping that cannot fail does not fail."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Callable

import pytest

from framework.definition import Action, Field, compile_shape
from framework.errors import FrameworkError, PayloadValidationError
from framework.linting import (
    EVENT_TYPES,
    check_mapping,
    model_from_sample,
    model_from_schema,
    model_from_spec,
)
from framework.mapping import compile_mapping
from framework.paths import JSON
from tests.framework.definition import events_of
from tests.framework.definition.events_of import seeded

PAIRS = int(os.environ.get("SOUNDNESS_PAIRS", "2000"))
EVENTS = 4
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["type", "event", "userId", "properties"],
    "properties": {
        "type": {"const": "track"},
        "event": {"enum": ["a", "b"]},
        "userId": {"type": "string", "minLength": 1},
        "timestamp": {"type": "string", "format": "date-time", "minLength": 1},
        "traits": {"type": "object", "properties": {"email": {"type": "string", "format": "email",
                                                              "minLength": 1}}},
        "properties": {
            "type": "object",
            "additionalProperties": {"type": ["number", "null"]},
            "required": ["total"],
            "properties": {
                "total": {"type": "integer"},
                "products": {"type": "array", "items": {"type": "object", "properties": {
                    "sku": {"type": "string"}}, "required": ["sku"]}},
            },
        },
        "version": {"anyOf": [{"type": "boolean"}, {"$ref": "#/$defs/v"}]},
    },
    "$defs": {"v": {"type": "number"}},
}  # fmt: skip


def test_what_cannot_fail_does_not() -> None:
    """With random fields, mappings and events, a mapping that cannot fail never does."""
    said: Counter[bool] = Counter()
    for seed in range(PAIRS // EVENTS):
        random = seeded(seed)
        model = random.choice(
            (
                model_from_schema(SCHEMA),
                model_from_spec([random.choice(EVENT_TYPES)]),
                model_from_spec(),
            )
        )
        keys = random.choice((("one",), ("one",), ("one", "two")))
        fields = {key: events_of.field_of(random) for key in keys}
        if "two" in fields:
            asked = events_of.conditional(random, fields)
            fields["two"] = dataclasses.replace(fields["two"], required=asked)
        mapping = {key: events_of.mapping_of(random) for key in fields if random.random() < 0.9}
        action = Action(slug="a", title="A", payload=fields)
        checked = check_mapping(action, mapping, model)
        said[checked.cannot_fail] += 1
        refused = refusals(fields, mapping)
        for _ in range(2 * EVENTS if checked.cannot_fail else 2):
            event = events_of.value_of(random, model.whole)
            refusal = refused(event)
            if checked.cannot_fail:
                assert refusal is None, (seed, refusal, mapping, event)
            elif any(issue.severity == "error" for issue in checked.issues):
                assert refusal is not None or _may_be_absent(checked.issues), (
                    seed, checked.issues, mapping, event,
                )  # fmt: skip
    assert said[True] > PAIRS / EVENTS / 6, "the promise is hardly ever made"


def _may_be_absent(issues: object) -> bool:
    """Return whether the failure is about a value that may be missing."""
    return "AD511" not in str(issues)


def refusals(fields: dict[str, Field], mapping: dict[str, JSON]) -> Callable[[JSON], str | None]:
    """Return the function that returns why an event fails."""
    try:
        resolve, shape = compile_mapping(mapping).resolve, compile_shape(fields)
    except FrameworkError as error:
        reason = f"not compiled: {error}"
        return lambda _event: reason

    def refused(event: JSON) -> str | None:
        try:
            shape.apply(resolve(event))
        except PayloadValidationError as error:
            return str(error)
        return None

    return refused


def test_a_sample_is_a_model() -> None:
    """Guarantees from a sample apply to events like those of the sample."""
    random = seeded(7)
    events = [events_of.value_of(random, model_from_schema(SCHEMA).whole) for _ in range(30)]
    model = model_from_sample(events)
    for seed in range(100):
        random = seeded(seed)
        fields = {"one": events_of.field_of(random)}
        mapping = {"one": events_of.mapping_of(random)}
        checked = check_mapping(Action(slug="a", title="A", payload=fields), mapping, model)
        if checked.cannot_fail:
            assert not list(filter(refusals(fields, mapping), events)), seed


@pytest.mark.parametrize("seed", range(3))
def test_values_of_a_type_are_valid(seed: int) -> None:
    """The generated events are valid by the schema of the model."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - needed here only

    event = events_of.value_of(seeded(seed), model_from_schema(SCHEMA).whole)
    Draft202012Validator(SCHEMA).validate(event)
