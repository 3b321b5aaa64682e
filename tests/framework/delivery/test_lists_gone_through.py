"""Items of lists that are gone through are decoded as structs; nobody can tell the difference."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.definition import Action, Destination, Field, Subscription
from framework.delivery import CompiledSubscription, compile_subscriptions
from framework.delivery.columns import Columns
from framework.delivery.fusion import Slow, fuse, places_of
from framework.delivery.prepare import prepare_event
from framework.delivery.projection import project
from framework.paths import JSON

ITEM = {"id": Field(), "n": Field(type="number"), "in": Field(type="object")}
TABLE = {
    "items": Field(type="object", multiple=True, properties=ITEM),
    "again": Field(type="object", multiple=True, properties=ITEM),
    "any": Field(type="object"),
    "text": Field(),
}
SHOP = Destination(slug="shop", name="Shop", actions=(Action(slug="a", title="A", payload=TABLE),))


def gone_through(path: str, **shape: JSON) -> JSON:
    """Give what makes objects of a list."""
    return {"@arrayPath": [path, shape]}


def at(path: str) -> JSON:
    """Give what reads a path."""
    return {"@path": path}


MAPPED = st.sampled_from(
    [
        gone_through("$.list", id=at("$.id"), n=at("$.x.n")),
        gone_through("$.list", id=at("$.x.id"), **{"in": at("$.x")}),
        gone_through("$.list", id=at("$.x[0].id"), n=at("$.y[1]")),
        gone_through("$.list", **{"in": at("")}),
        gone_through("$.list", **{"in": gone_through("$.x", id=at("$.id"))}),
        gone_through("$.list", **{"in": gone_through("", id=at("$.id"))}),
        gone_through("$.list[0].x", id=at("$.id"), n=at("$.n")),
        gone_through("$.list", id={"@transform": {"apply": {"a": at("id")}, "mapping": at("a")}}),
        gone_through("$.list", id={"@path": at("$.id")}),
        gone_through("$.list", id={"@template": "{{id}} {{x.n}}"}),
        gone_through("$.in.list", id=at("$.id")),
        gone_through("", id=at("$.id")),
        {"@arrayPath": ["$.list", at("$.id")]},
        {"@arrayPath": ["$.list"]},
        {"@if": {"exists": at("$.list"), "then": gone_through("$.list", id=at("$.y"))}},
        at("$.list[0].id"),
        at("$.list[00].id"),
        at("$.list[1].y.id"),
        at("$.list[1]"),
        at("$.list.id"),
        at("$.list"),
        at("$.in"),
        {"@template": "{{list.0.id}} {{in.list}}"},
    ]
)
TRIGGERS = st.sampled_from(['type = "track"', "in.list != null", "list != null"])
VALUES = st.sampled_from([None, "", "a", 5, 0, 2**70, 20.0, True, [], ["x"], {"id": "y"}, {"n": 3}])
ITEMS = st.dictionaries(st.sampled_from(["id", "n", "x", "y", "0"]), VALUES, max_size=4)
LISTS = VALUES | ITEMS | st.lists(ITEMS | VALUES, max_size=3)
EVENTS = st.fixed_dictionaries(
    {"type": st.just("track")},
    optional={"id": VALUES, "list": LISTS, "in": VALUES | st.fixed_dictionaries({"list": LISTS})},
)


def compiled_of(
    *mappings: JSON, trigger: str = 'type = "track"'
) -> tuple[CompiledSubscription, ...]:
    subscriptions = [Subscription(action="a", trigger=trigger, mapping=one) for one in mappings]
    return compile_subscriptions(SHOP, subscriptions)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.dictionaries(st.sampled_from(list(TABLE)), MAPPED), min_size=1, max_size=3),
    TRIGGERS,
    st.lists(EVENTS, max_size=4),
    st.booleans(),
)
def test_items_as_structs_come_to_the_same(
    mappings: list[JSON],
    trigger: str,
    events: list[JSON],
    whole: bool,  # noqa: FBT001 - drawn
) -> None:
    subscriptions = compiled_of(*mappings, trigger=trigger)
    projection = project(places_of(subscriptions))
    if projection is None:  # something needs events as they are
        return
    structs = projection.decode(list(map(msgspec.json.encode, events)))
    assert structs is not None
    fusion = fuse(subscriptions, projection, whole=whole)
    rows = [layout.lists() for layout in fusion.layouts]
    slow: Slow = []
    fusion.prepare(
        range(0, len(events) * len(subscriptions), len(subscriptions)), structs, rows, slow
    )

    for compiled, lists, layout in zip(subscriptions, rows, fusion.layouts, strict=True):
        made = [prepare_event(compiled, event) for event in events]
        objects: Any = Columns.of(compiled.action, layout, lists).objects
        assert objects == [one for one in made if isinstance(one, dict)]
        refused = [
            one for one in made if one is not compiled.unmatched and not isinstance(one, dict)
        ]
        assert len(refused) == sum(index == compiled.index for _, _, index in slow)


IDS = gone_through("$.list", id=at("$.id"))


@pytest.mark.parametrize(
    ("mapped", "decoded"),
    [
        ({"items": IDS}, {"id"}),
        ({"items": IDS, "text": at("$.list[0].n")}, {"id", "n"}),
        ({"items": IDS, "text": at("$.list.more")}, {"id"}),
        ({"items": IDS, "again": gone_through("$.list", n=at("$.n.x"))}, {"id", "n"}),
        ({"items": IDS, "any": at("$.list")}, None),
        ({"items": IDS, "any": at("$.list[2]")}, None),
        ({"items": gone_through("$.list", **{"in": at("")})}, None),
        ({"text": at("$.list[0].n")}, None),
    ],
)
def test_only_what_is_read_of_items_is_decoded(mapped: JSON, decoded: set[str] | None) -> None:
    """Where an item or the list is read whole, or nobody goes through the list, it is plain."""
    projection = project(places_of(compiled_of(mapped)))
    assert projection
    line = b'{"type": "track", "list": [{"id": "a", "n": 5, "more": []}]}'
    [event] = projection.decode([line]) or []
    [item] = projection.getter("list")(event)

    if decoded is None:
        assert item == {"id": "a", "n": 5, "more": []}
    else:
        assert {one.encode_name for one in msgspec.structs.fields(item)} == decoded


def test_a_list_that_somebody_else_reads_is_plain() -> None:
    places = places_of(compiled_of({"items": IDS}))
    projection = project(places | {("list",)})
    assert projection

    [event] = projection.decode([b'{"list": [{"n": 5}]}']) or []
    assert projection.getter("list")(event) == [{"n": 5}]


def test_a_projection_of_the_event_as_a_list_is_none() -> None:
    """An object counts as a list of one, an event, too."""
    assert project(places_of(compiled_of({"items": gone_through("", id=at("$.id"))}))) is None
