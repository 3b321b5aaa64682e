"""The journey of an event: what every stage made of it, read from the pipeline's own record.

`actions explain` and the tester are two views of what is made here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal, TypeAlias

from framework.delivery import CompiledSubscription, Connection, Exchange, Report, ReportItem
from framework.errors import FrameworkError
from framework.explain.trace_json import exchange_to_json, hidden
from framework.linting import Change, nearest_change
from framework.mapping import Mapping as CompiledMapping
from framework.mapping import compile_mapping
from framework.paths import JSON, MISSING, Event, Path
from framework.results import Delivered, Failed, Result
from framework.triggers import Explanation, Trigger

StageOutcome: TypeAlias = Literal["delivered", "failed", "skipped"]

_Known: TypeAlias = dict[tuple[Trigger, str], tuple[Change, ...] | None]
"""The smallest changes found so far, by trigger and what it saw."""

_EVERYTHING: Final = Path(())
_INTERNAL: Final = "__segment_internal_"


@dataclass(frozen=True, slots=True)
class Source:
    """A place of the event that a mapping reads, and the *value* there; MISSING for none.

    The path without keys stands for mappings that may read anything; its value is not repeated.
    """

    path: Path
    value: JSON

    def to_json(self) -> dict[str, JSON]:
        """Give the source as a JSON object; `value` is there where something was found."""
        if self.path == _EVERYTHING:
            return {"path": "$"}
        told = {} if self.value is MISSING else {"value": self.value}
        return {"path": str(self.path), **told}


@dataclass(frozen=True, slots=True)
class MappedField:
    """One field of a mapping: its *expression*, the *value* it gave, and what it read for that.

    *value* is MISSING where the expression gave nothing; *default* says that the expression is
    the action's own.
    """

    key: str
    expression: JSON
    value: JSON
    default: bool
    sources: tuple[Source, ...]

    def to_json(self) -> dict[str, JSON]:
        """Give the field as a JSON object; `value` is there where there is one."""
        told = {} if self.value is MISSING else {"value": self.value}
        return {
            "field": self.key,
            **told,
            "mapping": self.expression,
            "isDefault": self.default,
            "sources": [source.to_json() for source in self.sources],
        }


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What keeps a payload from being made: the *field*'s path, a code, and a sentence."""

    field: str
    code: str
    message: str

    def to_json(self) -> dict[str, JSON]:
        """Give the problem as a JSON object."""
        return {"field": self.field, "code": self.code, "message": self.message}


@dataclass(frozen=True, slots=True)
class BatchPeers:
    """The batch that an event travelled in: *peers* are the positions of the other events."""

    index: int
    key: Mapping[str, JSON]
    size: int
    reason: str
    peers: tuple[int, ...]
    exchanges: Sequence[Exchange] = field(repr=False)

    def to_json(self) -> dict[str, JSON]:
        """Give the batch as a JSON object, without its exchanges."""
        return {
            "index": self.index,
            "key": dict(self.key),
            "size": self.size,
            "reason": self.reason,
            "mates": list(self.peers),
        }


@dataclass(frozen=True, slots=True)
class SubscriptionTrace:
    """An event's way through one subscription, stage by stage; a stage not reached is None."""

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
        """Give the leg as a JSON object."""
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
class Nearest:
    """The subscription that came nearest to matching, and the changes that it would take.

    *changes* is None where none were found.
    """

    subscription: str
    reason: str
    changes: tuple[Change, ...] | None

    def __str__(self) -> str:
        if self.changes is None:
            return f"Subscription `{self.subscription}` came nearest. {self.reason}"
        steps = " ".join(map(str, self.changes))
        return f"Subscription `{self.subscription}` would match after this: {steps}"

    def to_json(self) -> dict[str, JSON]:
        """Give it as a JSON object; `text` says all of it."""
        changes = None if self.changes is None else [one.to_json() for one in self.changes]
        return {
            "subscription": self.subscription,
            "reason": self.reason,
            "changes": changes,
            "text": str(self),
        }


@dataclass(frozen=True, slots=True)
class EventTrace:
    """What became of an *event*: one leg for each enabled subscription, in their order.

    *nearest* is there where no subscription matched.
    """

    position: int
    event: Event
    legs: tuple[SubscriptionTrace, ...]
    nearest: Nearest | None
    hide: Callable[[str], str] = field(default=str, repr=False, compare=False)
    """Takes the connection's secrets out of a text."""

    @property
    def outcome(self) -> StageOutcome:
        """The one word for all legs: failed before delivered before skipped."""
        kinds = {type(leg.result) for leg in self.legs}
        return "failed" if Failed in kinds else "delivered" if Delivered in kinds else "skipped"

    def to_json(self) -> dict[str, JSON]:
        """Give the journey as a JSON object, without the connection's secrets."""
        told = {
            "position": self.position,
            "messageId": self.event.get("messageId") if isinstance(self.event, dict) else None,
            "event": self.event,
            "outcome": self.outcome,
            "legs": [leg.to_json() for leg in self.legs],
            "nearest": self.nearest.to_json() if self.nearest else None,
        }
        shown: dict[str, JSON] = hidden(told, self.hide)
        return shown


def trace_event(connection: Connection, event: Event) -> EventTrace:
    """Deliver one event and give its journey.

    Whether anything is sent is the connection's matter: open it with a `DryRun` transport to
    explain, with a `SandboxTransport` to try.
    """
    return trace_events(connection, [event], connection.deliver([event]))[0]


def trace_events(
    connection: Connection, events: Sequence[Event], report: Report
) -> tuple[EventTrace, ...]:
    """Give the journey of each of *events*, whose delivery *report* is the record of."""
    settled: dict[int, list[int]] = {}
    known: _Known = {}
    items: dict[int, list[ReportItem]] = {}
    for item in report.items:
        items.setdefault(item.position, []).append(item)
        if item.batch is not None:
            settled.setdefault(item.batch, []).append(item.position)
    return tuple(
        EventTrace(
            position,
            event,
            legs := tuple(
                _leg(route, item, _company(item, report, settled))
                for route, item in zip(
                    connection.subscriptions, items.get(position, ()), strict=True
                )
            ),
            None if any(leg.matched for leg in legs) else _nearest(legs, event, known),
            connection.redactor.hide,
        )
        for position, event in enumerate(events)
    )


def mapped_fields(
    raw: Mapping[str, JSON], given: Mapping[str, JSON], event: Event, mapped: JSON
) -> tuple[MappedField, ...]:
    """Give each field of the mapping *raw*, of which *given* is what a user wrote.

    *mapped* is what the mapping made of *event*.
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


def mapping_problems(raw: Mapping[str, JSON], event: Event) -> Iterator[FieldProblem]:
    """Yield why the mapping *raw* cannot be resolved for an event, field by field."""
    for key, expression in raw.items():
        try:
            _compiled(json.dumps({key: expression}, default=str)).resolve(event)
        except FrameworkError as error:
            yield FieldProblem(key, "mapping", str(error))


def payload_problems(route: CompiledSubscription, mapped: JSON) -> Iterator[FieldProblem]:
    """Yield why what a mapping gave cannot be brought into shape, in the shape's order."""
    if not isinstance(mapped, dict):
        return
    _, problems = route.shape.interpret(mapped, sync_mode=route.sync_mode)
    texts = route.shape.refusal(mapped, sync_mode=route.sync_mode).problems if problems else ()
    for problem, text in zip(problems, texts, strict=True):
        yield FieldProblem(problem.place, problem.code, text)


def raw_mapping(route: CompiledSubscription) -> dict[str, JSON]:
    """Give the whole mapping of a subscription: its own over the action's default."""
    return {**route.action.default_mapping, **route.subscription.mapping}


def _leg(
    route: CompiledSubscription, item: ReportItem, company: BatchPeers | None
) -> SubscriptionTrace:
    raw = raw_mapping(route)
    given = route.subscription.mapping
    shown = mapped_fields(raw, given, item.event, item.mapped) if item.matched else None
    return SubscriptionTrace(
        subscription=item.subscription,
        action=item.action,
        trigger=route.trigger,
        explanation=route.trigger.explain(item.event),
        mapping=shown,
        payload=item.payload,
        problems=tuple(_problems(route, item)),
        identifier=item.identifier,
        batch=company,
        result=item.result,
    )


def _problems(route: CompiledSubscription, item: ReportItem) -> Iterator[FieldProblem]:
    if not item.matched or item.batch is not None or not isinstance(item.result, Failed):
        return
    if item.mapped is None:
        yield from mapping_problems(raw_mapping(route), item.event)
    elif item.payload is None:
        yield from payload_problems(route, item.mapped)
    else:
        yield FieldProblem("", "identifier", item.result.message)


def _company(
    item: ReportItem, report: Report, settled: Mapping[int, list[int]]
) -> BatchPeers | None:
    if item.batch is None:
        return None
    sent = report.batches[item.batch]
    peers = dict.fromkeys(settled[item.batch])
    return BatchPeers(
        item.batch,
        sent.key,
        sent.size,
        sent.reason,
        tuple(mate for mate in peers if mate != item.position),
        sent.exchanges,
    )


def _nearest(legs: Sequence[SubscriptionTrace], event: Event, known: _Known) -> Nearest | None:
    """Give the subscription that the fewest changes make match."""
    ways = [(leg, _changes(leg.trigger, event, known)) for leg in legs]
    if not ways:
        return None
    leg, changes = min(ways, key=lambda way: _distance(*way))
    return Nearest(leg.subscription, leg.explanation.reason, changes)


def _changes(trigger: Trigger, event: Event, known: _Known) -> tuple[Change, ...] | None:
    """Give the smallest change; events that look the same to a trigger are searched once."""
    seen = repr([path.get(event) for path in sorted(trigger.paths, key=str)])
    if (trigger, seen) in known and _works(known[trigger, seen], trigger, event):
        return known[trigger, seen]
    known[trigger, seen] = changes = nearest_change(trigger, event)
    return changes


def _works(changes: tuple[Change, ...] | None, trigger: Trigger, event: Event) -> bool:
    for change in changes or ():
        event = change.apply(event)
    return changes is None or trigger.matches(event)


def _distance(leg: SubscriptionTrace, changes: tuple[Change, ...] | None) -> tuple[bool, int]:
    if changes is None:
        return True, len(leg.explanation.blockers)
    return False, len(changes)


def _sources(raw: Mapping[str, JSON], key: str, event: Event) -> Iterator[Source]:
    """Yield what the expression of one field reads; a root directive's places are everybody's."""
    part = {key: raw[key]} if key in raw else dict(raw)
    try:
        paths = _compiled(json.dumps(part, default=str)).paths
    except FrameworkError:
        return
    for path in sorted(paths, key=lambda path: path.parts):
        yield Source(path, MISSING if path == _EVERYTHING else path.get(event))


@lru_cache(maxsize=2048)
def _compiled(text: str) -> CompiledMapping:
    """Compile a mapping, given as JSON so that it can be remembered."""
    return compile_mapping(json.loads(text))
