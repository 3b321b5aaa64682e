"""The jobs of a delivery: which rows each has, what is kept of it, and when it is asked for.

A record is stored before a batch is submitted and completed with the ticket after that. It is
removed when the results of its rows are saved, so that a process that is killed at any moment
leaves either a record or the results.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from framework.clock import Clock
from framework.definition import Job
from framework.delivery.compiled import CompiledSubscription
from framework.delivery.prepared_rows import RowIds
from framework.delivery.row_groups import Batch, RowGroup, further_by_row
from framework.results import Accepted, Delivered, Failed, Result, Skipped, Unconfirmed
from framework.state_store import StateStore

KIND: Final = "job"
"""The kind of the records in a state store."""

Span: TypeAlias = tuple[str, int, int]
"""A subscription, and the first and the last position of neighboring events in it."""

DEFAULT: Final = Job()


class JobSource(Struct, frozen=True):
    """Where records of jobs are kept, by the *connection* and the *source* of its events.

    *source* is equal whenever the same events are read again, in another process, too.
    """

    state: StateStore | None
    connection: str
    source: str

    @classmethod
    def passing(cls, connection: str = "") -> JobSource:
        """Return a source that is read only once, whose jobs are kept in memory."""
        return cls(None, connection, secrets.token_hex(16))


class JobRecord(Struct, frozen=True, kw_only=True):
    """A batch that is submitted, or a job that the partner has accepted with a *ticket*.

    *key* names the batch, *idempotency_key* the submission, the *round*-th of the batch. *rows*
    are the rows in the order in which they are sent, *merged* those merged into the row of an
    index. *begun* and *accepted* are seconds since 1970; *begun* is None until it is submitted.
    *early* are the results that the partner gave at once, as JSON.
    """

    connection: str
    source: str
    key: str
    action: str
    rows: list[Span]
    merged: dict[int, list[Span]] = {}
    round: int = 0
    idempotency_key: str = ""
    begun: float | None = None
    ticket: str | None = None
    accepted: float | None = None
    early: list[dict[str, Any] | None] | None = None

    @property
    def size(self) -> int:
        """The number of rows that were submitted."""
        return sum(last - first + 1 for _, first, last in self.rows)

    @property
    def state_key(self) -> str:
        """The key of the record in a state store."""
        return f"{self.connection} {self.key}"

    @property
    def results(self) -> list[Result | None]:
        """The results that the partner gave at once, None for the others."""
        if self.early is None:
            return [None] * self.size
        return [_result_of(one) if one else None for one in self.early]


class _Waiting(Struct):
    """A job that is asked for at *due*, a reading of the clock."""

    batch: Batch
    due: float
    attempts: int = 0


class _Expected(Struct):
    """A record of an earlier process, and its rows as far as they were read again."""

    record: JobRecord
    row_ids: list[int]
    merged: dict[int, list[int]]
    groups: list[RowGroup] = []

    @property
    def every(self) -> set[int]:
        return {*self.row_ids, *(one for rows in self.merged.values() for one in rows)}


class Jobs:
    """The jobs of one delivery, in which *row_ids* number the rows of *subscriptions*.

    `prepare`, `submitted` and `record_of` are called by the threads that perform batches, all
    others by the sender. Raises StorageError if the records cannot be read or written.
    """

    def __init__(
        self,
        subscriptions: Sequence[CompiledSubscription],
        row_ids: RowIds,
        clock: Clock,
        source: JobSource,
    ) -> None:
        self._row_ids = row_ids
        self._clock = clock
        self._source = source
        self._names = _different([one.name for one in subscriptions])
        self._actions = {one.action.slug: one.action for one in subscriptions}
        self._lock = threading.Lock()
        self._records: dict[str, JobRecord] = {}
        self._attempts: dict[str, int] = {}
        self._after: dict[str, float | None] = {}
        self._waiting: list[_Waiting] = []
        self._expected: list[_Expected] = []
        self._expected_rows: dict[int, _Expected] = {}
        self._ended: list[str] = []
        if source.state and any(one.poll for one in self._actions.values()):
            for record in job_records(source.state, source.connection):
                if record.source == source.source:
                    self._expect(record)

    # Called by the threads that perform batches

    def key_of(self, row_ids: Sequence[int], action: str) -> str:
        """Return the idempotency key of rows: equal whenever the same rows are sent together."""
        spans = self._spans(sorted(row_ids))
        told = [self._source.connection, self._source.source, action, spans]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()

    def prepare(self, batch: Batch) -> tuple[JobRecord, bool]:
        """Return the durable record of a batch, and whether it may have been submitted before."""
        key = self.key_of(batch.all_row_ids(), batch.action)
        now = self._clock.time()
        with self._lock:
            record = None if key in self._ended else self._records.get(key)
            if key in self._ended:
                self._ended.remove(key)
        if record and record.begun is not None:
            return record, True
        record = replace(record, begun=now) if record else self._new_record(batch, key, now)
        self._keep(record)
        return record, False

    def submitted(self, record: JobRecord, accepted: Accepted) -> JobRecord:
        """Store the ticket of a batch that the partner has accepted."""
        early = accepted.results
        record = replace(
            record,
            ticket=accepted.ticket,
            accepted=self._clock.time(),
            early=[one.to_json() if one else None for one in early] if early else None,
        )
        self._keep(record)
        with self._lock:
            self._after[record.key] = accepted.after
        return record

    def asked(self, key: str, after: float | None) -> None:
        """Note that a job is not finished, and is to be asked for again *after* seconds."""
        with self._lock:
            self._after[key] = after

    def attempt(self, key: str) -> int:
        """Count a question about a job; return the number of questions so far."""
        with self._lock:
            self._attempts[key] = number = self._attempts.get(key, 0) + 1
        return number

    def record_of(self, key: str) -> JobRecord:
        """Return the record of a job."""
        with self._lock:
            return self._records[key]

    def is_late(self, record: JobRecord) -> bool:
        """Return whether a job is given up, if it is not finished now."""
        since = self._clock.time() - (record.accepted or 0.0)
        return since >= self._rules(record).give_up

    def places_of(self, batch: Batch) -> list[int]:
        """Return the places of the rows of a batch among those of its record."""
        places = {
            row: at for at, row in enumerate(self._row_ids_of(self.record_of(batch.job).rows))
        }
        return [places[row_id] for row_id in batch.row_ids]

    # Called by the sender

    @property
    def any(self) -> bool:
        """Whether a job is not finished."""
        return bool(self._waiting)

    def number(self) -> int:
        """Return the number of jobs that are not finished."""
        return len(self._waiting)

    def unfinished(self) -> Failed | None:
        """Return a failure that says how many jobs are not finished, if any is not."""
        number = len(self._waiting)
        if not number:
            return None
        jobs = "1 job" if number == 1 else f"{number:,} jobs"
        return Failed(503, "JOBS_UNFINISHED", f"The partner has not finished {jobs}.")

    def wait_for(self, batch: Batch) -> None:
        """Ask later for the job of a batch that the partner has accepted."""
        key = batch.job or self.key_of(batch.all_row_ids(), batch.action)
        with self._lock:
            attempts = self._attempts.get(key, 0)
            after = self._after.pop(key, None)
        if after is None:
            after = self._rules(self.record_of(key)).wait(attempts)
        due = self._clock.monotonic() + after
        self._waiting.append(_Waiting(replace(batch, job=key), due))

    def batches(self) -> Iterator[Sequence[int]]:
        """Yield the row ids of what is not finished, and of what was read again so far."""
        for one in self._waiting:
            yield one.batch.all_row_ids()
        for expected in self._expected:
            for group in expected.groups:
                yield group.row_ids

    def next_due(self) -> float | None:
        """Return the seconds until a job is to be asked for; None if there is none."""
        if not self._waiting:
            return None
        return max(0.0, min(one.due for one in self._waiting) - self._clock.monotonic())

    def take_due(self, *, every: bool = False) -> list[Batch]:
        """Take out the jobs that are to be asked for now, or *every* job."""
        if not self._waiting:
            return []
        now = self._clock.monotonic()
        due = [one for one in self._waiting if every or one.due <= now]
        if due:
            self._waiting = [one for one in self._waiting if one not in due]
        return [one.batch for one in due]

    def tickets(self) -> dict[str, tuple[JobRecord, Batch]]:
        """Return the records and batches of the jobs that are not finished."""
        return {one.batch.job: (self.record_of(one.batch.job), one.batch) for one in self._waiting}

    def renew(self, key: str) -> None:
        """Note that the job of a batch has failed, so that the batch is to be submitted anew."""
        record = self.record_of(key)
        self._keep(
            replace(
                record,
                round=record.round + 1,
                idempotency_key=f"{key}-{record.round + 1}",
                begun=None,
                ticket=None,
                accepted=None,
                early=None,
            )
        )
        self._attempts.pop(key, None)

    def over(self, key: str) -> None:
        """Note that a job is finished; its record stays until its results are saved."""
        self._ended.append(key)
        self._attempts.pop(key, None)

    def settled(self, batch: Batch) -> None:
        """Note that rows have results without a job, so that their record is not needed."""
        key = self.key_of(batch.all_row_ids(), batch.action)
        if key in self._records and key not in self._ended:
            self.over(key)

    def ended(self) -> list[str]:
        """Return the jobs whose results are to be saved; see `forget`."""
        return [*self._ended]

    def forget(self, keys: Sequence[str]) -> None:
        """Remove the records of jobs whose results are saved; in the meantime begun ones stay."""
        for key in keys:
            with self._lock:
                if key not in self._ended:
                    continue
                self._ended.remove(key)
                record = self._records.pop(key, None)
            if record and self._source.state:
                self._source.state.delete(KIND, record.state_key)

    # Rows of jobs that an earlier process has left

    @property
    def expects(self) -> bool:
        """Whether rows of earlier jobs were not read again yet."""
        return bool(self._expected)

    def claim(self, groups: Sequence[RowGroup]) -> tuple[list[RowGroup], list[Batch]]:
        """Take the rows of earlier jobs out of *groups*; return the others, and whole batches."""
        left: list[RowGroup] = []
        for group in groups:
            runs = _runs_by([self._expected_rows.get(row_id) for row_id in group.row_ids])
            for found, start, stop in runs:
                (found.groups if found else left).append(group.part(start, stop))
        whole = [one for one in self._expected if _number(one.groups) == len(one.every)]
        batches = [batch for one in whole for batch in self._batches_of(one)]
        last = max((group.row_ids[-1] for group in groups), default=-1)
        passed = [one for one in self._expected if max(one.every) < last]
        other, more = self._incomplete(passed)
        return [*other, *left], [*batches, *more]

    def incomplete(self) -> tuple[list[RowGroup], list[Batch]]:
        """Return what was read of earlier jobs of which some rows do not arrive any more.

        Jobs that the partner has accepted are asked for; the rows of others are sent anew.
        """
        return self._incomplete([*self._expected])

    def forget_expected(self) -> None:
        """Remove the records of jobs of which an earlier run has saved all results."""
        self._incomplete([*self._expected])
        self.forget(self.ended())

    def _incomplete(self, passed: Sequence[_Expected]) -> tuple[list[RowGroup], list[Batch]]:
        groups: list[RowGroup] = []
        batches: list[Batch] = []
        for one in passed:
            if one.record.ticket and one.groups:
                batches += self._batches_of(one)
            else:
                groups += one.groups
                self._drop(one)
                self.over(one.record.key)
        return groups, batches

    def _expect(self, record: JobRecord) -> None:
        with self._lock:
            self._records[record.key] = record
        known = {name for name, *_ in record.rows} <= set(self._names)
        if not known or record.action not in self._actions:
            self._ended.append(record.key)
            return
        merged = {at: self._row_ids_of(spans) for at, spans in record.merged.items()}
        one = _Expected(record, self._row_ids_of(record.rows), merged)
        self._expected.append(one)
        self._expected_rows |= dict.fromkeys(one.every, one)

    def _batches_of(self, one: _Expected) -> list[Batch]:
        """Return the batch of an earlier job, its rows in the order in which they were sent."""
        self._drop(one)
        rows = {
            row_id: (group, at) for group in one.groups for at, row_id in enumerate(group.row_ids)
        }
        row_ids = [row_id for row_id in one.row_ids if row_id in rows]
        if not row_ids:
            return []
        group = one.groups[0]
        identifiers = None
        if group.identifiers is not None:
            found = [rows[row_id] for row_id in row_ids]
            identifiers = [(each.identifiers or ())[at] for each, at in found]
        merged = {
            one.row_ids[at]: [row_id for row_id in earlier if row_id in rows]
            for at, earlier in one.merged.items()
            if one.row_ids[at] in rows
        }
        record = one.record
        more = {each: more for own in one.groups for each, more in further_by_row(own).items()}
        batch = Batch(
            record.action, group.key, row_ids, identifiers, merged, "job", group.scope, further=more
        )
        return [replace(batch, job=record.key if record.ticket else "")]

    def _drop(self, one: _Expected) -> None:
        self._expected.remove(one)
        for row_id in one.every:
            self._expected_rows.pop(row_id, None)

    def _rules(self, record: JobRecord) -> Job:
        return self._actions[record.action].job or DEFAULT

    def _new_record(self, batch: Batch, key: str, now: float) -> JobRecord:
        places = {row_id: at for at, row_id in enumerate(batch.row_ids)}
        return JobRecord(
            connection=self._source.connection,
            source=self._source.source,
            key=key,
            action=batch.action,
            rows=self._spans(batch.row_ids),
            merged={places[row_id]: self._spans(rows) for row_id, rows in batch.merged.items()},
            idempotency_key=key,
            begun=now,
        )

    def _keep(self, record: JobRecord) -> None:
        if self._source.state:
            self._source.state.put(
                KIND, record.state_key, msgspec.to_builtins(record, str_keys=True)
            )
        with self._lock:
            self._records[record.key] = record

    def _spans(self, row_ids: Sequence[int]) -> list[Span]:
        """Return rows as spans, in their order."""
        step = self._row_ids.subscriptions
        spans: list[Span] = []
        for row_id in row_ids:
            position, index = divmod(row_id, step)
            name = self._names[index]
            if spans and spans[-1][0] == name and spans[-1][2] == position - 1:
                spans[-1] = (name, spans[-1][1], position)
            else:
                spans.append((name, position, position))
        return spans

    def _row_ids_of(self, spans: Sequence[Span]) -> list[int]:
        step, names = self._row_ids.subscriptions, self._names
        return [
            position * step + names.index(name)
            for name, first, last in spans
            for position in range(first, last + 1)
        ]


def job_records(state: StateStore, connection: str | None = None) -> list[JobRecord]:
    """Return the records of jobs in a store, those of one connection or all; damaged ones not."""
    found: list[JobRecord] = []
    for key in state.keys(KIND):
        try:
            record = msgspec.convert(state.get(KIND, key), JobRecord, str_keys=True)
        except msgspec.ValidationError:
            continue
        if connection is None or record.connection == connection:
            found.append(record)
    return sorted(found, key=lambda one: one.begun or 0.0)


def _different(names: Sequence[str]) -> list[str]:
    """Return names of which no two are equal."""
    return [f"{name} ({at})" if name in names[:at] else name for at, name in enumerate(names)]


def _number(groups: Sequence[RowGroup]) -> int:
    return sum(len(one.row_ids) for one in groups)


def _runs_by(marks: Sequence[_Expected | None]) -> Iterator[tuple[_Expected | None, int, int]]:
    """Yield runs of the same object, with their start and stop."""
    start = 0
    for at in range(1, len(marks) + 1):
        if at == len(marks) or marks[at] is not marks[start]:
            yield marks[start], start, at
            start = at


def _result_of(told: dict[str, Any]) -> Result:
    """Return the result of which *told* is the JSON form."""
    kind = told["outcome"]
    if kind == "delivered":
        return Delivered(told["status"], told.get("body"))
    if kind == "failed":
        problems = tuple(told.get("problems", ()))
        code, message = told["code"], told["message"]
        return Failed(told["status"], code, message, told["reporter"], problems)
    return (Skipped if kind == "skipped" else Unconfirmed)(told["code"], told["message"])
