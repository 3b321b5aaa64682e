"""A relay that is killed, frozen and stopped loses nothing; `make chaos` does it more often."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.relay_chaos import Chaos

if TYPE_CHECKING:
    from pathlib import Path

KILLS = 10


@pytest.mark.parametrize("seed", [20])
def test_kills_lose_nothing(tmp_path: Path, seed: int) -> None:
    """Every acknowledged event is delivered or a dead letter, and the final members are right."""
    chaos = Chaos(tmp_path, seed)
    chaos.run(KILLS)
    assert len(chaos.acknowledged) > KILLS
    assert chaos.wrong == [], chaos.report()
