"""The results of a delivery: completions of rows, and the record of every stage and call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from msgspec import Struct

from framework.delivery.exchanges import Exchange
from framework.paths import Event
from framework.results import Result, Skipped

SUPERSEDED = Skipped("SUPERSEDED", "A later event about the same identifier was sent instead.")
"""The result of an event that a later one of its lane replaces."""

UNCHANGED = Skipped("UNCHANGED", "The partner has confirmed this membership before.")
"""The result of an event that changes nothing in the ledger of memberships."""


def merged_into(place: str) -> Skipped:
    """Return the result of an event that was merged into a later one, at *place*."""
    return Skipped("SUPERSEDED", f"Merged into {place}, which was sent.")


DELETIONS = "(deletions)"
"""The name of requests to delete users where the name of a subscription stands."""

Completed: TypeAlias = tuple[int, int, Result]
"""Position of an event, index of a subscription, and the result of the two."""


class Failing(Struct, frozen=True):
    """A key that fails temporarily: Unix time of the *first* failure in a row, and the tries."""

    first: float
    tries: int


class Completion(Struct, frozen=True):
    """The events at *positions*, in the *subscription* of an index, share the *result*.

    *tried* holds the first failure and the number of tries of a batch that was given up.
    """

    subscription: int
    positions: Sequence[int]
    result: Result
    tried: Failing | None = None

    def each(self) -> Iterator[Completed]:
        """Yield position, subscription and result of every event."""
        for position in self.positions:
            yield position, self.subscription, self.result


class BatchReport(Struct, frozen=True):
    """What became of a batch: the *results* of its rows, in order, without their events.

    *subscription* is the name of the subscription that the batch belongs to, `(deletions)` for
    requests to delete users; *action* is the slug of its action, empty for these requests.
    """

    destination: str
    subscription: str
    action: str
    results: tuple[Result, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the report as a JSON object."""
        return {
            "destination": self.destination,
            "subscription": self.subscription,
            "action": self.action,
            "results": [one.to_json() for one in self.results],
        }


class ReportItem(Struct, eq=False):
    """One event on its way through one subscription; a stage not reached leaves None.

    *position* is the event's place in the delivery, *batch* the index of its batch in
    `Report.batches`; *result* is None only while the event waits.
    """

    position: int
    subscription: str
    action: str
    event: Event
    matched: bool = False
    mapped: Mapping[str, Any] | None = None
    payload: Mapping[str, Any] | None = None
    identifier: str | None = None
    batch: int | None = None
    result: Result | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what is known of the item as a JSON object, without the event itself."""
        return {
            "position": self.position,
            "messageId": self.event.get("messageId") if isinstance(self.event, dict) else None,
            "subscription": self.subscription,
            "action": self.action,
            "matched": self.matched,
            "mapped": self.mapped,
            "payload": self.payload,
            "batch": self.batch,
            "result": self.result.to_json() if self.result else {"outcome": "waiting"},
        }


class Sent(Struct, frozen=True):
    """One batch that was performed: its action, key values, size, and the exchanges it caused.

    *preview* says what a destination with another transport than HTTP would send, in a dry run.
    """

    action: str
    key: Mapping[str, Any]
    size: int
    reason: str
    exchanges: Sequence[Exchange]
    preview: Any = None

    def to_json(self) -> dict[str, Any]:
        """Return the batch as a JSON object."""
        return {
            "action": self.action,
            "key": dict(self.key),
            "size": self.size,
            "reason": self.reason,
            "exchanges": [exchange.to_json() for exchange in self.exchanges],
            **({} if self.preview is None else {"preview": self.preview}),
        }


class Report(Struct, frozen=True, weakref=True):
    """The record of a delivery: one item for each event and enabled subscription, in order."""

    destination: str
    items: tuple[ReportItem, ...]
    batches: tuple[Sent, ...]

    @property
    def exchanges(self) -> Iterator[Exchange]:
        """Every request with its response, in the order they were made."""
        for batch in self.batches:
            yield from batch.exchanges

    @property
    def results(self) -> list[Result | None]:
        """The items' results, in the order of the items."""
        return [item.result for item in self.items]

    def counts(self) -> Counter[tuple[str, str]]:
        """Count the items by subscription and outcome."""
        return count(
            (item.subscription, item.result) for item in self.items if item.result is not None
        )

    def to_json(self) -> dict[str, Any]:
        """Return the report as a JSON object: `destination`, `items`, `batches`."""
        return {
            "destination": self.destination,
            "items": [item.to_json() for item in self.items],
            "batches": [batch.to_json() for batch in self.batches],
        }


def count(results: Iterable[tuple[str, Result]]) -> Counter[tuple[str, str]]:
    """Count results by subscription and kind (`delivered`, `failed`, `skipped`)."""
    return Counter((name, type(result).__name__.lower()) for name, result in results)
