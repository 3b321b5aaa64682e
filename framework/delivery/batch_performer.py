"""Performing one batch: its payloads are built and merged, and the destination is called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from framework.delivery.columns import build_all
from framework.delivery.compiled import CompiledSubscription
from framework.delivery.fusion import DELETION
from framework.delivery.performing import HookRunner
from framework.delivery.plugin_calls import BatchInput
from framework.delivery.prepare import Intake
from framework.delivery.report import Sent
from framework.delivery.row_groups import Batch
from framework.results import Failed, Result


class BatchPerformer:
    """Performs batches of the rows of an intake; *traced* keeps what was sent in `sent`."""

    def __init__(
        self,
        hook_runner: HookRunner,
        subscriptions: Sequence[CompiledSubscription],
        intake: Intake,
        *,
        traced: bool,
    ) -> None:
        self._hook_runner = hook_runner
        self._subscriptions = subscriptions
        self._intake = intake
        self._traced = traced
        self.sent: list[Sent] = []

    def perform(self, batch: Batch) -> Sequence[Result]:
        """Send a batch; return a result for each of its rows."""
        if not self._traced:
            return self._call(batch)
        for row_id in batch.all_row_ids():
            position, index = divmod(row_id, self._intake.row_ids.subscriptions)
            self._intake.items[position, DELETION if batch.deletion else index].batch = len(
                self.sent
            )
        key = {} if batch.deletion else _key_of(self.subscription_of(batch), batch)
        with self._hook_runner.client.recorder.recording() as exchanges:
            sent = Sent(batch.action, key, len(batch.row_ids), batch.reason, exchanges)
            self.sent.append(sent)
            results = self._call(batch)
        if previews := self._hook_runner.previews:
            self.sent[self.sent.index(sent)] = replace(sent, preview=previews[-1].shown)
        return results

    def give_up(self, batch: Batch, progress: Sequence[Result]) -> Sequence[Result]:
        """Complete the results that a batch has so far, as a call exceeded its time limit."""
        size = len(batch.row_ids)
        action = None if batch.deletion else self.subscription_of(batch).action
        return self._hook_runner.give_up(action, progress, size)

    def subscription_of(self, batch: Batch) -> CompiledSubscription:
        """Return the subscription of a batch's rows, which are no deletions."""
        return self._subscriptions[batch.row_ids[0] % self._intake.row_ids.subscriptions]

    def _call(self, batch: Batch) -> Sequence[Result]:
        """Send a batch; return a result for each of its rows."""
        runner, row_ids = self._hook_runner, batch.row_ids
        objects, events = self._intake.objects, self._intake.events
        if batch.deletion:
            return runner.delete_users([events[one] for one in row_ids])
        compiled = self.subscription_of(batch)
        payloads: Sequence[Any] = ()
        if runner.needs_payloads:
            payloads = build_all(compiled.action, [objects[one] for one in row_ids])
        if batch.merged:
            payloads = [
                self._merge(compiled, batch.merged.get(row_id, ()), payload)
                for row_id, payload in zip(row_ids, payloads, strict=True)
            ]
        batch_input = BatchInput(
            len(row_ids),
            _key_of(compiled, batch),
            batch.identifiers or [None] * len(row_ids),
            payloads,
            [events[one] for one in row_ids] if runner.needs_events else (),
        )
        if not batch.merged:
            return runner.perform(compiled, batch_input)
        unmerged = {at: one for at, one in enumerate(payloads) if isinstance(one, Failed)}
        if not unmerged:
            return runner.perform(compiled, batch_input)
        left = [at for at in range(len(row_ids)) if at not in unmerged]
        results = iter(runner.perform(compiled, batch_input.at(left)) if left else ())
        return [unmerged.get(at) or next(results) for at in range(len(row_ids))]

    def _merge(self, compiled: CompiledSubscription, earlier: Sequence[int], payload: Any) -> Any:
        if not earlier:
            return payload
        older = [self._intake.objects[row_id] for row_id in earlier]
        return self._hook_runner.merge(compiled, older, payload)


def _key_of(compiled: CompiledSubscription, batch: Batch) -> dict[str, Any]:
    """Return the values of the batch keys by name."""
    return dict(zip(compiled.batching.keys, batch.key, strict=False))  # an audience may follow
