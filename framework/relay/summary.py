"""Counts, progress and summary of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from framework.delivery import RetryWait
from framework.results import Failed, Result, Skipped, Unconfirmed

OutcomeKind: TypeAlias = Literal["delivered", "failed", "skipped", "unconfirmed"]
Stop: TypeAlias = Literal["", "limit", "interrupted", "unavailable", "refused"]
"""Why a run stopped early: not at all, at its limit, by a signal, in an outage, or because the
partner refuses the whole connection."""

SummaryRow: TypeAlias = tuple[str, OutcomeKind, str, str, int]
"""Subscription, outcome, code, reason, count."""

MAX_REASONS = 100
"""Maximum number of different reasons per subscription, outcome and code."""

OTHER_REASONS = "(other reasons)"

MAX_REJECTIONS = 5
"""Number of invalid lines that a summary shows."""


class Kind(NamedTuple):
    """The properties by which results are counted."""

    subscription: str
    outcome: OutcomeKind
    code: str = ""
    reason: str = ""

    @classmethod
    def of(cls, subscription: str, result: Result) -> Kind:
        """Return the kind of a result in *subscription*."""
        if isinstance(result, Failed):
            return cls(subscription, "failed", result.code, result.message)
        if isinstance(result, Skipped):
            return cls(subscription, "skipped", result.code, result.reason)
        if isinstance(result, Unconfirmed):
            return cls(subscription, "unconfirmed", result.code, result.reason)
        return cls(subscription, "delivered")


class Rejection(NamedTuple):
    """An invalid line and why it is invalid."""

    line: int
    reason: str


class Tally:
    """Counts of results by kind, of requests (*calls*) and of invalid lines; starts at *rows*.

    `rejections` holds the first few of the invalid lines that were added. Above MAX_REASONS
    different reasons, further ones are counted as OTHER_REASONS.
    """

    def __init__(
        self,
        rows: Iterable[SummaryRow] = (),
        calls: Mapping[str, int] | None = None,
        rejected: int = 0,
    ) -> None:
        self.counts: Counter[Kind] = Counter()
        self.calls: Counter[str] = Counter(calls or {})
        self.rejected = rejected
        self.rejections: list[Rejection] = []
        self._reasons: Counter[tuple[str, str, str]] = Counter()
        for subscription, outcome, code, reason, number in rows:
            self._count(Kind(subscription, outcome, code, reason), number)

    @property
    def failures(self) -> int:
        """The number of failed and unconfirmed results and of invalid lines."""
        return _failures(self.counts, self.rejected)

    def add(self, subscription: str, result: Result, number: int = 1) -> None:
        """Count *number* events with the same result."""
        self._count(Kind.of(subscription, result), number)

    def reject(self, line: int, reason: str) -> None:
        """Count an invalid line."""
        self.rejected += 1
        if len(self.rejections) < MAX_REJECTIONS:
            self.rejections.append(Rejection(line, reason))

    def rows(self) -> Iterator[SummaryRow]:
        """Yield the counts as rows, sorted."""
        for kind, number in sorted(self.counts.items()):
            yield (*kind, number)

    def _count(self, kind: Kind, number: int) -> None:
        if kind not in self.counts:
            group = (kind.subscription, kind.outcome, kind.code)
            self._reasons[group] += 1
            if self._reasons[group] > MAX_REASONS:
                kind = kind._replace(reason=OTHER_REASONS)
        self.counts[kind] += number


def by_outcome(counts: Mapping[Kind, int]) -> Counter[str]:
    """Return the totals of *counts* by outcome."""
    total: Counter[str] = Counter()
    for kind, number in counts.items():
        total[kind.outcome] += number
    return total


def _failures(counts: Mapping[Kind, int], rejected: int) -> int:
    total = by_outcome(counts)
    return total["failed"] + total["unconfirmed"] + rejected


class Progress(Struct, frozen=True):
    """The progress of a run; *bytes_total* is None for a stream.

    *counts* is by outcome, *calls* the number of requests; *resumed* is the number of lines that
    earlier runs had read. *waiting* is the wait for a retry, if there is one.
    """

    lines: int
    bytes_done: int
    bytes_total: int | None
    counts: Mapping[str, int] = field(default_factory=dict)
    calls: int = 0
    resumed: int = 0
    waiting: RetryWait | None = None


class Summary(Struct, frozen=True):
    """The summary of a run, including earlier runs of the same file.

    *earlier*, *earlier_rejected* and *earlier_calls* are what of *counts*, *rejected* and *calls*
    earlier runs had counted; the rest is this run's. *unreported* is the number of their failures
    and invalid lines that no exit code has reported.
    *calls* counts requests by method and path, with IDs in paths replaced. *seconds* is the
    duration of this run alone, *completed* the number of its results, *resumed* the number of lines
    that earlier runs had read. After an outage, *unsettled* is the number of results that are
    missing, and all lines up to *settled* have theirs. *unfinished* is the length in bytes of a
    last line that was not read. *finished* is whether the end of the file
    was reached; *stopped* and *message* say why not.
    """

    counts: Mapping[Kind, int]
    lines: int = 0
    rejected: int = 0
    rejections: Sequence[Rejection] = ()
    unpacked: Mapping[str, int] = field(default_factory=dict)
    calls: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    finished: bool = True
    stopped: Stop = ""
    message: str = ""
    resumed: int = 0
    completed: int = 0
    unsettled: int = 0
    settled: int = 0
    unfinished: int = 0
    earlier: Mapping[Kind, int] = field(default_factory=dict)
    earlier_rejected: int = 0
    earlier_calls: Mapping[str, int] = field(default_factory=dict)
    unreported: int = 0

    @property
    def outcomes(self) -> Counter[str]:
        """The counts by outcome."""
        return by_outcome(self.counts)

    @property
    def new_counts(self) -> Counter[Kind]:
        """The counts of this run alone."""
        return Counter(self.counts) - Counter(self.earlier)

    @property
    def new_rejected(self) -> int:
        """The number of invalid lines that this run found."""
        return self.rejected - self.earlier_rejected

    @property
    def new_failures(self) -> int:
        """The number of failed and unconfirmed results and of invalid lines of this run."""
        return _failures(self.new_counts, self.new_rejected)

    @property
    def new_calls(self) -> Counter[str]:
        """The requests of this run alone."""
        return Counter(self.calls) - Counter(self.earlier_calls)

    def joined_with(self, before: Summary) -> Summary:
        """Return the summary of this run and the one *before*, which it resumed, as one run."""
        return replace(
            self,
            rejections=[*before.rejections, *self.rejections][:MAX_REJECTIONS],
            unpacked=Counter(before.unpacked) + Counter(self.unpacked),
            seconds=before.seconds + self.seconds,
            completed=before.completed + self.completed,
            resumed=before.resumed,
            earlier=before.earlier,
            earlier_rejected=before.earlier_rejected,
            earlier_calls=before.earlier_calls,
            unreported=before.unreported,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the summary as a JSON object."""
        return {
            "finished": self.finished,
            "stopped": self.stopped or None,
            "message": self.message or None,
            "lines": self.lines,
            "resumed": self.resumed,
            **({"unfinished": self.unfinished} if self.unfinished else {}),
            **({"unsettled": self.unsettled, "settled": self.settled} if self.unsettled else {}),
            **({"unreported": self.unreported} if self.unreported else {}),
            "rejected": self.rejected,
            "rejections": [one._asdict() for one in self.rejections],
            "unpacked": dict(self.unpacked),
            "seconds": round(self.seconds, 3),
            "outcomes": dict(self.outcomes),
            "counts": _rows(self.counts),
            "calls": dict(self.calls),
            "thisRun": {
                "lines": self.lines - self.resumed,
                "rejected": self.new_rejected,
                "outcomes": dict(by_outcome(self.new_counts)),
                "counts": _rows(self.new_counts),
                "calls": dict(self.new_calls),
            },
        }


def _rows(counts: Mapping[Kind, int]) -> list[dict[str, Any]]:
    return [{**kind._asdict(), "count": number} for kind, number in sorted(counts.items())]
