"""JSON bodies: requests are read within limits and validated, responses are always valid JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from framework.events import NotJSONError, parse
from framework.nesting import MAX_LEVELS, TOO_DEEP, is_nested_deeper
from framework.paths import JSON
from framework.tester.openapi import OPERATIONS, SCHEMAS, schema_of
from framework.tester.problems_json import ApiRefusal

MAX_DEPTH: Final = 100
"""Levels of a body, apart from the events in it."""

_EVENT_KEYS: Final = frozenset({"events", "event", "payload"})
_MOST_PROBLEMS: Final = 20
_SHOWN: Final = 80


def read_json(body: bytes) -> JSON:
    """Read a body, events in it as in files; raises ApiRefusal if it is not JSON or too deep."""
    try:
        value = parse(body, MAX_LEVELS + len(("body", "list")))
    except NotJSONError as error:
        raise ApiRefusal(400, "MALFORMED", f"The body {error.reason}") from None
    events, rest = _parted(value)
    if any(map(is_nested_deeper, events)):
        raise ApiRefusal(400, "MALFORMED", f"An event is {TOO_DEEP}.")
    if is_nested_deeper(rest, MAX_DEPTH):
        raise ApiRefusal(400, "MALFORMED", f"The body is nested more than {MAX_DEPTH} levels deep.")
    if not _is_finite(rest):
        raise ApiRefusal(400, "MALFORMED", "The body has a number that is too large.")
    return value


def _parted(body: JSON) -> tuple[list[JSON], JSON]:
    """Return the events in a body, and the rest of it."""
    if not isinstance(body, dict):
        return [], body
    listed = body.get("events")
    events = [*(listed if isinstance(listed, list) else ())]
    events += [body[key] for key in ("event", "payload") if key in body]
    return events, {key: value for key, value in body.items() if key not in _EVENT_KEYS}


def write_json(value: JSON) -> bytes:
    """Return a response; values that JSON cannot represent become strings."""
    return json.dumps(_sayable(value), separators=(",", ":"), default=str).encode("ascii")


def check_body(operation: str, value: JSON) -> dict[str, Any]:
    """Return the body of an operation; raises ApiRefusal with all problems found by its schema."""
    problems = sorted(
        _validator(operation).iter_errors(value), key=lambda error: list(map(str, error.path))
    )
    if problems:
        texts = [_sentence(error) for error in problems[:_MOST_PROBLEMS]]
        raise ApiRefusal(400, "INVALID", " ".join(texts), texts)
    found: dict[str, Any] = value
    return found


def _is_finite(value: JSON) -> bool:
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def _sayable(value: JSON) -> JSON:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _sayable(inner) for key, inner in value.items()}
    return [_sayable(inner) for inner in value] if isinstance(value, list | tuple) else value


@lru_cache
def _validator(operation: str) -> Any:
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - heavy, imported at first use

    body = next(one.body for one in OPERATIONS if one.id == operation)
    assert body is not None, operation
    return Draft202012Validator({**schema_of(body), "components": {"schemas": SCHEMAS}})


def _sentence(error: Any) -> str:
    place = "/" + "/".join(map(str, error.absolute_path))
    text = error.message if len(error.message) <= _SHOWN else f"{error.message[:_SHOWN]}…"
    return f"`{place}`: {text}."
