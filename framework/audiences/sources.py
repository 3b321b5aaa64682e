"""Where the identifiers of people come from that a ledger knows by digest only."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import chain
from typing import Final, NamedTuple, Protocol, TypeAlias

from framework.audiences.identifier_lists import IdentifierList
from framework.delivery import Audience, Connection, MemberEvents, identified
from framework.events import START, Chunk, Position, decode
from framework.paths import Event
from framework.relay import DeadLetterFilter, EventStore
from framework.results import Failed

BLOCK: Final = 5_000
"""People that are looked up together."""

MAX_REASONS: Final = 100
"""Malformed lines of a list for which the reason is kept."""

MAX_EVENT: Final = 32 * 1024 * 1024
"""Bytes of an event; an intake bounds events before they are stored."""

UNREADABLE: Final = "The line is too long, not UTF-8, or has no value in the column."
"""The reason given for a line that is not text."""

Digests: TypeAlias = Callable[[Sequence[str]], list[bytes]]
"""Returns the digest of each canonical identity, aligned."""

Texts: TypeAlias = Sequence[tuple[int, str | None]]
"""Identifiers with their lines, 0 for those from elsewhere; None for a line that has none."""


class PeopleSource(Protocol):
    """Knows people by their identifiers; *name* is that of a list, or empty."""

    @property
    def name(self) -> str:
        """The name by which lines are told."""

    def texts(self) -> Iterator[Texts]:
        """Yield identifiers, many at a time; a person may be there several times."""


class ListedPeople:
    """The people in a list."""

    def __init__(self, given: IdentifierList) -> None:
        self._given = given
        self.name = given.name

    def texts(self) -> Iterator[Texts]:
        """Yield the identifiers in the order of the list."""
        block: list[tuple[int, str | None]] = []
        for one in self._given.lines():
            block.append(one)
            if len(block) == BLOCK:
                yield block
                block = []
        if block:
            yield block


class GivenPeople:
    """People with known identifiers."""

    name = ""

    def __init__(self, identifiers: Sequence[str]) -> None:
        self._identifiers = identifiers

    def texts(self) -> Iterator[Texts]:
        """Yield the identifiers."""
        yield [(0, one) for one in self._identifiers]


class EventPeople:
    """The people in the events that a store has of a connection: its dead letters and its log."""

    name = ""

    def __init__(self, store: EventStore, name: str, connection: Connection) -> None:
        self._store = store
        self._name = name
        self._intake = connection.intake(named=False)

    def texts(self) -> Iterator[Texts]:
        """Yield the identifiers as they are sent."""
        intake = self._intake
        for events in chain(self._letters(), self._log()):
            rows = identified(intake, intake.add(events, range(len(events))))
            yield [(0, identifier) for _, identifier, _ in rows]
            intake.objects.clear()
            intake.events.clear()
            intake.take_deletions()

    def _letters(self) -> Iterator[list[Event]]:
        which, after = DeadLetterFilter(connection=self._name), 0
        while letters := self._store.dead_letters.list(which, after=after, most=BLOCK):
            after = letters[-1].id
            lines = [one.event + b"\n" for one in letters]
            yield decode(Chunk(lines, START, Position(0, len(lines))), MAX_EVENT).events

    def _log(self) -> Iterator[list[Event]]:
        for cursor in self._store.cursors():
            if cursor.connection == self._name:
                after = 0
                while chunks := self._store.read(cursor.stream, after, BLOCK):
                    after = chunks[-1].end.offset
                    yield [one for chunk in chunks for one in decode(chunk, MAX_EVENT).events]


class Person(NamedTuple):
    """Somebody whose identifier is known; *line* is that in a list, or 0."""

    identifier: str
    digest: bytes
    line: int = 0


class Malformed(NamedTuple):
    """A line of a list, called *name*, that holds no identifier, and why."""

    name: str
    line: int
    reason: str


class MalformedLines:
    """The lines of lists that hold no identifier: their number, and the first ones."""

    def __init__(self) -> None:
        self.number = 0
        self.first: list[Malformed] = []

    def add(self, name: str, line: int, reason: str) -> None:
        """Add a line of a list."""
        self.number += 1
        if len(self.first) < MAX_REASONS:
            self.first.append(Malformed(name, line, reason))


class PeopleReader:
    """Reads texts as the identifiers that are sent to *audiences*, and finds the people meant.

    Audiences may differ in that, such as in the type of identifiers: a text is read once for each
    way, and a line is malformed if it is an identifier in none.
    """

    def __init__(
        self, members: MemberEvents, audiences: Sequence[Audience], digests: Digests
    ) -> None:
        self._members = members
        self._digests = digests
        self._malformed = MalformedLines()
        readings: dict[Hashable, list[int]] = {}
        for place, audience in enumerate(audiences):
            readings.setdefault(members.reading(audience), []).append(place)
        self._readings = [(audiences[places[0]], frozenset(places)) for places in readings.values()]

    def read(self, source: PeopleSource) -> Iterator[tuple[frozenset[int], Sequence[Person]]]:
        """Yield people, many at a time, with the places of the audiences that know them as such."""
        for texts in source.texts():
            failed: list[dict[int, str]] = []
            for audience, places in self._readings:
                people, bad = self._identified(texts, audience)
                failed.append(bad)
                yield places, people
            if failed:
                for line in sorted(set(failed[0]).intersection(*failed)):
                    self._malformed.add(source.name, line, failed[0][line])

    def take_malformed(self) -> MalformedLines:
        """Return the malformed lines of all lists since the last call."""
        found, self._malformed = self._malformed, MalformedLines()
        return found

    def _identified(self, texts: Texts, audience: Audience) -> tuple[list[Person], dict[int, str]]:
        """Return the people that texts identify; for the other lines, the reasons."""
        bad = {line: UNREADABLE for line, text in texts if text is None}
        given = [(line, text) for line, text in texts if text is not None]
        read = self._members.read(audience, [text for _, text in given])
        good: list[tuple[int, str]] = []
        identities: list[str] = []
        for one, identity in zip(given, read, strict=True):
            if isinstance(identity, Failed):
                bad[one[0]] = identity.message
            else:
                good.append(one)
                identities.append(identity)
        digests = self._digests(identities)
        people = [
            Person(text, digest, line) for (line, text), digest in zip(good, digests, strict=True)
        ]
        bad.pop(0, None)  # of events, which are no lines
        return people, bad
