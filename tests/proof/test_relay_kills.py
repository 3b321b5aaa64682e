"""A relay that is killed, frozen and stopped loses nothing; `make chaos` does it more often."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.disks import Disk
from tests.relay_chaos import Chaos

if TYPE_CHECKING:
    from pathlib import Path

KILLS = 10
CUTS = 6


@pytest.mark.parametrize("seed", [20])
def test_kills_lose_nothing(tmp_path: Path, seed: int) -> None:
    """Every acknowledged event is delivered or a dead letter, and the final members are right."""
    chaos = Chaos(tmp_path, seed)
    chaos.run(KILLS)
    assert len(chaos.acknowledged) > KILLS
    assert chaos.wrong == [], chaos.report()


def test_power_cuts_lose_nothing(tmp_path: Path) -> None:
    """The same with a store on a file system that loses what was not flushed."""
    with ExitStack() as stack:
        try:
            disk = stack.enter_context(Disk(tmp_path))
        except OSError as error:
            pytest.skip(f"no file system of its own: {error}")
        chaos = Chaos(tmp_path, 21, disk=disk)
        chaos.run(CUTS)
    assert chaos.incidents["without power"]
    assert chaos.wrong == [], chaos.report()
