"""Search for events: what is found matches, and what is certain holds."""

from __future__ import annotations

import pytest

from framework.paths import Path
from framework.triggers import find_event, parse


@pytest.mark.parametrize(
    ("text", "reachable", "certain"),
    [
        ('type = "track"', True, True),
        ("properties.a = 1 and properties.a = 2", False, True),
        ("properties.a > 1 and properties.a < 2", True, True),
        ("properties.a > 2 and properties.a < 1", False, True),
        ("userId = null and userId != null", False, True),
        ('match(event, "A?*") and type = "track"', True, True),
        ('contains(event, "A") and contains(event, "B")', True, True),
        ('event = "A" and contains(event, "B")', False, False),
        ('lowercase(event) = "A"', False, False),
        ("properties.a = 1 and properties.a.b = 2", False, False),
    ],
)
def test_an_event_is_found_or_there_is_none(text: str, reachable: bool, certain: bool) -> None:  # noqa: FBT001 - expected
    """What is found matches; where the search is not complete, it says so."""
    trigger = parse(text)
    found = find_event(trigger.matches, [trigger.tree])
    assert ((found.event is not None), found.is_certain) == (reachable, certain)
    assert found.event is None or trigger.matches(found.event)


def test_fields_can_be_fixed() -> None:
    trigger = parse('type = "trak"')
    found = find_event(trigger.matches, [trigger.tree], {Path(("type",)): ["track", "page"]})
    assert (found.event, found.is_certain) == (None, True)


def test_too_many_events_are_not_all_tried() -> None:
    trigger = parse(" and ".join(f"properties.k{n} = 1" for n in range(9)) + " and x = 1 and x = 2")
    assert not find_event(trigger.matches, [trigger.tree]).is_certain
