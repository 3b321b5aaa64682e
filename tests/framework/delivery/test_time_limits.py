"""A call that lasts too long is stopped, then given up; nothing waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NoReturn

import httpx
import pytest

from framework.clock import Clock, FrozenClock, SystemClock
from framework.definition import Subscription
from framework.delivery import workers
from framework.delivery.throttle import Throttle
from framework.errors import DefinitionError, Stopped
from framework.results import DELIVERED, Failed, Result
from tests.framework.delivery.bench import SEND, URL, Message, connected, plugin, said

LIMIT = 0.1
SHORT = replace(SEND, time_limit=LIMIT)
ONE_BY_ONE = replace(SHORT, batching=None)
LATE = "Action `send` exceeded the time limit of 0.1 seconds."
STOPPED = Failed(408, "TIME_LIMIT", f"{LATE} It was stopped.")
GIVEN_UP = Failed(
    408, "TIME_LIMIT", f"{LATE} It was given up; the partner may have accepted the event."
)


@pytest.fixture(autouse=True)
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "GRACE", 0.1)


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Yield an event that ends the calls which the test blocks."""
    event = threading.Event()
    yield event
    event.set()


def sleeping(clock: Clock) -> None:
    clock.sleep(60)


def calling(client: httpx.Client, stop: threading.Event) -> None:
    assert stop.wait(10)
    client.post(URL)


def polling(stop: threading.Event) -> None:
    assert stop.wait(10)
    raise Stopped


@pytest.mark.parametrize("perform", [sleeping, calling, polling])
@pytest.mark.parametrize("clock", [None, FrozenClock()])
def test_a_call_that_heeds_stop_fails_its_event(
    perform: Callable[..., None], clock: Clock | None
) -> None:
    if perform is sleeping and clock:
        return  # its time passes without waiting
    with connected(plugin(ONE_BY_ONE, perform=perform), clock=clock) as connection:
        report = connection.deliver([said("a")])
    assert report.results == [STOPPED]
    assert STOPPED.retryable


def test_a_call_that_ends_in_the_grace_period_keeps_its_result() -> None:
    def perform(stop: threading.Event) -> None:
        assert stop.wait(10)

    with connected(plugin(ONE_BY_ONE, perform=perform)) as connection:
        assert connection.deliver([said("a")]).results == [DELIVERED]


def test_stop_concerns_one_call_only() -> None:
    """The next call in the same thread starts afresh."""
    seen: list[bool] = []

    def perform(payload: Message, stop: threading.Event) -> None:
        seen.append(stop.is_set())
        if payload.text == "slow":
            assert stop.wait(10)

    with connected(plugin(ONE_BY_ONE, perform=perform)) as connection:
        report = connection.deliver([said("slow"), said("quick"), said("quick")])
    assert seen == [False, False, False]
    assert report.results == [DELIVERED] * 3


@pytest.mark.parametrize("threads", [0, 1, 2])
def test_a_stuck_call_is_given_up(threads: int, release: threading.Event) -> None:
    """Its rows fail, later batches are sent by another thread, and its late result is ignored."""

    def perform(payload: Message) -> Result:
        if payload.text == "stuck":
            release.wait(60)
            return Failed(400, "LATE", "Too late.")
        return DELIVERED

    with connected(plugin(ONE_BY_ONE, perform=perform)) as connection:
        stream = connection.stream(threads=threads)
        events = [said("a"), said("stuck"), said("b"), said("c")]
        found = [*stream.add(enumerate(events)), *stream.flush(), *stream.close()]
    results = {row: result for part in found for one in part for row, _, result in one.each()}
    assert results == {0: DELIVERED, 1: GIVEN_UP, 2: DELIVERED, 3: DELIVERED}
    assert stream.pending() == {}


def test_rows_before_a_stuck_one_keep_their_results(release: threading.Event) -> None:
    sent: list[str] = []

    def perform(payload: Message) -> Result:
        sent.append(payload.text)
        if payload.text == "b":
            release.wait(60)
        return DELIVERED

    with connected(plugin(SHORT, perform=perform)) as connection:
        report = connection.deliver([said("a"), said("b"), said("c")])
        release.set()
    assert report.results == [DELIVERED, GIVEN_UP, GIVEN_UP]
    assert sent == ["a", "b"]  # the thread that was given up performs nothing more


def test_a_stuck_batch_fails_whole(release: threading.Event) -> None:
    def perform_batch() -> None:
        release.wait(60)

    with connected(plugin(SHORT, perform_batch=perform_batch)) as connection:
        report = connection.deliver([said("a"), said("b")])
    assert report.results == [GIVEN_UP, GIVEN_UP]
    assert [one.size for one in report.batches] == [2]


@pytest.mark.parametrize("threads", [0, 1])
def test_a_halting_result_stops_what_is_queued(threads: int, release: threading.Event) -> None:
    sent: list[str] = []

    def perform(payload: Message) -> None:
        sent.append(payload.text)
        release.wait(60)

    def halts(result: Result) -> bool:
        return isinstance(result, Failed)

    with connected(plugin(ONE_BY_ONE, perform=perform)) as connection:
        stream = connection.stream(halts, threads=threads)
        for _ in (*stream.add(enumerate(map(said, "abc"))), *stream.flush()):
            pass
    assert sent == ["a"]
    assert stream.halted == GIVEN_UP
    assert stream.pending() == {0: [range(3)]}


def test_three_stuck_calls_halt_the_connection(release: threading.Event) -> None:
    calls: list[str] = []

    def perform(payload: Message) -> None:
        calls.append(payload.text)
        release.wait(60)

    with connected(plugin(ONE_BY_ONE, perform=perform)) as connection:
        report = connection.deliver([said(text) for text in "abcde"])
    halted = Failed(
        503,
        "HALTED",
        "3 calls of destination `partner` exceeded their time limits and are still running, so "
        "nothing more is sent.",
    )
    assert report.results == [GIVEN_UP] * 3 + [halted] * 2
    assert calls == ["a", "b", "c"]


def test_waits_for_the_rate_limit_do_not_count() -> None:
    class Slow(Throttle):
        def take(self, guard: Callable[[], object] = lambda: None) -> None:
            del guard
            time.sleep(3 * LIMIT)  # longer than limit and grace

    def perform(client: httpx.Client) -> httpx.Response:
        return client.post(URL)

    with connected(plugin(ONE_BY_ONE, perform=perform), throttle=Slow()) as connection:
        assert connection.deliver([said("a")]).results == [DELIVERED]


def test_deliveries_within_a_call_have_limits_of_their_own() -> None:
    inner = connected(plugin(ONE_BY_ONE, perform=sleeping))

    def perform() -> Any:
        (result,) = inner.deliver([said("inner")]).results
        return result

    outer = replace(ONE_BY_ONE, time_limit=300)
    with inner, connected(plugin(outer, perform=perform)) as connection:
        assert connection.deliver([said("outer")]).results == [STOPPED]


def test_hooks_run_in_the_context_of_the_caller() -> None:
    import contextvars  # noqa: PLC0415 - of this test only

    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    seen: list[str] = []
    variable.set("mine")
    with connected(plugin(ONE_BY_ONE, perform=lambda: seen.append(variable.get()))) as connection:
        connection.deliver([said("a")])
    assert seen == ["mine"]


@pytest.mark.parametrize("limit", [0, -1, float("inf"), float("nan"), True, "5", None])
def test_impossible_limits_are_refused(limit: Any) -> None:
    with pytest.raises(DefinitionError, match="`time_limit` must be a positive number of seconds"):
        replace(SEND, time_limit=limit)


@pytest.mark.parametrize("kind", [SystemExit, GeneratorExit, KeyboardInterrupt, BaseException])
@pytest.mark.parametrize("hook", ["perform", "perform_batch", "identify"])
@pytest.mark.parametrize("threads", [0, 1])
def test_an_exit_is_the_plugins_fault(hook: str, kind: type[BaseException], threads: int) -> None:
    """It fails the events of the call; the process goes on."""

    def leave() -> NoReturn:
        raise kind(3)

    hooks: dict[str, Callable[..., Any]] = {"perform": lambda: None, hook: leave}
    with connected(plugin(**hooks), Subscription(action="send")) as connection:
        stream = connection.stream(threads=threads)
        found = [*stream.add(enumerate([said("a"), said("b")])), *stream.flush()]
    failed = [one.result for part in found for one in part]
    text = f"Destination `partner` raised {kind.__name__}."
    assert set(failed) == {Failed(500, "INTERNAL_ERROR", text)}


@pytest.mark.parametrize("kind", [SystemExit, GeneratorExit, KeyboardInterrupt])
def test_an_exit_after_a_delivery_changes_nothing(kind: type[BaseException]) -> None:
    def leave() -> NoReturn:
        raise kind

    hooks: dict[str, Callable[..., Any]] = {"perform": lambda: None, "batch_finished": leave}
    with connected(plugin(**hooks)) as connection:
        assert connection.deliver([said("a")]).results == [DELIVERED]


def test_an_error_reader_that_exits_leaves_the_partners_error() -> None:
    def describe_error() -> Any:
        raise SystemExit(3)

    def perform(client: httpx.Client) -> httpx.Response:
        return client.post(URL)

    opened = plugin(ONE_BY_ONE, perform=perform, describe_error=describe_error)
    refusing = httpx.MockTransport(lambda _: httpx.Response(400))
    with connected(opened, partner=refusing) as connection:
        (result,) = connection.deliver([said("a")]).results
    assert isinstance(result, Failed)
    assert (result.status, result.code) == (400, "BAD_REQUEST")


@pytest.mark.parametrize("said_wrongly", ["text", (1, 2), ["a", None], 7])
def test_an_error_reader_that_answers_wrongly_is_ignored(said_wrongly: Any) -> None:
    def perform(client: httpx.Client) -> httpx.Response:
        return client.post(URL)

    opened = plugin(ONE_BY_ONE, perform=perform, describe_error=lambda: said_wrongly)
    refusing = httpx.MockTransport(lambda _: httpx.Response(400, json={"error": "NO_SUCH_ROOM"}))
    with connected(opened, partner=refusing) as connection:
        (result,) = connection.deliver([said("a")]).results
    assert isinstance(result, Failed)
    assert (result.status, result.code) == (400, "NO_SUCH_ROOM")


@pytest.mark.parametrize(
    ("said_so", "code"),
    [
        (("190", "Expired."), "190"),
        (("quota.user-daily", ""), "quota.user-daily"),
        (("no room", "Full."), "BAD_REQUEST"),
        (("ada@example.com", ""), "BAD_REQUEST"),
        (("x" * 65, ""), "BAD_REQUEST"),
    ],
)
def test_a_code_is_one_word(
    said_so: tuple[str, str], code: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Another one is left out, and its author is told so."""

    def perform(client: httpx.Client) -> httpx.Response:
        return client.post(URL)

    opened = plugin(ONE_BY_ONE, perform=perform, describe_error=lambda: said_so)
    refusing = httpx.MockTransport(lambda _: httpx.Response(400))
    with connected(opened, partner=refusing) as connection:
        (result,) = connection.deliver([said("a")]).results
    assert isinstance(result, Failed)
    assert result.code == code
    assert ("returned a code that is left out" in caplog.text) == (code == "BAD_REQUEST")
    assert "ada@" not in caplog.text


def test_the_substitute_of_a_task_is_used_once() -> None:
    """Work that ends while it is given up has one result."""
    wins: list[str] = []

    def substitute(progress: Sequence[Any]) -> bool:
        wins.append(f"substitute {progress}")
        return False

    worker = workers.Worker()
    gate = threading.Event()
    task = worker.submit(partial(gate.wait, 10), substitute)
    assert task.abandon([])
    assert not task.abandon([])
    gate.set()
    assert task.result() is False
    assert wins == ["substitute []"]
    worker.end()


def test_a_stop_ends_with_its_call() -> None:
    """What its thread does next with the clock and the client is not part of the call."""

    def work() -> list[bool]:
        watch = workers.current_watch()
        assert watch is not None
        watch.begin(0.01)
        assert watch.stop.wait(10)
        stopping = [workers.CurrentStop().is_set()]
        watch.end()
        workers.StoppableClock(SystemClock()).sleep(0.01)
        return [*stopping, workers.CurrentStop().is_set()]

    assert workers.run_watched(work, lambda _: []) == [True, False]


def test_quick_calls_are_made_by_the_caller() -> None:
    """Not before the twentieth; after a slow one, a worker makes them again."""
    threads: list[int] = []

    def perform(payload: Message, stop: threading.Event) -> None:
        threads.append(threading.get_ident())
        if payload.text == "slow":
            assert stop.wait(10)

    here = threading.get_ident()
    with connected(plugin(ONE_BY_ONE, perform=perform)) as connection:
        connection.deliver([said("quick")] * 200)
        assert here in threads[20:]
        assert here not in threads[:20]
        assert connection.deliver([said("slow"), said("quick")]).results == [DELIVERED] * 2
    assert here not in threads[-1:]


def test_a_thread_is_free_after_a_call_that_was_stopped() -> None:
    """What the caller does next with the client and the clock is not part of the call."""

    def perform(payload: Message, stop: threading.Event) -> None:
        if payload.text == "slow":
            assert stop.wait(10)

    with connected(plugin(ONE_BY_ONE, perform=perform)) as connection:
        connection.deliver([said("quick")] * 50)
        assert connection.deliver([said("slow")]).results == [DELIVERED]
        connection.hook_runner.client.get(URL)
        connection.hook_runner.clock.sleep(0.01)


@pytest.mark.parametrize("option", ["offline", "strict"])
def test_workers_make_all_calls_of_dry_runs_and_tests(option: str) -> None:
    threads: set[int] = set()
    opened = plugin(ONE_BY_ONE, perform=lambda: threads.add(threading.get_ident()))
    options: dict[str, Any] = {option: True}
    with connected(opened, **options) as connection:
        connection.deliver([said("quick")] * 100)
    assert threading.get_ident() not in threads
