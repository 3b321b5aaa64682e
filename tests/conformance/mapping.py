"""Adapters for recorded cases of paths and mappings."""

from __future__ import annotations

from typing import Any

from framework.definition.coercion import equal_json
from framework.errors import MappingError, PayloadValidationError
from framework.mapping import check_mapping_shape, compile_mapping
from framework.paths import MISSING, Path

Case = dict[str, Any]


def _difference(ours: Any, theirs: Any) -> str | None:
    return None if equal_json(ours, theirs) else f"expected {theirs!r}, got {ours!r}"


def _value(expected: dict[str, Any], key: str) -> Any:
    return MISSING if expected.get("undefined") else expected[key]


def get(case: Case) -> str | None:
    """Look up a path: a string without `$.`, or a list of keys."""
    path, expected = case.get("path"), case["expected"]
    if path is None:
        return _difference(MISSING, _value(expected, "value"))
    if not isinstance(path, (str, list)):
        return None if "error" in expected else f"{path!r} is no path"
    parsed = Path.parse(f"$.{path}") if isinstance(path, str) else Path(tuple(map(str, path)))
    return _difference(parsed.get(case.get("data", MISSING)), _value(expected, "value"))


def transform(case: Case) -> str | None:
    """Map an event, compiled and interpreted; rejected events must be rejected.

    Problems of the shape have Segment's words, failures of an event have ours.
    """
    expected, event = case["expected"], case.get("data", {})
    try:
        mapping = compile_mapping(case.get("mapping"))
        ours = mapping.resolve(event)
        interpreted = mapping.interpret(event)
    except MappingError as error:
        return _refused(list(error.problems), expected, is_shape=True)
    except PayloadValidationError as error:
        return _refused([str(error)], expected, is_shape=False)
    if not equal_json(ours, interpreted):
        return f"compiled {ours!r}, interpreted {interpreted!r}"
    if "error" in expected:
        return f"expected {expected['error']['messages']!r}, got {ours!r}"
    return _difference(ours, _value(expected, "output"))


def _refused(ours: list[str], expected: dict[str, Any], *, is_shape: bool) -> str | None:
    theirs = expected.get("error")
    if theirs is None:
        return f"expected {expected!r}, refused: {ours!r}"
    if theirs["name"] in {"AggregateError", "ValidationError"} and is_shape:
        return _difference(sorted(ours), sorted(theirs["messages"]))
    return None


def mapping_validate(case: Case) -> str | None:
    """Check the shape of a mapping."""
    return _difference(
        sorted(check_mapping_shape(case["mapping"])), sorted(case["expected"]["errors"])
    )


ADAPTERS = {"get": get, "transform": transform, "mapping_validate": mapping_validate}
