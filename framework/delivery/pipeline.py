"""The one pipeline: events in, one result per event and subscription out.

A single event is a list of one; explaining, dry runs, the tester and the command line are views
of the record that is made here.
"""

from __future__ import annotations

import hashlib
import logging
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from types import TracebackType
from typing import Any, Self, TypeAlias

import httpx
import orjson

from framework.definition import Field, Subscription, shape_settings, starting_subscriptions
from framework.delivery.auth import OAuthCredentials
from framework.delivery.batching import Batch, Batcher, Parcel
from framework.delivery.cache import Cache
from framework.delivery.client import Client
from framework.delivery.exchanges import Exchange, Redactor
from framework.delivery.performing import Implementation, Performer
from framework.delivery.report import Item, Report, Sent
from framework.delivery.retries import Clock, Retry, SystemClock
from framework.delivery.routes import Route, compile_routes, invalid
from framework.delivery.throttle import Throttle
from framework.errors import IntegrationError, PayloadValidationError
from framework.paths import Event
from framework.results import Failed, Result, Skipped

Settled: TypeAlias = tuple[int, int, Result]
"""Position of an event, index of a route, and what became of the two."""

Wanted: TypeAlias = Callable[[int, int], bool]
"""Tells for the position of an event and the index of a route whether they are to be delivered."""

MAX_WAITING = 200_000
"""Payloads that may wait for their batch; beyond, the fullest batch is sent early."""

SUPERSEDED = Skipped("SUPERSEDED", "A later event about the same identifier was sent instead.")
"""The result of an event that a later one of its lane made void."""

_logger = logging.getLogger("action_destinations")


def connect(  # noqa: PLR0913 - each replaces one part of the connection
    plugin: Implementation,
    settings: Mapping[str, Any],
    subscriptions: Sequence[Subscription] | None = None,
    *,
    transport: httpx.BaseTransport | None = None,
    retry: Retry | None = None,
    clock: Clock | None = None,
    throttle: Throttle | None = None,
    strict: bool = False,
) -> Connection:
    """Open a destination with its settings and subscriptions.

    Without *subscriptions* the connection has those of the destination's automatic presets.
    *transport* stands in for the network; *strict* is for test benches, see `Performer`.
    Raises SettingsError or ConfigurationError with every problem.
    """
    definition = plugin.definition
    given = shape_settings(definition.settings, settings)
    if subscriptions is None:
        subscriptions = starting_subscriptions(definition)
    routes = compile_routes(definition, subscriptions)
    clock = clock or SystemClock()
    redactor = Redactor(_secrets(definition.settings_fields, settings))
    auth = plugin.call("auth", settings=given) if plugin.implements("auth") else None
    client = Client(
        auth=auth,
        transport=transport,
        retry=retry,
        throttle=throttle or Throttle(definition.rate, clock=clock),
        redactor=redactor,
        clock=clock,
        error_reader=_error_reader(plugin),
    )
    performer = Performer(
        plugin=plugin,
        client=client,
        settings=given,
        cache=Cache(clock.monotonic),
        logger=_logger,
        redactor=redactor,
        credentials=auth if isinstance(auth, OAuthCredentials) else None,
        strict=strict,
    )
    return Connection(plugin, given, routes, performer)


def _secrets(fields: Mapping[str, Field], values: Any) -> Iterator[str]:
    """Yield the values of secret fields, which never leave through errors, logs or outcomes."""
    for key, entry in fields.items():
        value = values.get(key) if isinstance(values, Mapping) else None
        for one in value if isinstance(value, list) else [value]:
            if entry.properties:
                yield from _secrets(entry.properties, one)
            elif entry.secret and one is not None:
                yield str(one)


def _error_reader(plugin: Implementation) -> Callable[[httpx.Response], Any] | None:
    if not plugin.implements("describe_error"):
        return None
    return lambda response: plugin.call("describe_error", response=response)


class Connection:
    """A destination with settings and subscriptions, ready to deliver; a context manager.

    *settings* is the destination's Settings object, *routes* its enabled subscriptions.
    """

    def __init__(
        self, plugin: Implementation, settings: Any, routes: tuple[Route, ...], performer: Performer
    ) -> None:
        self.plugin = plugin
        self.settings = settings
        self.routes = routes
        self.performer = performer
        self.recorder = performer.client.recorder
        self.redactor = performer.redactor

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections to the partner."""
        self.performer.client.close()

    def check_authentication(self) -> None:
        """Ask the partner whether the settings give access.

        Raises IntegrationError (mostly InvalidAuthenticationError) when they do not.
        """
        if not self.plugin.implements("check_authentication"):
            return
        client = self.performer.client
        try:
            self.plugin.call("check_authentication", client=client, settings=self.settings)
        except IntegrationError as error:
            error.args = (self.redactor.text(str(error)),)
            raise

    def deliver(self, events: Sequence[Event]) -> Report:
        """Deliver *events* and give the record of it: exactly one result per event and route.

        Raises nothing that an event, the partner or the plugin can cause.
        """
        stream = Stream(self, traced=True)
        for settled in chain(stream.take(enumerate(events)), stream.flush()):
            for position, route, result in settled:
                stream.items[position, route].result = result
        slug = self.plugin.definition.slug
        report = Report(slug, tuple(stream.items.values()), tuple(stream.sent))
        self._announce(report)
        return report

    def _announce(self, report: Report) -> None:
        """Tell the extensions; what they raise is logged and changes nothing."""
        try:
            if self.plugin.implements("delivery_finished"):
                self.plugin.call("delivery_finished", report=report)
        except Exception:
            if self.performer.strict:
                raise
            trace = self.redactor.text(traceback.format_exc())
            _logger.error("Hook `delivery_finished` failed unexpectedly.\n%s", trace)  # noqa: TRY400 - the traceback is redacted first

    def stream(self, halts: Callable[[Result], bool] = lambda _: False) -> Stream:
        """Open a delivery that goes on: take events as they come, flush at the end.

        A result for which *halts* is true stops it, see `Stream`.
        """
        return Stream(self, halts=halts)

    @property
    def label(self) -> str:
        """What tells this connection from others: the destination and its enabled subscriptions."""
        chosen = [
            (route.action.slug, str(route.trigger), dict(route.subscription.mapping))
            for route in self.routes
        ]
        digest = hashlib.sha256(orjson.dumps(chosen, option=orjson.OPT_SORT_KEYS)).hexdigest()
        return f"{self.plugin.definition.slug} {digest[:12]}"

    @property
    def calls(self) -> Counter[str]:
        """The requests made so far, by method and path with ids left out."""
        return self.performer.client.calls


class Stream:
    """A delivery going on: payloads wait here until their batch is full, due or flushed.

    With *traced*, what every stage produced is kept in `items` and `sent`.
    A result for which *halts* is true stops the sending: its parcel and all that wait stay
    unsettled, so that nothing overtakes it.
    `take` and `flush` yield what each call settled; between two yields `unsettled` is exact, so
    a delivery may be left there.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        traced: bool = False,
        halts: Callable[[Result], bool] = lambda _: False,
        max_waiting: int = MAX_WAITING,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._performer = connection.performer
        self._routes = connection.routes
        self._recorder = connection.recorder
        self._batcher = Batcher(now)
        self._traced = traced
        self._halts = halts
        self._keeps_events = traced or connection.performer.needs_events
        self._max_waiting = max_waiting
        self._incoming: deque[Parcel] = deque()
        self._closed: deque[Batch] = deque()
        self._held: list[Parcel] = []
        self.halted: Failed | None = None
        self.items: dict[tuple[int, int], Item] = {}
        self.sent: list[Sent] = []

    def unsettled(self) -> Iterator[tuple[int, int]]:
        """Yield position and route of everything taken in that has no result yet."""
        closed = (parcel for batch in self._closed for parcel in batch.parcels)
        for parcel in chain(self._held, closed):
            yield from ((one.position, one.route) for one in parcel.all())
        for parcel in chain(self._batcher.parcels(), self._incoming):
            yield parcel.position, parcel.route

    def take(
        self, events: Iterable[tuple[int, Event]], wanted: Wanted | None = None
    ) -> Iterator[list[Settled]]:
        """Take in events with their positions, in order; yield what is settled by each call.

        What needs no call is settled first, when all of *events* have been taken in.
        *wanted* leaves out positions and routes that were settled before.
        """
        settled: list[Settled] = []
        parcels = list(self._prepare(events, settled, wanted))
        if self._performer.identifies:
            parcels = list(self._identify(parcels, settled))
        self._incoming.extend(parcels)
        yield settled
        while self._incoming:
            parcel = self._incoming[0]
            route = self._routes[parcel.route]
            closed = self._batcher.add(parcel, route.lane, route.action.slug, route.batching)
            self._closed.extend(closed)
            self._incoming.popleft()
            if self._batcher.waiting > self._max_waiting:
                self._closed.extend(self._batcher.largest())
            if self._closed:
                yield from self._send()

    def due(self) -> Iterator[list[Settled]]:
        """Send the batches that have waited for their age; yield what each call settled.

        For sources that may pause: a file is better read to its end.
        """
        self._closed.extend(self._batcher.due())
        yield from self._send()

    def flush(self) -> Iterator[list[Settled]]:
        """Send everything that waits; yield what each call settled."""
        self._closed.extend(self._batcher.flush())
        yield from self._send()

    def _prepare(
        self,
        events: Iterable[tuple[int, Event]],
        settled: list[Settled],
        wanted: Wanted | None,
    ) -> Iterator[Parcel]:
        for position, event in events:
            for route in self._routes:
                if wanted and not wanted(position, route.index):
                    continue
                make = self._trace if self._traced else _prepare
                made = make(position, route, event)
                if isinstance(made, dict):
                    kept = event if self._keeps_events else None
                    yield route.parcel(position, made, kept)
                else:
                    settled.append((position, route.index, made))

    def _trace(self, position: int, route: Route, event: Event) -> dict[str, Any] | Result:
        item = Item(position, route.name, route.action.slug, event)
        self.items[position, route.index] = item
        item.matched = route.trigger.matches(event)
        if not item.matched:
            return Skipped("NOT_MATCHED", route.trigger.explain(event).reason)
        try:
            item.mapped = mapped = route.mapping.resolve(event)
            item.payload = shaped = route.shape.apply(mapped, sync_mode=route.sync_mode)
        except PayloadValidationError as error:
            return invalid(error)
        return shaped

    def _identify(self, parcels: Sequence[Parcel], settled: list[Settled]) -> Iterator[Parcel]:
        by_route: dict[int, list[Parcel]] = {}
        for parcel in parcels:
            by_route.setdefault(parcel.route, []).append(parcel)
        refused: dict[Parcel, Result] = {}
        for index, group in by_route.items():
            payloads = [parcel.payload for parcel in group]
            found = self._performer.identify(self._routes[index], payloads)
            for parcel, identifier in zip(group, found, strict=True):
                if isinstance(identifier, str):
                    parcel.identifier = identifier
                    parcel.size = len(identifier.encode("utf-8", "surrogatepass")) + 3
                else:
                    refused[parcel] = identifier
        for parcel in parcels:
            if parcel in refused:
                settled.append((parcel.position, parcel.route, refused[parcel]))
            else:
                yield parcel

    def _send(self) -> Iterator[list[Settled]]:
        while self._closed:
            if self.halted:
                self._held += self._closed.popleft().parcels
                continue
            settled = list(self._perform(self._closed[0]))
            self._closed.popleft()
            yield settled

    def _perform(self, batch: Batch) -> Iterator[Settled]:
        route = self._routes[batch.parcels[0].route]
        if self._traced:
            with self._recorder.recording() as exchanges:
                results = self._performer.perform(route, batch.parcels)
            self._record(route, batch, tuple(exchanges))
        else:
            results = self._performer.perform(route, batch.parcels)
        for parcel, result in zip(batch.parcels, results, strict=True):
            yield from self._settle(parcel, result)

    def _settle(self, parcel: Parcel, result: Result) -> Iterator[Settled]:
        if isinstance(result, Failed) and self._halts(result):
            self.halted = result
            self._held.append(parcel)
            return
        yield parcel.position, parcel.route, result
        for one in parcel.shared:
            yield one.position, one.route, result
        for one in parcel.superseded:
            yield one.position, one.route, SUPERSEDED

    def _record(self, route: Route, batch: Batch, exchanges: tuple[Exchange, ...]) -> None:
        key = dict(zip(route.batching.keys, batch.key, strict=True))
        self.sent.append(Sent(batch.action, key, len(batch.parcels), batch.reason, exchanges))
        for parcel in batch.parcels:
            for one in parcel.all():
                item = self.items[one.position, one.route]
                item.batch, item.identifier = len(self.sent) - 1, one.identifier


def _prepare(_: int, route: Route, event: Event) -> dict[str, Any] | Result:
    return route.prepare(event)
