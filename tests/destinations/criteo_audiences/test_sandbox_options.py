"""Every undocumented behavior of Criteo can be configured."""

from __future__ import annotations

from typing import Any

import pytest

from destinations.criteo_audiences.sandbox import CriteoOptions
from framework.errors import ConfigurationError
from tests.destinations.criteo_audiences.sandbox_api import NOW, SEGMENTS, Api, refusal

GOOD = ["a@b.example", "c@d.example"]


@pytest.mark.parametrize(("options", "status"), [({}, 401), ({"bad_credentials": 400}, 400)])
def test_bad_credentials(options: dict[str, Any], status: int) -> None:
    api = Api(**options)
    for client, secret in (("sandbox-client", "wrong"), ("nobody", "sandbox-secret")):
        answer = api.token(client, secret)
        assert answer.status_code == status
        assert answer.json() == {
            "error": "invalid_client",
            "error_description": "The client credentials or the grant are invalid.",
        }


@pytest.mark.parametrize(("options", "there"), [({}, True), ({"refresh_field": "absent"}, False)])
def test_the_refresh_token_is_null_or_absent(options: dict[str, Any], *, there: bool) -> None:
    body = Api(**options).token("sandbox-client", "sandbox-secret").json()
    assert ("refresh_token" in body) is there


def test_tokens_may_live_shorter() -> None:
    api = Api(token_lifetime=10)
    assert api.token("sandbox-client", "sandbox-secret").json()["expires_in"] == 10
    api.sandbox.clock.move(10)
    assert refusal(api.search()) == (401, "authorization-token-expired")


@pytest.mark.parametrize(
    ("form", "status", "place", "created"),
    [
        ("errors", 200, "errors", 1),
        ("warnings", 200, "warnings", 1),
        ("status-400", 400, "errors", 0),
    ],
)
def test_refused_items(form: str, status: int, place: str, created: int) -> None:
    api = Api(refused_items=form)
    api.sandbox.add_segment("old")
    answer = api.create("old", "new")
    body = answer.json()
    assert answer.status_code == status
    assert [one["code"] for one in body.pop(place)] == ["name-must-be-unique"]
    assert len(body.pop("data")) == created
    assert list(body.values()) == [[]]
    assert api.search().json()["meta"]["totalItems"] == 1 + created
    assert api.create("fine").status_code == 200


def test_search_without_consent() -> None:
    answer = Api().search(advertiserIds=["99"])
    assert refusal(answer) == (403, "insufficient-advertiser-permissions")
    answer = Api(search_without_consent="empty").search(advertiserIds=["99"])
    assert answer.json()["data"] == []
    assert answer.json()["meta"]["totalItems"] == 0


@pytest.mark.parametrize(
    ("order", "pages"),
    [
        ("ascending", [["a"], ["b"], ["c"]]),
        ("descending", [["c"], ["b"], ["a"]]),
        ("changing", [["a"], ["b"], ["c"], ["c"]]),
    ],
)
def test_order_of_search(order: str, pages: list[list[str]]) -> None:
    api = Api(search_order=order)
    for name in "abc":
        api.sandbox.add_segment(name)
    offsets = (0, 1, 2, 0)[: len(pages)]
    bodies = [api.search(f"?limit=1&offset={offset}").json() for offset in offsets]
    assert [[one["attributes"]["name"] for one in body["data"]] for body in bodies] == pages


@pytest.mark.parametrize(("options", "status"), [({}, 404), ({"unknown_segment": 403}, 403)])
def test_unknown_segment(options: dict[str, Any], status: int) -> None:
    api = Api(**options)
    assert refusal(api.amend("999", "add", GOOD)) == (status, "audience-invalid")
    assert refusal(api.statistics("999")) == (status, "audience-invalid")
    answer = api.client.delete(f"{SEGMENTS}/999/contact-list")
    assert refusal(answer) == (status, "audience-invalid")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, (403, "insufficient-advertiser-permissions")),
        ({"foreign_segment": 404}, (404, "audience-invalid")),
    ],
)
def test_segment_of_a_foreign_advertiser(
    options: dict[str, Any], expected: tuple[int, str]
) -> None:
    api = Api(**options)
    segment = api.sandbox.add_segment("foreign", advertiser="99")
    assert refusal(api.amend(segment, "add", GOOD)) == expected


@pytest.mark.parametrize(("options", "status"), [({}, 403), ({"read_only_list": 400}, 400)])
def test_read_only_list(options: dict[str, Any], status: int) -> None:
    api = Api(**options)
    segment = api.sandbox.add_segment("spring", read_only=True, members=GOOD)
    (entity,) = api.search().json()["data"]
    assert entity["attributes"]["contactList"] == {"isReadOnly": True}
    assert refusal(api.amend(segment, "remove", GOOD)) == (status, "audience-invalid")
    answer = api.client.delete(f"{SEGMENTS}/{segment}/contact-list")
    assert refusal(answer) == (status, "audience-invalid")
    assert api.sandbox.members("spring") == set(GOOD)


@pytest.mark.parametrize(
    ("field", "names"),
    [
        ("traceId", {"traceId"}),
        ("traceIdentifier", {"traceIdentifier"}),
        ("both", {"traceId", "traceIdentifier"}),
    ],
)
def test_trace_field(field: str, names: set[str]) -> None:
    api = Api(trace_field=field)
    first, second = (api.statistics("9").json()["errors"][0] for _ in range(2))
    assert {name for name in first if name.startswith("trace")} == names
    assert {first[name] for name in names}.isdisjoint({second[name] for name in names})


def limits(answer: Any) -> list[str | None]:
    names = ("limit", "remaining", "reset")
    return [answer.headers.get(f"x-ratelimit-{name}") for name in names]


def test_a_fixed_window_ends_with_the_minute() -> None:
    api = Api(rate_limit=2)
    minute = str(int(NOW) - 50 + 60)
    assert limits(api.search()) == ["2", "1", minute]
    assert limits(api.search()) == ["2", "0", minute]
    refused = api.search()
    assert refusal(refused) == (429, "rate-limit-exceeded")
    assert refused.json()["errors"][0]["type"] == "quota"
    assert limits(refused) == ["2", "0", minute]
    api.sandbox.clock.move(9.5)
    assert api.search().status_code == 429
    api.sandbox.clock.move(0.25)
    assert limits(api.search()) == ["2", "1", str(int(minute) + 60)]


def test_a_sliding_window_frees_each_call_after_its_own_minute() -> None:
    api = Api(rate_limit=2, rate_window="sliding")
    first = str(int(NOW) + 61)
    assert limits(api.search()) == ["2", "1", first]
    api.sandbox.clock.move(30)
    assert limits(api.search()) == ["2", "0", first]
    assert limits(api.search()) == ["2", "0", first]
    api.sandbox.clock.move(29.75)
    assert api.search().status_code == 429
    api.sandbox.clock.move(0.25)
    assert limits(api.search()) == ["2", "0", str(int(NOW) + 91)]
    assert api.search().status_code == 429


def test_the_window_may_have_another_length() -> None:
    api = Api(rate_limit=1, rate_seconds=5)
    api.search()
    assert api.search().status_code == 429
    api.sandbox.clock.move(5)
    assert api.search().status_code == 200


def test_the_budget_is_the_apps_all_tokens_together() -> None:
    api = Api(rate_limit=1)
    api.search()
    api.log_in()
    assert api.search().status_code == 429


@pytest.mark.parametrize(("options", "status"), [({}, 200), ({"rate_counts_tokens": "yes"}, 429)])
def test_token_calls_counted(options: dict[str, Any], status: int) -> None:
    api = Api(rate_limit=2, **options)
    assert api.search().status_code == 200
    assert api.token("sandbox-client", "sandbox-secret").status_code == status
    assert api.search().status_code == status


def test_rate_headers_only_when_limited() -> None:
    api = Api(rate_limit=1, rate_headers="when-limited")
    assert limits(api.search()) == [None, None, None]
    assert limits(api.search()) == ["1", "0", str(int(NOW) + 10)]


def test_rate_headers_on_refusals_too() -> None:
    assert limits(Api().statistics("9"))[1] == "249"


def test_an_empty_body_when_limited() -> None:
    api = Api(rate_limit=0, rate_body="empty")
    answer = api.search()
    assert (answer.status_code, answer.content) == (429, b"")
    assert "content-type" not in answer.headers
    assert limits(answer)[1] == "0"


def test_identifiers_over_the_most() -> None:
    identifiers = [f"{n}@b.example" for n in range(50_001)]
    api = Api()
    segment = api.sandbox.add_segment("spring")
    assert refusal(api.amend(segment, "add", identifiers)) == (400, "invalid")
    assert api.amend(segment, "add", identifiers[1:]).status_code == 200
    assert len(api.sandbox.members("spring")) == 50_000
    api = Api(max_identifiers=1)
    segment = api.sandbox.add_segment("spring")
    assert refusal(api.amend(segment, "add", GOOD)) == (400, "invalid")
    api = Api(too_many_identifiers="accepted", max_identifiers=1)
    segment = api.sandbox.add_segment("spring")
    assert api.amend(segment, "add", GOOD).status_code == 200


@pytest.mark.parametrize(
    ("options", "statuses"),
    [({}, (200, 413)), ({"body_limit": 100}, (413, 413)), ({"body_limit": None}, (200, 200))],
)
def test_body_limit(options: dict[str, Any], statuses: tuple[int, int]) -> None:
    api = Api(**options)
    segment = api.sandbox.add_segment("spring")
    small = api.amend(segment, "add", ["a@b.example"])
    large = api.amend(segment, "add", ["x" * 10_000_000])
    assert (small.status_code, large.status_code) == statuses
    if statuses == (413, 413):
        assert refusal(large) == (413, "invalid")


def test_empty_identifiers() -> None:
    api = Api()
    segment = api.sandbox.add_segment("spring")
    assert refusal(api.amend(segment, "add", [])) == (400, "required-field")
    api = Api(empty_identifiers="accepted")
    segment = api.sandbox.add_segment("spring")
    attributes = api.amend(segment, "add", []).json()["data"]["attributes"]
    assert (attributes["nbValidIdentifiers"], attributes["nbInvalidIdentifiers"]) == (0, 0)


@pytest.mark.parametrize(("options", "size"), [({}, 10), ({"invalid_sample": 3}, 3)])
def test_sample_size_of_invalid_identifiers(options: dict[str, Any], size: int) -> None:
    api = Api(**options)
    segment = api.sandbox.add_segment("spring")
    wrong = [f"wrong {number}" for number in range(12)]
    attributes = api.amend(segment, "add", [*GOOD, *wrong]).json()["data"]["attributes"]
    assert attributes["sampleInvalidIdentifiers"] == wrong[:size]
    assert (attributes["nbValidIdentifiers"], attributes["nbInvalidIdentifiers"]) == (2, 12)


@pytest.mark.parametrize(("options", "counts"), [({}, (3, 2)), ({"duplicates": "once"}, (1, 1))])
def test_duplicates_in_one_call(options: dict[str, Any], counts: tuple[int, int]) -> None:
    api = Api(**options)
    segment = api.sandbox.add_segment("spring")
    identifiers = ["a@b.example", "x", "a@b.example", "x", "a@b.example"]
    attributes = api.amend(segment, "add", identifiers).json()["data"]["attributes"]
    assert (attributes["nbValidIdentifiers"], attributes["nbInvalidIdentifiers"]) == counts


def test_processing_delay_of_statistics() -> None:
    api = Api(statistics_delay=12 * 3600, token_lifetime=10**6)

    def counts() -> tuple[int, int]:
        body = {"data": [{"id": segment}]}
        sizes = api.client.post(f"{SEGMENTS}/compute-sizes", json=body).json()["data"]
        statistics = api.statistics(segment).json()["data"]["attributes"]
        return statistics["numberOfIdentifiers"], sizes[0]["attributes"]["size"]

    segment = api.create("spring").json()["data"][0]["id"]
    api.amend(segment, "add", GOOD)
    assert counts() == (0, 0)
    api.sandbox.clock.move(6 * 3600)
    api.client.delete(f"{SEGMENTS}/{segment}/contact-list")
    api.sandbox.clock.move(6 * 3600)
    assert counts() == (2, 1)
    api.sandbox.clock.move(6 * 3600)
    assert counts() == (0, 0)


def test_match_rate_and_its_scale() -> None:
    api = Api(match_rate=0.75, match_rate_scale="percent")
    members = [f"{number}@b.example" for number in range(4)]
    segment = api.sandbox.add_segment("spring", members=members)
    assert api.statistics(segment).json()["data"]["attributes"] == {
        "numberOfIdentifiers": 4,
        "numberOfMatches": 3,
        "matchRate": 75.0,
    }


@pytest.mark.parametrize(("options", "created"), [({}, 1), ({"name_comparison": "ignore-case"}, 0)])
def test_name_rules(options: dict[str, Any], created: int) -> None:
    api = Api(**options)
    api.create("Straße")
    assert len(api.create("STRASSE").json()["data"]) == created
    assert refusal(api.create("Straße")) == (200, "name-must-be-unique")


def test_the_longest_name_can_be_set() -> None:
    api = Api(max_name=3)
    assert api.create("abc").json()["errors"] == []
    assert refusal(api.create("abcd")) == (200, "invalid")


def test_versions_may_be_gone_or_about_to_go() -> None:
    sunset = "Sun, 31 Jan 2027 00:00:00 GMT"
    api = Api(gone_versions=frozenset({"2023-10"}), deprecated_versions={"2026-01": sunset})
    answer = api.client.get("/2023-10/advertisers/me")
    assert refusal(answer) == (410, "endpoint-gone")
    answer = api.client.get("/2026-01/advertisers/me")
    assert (answer.headers["Deprecation"], answer.headers["Sunset"]) == ("true", sunset)
    answer = api.client.get("/2026-07/advertisers/me")
    assert not {"deprecation", "sunset"} & set(answer.headers)


def test_options_can_be_changed_in_mid_run() -> None:
    api = Api(rate_limit=1)
    api.search()
    api.sandbox.options = CriteoOptions(rate_limit=5, unknown_segment=403)
    assert refusal(api.statistics("9")) == (403, "audience-invalid")
    api.sandbox.reset()
    assert api.sandbox.options.rate_limit == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bad_credentials": 402}, "Option `bad_credentials` must be one of 401, 400, got 402."),
        (
            {"rate_window": "rolling"},
            "Option `rate_window` must be one of fixed, sliding, got 'rolling'.",
        ),
        ({"rate_seconds": 0}, "Option `rate_seconds` must be at least 1, got 0."),
        ({"body_limit": -1}, "Option `body_limit` must be at least 0, got -1."),
        ({"match_rate": 2}, "Option `match_rate` must be between 0 and 1, got 2."),
        (
            {"gone_versions": frozenset({"2026"}), "max_name": -1},
            (
                "Option `max_name` must be at least 0, got -1.\n"
                "Option `gone_versions` must name versions like 2026-07, got '2026'."
            ),
        ),
    ],
)
def test_invalid_options_are_refused_with_every_problem(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        CriteoOptions(**options)
    assert str(caught.value) == message
