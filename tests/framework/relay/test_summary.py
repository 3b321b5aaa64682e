"""Results are counted by kind, within limits, and summed up for people and machines."""

from __future__ import annotations

from framework.relay.summary import MAX_REASONS, OTHER_REASONS, Kind, Rejection, Summary, Tally
from framework.results import DELIVERED, Failed, Skipped, Unconfirmed


def test_results_are_counted_by_subscription_outcome_code_and_reason() -> None:
    tally = Tally()
    for result in (DELIVERED, DELIVERED, Failed(400, "BAD", "It is bad."), Skipped("NO", "Why.")):
        tally.add("Add", result)
    tally.add("Add", Unconfirmed("SOME", "Perhaps."), 5)
    assert tally.counts == {
        Kind("Add", "delivered"): 2,
        Kind("Add", "failed", "BAD", "It is bad."): 1,
        Kind("Add", "skipped", "NO", "Why."): 1,
        Kind("Add", "unconfirmed", "SOME", "Perhaps."): 5,
    }


def test_a_tally_continues_from_its_own_rows() -> None:
    tally = Tally()
    tally.add("Add", DELIVERED)
    tally.add("Add", Failed(400, "BAD", "It is bad."))
    again = Tally(list(tally.rows()), {"GET /": 3}, 2)
    again.add("Add", DELIVERED)
    assert again.counts == {
        Kind("Add", "delivered"): 2,
        Kind("Add", "failed", "BAD", "It is bad."): 1,
    }
    assert (again.calls, again.rejected) == ({"GET /": 3}, 2)


def test_reasons_beyond_counting_are_counted_together() -> None:
    """Every result is counted, though memory does not grow with the number of reasons."""
    tally = Tally()
    for number in range(MAX_REASONS + 50):
        tally.add("Add", Failed(400, "BAD", f"Got {number}."))
        tally.add("Add", Failed(400, "BAD", "Got 0."))
    assert len(tally.counts) == MAX_REASONS + 1
    assert tally.counts[Kind("Add", "failed", "BAD", OTHER_REASONS)] == 50
    assert tally.counts[Kind("Add", "failed", "BAD", "Got 0.")] == MAX_REASONS + 51


def test_a_summary_has_a_json_form() -> None:
    summary = Summary(
        {Kind("Add", "delivered"): 2, Kind("Add", "failed", "BAD", "It is bad."): 1},
        lines=4,
        rejected=1,
        rejections=[Rejection(3, "It is no event.")],
        unpacked={"a Kafka record": 2},
        calls={"PATCH /audiences/{id}": 1},
        seconds=1.23456,
        finished=False,
        stopped="unavailable",
        message="No answer.",
        resumed=2,
    )
    assert summary.to_json() == {
        "finished": False,
        "stopped": "unavailable",
        "message": "No answer.",
        "lines": 4,
        "resumed": 2,
        "rejected": 1,
        "rejections": [{"line": 3, "reason": "It is no event."}],
        "unpacked": {"a Kafka record": 2},
        "seconds": 1.235,
        "outcomes": {"delivered": 2, "failed": 1},
        "counts": [
            {"subscription": "Add", "outcome": "delivered", "code": "", "reason": "", "count": 2},
            {
                "subscription": "Add",
                "outcome": "failed",
                "code": "BAD",
                "reason": "It is bad.",
                "count": 1,
            },
        ],
        "calls": {"PATCH /audiences/{id}": 1},
        "thisRun": {
            "lines": 2,
            "rejected": 1,
            "outcomes": {"delivered": 2, "failed": 1},
            "counts": summary.to_json()["counts"],
            "calls": {"PATCH /audiences/{id}": 1},
        },
    }


def test_a_summary_tells_what_this_run_did_alone() -> None:
    bad, good = Kind("Add", "failed", "BAD", "It is bad."), Kind("Add", "delivered")
    summary = Summary(
        {bad: 3, good: 7},
        lines=12,
        rejected=2,
        calls={"GET /": 1, "PATCH /": 4},
        resumed=8,
        earlier={bad: 3, good: 3},
        earlier_rejected=2,
        earlier_calls={"GET /": 1, "PATCH /": 3},
    )
    assert summary.to_json()["thisRun"] == {
        "lines": 4,
        "rejected": 0,
        "outcomes": {"delivered": 4},
        "counts": [
            {"subscription": "Add", "outcome": "delivered", "code": "", "reason": "", "count": 4}
        ],
        "calls": {"PATCH /": 1},
    }
