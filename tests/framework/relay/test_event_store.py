"""The contract of stores of events: what every store promises, tested on each of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import pytest

from framework.delivery import Audience, Member, MemberChange, Throttle, ThrottleState
from framework.errors import (
    ConfigurationError,
    OwnershipLostError,
    StorageError,
    StoreFullError,
)
from framework.events import Position
from framework.relay import (
    DeadLetter,
    DeadLetterFilter,
    Erased,
    EventStore,
    Owner,
    PostgresStore,
    SQLiteStore,
    joined,
    process_name,
)

ROOT = Path(__file__).parents[3]


class Opener(Protocol):
    """Opens the store of a test, as often as wanted, with the same content."""

    def __call__(
        self,
        *,
        max_events: int | None = None,
        max_bytes: int | None = None,
        window: float = 3600.0,
    ) -> EventStore: ...


class Days:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def now() -> Days:
    return Days()


@pytest.fixture(params=["sqlite", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the store of a test is."""
    if request.param == "sqlite":
        return str(tmp_path / "events.db")
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def opener(address: str, now: Days) -> Iterator[Opener]:
    opened: list[EventStore] = []

    def open_store(
        *,
        max_events: int | None = None,
        max_bytes: int | None = None,
        window: float = 3600.0,
    ) -> EventStore:
        kind = PostgresStore if "://" in address else SQLiteStore
        store = kind(address, max_events=max_events, max_bytes=max_bytes, window=window, now=now)
        opened.append(store)
        return store

    yield open_store
    for store in opened:
        store.close()


@pytest.fixture
def store(opener: Opener) -> EventStore:
    return opener()


def lines(store: EventStore, stream: str, after: int = 0) -> list[bytes]:
    return [line.rstrip(b"\n") for chunk in store.read(stream, after) for line in chunk.lines]


def owned(store: EventStore, name: str, stream: str = "web", *, from_start: bool = False) -> Owner:
    owner = store.own(name, stream, from_start=from_start)
    assert owner is not None
    return owner


def letter(line: int, **more: object) -> DeadLetter:
    values = {
        "connection": "ads",
        "line": line,
        "subscription": "add",
        "event": b'{"type":"track"}',
        "code": "BAD_REQUEST",
        "outcome": {"outcome": "failed", "status": 400},
        "message_id": f"m{line}",
        "at": float(line),
        **more,
    }
    return DeadLetter(**values)  # type: ignore[arg-type]


# Appending and reading


def test_lines_are_read_in_the_order_in_which_they_were_appended(store: EventStore) -> None:
    store.append("web", [b"1", b"2"])
    store.append("other", [b"x"])
    store.append("web", [b"3"])
    assert lines(store, "web") == [b"1", b"2", b"3"]
    assert lines(store, "other") == [b"x"]
    assert lines(store, "nothing") == []


def test_positions_are_numbers_of_chunks_and_of_lines(store: EventStore) -> None:
    store.append("web", [b"1", b"2"])
    store.append("web", [b"3"])
    first, second = store.read("web", 0)
    assert (first.start, first.end) == (Position(0, 0), Position(1, 2))
    assert (second.start, second.end) == (Position(1, 2), Position(2, 3))
    assert store.read("web", 1) == [second]
    assert store.read("web", 2) == []
    assert store.read("web", 0, most=1) == [first]
    assert store.read("web", 0, most=3) == [first, second]


def test_lines_keep_every_byte_but_the_line_feed(store: EventStore) -> None:
    odd = [b'{"a":"\xe2\x80\xa8"}', b"\r", b"", b"\x00\xff"]
    store.append("web", odd)
    (chunk,) = store.read("web", 0)
    assert list(chunk.lines) == [line + b"\n" for line in odd]


def test_what_was_appended_is_there_for_another_process_and_after_closing(opener: Opener) -> None:
    first, second = opener(), opener()
    first.append("web", [b"1"])
    assert lines(second, "web") == [b"1"]
    second.append("web", [b"2"])
    first.close()
    assert lines(opener(), "web") == [b"1", b"2"]


def test_many_threads_append_without_gaps_and_each_in_its_order(store: EventStore) -> None:
    def work(thread: int) -> None:
        for number in range(40):
            store.append("web", [b"%d %d" % (thread, number)], [f"{thread} {number}"])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    found = [line.split() for line in lines(store, "web")]
    assert len(found) == 320
    for thread in range(8):
        assert [int(b) for a, b in found if int(a) == thread] == list(range(40))
    chunks = store.read("web", 0)
    assert [chunk.end.offset for chunk in chunks] == list(range(1, len(chunks) + 1))
    assert all(a.end == b.start for a, b in pairwise(chunks))


def test_submitted_lines_are_stored_in_order(store: EventStore) -> None:
    futures = [store.submit("web", [b"%d" % number]) for number in range(500)]
    assert [one.result().stored for one in futures] == [1] * 500
    assert lines(store, "web") == [b"%d" % number for number in range(500)]


def test_a_large_append_is_several_chunks(store: EventStore) -> None:
    store.append("web", [b"x" * 100_000] * 7)
    chunks = store.read("web", 0)
    assert [len(chunk.lines) for chunk in chunks] == [3, 3, 1]
    assert chunks[-1].end == Position(3, 7)


def test_chunks_are_joined(store: EventStore) -> None:
    for number in range(10):
        store.append("web", [b"%d" % number] * (5 if number == 4 else 1))
    chunks = list(joined(store.read("web", 0), 3))
    numbers = [b"".join(chunk.lines).split() for chunk in chunks]
    assert numbers == [[b"0", b"1", b"2"], [b"3"], [b"4"] * 5, [b"5", b"6", b"7"], [b"8", b"9"]]
    assert chunks[0].start == Position(0, 0)
    assert chunks[-1].end == Position(10, 14)
    assert all(a.end == b.start for a, b in pairwise(chunks))
    assert list(joined([])) == []


def test_a_cancelled_submission_harms_nobody(store: EventStore) -> None:
    futures = [store.submit("web", [b"%d" % number]) for number in range(100)]
    cancelled = {number for number, one in enumerate(futures) if one.cancel()}
    store.append("web", [b"last"])
    kept = [b"%d" % number for number in range(100) if number not in cancelled]
    assert lines(store, "web") == [*kept, b"last"]


def test_many_processes_may_open_a_new_store_at_once(address: str) -> None:
    command = [
        sys.executable,
        "-c",
        f"{OPENING}\nprint(store.append('web', [b'1']).stored)",
        address,
    ]
    opening = [
        subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) for _ in range(4)
    ]
    assert [one.communicate()[0] for one in opening] == ["1\n"] * 4


# Repeated IDs


def test_repeated_ids_are_left_out(store: EventStore) -> None:
    assert store.append("web", [b"1", b"2"], ["a", "b"]) == (2, 0)
    assert store.append("web", [b"2", b"3", b"3"], ["b", "c", "c"]) == (1, 2)
    assert lines(store, "web") == [b"1", b"2", b"3"]
    assert store.append("web", [b"1"], ["a"]) == (0, 1)
    assert store.append("other", [b"1"], ["a"]) == (1, 0)


def test_lines_without_an_id_are_never_repeated(store: EventStore) -> None:
    store.append("web", [b"1", b"1"], [None, None])
    store.append("web", [b"1"])
    assert lines(store, "web") == [b"1"] * 3


def test_repeated_ids_in_one_transaction_are_left_out(store: EventStore) -> None:
    futures = [store.submit("web", [b"1"], ["a"]) for _ in range(50)]
    assert sum(one.result().stored for one in futures) == 1
    assert lines(store, "web") == [b"1"]


def test_many_ids_are_looked_up_at_once(store: EventStore) -> None:
    ids = [str(number) for number in range(1234)]
    assert store.append("web", [b"x"] * 1234, ids) == (1234, 0)
    assert store.append("web", [b"x"] * 1235, [*ids, "new"]) == (1, 1234)


def test_ids_are_remembered_for_the_window_and_at_most_twice_as_long(
    opener: Opener, now: Days
) -> None:
    store = opener(window=100)
    store.append("web", [b"1"], ["a"])
    now.seconds += 90
    store.append("web", [b"2"], ["b"])
    now.seconds += 99  # a new table; the one with a and b is the older one
    assert store.append("web", [b"x", b"3"], ["b", "c"]) == (1, 1)
    now.seconds += 101
    store.append("web", [b"4"], ["d"])
    assert store.append("web", [b"1", b"x"], ["a", "c"]) == (1, 1)


def test_ids_are_remembered_after_closing(opener: Opener) -> None:
    opener().append("web", [b"1"], ["a"])
    assert opener().append("web", [b"1"], ["a"]) == (0, 1)


# Waiting


def test_waiting_ends_when_lines_arrive(store: EventStore) -> None:
    assert not store.wait("web", 0, 0)
    timer = threading.Timer(0.1, store.append, ("web", [b"1"]))
    timer.start()
    start = time.monotonic()
    assert store.wait("web", 0, 10)
    assert time.monotonic() - start < 5
    assert store.wait("web", 0, 0)
    assert not store.wait("web", 1, 0.01)


def test_waiting_ends_when_another_process_appends(opener: Opener) -> None:
    one, other = opener(), opener()
    timer = threading.Timer(0.1, other.append, ("web", [b"1"]))
    timer.start()
    assert one.wait("web", 0, 10)


def test_waiting_ends_when_it_is_to_end(store: EventStore) -> None:
    ended: list[bool] = []

    def end() -> None:
        ended.append(True)
        store.wake()

    threading.Timer(0.1, end).start()
    start = time.monotonic()
    assert not store.wait("web", 0, 10, lambda: bool(ended))
    assert time.monotonic() - start < 5


def test_waiting_ends_when_the_store_is_closed(store: EventStore) -> None:
    threading.Timer(0.1, store.close).start()
    start = time.monotonic()
    assert not store.wait("web", 0, 10)
    assert time.monotonic() - start < 5


# Owners


def test_a_new_connection_begins_at_the_end(store: EventStore) -> None:
    store.append("web", [b"1", b"2"])
    owner = owned(store, "ads")
    assert (owner.position, owner.checkpoint, owner.epoch) == (Position(1, 2), b"", 1)
    store.append("web", [b"3"])
    assert lines(store, "web", owner.position.offset) == [b"3"]


def test_a_new_connection_begins_at_the_start_if_told(store: EventStore) -> None:
    assert owned(store, "none", from_start=True).position == Position(0, 0)
    store.append("web", [b"1", b"2"])
    assert owned(store, "ads", from_start=True).position == Position(0, 0)


def test_the_start_is_the_oldest_line_that_is_kept(store: EventStore) -> None:
    first = owned(store, "first")
    store.append("web", [b"1", b"2"])
    store.append("web", [b"3"])
    first.save(1, b"")
    assert owned(store, "second", from_start=True).position == Position(1, 2)


def test_a_connection_has_one_owner(opener: Opener) -> None:
    one, other = opener(), opener()
    owner = owned(one, "ads")
    assert one.own("ads", "web") is None
    assert other.own("ads", "web") is None
    owner.check()
    owned(other, "crm").check()
    owner.release()
    owner.release()
    later = owned(other, "ads")
    assert later.epoch == 2
    later.check()
    with pytest.raises(OwnershipLostError, match="no longer works for the connection `ads`"):
        owner.check()
    with pytest.raises(OwnershipLostError):
        owner.save(5, b"late", [letter(1)])
    assert other.dead_letters.count() == 0
    assert one.workers(["ads"]) == 1


def test_a_closed_store_gives_its_connections_back(opener: Opener) -> None:
    one = opener()
    owned(one, "ads")
    one.close()
    one.close()
    assert owned(opener(), "ads").epoch == 2


def test_looking_at_cursors_keeps_nobody_from_owning(opener: Opener) -> None:
    one, other = opener(), opener()
    owned(one, "ads").release()
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            one.cursors()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(30):
            owned(other, "ads").release()
    finally:
        stop.set()
        thread.join()


def test_progress_is_saved(opener: Opener) -> None:
    store = opener()
    owner = owned(store, "ads")
    for number in range(3):
        store.append("web", [b"%d" % number] * 2)
    owner.save(2, b"checkpoint")
    owner.release()
    again = owned(opener(), "ads")
    assert (again.position, again.checkpoint) == (Position(2, 4), b"checkpoint")


def test_a_position_never_goes_back(store: EventStore) -> None:
    owner = owned(store, "ads")
    store.append("web", [b"1"])
    store.append("web", [b"2"])
    owner.save(2, b"a")
    owner.save(1, b"b")
    owner.release()
    again = owned(store, "ads")
    assert (again.position.offset, again.checkpoint) == (2, b"b")


def test_chunks_are_deleted_below_the_lowest_position(store: EventStore) -> None:
    fast, slow = owned(store, "fast"), owned(store, "slow")
    elsewhere = owned(store, "elsewhere", "other")
    store.append("other", [b"x"])
    for number in range(4):
        store.append("web", [b"%d" % number])
    fast.save(4, b"")
    assert len(store.read("web", 0)) == 4
    slow.save(3, b"")
    assert lines(store, "web") == [b"3"]
    slow.save(4, b"")
    assert lines(store, "web") == []
    assert lines(store, "other") == [b"x"]
    elsewhere.save(1, b"")
    store.append("web", [b"4"])
    assert store.read("web", 4)[0].start == Position(4, 4)


def test_cursors_say_who_waits_for_what(store: EventStore) -> None:
    owner, gone = owned(store, "ads"), owned(store, "crm")
    for number in range(3):
        store.append("web", [b"%d" % number] * 2)
    owner.save(2, b"")
    gone.release()
    assert store.cursors() == [
        ("ads", "web", 1, 2, 2, True, process_name()),
        ("crm", "web", 1, 0, 6, False, ""),
    ]


def test_a_dropped_cursor_no_longer_keeps_lines(store: EventStore) -> None:
    owner, gone = owned(store, "ads"), owned(store, "crm")
    store.append("web", [b"1"])
    owner.save(1, b"")
    gone.save(0, b"", [letter(1)])
    assert lines(store, "web") == [b"1"]
    assert store.drop("crm")
    assert not store.drop("crm")
    assert lines(store, "web") == []
    assert store.dead_letters.count() == 0
    with pytest.raises(OwnershipLostError):
        gone.check()
    with pytest.raises(OwnershipLostError):
        gone.save(1, b"")
    assert [one.connection for one in store.cursors()] == ["ads"]


def test_the_last_cursor_that_is_dropped_frees_its_stream(store: EventStore) -> None:
    owned(store, "ads").release()
    store.append("web", [b"1"])
    assert store.drop("ads")
    assert lines(store, "web") == []


def test_a_connection_reads_one_stream(store: EventStore) -> None:
    owned(store, "ads").release()
    with pytest.raises(ConfigurationError, match="reads the stream `web`, not `other`"):
        store.own("ads", "other")
    assert owned(store, "ads").epoch == 2


# Dead letters


def test_dead_letters_are_saved_with_the_position(store: EventStore) -> None:
    owner = owned(store, "ads")
    owner.save(0, b"", [letter(1, tries=8, first=5.5), letter(2, code="OTHER")])
    first, second = store.dead_letters.list()
    assert first == letter(1, tries=8, first=5.5, id=first.id)
    assert second == letter(2, code="OTHER", id=second.id)
    assert store.dead_letters.list(after=first.id) == [second]
    assert store.dead_letters.list(most=1) == [first]


def test_a_letter_without_a_time_gets_one(store: EventStore) -> None:
    before = time.time()
    owned(store, "ads").save(0, b"", [letter(1, at=0.0)])
    (one,) = store.dead_letters.list()
    assert before <= one.at <= time.time()


def test_dead_letters_are_selected(store: EventStore) -> None:
    letters = [letter(1), letter(2, subscription="remove"), letter(3, code="OTHER")]
    owned(store, "ads").save(0, b"", letters)
    owned(store, "crm").save(0, b"", [letter(4, connection="crm")])

    def found(which: DeadLetterFilter) -> list[int]:
        assert store.dead_letters.count(which) == len(store.dead_letters.list(which))
        return [one.line for one in store.dead_letters.list(which)]

    ids = [one.id for one in store.dead_letters.list()]
    assert found(DeadLetterFilter()) == [1, 2, 3, 4]
    assert found(DeadLetterFilter(connection="ads")) == [1, 2, 3]
    assert found(DeadLetterFilter(subscription="remove")) == [2]
    assert found(DeadLetterFilter(code="OTHER")) == [3]
    assert found(DeadLetterFilter(message_id="m2")) == [2]
    assert found(DeadLetterFilter(since=2, until=4)) == [2, 3]
    assert found(DeadLetterFilter(ids=ids[1:3])) == [2, 3]
    assert found(DeadLetterFilter(ids=[])) == []
    assert found(DeadLetterFilter(connection="ads", since=2)) == [2, 3]


def test_dead_letters_are_dropped(store: EventStore) -> None:
    owned(store, "ads").save(0, b"", [letter(1), letter(2), letter(3)])
    assert store.dead_letters.drop(DeadLetterFilter(until=3)) == 2
    assert [one.line for one in store.dead_letters.list()] == [3]
    assert store.dead_letters.drop() == 1


def test_a_replay_is_requested_and_stays_requested_until_it_is_settled(opener: Opener) -> None:
    store, other = opener(), opener()
    owner = owned(store, "ads")
    owned(store, "crm").save(0, b"", [letter(1, connection="crm")])
    owner.save(0, b"", [letter(1), letter(2), letter(3)])
    assert owner.replays() == []
    assert other.dead_letters.replay(DeadLetterFilter(connection="ads", since=2)) == 2
    requested = owner.replays()
    assert [(one.line, one.replay) for one in requested] == [(2, True), (3, True)]
    assert owner.replays(1) == requested[:1]
    owner.save(0, b"", [letter(3, tries=2)], replayed=[requested[0].id])
    assert owner.replays() == []
    assert [(one.line, one.tries) for one in store.dead_letters.list()] == [(1, 1), (1, 1), (3, 2)]


def test_letters_of_other_connections_are_never_removed(store: EventStore) -> None:
    owned(store, "crm").save(0, b"", [letter(1, connection="crm")])
    (theirs,) = store.dead_letters.list()
    owned(store, "ads").save(0, b"", replayed=[theirs.id])
    assert store.dead_letters.list() == [theirs]


# Rates and state


def test_a_rate_is_swapped_if_it_is_as_seen(opener: Opener) -> None:
    one, other = opener().rates("account"), opener().rates("account")
    start = ThrottleState()
    assert one.read() == start
    assert one.swap(start, ThrottleState(1.5, 2.5))
    assert not other.swap(start, ThrottleState(9.0, 9.0))
    assert other.read() == ThrottleState(1.5, 2.5)
    assert other.swap(ThrottleState(1.5, 2.5), ThrottleState(3.5, 2.5))
    assert one.read() == ThrottleState(3.5, 2.5)
    assert opener().rates("another").read() == start


class Limit:
    """Fifty calls in five seconds."""

    calls = 50
    seconds = 5.0


def test_throttles_of_several_processes_share_a_rate(opener: Opener) -> None:
    stores = [opener(), opener()]
    times: list[float] = []

    def call(store: EventStore) -> None:
        throttle = Throttle(Limit(), clock=store.clock, store=store.rates("app"))
        for _ in range(5):
            throttle.take()
            times.append(store.clock.monotonic())

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(call, stores * 2))
    times.sort()
    assert len(times) == 20
    assert times[-1] - times[0] >= 18 * 5 / 50 * 0.95  # a burst of two, then a call each 0.1 s


def test_state_is_kept_by_kind_and_key(opener: Opener) -> None:
    one, other = opener().state, opener().state
    assert one.get("token", "a") is None
    one.put("token", "a", {"text": "x", "expires": 1.5})
    one.put("job", "a", "j")
    assert other.get("token", "a") == {"text": "x", "expires": 1.5}
    assert not other.create("token", "a", "y")
    assert other.create("token", "b", "y")
    assert one.swap("token", "b", "y", "z")
    assert not one.swap("token", "b", "y", "q")
    assert one.get("token", "b") == "z"
    assert one.delete("token", "b")
    assert not one.delete("token", "b")
    assert one.get("job", "a") == "j"


def test_a_lock_of_the_state_is_held_by_one(opener: Opener) -> None:
    one, other = opener().state, opener().state
    with one.lock("renew"):
        with other.lock("another"):
            pass
        held = pytest.raises(StorageError, match=r"not free within 0\.05 seconds")
        with held, other.lock("renew", patience=0.05):
            pass
    with other.lock("renew", patience=0):
        pass


# No room


def test_a_store_with_the_most_events_refuses_more_until_some_are_settled(opener: Opener) -> None:
    store = opener(max_events=3)
    owner = owned(store, "ads")
    store.append("web", [b"1", b"2"], ["a", "b"])
    with pytest.raises(StoreFullError, match="holds 2 events of at most 3"):
        store.append("web", [b"3", b"4"], ["c", "d"])
    assert store.append("web", [b"3"], ["c"]) == (1, 0)
    assert store.append("web", [b"1"], ["a"]) == (0, 1)  # a repetition needs no room
    with pytest.raises(StoreFullError):
        store.append("other", [b"x"])
    owner.save(1, b"")
    store.append("web", [b"4"], ["d"])
    assert lines(store, "web") == [b"3", b"4"]


def test_one_submission_too_many_fails_alone(opener: Opener) -> None:
    store = opener(max_events=10)
    futures = [store.submit("web", [b"x"]) for _ in range(30)]
    failed = [one for one in futures if one.exception()]
    assert len(failed) == 20
    assert all(isinstance(one.exception(), StoreFullError) for one in failed)
    assert len(lines(store, "web")) == 10


def test_a_store_of_the_largest_size_refuses_more(opener: Opener) -> None:
    store = opener(max_bytes=400_000)
    owner = owned(store, "ads")
    futures = [store.submit("web", [b"x" * 50_000]) for _ in range(20)]
    failures = [str(failure) for one in futures if (failure := one.exception())]
    assert all("of at most 400,000" in failure for failure in failures)
    last = store.read("web", 0)[-1].end.offset
    assert 3 <= 20 - len(failures) < 8
    owner.save(last, b"")
    store.append("web", [b"x" * 50_000])


# Processes that are killed

OPENING = """
import sys, time
from framework.relay import DeadLetter, PostgresStore, SQLiteStore
store = (PostgresStore if "://" in sys.argv[1] else SQLiteStore)(sys.argv[1])
"""

APPENDING = (
    OPENING
    + """
name = sys.argv[2]
number = 0
while True:
    lines = [b"%s %d" % (name.encode(), number + one) for one in range(5)]
    store.append("web", lines, [line.decode() for line in lines])
    number += 5
    print(number, flush=True)
"""
)


@pytest.mark.parametrize("round_", range(3))
def test_nothing_acknowledged_is_lost_to_a_kill(opener: Opener, address: str, round_: int) -> None:
    """Two processes append to one stream and are killed; what they had told is there, in order."""
    told = [killed_after(address, name, 0.1 + 0.2 * round_) for name in ("a", "b")]
    acknowledged = {name: one() for name, one in zip("ab", told, strict=True)}
    with opener() as store:
        chunks = store.read("web", 0, 10**9)
        assert all(one.end == two.start for one, two in pairwise(chunks))
        found = [line.split() for chunk in chunks for line in chunk.lines]
        for name, number in acknowledged.items():
            mine = [int(b) for a, b in found if a.decode() == name]
            assert number > 0
            assert mine == list(range(len(mine)))
            assert number <= len(mine) <= number + 5
            repeated = [f"{name} {one}" for one in range(len(mine))]
            assert store.append("web", [b"x"] * len(mine), repeated) == (0, len(mine))


SAVING = (
    OPENING
    + """
owner = store.own("ads", "web")
done = owner.position.offset
while chunks := store.read("web", done, 1):
    done = chunks[-1].end.offset
    letter = DeadLetter(
        connection="ads", line=done, subscription="s", event=b"{}", code="C", outcome={}
    )
    owner.save(done, b"%d" % done, [letter])
    print(done, flush=True)
    time.sleep(0.002)
"""
)


def test_progress_is_saved_as_a_whole_whenever_its_process_is_killed(
    opener: Opener, address: str
) -> None:
    with opener() as store:
        owned(store, "ads").release()
        for number in range(400):
            store.append("web", [b"%d" % number])
        total = store.append("web", [b"x"]) and store.read("web", 0, 10**9)[-1].end
        last = 0
        for turn in range(3):
            told = killed_after(address, "ads", 0.05 * turn, SAVING)()
            owner = owned_soon(store, "ads")
            at = owner.position
            assert last < told <= at.offset <= told + 1
            assert (owner.epoch, owner.checkpoint) == (3 + 2 * turn, b"%d" % at.offset)
            left = store.read("web", 0, 10**9)
            assert left[0].start == at
            assert left[-1].end == total
            assert store.dead_letters.count() == at.offset
            owner.release()
            last = told


class Told(Protocol):
    """Waits for the end of a process and returns the last number that it printed."""

    def __call__(self) -> int: ...


def killed_after(address: str, name: str, seconds: float, program: str = APPENDING) -> Told:
    """Start a process, and kill it some seconds after it first prints a number."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, address, name],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )

    def told() -> int:
        assert process.stdout is not None
        numbers = [process.stdout.readline()]
        timer = threading.Timer(seconds, os.kill, (process.pid, signal.SIGKILL))
        timer.start()
        with process:
            numbers += process.stdout.readlines()
        return int(next(one for one in reversed(numbers) if one.endswith("\n")))

    return told


OWNING = (
    OPENING
    + """
owner = store.own("ads", "web")
print(owner.epoch, flush=True)
sys.stdin.read()
"""
)


def test_the_connection_of_a_killed_process_is_free(opener: Opener, address: str) -> None:
    with opener() as store:
        with subprocess.Popen(
            [sys.executable, "-c", OWNING, address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"1\n"
            assert store.own("ads", "web") is None
            process.kill()
        assert owned_soon(store, "ads").epoch == 2


def owned_soon(store: EventStore, name: str) -> Owner:
    """Own a connection within the second in which a killed process must be gone."""
    end = time.monotonic() + 1
    while (owner := store.own(name, "web")) is None:
        assert time.monotonic() < end
        time.sleep(0.005)
    return owner


def test_what_is_erased_is_nowhere(opener: Opener) -> None:
    """Lines are empty, the others keep their numbers; letters and states are deleted."""
    audience = Audience("lane", "null", "name", "spring")
    store = opener()
    ada, bob = store.ledger.digests(["ada", "bob"])
    owner = store.own("ads", "events", from_start=True)
    assert owner
    memberships = owner.memberships("account")
    version = memberships.look_up(audience, ()).version
    states = [MemberChange(audience, one, Member(True, True, 7), version) for one in (ada, bob)]
    letters = [
        DeadLetter(connection="ads", line=1, subscription=name, event=b"{}", code="", outcome={})
        for name in ("first", "second")
    ]
    owner.save(0, b"", letters, members=states)
    store.append("events", [b"one", b"two", b"three"])
    store.append("events", [b"four", b"five"])
    (first, second) = store.dead_letters.list()

    erased = store.erase({"events": [2, 3, 5, 9], "others": [1]}, [first.id, 999], [ada])

    assert erased == Erased(events=3, dead_letters=1, members=1)
    chunks = store.read("events", 0)
    assert [chunk.lines for chunk in chunks] == [[b"one\n", b"\n", b"\n"], [b"four\n", b"\n"]]
    assert [chunk.end.lines for chunk in chunks] == [3, 5]
    assert store.dead_letters.list() == [second]
    assert memberships.look_up(audience, [ada, bob]).members.keys() == {bob}
    assert store.erase({}) == Erased(0, 0, 0)
