"""What fails for now: held by lane and batch key, or as a whole connection, and tried again.

A batch that fails for now waits here with all later batches of its order, while others go on. What
concerns the whole connection holds everything; then one batch probes whether the partner is back.
"""

from __future__ import annotations

import hashlib
import random
from collections import deque
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from framework.clock import Clock
from framework.delivery.report import Failing
from framework.delivery.row_groups import Batch
from framework.results import Failed, Result

Hindrance: TypeAlias = Literal["", "key", "connection", "halt"]
"""What a result holds: nothing as it is final, the batch's order, everything, or all for good."""

PLUGIN_ERRORS: Final = frozenset(
    {"DRY_RUN_NETWORK", "INTERNAL_ERROR", "RESULT_COUNT", "RESULT_TYPE"}
)
"""Codes of mistakes in a plugin, which may concern one event, and would block every later run."""

ALIKE: Final = 3
"""Calls in a row for different keys that fail alike; then it is the connection that is held."""

FIRST_SPLITS: Final = 6
"""Times that a refused batch is halved as long as no part of it is accepted."""

MORE_SPLITS: Final = 32
"""Times that it is halved once a part was accepted."""

MAX_FUTILE: Final = 2
"""Batches of which no part was accepted; after so many, none is halved in this run."""

_REFUSALS: Final = frozenset({400, 413, 422})


def verdict_of(result: Result) -> Hindrance:
    """Return what *result* holds: by whether it may be another one later, and by its scope."""
    if not isinstance(result, Failed):
        return ""
    if result.reporter == "framework" and result.code in PLUGIN_ERRORS:
        return ""
    if result.retryable and not (result.reporter == "framework" and result.code == "HALTED"):
        return "connection" if result.concerns_connection else "key"
    return "halt" if result.retryable or result.concerns_connection else ""


class Patience(Struct, frozen=True, kw_only=True):
    """How long failures for now are borne.

    A batch fails for good after *tries* tries of its key in a row, and *total* seconds since the
    first of them, in whichever runs. A run tries again for *run_for* seconds; what fails after
    that is left for the next one. The waits grow from *first* to *cap* seconds, with jitter.
    """

    tries: int = 8
    total: float = 4 * 3600.0
    run_for: float = 0.0
    first: float = 0.5
    cap: float = 300.0

    def wait(self, tries: int, pause: float | None) -> float:
        """Return the seconds to wait after so many tries; a *pause* is kept in full."""
        longest = min(self.cap, self.first * 2.0 ** min(tries - 1, 30))
        wait = random.uniform(longest / 2, longest)  # noqa: S311 - spreads load only
        return wait if pause is None else max(wait, pause)


Shrink: TypeAlias = Callable[[Hashable, Sequence[Batch]], Sequence[Batch]]
"""Takes rows out of the batches of an order that are not to be sent any more."""


class Held(Struct, eq=False):
    """Batches that wait, in order: since and until when, by readings of the clock.

    One that *rests* is not tried again in this run. *attempts* are those of this run.
    """

    since: float
    until: float
    failure: Failed | None = None
    attempts: int = 0
    rests: bool = False
    batches: deque[Batch] = field(default_factory=deque)

    def insert(self, part: Batch) -> None:
        """Add a part of a refused batch behind the larger parts of the same.

        Rows without identifiers keep their order, so those come first.
        """
        if not part.identifiers:
            self.batches.appendleft(part)
            return
        mine = [one for one in self.batches if one.budget is part.budget]
        at = sum(len(one.row_ids) >= len(part.row_ids) for one in mine)
        self.batches.insert(at, part)

    def recover(self, now: float) -> None:
        """Wait no longer."""
        self.since = self.until = now
        self.failure, self.attempts, self.rests = None, 0, False


class Holds:
    """What a sender holds, and what it knows of keys that fail.

    `bars` and `note` are for the threads that perform batches; everything else is for the sender's.
    """

    def __init__(
        self, patience: Patience, clock: Clock, failing: Mapping[str, Failing] | None = None
    ) -> None:
        self.patience = patience
        self._clock = clock
        self._failing = dict(failing or {})
        self._places: dict[Hashable, Held] = {}
        self._barred: set[Hashable] = set()
        self._all: Held | None = None
        self._all_barred = False
        self._alike: list[Hashable] = []
        self._like: tuple[int, str] = (0, "")
        self._futile = 0
        self.probing = False

    # For the threads

    def admits(self, batch: Batch) -> bool:
        """Return whether *batch* may be taken: a barrier waits for all that is held."""
        return self.is_empty or not batch.barrier

    def bars(self, batch: Batch) -> bool:
        """Return whether *batch* must not be performed now."""
        return self._all_barred or batch.place in self._barred

    def note(self, batch: Batch, results: Sequence[Result]) -> None:
        """Bar what must not follow *batch* after these results."""
        alike = results.count(results[0]) == len(results)  # as nearly always
        verdicts = {verdict_of(one) for one in (results[:1] if alike else results)}
        if "connection" in verdicts or ("key" in verdicts and batch.barrier):
            self._all_barred = True
        elif "key" in verdicts or self._divides(batch, results):
            self._barred.add(batch.place)

    # For the sender

    @property
    def failing(self) -> dict[str, Failing]:
        """The keys that fail, by a digest of each."""
        return dict(self._failing)

    def tried(self, batch: Batch) -> Failing | None:
        """Return since when and how often the key of a batch fails."""
        return self._failing.get(name_of(batch.place))

    @property
    def any(self) -> bool:
        """Whether anything is held."""
        return bool(self._places or self._all)

    @property
    def is_empty(self) -> bool:
        """Whether no batch is held."""
        return not self.any or next(self.batches(), None) is None

    @property
    def all_barred(self) -> bool:
        """Whether everything is held."""
        return self._all_barred

    def barred(self) -> set[Hashable]:
        """Return the orders whose batches are held."""
        return set(self._barred)

    def resting(self) -> Failed | None:
        """Return a failure that is left for the next run, if there is one."""
        return next((one.failure for one in self._places.values() if one.rests), None)

    def batches(self) -> Iterator[Batch]:
        """Yield all batches that are held."""
        held = [*self._places.values(), *([self._all] if self._all else [])]
        return chain.from_iterable(one.batches for one in held)

    def rows(self) -> int:
        """Return the number of rows that are held."""
        return sum(len(batch.row_ids) for batch in self.batches())

    def next_due(self) -> float | None:
        """Return the seconds until something is to be tried again; None if nothing is."""
        held = [one for one in self._places.values() if one.batches]
        if self._all and self._all_barred:
            held = [self._all]
        times = [one.until for one in held if not one.rests]
        return max(0.0, min(times) - self._clock.monotonic()) if times else None

    def put_back(self, batch: Batch) -> None:
        """Hold a batch that was not performed, behind those before it and any barrier."""
        held = self._places.get(batch.place)
        if held is None or any(one.barrier for one in self.batches()):
            held = self._all = self._all or self._started(None)
        if batch.budget and batch.identifiers:
            held.insert(batch)
        else:
            held.batches.append(batch)

    def answered(self, batch: Batch, *, accepted: bool) -> None:
        """Take note of a batch that does not fail for now: its key and the partner are well."""
        if self._alike:
            self._alike.clear()
        if self.probing and self._all:
            self.probing, self._all.failure = False, None
        if batch.budget and batch.budget[1] and (accepted or not batch.budget[0]):
            self._futile += not accepted
            batch.budget[:] = [MORE_SPLITS if accepted else 0, 0]
        if self._failing:
            self._failing.pop(name_of(batch.place), None)
        if batch.place in self._barred or batch.place in self._places:
            self._places.setdefault(batch.place, self._started(None)).recover(
                self._clock.monotonic()
            )

    def hold(self, batch: Batch, failure: Failed) -> bool:
        """Hold a batch that fails for now; return False if it is to fail for good."""
        whole = verdict_of(failure) == "connection"
        if not whole and self._gives_up(batch):
            self._let_go(batch)
            return False
        if whole or batch.barrier:
            own = self._places.get(batch.place)
            (own or self._hold_all(failure)).batches.appendleft(batch)
            if own:
                own.recover(self._clock.monotonic())
                self._hold_all(failure)
        else:
            held = self._places.setdefault(batch.place, self._started(failure))
            self._barred.add(batch.place)
            held.batches.appendleft(batch)
            self._postpone(held, failure, self._failing[name_of(batch.place)].tries)
            self._count_alike(batch, failure)
        return True

    def halve(self, batch: Batch, results: Sequence[Result]) -> bool:
        """Hold a refused batch in two halves, to find what is wrong with it, if that may help."""
        if not self._divides(batch, results):
            return False
        budget = batch.budget or [FIRST_SPLITS, MORE_SPLITS]
        budget[0] -= 1
        middle = len(batch.row_ids) // 2
        parts = (batch.row_ids[:middle], batch.row_ids[middle:])
        halves = [replace(batch.only(part), budget=budget) for part in parts]
        held = self._places.setdefault(batch.place, self._started(None))
        self._barred.add(batch.place)
        for half in halves if batch.identifiers else reversed(halves):
            held.insert(half)
        return True

    def _divides(self, batch: Batch, results: Sequence[Result]) -> bool:
        return self._futile < MAX_FUTILE and is_divisible(batch, results)

    def release(self, in_flight: Sequence[Batch], closed: deque[Batch], shrink: Shrink) -> None:
        """Move what is due from here to the start of *closed*, after *shrink* has seen it.

        Nothing whose order is still *in_flight*, so that no later batch goes first.
        """
        now = self._clock.monotonic()
        if self._all:
            if in_flight or self._all.until > now:
                return
            closed.extendleft(reversed(self._all.batches))
            self._all.batches.clear()
            self._all_barred, self.probing = False, self._all.failure is not None
            if not self.probing:
                self._all = None
        under_way = {batch.place for batch in in_flight}
        for place, held in [*self._places.items()]:
            if place in under_way or held.rests or held.until > now:
                continue
            closed.extendleft(reversed(shrink(place, held.batches)))
            held.batches.clear()
            self._barred.discard(place)
            if held.failure is None or not any(batch.place == place for batch in closed):
                del self._places[place]

    def gives_up_waiting(self) -> Failed | None:
        """Return the failure of the connection if it lasts too long for this run."""
        return self._all.failure if self._all and self._all.rests else None

    def _started(self, failure: Failed | None) -> Held:
        now = self._clock.monotonic()
        return Held(now, now, failure)

    def _gives_up(self, batch: Batch) -> bool:
        """Count a try; return whether it was the last. In an outage, none is counted."""
        name, now = name_of(batch.place), self._clock.time()
        before = self._failing.get(name) or Failing(now, 0)
        counts = not self.probing
        self._failing[name] = now_failing = Failing(before.first, before.tries + counts)
        late = now - now_failing.first >= self.patience.total
        return late and now_failing.tries >= self.patience.tries

    def _let_go(self, batch: Batch) -> None:
        """Try the next batch of the order of one that was given up."""
        now = self._clock.monotonic()
        if not batch.barrier:
            self._places.setdefault(batch.place, self._started(None)).recover(now)
            return
        self._all = self._all or self._started(None)
        self._all.recover(now)

    def _hold_all(self, failure: Failed) -> Held:
        self._all_barred, self.probing = True, False
        self._all = self._all or self._started(failure)
        self._postpone(self._all, failure, self._all.attempts + 1)
        return self._all

    def _postpone(self, held: Held, failure: Failed, tries: int) -> None:
        now = self._clock.monotonic()
        held.failure = failure
        held.attempts += 1
        held.until = now + self.patience.wait(max(held.attempts, tries), failure.pause)
        held.rests = held.until - held.since > self.patience.run_for

    def _count_alike(self, batch: Batch, failure: Failed) -> None:
        """Hold the connection after some calls for different keys that fail alike."""
        like = (failure.status, failure.code)
        if like != self._like:
            self._like = like
            self._alike.clear()
        if batch.place not in self._alike:
            self._alike.append(batch.place)
        if len(self._alike) >= ALIKE and self.patience.run_for:
            self._hold_all(failure)


def is_divisible(batch: Batch, results: Sequence[Result]) -> bool:
    """Return whether a batch was refused as a whole, and may be halved again."""
    whole = isinstance(results, OneAnswer) and not (batch.merged or batch.deletion)
    if not whole or len(batch.row_ids) < 2:
        return False
    result = results[0]
    if not isinstance(result, Failed) or result.reporter != "partner" or verdict_of(result):
        return False
    if result.status not in _REFUSALS:
        return False
    return batch.budget is None or batch.budget[0] > 0


class OneAnswer(list[Any]):
    """Results of a batch that are one answer of the partner's, which names no row."""


def name_of(place: Hashable) -> str:
    """Return a digest of an order, by which later runs know it."""
    return hashlib.sha256(repr(place).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def without_superseded(
    batches: Sequence[Batch],
    later: Collection[str],
    canonical: Callable[[list[str]], Sequence[str]],
) -> tuple[list[Batch], list[int]]:
    """Return batches of one order without the rows that later ones supersede, and these rows.

    *later* are the canonical names of rows that wait behind them.
    """
    seen, left = set(later), deque[Batch]()
    superseded: list[int] = []
    for batch in reversed(batches):
        if batch.identifiers is None or batch.merged or batch.barrier:
            left.appendleft(batch)
            continue
        names = dict(zip(batch.row_ids, canonical(batch.identifiers), strict=True))
        known = names.keys() - set(batch.unknown)
        gone = {row_id for row_id in known if names[row_id] in seen}
        seen.update(names[row_id] for row_id in known)
        superseded += gone
        if len(gone) < len(names):
            kept = [row_id for row_id in batch.row_ids if row_id not in gone]
            left.appendleft(batch.only(kept) if gone else batch)
    return list(left), sorted(superseded)
