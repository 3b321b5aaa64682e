"""What has to change so that audiences equal a list, or what their ledger says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeVar

from msgspec import Struct

from framework.audiences.person_changes import Changes, PersonChange
from framework.audiences.sources import PeopleReader, PeopleSource
from framework.delivery import Member
from framework.relay import AudienceStatus, LedgerStore

_PAGE: Final = 10_000
"""People that are read from a ledger, or written, at a time."""

T = TypeVar("T")


class ListComparison(Struct, frozen=True):
    """How a list and an audience differ, in people.

    *listed* are in the list, *repeated* is the number of lines that name one of them again.
    *members* are wanted in the audience so far. *added* and *removed* are to change; *unchanged*
    are in both, and confirmed; *again* are as wanted, but not confirmed.
    """

    listed: int
    repeated: int
    members: int
    added: int
    removed: int
    unchanged: int
    again: int


def compare(
    changes: Changes,
    reader: PeopleReader,
    given: PeopleSource,
    members: Iterable[tuple[bytes, Member]],
) -> ListComparison:
    """Add to *changes* what makes the only audience of *reader* equal to a list; compare them.

    *members* are the people that the ledger knows in the audience, by digest.
    """
    audience = lines = 0
    for _, people in reader.read(given):
        lines += len(people)
        changes.list_people((one.digest, one.line) for one in people)
    found: Counter[str] = Counter()
    chosen = _chosen(changes.listed(), members, audience, found)
    for some in _blocks(chosen, _PAGE):
        changes.add(some)
    return ListComparison(
        listed=found["listed"],
        repeated=lines - found["listed"],
        members=found["members"],
        added=found["added"],
        removed=found["removed"],
        unchanged=found["unchanged"],
        again=found["again"],
    )


def _chosen(
    listed: Iterable[tuple[bytes, int]],
    members: Iterable[tuple[bytes, Member]],
    audience: int,
    found: Counter[str],
) -> Iterator[PersonChange]:
    """Yield the changes, and count; both are in the order of digests."""
    known, nobody = iter(members), (b"", None)
    person, member = next(known, nobody)
    for digest, line in listed:
        found["listed"] += 1
        while member is not None and person < digest:
            yield from _unlisted(person, member, audience, found)
            person, member = next(known, nobody)
        state = None
        if member is not None and person == digest:
            state = member
            person, member = next(known, nobody)
        found["members"] += bool(state and state.wanted)
        kind = "added" if not (state and state.wanted) else "again"
        if state and state.wanted and state.confirmed:
            kind = "unchanged"
        found[kind] += 1
        if kind != "unchanged":
            yield PersonChange(digest, audience, True, line)
    while member is not None:
        yield from _unlisted(person, member, audience, found)
        person, member = next(known, nobody)


def _unlisted(
    person: bytes, member: Member, audience: int, found: Counter[str]
) -> Iterator[PersonChange]:
    """Yield the removal of somebody who is not in the list, if one has to be sent."""
    found["members"] += member.wanted
    if member.wanted:
        found["removed"] += 1
    elif not member.confirmed:
        found["again"] += 1
    else:
        return
    yield PersonChange(person, audience, False)


def add_pending(changes: Changes, ledger: LedgerStore, statuses: Sequence[AudienceStatus]) -> None:
    """Add to *changes* everybody whose state in one of some audiences is not confirmed."""
    for place, status in enumerate(statuses):
        pending = read_members(ledger, status, pending=True)
        rows = (PersonChange(person, place, one.wanted) for person, one in pending)
        for some in _blocks(rows, _PAGE):
            changes.add(some)


def read_members(
    ledger: LedgerStore, status: AudienceStatus, *, pending: bool = False
) -> Iterator[tuple[bytes, Member]]:
    """Yield the people of an audience, by digest."""
    after = b""
    while page := ledger.members(status.id, pending=pending, after=after, most=_PAGE):
        after = page[-1][0]
        yield from page


def _blocks(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield *rows* in lists of at most *size*."""
    block: list[T] = []
    for row in rows:
        block.append(row)
        if len(block) == size:
            yield block
            block = []
    if block:
        yield block
