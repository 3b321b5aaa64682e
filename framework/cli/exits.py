"""Exit codes of all commands, for scripts and schedulers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from framework.errors import (
    RETRYABLE_STATUSES,
    ConfigurationError,
    DefinitionError,
    IntegrationError,
    OwnershipLostError,
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

_DRY_RUN_NETWORK: Final = "DRY_RUN_NETWORK"

EXIT_CODES = {
    DONE: "Success: every event was delivered or skipped.",
    FAILED: "In this run, or since the last run that ended with 0 or 1, some events failed "
    "permanently or are unconfirmed, or some lines were invalid.",
    USAGE: "The command, the connection file, the events file or the checkpoint is invalid; "
    "nothing was sent.",
    UNAVAILABLE: "The partner is unavailable or throttling, or has not finished a job (--no-wait). "
    "Run the command again to resume.",
    REFUSED: "The partner refuses the whole connection: credentials, consent, API version or "
    "address. Correct the settings and run the command again to resume.",
    STORAGE: "A local file cannot be read or written.",
    BUG: "A bug in the program or in a plugin; --debug shows where.",
    INTERRUPTED: "Interrupted. Run the command again to resume.",
}
"""The meaning of each exit code."""


def code_of(error: Exception) -> int:
    """Return the exit code of a command that fails with *error*."""
    if isinstance(error, ConfigurationError | DefinitionError):
        return USAGE
    if isinstance(error, StorageError | OwnershipLostError):
        return STORAGE
    if isinstance(error, IntegrationError):
        if error.code == _DRY_RUN_NETWORK:
            return BUG
        if error.status in RETRYABLE_STATUSES:
            return UNAVAILABLE
        refused = error.scope == "connection" or error.status in {401, 403}
        return REFUSED if refused else FAILED
    return BUG


def code_of_summary(summary: Summary) -> int:
    """Return the exit code of a run with *summary*; what was reported before does not matter."""
    stops = {"interrupted": INTERRUPTED, "unavailable": UNAVAILABLE, "refused": REFUSED}
    if summary.stopped in stops:
        return stops[summary.stopped]
    return FAILED if summary.new_failures or summary.unreported else DONE
