"""One person in several forms, one list by name and by ID: the last event decides."""

from __future__ import annotations

import hashlib
import itertools
from typing import Any

import pytest

from destinations.criteo_audiences.sandbox import CriteoSandbox
from framework import DELIVERED, ConfigurationError, Skipped, Subscription
from tests.destinations.criteo_audiences.conftest import Connect, Wire
from tests.destinations.criteo_audiences.test_delivery import (
    ADA,
    ADD,
    BOB,
    REMOVE,
    SUPERSEDED,
    entered,
    exited,
    results,
)

SHA256 = hashlib.sha256(ADA.encode()).hexdigest()
MD5 = hashlib.md5(ADA.encode(), usedforsecurity=False).hexdigest()
SHA256_OF_MD5 = hashlib.sha256(MD5.encode()).hexdigest()


def both(adding: dict[str, Any], removing: dict[str, Any]) -> tuple[Subscription, Subscription]:
    return (
        Subscription(action=ADD, name="Add", mapping=adding),
        Subscription(action=REMOVE, name="Remove", mapping=removing),
    )


@pytest.mark.parametrize(
    ("left", "came"),
    [
        *itertools.permutations([ADA, SHA256, SHA256.upper(), " Ada@Example.com"], 2),
        *itertools.permutations([MD5, SHA256_OF_MD5, MD5.upper()], 2),
    ],
)
def test_the_last_event_decides_whatever_the_form(
    connected: Connect, criteo: CriteoSandbox, wire: Wire, left: str, came: str
) -> None:
    criteo.add_segment("spring")
    assert results(connected, [exited(left), entered(BOB), entered(came)]) == [
        SUPERSEDED,
        DELIVERED,
        DELIVERED,
    ]
    assert len(criteo.members("spring")) == 2
    assert {operation for operation, _ in wire.sent} == {"add"}
    assert results(connected, [entered(left), exited(came)]) == [SUPERSEDED, DELIVERED]
    assert criteo.members("spring") == {BOB}


@pytest.mark.parametrize(
    ("adding", "removing"),
    [
        ({"hash_emails": True}, {}),
        ({}, {"hash_emails": True}),
        ({"email_form": "plain"}, {"email_form": "sha256"}),
        ({"email_form": "md5"}, {"email_form": "sha256_of_md5"}),
        ({"enable_batching": False}, {"hash_emails": True}),
        ({"batch_keys": ["event"]}, {"batch_keys": ["event"]}),
        ({"__segment_internal_matching_key": "email"}, {}),
        ({"gum_caller_id": 1}, {"gum_caller_id": 2}),
    ],
)
def test_mappings_may_differ(
    connected: Connect, criteo: CriteoSandbox, adding: dict[str, Any], removing: dict[str, Any]
) -> None:
    """What is sent has the mapping's form, and the last event decides."""
    criteo.add_segment("spring")
    chosen = both(adding, removing)
    results(connected, [entered(BOB), exited(ADA), entered(ADA)], *chosen)
    assert len(criteo.members("spring")) == 2
    results(connected, [exited(BOB), entered(ADA), exited(ADA)], *chosen)
    assert criteo.members("spring") == set()


def test_a_person_is_sent_once_in_a_batch(connected: Connect, wire: Wire) -> None:
    found = results(connected, [entered(ADA), entered(SHA256), entered(ADA.upper())])
    assert found == [SUPERSEDED, SUPERSEDED, DELIVERED]
    assert wire.sent == [("add", [ADA])]


@pytest.mark.parametrize("threads", [0, 1, 4])
@pytest.mark.parametrize("list_id", ["70001", "0070001"])
def test_a_list_may_go_by_name_and_by_id(
    connected: Connect, criteo: CriteoSandbox, wire: Wire, list_id: str, threads: int
) -> None:
    """What a name means is not known before, so both are sent, in order."""
    assert criteo.add_segment("spring") == "70001"
    events = [entered(BOB), exited(ADA), entered(ADA), exited(BOB), exited("eve@example.com")]
    connection = connected(*both({}, {"contact_list_id": list_id}))
    sender = connection.stream(threads=threads)
    parts = sender.add(enumerate(events)), sender.flush(), sender.close()
    told = [one for part in parts for some in part for done in some for one in done.each()]
    found = {position: result for position, _, result in told if result == DELIVERED}
    assert sorted(found) == [0, 1, 2, 3, 4]
    assert wire.sent == [
        ("add", [BOB]),
        ("remove", [ADA]),
        ("add", [ADA]),
        ("remove", [BOB, "eve@example.com"]),
    ]
    assert criteo.members("spring") == {ADA}


def test_a_list_by_id_has_the_same_order_whatever_the_name(
    connected: Connect, criteo: CriteoSandbox, wire: Wire
) -> None:
    mapping = {"contact_list_id": criteo.add_segment("spring")}
    events = [exited(ADA, "one name"), entered(ADA, "another")]
    assert results(connected, events, *both(mapping, mapping)) == [SUPERSEDED, DELIVERED]
    assert wire.sent == [("add", [ADA])]


MIXED = (
    "Users are added as {added} and removed as {removed}. Criteo cannot know that both are the "
    "same user, so nobody would be removed. Choose forms of one kind in both subscriptions: "
    "`plain` and `sha256`, or `md5` and `sha256_of_md5`."
)
NEW = "addresses or their SHA-256 hashes"
OLD = "MD5 hashes or their SHA-256 hashes"


@pytest.mark.parametrize(
    ("adding", "removing", "added", "removed"),
    [
        ({"email_form": "md5"}, {}, OLD, NEW),
        ({}, {"email_form": "sha256_of_md5"}, NEW, OLD),
        ({"hash_emails": True}, {"email_form": "md5"}, NEW, OLD),
        ({"email_form": "md5", "audience_key": "x"}, {"contact_list_id": "70001"}, OLD, NEW),
    ],
)
def test_forms_that_cannot_be_joined_are_refused(
    connected: Connect, adding: dict[str, Any], removing: dict[str, Any], added: str, removed: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        connected(*both(adding, removing))
    said = MIXED.format(added=added, removed=removed)
    assert refused.value.problems == (f"Subscription 1 `Add`: {said}",)


@pytest.mark.parametrize(
    ("adding", "removing"),
    [
        ({"email_form": "md5", "audience_key": "x"}, {"audience_key": "y"}),
        ({"email_form": "md5", "contact_list_id": "1"}, {"contact_list_id": "2"}),
        ({"email_form": {"@path": "$.properties.form"}}, {"email_form": "md5"}),
        ({"email_form": "md5"}, {"email_form": {"@path": "$.properties.form"}}),
        (
            {"email_form": "md5"},
            {"identifier_type": "gum", "identifier": "k-1", "gum_caller_id": 1},
        ),
    ],
)
def test_other_lists_and_computed_forms_are_not_refused(
    connected: Connect, adding: dict[str, Any], removing: dict[str, Any]
) -> None:
    connected(*both(adding, removing))


def test_forms_in_parallel_need_a_removal_of_each(connected: Connect) -> None:
    old, new = {"email_form": "sha256_of_md5"}, {"email_form": "sha256"}
    connected(*both(old, old), *both(new, new))
    with pytest.raises(ConfigurationError):
        connected(*both(old, new), *both(new, {}))


def test_an_md5_hash_from_outside_is_not_joined_with_an_address(
    connected: Connect, criteo: CriteoSandbox
) -> None:
    """Criteo knows an address by its SHA-256 hash, which an MD5 hash does not lead to."""
    criteo.add_segment("spring")
    assert results(connected, [entered(MD5), exited(ADA)]) == [DELIVERED, DELIVERED]
    assert criteo.members("spring") == {MD5}


def test_a_removal_from_an_unknown_name_is_skipped_beside_one_by_id(
    connected: Connect, criteo: CriteoSandbox
) -> None:
    criteo.add_segment("spring")
    by_id = Subscription(
        action=REMOVE,
        trigger='event = "Audience Exited" and properties.by = "id"',
        mapping={"contact_list_id": "70001"},
    )
    one = exited(ADA, "nowhere")
    other = {**exited(ADA), "properties": {"by": "id", "audience_key": "spring"}}
    found = results(connected, [one, other], Subscription(action=REMOVE), by_id)
    assert isinstance(found[0], Skipped)
    assert found[0].code == "NO_AUDIENCE"
    assert found[-1] == DELIVERED
