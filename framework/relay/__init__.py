"""Delivering events from files, with checkpoints from which interrupted runs resume."""

from framework.relay.checkpoint import (
    Checkpoint,
    ConnectionIdentity,
    default_path,
    discard,
    locked,
    others,
    refuse_previous,
)
from framework.relay.file_run import run_file
from framework.relay.outcomes import OutcomeFile
from framework.relay.summary import Kind, Progress, Rejection, Summary, Tally

__all__ = [
    "Checkpoint",
    "ConnectionIdentity",
    "Kind",
    "OutcomeFile",
    "Progress",
    "Rejection",
    "Summary",
    "Tally",
    "default_path",
    "discard",
    "locked",
    "others",
    "refuse_previous",
    "run_file",
]
