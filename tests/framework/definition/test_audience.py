"""Events state whether a user enters or leaves an audience."""

from __future__ import annotations

from typing import Any

import pytest

from framework.definition import membership


def computed(
    kind: Any = "audience", key: Any = "vip", type_: str = "track", **rest: Any
) -> dict[str, Any]:
    personas = {"computation_class": kind, "computation_key": key}
    return {"type": type_, "context": {"personas": personas}, **rest}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (computed(properties={"vip": True}), True),
        (computed(properties={"vip": False}), False),
        (computed(type_="identify", traits={"vip": True}), True),
        (computed(type_="identify", traits={"vip": False}, properties={"vip": True}), False),
        (computed("journey_step", properties={"vip": True}), True),
        (computed(key=5, properties={"5": True}), True),
        (computed(properties={"vip": "true"}), None),
        (computed(properties=None), None),
        (computed(traits={"vip": True}), None),
        (computed(type_="group", traits={"vip": True}), None),
        (computed("computed_trait", properties={"vip": True}), None),
        (computed(["audience"], properties={"vip": True}), None),
        (computed(key="", properties={"": True}), None),
        (computed(key=0, properties={"0": True}), None),
        (computed(key=True, properties={"True": True}), None),
        ({"type": "track", "properties": {"vip": True}}, None),
        ({"type": "track", "context": None}, None),
        ({"type": "track", "event": "new"}, None),
        (None, None),
        ([], None),
    ],
)
def test_audiences_and_journeys_say_it_under_their_key(event: Any, expected: Any) -> None:
    assert membership(event) is expected


@pytest.mark.parametrize(
    ("mode", "added", "removed"),
    [
        ("add", {"new"}, set()),
        ("update", {"updated"}, set()),
        ("upsert", {"new", "updated"}, set()),
        ("delete", set(), {"deleted"}),
        ("mirror", {"new", "updated"}, {"deleted"}),
        ("bogus", set(), set()),
    ],
)
def test_rows_say_it_by_their_name(mode: str, added: set[str], removed: set[str]) -> None:
    told = {
        name: membership({"type": "track", "event": name}, mode)
        for name in ("new", "updated", "deleted", "NEW", "")
    }

    assert {name for name, value in told.items() if value is True} == added
    assert {name for name, value in told.items() if value is False} == removed


@pytest.mark.parametrize("event", [{"type": "identify", "event": "new"}, {"event": ["new"]}, {}])
def test_only_named_track_events_are_rows(event: Any) -> None:
    assert membership(event, "mirror") is None


def test_an_audience_takes_precedence() -> None:
    assert membership(computed(event="deleted", properties={"vip": True}), "mirror") is True
    assert membership(computed(event="new", properties={"vip": "x"}), "add") is True
