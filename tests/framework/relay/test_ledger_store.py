"""The contract of the ledger of a store: what every store promises, tested on each of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.delivery import Audience, Known, Member, MemberChange, Memberships
from framework.errors import OwnershipLostError
from framework.relay import Claim, Doubt, EventStore, PostgresStore, SQLiteStore
from tests.postgres import own_schema

Opener: TypeAlias = Callable[[], EventStore]

BUYERS = Audience("list", "advertiser 1", "name", "Buyers")
READERS = Audience("list", "advertiser 1", "name", "Readers")
BY_ID = Audience("list", "advertiser 1", "id", "42")
ELSEWHERE = Audience("list", "advertiser 2", "id", "42")
ACCOUNT = "criteo 1234"


@pytest.fixture(params=["sqlite", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the store of a test is."""
    if request.param == "sqlite":
        return str(tmp_path / "events.db")
    url: str = request.getfixturevalue("postgres_url")
    return url


def open_at(address: str) -> EventStore:
    return PostgresStore(address) if "://" in address else SQLiteStore(address)


@pytest.fixture
def opener(address: str) -> Iterator[Opener]:
    opened: list[EventStore] = []

    def open_store() -> EventStore:
        opened.append(open_at(address))
        return opened[-1]

    yield open_store
    for store in opened:
        store.close()


@pytest.fixture
def store(opener: Opener) -> EventStore:
    return opener()


def claimed(store: EventStore, connection: str = "ads") -> Claim:
    claim = store.claim(connection)
    assert claim is not None
    return claim


def person(number: int) -> bytes:
    return number.to_bytes(16, "big")


ANNA, BERT, CARL = person(1), person(2), person(3)
IN, OUT = Member(wanted=True, confirmed=True, since=100), Member(False, True, 200)
GOING_IN, GOING_OUT = Member(True, False, 300), Member(False, False, 400)


def save(
    claim: Claim, memberships: Memberships, audience: Audience, states: dict[bytes, Member]
) -> None:
    """Save states as a delivery does: with the version that it has seen."""
    version = memberships.look_up(audience, list(states)).version
    claim.save_members([MemberChange(audience, *one, version) for one in states.items()])


# People


def test_people_are_known_by_a_digest_with_a_key_of_the_store(
    opener: Opener, tmp_path: Path
) -> None:
    store = opener()
    identities = ["nora@example.com", "", "\ud800", "nora@example.com"]
    digests = store.ledger.digests(identities)
    assert [len(one) for one in digests] == [16] * 4
    assert digests[0] == digests[3]
    assert len(set(digests)) == 3
    assert opener().ledger.digests(identities) == digests
    assert claimed(store).memberships(ACCOUNT).digests(identities) == digests
    assert store.ledger.digests([]) == []
    with SQLiteStore(tmp_path / "another.db") as another:
        assert not set(another.ledger.digests(identities)) & set(digests)


# States


def test_states_are_kept_by_audience_and_person(opener: Opener) -> None:
    store = opener()
    claim = claimed(store)
    ads = claim.memberships(ACCOUNT)
    assert ads.look_up(BUYERS, [ANNA, BERT]).members == {}
    save(claim, ads, BUYERS, {ANNA: IN, BERT: OUT})
    save(claim, ads, READERS, {ANNA: GOING_IN, BERT: GOING_OUT})
    claim.save_members([])
    claim.release()
    again = claimed(opener()).memberships(ACCOUNT)
    assert again.look_up(BUYERS, [ANNA, BERT, CARL]).members == {ANNA: IN, BERT: OUT}
    assert again.look_up(READERS, [ANNA, BERT]).members == {ANNA: GOING_IN, BERT: GOING_OUT}
    assert again.look_up(BUYERS, []).members == {}


def test_a_later_state_replaces_the_earlier_one(store: EventStore) -> None:
    claim = claimed(store)
    ads = claim.memberships(ACCOUNT)
    save(claim, ads, BUYERS, {ANNA: IN, BERT: IN})
    version = ads.look_up(BUYERS, []).version
    changes = [MemberChange(BUYERS, ANNA, one, version) for one in (GOING_OUT, OUT)]
    claim.save_members(changes)
    assert ads.look_up(BUYERS, [ANNA, BERT]).members == {ANNA: OUT, BERT: IN}


def test_many_people_are_looked_up_at_once(store: EventStore) -> None:
    claim = claimed(store)
    ads = claim.memberships(ACCOUNT)
    everybody = {person(number): IN if number % 3 else OUT for number in range(1234)}
    save(claim, ads, BUYERS, everybody)
    assert ads.look_up(BUYERS, [*everybody, person(5000)]).members == everybody


def test_states_that_are_no_longer_confirmed_keep_who_is_wanted(store: EventStore) -> None:
    claim = claimed(store)
    ads = claim.memberships(ACCOUNT)
    save(claim, ads, BUYERS, {ANNA: IN, BERT: OUT, CARL: GOING_IN})
    save(claim, ads, READERS, {ANNA: IN})
    ads.unconfirm(BUYERS, [ANNA, CARL, person(9)])
    assert ads.look_up(BUYERS, [ANNA, BERT, CARL, person(9)]).members == {
        ANNA: Member(True, False, 100),
        BERT: OUT,
        CARL: GOING_IN,
    }
    assert ads.look_up(READERS, [ANNA]).members == {ANNA: IN}
    ads.unconfirm(BUYERS, [ANNA, BERT])
    assert ads.look_up(BUYERS, [ANNA, BERT]).members == {
        ANNA: Member(True, False, 100),
        BERT: Member(False, False, 200),
    }


def test_members_are_forgotten_if_an_audience_is_gone(store: EventStore) -> None:
    claim = claimed(store)
    ads = claim.memberships(ACCOUNT)
    save(claim, ads, BUYERS, {ANNA: IN, BERT: OUT, CARL: GOING_IN})
    save(claim, ads, READERS, {ANNA: IN})
    assert ads.forget_members(BUYERS) == 1
    assert ads.look_up(BUYERS, [ANNA, BERT, CARL]).members == {
        ANNA: Member(True, False, 100),
        BERT: OUT,
        CARL: GOING_IN,
    }
    assert ads.look_up(READERS, [ANNA]).members == {ANNA: IN}
    assert ads.forget_members(BUYERS) == 0


def test_members_of_all_audiences_of_a_connection_are_forgotten(store: EventStore) -> None:
    first, second = claimed(store), claimed(store, "crm")
    ads, elsewhere = first.memberships(ACCOUNT), first.memberships("another")
    crm = second.memberships(ACCOUNT)
    save(second, crm, ELSEWHERE, {ANNA: IN})
    save(first, elsewhere, BUYERS, {ANNA: IN})
    ads = first.memberships(ACCOUNT)
    save(first, ads, BUYERS, {ANNA: IN})
    save(first, ads, READERS, {ANNA: IN, BERT: OUT})
    assert ads.forget_members() == 2
    assert ads.look_up(BUYERS, [ANNA]).members == {ANNA: Member(True, False, 100)}
    assert ads.look_up(READERS, [BERT]).members == {BERT: OUT}
    assert crm.look_up(ELSEWHERE, [ANNA]).members == {ANNA: IN}
    assert elsewhere.look_up(BUYERS, [ANNA]).members == {ANNA: IN}


def test_states_of_people_are_deleted(store: EventStore) -> None:
    first, second = claimed(store), claimed(store, "crm")
    ads, crm = first.memberships(ACCOUNT), second.memberships(ACCOUNT)
    save(first, ads, BUYERS, {ANNA: IN, BERT: OUT})
    save(first, ads, READERS, {ANNA: IN})
    save(second, crm, ELSEWHERE, {ANNA: IN})
    assert ads.erase([ANNA, CARL]) == 2
    assert ads.erase([]) == 0
    assert ads.look_up(BUYERS, [ANNA, BERT]).members == {BERT: OUT}
    assert crm.look_up(ELSEWHERE, [ANNA]).members == {ANNA: IN}


def test_a_cleared_audience_keeps_who_is_wanted(store: EventStore) -> None:
    claim = claimed(store)
    ads = claim.memberships(ACCOUNT)
    save(claim, ads, BUYERS, {ANNA: IN, BERT: OUT, CARL: GOING_IN})
    save(claim, ads, READERS, {ANNA: IN})
    before = ads.look_up(BUYERS, []).version
    buyers = next(one for one in store.ledger.audiences() if one.audience == BUYERS)
    assert store.ledger.clear(buyers.id) == 2
    after = ads.look_up(BUYERS, [ANNA, BERT])
    assert after.version not in {before, None}
    assert after.members == {ANNA: Member(True, False, 100), BERT: Member(False, False, 200)}
    assert ads.look_up(READERS, [ANNA]).members == {ANNA: IN}
    assert store.ledger.clear(buyers.id) == 0


def test_what_was_confirmed_before_an_audience_was_cleared_is_not_confirmed(
    opener: Opener,
) -> None:
    store = opener()
    claim = claimed(store)
    ads = claim.memberships(ACCOUNT)
    save(claim, ads, BUYERS, {ANNA: GOING_IN})
    version = ads.look_up(BUYERS, []).version
    (buyers,) = opener().ledger.audiences()
    opener().ledger.clear(buyers.id)
    claim.save_members([MemberChange(BUYERS, ANNA, IN, version)])
    claim.save_members([MemberChange(BUYERS, BERT, IN)])
    assert ads.look_up(BUYERS, [ANNA, BERT]).members == {
        ANNA: Member(True, False, 100),
        BERT: Member(True, False, 100),
    }
    save(claim, ads, BUYERS, {ANNA: IN})
    assert ads.look_up(BUYERS, [ANNA]).members == {ANNA: IN}


def test_accounts_have_audiences_of_their_own(store: EventStore) -> None:
    claim = claimed(store)
    ads = claim.memberships(ACCOUNT)
    save(claim, ads, BUYERS, {ANNA: IN})
    other = claim.memberships("another")
    assert other.look_up(BUYERS, [ANNA]).members == {}
    save(claim, other, BUYERS, {ANNA: OUT})
    assert ads.look_up(BUYERS, [ANNA]).members == {ANNA: IN}
    assert not any(one.shared for one in store.ledger.audiences())


# Audiences that others change, or that may be the same one


def test_nothing_is_confirmed_in_an_audience_that_two_connections_change(
    opener: Opener,
) -> None:
    store = opener()
    first, second = claimed(store), claimed(opener(), "crm")
    ads, crm = first.memberships(ACCOUNT), second.memberships(ACCOUNT)
    save(first, ads, BUYERS, {ANNA: IN})
    save(first, ads, READERS, {ANNA: IN})
    version = ads.look_up(BUYERS, []).version
    found = crm.look_up(BUYERS, [ANNA])
    assert found == Known(None, {ANNA: Member(True, False, 100)})
    assert ads.look_up(BUYERS, [ANNA]) == found
    first.save_members([MemberChange(BUYERS, ANNA, IN, version)])
    assert ads.look_up(BUYERS, [ANNA]) == found
    buyers, readers = store.ledger.audiences()
    assert (buyers.shared, buyers.ambiguous, buyers.members, buyers.pending) == (True, False, 1, 1)
    assert (readers.shared, readers.members, readers.pending) == (False, 1, 0)
    assert ads.look_up(READERS, [ANNA]).members == {ANNA: IN}


def test_a_shared_audience_that_was_cleared_is_that_of_the_next_connection(
    opener: Opener,
) -> None:
    store = opener()
    first, second = claimed(store), claimed(opener(), "crm")
    ads, crm = first.memberships(ACCOUNT), second.memberships(ACCOUNT)
    save(first, ads, BUYERS, {ANNA: IN})
    crm.look_up(BUYERS, [])
    (buyers,) = store.ledger.audiences()
    assert store.ledger.clear(buyers.id) == 1
    save(second, crm, BUYERS, {ANNA: IN, BERT: IN})
    assert crm.look_up(BUYERS, [ANNA, BERT]).members == {ANNA: IN, BERT: IN}
    (buyers,) = store.ledger.audiences()
    assert (buyers.connection, buyers.shared, buyers.pending) == ("crm", False, 0)
    assert ads.look_up(BUYERS, [ANNA]).version is None
    assert crm.look_up(BUYERS, [ANNA]).version is None


def test_nothing_is_confirmed_where_audiences_have_two_namings(store: EventStore) -> None:
    claim = claimed(store)
    ads = claim.memberships(ACCOUNT)
    save(claim, ads, BUYERS, {ANNA: IN})
    save(claim, ads, ELSEWHERE, {ANNA: IN})
    assert ads.look_up(BY_ID, [ANNA]) == Known(None, {})
    save(claim, ads, BY_ID, {ANNA: OUT})
    save(claim, ads, READERS, {ANNA: IN})
    for audience in (BUYERS, READERS, BY_ID):
        found = ads.look_up(audience, [ANNA])
        assert (found.version, found.members[ANNA].confirmed) == (None, False)
    assert ads.look_up(ELSEWHERE, [ANNA]).members == {ANNA: IN}
    statuses = {one.audience: one for one in store.ledger.audiences()}
    assert [one for one in statuses if statuses[one].ambiguous] == [BY_ID, BUYERS, READERS]
    assert statuses[BY_ID].pending == 1


def test_audiences_with_two_namings_are_cleared_together(store: EventStore) -> None:
    claim = claimed(store)
    ads = claim.memberships(ACCOUNT)
    save(claim, ads, BUYERS, {ANNA: IN})
    save(claim, ads, READERS, {ANNA: IN})
    ads.look_up(BY_ID, [])
    statuses = {one.audience: one.id for one in store.ledger.audiences()}
    store.ledger.clear(statuses[BUYERS])
    assert not any(one.ambiguous for one in store.ledger.audiences())
    save(claim, ads, BUYERS, {ANNA: IN})
    assert ads.look_up(BUYERS, [ANNA]).members == {ANNA: IN}
    assert ads.look_up(READERS, [ANNA]).members == {ANNA: Member(True, False, 100)}
    assert ads.look_up(BY_ID, []).version is None
    assert ads.look_up(BUYERS, []).version is None


# Ownership


def test_a_claim_excludes_owners_and_other_claims(opener: Opener) -> None:
    one, other = opener(), opener()
    claim = claimed(one)
    claim.check()
    assert claim.connection == "ads"
    assert one.claim("ads") is None
    assert other.claim("ads") is None
    assert other.own("ads", "web") is None
    claim.release()
    claim.release()
    owner = other.own("ads", "web")
    assert owner is not None
    assert one.claim("ads") is None
    owner.release()
    claimed(one).check()
    assert [cursor.connection for cursor in one.cursors()] == ["ads"]


def test_a_closed_store_gives_its_claims_back(opener: Opener) -> None:
    one = opener()
    claimed(one)
    one.close()
    claimed(opener())


def test_who_lost_a_connection_changes_nothing(store: EventStore) -> None:
    claim = claimed(store)
    ads = claim.memberships(ACCOUNT)
    save(claim, ads, BUYERS, {ANNA: IN})
    version = ads.look_up(BUYERS, []).version
    claim.release()
    late = MemberChange(BUYERS, ANNA, OUT, version)
    with pytest.raises(OwnershipLostError, match="no longer works for the connection `ads`"):
        claim.check()
    with pytest.raises(OwnershipLostError):
        claim.save_members([late])
    with pytest.raises(OwnershipLostError):
        ads.unconfirm(BUYERS, [ANNA])
    with pytest.raises(OwnershipLostError):
        ads.forget_members(BUYERS)
    with pytest.raises(OwnershipLostError):
        ads.erase([ANNA])
    with pytest.raises(OwnershipLostError):
        ads.look_up(READERS, [ANNA])
    owner = store.own("ads", "web")
    assert owner is not None
    assert owner.memberships(ACCOUNT).look_up(BUYERS, [ANNA]).members == {ANNA: IN}


def test_an_owner_whose_cursor_was_dropped_changes_nothing(store: EventStore) -> None:
    owner = store.own("ads", "web")
    assert owner is not None
    ads = owner.memberships(ACCOUNT)
    save(owner, ads, BUYERS, {ANNA: IN})
    assert store.drop("ads")
    assert store.ledger.audiences() == []
    with pytest.raises(OwnershipLostError):
        owner.save_members([MemberChange(BUYERS, ANNA, OUT)])
    with pytest.raises(OwnershipLostError):
        owner.save(0, b"", members=[MemberChange(BUYERS, ANNA, OUT)])
    with pytest.raises(OwnershipLostError):
        ads.unconfirm(BUYERS, [ANNA])
    assert store.ledger.audiences() == []


def test_an_owner_saves_members_with_its_position(opener: Opener) -> None:
    store = opener()
    owner = store.own("ads", "web")
    assert owner is not None
    store.append("web", [b"1"])
    ads = owner.memberships(ACCOUNT)
    version = ads.look_up(BUYERS, [ANNA]).version
    owner.save(1, b"checkpoint", members=[MemberChange(BUYERS, ANNA, IN, version)])
    owner.release()
    again = opener().own("ads", "web")
    assert again is not None
    assert again.position.offset == 1
    assert again.memberships(ACCOUNT).look_up(BUYERS, [ANNA]).members == {ANNA: IN}


# The ledger as commands see it


def test_audiences_are_listed_with_the_numbers_of_people(store: EventStore) -> None:
    first, second = claimed(store), claimed(store, "crm")
    ads, crm = first.memberships(ACCOUNT), second.memberships("another")
    save(first, ads, READERS, {ANNA: IN, BERT: OUT, CARL: GOING_IN})
    save(first, ads, BUYERS, {ANNA: GOING_OUT})
    save(second, crm, BUYERS, {ANNA: IN})
    found = store.ledger.audiences()
    assert [(one.connection, one.audience, one.members, one.pending) for one in found] == [
        ("ads", BUYERS, 0, 1),
        ("ads", READERS, 2, 1),
        ("crm", BUYERS, 1, 0),
    ]
    assert [one.account for one in found] == [ACCOUNT, ACCOUNT, "another"]
    assert store.ledger.audiences("crm") == found[2:]
    assert store.ledger.audiences("nobody") == []
    assert len({one.id for one in found}) == 3


def test_members_are_listed_by_digest(store: EventStore) -> None:
    claim = claimed(store)
    ads = claim.memberships(ACCOUNT)
    states = {person(number): (IN, OUT, GOING_IN, GOING_OUT)[number % 4] for number in range(1, 21)}
    save(claim, ads, BUYERS, states)
    (buyers,) = store.ledger.audiences()
    assert store.ledger.members(buyers.id) == list(states.items())
    first = store.ledger.members(buyers.id, most=7)
    assert first == list(states.items())[:7]
    assert store.ledger.members(buyers.id, after=first[-1][0]) == list(states.items())[7:]
    pending = [one for one in states.items() if not one[1].confirmed]
    assert store.ledger.members(buyers.id, pending=True) == pending
    assert store.ledger.members(buyers.id, pending=True, after=person(3), most=2) == pending[2:4]
    claimed(store, "crm").memberships(ACCOUNT).look_up(BUYERS, [])
    assert [one for one, _ in store.ledger.members(buyers.id, pending=True)] == list(states)


def test_a_person_is_found_in_all_audiences(store: EventStore) -> None:
    first, second = claimed(store), claimed(store, "crm")
    ads, crm = first.memberships(ACCOUNT), second.memberships("another")
    save(first, ads, BUYERS, {ANNA: IN, BERT: IN})
    save(first, ads, READERS, {ANNA: GOING_OUT, CARL: IN})
    save(second, crm, BUYERS, {ANNA: OUT})
    found = store.ledger.person([ANNA, person(9)])
    assert [(one.connection, one.audience, who, member) for one, who, member in found] == [
        ("ads", BUYERS, ANNA, IN),
        ("ads", READERS, ANNA, GOING_OUT),
        ("crm", BUYERS, ANNA, OUT),
    ]
    assert store.ledger.person([]) == []


def test_a_person_is_erased_everywhere(store: EventStore) -> None:
    claim = claimed(store)
    ads = claim.memberships(ACCOUNT)
    save(claim, ads, BUYERS, {ANNA: IN, BERT: IN})
    save(claim, ads, READERS, {ANNA: IN})
    store.ledger.doubt("ads", [Doubt(BUYERS, ANNA, "a", ACCOUNT)])
    assert store.ledger.erase([ANNA, CARL]) == 2
    assert store.ledger.person([ANNA]) == []
    assert ads.look_up(BUYERS, [ANNA, BERT]).members == {BERT: IN}
    assert store.ledger.erase([ANNA]) == 0
    claim.release()
    owner = store.own("ads", "web")
    assert owner is not None
    assert owner.doubts() == []


def test_a_dropped_connection_has_no_audiences(store: EventStore) -> None:
    first, second = claimed(store), claimed(store, "crm")
    ads, crm = first.memberships(ACCOUNT), second.memberships(ACCOUNT)
    save(first, ads, BUYERS, {ANNA: IN, BERT: OUT})
    save(second, crm, READERS, {ANNA: IN})
    first.release()
    assert store.drop("ads")
    assert not store.drop("ads")
    assert [one.audience for one in store.ledger.audiences()] == [READERS]
    assert store.ledger.drop("crm") == 1
    assert store.ledger.audiences() == []
    again = claimed(store)
    save(again, again.memberships(ACCOUNT), READERS, {BERT: IN})
    assert [one.members for one in store.ledger.audiences()] == [1]


def test_a_shared_audience_outlives_the_first_connection(store: EventStore) -> None:
    first, second = claimed(store), claimed(store, "crm")
    ads, crm = first.memberships(ACCOUNT), second.memberships(ACCOUNT)
    save(first, ads, BUYERS, {ANNA: IN})
    crm.look_up(BUYERS, [])
    assert store.ledger.drop("ads") == 0
    found = crm.look_up(BUYERS, [ANNA])
    assert found.version is not None
    assert found.members == {ANNA: Member(True, False, 100)}
    (buyers,) = store.ledger.audiences()
    assert (buyers.connection, buyers.shared) == ("crm", False)


# Doubts


def test_doubts_are_kept_until_they_are_resolved(opener: Opener) -> None:
    store = opener()
    owner = store.own("ads", "web")
    assert owner is not None
    ads = owner.memberships(ACCOUNT)
    save(owner, ads, BUYERS, {ANNA: IN, BERT: OUT, CARL: IN})
    doubts = [
        Doubt(BUYERS, ANNA, "anna@example.com", ACCOUNT),
        Doubt(BUYERS, BERT, "bert", ACCOUNT),
        Doubt(READERS, ANNA, "anna@example.com", ACCOUNT),
    ]
    opener().ledger.doubt("ads", doubts)
    opener().ledger.doubt("crm", doubts[:1])
    found = owner.doubts()
    assert [one._replace(id=0) for one in found] == doubts
    assert owner.doubts(1) == found[:1]
    assert [store.ledger.doubts(name) for name in ("ads", "crm", "nobody")] == [3, 1, 0]
    assert ads.look_up(BUYERS, [ANNA, BERT, CARL]).members == {
        ANNA: Member(True, False, 100),
        BERT: Member(False, False, 200),
        CARL: IN,
    }
    owner.save(0, b"", resolved=[found[0].id, found[2].id])
    assert owner.doubts() == found[1:2]
    store.drop("ads")
    assert owner.doubts() == []


# A model


class Step(NamedTuple):
    """What a connection does about a person in an audience."""

    act: str
    connection: str
    audience: Audience
    number: int
    wanted: bool


STEPS = st.builds(
    Step,
    st.sampled_from(["save", "save", "unconfirm", "forget", "operator"]),
    st.sampled_from(["ads", "crm"]),
    st.sampled_from([BUYERS, BY_ID, ELSEWHERE]),
    st.integers(0, 3),
    st.booleans(),
)


class Model:
    """A partner at which BUYERS and BY_ID are one list; confirmed states must agree with it."""

    def __init__(self, store: EventStore) -> None:
        self.store = store
        self.claims = {name: claimed(store, name) for name in ("ads", "crm")}
        self.lists: dict[tuple[str, int], bool] = {}

    def save(self, step: Step) -> None:
        memberships = self.claims[step.connection].memberships(ACCOUNT)
        who = person(step.number)
        seen = memberships.look_up(step.audience, [who])
        if (known := seen.members.get(who)) and known.confirmed:
            assert known.wanted == self.lists[step.audience.scope, step.number]
        memberships.unconfirm(step.audience, [who])
        self.lists[step.audience.scope, step.number] = step.wanted
        change = MemberChange(step.audience, who, Member(step.wanted, True, 1), seen.version)
        self.claims[step.connection].save_members([change])

    def unconfirm(self, step: Step) -> None:
        memberships = self.claims[step.connection].memberships(ACCOUNT)
        memberships.unconfirm(step.audience, [person(step.number)])

    def forget(self, step: Step) -> None:
        """Delete the list at the partner, as one connection notices."""
        for scope, number in self.lists:
            if scope == step.audience.scope:
                self.lists[scope, number] = False
        self.claims[step.connection].memberships(ACCOUNT).forget_members(step.audience)

    def operator(self, step: Step) -> None:
        for one in self.store.ledger.audiences():
            if one.audience == step.audience:
                self.store.ledger.clear(one.id)

    def check(self) -> None:
        for one in self.store.ledger.audiences():
            for who, member in self.store.ledger.members(one.id):
                key = one.audience.scope, int.from_bytes(who, "big")
                assert not member.confirmed or member.wanted == self.lists[key]


@given(st.lists(STEPS, max_size=25))
@settings(max_examples=60, deadline=None)
def test_a_confirmed_state_is_that_of_the_last_call_of_anybody(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step]
) -> None:
    with SQLiteStore(tmp_path_factory.mktemp("model") / "events.db") as store:
        follow(store, steps)


@given(st.lists(STEPS, max_size=25))
@settings(max_examples=20, deadline=None)
def test_a_confirmed_state_is_that_of_the_last_call_on_postgres(
    postgres_server: str, steps: list[Step]
) -> None:
    with own_schema(postgres_server) as url, PostgresStore(url) as store:
        follow(store, steps)


def follow(store: EventStore, steps: list[Step]) -> None:
    model = Model(store)
    for step in steps:
        getattr(model, step.act)(step)
    model.check()


# What SQLite stores


def test_events_are_appended_while_a_large_audience_is_cleared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("framework.relay.sqlite_ledger._PART", 7)
    with SQLiteStore(tmp_path / "events.db") as store:
        claim = claimed(store)
        ads = claim.memberships(ACCOUNT)
        states = {person(number): IN if number % 3 else OUT for number in range(1, 101)}
        save(claim, ads, BUYERS, states)
        transactions: list[int] = []
        run = store._writer.run

        def count(write: Callable[[sqlite3.Connection], object]) -> object:
            transactions.append(1)
            return run(write)

        monkeypatch.setattr(store._writer, "run", count)
        assert ads.forget_members(BUYERS) == 67
        assert len(transactions) >= 100 // 7
        (buyers,) = store.ledger.audiences()
        assert (buyers.members, buyers.pending) == (67, 67)
        assert store.ledger.clear(buyers.id) == 33
        assert store.ledger.audiences()[0].pending == 100


def test_no_identifier_is_stored_but_those_of_doubts(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    with SQLiteStore(path) as store:
        claim = claimed(store)
        ads = claim.memberships(ACCOUNT)
        (nora,) = ads.digests(["nora@example.com"])
        save(claim, ads, BUYERS, {nora: IN})
    with closing(sqlite3.connect(path)) as database:
        text = "\n".join(database.iterdump())
    assert "nora" not in text
    assert f"X'{nora.hex().upper()}',3,100" in text
