"""The hooks of destinations and extensions: the table of contents of the plugin system.

A destination module implements the hooks it needs with `@hookimpl`; each implementation is a plain
function that names only the arguments it uses, without default values.
Every destination has its own plugin manager, which also holds the registered extensions.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import pluggy

from framework.clock import Clock
from framework.definition import Action, Destination, RequestOptions, Settings, Subscription
from framework.errors import ErrorDescription
from framework.results import ConnectionCheck, Failed, RefreshedToken, Result

if TYPE_CHECKING:
    import httpx

PROJECT = "action_destinations"
"""Name of the pluggy project, and of the entry-point group of destinations."""

EXTENSIONS = f"{PROJECT}.extensions"
"""The entry-point group of extensions, which are loaded with every destination."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec(firstresult=True)
def destination() -> Destination:
    """Return the destination: slug, name, settings, actions, presets and rate limit. Required."""
    raise NotImplementedError


@hookspec(firstresult=True)
def settings() -> type[Settings]:
    """Return the class of the destination's settings, if the destination does not have it."""
    raise NotImplementedError


@hookspec(firstresult=True)
def actions() -> Sequence[Action]:
    """Return the destination's actions. Required if the destination does not have them."""
    raise NotImplementedError


@hookspec(firstresult=True)
def auth(
    settings: Any, clock: Clock, stop: Any, confide: Callable[[str], None]
) -> httpx.Auth | None:
    """Return the auth flow that signs every request.

    `api_key`, `bearer`, `basic`, `OAuthClientCredentials` and `OAuthRefreshToken` are such flows.
    Any other one is an `httpx.Auth`: it is asked anew for each attempt, and with
    `requires_request_body = True` it may sign the body.
    What the flow adds to a request is redacted; *confide* names other secrets, such as a token
    that it sends in a body. *stop* tells with `is_set()` whether the call that is signed has to
    end.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def refresh(
    client: httpx.Client,
    settings: Any,
    refresh_token: str,
    clock: Clock,
    stop: Any,
    confide: Callable[[str], None],
) -> RefreshedToken:
    """Exchange a refresh token for an access token, where the partner differs from the standard.

    For destinations whose hook `auth` returns an `OAuthRefreshToken`: it replaces the request to
    the token endpoint, and everything else stays. One token is requested at a time; it is kept
    before it is used, and renewed before it expires and once after a 401. *refresh_token* is the
    configured one, or the one that replaced it. Requests of *client* carry no credentials, and are
    not subject to `extend_request`.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def check_authentication(client: httpx.Client, settings: Any) -> None:
    """Raise an exception if the settings do not grant access; called without an event."""
    raise NotImplementedError


@hookspec(firstresult=True)
def check_connection(client: httpx.Client, settings: Any) -> Iterable[ConnectionCheck]:
    """Return checks of what deliveries need beyond access, such as lists and permissions.

    Called by `actions check-auth` after `check_authentication`; it only reads. What it raises is a
    failed check.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def extend_request(
    settings: Any,
    action: Action | None,
    key: Mapping[str, Any],
    audience: Any,
    audience_settings: Mapping[str, Any],
    cache: Any,
    logger: logging.Logger,
    clock: Clock,
    confide: Callable[[str], None],
) -> RequestOptions | None:
    """Return what every request of a call has in common: base URL, headers, query, time limit.

    Called once before each call of a hook or function that gets a `client`: `perform`,
    `perform_batch`, `delete_users`, `check_authentication`, `check_connection` and
    `audience_size`, and the functions for choices, mapping hooks, jobs and audiences. The options
    apply to every request of that call. Headers, parameters and the time limit that a request has
    itself replace them.
    *action* is None if the call does not belong to an action. *key* is empty except for `perform`
    and `perform_batch`. *audience* is as for `perform`; while an audience is created, it has no
    ID. If the hook raises an exception, the events of the call fail. If a header is not allowed in
    HTTP, they fail with code `INVALID_REQUEST`. `Connection`, `Content-Length`, `Host` and
    `Transfer-Encoding` are refused: each request has them of its own.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def describe_error(response: httpx.Response) -> tuple[str, str] | ErrorDescription | None:
    """Return code and text of an error response; None if it contains neither.

    A code has at most 64 letters, digits, `_`, `.` and `-`; any other one is left out, and logged.
    Neither may hold a secret or personal data. An `ErrorDescription` can add what the failure
    concerns: `connection` if every other event would fail, too, such as for a withdrawn consent (a
    run then stops, and its events stay open), or `event` if it would not. By default, redirects,
    401, 402, 403, 407, 429 and every failed request for a token concern the connection, and 404,
    405, 410 and 501 do so at the root of an origin or at an address that a setting holds.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def identify(
    action: Action,
    settings: Any,
    payloads: Sequence[Any],
    columns: Any,
    memberships: Sequence[bool | None],
    sync_mode: str | None,
    events: Sequence[dict[str, Any]],
) -> Sequence[str | tuple[str, ...] | Failed]:
    """Return the identifier of each payload, in exactly the form that is sent to the partner.

    A Failed in place of an identifier fails that event at once; so does an empty string.
    A tuple of identifiers, the payload's own at first, is for a payload that concerns several, such
    as one that merges two contacts: order is kept for each of them, and such a payload is never
    superseded or merged, nor is anything across it. With `coalesce="membership"` a payload has one.
    *columns* holds the same payloads by field, see `framework.Columns`; if only *columns* is used,
    payloads are not created. *memberships* and *events* are as for `perform_batch`; events are kept
    in memory only if a hook asks for them, which is slower.
    Within a batching lane and its keys (or target), events with the same identifier are sent in
    order, an identifier once per batch, also across its forms if the batching rules have aliases;
    `Batching.coalesce` decides which of them are sent.
    The result must depend on the arguments only: the hook may be called in another process.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def perform(
    action: Action,
    client: httpx.Client,
    settings: Any,
    payload: Any,
    identifier: str | None,
    event: dict[str, Any],
    membership: bool | None,
    sync_mode: str | None,
    matching_key: str | None,
    hook_outputs: Mapping[str, Any],
    subscription: Subscription,
    features: Mapping[str, Any],
    audience_settings: Mapping[str, Any],
    metrics: Any,
    store: Any,
    cache: Any,
    logger: logging.Logger,
    clock: Clock,
    stop: threading.Event,
    confide: Callable[[str], None],
    forget_members: Callable[[], None],
    idempotency_key: str,
    audience: Any,
    full_list: bool,
    resource: Any,
) -> httpx.Response | Result | None:
    """Deliver one payload; a normal return means delivered.

    Raise IntegrationError to fail the event, RetryableError to have it retried later.
    *event* is the original event; *membership* is True if it adds to an audience, False if it
    removes, else None (the action's `membership`, else the event decides); *cache* exists as long
    as the connection.
    *stop* is set when the call has to end: `clock.sleep` and the client then raise Stopped.
    *confide* takes a text that is a secret, to keep it out of everything that is written.
    *forget_members* is to be called, before the hook returns, if the audience does not exist at the
    partner any more, or had to be created: then no one counts as a member in the ledger.
    *idempotency_key* is equal whenever the same event of a source is delivered again.
    Return `Accepted` if the partner finishes the work later, see `Action.poll`.
    *audience* is the `AudienceCall` of the audience that the event is about, with its ID at the
    partner, if the destination declares `Audiences`; None if it is about none.
    *subscription* is the one that the event has matched, with its name, its ID, if it has one, and
    its mapping as it is saved: fields that it leaves out take their defaults. It is read only.
    *features* holds the feature flags of the connection by name: texts, numbers, booleans or None.
    *metrics* counts what the destination does: `metrics.count("rows", 3, kind="new")`; see
    `framework.PluginMetrics`.
    *store* keeps values across commands and processes; see `framework.PluginStore`. In dry runs and
    with the sandbox it lasts as long as the connection.
    *full_list* is True for the last call of a whole list, see `Audiences.full_sync`: everybody who
    was not sent since its beginning is to be removed.
    *resource* is what the hook `open_resource` has opened, None without that hook.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def perform_batch(
    action: Action,
    client: httpx.Client,
    settings: Any,
    payloads: Sequence[Any],
    identifiers: Sequence[str],
    key: Mapping[str, Any],
    events: Sequence[dict[str, Any]],
    memberships: Sequence[bool | None],
    sync_mode: str | None,
    matching_key: str | None,
    hook_outputs: Mapping[str, Any],
    subscription: Subscription,
    features: Mapping[str, Any],
    audience_settings: Mapping[str, Any],
    metrics: Any,
    store: Any,
    cache: Any,
    logger: logging.Logger,
    clock: Clock,
    stop: threading.Event,
    confide: Callable[[str], None],
    forget_members: Callable[[], None],
    idempotency_key: str,
    audience: Any,
    full_list: bool,
    resource: Any,
) -> httpx.Response | Sequence[Result] | Result | None:
    """Deliver a batch of payloads of one action with equal batch keys.

    Return nothing (all delivered), one response or result (for all), or one result for each
    payload in order.
    *key* holds the values of the batch keys by name. If the hook asks for *audience_settings*, all
    payloads have the same ones, and the same key and external ID of the audience; so they do if
    it asks for *audience*, which is as for `perform`, as is *full_list*.
    Payloads of several subscriptions are sent together only if the hook does not ask for
    *subscription*, which is as for `perform`.
    *forget_members* is as for `perform`. A removal from an audience that does not exist is skipped
    with code `NO_AUDIENCE`; the ledger then knows that the users are not members.
    *idempotency_key* is equal whenever the same events of a source are delivered again together.
    Return `Accepted` if the partner finishes the work later, see `Action.poll`.
    An exception fails every payload of the batch.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def open_resource(
    settings: Any, logger: logging.Logger, clock: Clock, confide: Callable[[str], None]
) -> AbstractContextManager[Any]:
    """Return what `perform`, `perform_batch` and `delete_users` get as *resource*.

    A context manager, such as a client of another protocol than HTTP. It is entered once, before
    the first call that asks for it, in the process that sends, and left when the connection is
    closed, also after Ctrl-C. If it cannot be entered, the events fail with what it raises, and the
    next call tries again. A destination that reaches the outside by it has `transport="other"`.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def preview(
    action: Action,
    settings: Any,
    payloads: Sequence[Any],
    identifiers: Sequence[str],
    key: Mapping[str, Any],
    events: Sequence[dict[str, Any]],
    memberships: Sequence[bool | None],
    sync_mode: str | None,
    matching_key: str | None,
    hook_outputs: Mapping[str, Any],
    subscription: Subscription,
    features: Mapping[str, Any],
    audience_settings: Mapping[str, Any],
) -> Any:
    """Return what `perform` or `perform_batch` would send, as JSON, for a dry run.

    Used for destinations with `transport="other"`, which are not called in dry runs.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def sandbox() -> Any:
    """Return a sandbox that simulates the partner, see `framework.testing.Sandbox`."""
    raise NotImplementedError


@hookspec(firstresult=True)
def member_payload(
    action: Action,
    settings: Any,
    audience_name: str,
    naming: str,
    identifier: str,
    fixed: Mapping[str, Any],
) -> Mapping[str, Any] | None:
    """Return the payload by which *action* adds a person to an audience, or removes the person.

    For commands that know an audience and an identifier, but no event, such as `actions audience
    mirror`. *audience_name* and *naming* are those of the `Target` that the batching rules return
    for the payload, *naming* is empty if the destination chooses it. *identifier* has any form that
    the payload may hold. *fixed* are the constants in the mapping of a subscription to *action*,
    such as a type of identifiers, which the payload has to keep; return None if it cannot.
    The action declares its `membership`, and batching rules with `coalesce="membership"` and a
    target.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def audience_size(
    client: httpx.Client, settings: Any, audience_name: str, naming: str, cache: Any
) -> Mapping[str, Any]:
    """Return the number of people that the partner counts in an audience.

    The audience is named as for `member_payload`. The result is `{"members": 1200, "delay": "12 to
    24 hours"}`: *members* is the number of people in any form of identifier, or None if there is no
    such audience, *delay* says how old the number may be. No member is read.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def delete_users(
    client: httpx.Client,
    settings: Any,
    requests: Sequence[Any],
    features: Mapping[str, Any],
    cache: Any,
    logger: logging.Logger,
    clock: Clock,
    forget_members: Callable[[], None],
    resource: Any,
) -> httpx.Response | Sequence[Result] | None:
    """Delete the data of users at the partner; return what `perform_batch` returns.

    Called for events of type `delete`, which no subscription receives. Each of *requests* has the
    `event` and the strings `user_id` and `anonymous_id`, of which one may be None. All earlier
    events are sent first. Without this hook, such events fail with code `DELETION_NOT_SUPPORTED`.
    After a call of this hook, the ledger of memberships no longer counts any membership as
    confirmed, since users may have left audiences. A hook that names *forget_members* decides this
    itself: it calls that function before it removes users from audiences.
    """
    raise NotImplementedError


@hookspec
def register_directives() -> Sequence[Any]:
    """Return more mapping directives (an extension's hook): see `framework.mapping.Directive`."""
    raise NotImplementedError


@hookspec
def batch_finished(report: Any) -> None:
    """Receive the `BatchReport` of a batch that was sent (an extension's hook).

    Called after each call that sends a batch, in `deliver`, runs and relays, also for a batch that
    is sent again later. The report holds the results, and no events. What the hook raises is
    logged and changes nothing.
    """
    raise NotImplementedError
