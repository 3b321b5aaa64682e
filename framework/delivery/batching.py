"""Payloads on their way into calls: grouped by keys, coalesced by identifier, cut to size.

Within a lane, of several payloads about one identifier the last in arrival order is sent; those
behind it settle together with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any

from framework.definition import Batching


@dataclass(slots=True, eq=False)
class Parcel:
    """One payload waiting to be sent, for the event at *position* and subscription *route*.

    *key* holds the values of the batch keys, *size* the bytes the payload adds to a call.
    *shared* are earlier parcels that asked for the same and share the outcome; *superseded* are
    earlier ones that asked for something else about the same identifier.
    """

    position: int
    route: int
    payload: Any
    key: tuple[Any, ...] = ()
    identifier: str | None = None
    size: int = 0
    event: dict[str, Any] | None = None
    shared: list[Parcel] = field(default_factory=list)
    superseded: list[Parcel] = field(default_factory=list)

    def all(self) -> Iterator[Parcel]:
        """Yield this parcel and every earlier one that settles with it."""
        yield self
        yield from self.shared
        yield from self.superseded

    def replaces(self, earlier: Parcel) -> None:
        """Take the place of an *earlier* parcel that asked for the same."""
        self._follow(earlier)
        self.shared.append(earlier)

    def overrides(self, earlier: Parcel) -> None:
        """Make an *earlier* parcel about the same identifier, which asked otherwise, void."""
        self._follow(earlier)
        self.superseded += self.shared
        self.superseded.append(earlier)
        self.shared = []

    def _follow(self, earlier: Parcel) -> None:
        """Take over what settles with *earlier*; lists move, so that repetitions stay cheap.

        The earlier payload will not be sent and is let go.
        """
        self.shared, earlier.shared = earlier.shared, self.shared
        self.superseded, earlier.superseded = earlier.superseded, self.superseded
        earlier.payload = earlier.event = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Parcels that travel in one call: one action, the same keys; *reason* says why it closed."""

    action: str
    key: tuple[Any, ...]
    parcels: list[Parcel]
    reason: str


@dataclass(slots=True)
class _Pile:
    """What waits for one action and key, in arrival order of the parcels that will be sent."""

    action: str
    key: tuple[Any, ...]
    batching: Batching
    since: float
    parcels: dict[Hashable, Parcel] = field(default_factory=dict)
    size: int = 0

    def weight(self) -> int:
        """Count what waits, those that settle with another included."""
        return sum(
            1 + len(parcel.shared) + len(parcel.superseded) for parcel in self.parcels.values()
        )

    def take(self, identifier: Hashable) -> Parcel | None:
        parcel = self.parcels.pop(identifier, None)
        if parcel is not None:
            self.size -= parcel.size
        return parcel


class Batcher:
    """Collects parcels and gives them back as batches when they are full, due or flushed."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lanes: dict[Hashable, dict[str, _Pile]] = {}
        self.waiting = 0

    def add(
        self, parcel: Parcel, lane: Hashable, action: str, batching: Batching
    ) -> Iterator[Batch]:
        """Take a parcel in; yield the batches that this closes.

        *lane* and the parcel's key together name the place within which identifiers are compared.
        """
        piles = self._lanes.setdefault((lane, parcel.key), {})
        pile = piles.get(action)
        if pile is None:
            pile = piles[action] = _Pile(action, parcel.key, batching, self._now())
        self._coalesce(parcel, piles, pile)
        if pile.parcels and pile.size + parcel.size > batching.max_bytes:
            yield self._close(pile, "bytes")
        if not pile.parcels:
            pile.since = self._now()
        mark = parcel.identifier if parcel.identifier is not None else parcel
        pile.parcels[mark] = parcel
        pile.size += parcel.size
        self.waiting += 1
        if len(pile.parcels) >= batching.max_size:
            yield self._close(pile, "count")

    def due(self) -> Iterator[Batch]:
        """Yield the batches whose oldest parcel has waited for `max_age`."""
        now = self._now()
        for pile in self._piles():
            if pile.parcels and now - pile.since >= pile.batching.max_age:
                yield self._close(pile, "age")

    def largest(self) -> Iterator[Batch]:
        """Yield the fullest pile as a batch, to make room."""
        pile = max(self._piles(), key=_Pile.weight, default=None)
        if pile is not None and pile.parcels:
            yield self._close(pile, "room")

    def flush(self) -> Iterator[Batch]:
        """Yield everything that waits."""
        for pile in self._piles():
            if pile.parcels:
                yield self._close(pile, "end")

    def parcels(self) -> Iterator[Parcel]:
        """Yield every parcel that waits, those that settle with another included."""
        for pile in self._piles():
            for parcel in pile.parcels.values():
                yield from parcel.all()

    def _piles(self) -> list[_Pile]:
        return [pile for piles in self._lanes.values() for pile in piles.values()]

    def _coalesce(self, parcel: Parcel, piles: dict[str, _Pile], own: _Pile) -> None:
        if parcel.identifier is None:
            return
        for pile in piles.values():
            earlier = pile.take(parcel.identifier)
            if earlier is None:
                continue
            if pile is own:
                parcel.replaces(earlier)
            else:
                parcel.overrides(earlier)

    def _close(self, pile: _Pile, reason: str) -> Batch:
        batch = Batch(pile.action, pile.key, list(pile.parcels.values()), reason)
        self.waiting -= pile.weight()
        pile.parcels, pile.size = {}, 0
        return batch
