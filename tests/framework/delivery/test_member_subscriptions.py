"""People are added and removed without an event, as the subscriptions of a connection do it."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from destinations.criteo_audiences.sandbox import CriteoSandbox
from framework import ConfigurationError, Connection, Delivered, Failed, Subscription, connect
from framework.delivery import Audience, MemberEvents
from framework.plugins import load_plugins
from framework.sandbox import FrozenClock, SandboxTransport
from tests.deliveries import members_of, opened

SPRING = Audience("membership", '["email", null]', "name", "spring")
ADDRESS = "ada@example.com"
SHA256 = hashlib.sha256(ADDRESS.encode()).hexdigest()
MD5 = hashlib.md5(ADDRESS.encode(), usedforsecurity=False).hexdigest()


@pytest.fixture
def criteo() -> CriteoSandbox:
    return CriteoSandbox(clock=FrozenClock())


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def connected(criteo: CriteoSandbox, *chosen: Subscription) -> Connection:
    plugin = load_plugins().get("criteo")
    transport = SandboxTransport(criteo)
    return connect(plugin, criteo.settings(), chosen or None, transport=transport)


def test_people_are_added_and_removed(criteo: CriteoSandbox) -> None:
    with opened(criteo) as connection:
        members = MemberEvents(connection)
        wanted = {"ada@example.com": True, "bob@example.com": True, "cyd@example.com": False}
        criteo.add_segment("spring", members=["cyd@example.com"])
        events = [members.event(SPRING, who, wanted=added) for who, added in wanted.items()]
        report = members.connection.deliver(events)
    assert [type(one) for one in report.results if isinstance(one, Delivered)] == [Delivered] * 3
    assert members_of(criteo) == {"spring": {"ada@example.com", "bob@example.com"}}


@pytest.mark.parametrize("text", ["ada@example.com", " Ada@Example.COM ", SHA256, SHA256.upper()])
def test_a_person_is_read_in_any_form(criteo: CriteoSandbox, text: str) -> None:
    with opened(criteo) as connection:
        members = MemberEvents(connection)
        assert members.read(SPRING, [text]) == [SHA256]
        assert SHA256 in members.identities([SPRING], text)


def test_a_text_may_stand_for_several_identities(criteo: CriteoSandbox) -> None:
    """An event may decide the form of an address, or the type of identifiers."""
    with opened(criteo) as connection:
        found = MemberEvents(connection).identities([SPRING], ADDRESS)
    assert sorted(found) == sorted([SHA256, sha256(MD5)])


def test_what_is_no_identifier_fails_alone(criteo: CriteoSandbox) -> None:
    with opened(criteo) as connection:
        first, bad, empty, last = MemberEvents(connection).read(SPRING, [ADDRESS, "ada@", "", MD5])
    assert (first, last) == (SHA256, sha256(MD5))
    assert isinstance(bad, Failed)
    assert bad.code == "MALFORMED_IDENTIFIER"
    assert isinstance(empty, Failed)


@pytest.mark.parametrize(
    ("mapping", "audience", "sent"),
    [
        ({"hash_emails": True}, SPRING, SHA256),
        ({"email_form": "md5"}, SPRING, MD5),
        ({"contact_list_id": "0070001"}, SPRING._replace(naming="id", name="70001"), ADDRESS),
    ],
)
def test_constants_of_the_subscription_are_kept(
    criteo: CriteoSandbox, mapping: dict[str, Any], audience: Audience, sent: str
) -> None:
    criteo.add_segment("spring")
    with opened(criteo, **mapping) as connection:
        members = MemberEvents(connection)
        members.connection.deliver([members.event(audience, ADDRESS, wanted=True)])
    assert members_of(criteo) == {"spring": {sent}}


def test_they_are_sent_together(criteo: CriteoSandbox) -> None:
    """Also if the subscription sends events one by one."""
    with opened(criteo, enable_batching=False) as connection:
        members = MemberEvents(connection)
        people = [f"{number}@example.com" for number in range(100)]
        members.connection.deliver([members.event(SPRING, one, wanted=True) for one in people])
    assert criteo.calls["amend"] == 1
    assert criteo.members("spring") == set(people)


def test_the_kind_of_identifiers_is_that_of_the_audience(criteo: CriteoSandbox) -> None:
    madid = "3F2504E0-4F89-11D3-9A0C-0305E82C3301"
    mobile = SPRING._replace(scope='["madid", null]')
    constant = {"identifier_type": "madid", "identifier": {"@path": "$.properties.ad"}}
    chosen = [
        Subscription(action=action, mapping=mapping)
        for mapping in ({}, constant)
        for action in ("addUserToAudience", "removeUserFromAudience")
    ]
    with connected(criteo, *chosen) as connection:
        members = MemberEvents(connection)
        assert members.audiences("spring") == [SPRING, mobile]
        members.connection.deliver(
            [members.event(mobile, madid, wanted=True), members.event(SPRING, ADDRESS, wanted=True)]
        )
    assert criteo.members("spring", identifier_type="madid") == {madid}
    assert criteo.members("spring") == {ADDRESS}


def test_a_list_is_named_by_its_id_on_request(criteo: CriteoSandbox) -> None:
    with opened(criteo) as connection:
        found = MemberEvents(connection).audiences("70001", "id")
    assert found == [SPRING._replace(naming="id", name="70001")]


def test_an_audience_of_no_subscription_is_refused(criteo: CriteoSandbox) -> None:
    with opened(criteo, contact_list_id="70001") as connection:
        members = MemberEvents(connection)
        assert members.audiences("spring") == []
        with pytest.raises(ConfigurationError, match="adds people to the audience `spring`"):
            members.event(SPRING, ADDRESS, wanted=True)


def test_a_connection_that_only_adds_can_remove(criteo: CriteoSandbox) -> None:
    """What it adds is removed in the same form."""
    adds = Subscription(action="addUserToAudience", mapping={"email_form": "md5"})
    criteo.add_segment("spring", members=[MD5])
    with connected(criteo, adds) as connection:
        members = MemberEvents(connection)
        members.connection.deliver([members.event(SPRING, ADDRESS, wanted=False)])
    assert members_of(criteo) == {}
