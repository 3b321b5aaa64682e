"""Calls of `identify`, `perform` and `perform_batch`, with one result per payload."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from typing import Any, Final

from msgspec.structs import replace as replace_fields

from framework.clock import Clock
from framework.definition import Action, AudienceCall
from framework.delivery.auth import OAuthCredentials
from framework.delivery.cache import Cache
from framework.delivery.client import Client
from framework.delivery.columns import Columns, build_all
from framework.delivery.compiled import CompiledSubscription
from framework.delivery.exchanges import Redactor
from framework.delivery.grouping import Rows, audience_of, audience_settings_of, memberships_of
from framework.delivery.hook_answers import HookAnswers
from framework.delivery.hook_failures import (
    DELETION_LIMIT,
    MAX_ABANDONED,
    NO_IDENTIFIER,
    NO_USER,
    halted,
    late,
    miscounted,
    misfit,
    several_members,
)
from framework.delivery.identifier_mask import masking
from framework.delivery.list_end import ListEnd
from framework.delivery.permission import DeletionRequest, deletion_request
from framework.delivery.plugin_calls import BatchInput, Implementation, Preview
from framework.delivery.plugin_metrics import PluginMetrics
from framework.delivery.plugin_store import PluginStore
from framework.delivery.report import BatchReport
from framework.delivery.result_checks import clean_json
from framework.delivery.workers import Handover, current_watch
from framework.errors import Stopped
from framework.paths import Event
from framework.results import DELIVERED, Delivered, Failed, Result, Skipped, Unconfirmed
from framework.state_store import MemoryState

MAX_PREVIEWS: Final = 100
"""Previews of dry runs that are kept."""

HOOKS_THAT_SEND: Final = ("perform", "perform_batch", "preview")
"""The hooks that send rows, or show what would be sent."""

_RESULTS: Final = (Delivered, Failed, Skipped, Unconfirmed)
_NOT_SENT: Final = Skipped(
    "DRY_RUN", "The destination sends by other means than HTTP, so a dry run does not call it."
)


@dataclass(frozen=True)
class HookRunner:
    """Calls the hooks of one connection.

    *credentials* are those that can renew themselves, if the destination has such.
    *strict* re-raises what a plugin raises unexpectedly, for test benches; otherwise it becomes
    a Failed with code `INTERNAL_ERROR` and is logged with its traceback.
    If *previews* is a list, `perform` is never called: the batches are skipped, and what the hook
    `preview` returns for them is added to the list. *guard* wraps the functions of actions, and
    *extend* returns the client that they get. *audience_settings* are those of audiences, by key,
    whose events bring none. *features* are the feature flags of the connection, and *store*
    has what its hooks keep.
    """

    plugin: Implementation
    client: Client
    settings: Any
    cache: Cache
    logger: logging.Logger
    redactor: Redactor
    credentials: OAuthCredentials | None = None
    strict: bool = False
    previews: list[Preview] | None = None
    audience_settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    features: Mapping[str, Any] = field(default_factory=dict)
    metrics: PluginMetrics = field(default_factory=PluginMetrics, repr=False)
    store: PluginStore = field(default_factory=lambda: PluginStore(MemoryState()), repr=False)
    extend: Callable[..., Client] | None = None
    guard: Callable[[Callable[..., Any]], Callable[..., Any]] = lambda function: function
    list_end: ListEnd = field(default_factory=ListEnd, repr=False)
    handover: Handover = field(default_factory=Handover, repr=False)
    abandoned: list[str] = field(default_factory=list, repr=False)

    @cached_property
    def announces(self) -> bool:
        """Whether the destination has the hook `batch_finished`."""
        return self.plugin.implements("batch_finished")

    @cached_property
    def answers(self) -> HookAnswers:
        """The reading of what hooks return and raise."""
        slug = self.plugin.definition.slug
        return HookAnswers(slug, self.client, self.redactor, self.logger, strict=self.strict)

    @cached_property
    def clock(self) -> Clock:
        """The clock that hooks get."""
        return self.client.clock

    @cached_property
    def confide(self) -> Callable[[str], None]:
        """The function by which hooks name a secret."""
        return self.redactor.confide

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

    def asks_for(self, argument: str) -> bool:
        """Return whether a hook that sends asks for an argument."""
        return argument in self._asked

    @cached_property
    def identifies(self) -> bool:
        """Return whether the destination identifies payloads."""
        return self.plugin.implements("identify")

    @cached_property
    def _asked(self) -> frozenset[str]:
        return frozenset().union(*(self._wanted[hook] for hook in HOOKS_THAT_SEND))

    @cached_property
    def _wanted(self) -> Mapping[str, frozenset[str]]:
        return {hook: self.plugin.wants(hook) for hook in _HOOKS}

    @cached_property
    def _ways(self) -> tuple[bool, bool]:
        """Whether the destination can perform a batch, and whether it can perform one payload."""
        return self.plugin.implements("perform_batch"), self.plugin.implements("perform")

    def describe(self, compiled: CompiledSubscription, rows: Rows, events: Sequence[Event]) -> Rows:
        """Return the rows with what their events say: memberships and audiences, if needed."""
        if compiled.batching.coalesce == "membership" and compiled.action.membership is None:
            rows = replace_fields(rows, memberships=memberships_of(compiled, events))
        if self._asked & {"audience_settings", "audience"}:
            rows = replace_fields(rows, audiences=[audience_of(event) for event in events])
        return rows

    def identify(
        self, compiled: CompiledSubscription, columns: Columns, events: Sequence[Event]
    ) -> Sequence[str | tuple[str, ...] | Failed]:
        """Return the identifier of each payload, or several, or the reason why it has none.

        *events* are needed only if `needs_events` says so.
        """
        wanted = self._wanted["identify"]
        arguments = {"action": compiled.action, "settings": self.settings, "columns": columns}
        if "payloads" in wanted:
            arguments["payloads"] = columns.payloads
        if "memberships" in wanted:
            arguments["memberships"] = memberships_of(compiled, events, columns.size)
        arguments |= {"events": events, "sync_mode": compiled.sync_mode}
        found = self._call("identify", arguments)
        if isinstance(found, Failed):
            return [found] * columns.size
        if not isinstance(found, list | tuple) or len(found) != columns.size:
            return [miscounted("identify", columns.size, found)] * columns.size
        if {str}.issuperset(map(type, found)) and all(found):
            return found
        by_membership = compiled.batching.coalesce == "membership"
        return [self._identified(one, by_membership=by_membership) for one in found]

    def _identified(self, found: Any, *, by_membership: bool) -> Any:
        """Return an identifier of the hook as a tuple, several of them, or a Failed.

        A membership is that of one identifier, so that several are refused there.
        """
        several = found if isinstance(found, tuple) and found else (found,)
        if not {str}.issuperset(map(type, several)):
            return self.answers.fit("identify", found, (Failed,))
        if by_membership and len(several) > 1:
            return several_members(len(several))
        return several if all(several) else NO_IDENTIFIER

    def weigh(self, compiled: CompiledSubscription, columns: Columns) -> list[int | Failed]:
        """Return the bytes that each payload adds to a request, or the reason why it has none."""
        weigh = compiled.batching.weigh
        assert weigh is not None
        found = [self._call_own("weigh", weigh, payload) for payload in columns.payloads]
        return [
            one if isinstance(one, Failed) or (type(one) is int and one >= 0)
            else misfit("weigh", "a number of bytes", one)
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
            first = self._call_own("merge", merge, action, first, newer)
            if isinstance(first, Failed):
                return first
            if not isinstance(first, kind):
                return misfit("merge", f"a {kind.__name__}", first)
        return first

    def delete_users(
        self, events: Sequence[Event], forget_members: Callable[[], None] = lambda: None
    ) -> list[Result]:
        """Ask the partner to delete the users that *events* name; return a result for each.

        *forget_members* clears the ledger of all audiences; it is called before the hook is, unless
        the hook asks for it.
        """
        if not self.plugin.implements("delete_users"):
            return [self._unsupported] * len(events)
        if unsent := self._unsent:
            return [unsent] * len(events)
        requests = [deletion_request(event) for event in events]
        named = [one for one in requests if not one.names_nobody]
        with masking([text for one in named for text in (one.user_id, one.anonymous_id)]):
            found = iter(
                self._renewing(lambda: self._delete(named, forget_members)) if named else ()
            )
        return [NO_USER if one.names_nobody else next(found) for one in requests]

    def _delete(
        self, requests: Sequence[DeletionRequest], forget_members: Callable[[], None]
    ) -> list[Result]:
        own = {name: getattr(self, name) for name in _OF_CONNECTION}
        if "forget_members" not in self.plugin.wants("delete_users"):
            forget_members()
        given = {"requests": requests, "forget_members": forget_members}
        answer = self._watched("delete_users", None, {**own, **given})
        return self.answers.results_of("delete_users", answer, len(requests))

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
        if self.previews is not None:
            self._preview(compiled, batch_input, self.previews)
        if unsent := self._unsent:
            return [unsent] * batch_input.size
        with masking([*batch_input.identifiers, *batch_input.further]):
            return self._renewing(lambda: self._perform(compiled, batch_input))

    def call_renewing(
        self,
        name: str,
        function: Callable[[Any], Any],
        call: Any,
        *,
        limit: float | None = None,
        action: Action | None = None,
    ) -> Any:
        """Return what a function of the destination returns, or the Failed for its exception.

        *call* is its argument, with a client; *action* is the one that declares the function. If
        the partner refuses the token, it is renewed and the function is called once more. The
        function may take *limit* seconds, if its thread is watched.
        """
        watch = current_watch() if limit else None
        if watch and limit:
            watch.begin(limit)
            try:
                return self.call_renewing(name, function, call, action=action)
            finally:
                watch.end()
        before = self.credentials.renewals if self.credentials else 0
        function = self._extended(function, action)
        found = self._call_own(name, function, call)
        refused = isinstance(found, Failed) and found.status == 401
        if refused and self.credentials and self.credentials.forget(before):
            return self._call_own(name, function, call)
        return found

    def _extended(
        self, function: Callable[[Any], Any], action: Action | None
    ) -> Callable[[Any], Any]:
        """Return a function that passes its argument on, with the client of `extend_request`."""
        extend = self.extend
        if extend is None:
            return function

        def extended(call: Any) -> Any:
            own = {name: getattr(self, name) for name in _OF_CONNECTION}
            audience = call if isinstance(call, AudienceCall) else None
            client = extend(**{**own, "action": action, "audience": audience})
            return function(replace(call, client=client))

        return extended

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

    @property
    def _unsent(self) -> Result | None:
        """The result of everything, if nothing is sent: in some dry runs, or with stuck calls."""
        if self.previews is not None:
            return _NOT_SENT
        stuck = len(self.abandoned) >= MAX_ABANDONED
        return halted(self.plugin.definition.slug) if stuck else None

    def give_up(self, action: Action | None, progress: Sequence[Result], size: int) -> list[Result]:
        """Return *size* results for a call that exceeded its time limit, after those so far.

        *action* is None for deletions.
        """
        self.abandoned.append(action.slug if action else "")
        failed = late(action, "It was given up; the partner may have accepted the event.")
        return [*progress, *[failed] * (size - len(progress))]

    def _perform(self, compiled: CompiledSubscription, batch_input: BatchInput) -> list[Result]:
        together, alone = self._ways
        if not together or (alone and batch_input.size == 1):
            return self._perform_each(compiled, batch_input)
        arguments = self._of_batch("perform_batch", compiled, batch_input)
        answer = self._watched("perform_batch", compiled.action, arguments)
        return self.answers.results_of("perform_batch", answer, batch_input.size)

    def _of_batch(
        self, hook: str, compiled: CompiledSubscription, batch_input: BatchInput
    ) -> dict[str, Any]:
        """Return the arguments of a hook that takes a batch."""
        arguments = dict(self._fixed(hook, compiled))
        wanted, events = self._wanted[hook], batch_input.events
        for name in _OF_BATCH & wanted:
            arguments[name] = getattr(batch_input, name)
        if "memberships" in wanted:
            arguments["memberships"] = memberships_of(compiled, events, batch_input.size)
        if "full_list" in wanted:
            arguments["full_list"] = self.list_end.ends_with(batch_input.size)
        if "audience_settings" in wanted:
            arguments["audience_settings"] = audience_settings_of(events[0], self.audience_settings)
        return arguments

    def _preview(
        self, compiled: CompiledSubscription, batch_input: BatchInput, previews: list[Preview]
    ) -> None:
        """Keep what a destination that is not called would send, if it says so."""
        if not self.plugin.implements("preview") or len(previews) >= MAX_PREVIEWS:
            return
        shown = self._call("preview", self._of_batch("preview", compiled, batch_input))
        shown = shown.to_json() if isinstance(shown, Failed) else shown
        previews.append(
            Preview(compiled.action.slug, batch_input.size, clean_json(shown, self.redactor.hide))
        )

    def _perform_each(
        self, compiled: CompiledSubscription, batch_input: BatchInput
    ) -> list[Result]:
        results: list[Result] = []
        wanted, watch = self._wanted["perform"], current_watch()
        if watch:
            watch.progress = results
        for place in range(batch_input.size):
            arguments = dict(self._fixed("perform", compiled))
            for name in _OF_ROW.keys() & wanted:
                arguments[name] = getattr(batch_input, _OF_ROW[name])[place]
            arguments |= {name: getattr(batch_input, name) for name in _OF_CALL & wanted}
            if "full_list" in wanted:
                last = place + 1 == batch_input.size
                arguments["full_list"] = last and self.list_end.ends_with(place + 1, results)
            if "idempotency_key" in wanted:
                arguments["idempotency_key"] = batch_input.keys(place)
            if "membership" in wanted:
                events = batch_input.events[place : place + 1]
                (arguments["membership"],) = memberships_of(compiled, events, 1)
            if "audience_settings" in wanted:
                arguments["audience_settings"] = audience_settings_of(
                    batch_input.events[place], self.audience_settings
                )
            results += self.answers.results_of(
                "perform", self._watched("perform", compiled.action, arguments), 1
            )
        return results

    def _watched(self, hook: str, action: Action | None, arguments: dict[str, Any]) -> Any:
        """Call a hook that sends, within the time limit of the action."""
        watch = current_watch()
        if "stop" in self._wanted.get(hook, ()):
            arguments["stop"] = watch.stop if watch else threading.Event()
        if watch is None:
            return self._call(hook, arguments)
        watch.begin(action.time_limit if action else DELETION_LIMIT)
        try:
            answer = self._call(hook, arguments)
        finally:
            watch.end()
        stopped = isinstance(answer, Failed) and answer.code == Stopped.code
        return late(action, "It was stopped.") if stopped and watch.stop.is_set() else answer

    @cached_property
    def _fixed(self) -> Callable[[str, CompiledSubscription], Mapping[str, Any]]:
        """The arguments of a hook that are the same for all payloads of a subscription."""

        def fixed(hook: str, compiled: CompiledSubscription) -> Mapping[str, Any]:
            wanted = self._wanted[hook]
            own = {name: getattr(self, name) for name in _OF_CONNECTION & wanted}
            if compiled.action.idempotent and "client" in own:
                own["client"] = self.client.idempotent()
            if "subscription" in wanted:
                own["subscription"] = compiled.read_only
            return own | {name: getattr(compiled, name) for name in _OF_SUBSCRIPTION & wanted}

        return cache(fixed)

    def announce(self, report: BatchReport) -> None:
        """Call the hook `batch_finished`; what it raises is logged and changes nothing."""
        try:
            self.plugin.call("batch_finished", report=report)
        except Exception:
            if self.strict:
                raise
            trace = self.redactor.text(traceback.format_exc())
            self.logger.error("Hook `batch_finished` failed unexpectedly.\n%s", trace)  # noqa: TRY400 - the traceback is redacted first

    def _call(self, hook: str, arguments: Mapping[str, Any]) -> Any:
        """Return what a hook returns, or the Failed for its exception."""
        return self.answers.guarded(hook, partial(self.plugin.call, hook, **arguments))

    def _call_own(self, name: str, function: Callable[..., Any], *given: Any) -> Any:
        """Return what a function of an action returns, or the Failed for its exception."""
        guarded = self.guard(function)
        return self.answers.guarded(name, lambda: guarded(*given))


def distinct(results: Sequence[Result]) -> Sequence[Result]:
    """Return one result if all are equal, else all of them."""
    if results and results.count(results[0]) == len(results):
        return results[:1]
    return results


_HOOKS: Final = ("identify", *HOOKS_THAT_SEND)
_OF_CONNECTION: Final = frozenset(
    {"client", "settings", "cache", "logger", "clock", "confide", "features", "store", "metrics"}
)
_OF_SUBSCRIPTION: Final = frozenset({"action", "sync_mode", "matching_key", "hook_outputs"})
_OF_BATCH: Final = frozenset(
    {"key", "payloads", "identifiers", "events", "forget_members", "idempotency_key", "audience"}
)
_OF_CALL: Final = frozenset({"forget_members", "audience", "key"})
_OF_ROW: Final = {"payload": "payloads", "identifier": "identifiers", "event": "events"}
_OF_EVENTS: Final = frozenset(
    {"event", "events", "membership", "memberships", "audience_settings", "audience"}
)
