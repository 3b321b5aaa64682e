"""Several limits apply together: for all requests, by endpoint, at one time, by plan and budget."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework import Destination, Rate, Settings, Subscription, field
from framework.delivery import LocalRateStore, RateStore, Retry, connect
from framework.delivery.rate_limits import KeptRate, RateLimits, target_of
from framework.delivery.throttle import Throttle
from framework.delivery_options import DeliveryOptions
from framework.errors import DefinitionError, RetryableError
from framework.results import DELIVERED
from tests.framework.delivery.bench import Key, Partner, connected, plugin, said
from tests.framework.delivery.clocks import FakeClock

ORIGIN = "https://partner.test"


class Timed(Partner):
    """Keeps the readings of a clock at which requests came, by endpoint."""

    def __init__(self, clock: FakeClock, *answers: httpx.Response) -> None:
        super().__init__(*answers)
        self._clock = clock
        self.times: dict[str, list[float]] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        endpoint = f"{request.method} {request.url.path}"
        self.times.setdefault(endpoint, []).append(self._clock.reading)
        return super().handle_request(request)


def limited(**options: Any) -> Callable[[], Destination]:
    def destination() -> Destination:
        return Destination(slug="partner", name="Partner", **options)

    return destination


def to(path: str, method: str = "POST") -> httpx.Request:
    return httpx.Request(method, f"{ORIGIN}{path}")


def most(times: Sequence[float], seconds: float) -> int:
    """Return the largest number of *times* within any window of *seconds*."""
    return max(sum(first <= one < first + seconds for one in times) for first in times)


def test_the_slowest_limit_of_an_endpoint_decides() -> None:
    clock = FakeClock()
    partner = Timed(clock)

    def perform(client: httpx.Client) -> None:
        for path in ("/batch", "/other"):
            client.post(f"{ORIGIN}{path}")

    rates = (Rate(2, 60, endpoint="POST /batch"), Rate(3, 1))
    destination = limited(rate=Rate(10, 30), rates=rates)
    with connected(
        plugin(destination=destination, perform=perform), partner=partner, clock=clock
    ) as it:
        assert it.deliver([said()] * 6).results == [DELIVERED] * 6
    every = sorted(time for times in partner.times.values() for time in times)
    assert most(partner.times["POST /batch"], 60) == 2
    assert most(every, 30) <= 10
    assert most(every, 1) <= 3
    assert every[-1] - every[0] == pytest.approx(180, abs=32)


def test_a_wait_for_one_endpoint_does_not_delay_others() -> None:
    """A call that waits for its endpoint books nothing ahead in the limit of all."""
    clock = FakeClock()
    whole = Throttle(Rate(100, 10), clock=clock)
    batch = Throttle(Rate(1, 60), clock=clock)
    limits = RateLimits(whole, [KeptRate(batch, target_of("POST /batch"))], clock)
    limits.take(to("/batch"), lambda: None, [])
    waiting = clock.reading
    limits.take(to("/other"), lambda: None, [])
    assert clock.reading == waiting
    limits.take(to("/batch"), lambda: None, [])
    assert clock.reading - waiting == pytest.approx(60, abs=0.1)
    assert limits.wait() == 0
    limits.take(to("/other"), lambda: None, [])
    assert clock.reading - waiting == pytest.approx(60, abs=0.1)


endpoints = st.sampled_from(["", "POST /a", "POST /b"])
gaps = st.sampled_from([0.0, 0.3, 9.0])
rates_of = st.builds(Rate, st.integers(1, 30), st.floats(0.5, 40), endpoint=endpoints)


@settings(max_examples=60, deadline=None)
@given(
    rates=st.lists(rates_of, max_size=4),
    requests=st.lists(st.tuples(st.sampled_from("abc"), gaps), max_size=60),
)
def test_no_window_of_any_limit_sees_more_than_it_allows(
    rates: list[Rate], requests: list[tuple[str, float]]
) -> None:
    clock = FakeClock()
    throttles = [Throttle(rate, clock=clock) for rate in rates]
    limits = [
        KeptRate(one, target_of(rate.endpoint)) for one, rate in zip(throttles, rates, strict=True)
    ]
    together = RateLimits(Throttle(clock=clock), limits, clock)
    sent: list[tuple[str, float]] = []
    for path, gap in requests:
        clock.reading += gap
        together.take(to(f"/{path}"), lambda: None, [])
        sent.append((f"POST /{path}", clock.reading))
    for rate in rates:
        times = [time for endpoint, time in sent if rate.endpoint in {"", endpoint}]
        assert not times or most(times, rate.seconds) <= rate.calls


@pytest.mark.parametrize(
    ("endpoint", "method", "path", "counts"),
    [
        ("POST /batch", "POST", "/batch", True),
        ("POST /batch", "POST", "/batch?dry=1", True),
        ("POST /batch", "GET", "/batch", False),
        ("POST /batch", "POST", "/v2/batch", False),
        ("POST /batch", "POST", "/batches", False),
        ("PATCH /lists/{id}/people", "PATCH", "/lists/7/people", True),
        ("PATCH /lists/{id}/people", "PATCH", "/lists/7/8/people", False),
        ("PATCH /lists/{id}/people", "PATCH", "/lists//people", False),
        ("GET /a.b", "GET", "/aXb", False),
        ("", "DELETE", "/anything", True),
    ],
)
def test_an_endpoint_is_a_method_and_a_path(
    endpoint: str, method: str, path: str, *, counts: bool
) -> None:
    assert KeptRate(Throttle(), target_of(endpoint)).counts(to(path, method)) is counts


def test_a_429_makes_its_endpoint_wait_or_else_everything() -> None:
    clock = FakeClock()
    answers = [httpx.Response(429, headers={"Retry-After": "40"}), httpx.Response(200)]
    batch = (Rate(1000, endpoint="POST /batch"),)
    for rates, alone in ((batch, True), ((), False)):
        partner = Timed(clock, *answers)

        def perform(client: httpx.Client, payload: Any) -> None:
            client.post(f"{ORIGIN}/{payload.text}")

        opened = plugin(destination=limited(rates=rates), perform=perform)
        with connected(opened, partner=partner, clock=clock, retry=Retry.never()) as connection:
            start = clock.reading
            connection.deliver([said("batch"), said("other")])
            waited = clock.reading - start
            assert (waited == 0) is alone
            connection.deliver([said("batch")])
            assert clock.reading - start == pytest.approx(40, abs=1)


def test_at_most_so_many_requests_are_under_way() -> None:
    lock, both, counts = threading.Lock(), threading.Event(), {"now": 0, "most": 0}

    class Counting(Partner):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            with lock:
                counts["now"] += 1
                counts["most"] = max(counts["now"], counts["most"])
                if counts["now"] == 2:
                    both.set()
            assert both.wait(60)
            with lock:
                counts["now"] -= 1
            return super().handle_request(request)

    def perform_batch(client: httpx.Client) -> None:
        client.post(f"{ORIGIN}/batch")

    partner = Counting()
    destination = limited(rates=[Rate(100_000, 1, endpoint="POST /batch", concurrency=2)])
    with connected(
        plugin(destination=destination, perform_batch=perform_batch), partner=partner
    ) as it:
        sender = it.stream(threads=6)
        for _ in sender.add(enumerate(said("x", f"room {n}") for n in range(24))):
            pass
        for _ in sender.flush():
            pass
    assert len(partner.requests) == 24
    assert counts == {"now": 0, "most": 2}


def test_a_place_is_free_again_after_a_request_that_fails() -> None:
    partner = Partner(httpx.ConnectError("refused"), httpx.Response(500))

    def perform(client: httpx.Client) -> None:
        client.post(f"{ORIGIN}/batch")

    destination = limited(rates=[Rate(1000, 1, concurrency=1)])
    with connected(plugin(destination=destination, perform=perform), partner=partner) as connection:
        assert connection.deliver([said()] * 3).results[2] == DELIVERED


def test_a_wait_beyond_patience_fails_at_once() -> None:
    clock = FakeClock()
    batch = KeptRate(Throttle(Rate(1, 600), clock=clock), target_of("POST /batch"))
    limits = RateLimits(Throttle(clock=clock), [batch], clock)
    limits.take(to("/batch"), lambda: None, [])
    with pytest.raises(RetryableError) as caught:
        limits.take(to("/batch"), lambda: None, [])
    assert (caught.value.status, caught.value.code) == (429, "THROTTLED")
    assert caught.value.pause == pytest.approx(600, abs=1)
    assert clock.slept == []


class Plan(Settings):
    """Settings of a plan."""

    key: str = field("Key", secret=True)
    plan: str = field("Plan", default="small", choices=["small", "large"])


def rates_of_plan(plan: Plan) -> Sequence[Rate]:
    return [Rate(2 if plan.plan == "small" else 1_000, 60)]


def post(client: httpx.Client) -> None:
    client.post(f"{ORIGIN}/messages")


@pytest.mark.parametrize(("chosen", "waits"), [("small", True), ("large", False)])
def test_rates_of_a_plan(chosen: str, *, waits: bool) -> None:
    clock = FakeClock()
    hooks: dict[str, Any] = {"settings": lambda: Plan, "perform": post}
    opened = plugin(destination=limited(rates=rates_of_plan), **hooks)
    one = [Subscription(action="send")]
    with connect(opened, {"key": "k", "plan": chosen}, one, transport=Partner(), clock=clock) as it:
        it.deliver([said()] * 3)
    assert bool(clock.slept) is waits


def test_a_function_has_to_return_rates() -> None:
    opened = plugin(destination=limited(rates=lambda _: [60]), perform=post)
    with pytest.raises(DefinitionError) as caught:
        connected(opened)
    assert str(caught.value) == (
        "Destination `partner` is invalid: `rates of the settings` must hold Rate objects, or be a "
        "function of settings that returns them."
    )


def test_a_function_returns_rates_of_known_settings() -> None:
    opened = plugin(
        destination=limited(rates=lambda _: [Rate(1, 1, scope=("nope",))]),
        settings=lambda: Plan,
        perform=post,
    )
    with pytest.raises(DefinitionError, match="names the unknown setting `nope`"):
        connect(opened, {"key": "k"}, [Subscription(action="send")], transport=Partner())


def waited_by(clock: FakeClock, *connections: Any) -> float:
    """Return how long three calls over each of *connections* wait."""
    start = clock.reading
    for connection in connections:
        assert connection.deliver([said()] * 3).results == [DELIVERED] * 3
        connection.close()
    return clock.reading - start


def test_connections_of_a_process_share_a_budget_if_they_agree_in_its_scope() -> None:
    destination = limited(rates=[Rate(3, 60, scope=("key",))])
    opened = plugin(destination=destination, perform=post)
    clock, partner = FakeClock(), Partner()

    def opening(key: str, **options: Any) -> Any:
        return connected(opened, key=key, clock=clock, **{"partner": partner, **options})

    assert waited_by(clock, opening("a"), opening("b")) == pytest.approx(80, abs=1)
    clock.reading += 600
    assert waited_by(clock, opening("a"), opening("a")) == pytest.approx(100, abs=1)
    clock.reading += 600
    elsewhere = opening("a", partner=Partner())
    assert waited_by(clock, opening("a"), elsewhere) == pytest.approx(80, abs=1)


@dataclass(slots=True)
class Compared(httpx.BaseTransport):
    """A transport that is compared by value, so that it has no hash."""

    partner: Partner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self.partner.handle_request(request)


def test_transports_are_told_apart_by_identity() -> None:
    """A transport of an author's own needs no hash."""
    opened = plugin(destination=limited(rates=[Rate(3, 60, scope=("key",))]), perform=post)
    clock = FakeClock()
    one, other = Compared(Partner()), Compared(Partner())
    first, second = (connected(opened, partner=each, clock=clock) for each in (one, other))
    assert waited_by(clock, first, second) == pytest.approx(80, abs=1)
    assert len(one.partner.requests) == len(other.partner.requests) > 0


def test_connections_share_a_budget_in_a_store() -> None:
    stores: dict[str, RateStore] = {}

    def kept(account: str) -> RateStore:
        return stores.setdefault(account, LocalRateStore())

    rates = [Rate(3, 60, scope=("key",)), Rate(100, 60)]
    opened = plugin(destination=limited(rate=Rate(50), rates=rates), perform=post)
    clock = FakeClock()
    both = [
        connected(opened, partner=Partner(), clock=clock, rates=kept, name=name) for name in "xy"
    ]
    assert waited_by(clock, *both) == pytest.approx(100, abs=1)
    shared = [account for account in stores if account.endswith("* 3/60")]
    own = [account for account in stores if account.endswith("* 100/60")]
    assert (len(shared), len(own), len(stores)) == (1, 2, 5)


def test_a_share_applies_to_every_rate() -> None:
    destination = limited(rates=[Rate(4, 60, endpoint="POST /messages")])
    clock = FakeClock()
    halved = connected(
        plugin(destination=destination, perform=post),
        clock=clock,
        options=DeliveryOptions(rate_share=0.5),
    )
    assert waited_by(clock, halved) == pytest.approx(60, abs=1)


WRONG = [
    (Rate(0), "`calls` must be a positive whole number, got 0."),
    (Rate(1, 0), "`seconds` must be a positive number, got 0."),
    (Rate(1, concurrency=0), "`concurrency` must be a positive whole number, got 0."),
    (Rate(1, endpoint="/batch"), ("`endpoint` must be a method and a path, such as `POST /batch`, "
     "got `/batch`.")),
    (Rate(1, scope="key"), "`scope` must be a list of settings, got the text `key`."),
]  # fmt: skip


@pytest.mark.parametrize(("rate", "problem"), WRONG)
@pytest.mark.parametrize("place", ["rate", "rates"])
def test_a_rate_is_checked(rate: Rate, problem: str, place: str) -> None:
    given_rate: Any = {"rate": rate} if place == "rate" else {"rates": [rate]}
    with pytest.raises(DefinitionError) as caught:
        Destination(slug="partner", name="Partner", settings=Key, **given_rate)
    assert f"A Rate in `{place}`: {problem}" in str(caught.value)
    assert len(caught.value.problems) == 1
