"""Criteo's own faults, inspecting the state, and arbitrary requests."""

from __future__ import annotations

import hashlib
import json
import threading
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from destinations.criteo_audiences.sandbox import App, CriteoSandbox
from framework.errors import APIError
from framework.sandbox import Fault, FrozenClock, SandboxTransport, serve
from framework.sandbox.page import render
from tests.destinations.criteo_audiences.sandbox_api import NOW, SEGMENTS, Api, refusal


@pytest.fixture
def api() -> Api:
    return Api()


def test_a_token_expires_in_mid_run(api: Api) -> None:
    """The old token stays invalid; a new one is valid."""
    segment = api.sandbox.add_segment("spring")
    api.sandbox.inject(Fault("expired-token", route="amend", call=2))
    statuses = [api.amend(segment, "add", [f"{n}@b.example"]).status_code for n in range(3)]
    assert statuses == [200, 401, 401]
    assert refusal(api.search()) == (401, "authorization-token-expired")
    api.log_in()
    assert api.search().status_code == 200
    assert api.sandbox.members("spring") == {"0@b.example"}


def test_only_the_token_of_the_call_expires(api: Api) -> None:
    old = api.client.headers["Authorization"]
    api.log_in()
    api.sandbox.inject(Fault("expired-token"))
    assert api.search().status_code == 401
    api.client.headers["Authorization"] = old
    assert api.search().status_code == 200


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("rate-limited", 429, "rate-limit-exceeded"),
        ("server-error", 500, "internal-error"),
        ("unavailable", 503, "internal-error"),
    ],
)
def test_a_call_is_refused_without_effect(api: Api, kind: str, status: int, code: str) -> None:
    segment = api.sandbox.add_segment("spring")
    api.sandbox.inject(Fault(kind, route="amend", times=2))
    assert api.search().status_code == 200
    for _ in range(2):
        assert refusal(api.amend(segment, "add", ["a@b.example"])) == (status, code)
    assert api.sandbox.members("spring") == set()
    assert api.amend(segment, "add", ["a@b.example"]).status_code == 200


def test_an_injected_limit_says_when_to_come_back(api: Api) -> None:
    api.sandbox.inject(Fault("rate-limited", seconds=7))
    headers = api.search().headers
    assert headers["x-ratelimit-limit"] == "250"
    assert headers["x-ratelimit-remaining"] == "0"
    assert headers["x-ratelimit-reset"] == str(int(NOW) + 8)


@pytest.mark.parametrize("kind", ["html", "html-gateway", "drop-before"])
def test_a_generic_fault_leaves_a_list_as_it_was(api: Api, kind: str) -> None:
    segment = api.sandbox.add_segment("spring")
    api.sandbox.inject(Fault(kind))
    try:
        answer = api.amend(segment, "add", ["a@b.example"])
    except httpx.RemoteProtocolError:
        assert kind == "drop-before"
    else:
        assert answer.headers["content-type"].startswith("text/html")
    assert api.sandbox.members("spring") == set()


@pytest.mark.parametrize("kind", ["drop-after", "slow"])
def test_a_late_fault_changes_the_list(api: Api, kind: str) -> None:
    segment = api.sandbox.add_segment("spring")
    api.sandbox.inject(Fault(kind, seconds=60))
    with pytest.raises(httpx.TransportError):
        api.amend(segment, "add", ["a@b.example"])
    assert api.sandbox.members("spring") == {"a@b.example"}


def test_tokens_can_fail_too(api: Api) -> None:
    api.sandbox.inject(Fault("unavailable", route="token"))
    assert api.token("sandbox-client", "sandbox-secret").status_code == 503
    api.sandbox.inject(Fault("expired-token", route="token"))
    assert api.token("sandbox-client", "sandbox-secret").status_code == 200


def test_calls_are_noted_without_identifiers_or_secrets(api: Api) -> None:
    api.create("spring")
    api.amend("70001", "add", ["ada@example.com", "nobody"])
    api.statistics("70001")
    assert [(call.route, call.note) for call in api.sandbox.requests] == [
        ("token", {"client_id": "sandbox-client"}),
        ("create", {"created": 1, "refused": 0}),
        ("amend", {"segment": "70001", "add": 2, "type": "email", "invalid": 1}),
        ("statistics", {"segment": "70001", "identifiers": 1}),
    ]
    assert api.sandbox.calls == {"token": 1, "create": 1, "amend": 1, "statistics": 1}
    everything = f"{api.sandbox.requests} {api.sandbox.state()} {render(api.sandbox)}"
    for secret in ("ada@example.com", "nobody", "sandbox-secret", "sandbox.token"):
        assert secret not in everything


def test_the_state_counts_digests_or_lists_members(api: Api) -> None:
    members = ["c@d.example", "a@b.example"]
    api.sandbox.add_segment("spring", members=members)
    state = api.sandbox.state()
    assert state["apps"] == [
        {
            "client_id": "sandbox-client",
            "advertisers": ["12345"],
            "rights": ["MarketingSolutions_Audience_Manage", "MarketingSolutions_Audience_Read"],
            "calls_left": 250,
        }
    ]
    assert state["knobs"]["gone_versions"] == []
    assert state["segments"] == [
        {
            "id": "70001",
            "advertiser": "12345",
            "name": "spring",
            "kind": "ContactList",
            "read_only": False,
            "members": {"email": 2},
        }
    ]
    digest = hashlib.sha256(b"a@b.example\nc@d.example").hexdigest()
    (segment,) = api.sandbox.state("digests")["segments"]
    assert segment["members"] == {"email": {"count": 2, "sha256": digest}}
    (segment,) = api.sandbox.state("members")["segments"]
    assert segment["members"] == {"email": sorted(members)}
    assert json.loads(json.dumps(state)) == state


def test_a_reset_keeps_apps_and_options() -> None:
    api = Api(refresh_field="absent")
    api.sandbox.admit({"client_id": "me", "client_secret": "s", "advertiser_id": 77})
    api.create("spring")
    api.sandbox.reset()
    assert refusal(api.search()) == (401, "authorization-token-invalid")
    assert "refresh_token" not in api.token("me", "s").json()
    api.log_in()
    assert api.search().json()["data"] == []
    assert api.create("summer").json()["data"][0]["id"] == "70001"


def test_settings_are_let_in(api: Api) -> None:
    """Admitting again adds an advertiser and replaces the secret."""
    for secret, advertiser in (("first", "77"), ("second", "78")):
        settings = {"client_id": "me", "client_secret": secret, "advertiser_id": advertiser}
        api.sandbox.admit(settings)
    assert api.token("me", "first").status_code == 401
    token = api.token("me", "second").json()["access_token"]
    api.client.headers["Authorization"] = f"Bearer {token}"
    assert api.create("x", advertiser="77").status_code == 200
    assert api.create("x", advertiser="78").status_code == 200
    assert api.create("x", advertiser="12345").status_code == 403


def test_an_app_never_shows_its_secret() -> None:
    assert "hidden" not in repr(App("me", "hidden", frozenset()))


def test_members_of_a_name_can_be_asked_per_advertiser(api: Api) -> None:
    api.sandbox.add_segment("spring", members=["a@b.example"])
    api.sandbox.add_segment("spring", advertiser="99", members=["c@d.example"])
    assert api.sandbox.members("spring") == {"a@b.example"}
    assert api.sandbox.members("spring", advertiser="99") == {"c@d.example"}


def test_the_page_shows_the_audience_arrive(api: Api) -> None:
    assert "No audiences yet." in render(api.sandbox)
    api.create("spring <3")
    api.amend("70001", "add", [f"{number}@b.example" for number in range(1234)])
    page = render(api.sandbox)
    assert "<td>spring &lt;3</td>" in page
    assert '<td class="number">1,234</td>' in page
    assert '<td class="number">248</td>' in page
    assert "segment 70001, add 1234, type email, invalid 0" in page


def test_a_million_identifiers_arrive_on_loopback() -> None:
    """Twenty full requests; the list then holds what was sent."""
    sandbox = CriteoSandbox(clock=FrozenClock(NOW))
    segment = sandbox.add_segment("spring")
    with serve(sandbox) as server, httpx.Client(base_url=server.url) as client:
        token = client.post("/oauth2/token", data=_CREDENTIALS).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        for start in range(0, 1_000_000, 50_000):
            identifiers = [f"{number:064x}" for number in range(start, start + 50_000)]
            attributes = {"operation": "add", "identifiers": identifiers}
            body = {"data": {"type": "ContactlistAmendment", "attributes": attributes}}
            answer = client.patch(f"{SEGMENTS}/{segment}/contact-list", json=body)
            assert answer.json()["data"]["attributes"]["nbValidIdentifiers"] == 50_000
    members = sandbox.members("spring")
    assert len(members) == 1_000_000
    assert f"{999_999:064x}" in members


_CREDENTIALS = {
    "client_id": "sandbox-client",
    "client_secret": "sandbox-secret",
    "grant_type": "client_credentials",
}


def test_calls_from_many_threads_all_take_effect(api: Api) -> None:
    segment = api.sandbox.add_segment("spring")

    def amend(worker: int) -> None:
        for call in range(10):
            identifiers = [f"{worker}-{call}-{number}@b.example" for number in range(20)]
            answer = api.amend(segment, "add", identifiers)
            assert answer.json()["data"]["attributes"]["nbValidIdentifiers"] == 20

    workers = [threading.Thread(target=amend, args=(worker,)) for worker in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(api.sandbox.members("spring")) == 4 * 10 * 20
    assert api.sandbox.calls["amend"] == 40
    assert api.sandbox.state()["apps"][0]["calls_left"] == 210


_WORDS = st.sampled_from([
    "data", "type", "attributes", "advertiserId", "name", "description", "contactList", "location",
    "value", "id", "operation", "identifierType", "identifiers", "gumCallerId", "advertiserIds",
    "audienceSegmentIds", "audienceSegmentTypes", "12345", "70001", "ContactlistAmendment", "add",
    "email", "gum", "ContactList", "",
])  # fmt: skip
_LEAVES = _WORDS | st.none() | st.booleans() | st.integers(-5, 5) | st.floats(0, 1)
_BODIES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=5),
    max_leaves=12,
)
_FRAMED = st.fixed_dictionaries(
    {
        "data": st.fixed_dictionaries(
            {"attributes": st.dictionaries(_WORDS, _BODIES, max_size=6)},
            optional={"type": st.just("ContactlistAmendment"), "id": _LEAVES},
        )
    }
)
_BULK = _FRAMED.map(lambda one: {"data": [one["data"]]})
_CALLS = [
    ("POST", "/search"), ("POST", "/create"), ("PATCH", ""), ("POST", "/delete"),
    ("POST", "/compute-sizes"), ("POST", "/estimate-size"), ("PATCH", "/70001/contact-list"),
]  # fmt: skip


def test_whatever_is_sent_gets_an_answer() -> None:
    """No body breaks the sandbox; rejections always have the documented form."""
    api = Api(rate_limit=10**9)

    @settings(max_examples=150, deadline=None)
    @given(call=st.sampled_from(_CALLS), body=_BODIES | _FRAMED | _BULK)
    def send(call: tuple[str, str], body: Any) -> None:
        if not api.sandbox.state()["segments"]:
            api.sandbox.add_segment("spring")
        method, path = call
        headers = {"Content-Type": "application/json"}
        content = json.dumps(body)
        answer = api.client.request(method, f"{SEGMENTS}{path}", content=content, headers=headers)
        assert answer.status_code in {200, 400, 403, 404}
        assert isinstance(answer.json()["errors"], list)
        assert isinstance(api.sandbox.state("members"), dict)

    send()


def test_the_real_origin_is_the_only_one_in_process() -> None:
    transport = SandboxTransport(CriteoSandbox())
    with httpx.Client(transport=transport) as client, pytest.raises(APIError) as caught:
        client.get("https://rm-api.criteo.com/")
    assert str(caught.value) == (
        "The sandbox simulates https://api.criteo.com, not https://rm-api.criteo.com. "
        "Add it to `origins`."
    )
