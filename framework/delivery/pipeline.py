"""The one pipeline: events in, one result per event and subscription out.

A single event is a list of one; explaining, dry runs, the tester and the command line are views
of the record that is made here.
"""

from __future__ import annotations

import hashlib
import logging
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from types import TracebackType
from typing import Any, Self

import httpx
import orjson

from framework.clock import Clock, SystemClock
from framework.definition import Field, Subscription, shape_settings, starting_subscriptions
from framework.delivery.auth import OAuthCredentials
from framework.delivery.cache import Cache
from framework.delivery.client import Client
from framework.delivery.compiled import CompiledSubscription, compile_routes
from framework.delivery.exchanges import Redactor
from framework.delivery.performing import HookRunner, Implementation
from framework.delivery.prepare import Intake
from framework.delivery.report import Report
from framework.delivery.retries import Retry
from framework.delivery.sender import Sender
from framework.delivery.source_view import InputKind, listing
from framework.delivery.throttle import Throttle
from framework.errors import IntegrationError
from framework.paths import Event
from framework.results import Result

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
    *transport* stands in for the network; *strict* is for test benches, see `HookRunner`.
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
    performer = HookRunner(
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
        self,
        plugin: Implementation,
        settings: Any,
        routes: tuple[CompiledSubscription, ...],
        performer: HookRunner,
    ) -> None:
        self.plugin = plugin
        self.settings = settings
        self.routes = routes
        self.performer = performer
        self.recorder = performer.client.recorder
        self.redactor = performer.redactor
        self._announced = plugin.implements("delivery_finished")

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
        stream = Sender(self, traced=True)
        settled = list(stream.intake.add_one_by_one(enumerate(events), None))
        for settlement in chain(settled, chain.from_iterable(stream.finish())):
            for position in settlement.positions:
                stream.items[position, settlement.route].result = settlement.result
        slug = self.plugin.definition.slug
        report = Report(slug, tuple(stream.items.values()), tuple(stream.sent))
        self._announce(report)
        return report

    def _announce(self, report: Report) -> None:
        """Tell the extensions; what they raise is logged and changes nothing."""
        try:
            if self._announced:
                self.plugin.call("delivery_finished", report=report)
        except Exception:
            if self.performer.strict:
                raise
            trace = self.redactor.text(traceback.format_exc())
            _logger.error("Hook `delivery_finished` failed unexpectedly.\n%s", trace)  # noqa: TRY400 - the traceback is redacted first

    def stream(
        self,
        halts: Callable[[Result], bool] = lambda _: False,
        *,
        threads: int = 0,
        stopping: Callable[[], bool] = lambda: False,
        named: bool = True,
    ) -> Sender:
        """Open a delivery that goes on: take events as they come, flush at the end.

        A result for which *halts* is true stops it; calls are made by as many *threads*, or by
        the caller's where there are none. See `Sender`.
        """
        return Sender(self, halts=halts, threads=threads, stopping=stopping, named=named)

    def intake(self, *, named: bool = True) -> Intake:
        """Open an intake that prepares events for a stream which may be another process's."""
        return Intake(self.performer, self.routes, named=named)

    def generated(self, form: InputKind = "structs") -> str:
        """Give the source of the function that events go through in bulk, with a legend.

        `structs` is what a run over a file uses; where a hook asks for whole events it uses that
        for `json`, and so does any delivery for lines that are out of the ordinary.
        """
        return self.redactor.hide(listing(self.routes, form, whole=self.performer.needs_payloads))

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
    def number_of_calls(self) -> int:
        """How many requests were made so far."""
        return self.performer.client.number_of_calls

    @property
    def calls(self) -> Counter[str]:
        """The requests made so far, by method and path with ids left out."""
        return self.performer.client.calls
