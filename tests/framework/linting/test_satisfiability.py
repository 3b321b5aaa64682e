"""Search for events: found events match, and certain results are right."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.linting import HeldTrigger, SearchResult, find_event, satisfiability
from framework.linting.partial_evaluation import event_of
from framework.paths import JSON, Event, Path
from framework.triggers import evaluate, parse
from framework.triggers.language import paths_of

TYPE = Path(("type",))
A = Path(("properties", "a"))


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
        ("properties.a = 1 or properties.a.b = 2", True, True),
    ],
)
def test_an_event_is_found_or_there_is_none(text: str, reachable: bool, certain: bool) -> None:  # noqa: FBT001 - expected
    """A found event matches; an incomplete search is reported as such."""
    trigger = parse(text)
    found = find_event((HeldTrigger(trigger),))
    assert ((found.event is not None), found.is_certain) == (reachable, certain)
    assert found.event is None or trigger.matches(found.event)


def test_fields_can_be_fixed() -> None:
    trigger = parse('type = "trak"')
    found = find_event((HeldTrigger(trigger),), fixed={TYPE: ["track", "page"]})
    assert (found.event, found.is_certain) == (None, True)


def test_a_field_may_have_another_value_for_a_part_of_the_question() -> None:
    """For example: an event that matches neither trigger, but the first one if `a` is 0."""
    small, large = parse("properties.a < 5 and event = x"), parse("properties.a > 7 and event = x")
    neither = (HeldTrigger(small, wanted=False), HeldTrigger(large, wanted=False))
    found = find_event((*neither, HeldTrigger(small, instead={A: 0})), fixed={A: [0, 6, 9]})
    assert found == SearchResult({"event": "x", "properties": {"a": 6}}, is_certain=True)


def test_many_fields_are_searched_whole() -> None:
    """Fields of unrelated conditions are not combined."""
    open_ones = " and ".join(f"properties.k{n} != {n}" for n in range(60))
    trigger = parse(f"{open_ones} and x = 1 and x = 2")
    assert find_event((HeldTrigger(trigger),)) == SearchResult(None, is_certain=True)


def test_too_many_events_are_not_all_tried() -> None:
    """Only the last field shows that no assignment can succeed."""
    trigger = parse(" and ".join(f"(a{n} > 1 or b{n} > 1) and z = {n}" for n in range(12)))
    spent: list[int] = []
    assert find_event((HeldTrigger(trigger),), spend=spent.append) == SearchResult(
        None, is_certain=False
    )
    assert satisfiability.MAX_EVENTS <= len(spent) <= satisfiability.MAX_EVENTS + 100


def test_many_conditions_on_one_field_are_asked_compiled() -> None:
    """Evaluating each condition on each value would take longer."""
    trigger = parse(" or ".join(f'event = "a{n}"' for n in range(300)))
    unmatched = find_event((HeldTrigger(trigger, wanted=False),))
    assert unmatched.event is not None
    assert not trigger.matches(unmatched.event)
    both = (HeldTrigger(trigger), HeldTrigger(trigger, wanted=False))
    assert find_event(both) == SearchResult(None, is_certain=True)


fields = st.sampled_from(
    ["type", "event", "properties.a", "properties.a", "properties.b", "properties.a.b"]
)
values = st.sampled_from(["1", "2", "2.5", '"x"', '"Y"', "true", "false", "null"])
conditions = st.one_of(
    st.builds("{} {} {}".format, fields, st.sampled_from(["=", "!="]), values),
    st.builds("{} {} {}".format, fields, st.sampled_from([">", "<="]), st.integers(1, 2)),
    st.builds("{}({}, {})".format, st.sampled_from(["contains", "match"]), fields, values),
    st.builds("properties.b in [{}, 2]".format, values),
    st.builds("lowercase({}) = x".format, fields),
)
texts = st.recursive(
    conditions | conditions.map("not ({})".format),
    lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner),
    max_leaves=6,
)
fixings = st.sampled_from([{}, {TYPE: ["track", "page"]}, {A: [0, 2, 5]}])
insteads = st.sampled_from([{}, {}, {A: 0}, {TYPE: "page"}])
parts = st.builds(HeldTrigger, texts.map(parse), st.booleans(), insteads)


@settings(max_examples=200)
@given(st.lists(st.lists(parts, min_size=1, max_size=2), min_size=1, max_size=2), fixings)
def test_the_search_finds_what_trying_everything_finds(
    ways: list[list[HeldTrigger]], fixed: Mapping[Path, Sequence[JSON]]
) -> None:
    """It finds the same event, the first in the order of the fields, or none."""
    tried = first(ways, fixed)
    if tried is not None:
        found = find_event(*ways, fixed=fixed)
        assert repr(found.event) == repr(tried[0])


def first(
    ways: list[list[HeldTrigger]], fixed: Mapping[Path, Sequence[JSON]]
) -> tuple[Event | None] | None:
    """Return the first event found by interpretation; None if there are too many candidates."""
    trees = [held.trigger.tree for way in ways for held in way]
    atoms = satisfiability._atoms(trees)
    paths = sorted({path for tree in trees for path in paths_of(tree)}, key=lambda one: one.parts)
    domains = {path: satisfiability._values(atoms.get(path, [])) for path in paths}
    domains |= {path: list(some) for path, some in fixed.items()}
    if math.prod(map(len, domains.values())) > 1_000:
        return None
    for choice in itertools.product(*domains.values()):
        chosen = dict(zip(domains, choice, strict=True))
        if any(all(is_held(held, chosen) for held in way) for way in ways):
            return (event_of(chosen.items()),)
    return (None,)


def is_held(held: HeldTrigger, chosen: Mapping[Path, JSON]) -> bool:
    event = event_of({**chosen, **held.instead}.items())
    return evaluate(held.trigger.tree, event) is held.wanted
