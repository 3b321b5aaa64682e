"""What mapping tests expect, compared with the actual results and requests.

An expected result names what matters: its outcome (delivered unless it says otherwise), its code,
its whole payload, or with `includes` parts of that. An expected request does so for its body.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, TypeAlias

from framework.paths import MISSING

Expected: TypeAlias = Mapping[str, Any]

_DELIVERED = "delivered"


def result_differences(expected: Sequence[Expected], found: Sequence[Expected]) -> Iterator[str]:
    """Yield the differences of the results of each event, by subscription."""
    for index, (wanted, got) in enumerate(_pairs(expected, found)):
        place = f"expect[{index}]"
        if wanted is MISSING or got is MISSING:
            yield from _values(place, wanted, got)
            continue
        for name in {**wanted, **got}:
            if name in wanted and name in got:
                yield from _of_result(_inner(place, name), wanted[name] or {}, got[name])
            else:
                values = wanted.get(name, MISSING), got.get(name, MISSING)
                yield from _values(_inner(place, name), *values)


def call_differences(expected: Sequence[Expected], found: Sequence[Expected]) -> Iterator[str]:
    """Yield the differences of requests, in order, in what is expected of each."""
    for index, (wanted, got) in enumerate(_pairs(expected, found)):
        place = f"calls[{index}]"
        if wanted is MISSING or got is MISSING:
            yield from _values(place, wanted, got)
            continue
        for key, value in wanted.items():
            if key == "includes":
                yield from _parts(f"{place}.body", value, got.get("body", MISSING))
            else:
                yield from _values(_inner(place, key), value, got.get(key, MISSING))


def in_expected_form(
    expected: Sequence[Expected] | None, found: Sequence[Expected]
) -> list[dict[str, Any]]:
    """Return the actual results for a test file, naming no more of each than was expected."""
    wanted = [*(expected or ()), *({} for _ in found)]
    return [
        {name: _named_as(forms.get(name) or {}, result) for name, result in results.items()}
        for forms, results in zip(wanted, found, strict=False)
    ]


def _of_result(place: str, wanted: Expected, got: Mapping[str, Any]) -> Iterator[str]:
    outcomes = wanted.get("outcome", _DELIVERED), got.get("outcome", _DELIVERED)
    yield from _values(f"{place}.outcome", *outcomes)
    if "code" in wanted or outcomes[0] != outcomes[1]:
        codes = wanted.get("code", MISSING), got.get("code", MISSING)
        yield from _values(f"{place}.code", *codes)
    if "payload" in wanted:
        yield from _values(f"{place}.payload", wanted["payload"], got.get("payload", MISSING))
    if "includes" in wanted:
        yield from _parts(f"{place}.payload", wanted["includes"], got.get("payload", MISSING))


def _named_as(wanted: Expected, result: Mapping[str, Any]) -> dict[str, Any]:
    """Return a result by the keys by which it was expected."""
    if not wanted or "payload" in wanted or "payload" not in result:
        return dict(result)
    made = {key: value for key, value in result.items() if key != "payload"}
    if "includes" in wanted:
        made = {"includes": _same_parts(wanted["includes"], result["payload"]), **made}
    return made or {"outcome": _DELIVERED}


def _same_parts(wanted: Any, found: Any) -> Any:
    if isinstance(wanted, dict) and isinstance(found, dict):
        return {key: _same_parts(wanted[key], found[key]) for key in wanted if key in found}
    return found


def _parts(place: str, wanted: Any, found: Any) -> Iterator[str]:
    """Yield the differences in the parts that are *wanted*, of objects at any depth."""
    if not (isinstance(wanted, dict) and isinstance(found, dict)):
        yield from _values(place, wanted, found)
        return
    for key, value in wanted.items():
        yield from _parts(_inner(place, key), value, found.get(key, MISSING))


def _values(place: str, wanted: Any, found: Any) -> Iterator[str]:
    """Yield the differences of two values, either of which may be MISSING."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key in {**wanted, **found}:
            values = wanted.get(key, MISSING), found.get(key, MISSING)
            yield from _values(_inner(place, key), *values)
    elif isinstance(wanted, list) and isinstance(found, list):
        for index, values in enumerate(_pairs(wanted, found)):
            yield from _values(f"{place}[{index}]", *values)
    elif wanted != found or isinstance(wanted, bool) is not isinstance(found, bool):
        yield f"{place}: expected {_shown(wanted)}, got {_shown(found)}"


def _pairs(wanted: Sequence[Any], found: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """Yield the items of two lists together; MISSING where one of them is shorter."""
    return zip_longest(wanted, found, fillvalue=MISSING)


def _inner(place: str, key: str) -> str:
    return f"{place}.{key}" if str(key).isidentifier() else f"{place}[{_shown(key)}]"


def _shown(value: Any) -> str:
    return "nothing" if value is MISSING else json.dumps(value, ensure_ascii=False)
