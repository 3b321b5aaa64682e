"""Whole deliveries: events in, requests out, one result for each event."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from destinations.criteo_audiences.actions import NO_AUDIENCE_KEY
from destinations.criteo_audiences.sandbox import CriteoSandbox
from framework import DELIVERED, Failed, Skipped, Subscription
from framework.sandbox import Fault, FrozenClock
from tests.destinations.criteo_audiences.conftest import Connect, Time, Wire, connection

ADA, BOB = "ada@example.com", "bob@example.com"
ADD, REMOVE = "addUserToAudience", "removeUserFromAudience"
SUPERSEDED = Skipped("SUPERSEDED", "A later event about the same identifier was sent instead.")


def event(name: str, email: str | None, audience: str | None = "spring") -> dict[str, Any]:
    traits = {} if email is None else {"email": email}
    properties = {} if audience is None else {"audience_key": audience}
    return {
        "type": "track",
        "event": f"Audience {name}",
        "properties": properties,
        "context": {"traits": traits},
    }


def entered(email: str | None, audience: str | None = "spring") -> dict[str, Any]:
    return event("Entered", email, audience)


def exited(email: str | None, audience: str | None = "spring") -> dict[str, Any]:
    return event("Exited", email, audience)


def results(connected: Connect, events: list[Any], *subscriptions: Subscription) -> list[Any]:
    """Deliver, and return each event's result in the subscription that matched."""
    report = connected(*subscriptions).deliver(events)
    return [item.result for item in report.items if item.matched]


def test_every_audience_goes_to_its_own_list(
    connected: Connect, criteo: CriteoSandbox, wire: Wire
) -> None:
    events = [entered(ADA, "spring"), entered(BOB, "summer"), entered(BOB, "spring")]
    assert results(connected, events) == [DELIVERED] * 3
    assert wire.sent == [("add", [ADA, BOB]), ("add", [BOB])]
    assert criteo.members("spring") == {ADA, BOB}
    assert criteo.members("summer") == {BOB}


def test_the_last_event_about_a_user_wins(
    connected: Connect, criteo: CriteoSandbox, wire: Wire
) -> None:
    criteo.add_segment("spring", members={ADA, BOB})
    events = [entered(ADA), exited(BOB), exited(" ADA@example.com"), entered(BOB)]
    assert results(connected, events) == [SUPERSEDED, SUPERSEDED, DELIVERED, DELIVERED]
    assert sorted(wire.sent) == [("add", [BOB]), ("remove", [ADA])]
    assert criteo.members("spring") == {BOB}


def test_of_repeated_events_the_last_is_sent(connected: Connect, wire: Wire) -> None:
    events = [entered(ADA), entered(ADA.upper()), entered(f" {ADA}")]
    assert results(connected, events) == [SUPERSEDED, SUPERSEDED, DELIVERED]
    assert wire.sent == [("add", [ADA])]


def test_every_event_has_its_own_outcome(connected: Connect, wire: Wire) -> None:
    events = [entered(ADA), entered(None), entered("  "), entered("ada"), entered(BOB)]
    found = results(connected, events)
    assert [found[0], found[4]] == [DELIVERED, DELIVERED]
    codes = [one.code for one in found[1:4]]
    assert codes == ["PAYLOAD_VALIDATION_FAILED", "NO_IDENTIFIER", "MALFORMED_IDENTIFIER"]
    assert found[1].message == (
        "Field `email` of action `addUserToAudience` is required "
        'when `identifier_type` is "email"; '
        "its mapping `$.context.traits.email` found nothing in the event."
    )
    assert wire.sent == [("add", [ADA, BOB])]


def test_an_event_without_an_audience_joins_no_other(connected: Connect, wire: Wire) -> None:
    found = results(connected, [entered(BOB, None), entered(ADA), entered(BOB, "")])
    assert [type(one) for one in found] == [Failed, type(DELIVERED), Failed]
    assert found[0].message == (
        "Field `audience_key` of action `addUserToAudience` is required "
        "when `contact_list_id` has no value; "
        "its mapping `$.properties.audience_key` found nothing in the event."
    )
    assert wire.sent == [("add", [ADA])]


def test_an_audience_key_of_null_is_no_call(connected: Connect, wire: Wire) -> None:
    without = entered(BOB)
    without["properties"]["audience_key"] = None
    found = results(connected, [without, without])
    assert found == [SUPERSEDED, NO_AUDIENCE_KEY]
    assert found[1].message == (
        "Field `audience_key` is empty. Give an audience key or a `contact_list_id`."
    )
    assert wire.requests == []


def test_nobody_to_send_is_no_call(connected: Connect, wire: Wire) -> None:
    found = results(connected, [entered("nobody"), exited(None)])
    assert [type(one) for one in found] == [Failed, Failed]
    assert wire.requests == []


def test_two_forms_travel_side_by_side(connected: Connect, criteo: CriteoSandbox) -> None:
    """An old form and SHA-256 in parallel: two subscriptions to the same action."""
    forms = [
        Subscription(action=action, mapping={"email_form": form})
        for form in ("md5", "sha256")
        for action in (ADD, REMOVE)
    ]
    events = [entered("Ada.Lovelace@example.com "), entered(BOB), exited(BOB)]
    found = results(connected, events, *forms)
    assert found == [DELIVERED, DELIVERED, SUPERSEDED, SUPERSEDED, DELIVERED, DELIVERED]
    assert criteo.members("spring") == {
        "2b9150605ac374d671a306b5fcee60a0",
        "e814ff3dc480a94c7ce9334062ec4733c75a002f4bcec0197f62ffea64059e2f",
    }


def test_hash_emails_means_sha_256(connected: Connect, wire: Wire) -> None:
    hashing = Subscription(action=ADD, mapping={"hash_emails": True})
    assert results(connected, [entered("Ada.Lovelace@example.com")], hashing) == [DELIVERED]
    assert wire.sent == [
        ("add", ["e814ff3dc480a94c7ce9334062ec4733c75a002f4bcec0197f62ffea64059e2f"])
    ]


def test_an_email_form_decides_instead_of_hash_emails(connected: Connect, wire: Wire) -> None:
    chosen = Subscription(action=ADD, mapping={"hash_emails": True, "email_form": "plain"})
    results(connected, [entered(ADA)], chosen)
    assert wire.sent == [("add", [ADA])]


def test_batching_can_be_switched_off(connected: Connect, wire: Wire) -> None:
    alone = Subscription(action=ADD, mapping={"enable_batching": False})
    assert results(connected, [entered(ADA), entered(BOB)], alone) == [DELIVERED, DELIVERED]
    assert wire.sent == [("add", [ADA]), ("add", [BOB])]


def test_a_gum_id_needs_its_caller(connected: Connect, wire: Wire) -> None:
    mapping = {"identifier_type": "gum", "identifier": "k-1"}
    (found,) = results(connected, [entered(None)], Subscription(action=ADD, mapping=mapping))
    assert isinstance(found, Failed)
    assert "`gum_caller_id`" in found.message
    mapping = {**mapping, "gum_caller_id": 42}  # type: ignore[dict-item]  # JSON values
    assert results(connected, [entered(None)], Subscription(action=ADD, mapping=mapping)) == [
        DELIVERED
    ]
    assert wire.amendments[-1]["gumCallerId"] == 42


@pytest.mark.parametrize("kind", ["unavailable", "server-error", "drop-before", "html-gateway"])
@pytest.mark.parametrize("route", ["token", "search", "amend"])
def test_faults_that_pass_are_tried_again(
    connected: Connect, criteo: CriteoSandbox, kind: str, route: str
) -> None:
    criteo.inject(Fault(kind, route, times=2))
    assert results(connected, [entered(ADA)]) == [DELIVERED]
    assert criteo.members("spring") == {ADA}


def test_calls_keep_to_the_rate(
    connected: Connect, criteo: CriteoSandbox, time: Time, wire: Wire
) -> None:
    """Requests are paced before Criteo throttles: no more than 250 in any minute."""
    alone = Subscription(action=ADD, mapping={"enable_batching": False})
    people = [entered(f"user.{number}@example.com") for number in range(600)]
    assert set(results(connected, people, alone)) == {DELIVERED}
    moments = [call.at for call in criteo.requests]
    crowd = max(sum(start <= at < start + 60 for at in moments) for start in moments)
    assert crowd <= 250
    assert {call.status for call in criteo.requests} == {200}
    assert 120 <= sum(time.slept) <= 180
    assert len(wire.calls) == 602


def test_many_users_travel_in_few_calls(
    connected: Connect, criteo: CriteoSandbox, wire: Wire
) -> None:
    criteo.add_segment("spring")
    sender = connected().stream()
    people = (entered(f"User.{number}@example.com") for number in range(51_000))
    completions = itertools.chain(*sender.add(enumerate(people)), *sender.flush())
    delivered = [len(one.positions) for one in completions if one.result is DELIVERED]
    assert sum(delivered) == 51_000
    assert [len(identifiers) for _, identifiers in wire.sent] == [50_000, 1_000]
    assert (wire.tokens, len(wire.calls)) == (1, 3)
    assert len(criteo.members("spring")) == 51_000


PEOPLE = st.sampled_from([ADA, BOB, " Ada@Example.com", "eve@example.com", "nobody", None])
EVENTS = st.lists(st.tuples(st.sampled_from(["Entered", "Exited"]), PEOPLE, st.sampled_from("xy")))
MODES = st.sampled_from([{}, {"enable_batching": False}, {"batch_size": 2}])


@given(events=EVENTS, mapping=MODES)
@settings(max_examples=60, deadline=None)
def test_whatever_the_batches_the_last_event_decides(
    events: list[tuple[str, str | None, str]], mapping: dict[str, Any]
) -> None:
    """The members of a list do not depend on how events are split into requests."""
    clock = FrozenClock()
    criteo = CriteoSandbox(clock=clock)
    expected: dict[str, set[str]] = {"x": set(), "y": set()}
    for name in expected:
        criteo.add_segment(name)
    for change, email, audience in events:
        if email not in {None, "nobody"}:
            user = str(email).strip().lower()
            (set.add if change == "Entered" else set.discard)(expected[audience], user)
    with connection(
        criteo,
        Wire(criteo),
        Time(clock),
        *(Subscription(action=action, mapping=mapping) for action in (ADD, REMOVE)),
    ) as opened:
        opened.deliver([event(*one) for one in events])
    assert {name: criteo.members(name) for name in expected} == expected


def test_saved_configurations_of_the_reference_load_unchanged(
    connected: Connect, criteo: CriteoSandbox, wire: Wire
) -> None:
    mapping = {
        "audience_key": {"@path": "$.properties.audience_key"},
        "event": {"@path": "$.event"},
        "email": {"@path": "$.context.traits.email"},
        "hash_emails": False,
        "enable_batching": True,
    }
    saved = [
        Subscription(action=ADD, mapping=mapping),
        Subscription(action=REMOVE, mapping=mapping),
    ]
    criteo.add_segment("spring")
    assert results(connected, [entered(ADA), exited(BOB)], *saved) == [DELIVERED, DELIVERED]
    assert wire.sent == [("add", [ADA]), ("remove", [BOB])]
