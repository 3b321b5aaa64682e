"""Ready batching: what is sent when a call may go out, and when that is."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.definition import Batching
from framework.delivery.batching import LINGER, Batcher
from framework.delivery.row_groups import Batch, RowGroup
from framework.delivery.sender import IDLE, Sender
from framework.delivery.throttle import LocalRateStore, Throttle, ThrottleState
from framework.errors import RetryableError
from tests.framework.delivery.bench import Partner, connected, plugin, said
from tests.framework.delivery.clocks import FakeClock, Rate
from tests.framework.delivery.test_batching import LANE, STEPS, Step, groups

RULES = Batching(keys=("list",), max_size=5, max_age=10)


class Waiting:
    """A batcher with a clock of its own."""

    def __init__(self, linger: float = LINGER) -> None:
        self.now = 0.0
        self.batcher = Batcher(lambda: self.now, linger=linger)
        self.ids = 0

    def add(self, key: str, rows: int = 1) -> list[Batch]:
        row_ids = range(self.ids, self.ids + rows)
        self.ids += rows
        return [*self.batcher.add([RowGroup("send", RULES, "", (key,), row_ids)])]

    def ready(self, *busy: str) -> list[tuple[str, int, str]]:
        scopes = {("", (key,)) for key in busy}
        found = self.batcher.ready(lambda scope: scope not in scopes)
        return [(one.key[0], len(one.row_ids), one.reason) for one in found]


def test_rows_linger_before_they_are_ready() -> None:
    waiting = Waiting()
    waiting.add("a")
    waiting.now = LINGER - 0.01
    assert waiting.ready() == []
    waiting.now = LINGER
    assert waiting.ready() == [("a", 1, "ready")]
    assert (waiting.ready(), waiting.batcher.waiting) == ([], 0)


@pytest.mark.parametrize(("linger", "wait"), [(0.0, 0.0), (2.0, 2.0), (60.0, 10.0)])
def test_rows_linger_as_long_as_asked_but_not_beyond_their_age(linger: float, wait: float) -> None:
    waiting = Waiting(linger)
    waiting.add("a")
    waiting.now = wait - 0.01
    assert waiting.ready() == []
    waiting.now = wait
    assert waiting.ready() == [("a", 1, "age" if linger > wait else "ready")]


def test_the_largest_product_of_rows_and_age_goes_first() -> None:
    waiting = Waiting()
    waiting.add("old")
    waiting.now = 2.0
    waiting.add("many", 4)
    waiting.now = 2.2
    assert waiting.ready() == [("old", 1, "ready")]  # 1 row x 2.2 s against 4 rows x 0.2 s
    waiting.add("new")
    waiting.now = 2.4
    assert [waiting.ready(), waiting.ready()] == [[("many", 4, "ready")], [("new", 1, "ready")]]


def test_what_has_its_age_goes_before_what_gains_most() -> None:
    waiting = Waiting()
    waiting.add("first")
    waiting.now = 1.0
    waiting.add("second")
    waiting.now = 9.0
    waiting.add("many", 4)
    waiting.now = 11.5
    assert waiting.ready() == [("first", 1, "age")]
    assert waiting.ready() == [("second", 1, "age")]
    assert waiting.ready() == [("many", 4, "ready")]


def test_a_lane_that_is_busy_is_left_alone() -> None:
    waiting = Waiting()
    waiting.add("a", 4)
    waiting.add("b")
    waiting.now = 1.0
    assert waiting.ready("a") == [("b", 1, "ready")]
    assert waiting.ready("a") == []
    assert waiting.ready() == [("a", 4, "ready")]


@given(STEPS, st.lists(st.sampled_from(["", "A", "B"]), min_size=40, max_size=40))
def test_batches_that_are_cut_early_apply_the_events_in_order(
    steps: list[Step], busy: list[str]
) -> None:
    expected: dict[str, set[str]] = {"A": set(), "B": set()}
    for action, audience, person in steps:
        change = expected[audience].add if action == "add" else expected[audience].discard
        change(person * 7)
    now = [0.0]
    batcher = Batcher(lambda: now[0])
    batches: list[Batch] = []
    for number, step in enumerate(steps):
        batches += batcher.add(groups([(number, step)], LANE))
        now[0] += LINGER
        audience = busy[number]
        batches += batcher.ready(lambda scope, busy=audience: busy not in str(scope))  # type: ignore[misc]
    batches += batcher.flush()
    members: dict[str, set[str]] = {"A": set(), "B": set()}
    for batch in batches:
        assert len(batch.row_ids) <= LANE.max_size
        people = set(batch.identifiers or ())
        audience = batch.key[0]
        members[audience] = (
            members[audience] | people if batch.action == "add" else members[audience] - people
        )
    assert members == expected
    sent = sorted(one for batch in batches for one in batch.row_ids)
    assert sorted([*sent, *batcher.superseded]) == list(range(len(steps)))


# The throttle


def test_a_wait_is_told_and_books_nothing() -> None:
    clock = FakeClock()
    throttle = Throttle(Rate(1, 10), clock=clock)
    assert [throttle.wait(), throttle.wait()] == [0.0, 0.0]
    throttle.take()
    assert throttle.wait() == pytest.approx(10.01)
    clock.reading += 4
    assert throttle.wait() == pytest.approx(6.01)
    throttle.tell(429, {"retry-after": "30"})
    assert throttle.wait() == pytest.approx(30)


def test_a_pause_is_a_wait_without_a_rate_too() -> None:
    clock = FakeClock()
    throttle = Throttle(clock=clock)
    assert throttle.wait() == 0.0
    throttle.tell(429, {"retry-after": "30"})
    assert throttle.wait() == pytest.approx(30)


def test_the_guard_is_asked_after_the_wait() -> None:
    clock = FakeClock()
    throttle = Throttle(Rate(1, 10), clock=clock)
    readings: list[float] = []
    throttle.take(lambda: readings.append(clock.reading))
    throttle.take(lambda: readings.append(clock.reading))
    assert readings == pytest.approx([1000.0, 1010.01])


def test_a_guard_refuses_a_call() -> None:
    def lost() -> None:
        raise RetryableError("Another process owns the connection.", "NOT_OWNER")

    partner = Partner()
    opened = plugin(perform=lambda client: client.post("https://partner.test/", json={}))
    with connected(opened, partner=partner) as connection:
        connection.hook_runner.client.guard(lost)
        (result,) = connection.deliver([said()]).results
    assert (result.to_json() if result else {})["code"] == "NOT_OWNER"
    assert partner.requests == []


# Senders


def post(client: httpx.Client, key: dict[str, str], payloads: list[object]) -> None:
    client.post("https://partner.test/", json=[key["room"], len(payloads)])


def rows(sender: Sender) -> Iterator[int]:
    for completions in sender.flush_due():
        for one in completions:
            yield from one.positions


def test_nothing_is_cut_while_the_rate_is_used_up() -> None:
    """What arrives in the meantime goes with the batch."""
    clock, partner, now = FakeClock(), Partner(), [0.0]
    throttle = Throttle(Rate(1, 10), clock=clock)
    opened = plugin(perform_batch=post)
    with connected(opened, partner=partner, clock=clock, throttle=throttle) as connection:
        sender = Sender(connection, ready=True, now=lambda: now[0])
        list(sender.add([(0, said("0", "r"))]))
        now[0] = 1.0
        assert list(rows(sender)) == [0]
        list(sender.add([(1, said("1", "r"))]))
        now[0] = 2.0
        assert list(rows(sender)) == []
        list(sender.add([(2, said("2", "r"))]))
        assert sender.pending() == {0: [range(1, 2), range(2, 3)]}
        clock.reading += 11
        now[0] = 13.0
        assert list(rows(sender)) == [1, 2]
    assert partner.sent == [["r", 1], ["r", 2]]


class SlowRates(LocalRateStore):
    """The state of a rate limit in a store that is slow to take the place of a call."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.free = threading.Semaphore(0), threading.Event()

    def swap(self, seen: ThrottleState, new: ThrottleState) -> bool:
        self.asked.release()
        assert self.free.wait(10)
        return super().swap(seen, new)


def test_nothing_is_cut_while_a_thread_takes_its_place_in_the_rate() -> None:
    """Otherwise it would wait in the next thread, without the rows that arrive meanwhile."""
    clock, partner, now, rates = FakeClock(), Partner(), [0.0], SlowRates()
    throttle = Throttle(Rate(1, 10), clock=clock, store=rates)
    ended = threading.Semaphore(0)
    opened = plugin(perform_batch=post)
    with connected(opened, partner=partner, clock=clock, throttle=throttle) as connection:
        sender = Sender(connection, ready=True, threads=3, now=lambda: now[0], ended=ended.release)
        list(sender.add([(0, said("0", "r")), (1, said("1", "q"))]))
        now[0] = 1.0
        list(rows(sender))
        assert rates.asked.acquire(timeout=10)
        now[0] = 1.0 + IDLE / 2
        list(sender.add([(2, said("2", "q"))]))
        rates.free.set()
        assert ended.acquire(timeout=10)
        clock.reading += 11
        now[0] = 13.0
        found = list(rows(sender))
        assert ended.acquire(timeout=10)
        assert sorted([*found, *rows(sender)]) == [0, 1, 2]
        list(sender.close())
    assert partner.sent == [["r", 1], ["q", 2]]


def test_a_lane_has_one_call_under_way_and_others_go_on() -> None:
    entered, leave = threading.Semaphore(0), threading.Semaphore(0)
    sent: list[tuple[str, int]] = []

    def perform_batch(key: dict[str, str], payloads: list[object]) -> None:
        sent.append((key["room"], len(payloads)))
        entered.release()
        assert leave.acquire(timeout=10)

    now, ended = [0.0], threading.Semaphore(0)
    with connected(plugin(perform_batch=perform_batch)) as connection:
        sender = Sender(connection, ready=True, threads=2, now=lambda: now[0], ended=ended.release)
        list(sender.add([(0, said("0", "r"))]))
        now[0] = 1.0
        assert list(rows(sender)) == []
        assert entered.acquire(timeout=10)
        list(sender.add([(1, said("1", "r")), (2, said("2", "q"))]))
        now[0] = 2.0
        list(rows(sender))
        assert entered.acquire(timeout=10)
        assert sent == [("r", 1), ("q", 1)]  # a thread has `r`, so its next batch waits
        leave.release()
        leave.release()
        assert ended.acquire(timeout=10)
        assert ended.acquire(timeout=10)
        assert sorted(rows(sender)) == [0, 2]
        leave.release()
        assert [one for done in sender.flush() for one in done[0].positions] == [1]
        list(sender.close())
    assert sent[2:] == [("r", 1)]
