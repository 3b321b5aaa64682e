"""Dispatchers yield batches of equal order in that order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

from framework.delivery.dispatch import OpenGate, ThreadedDispatcher
from framework.delivery.row_groups import Batch
from framework.results import DELIVERED, Result


def batch(row_id: int, place: str) -> Batch:
    return Batch("send", (place,), [row_id], None, {}, "end", order=place)


def test_a_batch_that_ends_while_one_looks_goes_after_earlier_ones_of_its_order() -> None:
    """When the second is looked at, both have ended; the first had not when it was looked at."""
    gate, looked = threading.Event(), []

    def perform(one: Batch) -> Sequence[Result]:
        assert gate.wait(30)
        return [DELIVERED] * len(one.row_ids)

    dispatcher = ThreadedDispatcher(
        perform, lambda _, results: results, halts=lambda _: False, gate=OpenGate()
    )
    closed = deque([batch(1, "a"), batch(2, "a")])
    assert not list(dispatcher.send(closed, wait=False))
    first, second = (task for _, task, _ in dispatcher._taken)

    def not_yet() -> bool:
        gate.set()
        assert second.wait(30)
        looked.append(1)
        return len(looked) > 2

    first.done = not_yet  # type: ignore[method-assign]
    finished = [one.row_ids for one, _ in dispatcher.send(deque(), wait=True)]
    assert finished == [[1], [2]]
    assert len(looked) >= 2
    list(dispatcher.stop())
