"""Calls are repeated as often and as long as said, and no longer."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from framework.clock import SystemClock
from framework.delivery.holding import Patience
from framework.delivery.retries import Retry
from framework.errors import APIError, DefinitionError, IntegrationError, RetryableError
from tests.framework.delivery.clocks import FakeClock


def failing(*errors: Exception) -> tuple[Callable[[], str], list[int]]:
    """Give a call that raises one error after the other and then succeeds, and its count."""
    calls: list[int] = []

    def call() -> str:
        calls.append(len(calls))
        if len(calls) <= len(errors):
            raise errors[len(calls) - 1]
        return "done"

    return call, calls


def always(error: RetryableError) -> bool:
    return bool(error)


def test_waits_double_with_jitter_up_to_the_cap() -> None:
    clock = FakeClock()
    call, calls = failing(*[RetryableError("Busy.")] * 5)
    assert Retry(attempts=6, first=1, cap=6).run(call, always, clock) == "done"
    assert len(calls) == 6
    lows = [1, 2, 4, 6, 6]
    assert all(low <= wait <= min(low + 1, 6) for low, wait in zip(lows, clock.slept, strict=True))


def test_a_told_pause_is_kept_in_full() -> None:
    clock = FakeClock()
    call, _ = failing(RetryableError("Busy.", pause=61.5))
    assert Retry().run(call, always, clock) == "done"
    assert clock.slept == [61.5]


def test_a_told_pause_that_ends_too_late_is_not_begun() -> None:
    clock = FakeClock()
    error = RetryableError("Busy.", pause=121)
    call, calls = failing(error)
    with pytest.raises(RetryableError) as caught:
        Retry(total=120).run(call, always, clock)
    assert caught.value is error
    assert (clock.slept, len(calls)) == ([], 1)


def test_attempts_are_bounded() -> None:
    clock = FakeClock()
    call, calls = failing(*[RetryableError("Busy.", pause=1)] * 9)
    with pytest.raises(RetryableError):
        Retry(attempts=3).run(call, always, clock)
    assert (clock.slept, len(calls)) == ([1, 1], 3)


def test_time_is_bounded() -> None:
    clock = FakeClock()
    call, calls = failing(*[RetryableError("Busy.", pause=10)] * 9)
    with pytest.raises(RetryableError):
        Retry(attempts=9, total=25).run(call, always, clock)
    assert (clock.slept, len(calls)) == ([10, 10], 3)


@pytest.mark.parametrize("error", [APIError("No."), IntegrationError("No."), ValueError("No.")])
def test_other_errors_are_raised_at_once(error: Exception) -> None:
    call, calls = failing(error)
    with pytest.raises(type(error)):
        Retry().run(call, always, FakeClock())
    assert len(calls) == 1


def test_what_may_not_be_repeated_is_not() -> None:
    call, calls = failing(RetryableError("Busy."))
    with pytest.raises(RetryableError):
        Retry().run(call, lambda _: False, FakeClock())
    assert len(calls) == 1


def test_never_means_one_attempt() -> None:
    call, calls = failing(RetryableError("Busy.", pause=0))
    with pytest.raises(RetryableError):
        Retry.never().run(call, always, FakeClock())
    assert len(calls) == 1


def test_each_repetition_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "action_destinations")
    call, _ = failing(RetryableError("The partner is busy.", pause=2))
    Retry().run(call, always, FakeClock())
    assert caplog.messages == ["The partner is busy. Trying again in 2.0 seconds, attempt 2 of 4."]


def test_all_problems_of_a_retry_are_told_together() -> None:
    with pytest.raises(DefinitionError) as caught:
        Retry(attempts=0, total=-1)
    assert caught.value.problems == (
        "`Retry.attempts` must be at least 1, got 0.",
        "`Retry.total` must be at least 0, got -1.",
    )


def test_the_system_clock_tells_time_and_returns_from_sleep() -> None:
    clock = SystemClock()
    before = clock.monotonic()
    clock.sleep(0)
    assert clock.monotonic() >= before
    assert clock.time() > 1_700_000_000


@pytest.mark.parametrize(("pause", "waited"), [(None, 1), (30, 30), (86_400 * 365, 3600)])
def test_the_pause_of_a_failure_is_at_most_an_hour(pause: float | None, waited: float) -> None:
    """A partner that names a time in milliseconds, or a year, holds no key for longer."""
    assert Patience(first=1.0).wait(1, pause) == pytest.approx(waited, abs=0.5)
