"""The Criteo sandbox responds as Criteo is documented to, endpoint by endpoint."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from destinations.criteo_audiences.sandbox import MANAGE, READ, App
from tests.destinations.criteo_audiences.sandbox_api import OTHER, SEGMENTS, Api, refusal

SHA256 = "e814ff3dc480a94c7ce9334062ec4733c75a002f4bcec0197f62ffea64059e2f"
MD5 = "2b9150605ac374d671a306b5fcee60a0"
SHA256_OF_MD5 = "c4621ab1cf52f07221c228fd84f7c9feb092e73500a5f18981328e838bc3ccae"
ADDRESS = "ada.lovelace@example.com"


@pytest.fixture
def api() -> Api:
    return Api()


def test_a_token_is_given_for_client_credentials(api: Api) -> None:
    answer = api.token("sandbox-client", "sandbox-secret")
    body = answer.json()
    token = body.pop("access_token")
    assert body == {"token_type": "Bearer", "expires_in": 900, "refresh_token": None}
    assert api.client.headers["Authorization"] != f"Bearer {token}"


def test_several_tokens_are_good_at_once(api: Api) -> None:
    api.token("sandbox-client", "sandbox-secret")
    assert api.search().status_code == 200


def test_a_raw_plus_in_the_secret_is_a_space() -> None:
    api = Api(App("app", "s3cr+et", frozenset({"1"})))
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    form = "client_id=app&grant_type=client_credentials&client_secret="
    raw = api.client.post("/oauth2/token", content=form + "s3cr+et", headers=headers)
    encoded = api.client.post("/oauth2/token", content=form + "s3cr%2Bet", headers=headers)
    assert (raw.status_code, encoded.status_code) == (401, 200)


def test_only_client_credentials_are_granted(api: Api) -> None:
    answer = api.token("sandbox-client", "sandbox-secret", "authorization_code")
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


def test_a_token_ends_with_its_lifetime(api: Api) -> None:
    api.sandbox.clock.move(899)
    assert api.search().status_code == 200
    api.sandbox.clock.move(1)
    assert refusal(api.search()) == (401, "authorization-token-expired")


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "authorization-token-missing"),
        ("Bearer nobody", "authorization-token-invalid"),
        ("Basic sandbox.token.1", "authorization-token-invalid"),
    ],
)
def test_a_call_without_a_good_token_is_refused(api: Api, header: str | None, code: str) -> None:
    del api.client.headers["Authorization"]
    headers = {} if header is None else {"Authorization": header}
    answer = api.client.get("/2026-07/advertisers/me", headers=headers)
    assert refusal(answer) == (401, code)
    assert answer.json()["errors"][0]["type"] == "authorization"


def test_the_app_identifies_itself(api: Api) -> None:
    body = api.client.get("/2026-07/marketing-solutions/me").json()
    assert body["data"]["type"] == "Application"
    assert body["data"]["attributes"]["name"] == "sandbox-client"
    assert body["data"]["attributes"]["criteoService"] == "MarketingSolutions"


def test_advertisers_that_gave_consent_are_listed() -> None:
    api = Api(App("app", "secret", frozenset({"7", "12345"}), rights=frozenset()))
    assert api.client.get("/2026-07/advertisers/me").json() == {
        "data": [
            {"type": "advertiser", "id": one, "attributes": {"advertiserName": f"Advertiser {one}"}}
            for one in ("12345", "7")
        ],
        "errors": [],
        "warnings": [],
    }


def test_a_created_segment_is_given_as_search_gives_it(api: Api) -> None:
    attributes = {
        "advertiserId": "12345",
        "name": "spring",
        "description": "buyers",
        "contactList": {},
    }
    data = [{"type": "AudienceSegment", "attributes": attributes}]
    answer = api.client.post(f"{SEGMENTS}/create", json={"data": data})
    entity = {
        "id": "70001",
        "type": "AudienceSegment",
        "attributes": {
            "name": "spring",
            "description": "buyers",
            "type": "ContactList",
            "advertiserId": "12345",
            "createdAt": "2026-11-21T10:00:50.2500000Z",
            "updatedAt": "2026-11-21T10:00:50.2500000Z",
            "contactList": {"isReadOnly": False},
        },
    }
    assert answer.json() == {"data": [entity], "errors": [], "warnings": []}
    assert api.search().json() == {
        "meta": {"totalItems": 1, "limit": 50, "offset": 0},
        "data": [entity],
        "errors": [],
        "warnings": [],
    }


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({}, ["mine", "near", "other"]),
        ({"advertiserIds": ["12345"]}, ["mine", "near"]),
        ({"audienceSegmentIds": ["70001", "70003", "1"]}, ["mine", "other"]),
        ({"audienceSegmentTypes": ["ContactList"]}, ["mine", "other"]),
        ({"audienceSegmentTypes": ["ContactList", "Location"], "advertiserIds": ["7"]}, ["other"]),
        ({"audienceSegmentIds": []}, []),
    ],
)
def test_search_filters_are_anded(filters: dict[str, list[str]], names: list[str]) -> None:
    api = Api(App("app", "secret", frozenset({"12345", "7"})))
    api.sandbox.add_segment("mine")
    api.sandbox.add_segment("near", kind="Location")
    api.sandbox.add_segment("other", advertiser="7")
    api.sandbox.add_segment("foreign", advertiser="99")
    body = api.search(**filters).json()
    assert [one["attributes"]["name"] for one in body["data"]] == names
    assert body["meta"]["totalItems"] == len(names)


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", range(50)),
        ("?limit=100", range(60)),
        ("?limit=10&offset=55", range(55, 60)),
        ("?limit=0", []),
        ("?offset=1000", []),
    ],
)
def test_search_gives_pages(api: Api, query: str, ids: Any) -> None:
    for number in range(60):
        api.sandbox.add_segment(f"list {number}")
    body = api.search(query).json()
    assert [int(one["id"]) - 70001 for one in body["data"]] == list(ids)
    assert body["meta"]["totalItems"] == 60


@pytest.mark.parametrize("query", ["?limit=101", "?limit=-1", "?offset=x", "?limit="])
def test_a_page_out_of_range_is_refused(api: Api, query: str) -> None:
    assert refusal(api.search(query)) == (400, "invalid")


@pytest.mark.parametrize(
    "filters",
    [{"audienceSegmentTypes": ["Magic"]}, {"advertiserIds": "12345"}, {"advertiserIds": [1]}],
)
def test_a_wrong_filter_is_refused(api: Api, filters: Any) -> None:
    assert refusal(api.search(**filters)) == (400, "invalid")


def test_valid_items_of_a_bulk_are_created_and_the_others_reported(api: Api) -> None:
    api.sandbox.add_segment("old")
    body = api.create("new", "old", "new", " ", None, "x" * 256, "y" * 255).json()
    assert [one["attributes"]["name"] for one in body["data"]] == ["new", "y" * 255]
    assert [(one["instance"], one["code"], one["type"]) for one in body["errors"]] == [
        ("@data/1", "name-must-be-unique", "validation"),
        ("@data/2", "name-must-be-unique", "validation"),
        ("@data/3", "name-must-not-be-empty", "validation"),
        ("@data/4", "required-field", "validation"),
        ("@data/5", "invalid", "validation"),
    ]
    assert body["warnings"] == []


def test_a_name_is_unique_per_advertiser_only() -> None:
    api = Api(App("app", "secret", frozenset({"1", "2"})))
    assert api.create("spring", advertiser="1").json()["errors"] == []
    assert api.create("spring", advertiser="2").json()["errors"] == []


@pytest.mark.parametrize(
    "attributes",
    [
        {"name": "x", "contactList": {}},
        {"advertiserId": "12345", "contactList": {}},
        {"advertiserId": "12345", "name": "x"},
        {"advertiserId": "12345", "name": "x", "contactList": {}, "location": {}},
        None,
    ],
)
def test_what_a_segment_needs_is_reported(api: Api, attributes: Any) -> None:
    answer = api.client.post(f"{SEGMENTS}/create", json={"data": [{"attributes": attributes}]})
    assert refusal(answer) == (200, "required-field")


@pytest.mark.parametrize(
    ("attribute", "kind"), [("inMarket", "InMarket"), ("lookalike", "Lookalike")]
)
def test_other_kinds_can_be_created(api: Api, attribute: str, kind: str) -> None:
    attributes = {"advertiserId": "12345", "name": "x", attribute: {}}
    body = {"data": [{"attributes": attributes}]}
    (entity,) = api.client.post(f"{SEGMENTS}/create", json=body).json()["data"]
    assert entity["attributes"]["type"] == kind
    assert "contactList" not in entity["attributes"]
    assert refusal(api.amend(entity["id"], "add", ["a@b.example"])) == (404, "audience-invalid")


def test_no_segment_is_created_for_a_foreign_advertiser(api: Api) -> None:
    answer = api.create("x", advertiser="99")
    assert refusal(answer) == (403, "insufficient-advertiser-permissions")
    assert api.search().json()["data"] == []


def test_names_and_descriptions_can_be_updated(api: Api) -> None:
    for name in ("a", "b", "c"):
        api.sandbox.add_segment(name, description="old")
    items = [
        {"id": "70001", "attributes": {"name": "a2", "description": {"value": None}}},
        {"id": "70002", "attributes": {"name": "c"}},
        {"id": "70003", "attributes": {"name": "c", "description": {"value": "new"}}},
        {"id": "70002", "attributes": {"name": ""}},
        {"id": "7", "attributes": {"name": "d"}},
        {"id": "70002", "attributes": {}},
        {"id": "70002", "attributes": {"description": "plain"}},
        {"id": "70002", "attributes": {"description": {"value": 1}}},
        {"id": 70002, "attributes": {"name": "d"}},
    ]
    body = api.client.patch(SEGMENTS, json={"data": items}).json()
    assert [(one["instance"], one["code"]) for one in body["errors"]] == [
        ("@data/1", "name-must-be-unique"),
        ("@data/3", "name-must-not-be-empty"),
        ("@data/4", "segment-not-found"),
        ("@data/6", "invalid"),
        ("@data/7", "invalid"),
        ("@data/8", "segment-not-found"),
    ]
    assert [
        (one["attributes"]["name"], one["attributes"]["description"])
        for one in api.search().json()["data"]
    ] == [("a2", None), ("b", "old"), ("c", "new")]


def test_deleted_segments_are_gone_and_their_ids_stay_used(api: Api) -> None:
    api.create("a", "b")
    items = [{"id": "70002"}, {"id": "70002"}, {"id": "1"}]
    body = api.client.post(f"{SEGMENTS}/delete", json={"data": items}).json()
    assert body["data"] == [{"id": "70002", "type": "AudienceSegment"}]
    assert [(one["instance"], one["code"]) for one in body["errors"]] == [
        ("@data/1", "segment-not-found"),
        ("@data/2", "segment-not-found"),
    ]
    assert refusal(api.amend("70002", "add", ["a@b.example"])) == (404, "audience-invalid")
    assert api.create("b").json()["data"][0]["id"] == "70003"


def test_an_amendment_is_counted_and_a_sample_of_wrong_identifiers_given(api: Api) -> None:
    api.create("spring")
    answer = api.amend("70001", "add", ["ada.lovelace@example.com", "not-an-address"])
    assert answer.json() == {
        "data": {
            "type": "ContactlistAmendment",
            "attributes": {
                "contactListId": 70001,
                "operation": "add",
                "requestDate": "2026-11-21T10:00:50.2500000+00:00",
                "identifierType": "email",
                "nbValidIdentifiers": 1,
                "nbInvalidIdentifiers": 1,
                "sampleInvalidIdentifiers": ["not-an-address"],
            },
        },
        "errors": [],
        "warnings": [],
    }
    assert api.sandbox.members("spring") == {"ada.lovelace@example.com"}


@pytest.mark.parametrize(
    ("kind", "identifier", "valid"),
    [
        ("email", "ada@example.com", True),
        ("email", "ada@mail.example.com", True),
        ("email", "ada@localhost", False),
        ("email", "ada@example.", False),
        ("email", "ada@@example.com", False),
        ("email", "ada lovelace@example.com", False),
        ("email", "", False),
        ("email", MD5, True),
        ("email", MD5[1:], False),
        ("email", "g" + MD5[1:], False),
        ("email", SHA256, True),
        ("email", SHA256.upper(), True),
        ("email", "g" + SHA256[1:], False),
        ("email", SHA256 + "0", False),
        ("madid", "38400000-8cf0-11bd-b23e-10b96e40000d", True),
        ("madid", "38400000", False),
        ("identityLink", "XY123", True),
        ("identityLink", "", False),
        ("phoneNumber", "+911234567890", True),
        ("phoneNumber", SHA256, True),
        ("phoneNumber", "call me", False),
    ],
)
def test_identifiers_are_well_formed_or_not(
    api: Api, kind: str, identifier: str, *, valid: bool
) -> None:
    segment = api.sandbox.add_segment("spring")
    attributes = api.amend(segment, "add", [identifier], kind).json()["data"]["attributes"]
    assert attributes["nbValidIdentifiers"] == valid
    assert attributes["nbInvalidIdentifiers"] == (not valid)
    assert api.sandbox.members("spring", identifier_type=kind) == ({identifier} if valid else set())


def test_hashes_alone_and_hashes_among_others_are_judged_alike(api: Api) -> None:
    segment = api.sandbox.add_segment("spring")
    alone = api.amend(segment, "add", [SHA256, MD5, "x" + MD5[1:]]).json()["data"]["attributes"]
    mixed = api.amend(segment, "add", [SHA256, MD5, "x"]).json()["data"]["attributes"]
    assert alone["nbValidIdentifiers"] == mixed["nbValidIdentifiers"] == 2


def test_membership_is_a_set_per_type(api: Api) -> None:
    """Repeating a request changes nothing, so every request is safe to retry."""
    segment = api.sandbox.add_segment("spring", members=["a@b.example"])
    for _ in range(2):
        api.amend(segment, "add", [MD5, SHA256])
        api.amend(segment, "add", [SHA256], "phoneNumber")
    assert api.sandbox.members("spring") == {"a@b.example", MD5, SHA256}
    for _ in range(2):
        api.amend(segment, "remove", ["a@b.example", SHA256, "nobody@b.example"])
    assert api.sandbox.members("spring") == {MD5}
    assert api.sandbox.members("spring", identifier_type="phoneNumber") == {SHA256}
    with pytest.raises(KeyError, match="summer"):
        api.sandbox.members("summer")


def test_a_call_that_names_no_type_means_addresses(api: Api) -> None:
    segment = api.sandbox.add_segment("spring")
    answer = api.amend(segment, "add", ["a@b.example"], None)
    assert answer.json()["data"]["attributes"]["identifierType"] == "email"


def amendment(**changes: Any) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "operation": "add",
        "identifierType": "email",
        "identifiers": ["a@b.example"],
        **changes,
    }
    kept = {name: value for name, value in attributes.items() if value is not ...}
    return {"type": "ContactlistAmendment", "attributes": kept}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (amendment(operation=...), "required-field"),
        (amendment(operation="Add"), "invalid"),
        (amendment(identifierType="Email"), "invalid"),
        (amendment(identifierType="customerid"), "invalid"),
        (amendment(identifierType=["email"]), "invalid"),
        (amendment(operation=["add"]), "invalid"),
        (amendment(identifiers=...), "required-field"),
        (amendment(identifiers="a@b.example"), "invalid"),
        (amendment(identifiers=["a@b.example", None]), "invalid"),
        (amendment(identifierType="gum"), "required-field"),
        ({"attributes": amendment()["attributes"]}, "required-field"),
        ({"type": "Contactlist", "attributes": amendment()["attributes"]}, "invalid"),
        ({"type": "ContactlistAmendment"}, "required-field"),
        ({"type": "ContactlistAmendment", "attributes": []}, "invalid"),
        ([], "invalid"),
        (None, "required-field"),
    ],
)
def test_a_wrong_amendment_is_refused_without_effect(api: Api, data: Any, code: str) -> None:
    segment = api.sandbox.add_segment("spring")
    assert refusal(api.send(segment, data)) == (400, code)
    assert api.sandbox.members("spring") == set()


def test_gum_identifiers_need_their_caller(api: Api) -> None:
    segment = api.sandbox.add_segment("spring")
    data = amendment(identifierType="gum", gumCallerId=5, identifiers=["k-1"])
    assert api.send(segment, data).status_code == 200
    assert api.sandbox.members("spring", identifier_type="gum") == {"k-1"}


def test_clearing_a_list_removes_everybody(api: Api) -> None:
    segment = api.sandbox.add_segment("spring", members=[MD5])
    answer = api.client.delete(f"{SEGMENTS}/{segment}/contact-list")
    data = {"id": "70001", "type": "AudienceContactlist"}
    assert answer.json() == {"data": data, "errors": [], "warnings": []}
    assert api.sandbox.members("spring") == set()


def test_statistics_count_members_and_matches(api: Api) -> None:
    api.sandbox.add_segment("spring", members=["a@b.example", "c@d.example", "e@f.example"])
    attributes = {"numberOfIdentifiers": 3, "numberOfMatches": 1, "matchRate": 1 / 3}
    data = {"id": "70001", "type": "ContactListStatistics", "attributes": attributes}
    assert api.statistics("70001").json() == {"data": data, "errors": [], "warnings": []}
    empty = api.sandbox.add_segment("summer")
    assert api.statistics(empty).json()["data"]["attributes"]["matchRate"] == 0


def test_sizes_of_segments_are_computed(api: Api) -> None:
    segment = api.sandbox.add_segment("spring", members=[MD5, SHA256])
    body = {"data": [{"id": segment, "type": "AudienceSegment"}, {"id": "1"}]}
    answer = api.client.post(f"{SEGMENTS}/compute-sizes", json=body).json()
    size = {"id": segment, "type": "AudienceSegmentSize", "attributes": {"size": 1}}
    assert answer["data"] == [size]
    assert [one["code"] for one in answer["errors"]] == ["segment-not-found"]


def test_sizes_of_segments_to_come_are_estimated(api: Api) -> None:
    def estimate(**attributes: Any) -> httpx.Response:
        data = {"type": "AudienceSegment", "attributes": attributes}
        return api.client.post(f"{SEGMENTS}/estimate-size", json={"data": data})

    first = estimate(advertiserId="12345", inMarket={"country": "FR"})
    assert first.json()["data"]["type"] == "AudienceSegmentSizeEstimation"
    assert isinstance(first.json()["data"]["attributes"]["size"], int)
    assert estimate(advertiserId="12345", inMarket={"country": "FR"}).json() == first.json()
    assert refusal(estimate(advertiserId="12345", contactList={})) == (400, "required-field")
    foreign = estimate(advertiserId="99", location={})
    assert refusal(foreign) == (403, "insufficient-advertiser-permissions")


@pytest.mark.parametrize("path", ["search", "create", "70001/contact-list", "delete"])
def test_an_unreadable_body_is_refused(api: Api, path: str) -> None:
    api.sandbox.add_segment("spring")
    method = "PATCH" if path.endswith("list") else "POST"
    headers = {"Content-Type": "application/json"}
    for content, code in ((b"{", "invalid"), (b"{}", "required-field"), (b"[]", "required-field")):
        answer = api.client.request(method, f"{SEGMENTS}/{path}", content=content, headers=headers)
        assert refusal(answer) == (400, code)


def test_items_of_a_bulk_must_be_objects(api: Api) -> None:
    answer = api.client.post(f"{SEGMENTS}/delete", json={"data": ["70001"]})
    assert refusal(answer) == (400, "invalid")


@pytest.mark.parametrize("version", ["2023-10", "2026-07", "2031-12", "preview", "experimental"])
def test_any_version_is_answered(api: Api, version: str) -> None:
    assert api.client.get(f"/{version}/advertisers/me").status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/2026-13/advertisers/me"),
        ("GET", "/latest/advertisers/me"),
        ("POST", "/2026-07/advertisers/me"),
        ("GET", "/oauth2/token"),
        ("PATCH", "/2026-07/audiences/70001/contactlist"),
        ("PATCH", "/preview/audiences/70001/contactlist"),
    ],
)
def test_anything_else_is_not_there(api: Api, method: str, path: str) -> None:
    assert refusal(api.client.request(method, path)) == (404, "not-found")


def test_old_versions_have_the_twin_of_the_contact_list(api: Api) -> None:
    segment = api.sandbox.add_segment("spring")
    url = f"/2025-10/audiences/{segment}/contactlist"
    assert api.client.patch(url, json={"data": amendment()}).status_code == 200
    assert api.sandbox.members("spring") == {"a@b.example"}
    assert api.client.delete(url).status_code == 200
    assert api.sandbox.members("spring") == set()


@pytest.mark.parametrize(
    ("path", "content_type"),
    [("/oauth2/token", "application/json"), (f"{SEGMENTS}/search", "text/plain")],
)
def test_a_wrong_content_type_is_refused(api: Api, path: str, content_type: str) -> None:
    answer = api.client.post(path, content=b"{}", headers={"Content-Type": content_type})
    assert refusal(answer) == (415, "invalid")


def test_a_content_type_may_have_parameters(api: Api) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    content = b'{"data": {"attributes": {}}}'
    answer = api.client.post(f"{SEGMENTS}/search", content=content, headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("right", "search", "create"), [(READ, 200, 403), (MANAGE, 403, 200), (None, 403, 403)]
)
def test_an_app_may_do_what_it_has_the_right_to(
    right: str | None, search: int, create: int
) -> None:
    api = Api(
        App("app", "secret", frozenset({"12345"}), rights=frozenset({right} if right else ()))
    )
    answers = api.search(), api.create("x")
    assert [answer.status_code for answer in answers] == [search, create]
    for answer in answers:
        if answer.status_code == 403:
            assert refusal(answer) == (403, "insufficient-advertiser-permissions")


def test_apps_do_not_see_each_others_segments() -> None:
    api = Api(OTHER, App("app", "secret", frozenset({"12345"})))
    segment = api.sandbox.add_segment("spring", members=[MD5])
    assert api.search().json()["data"] == []
    delete = api.client.post(f"{SEGMENTS}/delete", json={"data": [{"id": segment}]})
    assert refusal(delete) == (200, "segment-not-found")
    assert refusal(api.statistics(segment)) == (403, "insufficient-advertiser-permissions")


@pytest.mark.parametrize(
    ("identifiers", "size"),
    [
        ([ADDRESS, SHA256], 1),
        ([SHA256.upper(), ADDRESS], 1),
        ([ADDRESS.upper(), ADDRESS, SHA256], 1),
        ([MD5, SHA256_OF_MD5], 1),
        ([ADDRESS, MD5], 2),
        ([SHA256, SHA256_OF_MD5, MD5, ADDRESS], 2),
    ],
)
def test_members_are_known_by_the_hash_made_on_receipt(
    api: Api, identifiers: list[str], size: int
) -> None:
    """Nothing says that an address and its MD5 hash are one user, so they are two members."""
    segment = api.sandbox.add_segment("spring", members=["else@b.example"])
    for identifier in identifiers:
        api.amend(segment, "add", [identifier])
    assert len(api.sandbox.members("spring")) == 1 + size
    assert identifiers[0] in api.sandbox.members("spring")
    for identifier in reversed(identifiers):
        api.amend(segment, "remove", [identifier])
    assert api.sandbox.members("spring") == {"else@b.example"}
