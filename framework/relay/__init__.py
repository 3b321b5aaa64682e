"""Delivering events from files, with checkpoints from which interrupted runs resume."""

from framework.relay.checkpoint import Checkpoint, default_path, discard, locked
from framework.relay.file_run import run_file
from framework.relay.files import MAX_LINE, EventFile
from framework.relay.outcomes import OutcomeFile
from framework.relay.summary import Kind, Progress, Summary, Tally

__all__ = [
    "MAX_LINE",
    "Checkpoint",
    "EventFile",
    "Kind",
    "OutcomeFile",
    "Progress",
    "Summary",
    "Tally",
    "default_path",
    "discard",
    "locked",
    "run_file",
]
