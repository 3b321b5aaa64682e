"""Workers that are killed, or frozen within a call, leave no membership wrong."""

from __future__ import annotations

from pathlib import Path

from tests.postgres import running_server
from tests.worker_chaos import WorkerChaos

INCIDENTS = ("late", "killed", "server", "intake", "late")


def test_workers_that_are_killed_and_frozen_leave_nothing_wrong(tmp_path: Path) -> None:
    with running_server() as database:
        chaos = WorkerChaos(tmp_path, database, 20)
        chaos.run(INCIDENTS)
    assert chaos.late == 2
    assert chaos.wrong == [], chaos.report()
