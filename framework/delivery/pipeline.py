"""The one pipeline: events in, one result per event and subscription out.

A single event is a list of one; explaining, dry runs, the tester and the command line are views
of the record that a delivery makes.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import chain
from types import TracebackType
from typing import Any, Self

import httpx

from framework.clock import Clock, InterruptibleClock, SystemClock
from framework.definition import (
    Choices,
    Destination,
    Subscription,
    secret_texts,
    shape_settings,
    starting_subscriptions,
    values_of,
)
from framework.delivery.auth import OAuthCredentials
from framework.delivery.batch_performer import has_audience
from framework.delivery.batching import LINGER
from framework.delivery.cache import Cache
from framework.delivery.client import TIMEOUT, Client
from framework.delivery.compiled import CompiledSubscription, compile_subscriptions
from framework.delivery.dynamic_choices import ChoicesQuery, find_choices
from framework.delivery.exchanges import Redactor
from framework.delivery.external_audiences import ExternalAudiences, KeptAudiences, raised
from framework.delivery.holding import Patience
from framework.delivery.job_calls import show_accepted
from framework.delivery.jobs import JobSource
from framework.delivery.kept_tokens import KeptTokens
from framework.delivery.ledger import Ledger
from framework.delivery.offline import OfflinePlugin
from framework.delivery.performing import HookRunner
from framework.delivery.plugin_calls import Implementation
from framework.delivery.prepare import Intake
from framework.delivery.recognition import addresses_in, digest_of, digest_of_events, public_values
from framework.delivery.report import Failing, Report, ReportItem
from framework.delivery.resources import Resource, ResourcePlugin, open_by
from framework.delivery.retries import Retry
from framework.delivery.saved_mappings import SavedMapping, hook_of, run_mapping_hook
from framework.delivery.sender import Sender
from framework.delivery.source_view import InputKind, listing
from framework.delivery.throttle import RateStore, Throttle
from framework.delivery.transports import Network
from framework.delivery.workers import CurrentStop, Handover, StoppableClock
from framework.delivery_options import DeliveryOptions
from framework.errors import ConfigurationError, DefinitionError, IntegrationError
from framework.paths import JSON, Event
from framework.results import Failed, Result

_logger = logging.getLogger("action_destinations")


def connect(  # noqa: PLR0913 - each replaces one part of the connection
    plugin: Implementation,
    settings: Mapping[str, Any],
    subscriptions: Sequence[Subscription] | None = None,
    *,
    consent: Sequence[str] = (),
    options: DeliveryOptions | None = None,
    transport: httpx.BaseTransport | None = None,
    retry: Retry | None = None,
    clock: Clock | None = None,
    throttle: Throttle | None = None,
    rates: RateStore | None = None,
    tokens: KeptTokens | None = None,
    audiences: KeptAudiences | None = None,
    resource: Callable[[], Any] | None = None,
    strict: bool = False,
    offline: bool = False,
) -> Connection:
    """Open a destination with its settings and subscriptions.

    Without *subscriptions* the connection has those of the destination's automatic presets.
    *consent* names consent categories: events with preferences are sent only if they consent to
    all of them.
    *options* sets time limit, age and linger of batches, and the share of the rate limit; its proxy
    and certificates are those of the network unless *transport* replaces it. Retries are up to the
    caller.
    *rates* is shared with other connections on the same account at the partner, see `rate_account`;
    OAuth tokens are kept in *tokens*, if given, and shared with those that have equal credentials;
    IDs of audiences that the partner has created are kept in *audiences*.
    *transport* replaces the network, *resource* the hook `open_resource`; *strict* is for test
    benches, see `HookRunner`.
    An *offline* connection keeps the destination from reaching the outside by other means than
    its client, whose *transport* must not do so either; see `OfflinePlugin`.
    Raises SettingsError or ConfigurationError with every problem.
    """
    definition = plugin.definition
    given = shape_settings(definition.settings, settings, definition.settings_rules)
    if subscriptions is None:
        subscriptions = starting_subscriptions(definition)
    options = options or DeliveryOptions()
    compiled = compile_subscriptions(definition, subscriptions, consent, options.max_age)
    clock = InterruptibleClock(StoppableClock(clock or SystemClock()))
    redactor = Redactor([*secret_texts(definition.settings_fields, settings), *options.secrets])
    opened = open_by(
        plugin,
        resource,
        {"settings": given, "clock": clock, "logger": _logger, "confide": redactor.confide},
    )
    plugin = ResourcePlugin(plugin, opened) if opened else plugin
    guard: Callable[[Any], Any] = lambda function: function  # noqa: E731 - unless offline
    if offline:
        plugin = OfflinePlugin(plugin, strict=strict)
        guard = plugin.guarded
    auth = _auth(plugin, given, clock, redactor) if plugin.implements("auth") else None
    credentials = auth if isinstance(auth, OAuthCredentials) else None
    if credentials and tokens:
        credentials.keep_in(tokens)
    client = Client(
        auth=auth,
        transport=transport or Network(options),
        retry=retry,
        throttle=throttle or _throttle(definition, options, clock, rates),
        timeout=_timeout(options),
        redactor=redactor,
        clock=clock,
        error_reader=_error_reader(plugin),
        addresses=frozenset(addresses_in(settings)),
    )
    hook_runner = HookRunner(
        plugin=plugin,
        client=client,
        settings=given,
        cache=Cache(clock.monotonic),
        logger=_logger,
        redactor=redactor,
        credentials=credentials,
        strict=strict,
        guard=guard,
        handover=Handover(always=offline or strict),
        previews=[] if offline and definition.transport == "other" else None,
    )
    linger = LINGER if options.linger is None else options.linger
    return Connection(plugin, given, compiled, hook_runner, linger, resource=opened, kept=audiences)


def _throttle(
    definition: Destination, options: DeliveryOptions, clock: Clock, rates: RateStore | None
) -> Throttle:
    share = 1.0 if options.rate_share is None else options.rate_share
    return Throttle(definition.rate, share=share, clock=clock, store=rates)


def _timeout(options: DeliveryOptions) -> httpx.Timeout:
    if options.time_limit is None:
        return TIMEOUT
    return httpx.Timeout(options.time_limit, connect=min(options.time_limit, TIMEOUT.connect or 0))


def rate_account(definition: Destination, settings: Mapping[str, Any], name: str) -> str:
    """Return the account whose rate limit a connection called *name* with *settings* uses.

    Connections of one destination that agree in the settings that its `Rate` names share one.
    """
    named = definition.rate.account if definition.rate else ()
    whose: Any = {key: settings.get(key) for key in named} if named else name
    return f"{definition.slug} {digest_of(json.dumps(whose, sort_keys=True, default=str))}"


def _auth(plugin: Implementation, settings: Any, clock: Clock, redactor: Redactor) -> Any:
    """Return the auth flow of the destination; raises what its hook raises, redacted.

    Raises DefinitionError for a result that is no auth flow.
    """
    arguments = {"clock": clock, "stop": CurrentStop(), "confide": redactor.confide}
    try:
        flow = plugin.call("auth", settings=settings, **arguments)
    except IntegrationError as error:
        error.args = (redactor.text(str(error)),)
        raise
    if flow is None or isinstance(flow, httpx.Auth):
        return flow
    raise DefinitionError(
        f"Hook `auth` of destination `{plugin.definition.slug}` must return an httpx.Auth, such as "
        f"`bearer(token)`, or None, got {type(flow).__name__}."
    )


def _error_reader(plugin: Implementation) -> Callable[[httpx.Response], Any] | None:
    if not plugin.implements("describe_error"):
        return None
    return lambda response: plugin.call("describe_error", response=response)


class Connection:
    """A destination with settings and subscriptions, ready to deliver; a context manager.

    *settings* is the destination's Settings object, *subscriptions* are those enabled. Streams
    *linger* as `Batcher` says.
    """

    def __init__(  # noqa: PLR0913 - the parts of a connection
        self,
        plugin: Implementation,
        settings: Any,
        subscriptions: tuple[CompiledSubscription, ...],
        hook_runner: HookRunner,
        linger: float = LINGER,
        *,
        resource: Resource | None = None,
        kept: KeptAudiences | None = None,
    ) -> None:
        self._resource = resource
        self.plugin = plugin
        self._linger = linger
        self.settings = settings
        self.subscriptions = subscriptions
        self.hook_runner = hook_runner
        self.recorder = hook_runner.client.recorder
        self.redactor = hook_runner.redactor
        self._with_jobs: list[Sender] = []
        rules = plugin.definition.audience
        account = f"{plugin.definition.slug} {self.audiences_digest}" if rules else ""
        self.audiences = ExternalAudiences(hook_runner, rules, account, kept) if rules else None
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
        """Close the connections to the partner, and what the destination has opened."""
        try:
            if self._resource:
                self._resource.close(self.redactor.text)
        finally:
            self.hook_runner.client.close()

    def check_authentication(self) -> None:
        """Ask the partner whether the settings give access.

        Raises IntegrationError (mostly InvalidAuthenticationError) when they do not.
        """
        if not self.plugin.implements("check_authentication"):
            return
        client = self.hook_runner.client
        try:
            self.plugin.call("check_authentication", client=client, settings=self.settings)
        except IntegrationError as error:
            error.args = (self.redactor.text(str(error)),)
            raise

    def choices(
        self,
        action: str | None,
        place: str,
        query: ChoicesQuery | None = None,
        *,
        hook: str | None = None,
    ) -> Choices:
        """Ask for the choices of the dynamic field at *place* of an action; None: of the settings.

        With *hook*, the kind of one of the action's hooks, the place is among its inputs. What the
        destination raises, redacted, is the `error` of the result. Raises UnknownNameError if the
        action or the hook is unknown, or has no function for the place.
        """
        definition = self.plugin.definition
        functions = definition.dynamic_settings
        if action:
            of = definition.action(action)
            functions = hook_of(of, hook).dynamic if hook else of.dynamic
        return find_choices(self.hook_runner, functions, place, query or ChoicesQuery())

    def save_mapping(
        self,
        action: str,
        kind: str,
        inputs: JSON,
        *,
        payload: Mapping[str, Any] | None = None,
        audience_settings: Mapping[str, Any] | None = None,
    ) -> SavedMapping:
        """Run the hook of an action, and return what its mapping keeps under *kind*.

        *inputs* are those of the hook by key; *payload* holds the values of fields that are known.
        Raises UnknownNameError if there is no such action or hook, ConfigurationError with every
        problem of the inputs, IntegrationError with what the hook raises, and with the code
        `HOOK_OUTPUT` for outputs that do not fit.
        """
        hook = hook_of(self.plugin.definition.action(action), kind)
        return run_mapping_hook(
            self.hook_runner, hook, inputs, payload or {}, audience_settings or {}
        )

    def create_audience(
        self,
        key: str,
        audience_settings: Mapping[str, Any] | None = None,
        *,
        name: str | None = None,
    ) -> str:
        """Return the partner's ID of an audience, which is created unless it is known.

        *name* is that at the partner, by default the key. Raises IntegrationError with what the
        destination raises, SettingsError for the settings.
        """
        settings = audience_settings or {}
        found = self._declared().ensure(self._declared().call(key, settings, name or ""), settings)
        return raised(found if isinstance(found, Failed) else found.external_id or "")

    def get_audience(
        self, external_id: str, audience_settings: Mapping[str, Any] | None = None
    ) -> str:
        """Return the ID of an audience of the partner; raises IntegrationError if it has none."""
        return self._declared().get(external_id, audience_settings or {})

    def unlink_audience(self, key: str, audience_settings: Mapping[str, Any] | None = None) -> bool:
        """Forget the ID of an audience; return whether one was known."""
        return self._declared().unlink(key, audience_settings or {})

    def _declared(self) -> ExternalAudiences:
        if self.audiences is None:
            name = self.plugin.definition.name
            raise ConfigurationError(f"{name} creates no audiences by itself.")
        return self.audiences

    def deliver(self, events: Sequence[Event]) -> Report:
        """Deliver *events* and return the record: one result per event and subscription.

        Events whose job the partner finishes later are Accepted; see `poll`.
        Raises nothing that an event, the partner or the plugin can cause.
        """
        keyed = self.hook_runner.asks_for("idempotency_key") or any(
            one.action.poll for one in self.subscriptions
        )
        source = JobSource(None, self.label, digest_of_events(events)) if keyed else None
        sender = Sender(self, traced=True, jobs=source, waits_for_jobs=False)
        items = sender.items
        refused = sender.intake.add_one_by_one(enumerate(events))
        for completions in (refused, *sender.flush()):
            for one in completions:
                for position in one.positions:
                    items[position, one.subscription].result = one.result
        if sender.jobs and sender.jobs.any:
            show_accepted(sender.jobs, items, sender.intake.row_ids.subscriptions)
            self._with_jobs.append(sender)
        slug = self.plugin.definition.slug
        report = Report(slug, tuple(items.values()), tuple(sender.sent))
        if self._announced:
            self._announce(report)
        return report

    def poll(self) -> list[ReportItem]:
        """Ask once for each job that deliveries of this connection have left.

        Return the items whose results are known now: those of the reports of `deliver`, which get
        the results, too. What cannot be asked for stays, and is asked for by the next call.
        """
        done: list[ReportItem] = []
        for sender in [*self._with_jobs]:
            for one in chain.from_iterable(sender.poll()):
                for position in one.positions:
                    item = sender.items[position, one.subscription]
                    item.result = one.result
                    done.append(item)
            if not (sender.jobs and sender.jobs.any):
                self._with_jobs.remove(sender)
        return done

    @property
    def number_of_jobs(self) -> int:
        """The number of jobs of `deliver` that are not finished; see `poll`."""
        return sum(one.jobs.number() for one in self._with_jobs if one.jobs)

    def _announce(self, report: Report) -> None:
        """Call the extensions; what they raise is logged and changes nothing."""
        try:
            self.plugin.call("delivery_finished", report=report)
        except Exception:
            if self.hook_runner.strict:
                raise
            trace = self.redactor.text(traceback.format_exc())
            _logger.error("Hook `delivery_finished` failed unexpectedly.\n%s", trace)  # noqa: TRY400 - the traceback is redacted first

    def stream(  # noqa: PLR0913 - each is an option of its own
        self,
        halts: Callable[[Result], bool] = lambda _: False,
        *,
        threads: int = 0,
        stopping: Callable[[], bool] = lambda: False,
        named: bool = True,
        ready: bool = False,
        patience: Patience | None = None,
        failing: Mapping[str, Failing] | None = None,
        ended: Callable[[], object] = lambda: None,
        ledger: Ledger | None = None,
        jobs: JobSource | None = None,
        waits_for_jobs: bool = True,
    ) -> Sender:
        """Open a continuous delivery: add events as they arrive, flush at the end.

        A result for which *halts* is true stops it; calls are made by that many *threads*, or by
        the caller's if there are none. With *patience*, temporary failures are held by lane and
        batch key and retried; *failing* holds the failing keys of an earlier delivery. Once
        *stopping* returns true, no request is repeated or waited for. Events that change nothing in
        the *ledger* are `UNCHANGED`. Records of *jobs* are kept in their source;
        a delivery that *waits_for_jobs* ends when they are finished. See `Sender`.
        """
        self.hook_runner.client.clock.heed(stopping)
        return Sender(
            self,
            halts=halts,
            threads=threads,
            stopping=stopping,
            named=named,
            ready=ready,
            patience=patience,
            failing=failing,
            ended=ended,
            linger=self._linger,
            ledger=ledger,
            jobs=jobs,
            waits_for_jobs=waits_for_jobs,
        )

    def intake(self, *, named: bool = True) -> Intake:
        """Open an intake that prepares events for a sender, which may be in another process."""
        return Intake(self.hook_runner, self.subscriptions, named=named)

    def generated(self, form: InputKind = "structs") -> str:
        """Return the source of the function that events in bulk go through, with a legend.

        A run over a file uses the one for `structs`; it uses that for `json` if a hook asks for
        whole events, and for unusual lines.
        """
        whole = self.hook_runner.needs_payloads
        return self.redactor.hide(listing(self.subscriptions, form, whole=whole))

    @property
    def has_audiences(self) -> bool:
        """Whether a ledger can be kept of the memberships that the subscriptions change."""
        identifies = self.hook_runner.identifies
        return identifies and any(has_audience(one.batching) for one in self.subscriptions)

    @property
    def label(self) -> str:
        """The identity of this connection: the destination and its enabled subscriptions."""
        chosen: list[Any] = [
            (one.action.slug, str(one.trigger), dict(one.subscription.mapping))
            for one in self.subscriptions
        ]
        consent = {one.permission.categories for one in self.subscriptions} - {()}
        chosen += map(sorted, consent)
        return f"{self.plugin.definition.slug} {digest_of(chosen)}"

    @property
    def settings_digest(self) -> str:
        """A digest of the settings that say where events go: neither secret nor adjustable."""
        return self._settings_digest(self.plugin.definition.adjustable)

    @property
    def audiences_digest(self) -> str:
        """A digest of the settings that say whose audiences are changed.

        Those that identify the sending application do not count.
        """
        definition = self.plugin.definition
        return self._settings_digest((*definition.adjustable, *definition.credentials))

    def _settings_digest(self, without: Collection[str]) -> str:
        known, values = self.plugin.definition.settings_fields, self.settings
        fields = {key: known[key] for key in known if key not in without}
        plain = values if isinstance(values, Mapping) else values_of(values)
        return digest_of(json.dumps(public_values(fields, plain), sort_keys=True, default=str))

    @property
    def number_of_calls(self) -> int:
        """The number of requests made so far."""
        return self.hook_runner.client.number_of_calls

    @property
    def calls(self) -> Counter[str]:
        """The number of requests made so far, by method and path without ids."""
        return self.hook_runner.client.calls

    @property
    def statuses(self) -> Counter[int]:
        """The number of responses so far by status; 0 counts requests without a response."""
        return self.hook_runner.client.statuses
