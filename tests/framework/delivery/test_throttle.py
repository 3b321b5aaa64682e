"""The rate is kept, shared and corrected."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import formatdate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.delivery.throttle import LocalRateStore, RateHeaders, Throttle, ThrottleState
from framework.errors import DefinitionError, RetryableError
from tests.framework.delivery.clocks import STARTED, FakeClock, Rate


def sent(throttle: Throttle, clock: FakeClock, calls: int) -> list[float]:
    """Take *calls* times and give the readings at which they went out."""
    times = []
    for _ in range(calls):
        throttle.take()
        times.append(clock.reading)
    return times


@settings(max_examples=60, deadline=None)
@given(
    calls=st.integers(1, 120),
    seconds=st.floats(0.5, 120),
    gaps=st.lists(st.one_of(st.just(0.0), st.floats(0, 30)), min_size=1, max_size=150),
)
def test_no_window_sees_more_calls_than_allowed(
    calls: int, seconds: float, gaps: list[float]
) -> None:
    """Whatever the pattern of arrivals, any window of the rate's length keeps to the rate."""
    clock = FakeClock()
    throttle = Throttle(Rate(calls, seconds), clock=clock, patience=1e9)
    times = []
    for gap in gaps:
        clock.reading += gap
        throttle.take()
        times.append(clock.reading)
    for first, time in enumerate(times):
        window = [other for other in times[first:] if other < time + seconds]
        assert len(window) <= calls


@settings(max_examples=60, deadline=None)
@given(
    calls=st.integers(1, 120),
    seconds=st.floats(0.5, 120),
    share=st.floats(0.01, 1),
    gaps=st.lists(st.one_of(st.just(0.0), st.floats(0, 30)), min_size=1, max_size=150),
)
def test_no_window_sees_more_calls_than_the_share_allows(
    calls: int, seconds: float, share: float, gaps: list[float]
) -> None:
    """A share of less than one call is one call in a longer window."""
    clock = FakeClock()
    throttle = Throttle(Rate(calls, seconds), share=share, clock=clock, patience=1e9)
    times = []
    for gap in gaps:
        clock.reading += gap
        throttle.take()
        times.append(clock.reading)
    window = seconds / min(1.0, calls * share)
    most = max(1.0, calls * share) + 1e-9
    for first, time in enumerate(times):
        assert len([other for other in times[first:] if other < time + window]) <= most


@pytest.mark.parametrize(
    ("calls", "share", "least", "most"),
    [
        (250, 1.0, 249, 250),
        (250, 0.9, 224, 225),
        (250, 0.5, 124, 125),
        (100, 0.29, 28, 29),
        (10, 0.25, 2, 2),
        (2, 0.5, 1, 1),
    ],
)
def test_a_share_is_used_nearly_in_full(calls: int, share: float, least: int, most: int) -> None:
    clock = FakeClock()
    throttle = Throttle(Rate(calls, 60), share=share, clock=clock, patience=1e9)
    times = sent(throttle, clock, 3 * most + 2)
    worst = max(len([one for one in times if start <= one < start + 60]) for start in times)
    assert least <= worst <= most


def test_a_share_of_the_remaining_calls_is_left_to_others() -> None:
    clock = FakeClock()
    throttle = Throttle(Rate(250, 60), share=0.5, clock=clock, patience=1e9)
    told = {"x-ratelimit-remaining": "30", "x-ratelimit-reset": f"{STARTED + 50:.0f}"}
    throttle.tell(200, told)
    times = sent(throttle, clock, 60)
    assert len([time for time in times if time < 1050]) == 15


def test_after_a_rest_a_burst_goes_out_at_once_and_then_an_even_pace() -> None:
    clock = FakeClock()
    times = sent(Throttle(Rate(250, 60), clock=clock), clock, 12)
    pace = 1.001 * 60 / 241
    assert times == pytest.approx([1000.0] * 10 + [1000 + pace, 1000 + 2 * pace])


def test_a_minute_lets_out_nearly_as_many_calls_as_allowed() -> None:
    clock = FakeClock()
    times = sent(Throttle(Rate(250, 60), clock=clock), clock, 300)
    assert len([time for time in times if time < 1060]) == 250


def test_without_a_rate_nothing_waits() -> None:
    clock = FakeClock()
    sent(Throttle(clock=clock), clock, 1000)
    assert clock.slept == []


class FrozenClock(FakeClock):
    """Sleeping takes no time, so that every thread books from the same moment."""

    def sleep(self, seconds: float, /) -> None:
        self.slept.append(seconds)


def test_threads_share_one_budget() -> None:
    """Every call gets a slot of its own, as if one thread had made them all."""
    clock = FrozenClock()
    throttle = Throttle(Rate(25, 25), clock=clock, patience=1e9)

    def work() -> None:
        for _ in range(25):
            throttle.take()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(clock.slept) == pytest.approx([1.001 * slot for slot in range(1, 200)])


def test_two_throttles_on_one_store_share_one_budget() -> None:
    clock, store = FakeClock(), LocalRateStore()
    one = Throttle(Rate(1, 10), clock=clock, store=store)
    other = Throttle(Rate(1, 10), clock=clock, store=store)
    one.take()
    other.take()
    assert clock.slept == pytest.approx([10.01])


class Contended(LocalRateStore):
    """Lets somebody else book just before the first swap."""

    rivals = 1

    def swap(self, seen: ThrottleState, new: ThrottleState) -> bool:
        if self.rivals:
            self.rivals -= 1
            super().swap(seen, replace(seen, booked=1010.0, held=seen.held))
        return super().swap(seen, new)


def test_a_booking_that_somebody_else_overtook_is_made_again() -> None:
    clock = FakeClock()
    assert sent(Throttle(Rate(1, 10), clock=clock, store=Contended()), clock, 1) == [1010.0]


def test_a_wait_beyond_the_patience_is_refused_with_its_length() -> None:
    clock = FakeClock()
    throttle = Throttle(Rate(1, 60), clock=clock, patience=50)
    throttle.take()
    with pytest.raises(RetryableError) as caught:
        throttle.take()
    assert str(caught.value) == ("The partner's rate limit leaves no room for the next 60 seconds.")
    assert (caught.value.status, caught.value.code) == (429, "THROTTLED")
    assert caught.value.pause == pytest.approx(60.06)
    assert clock.slept == []


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (429, {"retry-after": "7"}, 7.0),
        (503, {"retry-after": "7"}, 7.0),
        (429, {"retry-after": "0"}, 1.0),
        (429, {}, 1.0),
        (429, {"x-ratelimit-reset": f"{STARTED + 20:.0f}"}, 20.0),
        (429, {"x-ratelimit-reset": f"{STARTED - 20:.0f}"}, 1.0),
        (429, {"retry-after": "Fri, 15 Jan 2027 08:00:30 GMT"}, 30.0),
        (200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{STARTED + 9:.0f}"}, 9.0),
        (200, {"x-ratelimit-remaining": "5", "x-ratelimit-reset": f"{STARTED + 9:.0f}"}, 0.0),
        (503, {"x-ratelimit-reset": f"{STARTED + 20:.0f}"}, 0.0),
        (200, {}, 0.0),
    ],
)
def test_what_an_answer_says_holds_the_next_call(
    status: int, headers: dict[str, str], wait: float
) -> None:
    clock = FakeClock()
    throttle = Throttle(clock=clock)
    throttle.tell(status, headers)
    assert sent(throttle, clock, 1) == [1000.0 + wait]


def test_a_pause_that_comes_while_waiting_is_kept_too() -> None:
    """A call that already had its slot waits on when the partner asks for a pause."""
    clock = FakeClock()

    class Interrupted(FakeClock):
        def sleep(self, seconds: float, /) -> None:
            if not self.slept:
                throttle.tell(429, {"retry-after": "30"})
            super().sleep(seconds)

    clock = Interrupted()
    throttle = Throttle(Rate(1, 10), clock=clock)
    assert sent(throttle, clock, 2) == [1000.0, 1030.0]


def test_the_budget_that_others_used_is_not_used_again() -> None:
    """Of a partner's 30 remaining calls no more than 30 go out until the reset."""
    clock = FakeClock()
    throttle = Throttle(Rate(250, 60), clock=clock, patience=1e9)
    told = {"x-ratelimit-remaining": "30", "x-ratelimit-reset": f"{STARTED + 50:.0f}"}
    throttle.tell(200, told)
    times = sent(throttle, clock, 60)
    assert len([time for time in times if time < 1050]) == 30


def test_a_budget_that_suffices_changes_nothing() -> None:
    clock = FakeClock()
    throttle = Throttle(Rate(250, 60), clock=clock)
    told = {"x-ratelimit-remaining": "249", "x-ratelimit-reset": f"{STARTED + 30:.0f}"}
    throttle.tell(200, told)
    assert sent(throttle, clock, 10) == pytest.approx([1000.0] * 10)


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({}, RateHeaders()),
        ({"x-ratelimit-remaining": "12", "x-ratelimit-reset": "160"}, RateHeaders(12, 160.0)),
        ({"ratelimit-remaining": "12", "ratelimit-reset": "60"}, RateHeaders(12, 60.0)),
        ({"x-ratelimit-reset": str(int(STARTED) + 60)}, RateHeaders(reset=60.0)),
        ({"x-ratelimit-reset": str((int(STARTED) + 60) * 1000)}, RateHeaders(reset=60.0)),
        ({"x-ratelimit-remaining": "-1", "x-ratelimit-reset": "soon"}, RateHeaders(0)),
        ({"x-ratelimit-remaining": "nan", "x-ratelimit-reset": "inf"}, RateHeaders()),
        ({"retry-after": "1.5"}, RateHeaders(retry_after=1.5)),
        ({"retry-after": "later"}, RateHeaders()),
        ({"retry-after": "Fri, 15 Jan 2027 08:02:00 -0000"}, RateHeaders(retry_after=120.0)),
        ({"retry-after": "Fri, 15 Jan 2027 07:00:00 GMT"}, RateHeaders(retry_after=0.0)),
        ({"retry-after": str(int(STARTED) + 30)}, RateHeaders(retry_after=30.0)),
        ({"x-ratelimit-reset": "Fri, 15 Jan 2027 08:01:00 GMT"}, RateHeaders(reset=60.0)),
        ({"x-ratelimit-reset": "2027-01-15T08:01:00Z"}, RateHeaders(reset=60.0)),
        ({"x-ratelimit-reset": "Fri, 99 Jan 2027 08:01:00 GMT"}, RateHeaders()),
        (
            {"date": "Fri, 15 Jan 2027 07:50:00 GMT", "x-ratelimit-reset": "2027-01-15T07:51:00Z"},
            RateHeaders(reset=60.0),
        ),
        (
            {
                "date": "Fri, 15 Jan 2027 09:00:00 GMT",
                "retry-after": "Fri, 15 Jan 2027 09:00:07 GMT",
            },
            RateHeaders(retry_after=7.0),
        ),
        ({"date": "yesterday", "x-ratelimit-reset": f"{STARTED + 9}"}, RateHeaders(reset=9.0)),
        ({"x-rate-limit-remaining": "12", "x-rate-limit-reset": "60"}, RateHeaders(12, 60.0)),
        ({"ratelimit": "limit=100, remaining=12, reset=60"}, RateHeaders(12, 60.0)),
        ({"ratelimit": "limit=100,remaining=0,reset=60"}, RateHeaders(0, 60.0)),
        ({"ratelimit": '"default";r=12;t=60'}, RateHeaders(12, 60.0)),
        ({"ratelimit": '"default"; r=12; t=60; pk=:a+b/cQ==:'}, RateHeaders(12, 60.0)),
        ({"ratelimit": '"burst";r=0;t=1, "hour";r=0;t=60, "day";r=12;t=900'}, RateHeaders(0, 60.0)),
        ({"ratelimit": '"r=0;t=1, \\"or\\" more";r=12;t=60'}, RateHeaders(12, 60.0)),
        ({"ratelimit": '"default";r=12'}, RateHeaders(12)),
        ({"ratelimit": '"default";r=many, "other"'}, RateHeaders()),
        ({"ratelimit": '"default'}, RateHeaders()),
        ({"ratelimit": '"default";r=12;t=60', "ratelimit-remaining": "3"}, RateHeaders(3)),
    ],
)
def test_headers_are_read_in_all_their_forms(headers: dict[str, str], told: RateHeaders) -> None:
    assert RateHeaders.read(headers, STARTED) == told


FORMS: dict[str, Callable[[float], str]] = {
    "seconds": lambda at: f"{at:.0f}",
    "fraction": lambda at: f"{at:.3f}",
    "milliseconds": lambda at: f"{at * 1000:.0f}",
    "HTTP date": lambda at: formatdate(at, usegmt=True),
    "ISO 8601": lambda at: datetime.fromtimestamp(round(at), UTC).isoformat(),
}


@given(
    st.floats(-90_000, 90_000),
    st.integers(1, 50),
    st.sampled_from(sorted(FORMS)),
    st.sampled_from(["reset", "retry-after"]),
)
def test_the_clocks_of_partner_and_client_may_differ(
    skew: float, wait: int, form: str, header: str
) -> None:
    """Read with the response's own clock, a moment is as far away as the partner means."""
    clock = FakeClock()
    throttle = Throttle(Rate(250, 60), clock=clock)
    partner = round(STARTED + skew)
    name = "x-ratelimit-reset" if header == "reset" else header
    date = formatdate(partner, usegmt=True)
    throttle.tell(429, {"date": date, name: FORMS[form](partner + wait)})
    assert sent(throttle, clock, 1) == [pytest.approx(1000.0 + wait, abs=0.001)]


GARBAGE = st.one_of(
    st.text(max_size=30),
    st.integers().map(str),
    st.floats().map(str),
    st.floats(0, 4e15).map(lambda at: f"{at:.0f}"),
    st.floats(-1e10, 1e11).map(lambda at: formatdate(at, usegmt=True)),
    st.datetimes().map(str),
    st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,6} \d\d:\d\d:\d\d( [+-]?\w{1,5})?"),
)


@given(
    st.dictionaries(
        st.sampled_from(["date", "x-ratelimit-reset", "ratelimit-reset", "x-ratelimit-remaining"]),
        GARBAGE,
    ),
    st.sampled_from([200, 429, 503]),
    st.floats(1, 600),
)
def test_no_reset_is_waited_for_beyond_the_window(
    headers: dict[str, str], status: int, window: float
) -> None:
    """Whatever the headers say, and whatever the clocks show; and nothing is raised."""
    clock = FakeClock()
    throttle = Throttle(Rate(250, window), clock=clock, patience=1e9)
    throttle.tell(status, headers)
    assert (throttle.pause(status, headers) or 0.0) <= max(window, 1.0)
    (at,) = sent(throttle, clock, 1)
    assert at - 1000.0 <= max(window, 1.0) * 1.001


def test_an_absurd_pause_is_cut_to_an_hour() -> None:
    assert RateHeaders(retry_after=1e9).pause(429) == 3600.0


@pytest.mark.parametrize(
    ("calls", "seconds", "text"),
    [
        (0, 60, "A rate must allow a call in some time, got 0 calls in 60 seconds."),
        (5, 0, "A rate must allow a call in some time, got 5 calls in 0 seconds."),
    ],
)
def test_a_rate_must_allow_something(calls: int, seconds: float, text: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        Throttle(Rate(calls, seconds))
    assert str(caught.value) == text
