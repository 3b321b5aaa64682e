"""What one process prepares arrives in another as it was."""

from __future__ import annotations

import copy
import math
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest

from framework.definition import Batching
from framework.delivery.batching import RowGroup
from framework.delivery.completion import SUPERSEDED, Completion
from framework.delivery.prepare import Prepared

BATCHING = Batching(max_size=5)
SETTLED = [Completion(0, range(7, 9), SUPERSEDED)]


def prepared(*payloads: dict[str, Any]) -> Prepared:
    """Give payloads that wait for their calls, without identifiers and with events."""
    objects = dict(enumerate(payloads, 3))
    marks = range(3, 3 + len(payloads))
    lot = RowGroup("send", BATCHING, "lane", ("key",), marks, None, payloads)
    return Prepared([lot], SETTLED, objects, copy.deepcopy(objects))


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"text": "é \ud800 \0", "list": [None, True, {"": []}], "big": 2**70, "small": -0.0},
        {"beyond": math.inf, "below": -math.inf, "number": 20.0},
        {"unusual": datetime(2026, 3, 1, tzinfo=UTC)},
    ],
)
def test_payloads_and_events_arrive_as_they_were(payload: dict[str, Any]) -> None:
    sent = prepared(payload, {"a": "b"})
    arrived: Prepared = pickle.loads(pickle.dumps(sent))  # noqa: S301 - our own

    assert repr(arrived.objects) == repr(sent.objects)
    assert repr(arrived.events) == repr(sent.events)
    assert arrived.settled == SETTLED
    (lot,) = arrived.lots
    assert (lot.marks, lot.key, lot.lane) == (range(3, 5), ("key",), "lane")
    pairs = zip(lot.marks, lot.objects, strict=True)
    assert all(one is arrived.objects[mark] for mark, one in pairs)


def test_rows_with_identifiers_need_no_objects() -> None:
    lot = RowGroup("send", BATCHING, "lane", (), range(2), ["a", "b"])
    arrived: Prepared = pickle.loads(pickle.dumps(Prepared([lot], [], {}, {})))  # noqa: S301 - our own

    assert arrived.lots == [lot]
    assert (arrived.objects, arrived.events) == ({}, {})
