"""The IDs by which a partner knows audiences: from events, kept, or created once."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import defaultdict
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, Final, TypeAlias

from framework.definition import AudienceCall, Audiences, shape_settings
from framework.delivery.grouping import audience_settings_of
from framework.delivery.hook_failures import store_failed
from framework.delivery.performing import HookRunner
from framework.errors import IntegrationError, SettingsError, StorageError
from framework.paths import Event, Path
from framework.results import Failed
from framework.state_store import StateStore

_Audience: TypeAlias = AudienceCall[Any, Any]

_KIND: Final = "audience"
_PERSONAS: Final = Path(("context", "personas"))
_LIMIT: Final = 300.0
_PATIENCE: Final = 360.0


class KeptAudiences:
    """The IDs of audiences in *state*; *sent_to* names what receives requests for the partner."""

    def __init__(self, state: StateStore, sent_to: str = "") -> None:
        self._state = state
        self.sent_to = sent_to

    def get(self, entry: str) -> str | None:
        """Return a kept ID."""
        found = self._state.get(_KIND, entry)
        return found if isinstance(found, str) and found else None

    def put(self, entry: str, external_id: str) -> None:
        """Keep an ID durably."""
        self._state.put(_KIND, entry, external_id)

    def delete(self, entry: str) -> bool:
        """Forget an ID; return whether there was one."""
        return self._state.delete(_KIND, entry)

    def lock(self, entry: str) -> AbstractContextManager[None]:
        """Hold the right to create an audience until the context ends."""
        return self._state.lock(f"{_KIND} {entry}", _PATIENCE)


class ExternalAudiences:
    """The audiences of one connection, as *rules* create and find them.

    *account* tells connections apart that send elsewhere. Without *kept*, IDs are known as long as
    the connection.
    """

    def __init__(
        self, hook_runner: HookRunner, rules: Audiences, account: str, kept: KeptAudiences | None
    ) -> None:
        self._hook_runner = hook_runner
        self._rules = rules
        self._account = account
        self._kept = kept
        self._known: dict[str, str] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def of(self, event: Event) -> _Audience | Failed | None:
        """Return the audience that an event is about; it is created if the partner has none yet.

        None if the event is about none. The Failed says why there is no audience.
        """
        personas = _PERSONAS.get(event)
        personas = personas if isinstance(personas, dict) else {}
        key, given = _text(personas, "computation_key"), _text(personas, "external_audience_id")
        if not (key or given):
            return None
        raw = audience_settings_of(event, self._hook_runner.audience_settings)
        try:
            call = self.call(
                key or "",
                raw,
                computation_id=_text(personas, "computation_id"),
                space=_text(personas, "space_id"),
            )
        except SettingsError as error:
            problems = tuple(error.problems)
            return Failed(400, "PAYLOAD_VALIDATION_FAILED", str(error), problems=problems)
        return call.known_as(given) if given else self.ensure(call, raw)

    def settings_of(self, key: str, brought: Mapping[str, Any] | None) -> Mapping[str, Any]:
        """Return the settings of an audience: those that were *brought*, else the connection's."""
        return brought or self._hook_runner.audience_settings.get(key, {})

    def call(self, key: str, raw: Mapping[str, Any], name: str = "", **more: Any) -> _Audience:
        """Return an audience without an ID; raises SettingsError for its settings."""
        runner = self._hook_runner
        return AudienceCall(
            client=runner.client,
            settings=runner.settings,
            name=name or key,
            key=key,
            audience_settings=shape_settings(self._rules.settings, raw),
            **more,
        )

    def ensure(self, call: _Audience, raw: Mapping[str, Any]) -> _Audience | Failed:
        """Return an audience with its ID at the partner, or why it has none."""
        entry = self.entry(call.key, raw)
        if entry in self._known:
            return call.known_as(self._known[entry])
        try:
            with self._locks[entry], self._kept.lock(entry) if self._kept else nullcontext():
                found = self._known.get(entry) or self._find_or_create(call, entry)
        except StorageError as error:
            return store_failed(error)
        if isinstance(found, Failed):
            return found
        self._known[entry] = found
        return call.known_as(found)

    def get(self, external_id: str, raw: Mapping[str, Any]) -> str:
        """Return the ID of an audience at the partner; raises IntegrationError if it has none."""
        found = self._get(replace(self.call("", raw), external_id=external_id))
        if found is None:
            found = Failed(404, "NOT_FOUND", "The partner has no such audience.")
        return raised(found)

    def unlink(self, key: str, raw: Mapping[str, Any]) -> bool:
        """Forget the ID of an audience; return whether one was known."""
        entry = self.entry(key, raw)
        kept = self._kept.delete(entry) if self._kept else False
        return self._known.pop(entry, None) is not None or kept

    def entry(self, key: str, raw: Mapping[str, Any]) -> str:
        """Return the name by which the ID of an audience is kept."""
        sent_to = self._kept.sent_to if self._kept else ""
        told = json.dumps([self._account, sent_to, key, raw], sort_keys=True, default=repr)
        return hashlib.sha256(told.encode()).hexdigest()

    def _find_or_create(self, call: _Audience, entry: str) -> str | Failed:
        kept = self._kept.get(entry) if self._kept else None
        found = self._get(call.known_as(kept)) if kept else None
        if found is None:
            found = self._create(call)
        if self._kept and not isinstance(found, Failed) and found != kept:
            self._kept.put(entry, found)
        return found

    def _get(self, call: _Audience) -> str | Failed | None:
        """Return the ID of a known audience, None if the partner does not have it any more."""
        if self._rules.get is None:
            return call.external_id
        found = self._hook_runner.call_renewing("get", self._rules.get, call, limit=_LIMIT)
        if isinstance(found, Failed):
            return None if found.status == 404 and call.key else found
        return None if found is None else _checked("get", found)

    def _create(self, call: _Audience) -> str | Failed:
        found = self._hook_runner.call_renewing("create", self._rules.create, call, limit=_LIMIT)
        if isinstance(found, Failed):
            return replace(found, code="AUDIENCE_NOT_CREATED")
        return _checked("create", found)


def raised(found: str | Failed) -> str:
    """Return an ID; raises IntegrationError for a Failed."""
    if isinstance(found, Failed):
        raise IntegrationError(found.message, found.code, found.status, scope=found.scope)
    return found


def _checked(name: str, found: Any) -> str | Failed:
    if isinstance(found, str) and found:
        return found
    got = "an empty text" if found == "" else type(found).__name__
    return Failed(500, "RESULT_TYPE", f"`{name}` of Audiences must return an ID, got {got}.")


def _text(personas: Mapping[str, Any], key: str) -> str | None:
    value = personas.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None
