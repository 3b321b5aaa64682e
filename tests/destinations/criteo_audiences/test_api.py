"""The Criteo client: requests byte by byte, and every known form of response."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from destinations.criteo_audiences.api import MAX_BYTES, Amendment, Criteo
from destinations.criteo_audiences.refusals import (
    ListGoneError,
    NameTakenError,
    TooLargeError,
    describe,
)
from destinations.criteo_audiences.verdicts import Verdict
from framework import APIError, IntegrationError, RetryableError

if TYPE_CHECKING:
    from tests.destinations.criteo_audiences.conftest import Answer, Speak

TAKEN = {
    "traceId": "8f0c4a",
    "type": "validation",
    "code": "name-must-be-unique",
    "instance": "@data/0",
    "title": "name already taken",
    "detail": "somebody@example.com has it",
    "source": {},
}
OLD_TAKEN = {**TAKEN, "traceId": None, "traceIdentifier": "8f0c4a"}
DEPRECATED = {"traceId": "1", "type": "deprecation", "code": "deprecated-field"}


def segment(number: int, **attributes: Any) -> dict[str, Any]:
    told = {"name": f"list {number}", "type": "ContactList", "advertiserId": "12345", **attributes}
    return {"id": str(number), "type": "AudienceSegment", "attributes": told}


def page(numbers: list[int], total: int | None) -> Answer:
    meta = {"totalItems": total, "limit": 100, "offset": 0}
    found = [segment(number) for number in numbers]
    return 200, {"meta": meta, "data": found, "errors": [], "warnings": []}


def span(first: int, last: int) -> list[int]:
    return list(range(first, last + 1))


def listed(criteo: Criteo) -> set[int]:
    return {int(one.id) for page in criteo.contact_lists("12345") for one in page}


def test_a_search_asks_for_contact_lists_of_the_advertiser(speak: Speak) -> None:
    criteo, script = speak(page([1], 1))
    assert listed(criteo) == {1}
    (request,) = script.requests
    assert request.method == "POST"
    assert str(request.url) == (
        "https://api.criteo.com/2026-07/marketing-solutions/audience-segments/search"
        "?limit=100&offset=0"
    )
    assert json.loads(request.content) == {
        "data": {
            "type": "AudienceSegment",
            "attributes": {"advertiserIds": ["12345"], "audienceSegmentTypes": ["ContactList"]},
        }
    }


@pytest.mark.parametrize(
    ("answers", "offsets", "found"),
    [
        pytest.param([page([], 0)], [0], [], id="nothing"),
        pytest.param([page(span(1, 100), 100)], [0], span(1, 100), id="one full page"),
        pytest.param(
            [page(span(1, 100), 201), page(span(101, 200), 201), page([201], 201)],
            [0, 100, 200],
            span(1, 201),
            id="three pages",
        ),
        pytest.param(
            [page(span(1, 50), 60), page(span(51, 60), 60)],
            [0, 50],
            span(1, 60),
            id="the server gives fewer than asked for",
        ),
        pytest.param(
            [page([1, 2], None), page([3], None), page([], None)],
            [0, 2, 3],
            [1, 2, 3],
            id="no total",
        ),
        pytest.param(
            [page([1, 2], None), page([1, 2], None)], [0, 2], [1, 2], id="the offset is ignored"
        ),
        pytest.param(
            [page([1, 2], 4), page([2, 1], 4), page([3, 4], 4), page([1, 2], 4)],
            [0, 2, 0, 2],
            [1, 2, 3, 4],
            id="another order in between",
        ),
        pytest.param(
            [page([1, 2], 4), page([4], 3), page([2, 3], 3), page([4], 3)],
            [0, 2, 0, 2],
            [1, 2, 3, 4],
            id="one was deleted in between",
        ),
        pytest.param(
            [page([1, 2], 3), page([2, 3], 4), page([0, 1], 4), page([2, 3], 4)],
            [0, 2, 0, 2],
            [0, 1, 2, 3],
            id="one was created in between",
        ),
        pytest.param(
            [page([1, 2], 4), page([], 4), page([1, 2], 4), page([3, 4], 4)],
            [0, 2, 0, 2],
            [1, 2, 3, 4],
            id="a page is empty",
        ),
    ],
)
def test_no_list_is_missed_whatever_pages_do(
    speak: Speak, answers: list[Answer], offsets: list[int], found: list[int]
) -> None:
    criteo, script = speak(*answers)
    assert listed(criteo) == set(found)
    assert script.offsets == [str(offset) for offset in offsets]


def test_a_listing_that_never_settles_is_for_later(speak: Speak) -> None:
    criteo, script = speak(*[page([1], 2), page([1], 2)] * 4)
    with pytest.raises(RetryableError) as caught:
        listed(criteo)
    assert str(caught.value) == ("Criteo's contact lists kept changing while they were listed.")
    assert (caught.value.status, caught.value.code) == (503, "LISTING_UNSETTLED")
    assert len(script.requests) == 8


def test_other_kinds_and_other_advertisers_are_passed_over(speak: Speak) -> None:
    data = [
        segment(1, type="Lookalike"),
        segment(2, type="Sorcery"),
        segment(3, advertiserId="999"),
        segment(4, contactList={"isReadOnly": True}),
        segment(5, contactList={"isReadOnly": False}, inMarket=None),
        {"id": "6"},
        "odd",
    ]
    criteo, _ = speak((200, {"meta": None, "data": data}), (200, {"data": []}))
    found = [one for page in criteo.contact_lists("12345") for one in page]
    assert [(one.id, one.read_only) for one in found] == [("4", True), ("5", False), ("6", False)]


def test_a_search_refused_with_status_200_is_not_an_empty_listing(speak: Speak) -> None:
    criteo, _ = speak((200, {"data": [], "errors": [{**TAKEN, "code": "odd"}]}))
    with pytest.raises(APIError) as caught:
        listed(criteo)
    assert str(caught.value) == (
        "Criteo did not list the advertiser's audiences: "
        "name already taken (validation, trace ID 8f0c4a) (odd)."
    )


def test_a_contact_list_is_created_with_a_name_and_a_description(speak: Speak) -> None:
    criteo, script = speak((200, {"data": [segment(70001)], "warnings": [DEPRECATED]}))
    assert criteo.create("12345", "spring buyers") == "70001"
    (request,) = script.requests
    assert str(request.url) == (
        "https://api.criteo.com/2026-07/marketing-solutions/audience-segments/create"
    )
    assert json.loads(request.content) == {
        "data": [
            {
                "type": "AudienceSegment",
                "attributes": {
                    "advertiserId": "12345",
                    "name": "spring buyers",
                    "description": "Audience spring buyers, kept up to date by Action Destinations",
                    "contactList": {},
                },
            }
        ]
    }


WHERE = "`POST api.criteo.com/2026-07/marketing-solutions/audience-segments/create`"
SAID = "name already taken (validation, trace ID 8f0c4a)"
NOT_CREATED = 'Criteo did not create the audience "x"'
HTML = "<html>Down for maintenance</html>"


@pytest.mark.parametrize(
    ("answer", "kind", "status", "message"),
    [
        (
            (200, {"data": [], "errors": [TAKEN], "warnings": []}),
            NameTakenError,
            400,
            f"{NOT_CREATED}: {SAID} (name-must-be-unique).",
        ),
        (
            (200, {"data": [], "errors": [], "warnings": [DEPRECATED, OLD_TAKEN]}),
            NameTakenError,
            400,
            f"{NOT_CREATED}: {SAID} (name-must-be-unique).",
        ),
        (
            (400, {"data": [], "errors": [TAKEN]}),
            NameTakenError,
            400,
            f"{WHERE} answered 400 Bad Request: {SAID} (name-must-be-unique).",
        ),
        (
            (200, {"data": [], "errors": [{**TAKEN, "code": "name-must-not-be-empty"}]}),
            APIError,
            400,
            f"{NOT_CREATED}: {SAID} (name-must-not-be-empty).",
        ),
        ((200, {"data": [], "errors": None}), APIError, 400, f"{NOT_CREATED}: no reason given."),
        (
            (403, {"errors": [{**TAKEN, "code": "insufficient-advertiser-permissions"}]}),
            APIError,
            403,
            (
                f"{WHERE} answered 403 Forbidden: {SAID}. "
                "Check the advertiser's consent and the app's permissions "
                "(insufficient-advertiser-permissions)."
            ),
        ),
        (
            (410, {"errors": [{**TAKEN, "code": "gone"}]}),
            APIError,
            410,
            (
                f"{WHERE} answered 410 Gone: {SAID}. "
                "Set `api_version` to a supported version (gone)."
            ),
        ),
        (
            (200, HTML),
            RetryableError,
            502,
            (
                "Criteo's response to `POST /marketing-solutions/audience-segments/create` "
                "is not a JSON object."
            ),
        ),
        ((500, HTML), RetryableError, 500, f"{WHERE} answered 500 Internal Server Error."),
        ((429, ""), RetryableError, 429, f"{WHERE} answered 429 Too Many Requests."),
        ((400, HTML), APIError, 400, f"{WHERE} answered 400 Bad Request."),
    ],
)
def test_refused_creations(
    speak: Speak, answer: Answer, kind: type[IntegrationError], status: int, message: str
) -> None:
    """Both documented forms of an error, trace IDs under both names, never the detail."""
    criteo, _ = speak(answer)
    with pytest.raises(IntegrationError) as caught:
        criteo.create("12345", "x")
    assert type(caught.value) is kind
    assert (caught.value.status, str(caught.value)) == (status, message)


def test_an_amendment_names_its_type_and_nothing_old(speak: Speak) -> None:
    criteo, script = speak((200, {"data": {"attributes": {}}, "errors": [], "warnings": []}))
    criteo.amend("70001", Amendment("add", "email", ["ada@example.com", "zoë@example.com"]))
    (request,) = script.requests
    assert request.method == "PATCH"
    assert request.url.path == ("/2026-07/marketing-solutions/audience-segments/70001/contact-list")
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.content) == {
        "data": {
            "type": "ContactlistAmendment",
            "attributes": {
                "operation": "add",
                "identifierType": "email",
                "identifiers": ["ada@example.com", "zoë@example.com"],
            },
        }
    }


def test_the_gum_caller_id_travels_as_a_number(speak: Speak) -> None:
    criteo, script = speak((200, {"data": {}}))
    criteo.amend("70001", Amendment("remove", "gum", ["k-1"], 1234))
    assert json.loads(script.requests[0].content)["data"]["attributes"] == {
        "operation": "remove",
        "identifierType": "gum",
        "identifiers": ["k-1"],
        "gumCallerId": 1234,
    }


@pytest.mark.parametrize(
    ("attributes", "verdict"),
    [
        ({"nbValidIdentifiers": 2, "nbInvalidIdentifiers": 0}, Verdict(3, accepted=2)),
        (
            {"nbInvalidIdentifiers": 3, "sampleInvalidIdentifiers": ["a", "b"]},
            Verdict(3, frozenset("ab"), 1),
        ),
        (
            {"nbInvalidIdentifiers": None, "sampleInvalidIdentifiers": ["a"]},
            Verdict(3, frozenset("a"), 0),
        ),
        (
            {"nbInvalidIdentifiers": 1, "sampleInvalidIdentifiers": None},
            Verdict(3, frozenset(), 1),
        ),
        ({}, Verdict(3, counted=False)),
    ],
)
def test_verdicts(speak: Speak, attributes: dict[str, Any], verdict: Verdict) -> None:
    answer = {"data": {"type": "ContactlistAmendment", "attributes": attributes}, "errors": []}
    criteo, _ = speak((200, answer))
    assert criteo.amend("1", Amendment("add", "email", ["a", "b", "c"])) == verdict


UNKNOWN = {
    "traceIdentifier": "5b1e77",
    "type": "validation",
    "code": "audience-invalid",
    "title": "unknown audience",
}
LIST = "`PATCH api.criteo.com/2026-07/marketing-solutions/audience-segments/1/contact-list`"


@pytest.mark.parametrize(
    ("answer", "kind", "status", "message"),
    [
        (
            (404, {"errors": [UNKNOWN], "warnings": []}),
            ListGoneError,
            404,
            (
                f"{LIST} answered 404 Not Found: unknown audience (validation, trace ID 5b1e77) "
                "(audience-invalid)."
            ),
        ),
        (
            (403, {"errors": [UNKNOWN]}),
            ListGoneError,
            403,
            (
                f"{LIST} answered 403 Forbidden: unknown audience (validation, trace ID 5b1e77). "
                "Check the advertiser's consent and the app's permissions (audience-invalid)."
            ),
        ),
        (
            (200, {"data": None, "errors": [UNKNOWN]}),
            ListGoneError,
            404,
            (
                "Criteo did not amend contact list 1: "
                "unknown audience (validation, trace ID 5b1e77) (audience-invalid)."
            ),
        ),
        ((404, ""), ListGoneError, 404, f"{LIST} answered 404 Not Found."),
        ((413, ""), TooLargeError, 413, f"{LIST} answered 413 Request Entity Too Large."),
        (
            (200, "[]"),
            RetryableError,
            502,
            (
                "Criteo's response to "
                "`PATCH /marketing-solutions/audience-segments/1/contact-list` "
                "is not a JSON object."
            ),
        ),
    ],
)
def test_refused_amendments(
    speak: Speak, answer: Answer, kind: type[IntegrationError], status: int, message: str
) -> None:
    criteo, _ = speak(answer)
    with pytest.raises(IntegrationError) as caught:
        criteo.amend("1", Amendment("add", "email", ["ada@example.com"]))
    assert type(caught.value) is kind
    assert (caught.value.status, str(caught.value)) == (status, message)


def test_a_body_above_the_limit_is_not_sent(speak: Speak) -> None:
    criteo, script = speak()
    with pytest.raises(TooLargeError) as caught:
        criteo.amend("1", Amendment("add", "gum", ["k" * MAX_BYTES], 1))
    size = MAX_BYTES + len(Amendment("add", "gum", [""], 1).body())
    assert str(caught.value) == (f"A request of {size} bytes exceeds the limit of 9500000 bytes.")
    assert script.requests == []


def test_the_advertisers_of_the_app(speak: Speak) -> None:
    data = [
        {"id": "12345", "type": "advertiser", "attributes": {"advertiserName": "Shoes"}},
        {"id": 777, "attributes": None},
    ]
    criteo, script = speak((200, {"data": data}))
    assert criteo.advertisers() == {"12345": "Shoes", "777": ""}
    assert str(script.requests[0].url) == "https://api.criteo.com/2026-07/advertisers/me"


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (
            401,
            {"error": "invalid_client"},
            ("invalid_client", "Check `client_id` and `client_secret`", None),
        ),
        (
            401,
            {"errors": [{"type": "authentication", "code": "token-expired"}]},
            (
                "token-expired",
                "token-expired (authentication). Check `client_id` and `client_secret`",
                "connection",
            ),
        ),
        (400, {"errors": [{}]}, ("", "no reason given", None)),
        (
            400,
            {"errors": [TAKEN, UNKNOWN]},
            (
                "name-must-be-unique",
                f"{SAID}; unknown audience (validation, trace ID 5b1e77)",
                None,
            ),
        ),
        (500, {"errors": [], "warnings": None}, ("", "", None)),
        (500, "<html>", ("", "", None)),
        (500, [], ("", "", None)),
    ],
)
def test_descriptions_of_errors(
    status: int, body: Any, expected: tuple[str, str, str | None]
) -> None:
    content = body if isinstance(body, str) else json.dumps(body)
    request = httpx.Request("PATCH", "https://api.criteo.com/lists/1/contact-list")
    response = httpx.Response(status, content=content.encode(), request=request)
    assert describe(response) == expected
