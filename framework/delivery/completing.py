"""Completions of batches: the results of their rows, and of the rows merged into those."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from framework.delivery.fusion import DELETION
from framework.delivery.prepare import Intake
from framework.delivery.report import Completion, merged_into
from framework.delivery.row_groups import Batch
from framework.results import Delivered, Result


class Completer:
    """Makes the completions of the rows of *intake*, which forgets them; *traced* as in Sender."""

    def __init__(self, intake: Intake, *, traced: bool) -> None:
        self._intake = intake
        self._row_ids = intake.row_ids
        self._traced = traced

    def all(self, batch: Batch, row_ids: Sequence[int], result: Result) -> list[Completion]:
        """Return the completions of rows of a batch that share a result."""
        self._intake.forget(row_ids)
        return self._completions(batch, row_ids, result)

    def each(
        self, batch: Batch, results: Sequence[Result], kept: Collection[int]
    ) -> list[Completion]:
        """Return the completions of rows with results of their own, but for those *kept* open."""
        completions: list[Completion] = []
        for row_id, result in zip(batch.row_ids, results, strict=True):
            earlier = batch.merged.get(row_id, ())
            if row_id in kept:
                continue
            completions += self._completions(batch, [row_id], result)
            if earlier:
                told = self._result_of_merged(row_id, result)
                completions += self._completions(batch, earlier, told)
            self._intake.forget([row_id, *earlier])
        return completions

    def _completions(
        self, batch: Batch, row_ids: Sequence[int], result: Result
    ) -> list[Completion]:
        if not batch.deletion:
            return self._row_ids.completions(row_ids, result)
        positions = [row_id // self._row_ids.subscriptions for row_id in row_ids]
        return [Completion(DELETION, positions, result)]

    def _result_of_merged(self, row_id: int, result: Result) -> Result:
        """Return the result of rows that were merged into one with *result*."""
        if not isinstance(result, Delivered):
            return result
        where = "the event at position" if self._traced else "line"
        return merged_into(f"{where} {row_id // self._row_ids.subscriptions}")
