"""Destination filters: which events are dropped or sampled, and what is removed from others."""

from __future__ import annotations

import copy
import hashlib
import pickle
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework import Failed, Subscription
from framework.definition import DestinationFilter, read_filters
from framework.delivery import Connection, EventFilters
from framework.delivery.compiled import permission_for
from framework.errors import ConfigurationError
from framework.results import DELIVERED, Skipped
from tests.framework.delivery.bench import URL, Message, Partner, connected, plugin, said


def post(client: Any, payloads: list[Message]) -> Any:
    return client.post(URL, json=[[one.text, one.room] for one in payloads])


OPENED = plugin(perform_batch=post)
DROP = {"type": "DROP"}


def filtered(condition: str, *actions: Any, **more: Any) -> DestinationFilter:
    (one,) = read_filters([{"title": "F", "if": condition, "actions": [*actions], **more}])
    return one


def dropping(**fields: list[str]) -> dict[str, Any]:
    return {"type": "DROP_PROPERTIES", "fields": fields}


def allowing(**fields: list[str]) -> dict[str, Any]:
    return {"type": "ALLOW_PROPERTIES", "fields": fields}


def sampling(percent: float, path: str | None = None) -> dict[str, Any]:
    return {"type": "SAMPLE", "percent": percent, "path": path}


def left(event: Any, *filters: DestinationFilter, consent: Sequence[str] = ()) -> Any:
    """Return what filters leave of an event, which they do not change."""
    before = copy.deepcopy(event)
    made = EventFilters(filters, permission_for(OPENED.definition, consent)).apply(event)
    assert event == before
    return made


EVENT = {
    "type": "track",
    "event": "Order",
    "messageId": "m1",
    "properties": {"email": "a", "total": 3, "products": [{"id": 1, "sku": "s"}, "x", {"id": 2}]},
    "context": {"ip": "1", "device": {"id": "d", "model": "m"}},
}
PRODUCTS = EVENT["properties"]["products"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("action", "place", "expected"),
    [
        (dropping(properties=["email", "gone"]), "properties", {"total": 3, "products": PRODUCTS}),
        (allowing(properties=["email", "gone"]), "properties", {"email": "a"}),
        (allowing(properties=[]), "properties", {}),
        (dropping(**{"context.device": ["id"]}), "context", {"ip": "1", "device": {"model": "m"}}),
        (allowing(**{"$.context.device": ["id"]}), "context", {"ip": "1", "device": {"id": "d"}}),
        (
            dropping(**{"properties.products": ["id"]}),
            "properties",
            {"email": "a", "total": 3, "products": [{"sku": "s"}, "x", {}]},
        ),
        (
            allowing(**{"properties.products.0": ["id"]}),
            "properties",
            {"email": "a", "total": 3, "products": [{"id": 1}, "x", {"id": 2}]},
        ),
        (dropping(**{"": ["event", "context", "properties"]}), "context", None),
        (dropping(**{"properties.email": ["a"], "traits.a.b": ["c"]}), "context", EVENT["context"]),
        (dropping(**{"properties.products[9]": ["id"]}), "properties", EVENT["properties"]),
    ],
)
def test_fields_are_removed(action: dict[str, Any], place: str, expected: Any) -> None:
    """Names belong to the object at a path; of a list, to each object in it."""
    made = left(EVENT, filtered("all", action))
    assert made.get(place) == expected
    assert made["type"] == "track"


@pytest.mark.parametrize("event", [None, 5, "text", [], [{"type": "track"}], {}])
def test_any_json_passes(event: Any) -> None:
    action = dropping(**{"": ["x"], "properties": ["x"]})
    kept = left(event, filtered("all", action, sampling(1)))
    assert kept == event


def test_an_unchanged_event_is_not_copied() -> None:
    filters = EventFilters(
        [filtered("all", dropping(properties=["absent"]))], permission_for(OPENED.definition)
    )
    assert filters.apply(EVENT) is EVENT


@pytest.mark.parametrize(
    ("condition", "matches"),
    [
        ("all", True),
        (" all ", True),
        ('type = "track" AND event = "Order"', True),
        ("type = 'page'", False),
        ("!(context.externalIds != null)", True),
        ('event in ["Order", "Other"] and (properties.total > 2 or userId = "x")', True),
        ('match(event, "Ord*") and length(properties.email) = 2', False),
    ],
)
def test_conditions_are_segments_filter_language(condition: str, *, matches: bool) -> None:
    made = left(EVENT, filtered(condition, DROP))
    assert isinstance(made, Skipped) == matches


def test_a_disabled_filter_does_nothing() -> None:
    assert left(EVENT, filtered("all", DROP, enabled=False)) == EVENT


def test_conditions_are_tested_on_the_event_as_it_arrived() -> None:
    """The order of filters does not matter: what one removes is still there for the others."""
    email = filtered("properties.total = 3", dropping(properties=["email"]))
    total = filtered('properties.email = "a"', dropping(properties=["total"]))
    for filters in ([email, total], [total, email]):
        assert left(EVENT, *filters)["properties"] == {"products": PRODUCTS}


def test_actions_are_applied_in_the_documented_order() -> None:
    """SAMPLE, DROP, DROP_PROPERTIES, ALLOW_PROPERTIES, whatever the order of the file."""
    allow = filtered("all", allowing(properties=["email", "total"]))
    drop = filtered("all", dropping(properties=["email"]))
    assert left(EVENT, allow, drop)["properties"] == {"total": 3}
    dropped, sampled = filtered("all", DROP), filtered("all", sampling(0))
    assert left(EVENT, allow, dropped).code == "FILTERED"
    assert left(EVENT, dropped, sampled).code == "SAMPLED"


def test_requests_to_delete_a_user_are_not_filtered() -> None:
    event = {"type": "delete", "userId": "u"}
    assert left(event, filtered("all", DROP)) == event


@pytest.mark.parametrize(
    ("event", "consent", "code"),
    [
        ({**EVENT, "integrations": {"All": False}}, (), "INTEGRATION_DISABLED"),
        ({**EVENT, "context": {"consent": {"categoryPreferences": {}}}}, ["Ads"], "NO_CONSENT"),
    ],
)
def test_a_filter_does_not_remove_a_refusal(
    event: dict[str, Any], consent: Sequence[str], code: str
) -> None:
    """What says that an event must not be sent is read before it is removed."""
    removing = filtered("all", allowing(**{"": ["type", "event"]}))
    assert left(event, removing, consent=consent).code == code


# Sampling


def shares(percent: float, path: str | None, events: Sequence[Any]) -> set[int]:
    one = filtered("all", sampling(percent, path))
    filters = EventFilters([one], permission_for(OPENED.definition))
    return {place for place, event in enumerate(events) if filters.apply(event) is event}


USERS = [
    {"type": "track", "messageId": f"m{n}", "userId": f"u{n % 400}", "anonymousId": None}
    for n in range(2_000)
]


@pytest.mark.parametrize("path", [None, "userId", "properties.absent", "anonymousId"])
def test_the_share_of_a_sample_is_kept(path: str | None) -> None:
    """A larger share contains a smaller one; the same events are kept each time."""
    kept = [shares(percent, path, USERS) for percent in (0, 0.1, 0.5, 1)]
    assert kept[0] == set()
    assert 0.05 < len(kept[1]) / len(USERS) < 0.15
    assert 0.42 < len(kept[2]) / len(USERS) < 0.58
    assert kept[0] < kept[1] < kept[2] < kept[3] == set(range(len(USERS)))
    assert shares(0.5, path, USERS) == kept[2]


def test_a_sample_by_a_path_keeps_or_leaves_out_all_events_of_a_value() -> None:
    kept = {USERS[place]["userId"] for place in shares(0.3, "userId", USERS)}
    assert shares(0.3, "userId", USERS) == {
        place for place, event in enumerate(USERS) if event["userId"] in kept
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("u1", '"u1"'),
        (7, "7"),
        (7.0, "7"),
        (True, "true"),
        ({"a": [1.0, 0.5, "ü"]}, '{"a":[1,0.5,"ü"]}'),
    ],
)
def test_the_value_decides_as_in_segments_sampler(value: Any, text: str) -> None:
    """As in `segmentio/tsub-js`: the first 64 bits of the MD5 of the value's JSON."""
    digest = hashlib.md5(text.encode(), usedforsecurity=False).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    events = [{"type": "track", "userId": value}]
    assert shares(share * 0.999, "userId", events) == set()
    assert shares(min(1.0, share * 1.001), "userId", events) == {0}


def test_filters_without_a_path_choose_independently() -> None:
    one, other = filtered("all", sampling(0.5)), filtered("all", sampling(0.5), title="G")
    filters = EventFilters([one, other], permission_for(OPENED.definition))
    kept = sum(filters.apply(event) is event for event in USERS)
    assert 0.18 < kept / len(USERS) < 0.32


# Deliveries


def test_a_delivery_has_results_for_what_is_filtered() -> None:
    """Each subscription has the result, and the partner gets what is left of other events."""
    partner = Partner()
    chosen = [Subscription(action="send", name="A"), Subscription(action="send", name="B")]
    filters = [
        filtered('event = "secret"', DROP, title="No secrets"),
        filtered('event = "hello"', dropping(properties=["room"])),
        filtered('event = "rare"', sampling(0, "userId"), title="Few"),
    ]
    with connected(OPENED, *chosen, partner=partner, filters=filters) as connection:
        report = connection.deliver([said("secret"), said("hello", "r"), said("rare")])
    secret = Skipped("FILTERED", "The filter `No secrets` drops the event.")
    rare = Skipped(
        "SAMPLED", "The filter `Few` keeps 0% of the events by `$.userId`, without this one."
    )
    assert report.results == [secret, secret, DELIVERED, DELIVERED, rare, rare]
    assert partner.sent == [[["hello", None]], [["hello", None]]]
    assert [item.matched for item in report.items] == [True] * 6


def test_hooks_see_the_filtered_event() -> None:
    seen: list[Any] = []

    def identify(payloads: list[Message], events: list[Any]) -> list[str]:
        seen.extend(events)
        return [payload.text for payload in payloads]

    opened = plugin(perform_batch=post, identify=identify)
    removing = filtered("all", dropping(properties=["room"]))
    with connected(opened, filters=[removing]) as connection:
        sender = connection.stream()
        assert sender.intake.projection is None
        added = sender.intake.add([said("a", "r")], [4])
        list(sender.add_from_intake(added))
        connection.deliver([said("b", "r")])
    assert [one["properties"] for one in seen] == [{}, {}]


def test_conditions_that_do_not_parse_are_refused_together() -> None:
    filters = [filtered("type ==", DROP), filtered("type = ", DROP, title="")]
    with pytest.raises(ConfigurationError) as caught:
        connected(OPENED, filters=filters)
    assert [one.partition("\n")[0] for one in caught.value.problems] == [
        "Filter `F`: `==` is not an operator; write `=`.",
        "Filter `number 2`: Expected a value after `=`.",
    ]


def test_filters_are_part_of_a_connections_identity() -> None:
    """A checkpoint of other filters is not continued; without filters, nothing changes."""
    labels = [
        connected(OPENED, filters=filters).label
        for filters in ([], [filtered("all", DROP)], [filtered("all", sampling(0.1))])
    ]
    assert len(set(labels)) == 3
    assert connected(OPENED).label == labels[0]
    assert connected(OPENED, filters=[filtered("all", DROP, enabled=False)]).label == labels[0]


CONDITIONS = ("all", 'type = "track"', 'event = "a"', "properties.room = null")
ACTIONS = st.sampled_from(
    [
        DROP,
        sampling(0.5),
        sampling(0.5, "event"),
        dropping(properties=["room"]),
        allowing(**{"": ["type", "event", "integrations"]}),
    ]
)
FILTERS = st.lists(
    st.builds(
        lambda condition, actions: filtered(condition, *actions),
        st.sampled_from(CONDITIONS),
        st.lists(ACTIONS, min_size=1, max_size=2),
    ),
    max_size=3,
)
EVENTS = st.lists(
    st.builds(
        lambda kind, text, room, own, more: (
            {**said(text, room, messageId=own), "type": kind} | more
        ),
        st.sampled_from(["track", "track", "page", "delete"]),
        st.sampled_from(["a", "b", None]),
        st.sampled_from(["r", None, 5]),
        st.sampled_from(["m1", "m2", "m3", None]),
        st.sampled_from([{}, {"integrations": {"All": False}}, {"properties": 3}]),
    ),
    max_size=6,
)


def in_bulk(connection: Connection, events: list[Any], *, travels: bool) -> dict[Any, Any]:
    """Deliver in bulk, through an intake that may be that of another process."""
    sender = connection.stream()
    numbers = range(3, 3 + len(events))
    if travels:
        intake = connection.intake()
        prepared = pickle.loads(pickle.dumps(intake.prepared(intake.add(events, numbers))))  # noqa: S301
        parts = [*sender.add_prepared(prepared)]
    else:
        parts = [*sender.add_from_intake(sender.intake.add(events, numbers))]
    return {
        (position - 3, one.subscription): one.result
        for some in (*parts, *sender.flush())
        for one in some
        for position in one.positions
    }


@settings(max_examples=150, deadline=None)
@given(filters=FILTERS, events=EVENTS)
def test_every_way_from_event_to_row_filters_alike(
    filters: list[DestinationFilter], events: list[dict[str, Any]]
) -> None:
    chosen = [Subscription(action="send"), Subscription(action="send", trigger='event = "a"')]
    partners = [Partner(), Partner(), Partner()]
    found = []
    for partner, way in zip(partners, ("one", "bulk", "travels"), strict=True):
        with connected(OPENED, *chosen, filters=filters, partner=partner) as connection:
            if way == "one":
                report = connection.deliver(events)
                results = {
                    key: item.result for key, item in zip(_keys(events), report.items, strict=True)
                }
            else:
                results = in_bulk(connection, events, travels=way == "travels")
        found.append({key: _short(result) for key, result in results.items()})
    assert found[0] == found[1] == found[2]
    sent = [sorted(map(repr, (row for body in one.sent for row in body))) for one in partners]
    assert sent[0] == sent[1] == sent[2]


def _keys(events: list[Any]) -> list[tuple[int, int]]:
    return [
        (place, index)
        for place, event in enumerate(events)
        for index in ([-1] if event["type"] == "delete" else [0, 1])
    ]


def _short(result: Any) -> Any:
    return result.code if isinstance(result, Skipped | Failed) else result


def test_a_word_for_every_event_is_answered_with_all() -> None:
    with pytest.raises(ConfigurationError, match=r"Filter `F`: .*every event matches `all`"):
        EventFilters([filtered("ALL", DROP)], permission_for(OPENED.definition, ()))
