"""The generated function of a connection for people: a legend, then the source."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal, TypeAlias

import msgspec

from framework.delivery.columns import Layout
from framework.delivery.compiled import CompiledSubscription
from framework.delivery.fusion import Fusion, fuse, places_of
from framework.delivery.projection import project
from framework.paths import MISSING

InputKind: TypeAlias = Literal["structs", "json"]
"""The input of the function: structs that hold only what is read, or whole JSON."""

_LONGEST: Final = 80
"""Characters of a value that the legend shows."""


def listing(subscriptions: Sequence[CompiledSubscription], form: InputKind, *, whole: bool) -> str:
    """Return legend and source of the function for *subscriptions*; *whole* as for `fuse`."""
    projection = project(places_of(subscriptions)) if form == "structs" else None
    fusion = fuse(subscriptions, projection, whole=whole)
    legend = [
        "row_ids number the events; slow takes what a subscription refuses;",
        "rows are the lists of each subscription, those of constants stay empty.",
        *(line for one in subscriptions for line in _rows(one, fusion.layouts[one.index])),
        f"event {_fields(projection.root)}" if projection else "event is decoded JSON",
        *_names(fusion),
    ]
    return "".join(map(_comment, legend)) + fusion.source


def _comment(line: str) -> str:
    import textwrap  # noqa: PLC0415 - for people only

    return textwrap.fill(line, 100, initial_indent="# ", subsequent_indent="#     ") + "\n"


def _rows(compiled: CompiledSubscription, layout: Layout) -> Iterator[str]:
    """Yield lines that name the lists of a subscription."""
    fields = ("payloads",) if layout.fields is None else layout.fields
    constants = layout.constants or {}
    same = [f"{_word(key)} {_value(one)}" for key, one in constants.items() if one is not MISSING]
    none = [_word(key) for key, one in constants.items() if one is MISSING]
    name = f"{_text(compiled.name)} ({_word(compiled.action.slug)})"
    yield f"rows[{compiled.index}] {name}: {', '.join(['row_ids', *map(_word, fields)])}"
    if same:
        yield f"    always {', '.join(same)}"
    if none:
        yield f"    never {', '.join(none)}"


def _names(fusion: Fusion) -> Iterator[str]:
    """Yield lines that explain the names that the source uses and does not set."""
    names: dict[str, Any] = fusion.prepare.__globals__
    used = set(re.findall(r"\w+", fusion.source)) - {"MISSING", "prepare"}
    yield from (f"{name} {_meaning(value)}" for name, value in names.items() if name in used)


def _meaning(value: Any) -> str:
    if isinstance(value, type) and issubclass(value, msgspec.Struct):
        return _fields(value)
    return f"is {_value(value)}"


def _fields(struct: type[msgspec.Struct]) -> str:
    told = (f"{one.name} {_text(one.encode_name)}" for one in msgspec.structs.fields(struct))
    return f"has {', '.join(told)}"


def _value(value: Any) -> str:
    if isinstance(value, tuple) and all(isinstance(one, type) for one in value):
        return " or ".join(map(_value, value))
    if isinstance(value, type) or callable(value):
        place = getattr(value, "__qualname__", type(value).__qualname__)
        return f"{getattr(value, '__module__', '')}.{place}".replace("<locals>.", "")
    text = ascii(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _text(text: str) -> str:
    return json.dumps(text)


def _word(text: str) -> str:
    return text if text.isascii() and text.isidentifier() else _text(text)
