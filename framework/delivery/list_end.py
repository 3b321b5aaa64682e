"""Where the whole list of an audience ends: the argument `full_list`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from framework.delivery.report import SUPERSEDED, Completion
from framework.results import Delivered, Result


class ListEnd:
    """Knows how much of a list has no result yet; without a list, no call is the last one."""

    def __init__(self) -> None:
        self.begin(0)

    def begin(self, size: int) -> None:
        """Begin a list of *size* rows; with 0, no list is sent."""
        self._left = size
        self._complete = True

    def counted(self, batches: Iterable[Sequence[Completion]]) -> Iterator[list[Completion]]:
        """Pass on completions, before the next call is made."""
        for completions in batches:
            for one in completions:
                self._left -= len(one.positions)
                if not (isinstance(one.result, Delivered) or one.result is SUPERSEDED):
                    self._complete = False
            yield [*completions]

    def ends_with(self, size: int, earlier: Sequence[Result] = ()) -> bool:
        """Return whether *size* rows complete a list of which everything has arrived.

        *earlier* are the results of rows of theirs that were sent before by other calls.
        """
        arrived = self._complete and all(isinstance(one, Delivered) for one in earlier)
        return arrived and size == self._left > 0
