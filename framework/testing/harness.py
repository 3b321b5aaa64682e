"""A harness that runs a destination's actions against a sandbox or another transport."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Generic, Self, overload

import httpx

from framework.clock import SandboxClock, SystemClock
from framework.definition import Choices, MigratedSubscription, Subscription, migrate
from framework.delivery import (
    Cache,
    ChoicesQuery,
    Connection,
    Exchange,
    FullList,
    KeptAudiences,
    KeptTokens,
    PluginStore,
    Report,
    Retry,
    SavedMapping,
    connect,
)
from framework.paths import JSON, Event
from framework.plugins import Plugin, load_plugins, open_plugin
from framework.results import ConnectionCheck, Result
from framework.samples import EVERY_EVENT, make_event
from framework.sandbox import Sandbox, SandboxTransport
from framework.state_store import MemoryState, StateStore

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    _Sandbox_co = TypeVar(
        "_Sandbox_co", bound=Sandbox | None, default=Sandbox | None, covariant=True
    )
    _Given = TypeVar("_Given", bound=Sandbox)
else:
    from typing import TypeVar

    _Sandbox_co = TypeVar("_Sandbox_co", covariant=True)

_NOT_MAPPED: Final[JSON] = {"@path": "$.not-mapped"}


@dataclass(frozen=True)
class Ran:
    """What an action did: a result and a payload per event, aligned, and all exchanges."""

    results: tuple[Result, ...]
    payloads: tuple[Mapping[str, JSON] | None, ...]
    exchanges: tuple[Exchange, ...]
    report: Report = field(repr=False)

    @property
    def result(self) -> Result:
        """The result of the only event; raises ValueError unless there is exactly one."""
        (only,) = self.results
        return only

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The requests that were sent, as JSON objects: `url`, `method`, `headers`, `body`."""
        return [exchange.to_json()["request"] for exchange in self.exchanges]


class Harness(Generic[_Sandbox_co]):
    """Runs the actions of a destination in tests; a context manager.

    *destination* is a plugin's module, a Plugin, or the slug of an installed one. Requests go to
    *transport*, or by default to the destination's sandbox (which accepts *settings*, or provides
    its own); without either, a request raises AssertionError. Unless a *transport* is given, so
    does a destination that opens connections or starts processes by itself, if its `transport` is
    `http`. Unexpected exceptions of the destination are raised.
    *sandbox*, a class or an object, replaces that of the destination. *clock* is the one clock of
    framework, client and sandbox, such as a `FrozenClock`, on which waits take no time. Tokens and
    the `cache` of hooks last as long as the harness, whose calls share them. With a *store*,
    tokens, IDs of audiences and what hooks keep are in it; without one, IDs of audiences last for
    one call, what hooks keep as long as the harness. Requests are repeated as *retry* says, by
    default never. *features* are feature flags, which hooks can read. With *threads*, `run_batch`
    makes that many calls at one time, for different batch keys, as `actions run --threads` does.
    The attribute `sandbox` has the class of the *sandbox* that is given; otherwise it is that of
    the destination, or None.
    Raises DefinitionError for an invalid plugin, UnknownNameError for an unknown slug.
    """

    sandbox: _Sandbox_co

    @overload
    def __init__(
        self: Harness[_Given],
        destination: Any,
        settings: Mapping[str, Any] | None = None,
        *,
        sandbox: _Given | type[_Given],
        clock: SandboxClock | None = None,
        store: StateStore | None = None,
        retry: Retry | None = None,
        features: Mapping[str, Any] | None = None,
        threads: int = 0,
    ) -> None: ...

    @overload
    def __init__(
        self: Harness[Sandbox | None],
        destination: Any,
        settings: Mapping[str, Any] | None = None,
        *,
        transport: httpx.BaseTransport | None = None,
        clock: SandboxClock | None = None,
        store: StateStore | None = None,
        retry: Retry | None = None,
        features: Mapping[str, Any] | None = None,
        threads: int = 0,
    ) -> None: ...

    def __init__(  # noqa: PLR0913 - each replaces one part of the connection
        self,
        destination: Any,
        settings: Mapping[str, Any] | None = None,
        *,
        transport: httpx.BaseTransport | None = None,
        sandbox: Sandbox | type[Sandbox] | None = None,
        clock: SandboxClock | None = None,
        store: StateStore | None = None,
        retry: Retry | None = None,
        features: Mapping[str, Any] | None = None,
        threads: int = 0,
    ) -> None:
        self.plugin = _plugin(destination)
        found: Sandbox | None = None
        if transport is None and (sandbox or self.plugin.implements("sandbox")):
            found = self._admitted(sandbox or self.plugin.call("sandbox"), settings, clock)
            transport = SandboxTransport(found)
        self.sandbox = found  # type: ignore[assignment]  # the overloads say which class it has
        self._clock = clock
        self._store = store
        state = store or MemoryState()
        self._tokens = KeptTokens(state)
        self._plugin_store = PluginStore(state, self.plugin.definition.slug)
        self._cache = Cache((clock or SystemClock()).monotonic)
        self._features = features
        self._threads = threads
        self._retry = retry or Retry.never()
        given = found.settings() if found and settings is None else settings
        self.settings: Mapping[str, Any] = given or {}
        self._offline = not isinstance(transport, httpx.BaseTransport) or found is not None
        self._transport = transport or _NoTransport()
        self._resource: Callable[[], Any] | None = None
        if found and type(found).resource is not Sandbox.resource:
            self._resource = found.resource
        self._open: list[Connection] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for connection in self._open:
            connection.close()

    def run_action(
        self,
        action: str,
        event: Event | None = None,
        *,
        mapping: Mapping[str, JSON] | None = None,
        defaults: bool = False,
    ) -> Ran:
        """Run an action for one event (by default a plain track event), regardless of its trigger.

        *mapping* maps fields; fields without a mapping stay empty, or take the action's default
        mapping if *defaults* is true. Raises UnknownNameError for an unknown action, MappingError
        for an invalid mapping.
        """
        return self.run_batch(action, [event or make_event()], mapping=mapping, defaults=defaults)

    def run_batch(
        self,
        action: str,
        events: Sequence[Event],
        *,
        mapping: Mapping[str, JSON] | None = None,
        defaults: bool = False,
    ) -> Ran:
        """Run an action for several events, as `run_action` does for one; results are in order."""
        connection = self.connect([self._subscription(action, mapping or {}, defaults=defaults)])
        report = connection.deliver(events, threads=self._threads)
        results = tuple(item.result for item in report.items if item.result is not None)
        payloads = tuple(item.payload for item in report.items)
        return Ran(results, payloads, tuple(report.exchanges), report)

    def poll(self) -> list[Result]:
        """Ask once for each job of what was run; return the results that are known now, in order.

        The reports of `run_action` and `run_batch` get them, too. Nothing waits for the job's time.
        """
        items = [item for connection in self._open for item in connection.poll()]
        return [item.result for item in items if item.result is not None]

    def delete_user(self, user_id: str | None = None, *, anonymous_id: str | None = None) -> Ran:
        """Ask the destination to delete a user, as an event of type `delete` does."""
        ids = {"userId": user_id, "anonymousId": anonymous_id}
        event = {key: value for key, value in ids.items() if value is not None}
        report = self.connect([]).deliver([{**event, "type": "delete"}])
        results = tuple(item.result for item in report.items if item.result is not None)
        return Ran(results, (None,), tuple(report.exchanges), report)

    def choices(
        self,
        action: str | None,
        place: str,
        query: ChoicesQuery | None = None,
        *,
        hook: str | None = None,
    ) -> Choices:
        """Ask for the choices of a dynamic field, for what is typed and chosen in *query*.

        *query* is a `ChoicesQuery`; everything else is as for `Connection.choices`.
        """
        return self.connect([]).choices(action, place, query, hook=hook)

    def save_mapping(
        self,
        action: str,
        inputs: Mapping[str, JSON],
        *,
        kind: str = "onMappingSave",
        payload: Mapping[str, Any] | None = None,
    ) -> SavedMapping:
        """Run the hook of an action; raises what `Connection.save_mapping` raises."""
        return self.connect([]).save_mapping(action, kind, inputs, payload=payload)

    def create_audience(self, key: str, audience_settings: Mapping[str, Any] | None = None) -> str:
        """Return the ID of an audience; raises what `Connection.create_audience` raises."""
        return self.connect([]).create_audience(key, audience_settings)

    def get_audience(
        self, external_id: str, audience_settings: Mapping[str, Any] | None = None
    ) -> str:
        """Return the ID of an audience; raises what `Connection.get_audience` raises."""
        return self.connect([]).get_audience(external_id, audience_settings)

    def send_list(self, audience: str, identifiers: Sequence[str]) -> list[Result]:
        """Send a whole list of the audience with a key, as `actions audience mirror` does.

        Return the results in order. Raises ConfigurationError for a destination without
        `full_sync` or without the hook `member_payload`.
        """
        actions = self.plugin.definition.actions
        every = [Subscription(action=one.slug, trigger=EVERY_EVENT) for one in actions]
        whole = FullList(self.connect(every), audience)
        found: dict[int, Result] = {}
        for completions in whole.send([identifiers], len(identifiers)):
            for one in completions:
                found |= dict.fromkeys(one.positions, one.result)
        return [found[place] for place in sorted(found)]

    def preview(
        self,
        action: str,
        events: Sequence[Event],
        *,
        mapping: Mapping[str, JSON] | None = None,
        defaults: bool = False,
    ) -> list[Any]:
        """Return what the hook `preview` shows for each batch of events, as a dry run does.

        For destinations with `transport="other"`; nothing is sent. Mappings are as for
        `run_action`.
        """
        subscription = self._subscription(action, mapping or {}, defaults=defaults)
        connection = self.connect([subscription], dry=True)
        connection.deliver(events)
        return [one.shown for one in connection.hook_runner.previews or ()]

    def counted(self, name: str, **labels: str) -> int:
        """Return what the destination has counted under *name* with *labels*, others added up."""
        return sum(
            number
            for connection in self._open
            for (found, given), number in connection.metrics.items()
            if found == name and labels.items() <= dict(given).items()
        )

    def audience_size(self, name: str, naming: str = "") -> Mapping[str, Any]:
        """Return what the hook `audience_size` returns for an audience."""
        connection = self.connect([])
        runner = connection.hook_runner
        found: Mapping[str, Any] = connection.plugin.call(
            "audience_size",
            client=runner.client,
            settings=connection.settings,
            audience_name=name,
            naming=naming,
            cache=runner.cache,
        )
        return found

    def check_authentication(self) -> None:
        """Check the settings with the partner; raises IntegrationError if access is denied."""
        self.connect([]).check_authentication()

    def migrate(self, subscription: Subscription) -> MigratedSubscription:
        """Return what the destination's migrations make of a saved subscription, and notes.

        Raises ConfigurationError if its mapping is newer than the destination.
        """
        return migrate(self.plugin.definition, subscription)

    def check_connection(self) -> list[ConnectionCheck]:
        """Return the checks of the hook `check_connection`."""
        return self.connect([]).check_connection()

    def connect(self, subscriptions: Sequence[Subscription], *, dry: bool = False) -> Connection:
        """Return a connection for *subscriptions*, which the harness closes.

        A *dry* one does not call destinations that send by other means than HTTP.
        Raises ConfigurationError for invalid settings, triggers or mappings.
        """
        connection = connect(
            self.plugin,
            self.settings,
            subscriptions,
            transport=self._transport,
            retry=self._retry,
            clock=self._clock,
            tokens=self._tokens,
            cache=self._cache,
            audiences=KeptAudiences(self._store) if self._store else None,
            features=self._features,
            store=self._plugin_store,
            resource=self._resource,
            strict=True,
            offline=dry or (self._offline and self.plugin.definition.transport == "http"),
        )
        self._open.append(connection)
        return connection

    @staticmethod
    def _admitted(
        sandbox: Sandbox | type[Sandbox],
        settings: Mapping[str, Any] | None,
        clock: SandboxClock | None,
    ) -> Sandbox:
        """Return a sandbox that accepts *settings*, on *clock* if one is given."""
        found = sandbox if isinstance(sandbox, Sandbox) else sandbox()
        if settings is not None:
            found.admit(settings)
        if clock:
            found.clock = clock
        return found

    def _subscription(
        self, action: str, mapping: Mapping[str, JSON], *, defaults: bool
    ) -> Subscription:
        known = self.plugin.definition.action(action)
        without = {} if defaults else dict.fromkeys(known.default_mapping, _NOT_MAPPED)
        chosen = {**without, **mapping}
        return Subscription(
            action=action,
            trigger=EVERY_EVENT,
            mapping=chosen,
            mapping_version=known.mapping_version,
        )


class _NoTransport(httpx.BaseTransport):
    """Raises AssertionError for every request."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        target = f"{request.method} {request.url.copy_with(query=None)}"
        raise AssertionError(f"No transport for `{target}`. Give the harness a transport.")


def _plugin(destination: Any) -> Plugin:
    if isinstance(destination, Plugin):
        return destination
    if isinstance(destination, str):
        return load_plugins(slug=destination).get(destination)
    return open_plugin(destination)
