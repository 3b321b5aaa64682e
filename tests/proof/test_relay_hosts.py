"""Relays on several hosts with one store lose nothing; `make chaos` does it more often."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.cluster_chaos import cluster_chaos

if TYPE_CHECKING:
    from pathlib import Path

INCIDENTS = 4


def test_hosts_that_fail_lose_nothing(tmp_path: Path) -> None:
    """One of the incidents is the loss of the primary, whose synchronous standby takes over."""
    with ExitStack() as stack:
        try:
            chaos = stack.enter_context(cluster_chaos(tmp_path, 31))
        except OSError as error:
            pytest.skip(f"no hosts of their own: {error}")
        chaos.run(INCIDENTS)
    assert len(chaos.acknowledged) > INCIDENTS
    assert chaos.incidents["primary lost"] == 1
    assert chaos.wrong == [], chaos.report()
