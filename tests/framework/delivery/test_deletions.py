"""Requests to delete users go to their hook, in order, and never to a subscription."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import httpx
import pytest

from framework import Batching, DeletionRequest, Subscription
from framework.delivery import Sender
from framework.results import DELIVERED, Delivered, Failed, Skipped
from tests.framework.delivery.bench import (
    SECRET,
    SEND,
    URL,
    Message,
    Partner,
    connected,
    plugin,
    said,
)

EVERYTHING = Subscription(action="send", name="All", trigger="type != null")
NO_USER = Failed(
    400, "NO_IDENTIFIER", "The event names no user: it has neither `userId` nor `anonymousId`."
)


def post(client: httpx.Client, payloads: list[Message]) -> httpx.Response:
    return client.post(URL, json=[payload.text for payload in payloads])


def delete(client: httpx.Client, requests: Sequence[DeletionRequest]) -> httpx.Response:
    return client.post(URL, json={"deleted": [one.user_id or one.anonymous_id for one in requests]})


def deletion(user_id: Any = "u7", **more: Any) -> dict[str, Any]:
    return {"type": "delete", "userId": user_id, **more}


def test_everything_before_a_deletion_is_sent_before_it() -> None:
    """Deletions next to each other travel together; nothing joins rows across them."""
    partner = Partner()
    opened = plugin(perform_batch=post, delete_users=delete)
    events = [said("a"), deletion(), deletion("u8"), said("b"), said("c"), deletion(), said("d")]
    with connected(opened, EVERYTHING, partner=partner) as connection:
        report = connection.deliver(events)
    assert partner.sent == [
        ["a"],
        {"deleted": ["u7", "u8"]},
        ["b", "c"],
        {"deleted": ["u7"]},
        ["d"],
    ]
    assert report.results == [DELIVERED] * 7
    assert [(one.position, one.subscription) for one in report.items] == [
        (0, "All"), (1, "(deletions)"), (2, "(deletions)"), (3, "All"), (4, "All"),
        (5, "(deletions)"), (6, "All"),
    ]  # fmt: skip
    assert [one.reason for one in report.batches] == ["end", "deletion", "end", "deletion", "end"]


@pytest.mark.parametrize("threads", [0, 4])
def test_nothing_is_coalesced_across_a_deletion_in_a_stream(threads: int) -> None:
    """What came before is sent before, although a newer row about the same person waits."""
    partner = Partner()
    rules = Batching(max_size=100, lane="rooms", coalesce="last")
    opened = plugin(
        replace(SEND, batching=rules),
        perform_batch=post,
        delete_users=delete,
        identify=lambda columns: ["u7"] * columns.size,
    )
    events = [said("a"), said("b"), deletion(), said("c"), said("d"), deletion(), said("e")]
    found: dict[int, Any] = {}
    with connected(opened, EVERYTHING, partner=partner) as connection:
        sender = connection.stream(threads=threads)
        for completions in chain(sender.add(enumerate(events)), sender.flush()):
            for one in completions:
                found |= dict.fromkeys(one.positions, one.result)
    assert partner.sent == [["b"], {"deleted": ["u7"]}, ["d"], {"deleted": ["u7"]}, ["e"]]
    superseded = [place for place, result in sorted(found.items()) if isinstance(result, Skipped)]
    assert (superseded, len(found)) == ([0, 3], 7)


def test_without_the_hook_a_deletion_fails_by_name() -> None:
    partner = Partner()
    with connected(plugin(perform_batch=post), EVERYTHING, partner=partner) as connection:
        (result,) = connection.deliver([deletion()]).results
    assert result == Failed(
        501,
        "DELETION_NOT_SUPPORTED",
        "Partner cannot delete users: it has no hook `delete_users`. "
        "Delete the user there yourself.",
    )
    assert not result.retryable
    assert partner.requests == []


@pytest.mark.parametrize(
    ("event", "user_id", "anonymous_id"),
    [
        (deletion("u7"), "u7", None),
        (deletion(17), "17", None),
        (deletion(None, anonymousId="a1"), None, "a1"),
        (deletion("u7", anonymousId="a1"), "u7", "a1"),
        (deletion(True, anonymousId="a1"), None, "a1"),
    ],
)
def test_a_request_names_its_user(
    event: dict[str, Any], user_id: str | None, anonymous_id: str | None
) -> None:
    got: list[DeletionRequest] = []

    def keep(requests: Sequence[DeletionRequest]) -> None:
        got.extend(requests)

    opened = plugin(perform_batch=post, delete_users=keep)
    with connected(opened, EVERYTHING) as connection:
        assert connection.deliver([event]).results == [DELIVERED]
    assert got == [DeletionRequest(user_id, anonymous_id, event)]


@pytest.mark.parametrize("user_id", [None, "", " ", {}, [], True])
def test_a_request_that_names_nobody_is_not_sent(user_id: Any) -> None:
    """Nobody deletes what the partner knows of `None`."""
    partner = Partner()
    opened = plugin(perform_batch=post, delete_users=delete)
    with connected(opened, EVERYTHING, partner=partner) as connection:
        found = connection.deliver([deletion(user_id), deletion("u8")]).results
    assert found == [NO_USER, DELIVERED]
    assert partner.sent == [{"deleted": ["u8"]}]


def test_each_request_has_a_result_of_its_own() -> None:
    unknown = Failed(404, "UNKNOWN", "There is no such user.")
    opened = plugin(
        perform_batch=post,
        delete_users=lambda requests: [
            Delivered() if one.user_id == "u7" else unknown for one in requests
        ],
    )
    with connected(opened, EVERYTHING) as connection:
        assert connection.deliver([deletion(), deletion("u8")]).results == [DELIVERED, unknown]


@pytest.mark.parametrize(
    ("answer", "code", "message"),
    [
        (
            [Delivered()],
            "RESULT_COUNT",
            "Hook `delete_users` must return one result for each of the 2 requests, got 1 results.",
        ),
        (
            7,
            "RESULT_TYPE",
            "Hook `delete_users` must return nothing, one response or a list of results, got int.",
        ),
    ],
)
def test_a_wrong_answer_fails_every_request(answer: Any, code: str, message: str) -> None:
    opened = plugin(perform_batch=post, delete_users=lambda: answer)
    with connected(opened, EVERYTHING) as connection:
        found = connection.deliver([deletion(), deletion("u8")]).results
    assert found == [Failed(500, code, message)] * 2


def test_an_error_of_the_hook_fails_its_requests() -> None:
    def refuse() -> None:
        raise ValueError(f"no, {SECRET}")

    with connected(plugin(perform_batch=post, delete_users=refuse), EVERYTHING) as connection:
        (result,) = connection.deliver([deletion()]).results
    assert isinstance(result, Failed)
    assert (result.status, result.code) == (500, "INTERNAL_ERROR")


def test_an_event_may_keep_a_deletion_from_a_destination() -> None:
    """A request for one destination deletes at no other; consent is not asked for a deletion."""
    partner = Partner()
    opened = plugin(perform_batch=post, delete_users=delete)
    refusing = {"consent": {"categoryPreferences": {"Ads": False}}}
    events = [
        deletion(integrations={"All": False, "Other": True}),
        deletion("u8", context=refusing),
    ]
    with connected(opened, EVERYTHING, partner=partner, consent=["Ads"]) as connection:
        found = connection.deliver(events).results
    assert isinstance(found[0], Skipped)
    assert found[0].code == "INTEGRATION_DISABLED"
    assert found[1] == DELIVERED
    assert partner.sent == [{"deleted": ["u8"]}]


def test_a_deletion_that_is_refused_for_now_holds_what_comes_after() -> None:
    """Nothing overtakes it; both stay open for the next run."""
    partner = Partner(httpx.Response(200), httpx.Response(503), httpx.Response(200))
    opened = plugin(perform_batch=post, delete_users=delete)
    with connected(opened, EVERYTHING, partner=partner) as connection:
        sender = Sender(connection, halts=lambda one: isinstance(one, Failed) and one.retryable)
        events = [said("a"), deletion(), said("b")]
        done = [*sender.add(enumerate(events)), *sender.flush(), *sender.close()]
        settled = [place for some in done for one in some for place in one.positions]
        assert settled == [0]
        assert sender.pending() == {0: [range(1, 3)]}
    assert partner.sent == [["a"], {"deleted": ["u7"]}]


def test_a_connection_without_subscriptions_deletes() -> None:
    """Other events have no outcome there."""
    partner = Partner()
    opened = plugin(perform_batch=post, delete_users=delete)
    with connected(opened, Subscription(action="send", enabled=False), partner=partner) as one:
        assert one.deliver([deletion(), said("a")]).results == [DELIVERED]
    assert partner.sent == [{"deleted": ["u7"]}]
