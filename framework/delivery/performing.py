"""Calls `perform` and `perform_batch`, and turns whatever they do into one result per payload."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any, Final, Protocol, TypeVar

import httpx
from msgspec import Struct

from framework.definition import Destination, membership
from framework.delivery.auth import OAuthCredentials
from framework.delivery.cache import Cache
from framework.delivery.client import Client
from framework.delivery.columns import Columns
from framework.delivery.compiled import CompiledSubscription
from framework.delivery.exchanges import BODY_LIMIT, Redactor
from framework.delivery.http_errors import error_from_response
from framework.errors import IntegrationError
from framework.results import DELIVERED, Delivered, Failed, Result, Skipped

T = TypeVar("T")

_RESULTS: Final = (Delivered, Failed, Skipped)


class Implementation(Protocol):
    """What delivery needs of a plugin: its definition, and its hooks by name."""

    @property
    def definition(self) -> Destination:
        """The destination's definition."""

    def implements(self, hook: str) -> bool:
        """Tell whether anything is done for *hook*."""

    def wants(self, hook: str) -> frozenset[str]:
        """Give the names of the arguments that *hook* is asked for."""

    def call(self, hook: str, **arguments: Any) -> Any:
        """Call *hook*."""


class BatchInput(Struct, frozen=True):
    """What a batch holds, aligned; *key* has the values of the batch keys by name.

    Payloads and events are there only for those who ask for them.
    """

    size: int
    key: Mapping[str, Any]
    identifiers: Sequence[str | None]
    payloads: Sequence[Any] = ()
    events: Sequence[Any] = ()


@dataclass(frozen=True)
class HookRunner:
    """Performs batches of one connection.

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
        """Tell whether an implementation asks for the event behind a payload."""
        return bool(self._asked & _OF_EVENTS)

    @cached_property
    def needs_payloads(self) -> bool:
        """Tell whether payloads are needed when they are sent, or to say how large they are."""
        return bool(self._asked & {"payload", "payloads"}) or not self.identifies

    @cached_property
    def identifies(self) -> bool:
        """Tell whether the destination says whom a payload is about."""
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

    def identify(self, route: CompiledSubscription, columns: Columns) -> Sequence[str | Failed]:
        """Give the identifier of each payload, or why there is none."""
        arguments = {"action": route.action, "settings": self.settings, "columns": columns}
        if "payloads" in self._wanted["identify"]:
            arguments["payloads"] = columns.payloads
        found = self._call("identify", arguments)
        if isinstance(found, Failed):
            return [found] * columns.size
        if not isinstance(found, list | tuple) or len(found) != columns.size:
            return [_miscounted("identify", columns.size, found)] * columns.size
        if {str}.issuperset(map(type, found)):
            return found
        return [
            one if isinstance(one, str) else self._fit("identify", one, (Failed,)) for one in found
        ]

    def perform(self, route: CompiledSubscription, parcels: BatchInput) -> list[Result]:
        """Send a batch, alone or together as the plugin can, and give a result per parcel.

        Where a result is 401 the token is renewed and everything is sent once more, unless the
        token was new: the reference does the same.
        """
        renewals = self.credentials.renewals if self.credentials else 0
        results = self._perform(route, parcels)
        if (
            self.credentials
            and any(isinstance(one, Failed) and one.status == 401 for one in different(results))
            and self.credentials.forget(renewals)
        ):
            return self._perform(route, parcels)
        return results

    def _perform(self, route: CompiledSubscription, parcels: BatchInput) -> list[Result]:
        together, alone = self._ways
        if together and (parcels.size > 1 or not alone):
            return self._perform_batch(route, parcels)
        return self._perform_each(route, parcels)

    def _perform_each(self, route: CompiledSubscription, parcels: BatchInput) -> list[Result]:
        fixed = self._fixed("perform", route)
        results = []
        for place in range(parcels.size):
            values = {name: give(parcels, place, route) for name, give in self._of_one.items()}
            answer = self._call("perform", {**fixed, **values})
            results += self._aligned("perform", answer, 1)
        return results

    def _perform_batch(self, route: CompiledSubscription, parcels: BatchInput) -> list[Result]:
        values = {name: give(parcels, route) for name, give in self._of_many.items()}
        answer = self._call("perform_batch", {**self._fixed("perform_batch", route), **values})
        return self._aligned("perform_batch", answer, parcels.size)

    @cached_property
    def _of_one(self) -> Mapping[str, Callable[[BatchInput, int, CompiledSubscription], Any]]:
        return _among(_OF_ONE, self._wanted["perform"])

    @cached_property
    def _of_many(self) -> Mapping[str, Callable[[BatchInput, CompiledSubscription], Any]]:
        return _among(_OF_MANY, self._wanted["perform_batch"])

    @cached_property
    def _fixed(self) -> Callable[[str, CompiledSubscription], Mapping[str, Any]]:
        """The arguments of a hook that are the same for all payloads of a route."""

        def fixed(hook: str, route: CompiledSubscription) -> Mapping[str, Any]:
            gives = _among(_OF_ROUTE, self._wanted[hook])
            return {name: give(self, route) for name, give in gives.items()}

        return cache(fixed)

    def _call(self, hook: str, arguments: Mapping[str, Any]) -> Any:
        """Give what a hook returns, or the Failed that its exception stands for."""
        try:
            return self.plugin.call(hook, **arguments)
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
        """Give one result per payload: nothing means delivered, one answer speaks for all."""
        if answer is None:
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
        """Give a result of a hook fit to be shown, or the Failed that stands for something else."""
        if not isinstance(result, kinds):
            return _misplaced(hook, result)
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
            now = self.client.clock.time()
            return self._failed(
                error_from_response(response, self.redactor, self.client.error_reader, now=now)
            )
        except RuntimeError:  # a response without a request, made by hand
            failed = Failed.by_status(status, f"The partner answered {status}.", body=body)
            return replace(failed, reporter="partner")

    def _body(self, response: httpx.Response) -> Any:
        """Give what an answer says, where the delivery is recorded: JSON, else text, else None."""
        if not self.client.recorder.active:
            return None
        try:
            text = self.redactor.hide(response.text)
        except httpx.StreamError:
            return None
        try:
            return json.loads(text) if len(text) <= BODY_LIMIT else None
        except ValueError:
            return text or None


def different(results: Sequence[Result]) -> Sequence[Result]:
    """Give one result where all are equal, else all of them."""
    if results and results.count(results[0]) == len(results):
        return results[:1]
    return results


def _audience_settings(event: Any) -> Mapping[str, Any]:
    for key in ("context", "personas", "audience_settings"):
        event = event.get(key) if isinstance(event, dict) else None
    return event if isinstance(event, dict) else {}


_OF_ROUTE: Final[Mapping[str, Callable[[HookRunner, CompiledSubscription], Any]]] = {
    "action": lambda _, route: route.action,
    "client": lambda performer, _: performer.client,
    "settings": lambda performer, _: performer.settings,
    "sync_mode": lambda _, route: route.sync_mode,
    "matching_key": lambda _, route: route.matching_key,
    "hook_outputs": lambda _, route: route.hook_outputs,
    "cache": lambda performer, _: performer.cache,
    "logger": lambda performer, _: performer.logger,
}
"""The arguments that depend on the connection and the subscription only."""

_OF_ONE: Final[Mapping[str, Callable[[BatchInput, int, CompiledSubscription], Any]]] = {
    "payload": lambda parcels, place, _: parcels.payloads[place],
    "identifier": lambda parcels, place, _: parcels.identifiers[place],
    "event": lambda parcels, place, _: parcels.events[place],
    "membership": lambda parcels, place, route: membership(parcels.events[place], route.sync_mode),
    "audience_settings": lambda parcels, place, _: _audience_settings(parcels.events[place]),
}
"""The arguments of `perform` that depend on the payload."""

_OF_MANY: Final[Mapping[str, Callable[[BatchInput, CompiledSubscription], Any]]] = {
    "key": lambda parcels, _: parcels.key,
    "payloads": lambda parcels, _: parcels.payloads,
    "identifiers": lambda parcels, _: parcels.identifiers,
    "events": lambda parcels, _: parcels.events,
    "memberships": lambda parcels, route: [
        membership(event, route.sync_mode) for event in parcels.events
    ],
    "audience_settings": lambda parcels, _: _audience_settings(parcels.events[0]),
}
"""The arguments of `perform_batch` that depend on the payloads."""

_OF_EVENTS: Final = frozenset({"event", "events", "membership", "memberships", "audience_settings"})


def _among(gives: Mapping[str, T], wanted: frozenset[str]) -> Mapping[str, T]:
    """Give the entries that are wanted."""
    return {name: give for name, give in gives.items() if name in wanted}


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
    return Failed(
        500,
        "RESULT_COUNT",
        f"Hook `{hook}` must return one result for each of the {size} payloads, got {got}.",
    )


def _misplaced(hook: str, found: Any) -> Failed:
    wanted = "an identifier or a Failed" if hook == "identify" else "a result"
    got = "nothing" if found is None else type(found).__name__
    return Failed(
        500, "RESULT_TYPE", f"Hook `{hook}` must return {wanted} for each payload, got {got} here."
    )
