"""Performing one batch: its payloads are built and merged, and the destination is called."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, Protocol

from msgspec.structs import replace

from framework.definition import Batching
from framework.delivery.columns import build_all
from framework.delivery.compiled import CompiledSubscription
from framework.delivery.external_audiences import ExternalAudiences
from framework.delivery.fusion import DELETION
from framework.delivery.grouping import memberships_of
from framework.delivery.holding import PartlySent, partly_sent
from framework.delivery.hook_failures import checked_accepted, store_failed
from framework.delivery.job_calls import JobCalls
from framework.delivery.jobs import Jobs
from framework.delivery.ledger import Audience, Ledger, LedgerCall
from framework.delivery.performing import HookRunner
from framework.delivery.permission import deletion_request
from framework.delivery.plugin_calls import BatchInput
from framework.delivery.prepare import Intake
from framework.delivery.report import DELETIONS, BatchReport, Sent
from framework.delivery.row_groups import Batch
from framework.errors import IntegrationError, OwnershipLostError, StorageError
from framework.paths import Event
from framework.results import DELIVERED, Accepted, Delivered, Failed, Result


class Delivering(Protocol):
    """The parts of a connection that a sender uses."""

    @property
    def hook_runner(self) -> HookRunner:
        """Calls the destination."""

    @property
    def audiences(self) -> ExternalAudiences | None:
        """The audiences of the partner, if the destination declares such."""

    @property
    def subscriptions(self) -> tuple[CompiledSubscription, ...]:
        """The enabled subscriptions."""

    @property
    def keeps_jobs(self) -> bool:
        """Whether calls have keys, or jobs that the partner finishes later."""

    def intake(self, *, traced: bool = False, named: bool = True) -> Intake:
        """Open an intake."""


class BatchPerformer:
    """Performs batches of the rows of an intake; *traced* keeps what was sent in `sent`.

    With a *ledger*, rows that change nobody's membership are not sent; *jobs* are asked for.
    """

    def __init__(
        self,
        connection: Delivering,
        intake: Intake,
        *,
        traced: bool,
        ledger: Ledger | None = None,
        jobs: Jobs | None = None,
    ) -> None:
        self._ledger = ledger
        self._calls: dict[int, tuple[LedgerCall, Sequence[int], dict[int, Result]]] = {}
        self._hook_runner = connection.hook_runner
        self._subscriptions = connection.subscriptions
        self._intake = intake
        self._traced = traced
        asked = connection.hook_runner.asks_for("audience")
        self._audiences = connection.audiences if asked else None
        self._jobs = jobs
        self._job_calls = JobCalls(connection.hook_runner, jobs) if jobs else None
        self._tracing = threading.Lock()
        self.sent: list[Sent] = []

    def perform(self, batch: Batch) -> Sequence[Result]:
        """Send a batch; return a result for each of its rows."""
        if not self._traced:
            return self._call(batch)
        key = {} if batch.deletion else _key_of(self.subscription_of(batch), batch)
        with self._hook_runner.client.recorder.recording() as exchanges:
            sent = Sent(batch.action, key, len(batch.row_ids), batch.reason, exchanges)
            place = self._traced_as(batch, sent)
            results = self._call(batch)
        if previews := self._hook_runner.previews:
            self.sent[place] = replace(sent, preview=previews[-1].shown)
        return results

    def _traced_as(self, batch: Batch, sent: Sent) -> int:
        """Keep what is sent of a batch; return its place, which the items of the rows name."""
        with self._tracing:
            place = len(self.sent)
            self.sent.append(sent)
        for row_id in batch.all_row_ids():
            position, index = divmod(row_id, self._intake.row_ids.subscriptions)
            self._intake.items[position, DELETION if batch.deletion else index].batch = place
        return place

    def give_up(self, batch: Batch, progress: Sequence[Result]) -> Sequence[Result]:
        """Complete the results that a batch has so far, as a call exceeded its time limit."""
        action = None if batch.deletion else self.subscription_of(batch).action
        if found := self._calls.pop(id(batch), None):
            assert self._ledger
            call, places, earlier = found
            results = self._hook_runner.give_up(action, progress, len(places))
            self._ledger.settle(call, places, results)
            return partly_sent(len(batch.row_ids), earlier, places, results)
        return self._hook_runner.give_up(action, progress, len(batch.row_ids))

    def announced(self, batch: Batch, results: Sequence[Result] | None) -> Sequence[Result] | None:
        """Return *results* after the hook `batch_finished` was called, if they are those of a call.

        What the hook raises is logged and changes nothing.
        """
        if not self._hook_runner.announces:
            return results
        if called := results.sent if isinstance(results, PartlySent) else results:
            name = DELETIONS if batch.deletion else self.subscription_of(batch).name
            action = "" if batch.deletion else batch.action
            slug = self._hook_runner.plugin.definition.slug
            self._hook_runner.announce(BatchReport(slug, name, action, tuple(called)))
        return results

    def subscription_of(self, batch: Batch) -> CompiledSubscription:
        """Return the subscription of a batch's rows, which are no deletions."""
        return self._subscriptions[batch.row_ids[0] % self._intake.row_ids.subscriptions]

    def _call(self, batch: Batch) -> Sequence[Result]:
        """Send a batch; return a result for each of its rows."""
        if batch.deletion:
            return self._delete(batch)
        compiled = self.subscription_of(batch)
        if batch.job and self._job_calls:
            return self._job_calls.poll(compiled.action, batch)
        audience = audience_of(compiled, batch) if self._ledger else None
        if audience is None:
            return self._send(compiled, batch)
        return self._send_changes(compiled, batch, audience)

    def _delete(self, batch: Batch) -> Sequence[Result]:
        """Ask the partner to delete users, and forget what is known of them."""
        runner, ledger = self._hook_runner, self._ledger
        events = [self._intake.events[one] for one in batch.row_ids]
        if ledger is None:
            return runner.delete_users(events)
        try:
            results = runner.delete_users(events, _while_owned(ledger.forget_all_members))
            pairs = zip(events, results, strict=True)
            deleted = [one for one, result in pairs if isinstance(result, Delivered)]
            ledger.erase(identities_of(deleted, self._subscriptions))
        except (StorageError, OwnershipLostError, IntegrationError) as error:
            return [store_failed(error)] * len(events)
        return results

    def _send_changes(
        self, compiled: CompiledSubscription, batch: Batch, audience: Audience
    ) -> Sequence[Result]:
        """Send the rows of a batch that change somebody's membership, or may do so."""
        ledger, size = self._ledger, len(batch.row_ids)
        assert ledger
        assert batch.identifiers
        events = self._intake.events
        rows = [events[one] for one in batch.row_ids] if compiled.action.membership is None else ()
        wanted = memberships_of(compiled, rows, size)
        aliases = compiled.batching.aliases
        identities = aliases.canonical(batch.identifiers) if aliases else batch.identifiers
        try:
            call = ledger.begin(audience, identities, wanted, batch.identifiers)
        except (StorageError, OwnershipLostError) as error:
            return [store_failed(error)] * size
        results = self._send_places(compiled, batch, call, call.places, {})
        forgotten = call.forgotten()
        if not forgotten:
            return partly_sent(size, {}, call.places, results)
        earlier = dict(zip(call.places, results, strict=True))
        results = self._send_places(compiled, batch, call, forgotten, earlier)
        return partly_sent(size, earlier, forgotten, results)

    def _send_places(
        self,
        compiled: CompiledSubscription,
        batch: Batch,
        call: LedgerCall,
        places: Sequence[int],
        earlier: dict[int, Result],
    ) -> Sequence[Result]:
        """Send some rows of a batch, and keep the results in the ledger.

        *earlier* are the results of other rows of the batch, if it is given up.
        """
        if not places:
            return []
        ledger = self._ledger
        assert ledger
        every = len(places) == len(batch.row_ids)
        part = batch if every else batch.only([batch.row_ids[place] for place in places])
        self._calls[id(batch)] = call, places, earlier
        try:
            results = self._send(compiled, part, _while_owned(lambda: ledger.forget_members(call)))
        finally:
            self._calls.pop(id(batch), None)
        ledger.settle(call, places, results)
        return results

    def _send(
        self,
        compiled: CompiledSubscription,
        batch: Batch,
        forget_members: Callable[[], None] = lambda: None,
    ) -> Sequence[Result]:
        """Send all rows of a batch; return a result for each of them."""
        runner, row_ids = self._hook_runner, batch.row_ids
        objects = self._intake.objects
        payloads: Sequence[Any] = ()
        if runner.needs_payloads:
            payloads = build_all(compiled.action, [objects[one] for one in row_ids])
        if batch.merged:
            payloads = [
                self._merge(compiled, batch.merged.get(row_id, ()), payload)
                for row_id, payload in zip(row_ids, payloads, strict=True)
            ]
        unmerged = {at: one for at, one in enumerate(payloads) if isinstance(one, Failed)}
        if unmerged:
            left = [row_id for at, row_id in enumerate(row_ids) if at not in unmerged]
            kept = [one for at, one in enumerate(payloads) if at not in unmerged]
            part = batch.only(left)
            sent = self._submit(compiled, part, kept, forget_members) if left else ()
            results = iter(sent)
            return [unmerged.get(at) or next(results) for at in range(len(row_ids))]
        return self._submit(compiled, batch, payloads, forget_members)

    def _submit(
        self,
        compiled: CompiledSubscription,
        batch: Batch,
        payloads: Sequence[Any],
        forget_members: Callable[[], None],
    ) -> Sequence[Result]:
        """Send *payloads*; a batch whose job may exist is found instead."""
        runner, row_ids, events = self._hook_runner, batch.row_ids, self._intake.events

        audience = self._audiences.of(events[row_ids[0]]) if self._audiences else None
        if isinstance(audience, Failed):
            return [audience] * len(row_ids)

        def perform(key: str | None = None) -> Sequence[Result]:
            batch_input = BatchInput(
                len(row_ids),
                _key_of(compiled, batch),
                batch.identifiers or [None] * len(row_ids),
                payloads,
                [events[one] for one in row_ids] if runner.needs_events else (),
                forget_members,
                lambda place: key or self._idempotency_key(batch, place),
                audience,
                [*chain.from_iterable(batch.further.values())],
            )
            results = runner.perform(compiled, batch_input)
            some = results.count(DELIVERED) < len(results)  # quick, and false nearly always
            if some and Accepted in {*map(type, results)}:
                return checked_accepted(compiled.action, results)
            return results

        if self._job_calls and compiled.action.poll:
            return self._job_calls.submit(compiled, batch, perform)
        return perform()

    def _idempotency_key(self, batch: Batch, place: int | None) -> str:
        """Return the key of a batch, or of the row at a place and those merged into it."""
        part = batch if place is None else batch.only([batch.row_ids[place]])
        return self._jobs.key_of(part.all_row_ids(), batch.action) if self._jobs else ""

    def _merge(self, compiled: CompiledSubscription, earlier: Sequence[int], payload: Any) -> Any:
        if not earlier:
            return payload
        older = [self._intake.objects[row_id] for row_id in earlier]
        return self._hook_runner.merge(compiled, older, payload)


def _while_owned(forget: Callable[[], None]) -> Callable[[], None]:
    """Return the function for hooks, which fails like a call once the connection is lost."""

    def called() -> None:
        try:
            forget()
        except OwnershipLostError as error:
            raise IntegrationError(str(error), "OWNERSHIP_LOST", 503, scope="connection") from None

    return called


def audience_of(compiled: CompiledSubscription, batch: Batch) -> Audience | None:
    """Return the audience that the rows of a batch change, if the ledger knows such.

    It does if the destination identifies rows, and says what they change and in which order.
    """
    rules = compiled.batching
    if not (has_audience(rules) and batch.identifiers and isinstance(batch.order, tuple)):
        return None
    lane, target = batch.order
    return Audience(_text(lane), _text(target.scope), target.naming, _text(target.name))


def has_audience(rules: Batching) -> bool:
    """Return whether a ledger is kept of the rows that follow *rules*."""
    return bool(rules.coalesce == "membership" and rules.lane and rules.target)


def identities_of(
    events: Sequence[Event], subscriptions: Sequence[CompiledSubscription]
) -> list[str]:
    """Return the canonical identities that requests to delete users may mean."""
    requests = [deletion_request(one) for one in events]
    texts = [text for one in requests for text in (one.user_id, one.anonymous_id) if text]
    aliases = {one.batching.aliases for one in subscriptions} - {None}
    found = dict.fromkeys(texts)
    for one in aliases:
        found.update(dict.fromkeys(one.canonical(texts) if one else ()))
    return list(found)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=repr)


def _key_of(compiled: CompiledSubscription, batch: Batch) -> dict[str, Any]:
    """Return the values of the batch keys by name."""
    return dict(zip(compiled.batching.keys, batch.key, strict=False))  # an audience may follow
