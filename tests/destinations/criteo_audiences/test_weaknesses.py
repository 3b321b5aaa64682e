"""Every known weakness of such integrations has a test that this one does not have it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

COVERED = {
    1: ("audiences mixed in a batch", "test_every_audience_goes_to_its_own_list"),
    2: ("blanks and capitals hashed", "test_an_address_is_trimmed_and_lower_cased_before_hashing"),
    3: ("hashes hashed again", "test_what_is_hashed_already_is_never_hashed_again"),
    4: ("refused identifiers unnoticed", "test_results_by_verdict"),
    5: ("no outcome per event", "test_every_event_has_its_own_outcome"),
    6: ("no order between add and remove", "test_the_last_event_about_a_user_wins"),
    7: ("transient faults made permanent", "test_a_creation_that_fails_twice_is_for_later"),
    8: ("name clash with status 200", "test_a_list_created_by_somebody_else_meanwhile_is_used"),
    9: ("error bodies that are not JSON", "test_refused_creations"),
    10: ("events without audience", "test_an_event_without_an_audience_joins_no_other"),
    11: ("a token per batch", "test_the_next_batches_cost_one_call_each"),
    12: ("a search per batch", "test_every_list_that_a_search_meets_is_remembered"),
    13: ("small batches", "test_both_actions_share_fields_and_a_lane_of_calls_as_large_as_can_be"),
    14: ("no split above the maximum", "test_a_call_has_at_most_fifty_thousand_identifiers"),
    15: ("empty calls", "test_nobody_to_send_is_no_call"),
    16: ("no throttling", "test_calls_keep_to_the_rate"),
    17: ("remove creates", "test_removing_from_an_audience_that_does_not_exist_sends_nothing"),
    18: ("pages in changing order", "test_no_list_is_missed_whatever_pages_do"),
    19: ("retries that never run", "test_faults_that_pass_are_tried_again"),
    20: ("advertiser not checked", "test_an_advertiser_without_consent_is_reported"),
    21: ("advertiser ids that are none", "test_settings_that_cannot_be_right_are_refused"),
    22: ("addresses only", "test_every_identifier_type_is_sent_as_such"),
    23: ("one hash form only", "test_two_forms_travel_side_by_side"),
    24: ("an ended version", "test_a_version_that_ends_is_reported_before_and_after"),
    25: ("options without effect", "test_batching_can_be_switched_off"),
    26: ("no list of one's own", "test_a_configured_list_needs_neither_search_nor_creation"),
    27: ("read-only lists taken", "test_a_read_only_list_is_left_alone"),
    28: ("trace ids lost", "test_logs_hold_trace_ids_and_no_identifiers"),
}


def written() -> set[str]:
    """Return the name of every test about this destination."""
    return {
        node.name
        for file in Path(__file__).parent.glob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }


def test_all_are_covered() -> None:
    assert sorted(COVERED) == list(range(1, 29))


@pytest.mark.parametrize("number", COVERED)
def test_the_test_exists(number: int) -> None:
    assert COVERED[number][1] in written()
