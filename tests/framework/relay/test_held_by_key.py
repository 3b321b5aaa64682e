"""Temporary failures are held by lane and batch key, and retried, while the rest continues."""

from __future__ import annotations

import io
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from operator import ne
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.definition import Action, Batching, Subscription
from framework.delivery import Patience, connect
from framework.delivery.retries import Retry
from framework.events import EventFile
from framework.relay import Summary, run_file
from framework.results import DELIVERED, Failed
from tests.deliveries import rows_of, write
from tests.framework.delivery.bench import SECRET, Message, plugin, said
from tests.framework.delivery.clocks import FakeClock

DELETE = "(deletions)"
FOREVER = Patience(run_for=1e9)
Reply = Callable[[str, list[str]], int]
"""Answers a call for a room with these texts by a status; 0 is no connection, -1 no answer."""


def action(**batching: Any) -> Action:
    chosen = {"keys": ("room",), "max_size": 2, **batching}
    return Action(
        slug="send",
        title="Send",
        trigger='type = "track"',
        payload=Message,
        batching=Batching(**chosen),
    )


class Rooms(httpx.BaseTransport):
    """A partner with rooms: takes what *reply* accepts, in order."""

    def __init__(self, reply: Reply = lambda _room, _texts: 200) -> None:
        self.reply = reply
        self.taken: dict[str, list[str]] = defaultdict(list)
        self.calls: list[tuple[str, list[str], int]] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        room, texts = json.loads(request.read())
        status = self.reply(room, texts)
        self.calls.append((room, texts, status))
        if status == 0:
            raise httpx.ConnectError("refused", request=request)
        if status == -1:
            raise httpx.ReadTimeout("late", request=request)
        if status < 300:
            self.taken[room] += texts
        return httpx.Response(status)


def perform_batch(client: httpx.Client, key: Mapping[str, str], payloads: Sequence[Message]) -> Any:
    return client.post("https://partner.test/", json=[key["room"], [one.text for one in payloads]])


class Bench:
    """Runs over one file with one checkpoint, on a clock of its own."""

    def __init__(self, folder: Path, events: Sequence[tuple[str, str]], **batching: Any) -> None:
        self.events = write(folder / "events.ndjson", [said(text, room) for room, text in events])
        self.outcomes = folder / "outcomes"
        self.checkpoint = folder / "checkpoint"
        self.clock = FakeClock()
        self.hooks: dict[str, Any] = {"perform_batch": perform_batch}
        self.batching = batching

    def run(self, partner: httpx.BaseTransport, patience: Patience, **options: Any) -> Summary:
        opened = plugin(action(**self.batching), **self.hooks)
        with (
            connect(
                opened,
                {"key": SECRET},
                [Subscription(action="send", name="Send")],
                transport=partner,
                retry=Retry.never(),
                clock=self.clock,
            ) as connection,
            EventFile(self.events) as source,
        ):
            chosen = {"checkpoint": self.checkpoint, "outcomes": self.outcomes, **options}
            return run_file(connection, source, patience=patience, **chosen)

    def failing(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.checkpoint.read_text()).get("failing", {})
        return found

    def outcome_of(self) -> Counter[tuple[int, str]]:
        return Counter((row["line"], row["outcome"]) for row in rows_of(self.outcomes))


def once(lines: Sequence[int], outcome: str = "delivered") -> Counter[tuple[int, str]]:
    return Counter((line, outcome) for line in lines)


THREE = [("a", "1"), ("b", "2"), ("c", "3"), ("b", "4"), ("a", "5"), ("b", "6"), ("c", "7")]


def fails(*rooms: str, status: int = 503, times: float = 1e9) -> Reply:
    left = dict.fromkeys(rooms, times)

    def reply(room: str, _texts: list[str]) -> int:
        left[room] = left.get(room, 0) - 1
        return status if left[room] >= 0 else 200

    return reply


@pytest.mark.parametrize("threads", [0, 1, 3])
@pytest.mark.parametrize("status", [408, 423, 500, 502, 503, 504, 599, -1])
def test_one_key_that_fails_holds_no_other(tmp_path: Path, status: int, threads: int) -> None:
    bench = Bench(tmp_path, THREE)
    partner = Rooms(fails("b", status=status))
    first = bench.run(partner, Patience(), threads=threads)
    assert (first.stopped, first.finished) == ("unavailable", False)
    assert (first.unsettled, first.settled, first.lines) == (3, 1, 7)
    assert partner.taken == {"a": ["1", "5"], "c": ["3", "7"]}
    assert [room for room, _, _ in partner.calls].count("b") == 1
    partner.reply = fails()
    assert bench.run(partner, Patience(), threads=threads).finished
    assert partner.taken["b"] == ["2", "4", "6"]
    assert bench.outcome_of() == once(range(1, 8))
    assert bench.failing() == {}


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_a_run_with_patience_tries_again_with_growing_waits(tmp_path: Path, threads: int) -> None:
    bench = Bench(tmp_path, THREE)
    partner = Rooms(fails("b", times=5))
    assert bench.run(partner, FOREVER, threads=threads).finished
    assert partner.taken == {"a": ["1", "5"], "b": ["2", "4", "6"], "c": ["3", "7"]}
    assert [room for room, _, _ in partner.calls].count("b") == 5 + 2
    assert 0.25 + 0.5 + 1 + 2 + 4 <= sum(bench.clock.slept) <= 0.5 + 1 + 2 + 4 + 8 + 1
    assert bench.outcome_of() == once(range(1, 8))


def test_a_run_tries_again_for_so_long(tmp_path: Path) -> None:
    bench = Bench(tmp_path, THREE)
    partner = Rooms(fails("b"))
    assert bench.run(partner, Patience(run_for=60)).stopped == "unavailable"
    assert 20 <= sum(bench.clock.slept) <= 60
    assert 6 <= [room for room, _, _ in partner.calls].count("b") <= 9


def test_a_pause_that_the_partner_asks_for_is_kept(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [("a", "1")])
    answers = [httpx.Response(503, headers={"retry-after": "7"}), httpx.Response(200)]
    assert bench.run(httpx.MockTransport(lambda _: answers.pop(0)), FOREVER).finished
    assert 7 <= sum(bench.clock.slept) <= 8


def test_a_key_that_always_fails_is_given_up_after_tries_and_time(tmp_path: Path) -> None:
    """Both are counted over runs; what comes later about the key is tried once more."""
    bench = Bench(tmp_path, THREE)
    partner = Rooms(fails("b"))
    patience = Patience(tries=3, total=3600)
    for tries in range(1, 6):
        assert bench.run(partner, patience).stopped == "unavailable"
        ((first, told),) = [(one["first"], one["tries"]) for one in bench.failing().values()]
        assert (first, told) == (1_800_000_000.0, tries)
    bench.clock.reading += 3600
    assert bench.run(partner, patience).finished
    assert bench.outcome_of() == once([1, 3, 5, 7]) + once([2, 4, 6], "failed")
    assert {row.get("code") for row in rows_of(bench.outcomes)} == {None, "SERVICE_UNAVAILABLE"}


def test_time_alone_is_no_reason_to_give_up(tmp_path: Path) -> None:
    """After a long pause between runs, the first new try is not the last."""
    bench = Bench(tmp_path, THREE)
    partner = Rooms(fails("b"))
    patience = Patience(tries=3, total=3600)
    bench.run(partner, patience)
    bench.clock.reading += 100_000
    assert bench.run(partner, patience).stopped == "unavailable"


def test_a_clock_that_is_set_back_does_not_put_off_giving_up(tmp_path: Path) -> None:
    """The time counts from the first failure by the clock that is right now."""
    bench = Bench(tmp_path, THREE)
    partner = Rooms(fails("b"))
    patience = Patience(tries=3, total=60)
    for _ in range(3):
        bench.run(partner, patience)
    bench.clock.reading -= 600
    assert bench.run(partner, patience).stopped == "unavailable"
    bench.clock.reading += 60
    assert bench.run(partner, patience).finished
    assert bench.outcome_of() == once([1, 3, 5, 7]) + once([2, 4, 6], "failed")


def test_a_success_ends_the_count(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [("b", str(n)) for n in range(8)])
    answers = [503, 200, 503, 200, 503, 200, 503, 200]
    partner = Rooms(lambda _room, _texts: answers.pop(0))
    assert bench.run(partner, Patience(tries=2, total=0, run_for=1e9)).finished
    assert partner.taken["b"] == [str(n) for n in range(8)]
    assert bench.failing() == {}


def test_rows_of_a_batch_that_were_accepted_are_not_repeated(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [("b", "1"), ("b", "2"), ("b", "3")], max_size=3)
    calls: list[list[str]] = []

    def each(payloads: Sequence[Message]) -> list[Any]:
        calls.append([one.text for one in payloads])
        busy = Failed(503, "BUSY", "Later.", "partner")
        return [busy if one.text == "2" and len(calls) < 3 else DELIVERED for one in payloads]

    bench.hooks = {"perform_batch": each}
    assert bench.run(Rooms(), FOREVER).finished
    assert calls == [["1", "2", "3"], ["2"], ["2"]]
    assert bench.outcome_of() == once([1, 2, 3])


# Superseding


def test_a_later_event_about_the_same_person_supersedes_one_that_is_held(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [("b", "x"), ("b", "y"), ("b", "x"), ("b", "z")], coalesce="last")
    bench.hooks["identify"] = lambda payloads: [one.text for one in payloads]
    partner = Rooms(fails("b", times=1))
    assert bench.run(partner, FOREVER).finished
    assert [texts for _, texts, _ in partner.calls] == [["x", "y"], ["y"], ["x", "z"]]
    assert bench.outcome_of() == once([1], "skipped") + once([2, 3, 4])


# The whole connection


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_an_outage_is_probed_with_one_batch(tmp_path: Path, threads: int) -> None:
    bench = Bench(tmp_path, THREE)
    down = [True] * 6
    partner = Rooms(lambda _room, _texts: 0 if down and down.pop() else 200)
    patience = Patience(tries=1, total=0, run_for=1e9)
    assert bench.run(partner, patience, threads=threads).finished
    assert partner.taken == {"a": ["1", "5"], "b": ["2", "4", "6"], "c": ["3", "7"]}
    assert len([one for one in partner.calls if one[2] == 0]) == 6
    assert bench.outcome_of() == once(range(1, 8))
    if threads < 2:
        waits = sum(bench.clock.slept)
        assert 0.25 + 0.5 + 1 + 2 + 4 + 8 <= waits <= 2 * (0.25 + 0.5 + 1 + 2 + 4 + 8) + 2


def test_an_outage_that_lasts_stops_the_run_and_counts_no_try(tmp_path: Path) -> None:
    bench = Bench(tmp_path, THREE)
    partner = Rooms(lambda _room, _texts: 0)
    summary = bench.run(partner, Patience(run_for=60))
    assert (summary.stopped, summary.unsettled, summary.settled) == ("unavailable", 7, 0)
    assert bench.failing() == {}
    assert len(partner.calls) < 12
    assert bench.run(Rooms(), Patience()).finished
    assert bench.outcome_of() == once(range(1, 8))


def test_different_keys_that_fail_alike_are_an_outage(tmp_path: Path) -> None:
    """Ten keys are not asked one by one; one that is well ends the outage."""
    bench = Bench(tmp_path, [(str(n), "1") for n in range(10)])
    down = [True] * 5
    partner = Rooms(lambda _room, _texts: 500 if down and down.pop() else 200)
    assert bench.run(partner, FOREVER).finished
    assert partner.taken == {str(n): ["1"] for n in range(10)}
    first_wait = [room for room, _, _ in partner.calls][:3]
    assert first_wait == ["0", "1", "2"]
    assert bench.outcome_of() == once(range(1, 11))


@pytest.mark.parametrize("threads", [0, 1, 3])
@pytest.mark.parametrize("status", [503, 429, 0])
def test_nothing_overtakes_a_deletion_that_is_held(
    tmp_path: Path, status: int, threads: int
) -> None:
    """Also not in a room whose last batch was given up, which holds nothing by then."""
    bench = Bench(tmp_path, [("b", "bad"), ("b", "later"), ("c", "last")])
    lines = bench.events.read_text().splitlines()
    lines.insert(1, json.dumps({"type": "delete", "userId": "u1"}))
    bench.events.write_text("\n".join(lines) + "\n")
    bench.hooks["delete_users"] = lambda client, requests: client.post(
        "https://partner.test/", json=["deletions", [one.user_id for one in requests]]
    )
    answers = {"deletions": [200, status, status], "b": [200, 500]}
    partner = Rooms(lambda room, _: answers[room].pop() if room in answers else 200)
    patience = Patience(tries=1, total=0, run_for=1e9)
    if status == 503:
        patience = Patience(tries=3, total=0, run_for=1e9)
        answers["b"] = [200, 500, 500, 500]
    assert bench.run(partner, patience, threads=threads).finished
    calls = [(room, texts) for room, texts, _ in partner.calls if texts != ["bad"]]
    assert calls[:3] == [("deletions", ["u1"])] * 3
    assert sorted(calls[3:]) == [("b", ["later"]), ("c", ["last"])]
    assert bench.outcome_of() == once([1], "failed") + once([2, 3, 4])


# Halving


def test_a_refused_batch_is_halved_until_the_bad_row_is_alone(tmp_path: Path) -> None:
    texts = [str(n) for n in range(64)]
    for bad in ("0", "37", "63"):
        folder = tmp_path / bad
        folder.mkdir()
        bench = Bench(folder, [("b", text) for text in texts], max_size=64)
        partner = Rooms(lambda _room, some, bad=bad: 400 if bad in some else 200)  # type: ignore[misc]
        assert bench.run(partner, Patience()).finished
        assert sorted(partner.taken["b"]) == sorted(set(texts) - {bad})
        assert len(partner.calls) == 13
        failed = [row["line"] for row in rows_of(bench.outcomes) if row["outcome"] == "failed"]
        assert failed == [int(bad) + 1]


@pytest.mark.parametrize("threads", [1, 3])
def test_later_batches_wait_for_the_halves(tmp_path: Path, threads: int) -> None:
    texts = [str(n) for n in range(40)]
    bench = Bench(tmp_path, [("b", text) for text in texts], max_size=8)
    partner = Rooms(lambda _room, some: 400 if {"3", "20"} & {*some} else 200)
    assert bench.run(partner, Patience(), threads=threads).finished
    groups = [sorted(int(one) // 8 for one in texts) for _, texts, _ in partner.calls]
    assert [group[0] for group in groups] == sorted(group[0] for group in groups)
    assert sorted(partner.taken["b"], key=int) == [one for one in texts if one not in {"3", "20"}]


def test_what_is_refused_in_all_its_parts_takes_few_calls(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [("b", str(n)) for n in range(64)], max_size=64)
    partner = Rooms(lambda _room, _texts: 422)
    assert bench.run(partner, Patience()).outcomes == {"failed": 64}
    assert len(partner.calls) == 13


def test_halving_that_is_of_no_use_ends(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [("b", str(n)) for n in range(640)], max_size=64)
    partner = Rooms(lambda _room, _texts: 422)
    assert bench.run(partner, Patience()).outcomes == {"failed": 640}
    assert len(partner.calls) == 13 + 13 + 8


def test_a_batch_with_an_answer_for_each_row_is_not_halved(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [("b", str(n)) for n in range(4)], max_size=4)
    calls: list[int] = []

    def each(payloads: Sequence[Message]) -> list[Any]:
        calls.append(len(payloads))
        return [Failed(400, "NO", "No.", "partner") for _ in payloads]

    bench.hooks = {"perform_batch": each}
    assert bench.run(Rooms(), Patience()).outcomes == {"failed": 4}
    assert calls == [4]


# Invariants


@settings(max_examples=150, deadline=None)
@given(
    events=st.lists(st.sampled_from("abcd"), min_size=1, max_size=30),
    answers=st.lists(st.sampled_from([200, 200, 503, 500, 0, -1, 429, 400]), max_size=40),
    run_for=st.sampled_from([0.0, 5.0, 1e9]),
    tries=st.sampled_from([1, 3, 1_000]),
    threads=st.sampled_from([0, 1, 3]),
    max_size=st.sampled_from([1, 2, 5]),
    processes=st.just(1),
)
def test_whatever_fails_each_key_keeps_its_order_and_every_row_has_one_outcome(
    tmp_path_factory: pytest.TempPathFactory,
    events: list[str],
    answers: list[int],
    run_for: float,
    tries: int,
    threads: int,
    max_size: int,
    processes: int,
) -> None:
    """Nothing is accepted twice, as nothing is done by a call that fails here."""
    texts = [(room, str(number)) for number, room in enumerate(events)]
    bench = Bench(tmp_path_factory.mktemp("any"), texts, max_size=max_size)
    partner = Rooms(lambda _room, _texts: answers.pop() if answers else 200)
    patience = Patience(tries=tries, total=0 if tries < 1_000 else 1e9, run_for=run_for)
    for _ in range(60):
        if bench.run(partner, patience, threads=threads, processes=processes).finished:
            break
    rows = {row["line"]: row["outcome"] for row in rows_of(bench.outcomes)}
    assert len(rows_of(bench.outcomes)) == len(texts)
    failed = {str(line - 1) for line, outcome in rows.items() if outcome == "failed"}
    wanted: dict[str, list[str]] = defaultdict(list)
    for room, text in texts:
        if text not in failed:
            wanted[room].append(text)
    assert {room: taken for room, taken in partner.taken.items() if taken} == wanted


@settings(max_examples=100, deadline=None)
@given(
    events=st.lists(st.sampled_from(["a", "b", "a", "b", DELETE]), min_size=2, max_size=16),
    answers=st.lists(st.sampled_from([200, 200, 503, 500, 0, -1, 429, 400]), max_size=30),
    run_for=st.sampled_from([0.0, 5.0, 1e9]),
    tries=st.sampled_from([1, 3, 1_000]),
    threads=st.sampled_from([0, 1, 3]),
)
def test_whatever_fails_nothing_passes_a_deletion(
    tmp_path_factory: pytest.TempPathFactory,
    events: list[str],
    answers: list[int],
    run_for: float,
    tries: int,
    threads: int,
) -> None:
    bench = Bench(tmp_path_factory.mktemp("any"), [])
    bench.hooks["delete_users"] = lambda client, requests: client.post(
        "https://partner.test/", json=[DELETE, [one.user_id for one in requests]]
    )
    write(bench.events, [
        {"type": "delete", "userId": str(at)} if room == DELETE else said(str(at), room)
        for at, room in enumerate(events)
    ])  # fmt: skip
    partner = Rooms(lambda _room, _texts: answers.pop() if answers else 200)
    patience = Patience(tries=tries, total=0 if tries < 1_000 else 1e9, run_for=run_for)
    for _ in range(60):
        if bench.run(partner, patience, threads=threads).finished:
            break
    changes = [one == DELETE for one in events]
    stage = [sum(map(ne, changes[:at], changes[1 : at + 1])) for at in range(len(events))]
    called = [stage[int(text)] for _, texts, _ in partner.calls for text in texts]
    assert called == sorted(called)
    assert len(rows_of(bench.outcomes)) == len(events)


@settings(max_examples=25, deadline=None)
@given(
    events=st.lists(st.sampled_from("abc"), min_size=1, max_size=20),
    answers=st.lists(st.sampled_from([200, 200, 503, 0, 429]), max_size=20),
    threads=st.sampled_from([0, 2]),
)
def test_a_stream_keeps_the_order_of_each_key(
    events: list[str], answers: list[int], threads: int
) -> None:
    texts = [(room, str(number)) for number, room in enumerate(events)]
    lines = b"".join(json.dumps(said(text, room)).encode() + b"\n" for room, text in texts)
    partner = Rooms(lambda _room, _texts: answers.pop() if answers else 200)
    with (
        connect(
            plugin(action(), perform_batch=perform_batch),
            {"key": SECRET},
            [Subscription(action="send", name="Send")],
            transport=partner,
            retry=Retry.never(),
            clock=FakeClock(),
        ) as connection,
        EventFile(io.BytesIO(lines)) as source,
    ):
        assert run_file(connection, source, patience=FOREVER, threads=threads).finished
    wanted: dict[str, list[str]] = defaultdict(list)
    for room, text in texts:
        wanted[room].append(text)
    assert partner.taken == wanted


@pytest.mark.parametrize("threads", [0, 2])
def test_without_a_checkpoint_what_is_left_has_an_outcome_too(tmp_path: Path, threads: int) -> None:
    """No later run writes one."""
    events = [("good", "a"), ("bad", "b"), ("bad", "c"), ("good", "d")]
    bench = Bench(tmp_path, events)
    partner = Rooms(lambda room, _: 503 if room == "bad" else 200)
    summary = bench.run(partner, Patience(run_for=5), checkpoint=None, threads=threads)
    assert (summary.stopped, summary.unsettled, summary.settled) == ("unavailable", 2, 1)
    assert bench.outcome_of() == once([1, 4]) + once([2, 3], "waiting")
    messages = {row.get("message") for row in rows_of(bench.outcomes) if row["line"] in {2, 3}}
    assert messages == {"`POST partner.test/` answered 503 Service Unavailable."}


def test_with_a_checkpoint_the_next_run_writes_the_outcome(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [("good", "a"), ("bad", "b")])
    bench.run(Rooms(lambda room, _: 503 if room == "bad" else 200), Patience())
    assert bench.outcome_of() == once([1])
    bench.run(Rooms(), Patience())
    assert bench.outcome_of() == once([1, 2])


def test_an_interrupted_run_without_a_checkpoint_says_what_was_not_sent(tmp_path: Path) -> None:
    bench, asked = Bench(tmp_path, [("x", "a"), ("x", "b"), ("y", "c")], max_size=1), []

    def reply(_room: str, texts: list[str]) -> int:
        asked.extend(texts)
        return 200

    bench.run(Rooms(reply), Patience(), checkpoint=None, stopping=lambda: bool(asked))
    assert bench.outcome_of() == once([1]) + once([2, 3], "waiting")
    assert {row.get("message") for row in rows_of(bench.outcomes)[1:]} == {
        "The run was interrupted."
    }
