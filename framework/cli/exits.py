"""Exit codes: what the outcome of a command means for whoever started it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from framework.errors import (
    RETRYABLE_STATUSES,
    ConfigurationError,
    DefinitionError,
    IntegrationError,
    StorageError,
)

if TYPE_CHECKING:
    from framework.relay import Summary

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
UNAVAILABLE: Final = 3
REFUSED: Final = 4
STORAGE: Final = 5
BUG: Final = 70
INTERRUPTED: Final = 130

EXIT_CODES = {
    DONE: "Done: every event was delivered or rightly skipped.",
    FAILED: "Done, but some events failed for good, or some lines are no events.",
    USAGE: "The command, the connection file or a checkpoint has to be changed; nothing was sent.",
    UNAVAILABLE: "Stopped: the partner cannot take more now. Run again to go on.",
    REFUSED: "Stopped: the partner refuses access. Check the credentials and run again.",
    STORAGE: "Stopped: a local file cannot be read or written.",
    BUG: "A bug of the program or of a plugin; --debug shows where.",
    INTERRUPTED: "Interrupted. Run again to go on.",
}
"""What each exit code means."""


def code_of(error: Exception) -> int:
    """Return the exit code of a command that ends with *error*."""
    if isinstance(error, ConfigurationError | DefinitionError):
        return USAGE
    if isinstance(error, StorageError):
        return STORAGE
    if isinstance(error, IntegrationError):
        return _code_of_status(error.status)
    return BUG


def _code_of_status(status: int) -> int:
    if status in {401, 403}:
        return REFUSED
    return UNAVAILABLE if status in RETRYABLE_STATUSES else FAILED


def code_of_summary(summary: Summary) -> int:
    """Return the exit code of a run."""
    stops = {"interrupted": INTERRUPTED, "unavailable": UNAVAILABLE, "refused": REFUSED}
    if summary.stopped in stops:
        return stops[summary.stopped]
    return FAILED if summary.outcomes["failed"] or summary.rejected else DONE
