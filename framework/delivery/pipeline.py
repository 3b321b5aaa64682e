"""The one pipeline: events in, one result per event and subscription out.

A single event is a list of one; explaining, dry runs, the tester and the command line are views
of the record that a delivery makes.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import chain
from types import TracebackType
from typing import Any, Self

from framework.definition import (
    Choices,
    values_of,
)
from framework.delivery.batch_performer import has_audience
from framework.delivery.batching import LINGER
from framework.delivery.compiled import CompiledSubscription
from framework.delivery.dynamic_choices import ChoicesQuery, find_choices
from framework.delivery.event_filters import EventFilters
from framework.delivery.external_audiences import ExternalAudiences, KeptAudiences, raised
from framework.delivery.holding import Patience
from framework.delivery.job_calls import show_accepted
from framework.delivery.jobs import JobSource
from framework.delivery.ledger import Ledger
from framework.delivery.performing import HookRunner
from framework.delivery.plugin_calls import Implementation
from framework.delivery.plugin_metrics import MetricKey
from framework.delivery.prepare import Intake
from framework.delivery.recognition import digest_of, digest_of_events, public_values
from framework.delivery.report import Failing, Report, ReportItem
from framework.delivery.resources import Resource
from framework.delivery.saved_mappings import SavedMapping, hook_of, run_mapping_hook
from framework.delivery.sender import Sender
from framework.delivery.source_view import InputKind, listing
from framework.errors import ConfigurationError, IntegrationError
from framework.paths import JSON, Event
from framework.results import ConnectionCheck, Failed, Result

_logger = logging.getLogger("action_destinations")


class Connection:
    """A destination with settings and subscriptions, ready to deliver; a context manager.

    *settings* is the destination's Settings object, *subscriptions* are those enabled, which see
    what the *filters* leave. Streams *linger* as `Batcher` says.
    """

    def __init__(  # noqa: PLR0913 - the parts of a connection
        self,
        plugin: Implementation,
        settings: Any,
        subscriptions: tuple[CompiledSubscription, ...],
        hook_runner: HookRunner,
        linger: float = LINGER,
        *,
        filters: EventFilters | None = None,
        resource: Resource | None = None,
        kept: KeptAudiences | None = None,
    ) -> None:
        self._resource = resource
        self.plugin = plugin
        self._linger = linger
        self.settings = settings
        self.subscriptions = subscriptions
        self.filters = filters or None
        self.hook_runner = hook_runner
        self.recorder = hook_runner.client.recorder
        self.redactor = hook_runner.redactor
        self._with_jobs: list[Sender] = []
        self._last: Sender | None = None
        rules = plugin.definition.audience
        account = f"{plugin.definition.slug} {self.audiences_digest}" if rules else ""
        self.audiences = ExternalAudiences(hook_runner, rules, account, kept) if rules else None

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

    def check_connection(self) -> list[ConnectionCheck]:
        """Return the checks of the destination's hook `check_connection`, redacted.

        An exception of the hook, and a returned value that is not a check, is a failed check.
        """
        if not self.plugin.implements("check_connection"):
            return []
        client = self.hook_runner.client
        checks: list[ConnectionCheck] = []
        try:
            found = self.plugin.call("check_connection", client=client, settings=self.settings)
            several = isinstance(found, Iterable) and not isinstance(found, str)
            checks.extend(map(_check, found if several else [found]))
        except IntegrationError as error:
            checks.append(ConnectionCheck("partner", str(error), "failed"))
        return [replace(each, text=self.redactor.text(each.text)) for each in checks]

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
        functions, of = definition.dynamic_settings, None
        if action:
            of = definition.action(action)
            functions = hook_of(of, hook).dynamic if hook else of.dynamic
        return find_choices(self.hook_runner, functions, place, query or ChoicesQuery(), of)

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
        of = self.plugin.definition.action(action)
        return run_mapping_hook(
            self.hook_runner,
            of,
            hook_of(of, kind),
            inputs=inputs,
            payload=payload or {},
            audience_settings=audience_settings or {},
        )

    def create_audience(
        self,
        key: str,
        audience_settings: Mapping[str, Any] | None = None,
        *,
        name: str | None = None,
    ) -> str:
        """Return the partner's ID of an audience, which is created unless it is known.

        *name* is that at the partner, by default the key. Without *audience_settings*, they are
        those that the connection has for the key. Raises IntegrationError with what the destination
        raises, SettingsError for the settings.
        """
        settings = self._declared().settings_of(key, audience_settings)
        found = self._declared().ensure(self._declared().call(key, settings, name or ""), settings)
        return raised(found if isinstance(found, Failed) else found.external_id or "")

    def get_audience(
        self, external_id: str, audience_settings: Mapping[str, Any] | None = None
    ) -> str:
        """Return the ID of an audience of the partner; raises IntegrationError if it has none."""
        return self._declared().get(external_id, audience_settings or {})

    def unlink_audience(self, key: str, audience_settings: Mapping[str, Any] | None = None) -> bool:
        """Forget the ID of an audience; return whether one was known."""
        settings = self._declared().settings_of(key, audience_settings)
        return self._declared().unlink(key, settings)

    def _declared(self) -> ExternalAudiences:
        if self.audiences is None:
            name = self.plugin.definition.name
            raise ConfigurationError(f"{name} creates no audiences by itself.")
        return self.audiences

    def deliver(self, events: Sequence[Event], *, threads: int = 0) -> Report:
        """Deliver *events* and return the record: one result per event and subscription.

        With *threads*, that many calls are made at one time, except for actions with jobs; order is
        kept as in runs. Events whose job the partner finishes later are Accepted; see `poll`.
        Raises nothing that an event, the partner or the plugin can cause.
        """
        source = None
        if self.keeps_jobs:
            source = JobSource(None, self.label, digest_of_events(events))
        if threads and any(one.action.poll for one in self.subscriptions):
            threads = 0
        sender = Sender(self, traced=True, jobs=source, waits_for_jobs=False, threads=threads)
        items = sender.items
        refused = sender.intake.add_one_by_one(enumerate(events))
        for completions in (refused, *sender.flush(), *(sender.close() if threads else ())):
            for one in completions:
                for position in one.positions:
                    items[position, one.subscription].result = one.result
        if sender.jobs and sender.jobs.any:
            show_accepted(sender.jobs, items, sender.intake.row_ids.subscriptions)
            self._with_jobs.append(sender)
        self._last = sender
        return self.last_report()

    @cached_property
    def keeps_jobs(self) -> bool:
        """Whether calls have keys, or jobs that the partner finishes later."""
        polls = any(one.action.poll for one in self.subscriptions)
        return polls or self.hook_runner.asks_for("idempotency_key")

    def last_report(self) -> Report:
        """Return the report of the last `deliver`, with the requests that `poll` has made since."""
        assert self._last, "nothing was delivered"
        items, sent = self._last.items.values(), self._last.sent
        return Report(self.plugin.definition.slug, tuple(items), tuple(sent))

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

    def intake(self, *, traced: bool = False, named: bool = True, filtered: bool = True) -> Intake:
        """Open an intake that prepares events for a sender, which may be in another process.

        Unless *filtered*, it takes events as they arrive. See `Intake` about the others.
        """
        filters = self.filters if filtered else None
        return Intake(
            self.hook_runner, self.subscriptions, filters=filters, traced=traced, named=named
        )

    def generated(self, form: InputKind = "structs") -> str:
        """Return the source of the function that events in bulk go through, with a legend.

        A run over a file uses the one for `structs`; it uses that for `json` if a hook or a filter
        asks for whole events, and for unusual lines.
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
        """The identity of this connection: the destination, its subscriptions and filters."""
        chosen: list[Any] = [
            (one.action.slug, str(one.trigger), dict(one.subscription.mapping))
            for one in self.subscriptions
        ]
        consent = {one.permission.categories for one in self.subscriptions} - {()}
        chosen += map(sorted, consent)
        if self.filters:
            chosen.append({"filters": self.filters.identity})
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

    @property
    def metrics(self) -> Counter[MetricKey]:
        """What the destination has counted so far."""
        return self.hook_runner.metrics.counts()


def _check(found: object) -> ConnectionCheck:
    if isinstance(found, ConnectionCheck):
        return found
    kind = type(found).__name__
    text = f"`check_connection` must return ConnectionChecks, got {kind}."
    return ConnectionCheck("partner", text, "failed")
