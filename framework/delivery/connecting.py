"""Opening a connection: settings, subscriptions, client and hooks become one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

import httpx

from framework.clock import Clock, InterruptibleClock, SystemClock
from framework.definition import (
    Destination,
    DestinationFilter,
    Subscription,
    fields_of,
    secret_texts,
    shape_settings,
    starting_subscriptions,
)
from framework.delivery.auth import OAuthCredentials, OAuthRefreshToken
from framework.delivery.batching import LINGER
from framework.delivery.cache import Cache
from framework.delivery.client import TIMEOUT, Client
from framework.delivery.compiled import compile_subscriptions, permission_for
from framework.delivery.event_filters import EventFilters
from framework.delivery.exchanges import Redactor
from framework.delivery.extending_plugin import ExtendingPlugin, extends
from framework.delivery.external_audiences import KeptAudiences
from framework.delivery.kept_tokens import KeptTokens
from framework.delivery.offline import OfflinePlugin
from framework.delivery.performing import HOOKS_THAT_SEND, HookRunner
from framework.delivery.pipeline import Connection
from framework.delivery.plugin_calls import Implementation
from framework.delivery.plugin_metrics import PluginMetrics
from framework.delivery.plugin_store import PluginStore
from framework.delivery.rate_limits import RateLimits, RateStores, limits_of
from framework.delivery.recognition import addresses_in
from framework.delivery.resources import ResourcePlugin, open_by
from framework.delivery.retries import Retry
from framework.delivery.throttle import Throttle
from framework.delivery.transports import Network
from framework.delivery.workers import CurrentStop, Handover, StoppableClock
from framework.delivery_options import DeliveryOptions
from framework.errors import ConfigurationError, DefinitionError, IntegrationError
from framework.state_store import MemoryState

_logger = logging.getLogger("action_destinations")


def connect(  # noqa: PLR0913 - each replaces one part of the connection
    plugin: Implementation,
    settings: Mapping[str, Any],
    subscriptions: Sequence[Subscription] | None = None,
    *,
    filters: Sequence[DestinationFilter] = (),
    consent: Sequence[str] = (),
    options: DeliveryOptions | None = None,
    transport: httpx.BaseTransport | None = None,
    retry: Retry | None = None,
    clock: Clock | None = None,
    throttle: Throttle | None = None,
    rates: RateStores | None = None,
    name: str = "",
    tokens: KeptTokens | None = None,
    cache: Cache | None = None,
    audiences: KeptAudiences | None = None,
    audience_settings: Mapping[str, Mapping[str, Any]] | None = None,
    features: Mapping[str, Any] | None = None,
    store: PluginStore | None = None,
    resource: Callable[[], Any] | None = None,
    strict: bool = False,
    offline: bool = False,
) -> Connection:
    """Open a destination with its settings and subscriptions.

    Without *subscriptions* the connection has those of the destination's automatic presets.
    *filters* drop events, or remove fields from them, before subscriptions see them.
    *consent* names consent categories: events with preferences are sent only if they consent to
    all of them.
    *options* sets time limit, age and linger of batches, and the share of the rate limit; its proxy
    and certificates are those of the network unless *transport* replaces it. Retries are up to the
    caller.
    *rates* keeps the budgets of rate limits, by account, for connections that share them; those
    without a scope belong to the connection called *name*.
    OAuth tokens are kept in *tokens*, if given, and shared with those that have equal credentials;
    IDs of audiences that the partner has created are kept in *audiences*. Hooks get the *cache*,
    by default one of the connection's own.
    *audience_settings* are those of audiences, by key, whose events bring none; *features* are
    the values of feature flags, which hooks can read; hooks keep values in *store*, by default as
    long as the connection.
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
    if any("subscription" in plugin.wants(hook) for hook in HOOKS_THAT_SEND):
        compiled = tuple(replace(one, apart=True) for one in compiled)
    chosen = EventFilters(filters, permission_for(definition, consent))
    base, clock = clock, InterruptibleClock(StoppableClock(clock or SystemClock()))
    redactor = Redactor(
        [
            *secret_texts(definition.settings_fields, settings),
            *options.secrets,
            *_of_audiences(definition, audience_settings or {}),
        ]
    )
    opened = open_by(
        plugin,
        resource,
        {"settings": given, "clock": clock, "logger": _logger, "confide": redactor.confide},
    )
    plugin = ResourcePlugin(plugin, opened) if opened else plugin
    refresh = partial(plugin.call, "refresh") if plugin.implements("refresh") else None
    extending = ExtendingPlugin(plugin) if extends(plugin) else None
    plugin = extending or plugin
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
        limits=RateLimits(throttle)
        if throttle
        else limits_of(
            definition,
            guard(definition.limits)(given),
            settings,
            name=name,
            share=1.0 if options.rate_share is None else options.rate_share,
            clock=clock,
            base=base,
            transport=transport,
            stores=rates,
        ),
        timeout=_timeout(options),
        redactor=redactor,
        clock=clock,
        error_reader=_error_reader(plugin),
        addresses=frozenset(addresses_in(settings)),
    )
    if refresh and isinstance(auth, OAuthRefreshToken):
        arguments = {"settings": given, "clock": clock, "confide": redactor.confide}
        refresh = partial(refresh, client=client.for_tokens(), stop=CurrentStop(), **arguments)
        auth.exchange_by(guard(lambda token: refresh(refresh_token=token)))
    hook_runner = HookRunner(
        plugin=plugin,
        client=client,
        settings=given,
        cache=cache or Cache(clock.monotonic),
        logger=_logger,
        redactor=redactor,
        credentials=credentials,
        strict=strict,
        guard=guard,
        audience_settings=audience_settings or {},
        features=_flags(features or {}),
        metrics=PluginMetrics(redactor.text),
        store=store or PluginStore(MemoryState()),
        extend=extending.extended if extending else None,
        handover=Handover(always=offline or strict),
        previews=[] if offline and definition.transport == "other" else None,
    )
    linger = LINGER if options.linger is None else options.linger
    return Connection(
        plugin,
        given,
        compiled,
        hook_runner,
        linger,
        filters=chosen,
        resource=opened,
        kept=audiences,
    )


def _of_audiences(definition: Destination, given: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield the secrets among the settings of audiences."""
    fields = fields_of(definition.audience.settings) if definition.audience else {}
    for settings in given.values():
        yield from secret_texts(fields, settings)


def _flags(features: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return flags that hooks cannot change; raises ConfigurationError with every problem."""
    problems = [
        f"Feature flag `{name}` must be a text, a number, a boolean or None, "
        f"got {type(value).__name__}."
        for name, value in features.items()
        if not isinstance(value, str | int | float | None)
    ]
    if problems:
        raise ConfigurationError("\n".join(problems), problems)
    return MappingProxyType(dict(features))


def _timeout(options: DeliveryOptions) -> httpx.Timeout:
    if options.time_limit is None:
        return TIMEOUT
    return httpx.Timeout(options.time_limit, connect=min(options.time_limit, TIMEOUT.connect or 0))


def _auth(plugin: Implementation, settings: Any, clock: Clock, redactor: Redactor) -> Any:
    """Return the auth flow of the destination; raises what its hook raises, redacted.

    Raises DefinitionError for a result that is not an auth flow.
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
