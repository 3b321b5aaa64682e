"""A report as data: its JSON keeps to the published schema, and its counts add up."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import httpx
import jsonschema
import pytest

from framework.definition import Subscription
from framework.delivery import Report, ReportItem
from framework.delivery.report import count
from framework.plugins import Registry
from framework.results import DELIVERED, Delivered, Failed, Result, Skipped
from framework.schemas import schema_files
from tests.framework.delivery.bench import SECRET, URL, Message, Partner, connected, plugin, said

SCHEMA = schema_files(Registry({}))["report.schema.json"]


def delivered() -> Report:
    """Give a report with every kind of result, a refusal and a request without an answer."""

    def perform(client: httpx.Client, payload: Message) -> httpx.Response:
        return client.post(URL, json={"text": payload.text})

    partner = Partner(
        httpx.Response(201, json={"id": 7}),
        httpx.Response(409, text="taken"),
        httpx.ConnectError("down"),
    )
    subscription = Subscription(action="send", name="Send", mapping={"enable_batching": False})
    events = [said("a", messageId="m1"), said("b"), said("c"), {"type": "page"}, said([], "r")]
    with connected(plugin(perform=perform), subscription, partner=partner) as connection:
        return connection.deliver(events)


def test_the_json_of_a_report_keeps_to_its_schema() -> None:
    document = delivered().to_json()
    assert json.loads(json.dumps(document)) == document
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    assert SECRET not in json.dumps(document)
    assert [item["result"]["outcome"] for item in document["items"]] == [
        "delivered",
        "failed",
        "failed",
        "skipped",
        "failed",
    ]
    assert [batch["exchanges"][0]["response"] is None for batch in document["batches"]] == [
        False,
        False,
        True,
    ]


def test_the_json_of_an_item_tells_its_stages_without_the_event() -> None:
    first = delivered().to_json()["items"][0]
    assert first == {
        "position": 0,
        "messageId": "m1",
        "subscription": "Send",
        "action": "send",
        "matched": True,
        "mapped": {"text": "a", "enable_batching": False},
        "payload": {"text": "a"},
        "batch": 0,
        "result": {"outcome": "delivered", "status": 201, "body": {"id": 7}},
    }


def test_an_item_without_a_result_waits() -> None:
    item = ReportItem(0, "Send", "send", said())
    document = Report("partner", (item,), ()).to_json()
    assert document["items"][0]["result"] == {"outcome": "waiting"}
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    assert Report("partner", (item,), ()).counts() == Counter()


def test_results_are_counted_by_subscription_and_kind() -> None:
    assert delivered().counts() == {
        ("Send", "delivered"): 1,
        ("Send", "failed"): 3,
        ("Send", "skipped"): 1,
    }
    pairs: list[tuple[str, Result]] = [("a", DELIVERED), ("b", DELIVERED), ("a", Delivered(201))]
    assert count(pairs) == {("a", "delivered"): 2, ("b", "delivered"): 1}


@pytest.mark.parametrize(
    ("result", "document"),
    [
        (DELIVERED, {"outcome": "delivered", "status": 200}),
        (Delivered(202, "ok"), {"outcome": "delivered", "status": 202, "body": "ok"}),
        (
            Skipped("KNOWN", "It is known."),
            {"outcome": "skipped", "code": "KNOWN", "message": "It is known."},
        ),
        (
            Failed(503, "BUSY", "Later.", "partner", body={"why": 1}),
            {
                "outcome": "failed",
                "status": 503,
                "code": "BUSY",
                "message": "Later.",
                "reporter": "partner",
                "retryable": True,
                "body": {"why": 1},
            },
        ),
        (
            Failed(400, "BAD", "One. Two.", problems=("One.", "Two.")),
            {
                "outcome": "failed",
                "status": 400,
                "code": "BAD",
                "message": "One. Two.",
                "reporter": "framework",
                "retryable": False,
                "problems": ["One.", "Two."],
            },
        ),
    ],
)
def test_the_json_of_a_result(result: Result, document: dict[str, Any]) -> None:
    assert result.to_json() == document


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "BAD_REQUEST"),
        (401, "UNAUTHORIZED"),
        (413, "PAYLOAD_TOO_LARGE"),
        (414, "URI_TOO_LONG"),
        (416, "RANGE_NOT_SATISFIABLE"),
        (422, "UNPROCESSABLE_ENTITY"),
        (429, "TOO_MANY_REQUESTS"),
        (499, "CANCELLED"),
        (306, "SWITCH_PROXY"),
        (509, "BANDWIDTH_LIMIT_EXCEEDED"),
        (529, "SITE_IS_OVERLOADED"),
        (599, "UNKNOWN_ERROR"),
    ],
)
def test_a_failure_without_a_code_has_that_of_its_status(status: int, code: str) -> None:
    """The codes are the reference's; who answered with a body is the one who refused."""
    assert Failed.by_status(status, "No.") == Failed(status, code, "No.", "framework")
    assert Failed.by_status(status, "No.", "OWN", body={}) == Failed(
        status, "OWN", "No.", "partner", body={}
    )


def test_results_can_be_gathered_in_sets_whatever_was_answered() -> None:
    assert len({Delivered(200, {"id": 1}), Delivered(200, {"id": 1}), Failed(1, "A", "B")}) == 2
