"""Calls `perform` and `perform_batch`, and turns whatever they do into one result per payload."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

from framework.definition import Destination, membership
from framework.delivery.batching import Parcel
from framework.delivery.cache import Cache
from framework.delivery.client import Client
from framework.delivery.exchanges import Redactor
from framework.delivery.routes import Route
from framework.errors import IntegrationError
from framework.results import DELIVERED, Delivered, Failed, Result

_CONTEXT = frozenset({"event", "events", "membership", "memberships", "audience_settings"})


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


@dataclass(frozen=True)
class Performer:
    """Performs batches of one connection.

    *strict* re-raises what a plugin raises unexpectedly, for test benches; otherwise it becomes
    a Failed with code `INTERNAL_ERROR` and is logged with its traceback.
    """

    plugin: Implementation
    client: Client
    settings: Any
    cache: Cache
    logger: logging.Logger
    redactor: Redactor
    strict: bool = False

    @property
    def needs_events(self) -> bool:
        """Tell whether an implementation asks for the event behind a payload."""
        asked = self.plugin.wants("perform") | self.plugin.wants("perform_batch")
        return bool(asked & _CONTEXT)

    @property
    def identifies(self) -> bool:
        """Tell whether the destination says whom a payload is about."""
        return self.plugin.implements("identify")

    def identify(self, route: Route, payloads: Sequence[Any]) -> Sequence[str | Failed]:
        """Give the identifier of each payload, or why there is none."""
        found = self._guarded(
            lambda: self.plugin.call(
                "identify", action=route.action, settings=self.settings, payloads=payloads
            )
        )
        if isinstance(found, Failed):
            return [found] * len(payloads)
        if not isinstance(found, Sequence) or len(found) != len(payloads):
            return [_miscounted("identify", len(payloads), found)] * len(payloads)
        return found

    def perform(self, route: Route, parcels: Sequence[Parcel]) -> list[Result]:
        """Send a batch, alone or together as the plugin can, and give a result per parcel."""
        together = self.plugin.implements("perform_batch")
        if together and (len(parcels) > 1 or not self.plugin.implements("perform")):
            return self._perform_batch(route, parcels)
        return [self._perform_one(route, parcel) for parcel in parcels]

    def _perform_one(self, route: Route, parcel: Parcel) -> Result:
        event = parcel.event or {}
        given = {
            "payload": lambda: parcel.payload,
            "identifier": lambda: parcel.identifier,
            "event": lambda: event,
            "membership": lambda: membership(event, route.sync_mode),
        }
        arguments = self._arguments("perform", route, event, given)
        answer = self._guarded(lambda: self.plugin.call("perform", **arguments))
        results = _aligned([answer] if isinstance(answer, Delivered | Failed) else answer, 1)
        return results[0]

    def _perform_batch(self, route: Route, parcels: Sequence[Parcel]) -> list[Result]:
        events = [parcel.event or {} for parcel in parcels]
        given = {
            "payloads": lambda: [parcel.payload for parcel in parcels],
            "identifiers": lambda: [parcel.identifier for parcel in parcels],
            "events": lambda: events,
            "memberships": lambda: [membership(event, route.sync_mode) for event in events],
        }
        arguments = self._arguments("perform_batch", route, events[0], given)
        answer = self._guarded(lambda: self.plugin.call("perform_batch", **arguments))
        return _aligned(answer, len(parcels))

    def _arguments(
        self,
        hook: str,
        route: Route,
        event: Mapping[str, Any],
        given: Mapping[str, Callable[[], Any]],
    ) -> dict[str, Any]:
        common = {
            "action": lambda: route.action,
            "client": lambda: self.client,
            "settings": lambda: self.settings,
            "sync_mode": lambda: route.sync_mode,
            "matching_key": lambda: route.matching_key,
            "hook_outputs": lambda: route.hook_outputs,
            "audience_settings": lambda: _audience_settings(event),
            "cache": lambda: self.cache,
            "logger": lambda: self.logger,
            **given,
        }
        return {name: common[name]() for name in self.plugin.wants(hook) if name in common}

    def _guarded(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except IntegrationError as error:
            partner = getattr(error, "response", None) is not None
            failed = Failed.from_error(error, "partner" if partner else "framework")
            return _redacted(failed, self.redactor)
        except Exception as error:
            if self.strict:
                raise
            name = self.plugin.definition.slug
            trace = self.redactor.text(traceback.format_exc())
            self.logger.error("Destination `%s` failed unexpectedly.\n%s", name, trace)  # noqa: TRY400 - the traceback is redacted first
            return Failed(
                500, "INTERNAL_ERROR", f"Destination `{name}` raised {type(error).__name__}."
            )


def _aligned(answer: Any, size: int) -> list[Result]:
    """Give one result per payload: nothing means delivered, one answer speaks for all."""
    if answer is None:
        return [DELIVERED] * size
    if isinstance(answer, Failed | Delivered):
        return [answer] * size
    if isinstance(answer, httpx.Response):
        return [_of_response(answer)] * size
    if isinstance(answer, Sequence) and len(answer) == size:
        return list(answer)
    return [_miscounted("perform_batch", size, answer)] * size


def _of_response(response: httpx.Response) -> Result:
    status = response.status_code
    if response.is_success:
        return DELIVERED if status == 200 else Delivered(status)
    return Failed(status, "API_ERROR", f"The partner answered {status}.", "partner")


def _miscounted(hook: str, size: int, answer: Any) -> Failed:
    got = f"{len(answer)} results" if isinstance(answer, Sequence) else type(answer).__name__
    return Failed(
        500,
        "RESULT_COUNT",
        f"Hook `{hook}` must return one result for each of the {size} payloads, got {got}.",
    )


def _redacted(failed: Failed, redactor: Redactor) -> Failed:
    message = redactor.text(failed.message)
    return Failed(failed.status, failed.code, message, failed.reporter, pause=failed.pause)


def _audience_settings(event: Mapping[str, Any]) -> Mapping[str, Any]:
    context = event.get("context")
    personas = context.get("personas") if isinstance(context, dict) else None
    found = personas.get("audience_settings") if isinstance(personas, dict) else None
    return found if isinstance(found, dict) else {}
