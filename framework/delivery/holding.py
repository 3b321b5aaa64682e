"""Temporary failures: batches are held by lane and batch key, or all of a connection, and retried.

A batch that fails temporarily is held with all later batches of its order; other orders continue. A
failure of the whole connection holds everything; then one batch probes whether the partner is back.
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
from framework.delivery.report import UNCHANGED, Failing
from framework.delivery.row_groups import Batch
from framework.delivery.throttle import LONGEST_PAUSE
from framework.results import Failed, Result

HoldScope: TypeAlias = Literal["", "key", "connection", "halt"]
"""What a result holds: nothing, as it is final; its key; the connection; or it halts the sender."""

PLUGIN_ERRORS: Final = frozenset(
    {"DRY_RUN_NETWORK", "INTERNAL_ERROR", "RESULT_COUNT", "RESULT_TYPE"}
)
"""Codes of bugs in a plugin: one may concern a single event, and would block every later run."""

ALIKE: Final = 3
"""Consecutive equal failures for different keys after which the connection is held."""

FIRST_SPLITS: Final = 6
"""Maximum number of times that a refused batch is halved while no part of it is accepted."""

MORE_SPLITS: Final = 32
"""Maximum number of further halvings once a part was accepted."""

MAX_FUTILE: Final = 2
"""Number of halved batches without an accepted part after which this run halves no more."""

_REFUSALS: Final = frozenset({400, 413, 422})


def hold_scope(result: Result) -> HoldScope:
    """Return what *result* holds, by whether a retry may succeed, and its scope."""
    if not isinstance(result, Failed):
        return ""
    if result.reporter == "framework" and result.code in PLUGIN_ERRORS:
        return ""
    if result.retryable and not (result.reporter == "framework" and result.code == "HALTED"):
        return "connection" if result.concerns_connection else "key"
    return "halt" if result.retryable or result.concerns_connection else ""


class Patience(Struct, frozen=True, kw_only=True):
    """How long temporary failures are retried.

    A batch fails permanently after *tries* consecutive tries of its key, if *total* seconds have
    passed since the first of them; both count over all runs. A run retries for *run_for* seconds;
    what still fails is left for the next run. The waits grow from *first* to *cap* seconds, with
    jitter.
    """

    tries: int = 8
    total: float = 4 * 3600.0
    run_for: float = 0.0
    first: float = 0.5
    cap: float = 300.0

    def wait(self, tries: int, pause: float | None) -> float:
        """Return the seconds to wait after *tries* tries, at least *pause*, up to an hour of it."""
        longest = min(self.cap, self.first * 2.0 ** min(tries - 1, 30))
        wait = random.uniform(longest / 2, longest)  # noqa: S311 - spreads load only
        return wait if pause is None else max(wait, min(pause, LONGEST_PAUSE))


Shrink: TypeAlias = Callable[[Hashable, Sequence[Batch]], Sequence[Batch]]
"""Returns the batches of an order without the rows that need not be sent any more."""


class Held(Struct, eq=False):
    """Held batches, in order; *since* and *until* are readings of the clock.

    If it *rests*, they are not retried in this run. *attempts* is the number of tries in this run.
    """

    since: float
    until: float
    failure: Failed | None = None
    attempts: int = 0
    rests: bool = False
    batches: deque[Batch] = field(default_factory=deque)

    def insert(self, part: Batch) -> None:
        """Insert a part of a refused batch after the larger parts of that batch.

        Rows without identifiers keep their order, so those come first.
        """
        if not part.identifiers:
            self.batches.appendleft(part)
            return
        mine = [one for one in self.batches if one.budget is part.budget]
        at = sum(len(one.row_ids) >= len(part.row_ids) for one in mine)
        self.batches.insert(at, part)

    def recover(self, now: float) -> None:
        """End the wait, and forget the failure."""
        self.since = self.until = now
        self.failure, self.attempts, self.rests = None, 0, False


class RetryWait(Struct, frozen=True):
    """A wait for a retry: the last *failure*, and the number of *rows* that wait.

    *until* is the time, in seconds since 1970, up to which this run retries.
    """

    failure: Failed
    rows: int
    until: float


class Holds:
    """The batches that a sender holds, and the keys that fail.

    `bars` and `note` are called by the threads that perform batches, everything else by the sender.
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

    # Called by the threads that perform batches

    def admits(self, batch: Batch) -> bool:
        """Return whether *batch* may be taken; a barrier waits for everything that is held."""
        return self.is_empty or not batch.barrier

    def bars(self, batch: Batch) -> bool:
        """Return whether *batch* must not be performed now."""
        return self._all_barred or batch.place in self._barred

    def note(self, batch: Batch, results: Sequence[Result]) -> None:
        """Bar the batches that must not follow *batch* after these results."""
        if isinstance(results, PartlySent):
            batch, results = results.part_of(batch), results.sent
        if not results:  # no call was needed
            return
        alike = results.count(results[0]) == len(results)  # as nearly always
        scopes = {hold_scope(one) for one in (results[:1] if alike else results)}
        if "connection" in scopes or ("key" in scopes and batch.barrier):
            self._all_barred = True
        elif "key" in scopes or self._divides(batch, results):
            self._barred.add(batch.place)

    # Called by the sender

    @property
    def failing(self) -> dict[str, Failing]:
        """The keys that fail, by a digest of each."""
        return dict(self._failing)

    def tried(self, batch: Batch) -> Failing | None:
        """Return the first failure and the number of tries of a batch's key, if it fails."""
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

    def waiting(self) -> RetryWait | None:
        """Return what is waited for, if anything is retried in this run."""
        held = [*([self._all] if self._all else []), *self._places.values()]
        for one in held:
            if one.failure and not one.rests and (rows := self.rows()):
                left = one.since + self.patience.run_for - self._clock.monotonic()
                return RetryWait(one.failure, rows, self._clock.time() + max(left, 0.0))
        return None

    def batches(self) -> Iterator[Batch]:
        """Yield all batches that are held."""
        held = [*self._places.values(), *([self._all] if self._all else [])]
        return chain.from_iterable(one.batches for one in held)

    def rows(self) -> int:
        """Return the number of rows that are held."""
        return sum(len(batch.row_ids) for batch in self.batches())

    def next_due(self) -> float | None:
        """Return the seconds until the next retry; None if nothing is to be retried."""
        held = [one for one in self._places.values() if one.batches]
        if self._all and self._all_barred:
            held = [self._all]
        times = [one.until for one in held if not one.rests]
        return max(0.0, min(times) - self._clock.monotonic()) if times else None

    def put_back(self, batch: Batch) -> None:
        """Hold a batch that was not performed, after those before it and after any barrier."""
        held = self._places.get(batch.place)
        if held is None or any(one.barrier for one in self.batches()):
            held = self._all = self._all or self._started(None)
        if batch.budget and batch.identifiers:
            held.insert(batch)
        else:
            held.batches.append(batch)

    def answered(self, batch: Batch, *, accepted: bool) -> None:
        """Record a batch without a temporary failure: its key and the partner work again."""
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
        """Hold a batch that failed temporarily; return False if it is given up."""
        whole = hold_scope(failure) == "connection"
        if not whole and self._gives_up(batch):
            self._release_next(batch)
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
        """Hold a refused batch as two halves, to isolate the invalid row; return whether it did."""
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
        """Move the batches that are due to the start of *closed*, after *shrink* has reduced them.

        An order that is still *in_flight* stays, so that no later batch overtakes it.
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
        """Count a try, except while probing; return whether it was the last one.

        A first failure in the future was recorded before the clock was set back.
        """
        name, now = name_of(batch.place), self._clock.time()
        before = self._failing.get(name) or Failing(now, 0)
        counts = not self.probing
        self._failing[name] = now_failing = Failing(min(before.first, now), before.tries + counts)
        late = now - now_failing.first >= self.patience.total
        return late and now_failing.tries >= self.patience.tries

    def _release_next(self, batch: Batch) -> None:
        """Make the next batch due, after *batch* was given up."""
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
        """Hold the connection after ALIKE equal failures in a row for different keys."""
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
    whole = isinstance(results, OneAnswer) and not (batch.merged or batch.deletion or batch.job)
    if not whole or len(batch.row_ids) < 2:
        return False
    result = results[0]
    if not isinstance(result, Failed) or result.reporter != "partner" or hold_scope(result):
        return False
    if result.status not in _REFUSALS:
        return False
    return batch.budget is None or batch.budget[0] > 0


class OneAnswer(list[Any]):
    """Results of a batch that stem from one response, which names no row."""


class PartlySent(list[Any]):
    """Results of a batch of which only the rows at *places* were sent; *sent* are theirs.

    The others are UNCHANGED.
    """

    def __init__(self, size: int, places: Sequence[int], sent: Sequence[Result]) -> None:
        super().__init__([UNCHANGED] * size)
        for place, result in zip(places, sent, strict=True):
            self[place] = result
        self.places = places
        self.sent = sent

    def part_of(self, batch: Batch) -> Batch:
        """Return the batch with the rows that were sent."""
        return batch.only([batch.row_ids[place] for place in self.places])


def partly_sent(
    size: int, earlier: Mapping[int, Result], places: Sequence[int], sent: Sequence[Result]
) -> Sequence[Result]:
    """Return the results of a batch of *size* rows: those sent *earlier* and those at *places*."""
    if len(places) == size:
        return sent
    results = PartlySent(size, places, sent)
    for place, result in earlier.items():
        results[place] = result
    return [*results] if earlier else results


def name_of(place: Hashable) -> str:
    """Return a digest of an order, by which later runs recognize it."""
    return hashlib.sha256(repr(place).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def without_superseded(
    batches: Sequence[Batch],
    later: Collection[str],
    canonical: Callable[[list[str]], Sequence[str]],
) -> tuple[list[Batch], list[int]]:
    """Return batches of one order without the rows that later ones supersede, and these rows.

    *later* are the canonical names of rows that wait behind them. Nothing is superseded across rows
    that concern several identifiers.
    """
    if any(batch.further for batch in batches):
        return list(batches), []
    seen, left = set(later), deque[Batch]()
    superseded: list[int] = []
    for batch in reversed(batches):
        if batch.identifiers is None or batch.merged or batch.barrier or batch.job:
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
