"""When to try again: how often, for how long, after which waits."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeVar

from framework.clock import Clock
from framework.errors import DefinitionError, RetryableError

if TYPE_CHECKING:
    import tenacity

T = TypeVar("T")
_logger = logging.getLogger("action_destinations")


@dataclass(frozen=True, slots=True)
class Retry:
    """How a call is repeated: at most *attempts* times, for at most *total* seconds in all.

    The waits between grow from *first* seconds, doubling and with jitter, up to *cap*. A pause
    that the partner asks for replaces the wait; it is kept in full, or, where it would end after
    *total*, not at all: then the error is raised at once and carries the pause.
    """

    attempts: int = 4
    total: float = 120.0
    first: float = 0.5
    cap: float = 30.0

    def __post_init__(self) -> None:
        problems = [
            f"`Retry.{name}` must be at least {least}, got {value}."
            for name, value, least in (
                ("attempts", self.attempts, 1),
                ("total", self.total, 0),
                ("first", self.first, 0),
                ("cap", self.cap, 0),
            )
            if value < least
        ]
        if problems:
            raise DefinitionError(" ".join(problems), problems)

    @classmethod
    def never(cls) -> Self:
        """Return a retry of one attempt."""
        return cls(attempts=1)

    def run(
        self, call: Callable[[], T], repeatable: Callable[[RetryableError], bool], clock: Clock
    ) -> T:
        """Return the result of *call*, calling again after errors that are *repeatable*.

        Raises the last error as *call* raised it.
        """
        if self.attempts == 1:
            return call()
        end = clock.monotonic() + self.total
        try:
            return call()
        except RetryableError as error:
            first = error
        return self._again(_replaying(first, call), repeatable, clock, end)

    def _again(
        self,
        call: Callable[[], T],
        repeatable: Callable[[RetryableError], bool],
        clock: Clock,
        end: float,
    ) -> T:
        """Call until it succeeds; *call* begins with the failure that there was."""
        import tenacity  # noqa: PLC0415 - needed only by those who retry

        backoff = tenacity.wait_exponential_jitter(
            multiplier=self.first, max=self.cap, jitter=self.first
        )

        def wait(state: tenacity.RetryCallState) -> float:
            pause = _failure(state).pause
            return backoff(state) if pause is None else pause

        def stop(state: tenacity.RetryCallState) -> bool:
            late = clock.monotonic() + state.upcoming_sleep > end
            return late or state.attempt_number >= self.attempts

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(
                lambda error: isinstance(error, RetryableError) and repeatable(error)
            ),
            wait=wait,
            stop=stop,
            sleep=clock.sleep,
            before_sleep=self._announce,
            reraise=True,
        )
        return retrying(call)

    def _announce(self, state: tenacity.RetryCallState) -> None:
        _logger.info(
            "%s Trying again in %.1f seconds, attempt %d of %d.",
            _failure(state),
            state.upcoming_sleep,
            state.attempt_number + 1,
            self.attempts,
        )


def _replaying(first: RetryableError, call: Callable[[], T]) -> Callable[[], T]:
    """Return *call* with a first attempt that fails like the *first* one."""
    failures = [first]

    def replay() -> T:
        if failures:
            raise failures.pop()
        return call()

    return replay


def _failure(state: tenacity.RetryCallState) -> RetryableError:
    """Return the error that ended the attempt; the predicate admits no other class."""
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, RetryableError)
    return error
