"""Workers over a store on disk and a partner in memory: what is sent, kept, given up, replayed."""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from framework.definition import Destination, Rate, Subscription
from framework.delivery import BatchReport, Connection, Patience, RateStores, bearer
from framework.errors import ConfigurationError, InvalidAuthenticationError, StoreFullError
from framework.relay import (
    DeadLetter,
    DeadLetterFilter,
    EventStore,
    PostgresStore,
    Relay,
    RelayRoute,
    SQLiteStore,
    process_name,
)
from framework.relay import connection_statuses as statuses
from framework.state_store import StateStore
from tests.framework.delivery.bench import URL, connected, plugin, said
from tests.relaying import until

SOON = Patience(run_for=math.inf, first=0.01, cap=0.02)


class Rooms(httpx.BaseTransport):
    """A partner that keeps the texts of each room; rooms may answer otherwise for now."""

    def __init__(self) -> None:
        self.said: dict[str | None, list[str]] = defaultdict(list)
        self.answers: dict[str | None, int] = {}
        self.keys: list[str] = []
        self.valid_key: str | None = None
        self.times: list[float] = []

    @property
    def calls(self) -> int:
        return len(self.times)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.times.append(time.monotonic())
        body = json.loads(request.read())
        key = request.headers.get("authorization", "")
        self.keys.append(key)
        if self.valid_key and key != f"Bearer {self.valid_key}":
            return httpx.Response(401)
        status = self.answers.get(body["room"], 200)
        if status == 200:
            self.said[body["room"]] += body["texts"]
        return httpx.Response(status)


def post(client: Any, key: Any, payloads: Any) -> None:
    """Send a batch of messages to its room."""
    client.post(URL, json={"room": key["room"], "texts": [one.text for one in payloads]})


class Bench:
    """A store, a partner, and relays between them."""

    def __init__(self, store: EventStore) -> None:
        self.store = store
        self.rooms = Rooms()
        self.key = "first-key-0123"
        self.subscriptions: list[Subscription] = [Subscription(action="send", name="Send")]
        self.patience = SOON
        self._plugin = plugin(perform_batch=post, auth=lambda settings: bearer(settings.key))

    def append(self, *texts: str, room: str | None = None) -> None:
        """Store events, each with the text as its message ID."""
        events = [{**said(text, room), "messageId": f"id-{text}"} for text in texts]
        lines = [json.dumps(event).encode() for event in events]
        self.store.append("events", lines)

    @contextmanager
    def relaying(self, name: str = "ads") -> Iterator[Relay]:
        """Relay the stream `events` until the block ends."""
        route = RelayRoute(
            name=name,
            stream="events",
            open_connection=self._open,
            patience=self.patience,
        )
        relay = Relay(self.store, [route], from_start=True)
        relay.start()
        try:
            yield relay
        finally:
            assert relay.stop(20)

    def settled(self) -> bool:
        """Return whether nothing waits."""
        return all(one.waiting == 0 for one in statuses(self.store))

    def letters(self) -> list[DeadLetter]:
        """Return all dead letters."""
        return self.store.dead_letters.list()

    def _open(self, rates: RateStores, _: StateStore) -> Connection:
        return connected(
            self._plugin, *self.subscriptions, partner=self.rooms, rates=rates, key=self.key
        )


@pytest.fixture(params=["sqlite", "postgres"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    with (
        SQLiteStore(tmp_path / "events.db")
        if request.param == "sqlite"
        else PostgresStore(request.getfixturevalue("postgres_url"))
    ) as store:
        yield Bench(store)


def test_what_is_settled_is_not_sent_again(bench: Bench) -> None:
    bench.append("a", "b", room="r")
    for text in ("c", "d"):
        with bench.relaying():
            bench.append(text, room="r")
            until(bench.settled)
    assert bench.rooms.said == {"r": ["a", "b", "c", "d"]}


def test_an_extension_hears_of_each_batch(bench: Bench) -> None:
    heard: list[BatchReport] = []

    def batch_finished(report: BatchReport) -> None:
        heard.append(report)

    auth = lambda settings: bearer(settings.key)  # noqa: E731 - as above
    bench._plugin = plugin(perform_batch=post, auth=auth, batch_finished=batch_finished)
    bench.rooms.answers["closed"] = 400
    bench.append("a", room="open")
    bench.append("b", room="closed")
    with bench.relaying():
        until(bench.settled)
    assert [(one.subscription, one.action) for one in heard] == [("Send", "send")] * 2
    outcomes = sorted(result.to_json()["outcome"] for one in heard for result in one.results)
    assert outcomes == ["delivered", "failed"]


def test_a_store_that_fails_in_a_call_fails_no_event(bench: Bench) -> None:
    failures = [StoreFullError("its disk is full")] * 2

    def full(client: Any, key: Any, payloads: Any) -> None:
        if failures:
            raise failures.pop()
        post(client, key, payloads)

    bench._plugin = plugin(perform_batch=full, auth=lambda settings: bearer(settings.key))
    bench.append("a", "b", room="r")
    with bench.relaying():
        until(bench.settled)
    assert bench.rooms.said == {"r": ["a", "b"]}
    assert bench.letters() == []


def test_a_connection_is_held_until_something_is_accepted(bench: Bench) -> None:
    """Whoever looks while the partner is probed sees a connection that is held."""
    probing, probed = threading.Event(), threading.Event()
    refusals = [True]

    def refused_once(client: Any, key: Any, payloads: Any) -> None:
        if refusals:
            refusals.clear()
            raise InvalidAuthenticationError("No.")
        probing.set()
        assert probed.wait(20)
        post(client, key, payloads)

    bench._plugin = plugin(perform_batch=refused_once, auth=lambda settings: bearer(settings.key))
    bench.append("a", room="r")
    with bench.relaying() as relay:
        assert probing.wait(20)
        assert relay.workers()[0].state == "held"
        probed.set()
        until(bench.settled)
        assert relay.workers()[0].state == "delivering"


def test_a_permanent_failure_becomes_a_dead_letter(bench: Bench) -> None:
    bench.rooms.answers["closed"] = 400
    bench.append("a", room="closed")
    bench.append("b", room="open")
    with bench.relaying() as relay:
        until(bench.settled)
        until(lambda: relay.workers()[0].dead_letters == 1)  # counted after it is saved
        (worker,) = relay.workers()
        assert worker.results[("Send", "failed", "BAD_REQUEST")] == 1
        assert worker.statuses == {200: 1, 400: 1}
    (letter,) = bench.letters()
    assert (letter.line, letter.subscription, letter.code) == (1, "Send", "BAD_REQUEST")
    assert (letter.message_id, letter.tries) == ("id-a", 1)
    assert json.loads(letter.event)["event"] == "a"
    assert letter.outcome["status"] == 400
    assert bench.rooms.said == {"open": ["b"]}


def test_dead_letters_are_kept_for_a_stated_time(bench: Bench) -> None:
    bench.rooms.answers["r"] = 400
    bench.append("a", room="r")
    with bench.relaying():
        until(lambda: len(bench.letters()) == 1)
    at = bench.letters()[0].at
    other = Relay(bench.store, [])
    assert other.expire_dead_letters(keep=0.0, now=at + 1) == 0  # of no connection of its own
    with bench.relaying() as relay:
        assert relay.expire_dead_letters(keep=60.0, now=at + 59) == 0
        assert relay.expire_dead_letters(keep=60.0, now=at + 61) == 0  # it looks once an hour
    with bench.relaying() as relay:
        assert relay.expire_dead_letters(keep=60.0, now=at + 61) == 1
    assert bench.letters() == []


def test_what_is_erased_is_not_delivered_any_more(bench: Bench) -> None:
    """Whether it was read before or not; the other events stay what they are."""
    bench.rooms.answers["busy"] = 503
    bench.append("a", "b", "c", room="busy")
    with bench.relaying() as relay:
        until(lambda: relay.workers()[0].statuses.get(503, 0) > 0)
    bench.append("d", "e", room="busy")
    bench.store.erase({"events": [2, 4]})
    bench.rooms.answers.clear()
    with bench.relaying():
        until(bench.settled)
    assert bench.rooms.said == {"busy": ["a", "c", "e"]}
    assert bench.letters() == []


def test_a_room_that_fails_for_now_waits_alone_through_restarts(bench: Bench) -> None:
    bench.rooms.answers["busy"] = 503
    bench.append("a", room="busy")
    bench.append("b", room="open")
    with bench.relaying():
        until(lambda: bench.rooms.said == {"open": ["b"]} and bench.rooms.calls > 3)
        bench.append("c", room="busy")
    with bench.relaying():
        bench.append("d", room="open")
        until(lambda: bench.rooms.said["open"] == ["b", "d"])
        assert bench.letters() == []
        bench.rooms.answers.clear()
        until(bench.settled)
    assert bench.rooms.said == {"open": ["b", "d"], "busy": ["a", "c"]}


def test_tries_outlive_the_process_and_end_in_a_dead_letter(bench: Bench) -> None:
    bench.rooms.answers["busy"] = 503
    bench.append("a", room="busy")
    bench.patience = msgspec.structs.replace(SOON, tries=6, total=3600.0)
    with bench.relaying():
        until(lambda: bench.rooms.calls >= 6)
    assert bench.letters() == []
    bench.patience = msgspec.structs.replace(SOON, tries=6, total=0.0)
    with bench.relaying():
        until(bench.settled)
    (letter,) = bench.letters()
    assert letter.tries >= 7
    assert 0 < letter.first < letter.at


def test_a_refused_connection_is_opened_again_with_new_credentials(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.rooms.valid_key = "second-key-0123"
    bench.append("a", room="r")
    with caplog.at_level(logging.WARNING), bench.relaying() as relay:
        until(lambda: relay.workers()[0].state == "held")
        bench.key = "second-key-0123"
        until(bench.settled)
        assert relay.workers()[0].state == "delivering"
    assert bench.rooms.said == {"r": ["a"]}
    assert bench.letters() == []
    assert "Connection `ads` is held for" in caplog.text
    assert "key-0123" not in caplog.text


def test_a_bug_while_a_connection_is_opened_again_ends_no_thread(
    bench: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.rooms.valid_key = "second-key-0123"
    bench.append("a", room="r")
    opened = bench._open
    bugs: list[Exception] = []

    def fail(rates: RateStores, state: StateStore) -> Connection:
        if bugs:
            raise bugs.pop()
        return opened(rates, state)

    monkeypatch.setattr(bench, "_open", fail)
    with caplog.at_level(logging.WARNING), bench.relaying() as relay:
        bugs.append(KeyError("second-key-0123"))
        until(lambda: relay.workers()[0].state == "held")
        bench.key = "second-key-0123"
        until(bench.settled)
        assert relay.ended() == []
    assert bugs == []
    assert "Connection `ads` failed." in caplog.text


def test_a_replay_delivers_the_failed_pair_only(bench: Bench) -> None:
    bench.subscriptions.append(Subscription(action="send", name="Copy", mapping={"room": "copies"}))
    bench.rooms.answers["r"] = 400
    bench.append("a", "b", room="r")
    with bench.relaying():
        until(lambda: len(bench.letters()) == 2)
        bench.rooms.answers.clear()
        assert bench.store.dead_letters.replay(DeadLetterFilter(message_id="id-a")) == 1
        until(lambda: len(bench.letters()) == 1)
    assert bench.rooms.said == {"copies": ["a", "b"], "r": ["a"]}


def test_subscriptions_of_one_name_are_kept_apart(bench: Bench) -> None:
    """What is open, given up and replayed for one is not mistaken for the other's."""
    bench.subscriptions = [
        Subscription(action="send", mapping={"room": room}) for room in ("one", "two")
    ]
    bench.rooms.answers |= {"one": 503, "two": 503}
    bench.append("a", "b")
    with bench.relaying():
        until(lambda: bench.rooms.calls > 4)
    bench.rooms.answers |= {"one": 200, "two": 400}
    with bench.relaying():
        until(bench.settled)
        assert [one.subscription for one in bench.letters()] == ["Send (2)", "Send (2)"]
        bench.rooms.answers.clear()
        bench.store.dead_letters.replay()
        until(lambda: bench.letters() == [])
    assert bench.rooms.said == {"one": ["a", "b"], "two": ["a", "b"]}


def test_a_replay_that_fails_again_is_a_dead_letter_again(bench: Bench) -> None:
    bench.rooms.answers["r"] = 400
    bench.append("a", room="r")
    with bench.relaying():
        until(lambda: len(bench.letters()) == 1)
        bench.store.dead_letters.replay()
        until(lambda: bench.letters()[0].tries == 2)
        assert not bench.letters()[0].replay


def test_a_replay_for_a_subscription_that_is_gone_fails(bench: Bench) -> None:
    bench.rooms.answers["r"] = 400
    bench.append("a", room="r")
    with bench.relaying():
        until(lambda: len(bench.letters()) == 1)
    bench.subscriptions = [Subscription(action="send", name="Other")]
    bench.store.dead_letters.replay()
    with bench.relaying():
        until(lambda: bench.letters()[0].code == "UNKNOWN_SUBSCRIPTION")
    assert bench.rooms.calls == 1


def test_changed_subscriptions_go_on_and_are_told(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """What is open for a name goes out under that name, whatever its place in the file is now."""
    bench.rooms.answers["r"] = 503
    bench.append("a", room="r")
    with bench.relaying():
        until(lambda: bench.rooms.calls > 2)
    bench.rooms.answers.clear()
    new = Subscription(action="send", name="New", mapping={"room": "new"})
    bench.subscriptions.insert(0, new)
    with caplog.at_level(logging.WARNING), bench.relaying():
        bench.append("b", room="r")
        until(bench.settled)
    assert bench.rooms.said == {"r": ["a", "b"], "new": ["b"]}
    assert "The subscriptions of connection `ads` were changed" in caplog.text


def test_a_dropped_cursor_is_begun_anew(bench: Bench) -> None:
    with bench.relaying():
        bench.append("a", room="r")
        until(bench.settled)
        assert bench.store.drop("ads")
        bench.append("b", room="r")
        until(lambda: [one.connection for one in statuses(bench.store)] == ["ads"])
        until(lambda: bench.rooms.said == {"r": ["a", "b"]})


def test_a_checkpoint_that_cannot_be_read_is_refused(bench: Bench) -> None:
    owner = bench.store.own("ads", "events")
    assert owner is not None
    owner.save(0, b'{"serves": 7}')
    owner.release()
    with pytest.raises(ConfigurationError, match="has an unreadable checkpoint"):
        bench.relaying().__enter__()


def test_problems_of_all_connections_are_told_and_nothing_stays_owned(bench: Bench) -> None:
    owners = [bench.store.own(name, "events") for name in ("one", "two")]
    routes = [
        RelayRoute(name=name, stream="events", open_connection=bench._open)
        for name in ("free", "one", "two")
    ]
    with pytest.raises(ConfigurationError) as caught:
        Relay(bench.store, routes)
    assert [line.split("`")[1] for line in str(caught.value).splitlines()] == ["one", "two"]
    assert [one.connection for one in statuses(bench.store) if one.owned] == ["one", "two"]
    assert all(owners)


def test_events_of_many_threads_arrive_in_the_order_of_each(bench: Bench) -> None:
    def append(room: str) -> None:
        for number in range(20):
            bench.append(str(number), room=room)

    with bench.relaying():
        threads = [threading.Thread(target=append, args=(room,)) for room in "xyz"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        until(bench.settled)
    wanted = [str(number) for number in range(20)]
    assert bench.rooms.said == {"x": wanted, "y": wanted, "z": wanted}


def test_connections_on_one_account_share_its_rate(bench: Bench) -> None:
    rate = Rate(calls=2, seconds=1.0, scope=("key",))
    limited = Destination(slug="partner", name="Partner", rate=rate)
    opened = plugin(destination=lambda: limited, perform_batch=post)

    def connection(rates: RateStores, _: StateStore) -> Connection:
        return connected(opened, partner=bench.rooms, rates=rates)

    routes = [
        RelayRoute(
            name=name,
            stream="events",
            open_connection=connection,
        )
        for name in ("ads", "mail")
    ]
    for room in "xyz":
        bench.append("a", room=room)
    relay = Relay(bench.store, routes, from_start=True)
    relay.start()
    until(bench.settled)
    assert relay.stop(20)
    assert bench.rooms.said == {room: ["a", "a"] for room in "xyz"}
    times = sorted(bench.rooms.times)
    assert times[-1] - times[0] > 2.0, times  # five intervals of 0.5 s; alone each takes two


def test_the_age_of_the_oldest_waiting_event_is_told(bench: Bench) -> None:
    owner = bench.store.own("ads", "events")
    assert owner is not None
    event = {**said("a"), "receivedAt": "2026-11-30T08:00:00.000Z"}
    bench.store.append("events", [json.dumps(event).encode()])
    (found,) = statuses(bench.store, now=1_796_025_600.0 + 90)
    assert found.to_json() == {
        "connection": "ads", "stream": "events", "waiting": 1, "owned": True,
        "owner": process_name(), "deadLetters": 0, "oldestSeconds": 90.0, "doubts": 0,
    }  # fmt: skip
