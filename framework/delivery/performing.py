"""Calls of `identify`, `perform` and `perform_batch`, with one result per payload."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any, Final, Protocol

import httpx
from msgspec import Struct
from msgspec.structs import replace as replace_fields

from framework.definition import Destination, membership
from framework.delivery.auth import OAuthCredentials
from framework.delivery.cache import Cache
from framework.delivery.client import Client
from framework.delivery.columns import Columns, build_all
from framework.delivery.compiled import CompiledSubscription
from framework.delivery.exchanges import BODY_LIMIT, Redactor
from framework.delivery.grouping import Rows, audience_of
from framework.delivery.identifier_mask import masking
from framework.delivery.permission import DeletionRequest, deletion_request
from framework.errors import IntegrationError
from framework.paths import Event
from framework.results import DELIVERED, Delivered, Failed, Result, Skipped, Unconfirmed

_RESULTS: Final = (Delivered, Failed, Skipped, Unconfirmed)


class Implementation(Protocol):
    """The parts of a plugin that a delivery uses: its definition, and its hooks by name."""

    @property
    def definition(self) -> Destination:
        """The destination's definition."""

    def implements(self, hook: str) -> bool:
        """Return whether anything implements *hook*."""

    def wants(self, hook: str) -> frozenset[str]:
        """Return the names of the arguments that implementations of *hook* ask for."""

    def call(self, hook: str, **arguments: Any) -> Any:
        """Call *hook*."""


class BatchInput(Struct, frozen=True):
    """The rows of a batch, aligned; *key* has the values of the batch keys by name.

    Payloads and events are present only if a hook asks for them.
    """

    size: int
    key: Mapping[str, Any]
    identifiers: Sequence[str | None]
    payloads: Sequence[Any] = ()
    events: Sequence[Any] = ()

    def at(self, places: Sequence[int]) -> BatchInput:
        """Return the rows at *places*."""
        return BatchInput(
            len(places),
            self.key,
            [self.identifiers[place] for place in places],
            [self.payloads[place] for place in places] if self.payloads else (),
            [self.events[place] for place in places] if self.events else (),
        )


@dataclass(frozen=True)
class HookRunner:
    """Calls the hooks of one connection.

    *credentials* are those that can renew themselves, if the destination has such.
    *strict* re-raises what a plugin raises unexpectedly, for test benches; otherwise it becomes
    a Failed with code `INTERNAL_ERROR` and is logged with its traceback.
    """

    plugin: Implementation
    client: Client
    settings: Any
    cache: Cache
    logger: logging.Logger
    redactor: Redactor
    credentials: OAuthCredentials | None = None
    strict: bool = False

    @cached_property
    def needs_events(self) -> bool:
        """Return whether a hook asks for the event of a payload, or rows are told apart by it."""
        asked = self._asked | self._wanted["identify"]
        actions = self.plugin.definition.actions
        if all(action.membership is not None for action in actions):
            asked -= {"membership", "memberships"}
        return bool(asked & _OF_EVENTS) or any(
            action.membership is None and action.batching.coalesce == "membership"
            for action in actions
            if action.batching
        )

    @cached_property
    def needs_payloads(self) -> bool:
        """Return whether payloads are needed to send them, to merge them or to know their size."""
        rules = [action.batching for action in self.plugin.definition.actions if action.batching]
        merges = any(one.coalesce == "merge" for one in rules)
        return bool(self._asked & {"payload", "payloads"}) or merges or not self.identifies

    @cached_property
    def identifies(self) -> bool:
        """Return whether the destination identifies payloads."""
        return self.plugin.implements("identify")

    @cached_property
    def _asked(self) -> frozenset[str]:
        return self._wanted["perform"] | self._wanted["perform_batch"]

    @cached_property
    def _wanted(self) -> Mapping[str, frozenset[str]]:
        return {hook: self.plugin.wants(hook) for hook in ("identify", "perform", "perform_batch")}

    @cached_property
    def _ways(self) -> tuple[bool, bool]:
        """Whether the destination can perform a batch, and whether it can perform one payload."""
        return self.plugin.implements("perform_batch"), self.plugin.implements("perform")

    def describe(self, compiled: CompiledSubscription, rows: Rows, events: Sequence[Event]) -> Rows:
        """Return the rows with what their events say: memberships and audiences, if needed."""
        if compiled.batching.coalesce == "membership" and compiled.action.membership is None:
            rows = replace_fields(rows, memberships=_memberships(compiled, events))
        if "audience_settings" in self._asked:
            rows = replace_fields(rows, audiences=[audience_of(event) for event in events])
        return rows

    def identify(
        self, compiled: CompiledSubscription, columns: Columns, events: Sequence[Event]
    ) -> Sequence[str | Failed]:
        """Return the identifier of each payload, or the reason why it has none.

        *events* are needed only if `needs_events` says so.
        """
        wanted = self._wanted["identify"]
        arguments = {"action": compiled.action, "settings": self.settings, "columns": columns}
        if "payloads" in wanted:
            arguments["payloads"] = columns.payloads
        if "memberships" in wanted:
            arguments["memberships"] = _memberships(compiled, events, columns.size)
        arguments |= {"events": events, "sync_mode": compiled.sync_mode}
        found = self._call("identify", arguments)
        if isinstance(found, Failed):
            return [found] * columns.size
        if not isinstance(found, list | tuple) or len(found) != columns.size:
            return [_miscounted("identify", columns.size, found)] * columns.size
        if {str}.issuperset(map(type, found)) and all(found):
            return found
        return [
            (one or NO_IDENTIFIER)
            if isinstance(one, str)
            else self._fit("identify", one, (Failed,))
            for one in found
        ]

    def weigh(self, compiled: CompiledSubscription, columns: Columns) -> list[int | Failed]:
        """Return the bytes that each payload adds to a request, or the reason why it has none."""
        weigh = compiled.batching.weigh
        assert weigh is not None
        found = [self._guarded(weigh, payload) for payload in columns.payloads]
        return [
            one if isinstance(one, Failed) or (type(one) is int and one >= 0)
            else _misfit("weigh", "a number of bytes", one)
            for one in found
        ]  # fmt: skip

    def merge(
        self, compiled: CompiledSubscription, older: Sequence[dict[str, Any]], newest: Any
    ) -> Any:
        """Return the payload of shaped objects and a newer payload together, or why there is none.

        *older* are in the order of arrival.
        """
        merge, action = compiled.batching.merge, compiled.action
        kind = action.payload if isinstance(action.payload, type) else dict
        assert merge is not None
        first, *others = build_all(action, older)
        for newer in [*others, newest]:
            first = self._guarded(merge, action, first, newer)
            if isinstance(first, Failed):
                return first
            if not isinstance(first, kind):
                return _misfit("merge", f"a {kind.__name__}", first)
        return first

    def delete_users(self, events: Sequence[Event]) -> list[Result]:
        """Ask the partner to delete the users that *events* name; return a result for each."""
        if not self.plugin.implements("delete_users"):
            return [self._unsupported] * len(events)
        requests = [deletion_request(event) for event in events]
        named = [one for one in requests if not one.names_nobody]
        with masking([text for one in named for text in (one.user_id, one.anonymous_id)]):
            found = iter(self._renewing(lambda: self._delete(named)) if named else ())
        return [NO_USER if one.names_nobody else next(found) for one in requests]

    def _delete(self, requests: Sequence[DeletionRequest]) -> list[Result]:
        own = {name: getattr(self, name) for name in _OF_CONNECTION}
        answer = self._call("delete_users", {**own, "requests": requests})
        return self._aligned("delete_users", answer, len(requests))

    @cached_property
    def _unsupported(self) -> Failed:
        return Failed(
            501,
            "DELETION_NOT_SUPPORTED",
            f"{self.plugin.definition.name} cannot delete users: it has no hook `delete_users`. "
            "Delete the user there yourself.",
        )

    def perform(self, compiled: CompiledSubscription, batch_input: BatchInput) -> list[Result]:
        """Send a batch, in one call or row by row as the plugin can; return a result per row.

        If a result is 401, the token is renewed and everything is sent once more, unless the
        token was new, like Segment's implementation does.
        """
        with masking(batch_input.identifiers):
            return self._perform_authorized(compiled, batch_input)

    def _perform_authorized(
        self, compiled: CompiledSubscription, batch_input: BatchInput
    ) -> list[Result]:
        if not self.credentials:
            return self._perform(compiled, batch_input)
        return self._renewing(lambda: self._perform(compiled, batch_input))

    def _renewing(self, send: Callable[[], list[Result]]) -> list[Result]:
        """Return the results of *send*; if one is 401, renew the token and send once more."""
        if not self.credentials:
            return send()
        renewals = self.credentials.renewals
        results = send()
        if results.count(DELIVERED) == len(results):
            return results
        refused = any(isinstance(one, Failed) and one.status == 401 for one in distinct(results))
        if refused and self.credentials.forget(renewals):
            return send()
        return results

    def _perform(self, compiled: CompiledSubscription, batch_input: BatchInput) -> list[Result]:
        together, alone = self._ways
        if not together or (alone and batch_input.size == 1):
            return self._perform_each(compiled, batch_input)
        arguments = dict(self._fixed("perform_batch", compiled))
        wanted, events = self._wanted["perform_batch"], batch_input.events
        for name in _OF_BATCH & wanted:
            arguments[name] = getattr(batch_input, name)
        if "memberships" in wanted:
            arguments["memberships"] = _memberships(compiled, events, batch_input.size)
        if "audience_settings" in wanted:
            arguments["audience_settings"] = _audience_settings(events[0])
        answer = self._call("perform_batch", arguments)
        return self._aligned("perform_batch", answer, batch_input.size)

    def _perform_each(
        self, compiled: CompiledSubscription, batch_input: BatchInput
    ) -> list[Result]:
        results: list[Result] = []
        wanted = self._wanted["perform"]
        for place in range(batch_input.size):
            arguments = dict(self._fixed("perform", compiled))
            for name in _OF_ROW.keys() & wanted:
                arguments[name] = getattr(batch_input, _OF_ROW[name])[place]
            if "membership" in wanted:
                events = batch_input.events[place : place + 1]
                (arguments["membership"],) = _memberships(compiled, events, 1)
            if "audience_settings" in wanted:
                arguments["audience_settings"] = _audience_settings(batch_input.events[place])
            results += self._aligned("perform", self._call("perform", arguments), 1)
        return results

    @cached_property
    def _fixed(self) -> Callable[[str, CompiledSubscription], Mapping[str, Any]]:
        """The arguments of a hook that are the same for all payloads of a subscription."""

        def fixed(hook: str, compiled: CompiledSubscription) -> Mapping[str, Any]:
            wanted = self._wanted[hook]
            own = {name: getattr(self, name) for name in _OF_CONNECTION & wanted}
            return own | {name: getattr(compiled, name) for name in _OF_SUBSCRIPTION & wanted}

        return cache(fixed)

    def _call(self, hook: str, arguments: Mapping[str, Any]) -> Any:
        """Return what a hook returns, or the Failed for its exception."""
        return self._guarded(self.plugin.call, hook, **arguments)

    def _guarded(self, function: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """Return what a plugin's function returns, or the Failed for its exception."""
        try:
            return function(*given, **named)
        except IntegrationError as error:
            return self._failed(error)
        except Exception as error:
            if self.strict:
                raise
            name = self.plugin.definition.slug
            trace = self.redactor.text(traceback.format_exc())
            self.logger.error("Destination `%s` failed unexpectedly.\n%s", name, trace)  # noqa: TRY400 - the traceback is redacted first
            kind = type(error).__name__
            return Failed(500, "INTERNAL_ERROR", f"Destination `{name}` raised {kind}.")

    def _aligned(self, hook: str, answer: Any, size: int) -> list[Result]:
        """Return one result per payload: nothing means delivered, one answer applies to all."""
        if answer is None or answer is DELIVERED:
            return [DELIVERED] * size
        if isinstance(answer, httpx.Response):
            return [self._of_response(answer)] * size
        if isinstance(answer, _RESULTS):
            return [self._fit(hook, answer)] * size
        if hook == "perform" or not isinstance(answer, list | tuple):
            return [_mistyped(hook, answer)] * size
        if len(answer) != size:
            return [_miscounted(hook, size, answer)] * size
        return [one if one is DELIVERED else self._fit(hook, one) for one in answer]

    def _fit(self, hook: str, result: Any, kinds: tuple[type, ...] = _RESULTS) -> Any:
        """Return a result of a hook, redacted, or the Failed for a value that is no result."""
        if not isinstance(result, kinds):
            return _misplaced(hook, result)
        if isinstance(result, Unconfirmed):
            return replace(result, reason=self.redactor.text(result.reason))
        return self._redacted(result) if isinstance(result, Failed) else result

    def _failed(self, error: IntegrationError) -> Failed:
        response = error.response
        partner = isinstance(response, httpx.Response)
        failed = self._redacted(Failed.from_error(error, "partner" if partner else "framework"))
        body = self._body(response) if partner else None
        return failed if body is None else replace(failed, body=body)

    def _redacted(self, failed: Failed) -> Failed:
        told = (failed.code, failed.message, *failed.problems)
        clean = tuple(map(self.redactor.text, told))
        if clean == told:
            return failed
        return replace(failed, code=clean[0], message=clean[1], problems=clean[2:])

    def _of_response(self, response: httpx.Response) -> Result:
        status, body = response.status_code, self._body(response)
        if response.is_success:
            return DELIVERED if status == 200 and body is None else Delivered(status, body)
        try:
            return self._failed(self.client.error_of(response))
        except RuntimeError:  # a response without a request, made by hand
            failed = Failed.by_status(status, f"The partner answered {status}.", body=body)
            return replace(failed, reporter="partner")

    def _body(self, response: httpx.Response) -> Any:
        """Return the body of a response if the delivery is recorded: JSON, else text, else None."""
        if not self.client.recorder.active:
            return None
        try:
            text = self.redactor.hide(response.text)
        except httpx.StreamError:
            return None
        try:
            return json.loads(text) if len(text) <= BODY_LIMIT else None
        except (ValueError, RecursionError):
            return text or None


def distinct(results: Sequence[Result]) -> Sequence[Result]:
    """Return one result if all are equal, else all of them."""
    if results and results.count(results[0]) == len(results):
        return results[:1]
    return results


def _audience_settings(event: Any) -> Mapping[str, Any]:
    for key in ("context", "personas", "audience_settings"):
        event = event.get(key) if isinstance(event, dict) else None
    return event if isinstance(event, dict) else {}


_OF_CONNECTION: Final = frozenset({"client", "settings", "cache", "logger"})
_OF_SUBSCRIPTION: Final = frozenset({"action", "sync_mode", "matching_key", "hook_outputs"})
_OF_BATCH: Final = frozenset({"key", "payloads", "identifiers", "events"})
_OF_ROW: Final = {"payload": "payloads", "identifier": "identifiers", "event": "events"}
_OF_EVENTS: Final = frozenset({"event", "events", "membership", "memberships", "audience_settings"})

NO_IDENTIFIER: Final = Failed(
    400, "NO_IDENTIFIER", "The identifier is empty: the event does not say whom it is about."
)
NO_USER: Final = Failed(
    400, "NO_IDENTIFIER", "The event names no user: it has neither `userId` nor `anonymousId`."
)


def _memberships(
    compiled: CompiledSubscription, events: Sequence[Event], size: int = 0
) -> list[bool | None]:
    """Return whether each row adds or removes: by the action, else by the event."""
    declared = compiled.action.membership
    if declared is not None:
        return [declared] * (size or len(events))
    return [membership(event, compiled.sync_mode) for event in events]


def _misfit(function: str, wanted: str, found: Any) -> Failed:
    got = "nothing" if found is None else type(found).__name__
    return Failed(500, "RESULT_TYPE", f"`{function}` of Batching must return {wanted}, got {got}.")


def _mistyped(hook: str, answer: Any) -> Failed:
    offer = "one response or a result" if hook == "perform" else "one response or a list of results"
    return Failed(
        500,
        "RESULT_TYPE",
        f"Hook `{hook}` must return nothing, {offer}, got {type(answer).__name__}.",
    )


def _miscounted(hook: str, size: int, answer: Any) -> Failed:
    counted = isinstance(answer, list | tuple)
    got = f"{len(answer)} results" if counted else type(answer).__name__
    rows = "requests" if hook == "delete_users" else "payloads"
    return Failed(
        500,
        "RESULT_COUNT",
        f"Hook `{hook}` must return one result for each of the {size} {rows}, got {got}.",
    )


def _misplaced(hook: str, found: Any) -> Failed:
    wanted = "an identifier or a Failed" if hook == "identify" else "a result"
    got = "nothing" if found is None else type(found).__name__
    return Failed(
        500, "RESULT_TYPE", f"Hook `{hook}` must return {wanted} for each payload, got {got} here."
    )
