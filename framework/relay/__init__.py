"""Delivering events from files, with checkpoints from which interrupted runs resume.

The relay of live streams and its stores of events are imported at first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework.lazy import lazy_exports
from framework.relay.checkpoint import (
    Checkpoint,
    ConnectionIdentity,
    checkpoint_path,
    default_path,
    discard,
    locked,
    mark_reported,
    others,
    recorded,
    refuse_previous,
)
from framework.relay.dead_letters import DeadLetterFile, DeadLetterWriter
from framework.relay.file_run import run_file
from framework.relay.outcomes import OutcomeFile
from framework.relay.rotations import (
    adopt_checkpoint,
    copy_checkpoint,
    predecessors,
    start_checkpoint,
)
from framework.relay.selected_lines import read_moment
from framework.relay.summary import Kind, Progress, Rejection, Summary, Tally

if TYPE_CHECKING:
    from framework.relay.delivery_ledger import ClaimedLedger, claimed_ledger
    from framework.relay.event_store import (
        Appended,
        CursorStatus,
        DeadLetter,
        DeadLetterFilter,
        DeadLetters,
        Erased,
        EventStore,
        Owner,
        joined,
        letter_to_json,
        process_name,
    )
    from framework.relay.job_sources import file_jobs, kept_jobs
    from framework.relay.ledger_store import AudienceStatus, Claim, Doubt, LedgerStore
    from framework.relay.postgres import PostgresStore
    from framework.relay.relay_process import (
        ConnectionStatus,
        Relay,
        WorkerStatus,
        connection_statuses,
    )
    from framework.relay.sqlite import SQLiteStore
    from framework.relay.state_file import (
        StateFile,
        keep_outputs,
        outputs_key,
        rotated_tokens,
        state_path,
        with_kept_outputs,
    )
    from framework.relay.worker import RelayRoute, current_connection

_EXPORTS = {
    "relay_process": "ConnectionStatus Relay WorkerStatus connection_statuses",
    "worker": "RelayRoute current_connection",
    "delivery_ledger": "ClaimedLedger claimed_ledger",
    "event_store": (
        "Appended CursorStatus DeadLetter DeadLetterFilter DeadLetters Erased EventStore Owner "
        "joined letter_to_json process_name"
    ),
    "ledger_store": "AudienceStatus Claim Doubt LedgerStore",
    "postgres": "PostgresStore",
    "sqlite": "SQLiteStore",
    "job_sources": "file_jobs kept_jobs",
    "state_file": (
        "StateFile keep_outputs outputs_key rotated_tokens state_path with_kept_outputs"
    ),
}

__all__ = [
    "Appended",
    "AudienceStatus",
    "Checkpoint",
    "Claim",
    "ClaimedLedger",
    "ConnectionIdentity",
    "ConnectionStatus",
    "CursorStatus",
    "DeadLetter",
    "DeadLetterFile",
    "DeadLetterFilter",
    "DeadLetterWriter",
    "DeadLetters",
    "Doubt",
    "Erased",
    "EventStore",
    "Kind",
    "LedgerStore",
    "OutcomeFile",
    "Owner",
    "PostgresStore",
    "Progress",
    "Rejection",
    "Relay",
    "RelayRoute",
    "SQLiteStore",
    "StateFile",
    "Summary",
    "Tally",
    "WorkerStatus",
    "adopt_checkpoint",
    "checkpoint_path",
    "claimed_ledger",
    "connection_statuses",
    "copy_checkpoint",
    "current_connection",
    "default_path",
    "discard",
    "file_jobs",
    "joined",
    "keep_outputs",
    "kept_jobs",
    "letter_to_json",
    "locked",
    "mark_reported",
    "others",
    "outputs_key",
    "predecessors",
    "process_name",
    "read_moment",
    "recorded",
    "refuse_previous",
    "rotated_tokens",
    "run_file",
    "start_checkpoint",
    "state_path",
    "with_kept_outputs",
]

if not TYPE_CHECKING:
    __getattr__ = lazy_exports(__name__, _EXPORTS)
