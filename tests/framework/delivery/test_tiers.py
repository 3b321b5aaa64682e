"""Whichever way events come in, the same is sent and every event has the same result."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from collections.abc import Iterable
from typing import Any, TypeAlias

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from destinations import criteo_audiences
from framework import Subscription, connect, open_plugin
from framework.delivery import Completion, Connection, DryRun, Prepared
from framework.results import Failed, Result, Skipped

PLUGIN = open_plugin(criteo_audiences)
SETTINGS = {"advertiser_id": "1", "client_id": "an id", "client_secret": "a secret"}
SUBSCRIPTIONS = [
    Subscription(action="addUserToAudience"),
    Subscription(action="removeUserFromAudience"),
    Subscription(
        action="addUserToAudience", trigger='event = "Twin"', mapping={"hash_emails": True}
    ),
]
Sent: TypeAlias = list[tuple[str, str, list[str]]]
Results: TypeAlias = dict[tuple[int, int], Any]

EMAILS = st.sampled_from(
    ["ada@example.com", " ADA@example.com", "bob@example.com", "c\u00e9@example.com", "nobody", ""]
)
ODD = st.sampled_from([None, 5, True, [], {}, ["ada@example.com"], {"email": "ada@example.com"}])
EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["track", "track", "track", "page"]),
            "event": st.sampled_from(["Audience Entered", "Audience Exited", "Twin"]) | ODD,
        },
        optional={
            "context": st.fixed_dictionaries({"traits": st.fixed_dictionaries({"email": EMAILS})})
            | st.fixed_dictionaries({"traits": ODD})
            | ODD,
            "properties": st.fixed_dictionaries({"audience_key": st.sampled_from("ab") | ODD})
            | ODD,
        },
    ),
    max_size=12,
)


def opened(sent: Sent) -> Connection:
    """Open a connection to a partner that has every list and takes everybody."""

    def answer(request: httpx.Request) -> httpx.Response:
        if "token" in request.extensions:
            return httpx.Response(200, json={"access_token": "token", "expires_in": 900})
        body = json.loads(request.content)
        if request.method == "PATCH":
            attributes = body["data"]["attributes"]
            sent.append((request.url.path, attributes["operation"], attributes["identifiers"]))
            return httpx.Response(200, json={"data": {"attributes": {}}})
        if request.url.path.endswith("/create"):
            name = body["data"][0]["attributes"]["name"]
            return httpx.Response(200, json={"data": [{"id": f"list-{name}"}]})
        return httpx.Response(200, json={"data": [], "meta": {"totalItems": 0}})

    return connect(PLUGIN, SETTINGS, SUBSCRIPTIONS, transport=DryRun(answer), strict=True)


def comparable(result: Result | None) -> Any:
    return result.code if isinstance(result, Skipped | Failed) else result


def gathered(parts: Iterable[list[Completion]]) -> Results:
    found: Results = {}
    for completions in parts:
        for completion in completions:
            for position, subscription, result in completion.each():
                assert (position, subscription) not in found
                found[position, subscription] = comparable(result)
    return found


def traced(events: list[Any]) -> tuple[Results, Sent]:
    sent: Sent = []
    with opened(sent) as connection:
        report = connection.deliver(events)
    routes = len(SUBSCRIPTIONS)
    results = [comparable(item.result) for item in report.items]
    return {divmod(place, routes): one for place, one in enumerate(results)}, sent


def plain(events: list[Any], size: int, threads: int) -> tuple[Results, Sent]:
    sent: Sent = []
    with opened(sent) as connection:
        sender = connection.stream(threads=threads)
        parts: list[list[Completion]] = []
        for start in range(0, len(events), size):
            some = events[start : start + size]
            added = sender.intake.add(some, range(start, start + len(some)))
            parts += sender.add_from_intake(list(added))
        found = gathered([*parts, *sender.flush(), *sender.close()])
        assert sender.pending() == {}
    return found, sent


def structs(events: list[Any], size: int, threads: int) -> tuple[Results, Sent]:
    sent: Sent = []
    with opened(sent) as connection:
        sender = connection.stream(threads=threads)
        assert sender.intake.projection is not None
        parts: list[list[Completion]] = []
        for start in range(0, len(events), size):
            lines = [msgspec.json.encode(one) for one in events[start : start + size]]
            decoded = sender.intake.projection.decode(lines)
            assert decoded is not None
            places = range(start, start + len(lines))
            added = sender.intake.add_structs(decoded, places, events.__getitem__)
            parts += sender.add_from_intake(list(added))
        found = gathered([*parts, *sender.flush(), *sender.close()])
        assert sender.pending() == {}
    return found, sent


def copied(made: Prepared) -> Prepared:
    """Give what another process would get."""
    found: Prepared = pickle.loads(pickle.dumps(made))  # noqa: S301 - made here
    return found


def prepared(events: list[Any], size: int, threads: int) -> tuple[Results, Sent]:
    """Deliver what another intake has prepared, which counted from the beginning of its part."""
    sent: Sent = []
    with opened(sent) as connection:
        sender, intake = connection.stream(threads=threads), connection.intake()
        parts: list[list[Completion]] = []
        for start in range(0, len(events), size):
            some = events[start : start + size]
            made = intake.prepared(list(intake.add(some, range(len(some)))))
            parts += sender.add_prepared(copied(made).moved(start, intake.row_ids))
        found = gathered([*parts, *sender.flush(), *sender.close()])
        assert sender.pending() == {}
    return found, sent


def applied(sent: Sent) -> dict[str, set[str]]:
    """Give who is on which list after all calls."""
    members: dict[str, set[str]] = {}
    for path, operation, people in sent:
        on_list = members.setdefault(path, set())
        if operation == "add":
            on_list.update(people)
        else:
            on_list.difference_update(people)
    return members


@given(EVENTS, st.integers(1, 12), st.sampled_from([0, 1, 3]))
@settings(max_examples=60, deadline=None)
def test_all_ways_in_come_to_the_same(events: list[Any], size: int, threads: int) -> None:
    """Traced, plain JSON in bulk, structs, prepared elsewhere: equal results, equal calls."""
    results, sent = traced(events)
    for way in (plain, structs, prepared):
        found, calls = way(events, size, threads)
        assert found == results
        assert applied(calls) == applied(sent)
        assert Counter(map(repr, calls)) == Counter(map(repr, sent))


@pytest.mark.parametrize("threads", [1, 4])
def test_nothing_is_sent_after_a_result_that_halts(threads: int) -> None:
    """Whatever was taken by a thread and not sent stays unsettled."""
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        if "token" in request.extensions:
            return httpx.Response(200, json={"access_token": "token", "expires_in": 900})
        return httpx.Response(400, json={"errors": [{"code": "no"}]})

    mapping = {"contact_list_id": "7", "batch_size": 1}
    one = [Subscription(action="addUserToAudience", mapping=mapping)]
    events = [
        {
            "type": "track",
            "event": "Audience Entered",
            "context": {"traits": {"email": f"user{n}@example.com"}},
        }
        for n in range(20)
    ]
    with connect(PLUGIN, SETTINGS, one, transport=DryRun(answer)) as connection:
        sender = connection.stream(lambda result: isinstance(result, Failed), threads=threads)
        added = list(sender.intake.add(events, range(20)))
        found = gathered([*sender.add_from_intake(added), *sender.flush(), *sender.close()])
        assert found == {}
        assert sender.pending() == {0: [range(20)]}
        assert sender.halted is not None
    assert len([one for one in requests if one.method == "PATCH"]) == 1


def test_what_a_thread_raises_is_raised_to_the_caller() -> None:
    """With a strict connection, as test benches use it, nothing is swallowed."""

    def answer(request: httpx.Request) -> httpx.Response:
        raise ValueError(request.method)

    event = {
        "type": "track",
        "event": "Audience Entered",
        "context": {"traits": {"email": "ada@example.com"}},
        "properties": {"audience_key": "a"},
    }
    with connect(
        PLUGIN, SETTINGS, SUBSCRIPTIONS, transport=DryRun(answer), strict=True
    ) as connection:
        sender = connection.stream(threads=1)
        list(sender.add_from_intake(list(sender.intake.add([event], [0]))))
        with pytest.raises(ValueError, match="POST"):
            list(sender.flush())
        assert sender.pending() == {0: [range(1)]}
