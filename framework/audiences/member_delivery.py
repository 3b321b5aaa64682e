"""Sending changes of memberships, in few calls, through the ordinary delivery."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from msgspec import Struct, field

from framework.audiences.identifier_lists import IdentifierList
from framework.audiences.person_changes import Changes, PersonChange
from framework.audiences.sources import BLOCK, PeopleReader, PeopleSource, Person
from framework.delivery import Audience, Completion, MemberEvents, Patience
from framework.errors import StorageError
from framework.relay import ClaimedLedger
from framework.results import Failed, Skipped

NOT_MATCHED: Final = "NOT_MATCHED"

MAX_LINES: Final = 20
"""Lines of failures that are kept."""


class Order(NamedTuple):
    """A change that can be sent, as the identifier is known; *line* is that of a list, or 0."""

    audience: int
    wanted: bool
    identifier: str
    line: int = 0


class ChangeKind(NamedTuple):
    """What changes have in common: whether they add, their outcome, its code and its reason."""

    wanted: bool
    outcome: str
    code: str
    reason: str


class SentChanges(Struct):
    """The results of changes: the number of each kind, and the first lines that failed.

    *left* is the number of changes without a result: *halted*, a failure of the connection, or a
    signal ended the delivery.
    """

    counts: Counter[ChangeKind] = field(default_factory=Counter)
    failed_lines: list[int] = field(default_factory=list)
    left: int = 0
    halted: Failed | None = None

    @property
    def failures(self) -> int:
        """The number of changes with another result than delivered and skipped."""
        return sum(
            number
            for kind, number in self.counts.items()
            if kind.outcome not in {"delivered", "skipped"}
        )


def orders_of(
    changes: Changes,
    reader: PeopleReader,
    sources: Iterable[PeopleSource],
    given: IdentifierList | None = None,
) -> Iterator[list[Order]]:
    """Yield what can be sent, many at a time: the lines of *given*, then what *sources* know."""
    if given:
        yield from _of_lines(changes, given)
    for people, taken in _known(changes, reader, sources):
        identifiers = {one.digest: one.identifier for one in people}
        if taken:
            yield [Order(one.audience, one.wanted, identifiers[one.person]) for one in taken]


def take_known(changes: Changes, reader: PeopleReader, sources: Iterable[PeopleSource]) -> int:
    """Take all changes that can be sent; return the number of those that *sources* do not know."""
    for _ in _known(changes, reader, sources):
        pass
    return changes.number_left


def _known(
    changes: Changes, reader: PeopleReader, sources: Iterable[PeopleSource]
) -> Iterator[tuple[Sequence[Person], list[PersonChange]]]:
    """Yield people with their changes, until all changes are taken."""
    for source in sources:
        if not changes.number_left:
            return
        for places, people in reader.read(source):
            yield people, changes.take([one.digest for one in people], places)
            if not changes.number_left:
                return


def _of_lines(changes: Changes, given: IdentifierList) -> Iterator[list[Order]]:
    orders: list[Order] = []
    lines = given.lines()
    for number, change in changes.lines():
        text = next((text for line, text in lines if line >= number), None)
        if text is None:
            raise StorageError(f"The list `{given.name}` changed while it was read.")
        orders.append(Order(change.audience, change.wanted, text, number))
        if len(orders) == BLOCK:
            yield orders
            orders = []
    if orders:
        yield orders


class MemberDelivery:
    """Sends changes of memberships in *audiences* through a ledger, and saves what it learns.

    Temporary failures are retried as *patience* says; *stopping* ends the delivery after the
    requests under way.
    """

    def __init__(
        self,
        members: MemberEvents,
        audiences: Sequence[Audience],
        claimed: ClaimedLedger,
        *,
        patience: Patience,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._members = members
        self._audiences = audiences
        self._claimed = claimed
        self._stopping = stopping
        self._sender = members.connection.stream(
            ledger=claimed.ledger, stopping=stopping, patience=patience, named=False
        )
        self._wanted = array("b")
        self._lines = array("q")
        self._sent = SentChanges()

    def send(self, orders: Iterable[Sequence[Order]]) -> SentChanges:
        """Send changes until all have a result, or the partner or a signal ends it."""
        try:
            for completions in self._completions(orders):
                self._record(completions)
                if self._stopping() or self._sender.halted:
                    break
            for completions in self._sender.close():
                self._record(completions)
            self._claimed.save()
        except BaseException:
            self._sender.drop()
            raise
        holds = self._sender.holds
        self._sent.halted = self._sender.halted or (holds.resting() if holds else None)
        pending = self._sender.pending().values()
        self._sent.left = sum(len(one) for spans in pending for one in spans)
        return self._sent

    def _completions(self, orders: Iterable[Sequence[Order]]) -> Iterator[list[Completion]]:
        sender = self._sender
        for some in orders:
            events = [
                self._members.event(
                    self._audiences[one.audience], one.identifier, wanted=one.wanted
                )
                for one in some
            ]
            first = len(self._wanted)
            self._wanted.extend(one.wanted for one in some)
            self._lines.extend(one.line for one in some)
            completions = sender.intake.add(events, range(first, first + len(some)))
            yield from sender.add_from_intake(completions)
            if sender.is_stuck:
                return
        yield from sender.flush()

    def _record(self, completions: Sequence[Completion]) -> None:
        sent = self._sent
        for one in completions:
            if isinstance(one.result, Skipped) and one.result.code == NOT_MATCHED:
                continue  # by the subscription of the other action
            shown = one.result.to_json()
            told = shown["outcome"], shown.get("code", ""), shown.get("message", "")
            added = sum(self._wanted[place] for place in one.positions)
            for wanted, number in ((True, added), (False, len(one.positions) - added)):
                if number:
                    sent.counts[ChangeKind(wanted, *told)] += number
            if shown["outcome"] in {"failed", "unconfirmed"}:
                lines = sorted(filter(None, (self._lines[place] for place in one.positions)))
                sent.failed_lines += lines[: MAX_LINES - len(sent.failed_lines)]
        if self._claimed.is_due:
            self._claimed.save()
