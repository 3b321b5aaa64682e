"""The ledger of memberships in a store of events, as seen by commands and by runs over files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from framework.delivery import Audience, Member, MemberChange, Memberships


class AudienceStatus(NamedTuple):
    """An audience in a ledger: the connection that changes it, and the numbers of people.

    *id* is its number in the store. *account* tells whose audience it is at the partner: the
    destination and a digest of the settings that say where. *members* are wanted in it, *pending*
    are those whose state is not confirmed, in or out. *shared* is whether another connection
    changes it too, *ambiguous* whether it may be the same as one with another naming; nothing is
    confirmed in such audiences, and everybody is pending.
    """

    id: int
    connection: str
    account: str
    audience: Audience
    members: int
    pending: int
    shared: bool
    ambiguous: bool = False


class Claim(Protocol):
    """The right to work for a connection, as far as its memberships are concerned."""

    @property
    def connection(self) -> str:
        """The name of the connection."""

    def check(self) -> None:
        """Raise OwnershipLostError if another process has taken over; the fence before calls."""

    def memberships(self, account: str) -> Memberships:
        """Return the memberships that the connection changes in *account* at the partner.

        Members that are saved from now on are those of this account.
        """

    def save_members(self, members: Sequence[MemberChange]) -> None:
        """Save states in one transaction, durable when this returns.

        Raises OwnershipLostError, and saves nothing, if another process has taken over.
        """

    def release(self) -> None:
        """Give the connection back; further calls have no effect."""


class Doubt(NamedTuple):
    """A person for which a call may have reached the partner after a newer one.

    *identifier* is what was sent, kept until the state was sent once more. *account* is that of the
    audience, see `AudienceStatus`. The store assigns *id*.
    """

    audience: Audience
    person: bytes
    identifier: str
    account: str
    id: int = 0


class LedgerStore(Protocol):
    """The ledger of all connections of a store."""

    def digests(self, identities: Sequence[str]) -> list[bytes]:
        """Return the keyed digest of each canonical identity, 16 bytes, aligned.

        The key belongs to the store: HMAC-SHA256, cut to 16 bytes.
        """

    def audiences(self, connection: str | None = None) -> list[AudienceStatus]:
        """Return all audiences, or those that one connection changes, by connection and name."""

    def members(
        self, audience: int, *, pending: bool = False, after: bytes = b"", most: int = 10_000
    ) -> list[tuple[bytes, Member]]:
        """Return at most *most* people with a digest above *after*, by digest.

        With *pending*, only those whose state is not confirmed.
        """

    def person(self, people: Sequence[bytes]) -> list[tuple[AudienceStatus, bytes, Member]]:
        """Return the states of people in all audiences; the statuses have no counts (0)."""

    def clear(self, audience: int) -> int:
        """Record that nobody's state is confirmed; return the number of people changed.

        Audiences that may be the same one are cleared, too. None of them is shared or ambiguous
        afterwards, until connections change them again that make it so.
        """

    def erase(self, people: Sequence[bytes]) -> int:
        """Delete everything about people, doubts included; return the number of states deleted."""

    def drop(self, connection: str) -> int:
        """Delete the audiences of a connection, and its doubts; return the number of people.

        Audiences that it shares with others stay.
        """

    def doubts(self, connection: str) -> int:
        """Return the number of doubts about people in audiences of a connection."""

    def doubt(self, connection: str, doubts: Sequence[Doubt]) -> None:
        """Record that calls about people may arrive late; their state is not confirmed any more.

        For a process that has lost the connection: the owner sends their state again.
        """
