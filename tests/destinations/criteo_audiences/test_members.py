"""Payloads for single members of a list, and the number of members that Criteo counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from destinations.criteo_audiences import audience_size, member_payload
from destinations.criteo_audiences.actions import CriteoSettings
from destinations.criteo_audiences.api import Criteo
from destinations.criteo_audiences.sandbox.options import CriteoOptions
from framework import APIError
from framework.delivery import Cache

if TYPE_CHECKING:
    from tests.destinations.criteo_audiences.conftest import Answer, Bench, Speak

EMAIL: dict[str, Any] = {"identifier_type": "email", "hash_emails": True}


@pytest.mark.parametrize(
    ("name", "naming", "fixed", "payload"),
    [
        ("spring", "", EMAIL, {**EMAIL, "audience_key": "spring", "email": "ada"}),
        ("70001", "name", {}, {"audience_key": "70001", "email": "ada"}),
        ("70001", "id", {"audience_key": "spring"}, {"contact_list_id": "70001", "email": "ada"}),
        ("70001", "", {"contact_list_id": "070001"}, {"contact_list_id": "70001", "email": "ada"}),
        ("70002", "id", {"contact_list_id": "70001"}, None),
        ("70001", "name", {"contact_list_id": "70001"}, None),
        (
            "spring",
            "name",
            {"identifier_type": "madid", "email_form": "plain"},
            {
                "identifier_type": "madid",
                "email_form": "plain",
                "audience_key": "spring",
                "identifier": "ada",
            },
        ),
    ],
)
def test_payloads(name: str, naming: str, fixed: dict[str, Any], payload: Any) -> None:
    """A list that a subscription names by its ID is not called by another name."""
    assert member_payload(name, naming, "ada", fixed) == payload


def size(bench: Bench, name: str, naming: str = "name") -> Any:
    settings = CriteoSettings(**bench.criteo.settings())
    return audience_size(bench.client, settings, name, naming, Cache(bench.time.monotonic))


def test_the_size_is_that_of_the_statistics(bench: Bench) -> None:
    number = bench.criteo.add_segment("spring", members=["ada@example.com", "bob@example.com"])
    told = {"members": 2, "delay": "12 to 24 hours"}
    assert size(bench, "spring") == told
    assert size(bench, number, "id") == told
    assert bench.wire.calls[-1] == f"GET {number}/contact-list/statistics"


@pytest.mark.parametrize(("name", "naming"), [("autumn", "name"), ("99999", "id")])
@pytest.mark.parametrize("status", [404, 403])
def test_a_list_that_does_not_exist_has_no_size(
    bench: Bench, name: str, naming: str, status: Any
) -> None:
    bench.criteo.options = CriteoOptions(unknown_segment=status)
    assert size(bench, name, naming)["members"] is None


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        ((200, {"data": {"attributes": {"numberOfIdentifiers": 0}}}), 0),
        ((200, {"data": {"attributes": {"numberOfIdentifiers": None}}}), None),
        ((200, {"data": None, "errors": []}), None),
    ],
)
def test_a_size_may_be_unknown(speak: Speak, answer: Answer, number: int | None) -> None:
    criteo, _ = speak(answer)
    assert criteo.size("70001") == number


def test_refused_access_is_told(speak: Speak) -> None:
    criteo: Criteo
    criteo, _ = speak((403, {"errors": [{"type": "authorization", "code": "no-consent"}]}))
    with pytest.raises(APIError) as caught:
        criteo.size("70001")
    assert (caught.value.code, caught.value.scope) == ("no-consent", "connection")
