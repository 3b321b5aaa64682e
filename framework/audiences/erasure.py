"""Finding what a store keeps about one person: events, dead letters, and identifiers in them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final, TypeAlias

from msgspec import Struct

from framework.delivery import Connection, Intake, identified
from framework.events import START, Chunk, Position, decode
from framework.paths import Event
from framework.relay import DeadLetterFilter, EventStore

_BLOCK: Final = 5_000
_MAX_EVENT: Final = 32 * 1024 * 1024
_IDS: Final = ("userId", "anonymousId", "previousId")

_Numbered: TypeAlias = Sequence[tuple[int, Event]]
"""Events with the numbers of their lines, or the IDs of their dead letters."""


class KeptAbout(Struct, frozen=True):
    """What a store keeps about a person.

    *lines* are numbers of lines by stream, *letters* IDs of dead letters. *identities* are the
    canonical forms of the *identifiers* by which connections know the person.
    """

    lines: Mapping[str, Sequence[int]]
    letters: Sequence[int]
    identifiers: Sequence[str]
    identities: Sequence[str]

    @property
    def events(self) -> int:
        """The number of events."""
        return sum(map(len, self.lines.values()))


class PersonFinder:
    """Finds what *store* keeps about the person with *ids*, which are user and anonymous IDs.

    An event is about the person if it has one of the IDs, or an identifier that means the same
    person as one of *identifiers*, whose canonical forms are *identities*, or as that of an event
    with such an ID. *connections* tell which identifiers events hold.
    """

    def __init__(
        self,
        store: EventStore,
        connections: Sequence[Connection],
        ids: Collection[str],
        identifiers: Sequence[str],
        identities: Sequence[str],
    ) -> None:
        self._store = store
        # A filter may remove what identifies a person, and events of theirs.
        self._intakes = [
            one.intake(named=False, filtered=filtered)
            for one in connections
            for filtered in ((False, True) if one.filters else (False,))
        ]
        self._ids = frozenset(ids)
        self._identifiers = dict.fromkeys(identifiers)
        self._identities = dict.fromkeys(identities)

    def find(self) -> KeptAbout:
        """Return what is kept."""
        for events in chain(self._letters(), (events for _, events in self._log())):
            self._learn([event for _, event in events if self._has_id(event)])
        known = frozenset(self._identities)
        letters = [one for events in self._letters() for one in self._about(events, known)]
        lines: dict[str, list[int]] = {}
        for stream, events in self._log():
            lines.setdefault(stream, []).extend(self._about(events, known))
        return KeptAbout(lines, letters, [*self._identifiers], [*self._identities])

    def _letters(self) -> Iterator[_Numbered]:
        after = 0
        while found := self._store.dead_letters.list(DeadLetterFilter(), after=after, most=_BLOCK):
            after = found[-1].id
            lines = [one.event + b"\n" for one in found]
            decoded = decode(Chunk(lines, START, Position(0, len(lines))), _MAX_EVENT)
            numbers = (found[line - 1].id for line in decoded.lines)
            yield [*zip(numbers, decoded.events, strict=True)]

    def _log(self) -> Iterator[tuple[str, _Numbered]]:
        for stream in dict.fromkeys(one.stream for one in self._store.cursors()):
            after = 0
            while chunks := self._store.read(stream, after, _BLOCK):
                after = chunks[-1].end.offset
                for chunk in chunks:
                    decoded = decode(chunk, _MAX_EVENT)
                    yield stream, [*zip(decoded.lines, decoded.events, strict=True)]

    def _learn(self, events: Sequence[Event]) -> None:
        for intake in self._intakes:
            for _, identifier, identity in _rows(intake, events):
                self._identifiers[identifier] = None
                self._identities[identity] = None

    def _about(self, events: _Numbered, known: Collection[str]) -> list[int]:
        """Return the numbers of the events that are about the person."""
        found = {number for number, event in events if self._has_id(event)}
        if known:
            for intake in self._intakes:
                for place, _, identity in _rows(intake, [event for _, event in events]):
                    if identity in known:
                        found.add(events[place][0])
        return sorted(found)

    def _has_id(self, event: Event) -> bool:
        values = (event.get(key) for key in _IDS)
        return any(str(one) in self._ids for one in values if isinstance(one, str | int))


def _rows(intake: Intake, events: Sequence[Event]) -> Iterator[tuple[int, str, str]]:
    """Yield the place of each event that has an identifier, the identifier and its identity."""
    completions = intake.add(events, range(len(events)))
    for row_id, identifier, identity in identified(intake, completions):
        yield row_id // intake.row_ids.subscriptions, identifier, identity
    intake.objects.clear()
    intake.events.clear()
    intake.take_deletions()
