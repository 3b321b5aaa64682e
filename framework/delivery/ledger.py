"""Who shall be in which audience at the partner, and whether the partner has confirmed it.

A ledger keeps the memberships that a connection has sent. It never holds an identifier: people are
known by a keyed digest of their canonical identity, which is the same for every form in which an
identifier is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol


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

    def clear(self, audience: Audience) -> int:
        """Record durably that nobody's state is confirmed; return the number of people changed.

        Who is wanted stays. Raises OwnershipLostError like `unconfirm`.
        """
