"""Traces: the result of every stage for an event, derived from the report of its delivery.

`actions explain` and the tester present these traces.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import Final, Literal, TypeAlias

from framework.delivery import (
    CompiledSubscription,
    Connection,
    Exchange,
    FilterStep,
    Report,
    ReportItem,
    is_deletion,
)
from framework.explain.field_problems import (
    FieldProblem,
    mapping_problems,
    paths_of,
    payload_problems,
    raw_mapping,
)
from framework.explain.trace_json import exchange_to_json, hidden
from framework.linting import Change, nearest_change
from framework.paths import JSON, MISSING, Event, Path
from framework.results import Accepted, Delivered, Failed, Result, Skipped, Unconfirmed
from framework.triggers import Explanation, Trigger

StageOutcome: TypeAlias = Literal["delivered", "failed", "skipped", "unconfirmed", "accepted"]

_Known: TypeAlias = dict[tuple[Trigger, str], tuple[Change, ...] | None]
"""The smallest changes found so far, by trigger and the values it read."""

MAX_PEERS: Final = 50
"""Maximum number of other events of its batch that a trace names."""

MAX_REPEATED: Final = 50
"""Number of events of a batch whose traces repeat the exchanges of the batch."""

_EVERYTHING: Final = Path(())
_INTERNAL: Final = "__segment_internal_"
_MOST_HIDDEN: Final = 4096


@dataclass(frozen=True, slots=True)
class Source:
    """A path of the event that a mapping reads, and the *value* there; MISSING for none.

    The empty path means that the mapping may read the whole event; its value is not repeated.
    """

    path: Path
    value: JSON

    def to_json(self) -> dict[str, JSON]:
        """Return the source as a JSON object; a missing value has no `value`."""
        if self.path == _EVERYTHING:
            return {"path": "$"}
        value = {} if self.value is MISSING else {"value": self.value}
        return {"path": str(self.path), **value}


@dataclass(frozen=True, slots=True)
class MappedField:
    """One field of a mapping: its *expression*, the resulting *value* and the *sources* it read.

    *value* is MISSING if the expression has no result; *default* means that the expression is the
    action's default.
    """

    key: str
    expression: JSON
    value: JSON
    default: bool
    sources: tuple[Source, ...]

    def to_json(self) -> dict[str, JSON]:
        """Return the field as a JSON object; a missing value has no `value`."""
        value = {} if self.value is MISSING else {"value": self.value}
        return {
            "field": self.key,
            **value,
            "mapping": self.expression,
            "isDefault": self.default,
            "sources": [source.to_json() for source in self.sources],
        }


@dataclass(frozen=True, slots=True)
class BatchPeers:
    """The batch of an event: *peers* are the positions of the first MAX_PEERS other events in it.

    *others* is the number of all other events. *exchanges* are there for the first MAX_REPEATED
    events of the batch, and empty for those after them, so that cost grows with the events only.
    """

    index: int
    key: Mapping[str, JSON]
    size: int
    reason: str
    peers: tuple[int, ...]
    others: int
    exchanges: Sequence[Exchange] = field(repr=False)
    preview: JSON = None

    def to_json(self) -> dict[str, JSON]:
        """Return the batch as a JSON object, without its exchanges."""
        return {
            "index": self.index,
            "key": dict(self.key),
            "size": self.size,
            "reason": self.reason,
            "mates": list(self.peers),
            "others": self.others,
            **({} if self.preview is None else {"preview": self.preview}),
        }


@dataclass(frozen=True, slots=True)
class SubscriptionTrace:
    """The stages of an event in one subscription; a stage that was not reached is None."""

    subscription: str
    action: str
    trigger: Trigger
    explanation: Explanation
    mapping: tuple[MappedField, ...] | None
    payload: Mapping[str, JSON] | None
    problems: tuple[FieldProblem, ...]
    identifier: str | None
    batch: BatchPeers | None
    result: Result | None

    @property
    def matched(self) -> bool:
        """Whether the trigger matched."""
        return self.explanation.matched

    def to_json(self) -> dict[str, JSON]:
        """Return the trace as a JSON object."""
        exchanges = self.batch.exchanges if self.batch else ()
        return {
            "subscription": self.subscription,
            "action": self.action,
            "trigger": {
                "text": str(self.trigger),
                "matched": self.matched,
                "reason": self.explanation.reason,
                "tree": self.explanation.to_json(),
            },
            "mapping": None if self.mapping is None else [one.to_json() for one in self.mapping],
            "payload": None if self.payload is None else dict(self.payload),
            "problems": [problem.to_json() for problem in self.problems],
            "identifier": self.identifier,
            "batch": self.batch and self.batch.to_json(),
            "exchanges": [exchange_to_json(exchange) for exchange in exchanges],
            "result": self.result.to_json() if self.result else {"outcome": "waiting"},
        }


@dataclass(frozen=True, slots=True)
class DeletionTrace:
    """The stages of an event that asks to delete a user, which no subscription sees."""

    batch: BatchPeers | None
    result: Result | None

    def to_json(self) -> dict[str, JSON]:
        """Return the trace as a JSON object."""
        exchanges = self.batch.exchanges if self.batch else ()
        return {
            "batch": self.batch and self.batch.to_json(),
            "exchanges": [exchange_to_json(exchange) for exchange in exchanges],
            "result": self.result.to_json() if self.result else {"outcome": "waiting"},
        }


@dataclass(frozen=True, slots=True)
class Nearest:
    """The subscription closest to matching, and the *changes* after which it matches.

    *changes* is None if the search found none. *remark* is about values that nearly match.
    """

    subscription: str
    reason: str
    changes: tuple[Change, ...] | None
    remark: str = ""

    def __str__(self) -> str:
        if self.changes is None:
            return f"Subscription `{self.subscription}` is the closest. {self.reason}"
        steps = " ".join(map(str, self.changes))
        text = f"Subscription `{self.subscription}` would match after this: {steps} {self.remark}"
        return text.rstrip()

    def to_json(self) -> dict[str, JSON]:
        """Return it as a JSON object; `text` is the summary in words."""
        changes = None if self.changes is None else [one.to_json() for one in self.changes]
        return {
            "subscription": self.subscription,
            "reason": self.reason,
            "changes": changes,
            "text": str(self),
        }


@dataclass(frozen=True, slots=True)
class EventTrace:
    """The trace of an *event*: one trace per enabled subscription, in their order.

    *nearest* is set if no subscription matched. An event of type `delete` has *deletion* instead.
    *filters* are the actions of destination filters on the event, before any subscription.
    """

    position: int
    event: Event
    subscriptions: tuple[SubscriptionTrace, ...]
    nearest: Nearest | None
    deletion: DeletionTrace | None = None
    filters: tuple[FilterStep, ...] = ()
    hide: Callable[[str], str] = field(default=str, repr=False, compare=False)
    """Removes the connection's secrets from a text."""

    @property
    def outcome(self) -> StageOutcome:
        """The overall outcome: failed if any is, else unconfirmed, accepted, delivered, skipped."""
        kinds = {type(trace.result) for trace in self.subscriptions}
        if self.deletion:
            kinds = {type(self.deletion.result)}
        if Failed in kinds:
            return "failed"
        if Unconfirmed in kinds:
            return "unconfirmed"
        if Accepted in kinds:
            return "accepted"
        return "delivered" if Delivered in kinds else "skipped"

    def to_json(self) -> dict[str, JSON]:
        """Return the trace as a JSON object, without the connection's secrets."""
        trace = {
            "position": self.position,
            "messageId": self.event.get("messageId") if isinstance(self.event, dict) else None,
            "event": self.event,
            "outcome": self.outcome,
            "legs": [trace.to_json() for trace in self.subscriptions],
            "nearest": self.nearest.to_json() if self.nearest else None,
            "deletion": self.deletion.to_json() if self.deletion else None,
            **({"filters": [step.to_json() for step in self.filters]} if self.filters else {}),
        }
        shown: dict[str, JSON] = hidden(trace, self.hide)
        return shown


def trace_event(connection: Connection, event: Event) -> EventTrace:
    """Deliver one event and return its trace.

    The transport of the connection decides whether requests are sent: open it with `DryRun` to
    explain, or with `SandboxTransport` to simulate.
    """
    return trace_events(connection, [event], connection.deliver([event]))[0]


def trace_events(
    connection: Connection, events: Sequence[Event], report: Report
) -> tuple[EventTrace, ...]:
    """Return the trace of each of *events*, from the *report* of their delivery."""
    return tuple(iterate_traces(connection, events, report))


def iterate_traces(
    connection: Connection, events: Sequence[Event], report: Report
) -> Iterator[EventTrace]:
    """Yield the trace of each of *events*, from the *report* of their delivery."""
    batches: dict[int, dict[int, int]] = {}
    known: _Known = {}
    # Traces of many events repeat conditions, names and values.
    hide = lru_cache(maxsize=_MOST_HIDDEN)(connection.redactor.hide)
    items: dict[int, list[ReportItem]] = {}
    for item in report.items:
        items.setdefault(item.position, []).append(item)
        if item.batch is not None:
            ranks = batches.setdefault(item.batch, {})
            ranks.setdefault(item.position, len(ranks))
    firsts = {index: tuple(islice(ranks, MAX_PEERS + 1)) for index, ranks in batches.items()}
    for position, event in enumerate(events):
        if is_deletion(event):
            (item,) = items[position]
            peers = _batch_peers(item, report, batches, firsts)
            deletion = DeletionTrace(peers, item.result)
            yield EventTrace(position, event, (), None, deletion, hide=hide)
            continue
        subscriptions = tuple(
            _subscription_trace(compiled, item, _batch_peers(item, report, batches, firsts))
            for compiled, item in zip(
                connection.subscriptions, items.get(position, ()), strict=True
            )
        )
        matched = any(trace.matched for trace in subscriptions)
        nearest = None if matched else _nearest(subscriptions, event, known)
        yield EventTrace(
            position,
            event,
            subscriptions,
            nearest,
            filters=tuple(connection.filters.steps(event)) if connection.filters else (),
            hide=hide,
        )


def mapped_fields(
    raw: Mapping[str, JSON], given: Mapping[str, JSON], event: Event, mapped: JSON
) -> tuple[MappedField, ...]:
    """Return each field of the mapping *raw*; *given* is the part that the user wrote.

    *mapped* is the result of the mapping for *event*.
    """
    made = mapped if isinstance(mapped, dict) else {}
    keys = [key for key in {**raw, **made} if not key.startswith(_INTERNAL)]
    return tuple(
        MappedField(
            key,
            raw.get(key),
            made.get(key, MISSING),
            key not in given,
            tuple(_sources(raw, key, event)),
        )
        for key in keys
    )


def _subscription_trace(
    compiled: CompiledSubscription, item: ReportItem, peers: BatchPeers | None
) -> SubscriptionTrace:
    raw = raw_mapping(compiled)
    given = compiled.subscription.mapping
    withheld = item.mapped is None and isinstance(item.result, Skipped)
    shown = None
    if item.matched and not withheld:
        shown = mapped_fields(raw, given, item.event, item.mapped)
    return SubscriptionTrace(
        subscription=item.subscription,
        action=item.action,
        trigger=compiled.trigger,
        explanation=compiled.trigger.explain(item.event),
        mapping=shown,
        payload=item.payload,
        problems=tuple(_problems(compiled, item)),
        identifier=item.identifier,
        batch=peers,
        result=item.result,
    )


def _problems(compiled: CompiledSubscription, item: ReportItem) -> Iterator[FieldProblem]:
    if not item.matched or item.batch is not None or not isinstance(item.result, Failed):
        return
    if item.mapped is None:
        yield from mapping_problems(raw_mapping(compiled), item.event)
    elif item.payload is None:
        yield from payload_problems(compiled, item.mapped, item.event)
    else:
        yield FieldProblem("", "identifier", item.result.message)


def _batch_peers(
    item: ReportItem,
    report: Report,
    batches: Mapping[int, Mapping[int, int]],
    firsts: Mapping[int, tuple[int, ...]],
) -> BatchPeers | None:
    """Return the batch of an item; *batches* ranks the events of each, *firsts* has the first."""
    if item.batch is None:
        return None
    sent, ranks = report.batches[item.batch], batches[item.batch]
    peers = tuple(peer for peer in firsts[item.batch] if peer != item.position)
    return BatchPeers(
        item.batch,
        sent.key,
        sent.size,
        sent.reason,
        peers[:MAX_PEERS],
        len(ranks) - 1,
        sent.exchanges if ranks[item.position] < MAX_REPEATED else (),
        sent.preview,
    )


def _nearest(
    subscriptions: Sequence[SubscriptionTrace], event: Event, known: _Known
) -> Nearest | None:
    """Return the subscription that matches after the fewest changes."""
    candidates = [(trace, _changes(trace.trigger, event, known)) for trace in subscriptions]
    if not candidates:
        return None
    trace, changes = min(candidates, key=lambda candidate: _distance(*candidate))
    remark = " ".join(_spelling(change, event) for change in changes or ())
    return Nearest(trace.subscription, trace.explanation.reason, changes, remark.strip())


def _spelling(change: Change, event: Event) -> str:
    """Return that the event has the text of a change, in other capitals or with other spaces."""
    found, wanted = change.path.get(event), change.value
    texts = [" ".join(one.split()).casefold() for one in (found, wanted) if isinstance(one, str)]
    if len(texts) < 2 or texts[0] != texts[1]:
        return ""
    shown = json.dumps(found, ensure_ascii=False)
    return f"The event has {shown} there; capitals and spaces make a difference."


def _changes(trigger: Trigger, event: Event, known: _Known) -> tuple[Change, ...] | None:
    """Return the smallest change; one search for all events with equal values for the trigger."""
    seen = repr([path.get(event) for path in sorted(trigger.paths, key=str)])
    if (trigger, seen) in known and _works(known[trigger, seen], trigger, event):
        return known[trigger, seen]
    known[trigger, seen] = changes = nearest_change(trigger, event)
    return changes


def _works(changes: tuple[Change, ...] | None, trigger: Trigger, event: Event) -> bool:
    for change in changes or ():
        event = change.apply(event)
    return changes is None or trigger.matches(event)


def _distance(trace: SubscriptionTrace, changes: tuple[Change, ...] | None) -> tuple[bool, int]:
    if changes is None:
        return True, len(trace.explanation.blockers)
    return False, len(changes)


def _sources(raw: Mapping[str, JSON], key: str, event: Event) -> Iterator[Source]:
    """Yield the sources of one field; a root directive applies to every field."""
    part = {key: raw[key]} if key in raw else dict(raw)
    for path in paths_of(part):
        yield Source(path, MISSING if path == _EVERYTHING else path.get(event))
