"""Faults apply to exactly the requests that they name."""

from __future__ import annotations

from typing import Any

import pytest

from framework.errors import ConfigurationError, UnknownNameError
from framework.sandbox import Fault, FrozenClock, MovableClock
from framework.sandbox.faults import FaultPlan


def hits(faults: list[Fault], routes: str) -> list[str | None]:
    plan = FaultPlan()
    for fault in faults:
        plan.add(fault)
    due = [plan.due(route) for route in routes]
    return [fault.kind if fault else None for fault in due]


@pytest.mark.parametrize(
    ("faults", "routes", "expected"),
    [
        ([Fault("x")], "aa", ["x", None]),
        ([Fault("x", route="b")], "aabb", [None, None, "x", None]),
        ([Fault("x", route="b", call=2)], "babab", [None, None, "x", None, None]),
        ([Fault("x", call=2, times=2)], "abab", [None, "x", "x", None]),
        ([Fault("x"), Fault("y")], "aaa", ["x", "y", None]),
        ([Fault("x", call=2), Fault("y")], "aaa", ["y", "x", None]),
        ([Fault("x", route="a", times=2), Fault("y", route="b")], "baab", ["y", "x", "x", None]),
    ],
)
def test_a_fault_hits_the_calls_that_it_names(
    faults: list[Fault], routes: str, expected: list[str | None]
) -> None:
    """Of two due faults the older is applied, and the other waits for the next request."""
    assert hits(faults, routes) == expected


def test_a_plan_lists_what_is_still_to_come() -> None:
    plan = FaultPlan()
    once, twice = Fault("x"), Fault("y", route="b", times=2)
    plan.add(once)
    plan.add(twice)
    assert plan.pending() == [once, twice]
    plan.due("b")
    assert plan.pending() == [twice]
    plan.due("b")
    assert plan.pending() == [twice]
    plan.due("b")
    assert plan.pending() == []
    plan.add(once)
    plan.clear()
    assert plan.due("a") is None


def test_a_fault_is_read_from_the_json_that_it_gives() -> None:
    fault = Fault("slow", route="ring", call=3, times=2, seconds=0.5)
    assert Fault.read(fault.to_json()) == fault
    assert Fault.read({"kind": "slow"}) == Fault("slow")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ([], 'A fault must be an object with a "kind".'),
        ({"kind": 1}, 'A fault must be an object with a "kind".'),
        ({"kind": "x", "route": None}, "Fault option `route` must be a string."),
        ({"kind": "x", "call": 0}, "Fault option `call` must be a whole number from 1."),
        ({"kind": "x", "call": True}, "Fault option `call` must be a whole number from 1."),
        ({"kind": "x", "times": 1.5}, "Fault option `times` must be a whole number from 1."),
        ({"kind": "x", "seconds": -1}, "Fault option `seconds` must be a number from 0."),
        ({"kind": "x", "seconds": float("inf")}, "Fault option `seconds` must be a number from 0."),
        ({"kind": "x", "seconds": "1"}, "Fault option `seconds` must be a number from 0."),
        (
            {"kind": "x", "call": 0, "times": 0},
            (
                "Fault option `call` must be a whole number from 1.\n"
                "Fault option `times` must be a whole number from 1."
            ),
        ),
    ],
)
def test_a_wrong_fault_is_refused_with_every_problem(raw: Any, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Fault.read(raw)
    assert str(caught.value) == message


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(UnknownNameError) as caught:
        Fault.read({"kind": "x", "second": 1})
    assert str(caught.value) == (
        'There is no fault option "second". Did you mean `seconds`? '
        "Known fault options: call, kind, route, seconds, times."
    )


def test_a_frozen_clock_moves_only_on_request() -> None:
    clock = FrozenClock(100.0)
    clock.move(-10)
    clock.sleep(900)
    assert clock.time() == 990.0


def test_a_system_clock_can_be_moved() -> None:
    clock, moved = MovableClock(), MovableClock()
    moved.move(3600)
    moved.sleep(0)
    assert 3600 <= moved.time() - clock.time() + 60 < 3720
