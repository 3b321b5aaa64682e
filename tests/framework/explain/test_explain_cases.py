"""Mapping tests report exactly the differences between expected and actual results."""

from __future__ import annotations

import json
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
RESULT = json.dumps({"payload": PAYLOAD})


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
            ('expect[0]["Add users to Audience"].outcome: expected "failed", got "delivered"',),
        ),
        (
            [{"Add users to Audience": {"payload": {**PAYLOAD, "hash_emails": 0}}}],
            ('expect[0]["Add users to Audience"].payload.hash_emails: expected 0, got false',),
        ),
        (
            [{"Add users to Audience": {"includes": {"email": "x", "event": "Audience Entered"}}}],
            (('expect[0]["Add users to Audience"].payload.email: expected "x", '
              'got "ada@example.com"'),),
        ),
        (
            [{"Add users to Audience": {"includes": {"phone": "x", "email": {"a": 1}}}}],
            ('expect[0]["Add users to Audience"].payload.phone: expected "x", got nothing',
             ('expect[0]["Add users to Audience"].payload.email: expected {"a": 1}, '
              'got "ada@example.com"')),
        ),
        (
            [{"Add users to Audience": {"outcome": "skipped", "code": "UNCHANGED"}}],
            ('expect[0]["Add users to Audience"].outcome: expected "skipped", got "delivered"',
             'expect[0]["Add users to Audience"].code: expected "UNCHANGED", got nothing'),
        ),
        (
            [{"Other": {}}],
            ("expect[0].Other: expected {}, got nothing",
             f'expect[0]["Add users to Audience"]: expected nothing, got {RESULT}'),
        ),
    ],
)  # fmt: skip
def test_a_difference_names_its_place(expect: Any, differences: tuple[str, ...]) -> None:
    assert differences == run(expect).differences


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        None,
        {"outcome": "delivered"},
        {"includes": {"email": "ada@example.com"}},
        {"includes": {}, "outcome": "delivered"},
    ],
)
def test_what_is_not_named_may_be_anything(wanted: Any) -> None:
    """The outcome is `delivered` unless it is named."""
    assert run([{"Add users to Audience": wanted}]).differences == ()


def test_parts_of_the_body_of_a_request_may_be_expected() -> None:
    """And requests alone, without results."""
    attributes = {"data": {"attributes": {"identifierType": "email"}}}
    calls = [{}, {}, {"method": "PATCH", "includes": attributes}]
    assert run(None, calls).differences == ()
    attributes["data"]["attributes"]["identifierType"] = "phone"
    (difference,) = run(None, calls).differences
    assert difference == (
        'calls[2].body.data.attributes.identifierType: expected "phone", got "email"'
    )


def test_actual_results_have_the_form_of_the_expected_ones() -> None:
    """So an update of a test names no more than the test did."""
    names = {"includes": {"email": "old", "event": "old", "gone": "old"}}
    assert run([{"Add users to Audience": names}]).expect == [
        {"Add users to Audience": {"includes": {"email": PAYLOAD["email"],
                                                "event": PAYLOAD["event"]}}}
    ]  # fmt: skip
    assert run([{"Add users to Audience": {"outcome": "failed"}}]).expect == [
        {"Add users to Audience": {"outcome": "delivered"}}
    ]
    wholes: list[Any] = [[], [{"Add users to Audience": {"payload": {}}}]]
    for whole in wholes:
        assert run(whole).expect == [{"Add users to Audience": {"payload": PAYLOAD}}]


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
