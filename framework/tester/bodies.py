"""JSON bodies: requests are read within limits and validated, responses are always valid JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from framework.paths import JSON
from framework.tester.openapi import OPERATIONS, SCHEMAS, schema_of
from framework.tester.problems_json import ApiRefusal

MAX_DEPTH: Final = 100
_MOST_PROBLEMS: Final = 20
_SHOWN: Final = 80


def read_json(body: bytes) -> JSON:
    """Read a body; raises ApiRefusal if it is not JSON or nested too deeply."""
    try:
        value = json.loads(body, parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else "it cannot be read"
        raise ApiRefusal(400, "MALFORMED", f"The body is not valid JSON: {reason}.") from None
    if _is_deep(value):
        raise ApiRefusal(400, "MALFORMED", f"The body is nested more than {MAX_DEPTH} levels deep.")
    return value


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


def _refuse_constant(name: str) -> JSON:
    raise ValueError(name)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(digits)
    return number


def _is_deep(value: JSON) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        nested = [one for one in level if isinstance(one, dict | list)]
        if not nested:
            return False
        level = [
            inner for one in nested for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return True


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
