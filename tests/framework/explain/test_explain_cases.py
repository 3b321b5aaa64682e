"""Mapping tests report exactly the differences between expected and actual results."""

from __future__ import annotations

from typing import Any

import pytest

import destinations.criteo_audiences
from framework.config import Case, DocumentNode, Spot
from framework.definition import starting_subscriptions
from framework.explain import CaseResult, run_case
from framework.plugins import open_plugin

PLUGIN = open_plugin(destinations.criteo_audiences)
SETTINGS = {"client_id": "a", "client_secret": "hidden-secret", "advertiser_id": "1"}
EVENT = {
    "type": "track",
    "event": "Audience Entered",
    "properties": {"audience_key": "spring"},
    "context": {"traits": {"email": "ada@example.com"}},
}
PAYLOAD = {
    "audience_key": "spring",
    "event": "Audience Entered",
    "email": "ada@example.com",
    "hash_emails": False,
    "enable_batching": True,
    "identifier_type": "email",
}


def run(expect: Any, calls: Any = None) -> CaseResult:
    case = Case("case", [EVENT], expect, calls, DocumentNode(Spot(), {}, {}))
    return run_case(PLUGIN, SETTINGS, starting_subscriptions(PLUGIN.definition), case)


def test_expected_results_have_no_differences() -> None:
    result = run([{"Add users to Audience": {"payload": PAYLOAD}}])

    assert result.differences == ()
    assert result.expect == [{"Add users to Audience": {"payload": PAYLOAD}}]


@pytest.mark.parametrize(
    ("expect", "differences"),
    [
        (
            [{"Add users to Audience": {"payload": {**PAYLOAD, "email": "bob@example.com"}}}],
            (('expect[0]["Add users to Audience"].payload.email: expected "bob@example.com", '
             'got "ada@example.com"'),),
        ),
        (
            [{"Add users to Audience": {"payload": PAYLOAD, "outcome": "failed"}}],
            ('expect[0]["Add users to Audience"].outcome: expected "failed", got nothing',),
        ),
        (
            [{"Add users to Audience": {"payload": {**PAYLOAD, "hash_emails": 0}}}],
            ('expect[0]["Add users to Audience"].payload.hash_emails: expected 0, got false',),
        ),
    ],
)  # fmt: skip
def test_a_difference_names_its_place(expect: Any, differences: tuple[str, ...]) -> None:
    assert differences == run(expect).differences


def test_calls_are_compared_in_order_by_the_given_keys() -> None:
    """An expected call may name only its method; a missing one is reported."""
    expect = [{"Add users to Audience": {"payload": PAYLOAD}}]
    named = [{"method": "POST"}, {"method": "POST"}, {"method": "PATCH"}]

    assert run(expect, named).differences == ()
    (difference,) = run(expect, [*named, {"method": "DELETE"}]).differences
    assert difference == 'calls[3]: expected {"method": "DELETE"}, got nothing'


def test_a_deletion_is_expected_by_its_name() -> None:
    """Like a subscription, with its outcome."""
    case = Case.of("deletion", [{"type": "delete", "userId": "u7"}])
    result = run_case(PLUGIN, SETTINGS, (), case)
    assert result.expect == [
        {"(deletions)": {"outcome": "failed", "code": "DELETION_NOT_SUPPORTED"}}
    ]


def test_calls_contain_bodies_and_no_secrets() -> None:
    result = run([], [])

    assert [call["method"] for call in result.calls] == ["POST", "POST", "PATCH"]
    assert result.calls[2]["body"]["data"]["attributes"]["identifiers"] == ["ada@example.com"]
    assert "hidden-secret" not in str(result)
