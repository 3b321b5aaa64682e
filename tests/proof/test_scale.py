"""Many events need few requests and little memory, and every audience gets exactly its users."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from destinations.criteo_audiences.sandbox import CriteoSandbox
from framework.sandbox import FrozenClock, serve
from tests.deliveries import event, members_after, members_of, opened, run, write

if TYPE_CHECKING:
    from tests.proof.conftest import Bench

EVENTS = 200_000
AT_ONCE = 50_000
"""The most identifiers that one call may carry."""

MEASURED = (
    "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)
"""Runs a command and prints its peak memory, which on Linux begins at that of whoever starts it."""

UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in which the system counts the memory of a process."""


def test_one_audience_needs_a_call_for_every_fifty_thousand_people(bench: Bench) -> None:
    """Besides those: one for the token, one for the list, one for each hundred lists there are."""
    people = [f"user{number}@example.com" for number in range(EVENTS)]
    write(bench.events, map(event, people))
    criteo = CriteoSandbox()
    for number in range(150):
        criteo.add_segment(f"audience {number}")
    with serve(criteo) as server:
        command = [sys.executable, "-c", MEASURED, *bench.command(server.url, "--quiet")]
        run_once = subprocess.run(
            command, env=bench.environment, stdout=subprocess.PIPE, text=True, check=True
        )
    assert members_of(criteo) == {"spring": set(people)}
    assert criteo.calls.total() <= 2 + EVENTS / AT_ONCE + math.ceil(151 / 100)
    assert int(run_once.stdout) * UNIT < 300_000_000
    assert bench.outcomes.read_bytes().count(b"\n") == 2 * EVENTS


def test_twenty_audiences_in_one_file_get_exactly_their_people(tmp_path: Path) -> None:
    chance = random.Random(5)  # noqa: S311 - repeatable events, no secrets
    people = [f"user{number}@example.com" for number in range(8_000)]
    audiences = [f"audience {number}" for number in range(20)]
    history: list[dict[str, Any]] = [
        event(chance.choice(people), chance.choice(audiences), enters=enters)
        for enters in chance.choices((True, False), (3, 1), k=100_000)
    ]
    criteo = CriteoSandbox(clock=FrozenClock())
    with opened(criteo) as connection:
        summary = run(connection, write(tmp_path / "events", history))
    assert summary.outcomes["failed"] == 0
    assert members_of(criteo) == members_after(history)
    # Token and search; then a creation, additions and removals for each audience.
    assert criteo.calls.total() <= 2 + 3 * len(audiences)
