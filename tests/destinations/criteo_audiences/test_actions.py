"""Batches for Criteo: the requests they cause, and the result of each event."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from destinations.criteo_audiences.actions import ADD, REMOVE, Membership
from destinations.criteo_audiences.api import Amendment
from destinations.criteo_audiences.sandbox import App, CriteoOptions, CriteoSandbox
from framework import DELIVERED, Failed, IntegrationError, RetryableError, Skipped
from framework.sandbox import Fault, FrozenClock

if TYPE_CHECKING:
    from tests.destinations.criteo_audiences.conftest import Bench

ADA, BOB, EVE = "ada@example.com", "bob@example.com", "eve@example.com"
MD5 = "2b9150605ac374d671a306b5fcee60a0"
SHA256 = "e814ff3dc480a94c7ce9334062ec4733c75a002f4bcec0197f62ffea64059e2f"
SEARCH = "POST search?limit=100&offset=0"
CREATE = "POST create"


def amend(number: int) -> str:
    return f"PATCH {number}/contact-list"


def configure(bench: Bench, **chosen: object) -> None:
    bench.criteo.options = CriteoOptions(**chosen)  # type: ignore[arg-type]  # one name and value each
    bench.criteo.reset()


def delete(bench: Bench, number: int) -> None:
    del bench.criteo._state.segments[str(number)]


def test_the_first_batch_finds_no_list_creates_it_and_adds(bench: Bench) -> None:
    assert bench.perform(ADD, ADA, BOB) == [DELIVERED, DELIVERED]
    assert bench.wire.calls == [SEARCH, CREATE, amend(70001)]
    assert bench.wire.sent == [("add", [ADA, BOB])]
    assert bench.criteo.members("spring") == {ADA, BOB}


def test_the_next_batches_cost_one_call_each(bench: Bench) -> None:
    """Token and list ID are cached."""
    bench.perform(ADD, ADA)
    bench.perform(REMOVE, ADA)
    bench.perform(ADD, BOB)
    assert bench.wire.calls[2:] == [amend(70001)] * 3
    assert bench.wire.sent == [("add", [ADA]), ("remove", [ADA]), ("add", [BOB])]
    assert bench.wire.tokens == 1
    assert bench.criteo.members("spring") == {BOB}


def test_an_existing_list_is_found_by_its_exact_name(bench: Bench) -> None:
    for name in ("Spring", "spring ", "spring", "springtime"):
        bench.criteo.add_segment(name)
    bench.perform(ADD, ADA)
    assert bench.wire.calls == [SEARCH, amend(70003)]


def test_every_list_that_a_search_meets_is_remembered(bench: Bench) -> None:
    for name in ("summer", "spring", "autumn"):
        bench.criteo.add_segment(name)
    bench.perform(ADD, ADA)
    bench.perform(ADD, ADA, audience_key="summer")
    bench.perform(ADD, ADA, audience_key="autumn")
    assert bench.wire.calls == [SEARCH, amend(70002), amend(70001), amend(70003)]


def test_several_new_audiences_cost_one_listing(bench: Bench) -> None:
    """For a minute, a name missing from a complete listing is created without another listing."""
    for name in ("spring", "summer"):
        bench.perform(ADD, ADA, audience_key=name)
    bench.time.sleep(61)
    bench.perform(ADD, ADA, audience_key="autumn")
    once = [SEARCH, CREATE, amend(70001), CREATE, amend(70002)]
    assert bench.wire.calls == [*once, SEARCH, CREATE, amend(70003)]


def test_removals_look_for_their_audience_every_time(bench: Bench) -> None:
    """Another client may create the list meanwhile; only additions may assume it is missing."""
    bench.perform(REMOVE, ADA)
    bench.criteo.add_segment("spring")
    assert bench.perform(REMOVE, ADA) == [DELIVERED]
    assert bench.wire.calls == [SEARCH, SEARCH, amend(70001)]


def test_an_audience_that_appears_after_the_listing_is_found(bench: Bench) -> None:
    bench.perform(REMOVE, ADA)
    bench.criteo.add_segment("spring")
    assert bench.perform(ADD, ADA) == [DELIVERED]
    assert bench.wire.calls == [SEARCH, CREATE, SEARCH, amend(70001)]


def test_ids_are_looked_up_again_after_an_hour(bench: Bench) -> None:
    bench.perform(ADD, ADA)
    bench.time.sleep(3_601)
    bench.perform(ADD, BOB)
    assert bench.wire.calls == [SEARCH, CREATE, amend(70001), SEARCH, amend(70001)]


def test_a_search_stops_at_the_page_with_the_name(bench: Bench) -> None:
    for number in range(250):
        bench.criteo.add_segment("spring" if number == 150 else f"other {number}")
    bench.perform(ADD, ADA)
    assert bench.wire.calls == [SEARCH, "POST search?limit=100&offset=100", amend(70151)]


@pytest.mark.parametrize("place", [0, 120, 249])
def test_a_list_is_found_whatever_order_the_pages_have(bench: Bench, place: int) -> None:
    configure(bench, search_order="changing")
    for number in range(250):
        bench.criteo.add_segment("spring" if number == place else f"other {number}")
    assert bench.perform(REMOVE, ADA) == [DELIVERED]
    assert bench.wire.calls[-1] == amend(70001 + place)


def test_a_configured_list_needs_neither_search_nor_creation(bench: Bench) -> None:
    bench.criteo.add_segment("whatever it is called")
    bench.perform(ADD, ADA, contact_list_id="70001", audience_key=None)
    assert bench.wire.calls == [amend(70001)]


def test_removing_from_an_audience_that_does_not_exist_sends_nothing(bench: Bench) -> None:
    skipped = Skipped(
        "NO_AUDIENCE", 'The audience "spring" does not exist at Criteo, so the user is not removed.'
    )
    assert bench.perform(REMOVE, ADA, BOB) == [skipped, skipped]
    assert bench.wire.calls == [SEARCH]


def test_a_read_only_list_is_left_alone(bench: Bench) -> None:
    bench.criteo.add_segment("spring", read_only=True)
    for action in (ADD, REMOVE):
        with pytest.raises(IntegrationError) as caught:
            bench.perform(action, ADA)
        assert str(caught.value) == (
            'The audience "spring" is read-only at Criteo. '
            "Use another `audience_key`, or name a list in `contact_list_id`."
        )
        assert (caught.value.status, caught.value.code) == (403, "READ_ONLY_AUDIENCE")
    assert bench.wire.calls == [SEARCH, SEARCH]


@pytest.mark.parametrize("status", [403, 400])
def test_a_list_that_became_read_only_is_reported(bench: Bench, status: int) -> None:
    """Criteo's code is that of an unknown list; a search tells the two apart."""
    configure(bench, read_only_list=status)
    bench.perform(ADD, ADA)
    bench.criteo._state.segments["70001"].read_only = True
    with pytest.raises(IntegrationError, match="is read-only"):
        bench.perform(ADD, BOB)
    assert bench.wire.calls[3:] == [amend(70001), SEARCH]


@pytest.mark.parametrize("form", ["errors", "warnings", "status-400"])
def test_a_list_created_by_somebody_else_meanwhile_is_used(bench: Bench, form: str) -> None:
    """Criteo refuses the second creation in one of three forms; the list is searched again."""
    configure(bench, refused_items=form)
    create = bench.wire.handle_request

    def raced(request: object) -> object:
        if bench.wire.calls == [SEARCH]:
            bench.criteo.add_segment("spring")
        return create(request)  # type: ignore[arg-type]  # whatever httpx gives

    bench.wire.handle_request = raced  # type: ignore[method-assign,assignment]  # the race
    assert bench.perform(ADD, ADA) == [DELIVERED]
    assert bench.wire.calls == [SEARCH, CREATE, SEARCH, amend(70001)]


@pytest.mark.parametrize("form", ["errors", "warnings", "status-400"])
def test_a_name_taken_by_another_kind_of_segment_is_reported(bench: Bench, form: str) -> None:
    configure(bench, refused_items=form)
    bench.criteo.add_segment("spring", kind="Lookalike")
    with pytest.raises(IntegrationError) as caught:
        bench.perform(ADD, ADA)
    assert str(caught.value).endswith(
        " No contact list has exactly this name, so another kind of segment has it, "
        "or a segment whose name differs only in case. "
        "Use another `audience_key`, or name a list in `contact_list_id`."
    )
    assert "the name is taken (validation, trace ID 00000001) (name-must-be-unique)." in str(
        caught.value
    )
    assert (caught.value.status, caught.value.code) == (400, "name-must-be-unique")
    assert bench.wire.calls == [SEARCH, CREATE, SEARCH]


def test_a_name_that_differs_in_capitals_is_not_taken_for_the_same(bench: Bench) -> None:
    configure(bench, name_comparison="ignore-case")
    bench.criteo.add_segment("Spring")
    with pytest.raises(IntegrationError, match="a segment whose name differs only in case"):
        bench.perform(ADD, ADA)
    assert bench.criteo.members("Spring") == frozenset()


@pytest.mark.parametrize("kind", ["drop-after", "server-error", "unavailable", "html"])
def test_after_a_creation_of_unclear_outcome_the_list_is_searched_first(
    bench: Bench, kind: str
) -> None:
    bench.criteo.inject(Fault(kind, "create"))
    assert bench.perform(ADD, ADA) == [DELIVERED]
    happened = kind == "drop-after"
    again = [] if happened else [CREATE]
    assert bench.wire.calls == [SEARCH, CREATE, SEARCH, *again, amend(70001)]
    assert len(bench.criteo._state.segments) == 1


def test_a_creation_that_fails_twice_is_for_later(bench: Bench) -> None:
    bench.criteo.inject(Fault("unavailable", "create", times=9))
    with pytest.raises(RetryableError) as caught:
        bench.perform(ADD, ADA)
    assert caught.value.status == 503
    assert bench.wire.calls == [SEARCH, CREATE, SEARCH, CREATE]


def test_too_many_creations_wait_and_are_not_searched_for(bench: Bench) -> None:
    """A 429 has no effect; the client waits as long as Criteo asks and retries."""
    bench.criteo.inject(Fault("rate-limited", "create", seconds=7))
    assert bench.perform(ADD, ADA) == [DELIVERED]
    assert bench.wire.calls == [SEARCH, CREATE, CREATE, amend(70001)]
    assert 7 <= sum(bench.time.slept) <= 10


def test_creations_that_stay_limited_are_for_later(bench: Bench) -> None:
    bench.criteo.inject(Fault("rate-limited", "create", times=9, seconds=7))
    with pytest.raises(RetryableError) as caught:
        bench.perform(ADD, ADA)
    assert caught.value.status == 429
    assert caught.value.pause is not None
    assert bench.wire.calls == [SEARCH, CREATE, CREATE]


@pytest.mark.parametrize("status", [404, 403])
def test_a_list_that_is_gone_is_created_anew(bench: Bench, status: int) -> None:
    configure(bench, unknown_segment=status)
    bench.perform(ADD, ADA)
    delete(bench, 70001)
    assert bench.perform(ADD, BOB) == [DELIVERED]
    assert bench.wire.calls[3:] == [amend(70001), SEARCH, CREATE, amend(70002)]
    assert bench.criteo.members("spring") == {BOB}


def test_a_list_that_is_gone_is_not_created_to_remove_from_it(bench: Bench) -> None:
    bench.perform(ADD, ADA)
    delete(bench, 70001)
    assert isinstance(bench.perform(REMOVE, ADA)[0], Skipped)
    assert bench.wire.calls[3:] == [amend(70001), SEARCH]


def test_the_members_of_a_list_that_does_not_exist_are_forgotten(bench: Bench) -> None:
    bench.perform(REMOVE, ADA)
    assert bench.forgotten == 1
    bench.perform(ADD, ADA)
    assert bench.forgotten == 2
    bench.perform(ADD, BOB)
    bench.perform(REMOVE, BOB)
    assert bench.forgotten == 2
    delete(bench, 70001)
    bench.perform(REMOVE, ADA)
    assert bench.forgotten == 4  # by the refusal, and by the search


def test_the_members_of_a_list_are_forgotten_before_it_is_created(bench: Bench) -> None:
    """If it is unknown whether it was created, it may be found later."""
    bench.criteo.inject(Fault("server-error", "create", times=9))
    with pytest.raises(RetryableError):
        bench.perform(ADD, ADA)
    assert bench.forgotten == 1


def test_the_members_of_a_configured_list_that_is_gone_are_forgotten(bench: Bench) -> None:
    with pytest.raises(IntegrationError):
        bench.perform(ADD, ADA, contact_list_id="999")
    assert bench.forgotten == 1


def test_a_configured_list_that_is_gone_is_reported_with_the_trace_id(bench: Bench) -> None:
    with pytest.raises(IntegrationError) as caught:
        bench.perform(ADD, ADA, contact_list_id="999")
    assert str(caught.value) == (
        "`PATCH api.criteo.com/2026-07/marketing-solutions/audience-segments/999/contact-list` "
        "answered 404 Not Found: 999 is not a contact list (validation, trace ID 00000001) "
        "(audience-invalid)."
    )
    assert (caught.value.status, caught.value.code) == (404, "audience-invalid")
    assert bench.wire.calls == [amend(999)]


def test_without_consent_access_is_refused(bench: Bench) -> None:
    """No event could succeed, so it counts as denied access and stops a run."""
    criteo = CriteoSandbox(
        [App("sandbox-client", "sandbox-secret", frozenset({"777"}))], clock=FrozenClock()
    )
    bench.wire.serve(criteo)
    with pytest.raises(IntegrationError) as caught:
        bench.perform(ADD, ADA)
    assert (caught.value.status, caught.value.code) == (403, "insufficient-advertiser-permissions")
    assert caught.value.scope == "connection"
    assert "Check the advertiser's consent and the app's permissions" in str(caught.value)


def test_forms_travel_in_calls_of_their_own(bench: Bench) -> None:
    assert bench.perform(ADD, ADA, MD5, BOB, SHA256) == [DELIVERED] * 4
    assert bench.wire.sent == [("add", [ADA, BOB]), ("add", [MD5]), ("add", [SHA256])]


def test_a_call_has_at_most_fifty_thousand_identifiers(bench: Bench) -> None:
    people = [f"user.{number}@example.com" for number in range(50_001)]
    assert set(bench.perform(ADD, *people)) == {DELIVERED}
    assert [len(identifiers) for _, identifiers in bench.wire.sent] == [50_000, 1]


def test_a_call_that_is_too_large_is_halved(bench: Bench) -> None:
    configure(bench, body_limit=len(Amendment("add", "email", [ADA, BOB]).body()))
    bench.criteo.add_segment("spring")
    assert bench.perform(ADD, ADA, BOB, EVE, contact_list_id="70001") == [DELIVERED] * 3
    assert bench.wire.sent == [("add", [ADA, BOB, EVE]), ("add", [ADA]), ("add", [BOB, EVE])]
    assert bench.criteo.members("spring") == {ADA, BOB, EVE}


def test_one_identifier_that_is_too_large_fails_alone(bench: Bench) -> None:
    configure(bench, body_limit=len(Amendment("add", "email", [ADA, BOB]).body()))
    bench.criteo.add_segment("spring")
    results = bench.perform(ADD, ADA, "a" * 99 + EVE, BOB, contact_list_id="70001")
    assert results[0] == results[2] == DELIVERED
    assert isinstance(results[1], Failed)
    assert (results[1].status, results[1].reporter) == (413, "partner")
    assert bench.criteo.members("spring") == {ADA, BOB}


def test_a_call_above_ten_megabytes_is_cut_before_it_is_sent(bench: Bench) -> None:
    people = [f"{number:05}{'x' * 235}@example.com" for number in range(40_000)]
    assert set(bench.perform(ADD, *people)) == {DELIVERED}
    assert [len(identifiers) for _, identifiers in bench.wire.sent] == [20_000, 20_000]
    assert max(len(request.content) for request in bench.wire.requests) < 10_000_000


def test_a_call_that_fails_fails_only_its_own_events(bench: Bench) -> None:
    """The first request's events stay delivered; the second request's events are retryable."""
    bench.criteo.inject(Fault("unavailable", "amend", call=2, times=9))
    first, second = bench.perform(ADD, ADA, SHA256)
    assert first == DELIVERED
    assert second == Failed(
        503,
        "internal-error",
        "`PATCH api.criteo.com/2026-07/marketing-solutions/audience-segments/70001/contact-list` "
        "answered 503 Service Unavailable: "
        "an internal error occurred (availability, trace ID 00000002) "
        "(internal-error).",
        "partner",
    )
    assert second.retryable


def test_a_lost_connection_is_not_the_partners_word(bench: Bench) -> None:
    bench.criteo.inject(Fault("drop-before", "amend", times=9))
    (result,) = bench.perform(ADD, ADA)
    assert isinstance(result, Failed)
    assert (result.status, result.code, result.reporter) == (503, "PROTOCOL_ERROR", "framework")


def test_every_identifier_type_is_sent_as_such(bench: Bench) -> None:
    device = "7A3CBEA0-BDF5-11E4-8DFC-AA07A5B093DB"
    for kind, identifier, caller in (
        ("madid", device, None),
        ("identityLink", "XY1234", None),
        ("gum", "k-1", 42),
        ("phoneNumber", "+91 98765 43210", None),
    ):
        fields = {"identifier_type": kind, "identifier": identifier, "gum_caller_id": caller}
        payload = Membership.build({"audience_key": "spring", **fields})
        assert bench.send(ADD, [payload]) == [DELIVERED]
    assert bench.wire.amendments == [
        {"operation": "add", "identifierType": "madid", "identifiers": [device]},
        {"operation": "add", "identifierType": "identityLink", "identifiers": ["XY1234"]},
        {"operation": "add", "identifierType": "gum", "identifiers": ["k-1"], "gumCallerId": 42},
        {"operation": "add", "identifierType": "phoneNumber", "identifiers": ["+919876543210"]},
    ]


def test_logs_hold_trace_ids_and_no_identifiers(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    bench.criteo.inject(Fault("unavailable", "amend", times=9))
    bench.perform(ADD, ADA)
    assert "trace ID 00000001" in caplog.text
    assert "Contact list 70001, 1 identifiers: " in caplog.text
    assert ADA not in caplog.text
    assert bench.settings.client_secret not in caplog.text


def test_a_token_is_renewed_a_minute_before_it_ends(bench: Bench) -> None:
    bench.perform(ADD, ADA)
    bench.time.sleep(839)
    bench.perform(ADD, ADA)
    assert bench.wire.tokens == 1
    bench.time.sleep(2)
    bench.perform(ADD, ADA)
    assert bench.wire.tokens == 2


def test_a_token_that_ends_early_is_renewed_once(bench: Bench) -> None:
    bench.perform(ADD, ADA)
    bench.criteo.inject(Fault("expired-token", "amend"))
    assert bench.perform(ADD, BOB) == [DELIVERED]
    assert bench.wire.tokens == 2
    assert bench.wire.calls[-2:] == [amend(70001), amend(70001)]
