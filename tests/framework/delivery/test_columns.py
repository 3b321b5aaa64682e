"""Payloads side by side: one alone is told like many."""

from __future__ import annotations

from typing import Any

import pytest

from framework.delivery.columns import Columns, Layout
from framework.paths import MISSING
from tests.framework.delivery.bench import SEND

ROOMS: list[Any] = ["a", MISSING, "b"]
TEXTS = ["x", "y", "z"]
KEYS = ("room", "text")


def as_objects(places: slice) -> Columns:
    """Give some payloads as whole objects."""
    rows: list[dict[str, Any]] = [
        {key: one for key, one in zip(KEYS, row, strict=True) if one is not MISSING}
        for row in zip(ROOMS[places], TEXTS[places], strict=True)
    ]
    return Columns(SEND, len(rows), objects=rows)


def as_lists(places: slice) -> Columns:
    """Give some payloads as a list for each field."""
    lists = {"room": ROOMS[places], "text": TEXTS[places]}
    return Columns(SEND, len(lists["text"]), lists=lists, layout=Layout(KEYS))


def as_constants(places: slice) -> Columns:
    """Give some payloads whose rooms are all the default."""
    texts = TEXTS[places]
    layout = Layout(KEYS, {"room": MISSING}, frozenset({"text"}))
    return Columns(SEND, len(texts), lists={"text": texts}, layout=layout)


@pytest.mark.parametrize("made", [as_objects, as_lists, as_constants])
def test_one_payload_is_grouped_as_among_many(made: Any) -> None:
    every = made(slice(None))
    groups = {places[0]: key for key, places in every.groups(KEYS).items()}
    runs = [values for values, part in every.runs(*KEYS) if part.size == 1]
    for place in range(3):
        alone = made(slice(place, place + 1))
        assert alone.groups(KEYS) == {groups[place]: None}
        assert [values for values, _ in alone.runs(*KEYS)] == [runs[place]]
        assert [part is alone for _, part in alone.runs(*KEYS)] == [True]


@pytest.mark.parametrize("made", [as_objects, as_lists])
@pytest.mark.parametrize("size", [1, 3])
def test_fields_that_no_action_has_are_refused(made: Any, size: int) -> None:
    payloads = made(slice(0, size))
    with pytest.raises(KeyError, match="colour"):
        payloads["colour"]
    with pytest.raises(KeyError, match="colour"):
        payloads.groups(["colour"])
