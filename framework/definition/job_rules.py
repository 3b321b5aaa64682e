"""Jobs: work that a partner accepts now and finishes later, and how to ask for its state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

if TYPE_CHECKING:
    import httpx

SettingsT = TypeVar("SettingsT")


@dataclass(frozen=True)
class Pending:
    """The partner has not finished a job; it is asked again *after* seconds, if that is given."""

    after: float | None = None


@dataclass(frozen=True, kw_only=True)
class PollCall(Generic[SettingsT]):
    """A question for the state of the job *ticket* of *size* payloads.

    *attempt* counts the questions in this process, from 1. Requests over *client* have the
    destination's credentials.
    """

    client: httpx.Client
    settings: SettingsT
    ticket: str
    size: int
    attempt: int = 1


@dataclass(frozen=True, kw_only=True)
class FindJobCall(Generic[SettingsT]):
    """A question for the ticket of a batch that was submitted with *idempotency_key*, if it was."""

    client: httpx.Client
    settings: SettingsT
    idempotency_key: str
    size: int


Poll: TypeAlias = Callable[[PollCall[Any]], Any]
"""Returns Pending, or what `perform_batch` returns: nothing, one result, or one per payload."""

FindJob: TypeAlias = Callable[[FindJobCall[Any]], str | None]
"""Returns the ticket of a job, or None if the partner has none for the key."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """How the jobs of an action are followed.

    The partner is first asked *first* seconds after it accepted a job, then after waits that double
    up to *most* seconds. A job that is not finished *give_up* seconds after it was accepted fails
    with code `JOB_TIMEOUT`. *find_job* finds out after a crash whether a batch was submitted;
    without it, the batch is submitted again with the same idempotency key.
    """

    first: float = 5.0
    most: float = 300.0
    give_up: float = 86_400.0
    find_job: FindJob | None = None

    def wait(self, attempts: int) -> float:
        """Return the seconds to wait after *attempts* questions."""
        return min(self.most, self.first * 2.0 ** min(attempts, 30))


def job_problems(poll: Any, job: Any) -> Iterator[str]:
    """Yield the problems of the functions for jobs of an action."""
    if poll is not None and not callable(poll):
        yield f"`poll` must be a function, got {type(poll).__name__}."
    if job is None:
        return
    if poll is None:
        yield "`job` has no effect without `poll`."
    if not isinstance(job, Job):
        yield f"`job` must be a Job, got {type(job).__name__}."
        return
    for name in ("first", "most", "give_up"):
        value = getattr(job, name)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (number and 0 < value < inf):
            yield f"`{name}` of Job must be a positive number of seconds, got {value!r}."
    if job.find_job is not None and not callable(job.find_job):
        yield f"`find_job` of Job must be a function, got {type(job.find_job).__name__}."
