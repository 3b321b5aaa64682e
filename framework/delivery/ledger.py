"""Who shall be in which audience at the partner, and whether the partner has confirmed it.

A ledger keeps the memberships that a connection has sent. It never holds an identifier: people are
known by a keyed digest of their canonical identity, which is the same for every form in which an
identifier is sent.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from copy import copy
from typing import Final, NamedTuple, Protocol

from framework.results import Delivered, Result, Skipped

NO_AUDIENCE: Final = "NO_AUDIENCE"
"""The code with which destinations skip a removal from an audience that does not exist."""


class Audience(NamedTuple):
    """What rows add people to and remove them from at the partner, such as a list.

    *lane* is that of the rows; *scope*, *naming* and *name* are those of their `Target` as text.
    Audiences that differ only in *naming* and *name* may be the same one at the partner.
    """

    lane: str
    scope: str
    naming: str
    name: str


class Member(NamedTuple):
    """Whether a person is *wanted* in an audience, since when, and if that is *confirmed*.

    It is confirmed once the partner has accepted a call that says so, until the next call about
    the person begins. *since* is the time, in whole seconds since 1970, at which *wanted* last
    changed.
    """

    wanted: bool
    confirmed: bool
    since: int


class Known(NamedTuple):
    """What is saved about people in an audience: the states of those who are known, by digest.

    *version* is a different one once an audience was cleared, and None if nothing counts as
    confirmed in it: because another connection changes it too, or because it may be the same as one
    with another naming.
    """

    version: int | None
    members: Mapping[bytes, Member]


class MemberChange(NamedTuple):
    """The state of one person in one audience, to be saved.

    It is saved as confirmed only if *version* still is the version of the audience.
    """

    audience: Audience
    person: bytes
    member: Member
    version: int | None = None


class Memberships(Protocol):
    """The memberships of one connection in a store; all methods are safe under threads.

    All methods raise StorageError if the store cannot be read or written.
    """

    def digests(self, identities: Sequence[str]) -> list[bytes]:
        """Return the keyed digest of each canonical identity, 16 bytes, aligned."""

    def look_up(self, audience: Audience, people: Sequence[bytes]) -> Known:
        """Return the saved states of people, and record durably that the connection changes them.

        Must have returned before a call that changes the audience. Nothing is confirmed in one
        whose version is None.
        """

    def unconfirm(self, audience: Audience, people: Sequence[bytes]) -> None:
        """Record durably that the state of those people is not confirmed any more.

        Must have returned before a call that changes it. Raises OwnershipLostError, and changes
        nothing, if another process works for the connection.
        """

    def forget_members(self, audience: Audience | None = None) -> int:
        """Record durably that nobody is confirmed as a member; return the number of changes.

        Without *audience*, in all audiences of the connection. Who is wanted stays, and who is
        confirmed to be no member. Raises OwnershipLostError like `unconfirm`.
        """

    def erase(self, people: Sequence[bytes]) -> int:
        """Delete the states of people in all audiences; return their number.

        Raises OwnershipLostError like `unconfirm`.
        """


class LedgerCall:
    """A call about people in an audience, from its begin to its results.

    *people* are their digests, *known* what was known of them, and *wanted* whether the call adds
    or removes each of them; None if that is not known. *places* are those of the people whose state
    the call may change; the others need no call, unless the call *has_forgotten* the members.
    """

    def __init__(
        self,
        audience: Audience,
        people: Sequence[bytes],
        wanted: Sequence[bool | None],
        known: Known,
    ) -> None:
        self.audience = audience
        self.people = people
        self.wanted = wanted
        self.version, self.known = known
        self.places: Sequence[int] = ()
        self.overlapping: set[bytes] = set()
        self.has_forgotten = False

    def is_confirmed(self, place: int) -> bool:
        """Return whether a person is known to be as wanted at the partner."""
        member = self.known.get(self.people[place])
        return member is not None and member.confirmed and member.wanted is self.wanted[place]

    def forgotten(self) -> list[int]:
        """Return the places of people who seemed to need no call, but are no members any more."""
        if not self.has_forgotten:
            return []
        changing = set(self.places)
        members = [place for place, wanted in enumerate(self.wanted) if wanted]
        return [place for place in members if place not in changing]


class _Recent:
    """What is newer than the store about one audience: states, and calls under way, by person."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.version: int | None = None
        self.states: dict[bytes, Member] = {}
        self.under_way: dict[bytes, LedgerCall] = {}
        self.called: dict[bytes, str] = {}

    def follow(self, version: int | None) -> None:
        """Count nothing as confirmed any more if the audience has another *version* now."""
        if version != self.version:
            self.version = version
            for person, member in self.states.items():
                self.states[person] = member._replace(confirmed=False)

    def forget_members(self) -> None:
        """Count nobody as a confirmed member any more."""
        for person, member in self.states.items():
            if member.wanted:
                self.states[person] = member._replace(confirmed=False)

    def begin(self, call: LedgerCall) -> None:
        """Note a call; the outcome of two at a time about one person is not known."""
        people = [call.people[place] for place in call.places]
        if self.under_way:
            for person in people:
                if other := self.under_way.get(person):
                    other.overlapping.add(person)
                    call.overlapping.add(person)
        self.under_way.update(dict.fromkeys(people, call))

    def saved(self) -> None:
        """Forget what was saved; calls under way may still take effect."""
        self.states.clear()
        called, self.called = self.called, {}
        if self.under_way:
            self.called = {one: called[one] for one in self.under_way if one in called}

    def end(self, call: LedgerCall, person: bytes) -> None:
        """Note the end of a call about a person."""
        if self.under_way.get(person) is call:
            del self.under_way[person]


class Ledger:
    """The memberships of a connection during a delivery: those in the store, and newer ones.

    Each call about people `begin`s and is `settle`d with its results. What that gives is kept here
    until it is `save`d. Calls about one audience come one after the other, except those of dead
    letters. *now* returns seconds since 1970. All methods are safe under threads.
    """

    def __init__(self, memberships: Memberships, now: Callable[[], float] = time.time) -> None:
        self._memberships = memberships
        self._now = now
        self._audiences: dict[Audience, _Recent] = {}
        self._suppresses = True

    def sending_all(self) -> Ledger:
        """Return the same ledger for a delivery in which everything is sent."""
        other = copy(self)
        other._suppresses = False  # noqa: SLF001 - its own copy
        return other

    @property
    def unsaved(self) -> int:
        """The number of states that are not saved yet."""
        return sum(len(one.states) for one in [*self._audiences.values()])

    def begin(
        self,
        audience: Audience,
        identities: Sequence[str],
        wanted: Sequence[bool | None],
        identifiers: Sequence[str],
    ) -> LedgerCall:
        """Begin a call about people with distinct canonical *identities*.

        *wanted* and *identifiers*, as they are sent, are aligned with them. Whatever the call may
        change is durably recorded as not confirmed. Raises StorageError and OwnershipLostError;
        then the call must not be made.
        """
        people = self._memberships.digests(identities)
        recent = self._audiences.setdefault(audience, _Recent())
        with recent.lock:
            call = LedgerCall(audience, people, wanted, self._look_up(audience, recent, people))
            places: Sequence[int] = range(len(people))
            if self._suppresses and call.known:
                places = [place for place in places if not call.is_confirmed(place)]
            call.places = places
            if call.known:
                self._unconfirm(call, recent)
            recent.begin(call)
            recent.called.update((people[place], identifiers[place]) for place in places)
        return call

    def settle(self, call: LedgerCall, places: Sequence[int], results: Sequence[Result]) -> None:
        """Keep what *results* of a call say about the people at *places*, aligned."""
        now = int(self._now())
        recent = self._audiences[call.audience]
        with recent.lock:
            certain = recent.version is not None and recent.version == call.version
            for place, result in zip(places, results, strict=True):
                person, wanted = call.people[place], call.wanted[place]
                recent.end(call, person)
                if wanted is None:
                    continue
                before = call.known.get(person)
                since = before.since if before and before.wanted is wanted else now
                confirmed = certain and person not in call.overlapping and _says(result, wanted)
                recent.states[person] = Member(wanted, confirmed, since)

    def forget_members(self, call: LedgerCall) -> None:
        """Record durably that nobody is confirmed as a member of the audience of a call."""
        recent = self._audiences[call.audience]
        with recent.lock:
            self._memberships.forget_members(call.audience)
            recent.forget_members()
            call.has_forgotten = True

    def forget_all_members(self) -> None:
        """Record durably that nobody is confirmed as a member of any audience."""
        with self._all_locked() as audiences:
            self._memberships.forget_members()
            for _, recent in audiences:
                recent.forget_members()

    def erase(self, identities: Sequence[str]) -> None:
        """Delete all states of people with these canonical identities."""
        people = self._memberships.digests(identities)
        with self._all_locked() as audiences:
            for _, recent in audiences:
                for person in people:
                    recent.states.pop(person, None)
            self._memberships.erase(people)

    def save(self, write: Callable[[Sequence[MemberChange]], None]) -> None:
        """Have *write* save all that is not saved yet; no call begins or ends meanwhile."""
        with self._all_locked() as audiences:
            write(
                [
                    MemberChange(audience, person, member, recent.version)
                    for audience, recent in audiences
                    for person, member in recent.states.items()
                ]
            )
            for _, recent in audiences:
                recent.saved()

    def called(self) -> list[tuple[Audience, bytes, str]]:
        """Return all people that calls since the last save may reach, with the identifiers sent."""
        with self._all_locked() as audiences:
            return [
                (audience, *one) for audience, recent in audiences for one in recent.called.items()
            ]

    @contextmanager
    def _all_locked(self) -> Iterator[list[tuple[Audience, _Recent]]]:
        """Yield all audiences; no call begins or ends meanwhile."""
        audiences = [*self._audiences.items()]
        with ExitStack() as locks:
            for _, recent in audiences:
                locks.enter_context(recent.lock)
            yield audiences

    def _look_up(self, audience: Audience, recent: _Recent, people: Sequence[bytes]) -> Known:
        """Return what is known of people; what is newer than the store counts."""
        newer = recent.states
        older = [one for one in people if one not in newer] if newer else people
        found = self._memberships.look_up(audience, older)
        recent.follow(found.version)
        if not newer:
            return found
        known = {one: newer[one] for one in people if one in newer}
        return Known(found.version, {**found.members, **known})

    def _unconfirm(self, call: LedgerCall, recent: _Recent) -> None:
        """Record that what a call may change is not confirmed any more."""
        changing = [call.people[place] for place in call.places]
        confirmed = [one for one in changing if (known := call.known.get(one)) and known.confirmed]
        newer = [one for one in confirmed if one in recent.states]
        saved = [one for one in confirmed if one not in recent.states] if newer else confirmed
        if saved:
            self._memberships.unconfirm(call.audience, saved)
        for person in newer:
            recent.states[person] = recent.states[person]._replace(confirmed=False)


def _says(result: Result, wanted: bool) -> bool:  # noqa: FBT001 - what is asked about
    """Return whether the result of a call says that a person is as *wanted* at the partner."""
    if isinstance(result, Delivered):
        return True
    return not wanted and isinstance(result, Skipped) and result.code == NO_AUDIENCE
