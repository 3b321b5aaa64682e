"""What one process prepares arrives in another as it was."""

from __future__ import annotations

import copy
import math
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest

from framework.definition import Batching
from framework.delivery.prepared_rows import Prepared
from framework.delivery.report import SUPERSEDED, Completion
from framework.delivery.row_groups import RowGroup

BATCHING = Batching(max_size=5)
COMPLETIONS = [Completion(0, range(7, 9), SUPERSEDED)]


def prepared(*payloads: dict[str, Any]) -> Prepared:
    """Give payloads that wait for their calls, without identifiers and with events."""
    objects = dict(enumerate(payloads, 3))
    row_ids = range(3, 3 + len(payloads))
    group = RowGroup("send", BATCHING, "lane", ("key",), row_ids, None, payloads)
    return Prepared([group], COMPLETIONS, objects, copy.deepcopy(objects))


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
    assert arrived.completions == COMPLETIONS
    (group,) = arrived.groups
    assert (group.row_ids, group.key, group.lane) == (range(3, 5), ("key",), "lane")
    pairs = zip(group.row_ids, group.objects, strict=True)
    assert all(one is arrived.objects[row_id] for row_id, one in pairs)


def test_rows_with_identifiers_need_no_objects() -> None:
    group = RowGroup("send", BATCHING, "lane", (), range(2), ["a", "b"])
    arrived: Prepared = pickle.loads(pickle.dumps(Prepared([group], [], {}, {})))  # noqa: S301 - our own

    assert arrived.groups == [group]
    assert (arrived.objects, arrived.events) == ({}, {})
