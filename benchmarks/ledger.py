"""Measure the ledger of memberships in an SQLite store.

    python benchmarks/ledger.py [--members 1000000,4000000] [--keep FOLDER]

For each number of people in one audience: bytes a member, rows a second of the first load, look-ups
and updates a second, and events a second through digest, look-up, suppression and update, of which
one in ten changes something; and the peak memory of the process, which is one of its own.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from framework.delivery import Audience, Member, MemberChange, Memberships
from framework.relay import Claim, SQLiteStore

AUDIENCE: Final = Audience("list", "advertiser", "name", "Everybody")
BATCH: Final = 20_000
"""Rows in one transaction, as a delivery saves them."""

CALL: Final = 5_000
"""People whose state is looked up together, as before a call."""

ROUNDS: Final = 200_000
"""Events, look-ups and updates that are measured."""


STEP: Final = 1_000_003
"""A prime, with which numbers are shuffled."""


def identities(numbers: Sequence[int]) -> list[str]:
    """Return canonical identities that look like addresses."""
    return [f"user{number}@example.com" for number in numbers]


def shuffled(members: int, most: int) -> Iterator[int]:
    """Yield *most* numbers below *members* in an order that looks random, without a list of all."""
    return (number * STEP % members for number in range(most))


def parts(numbers: Iterable[int], size: int) -> Iterator[Sequence[int]]:
    """Yield *numbers* in parts of *size*."""
    left = iter(numbers)
    while some := list(islice(left, size)):
        yield some


def load(claim: Claim, memberships: Memberships, members: int) -> float:
    """Add people in random order; return rows a second."""
    version = memberships.look_up(AUDIENCE, []).version
    start = time.perf_counter()
    for some in parts(shuffled(members, members), BATCH):
        digests = memberships.digests(identities(some))
        save(claim, [(one, Member(True, True, 1_800_000_000)) for one in digests], version)
    return members / (time.perf_counter() - start)


def save(claim: Claim, states: Sequence[tuple[bytes, Member]], version: int | None) -> None:
    """Save states in one transaction."""
    claim.save_members([MemberChange(AUDIENCE, *one, version) for one in states])


def per_second(work: Callable[[Sequence[int]], object], numbers: Sequence[int], size: int) -> float:
    """Return how many of *numbers* a second *work* is done for."""
    start = time.perf_counter()
    for some in parts(numbers, size):
        work(some)
    return len(numbers) / (time.perf_counter() - start)


def speeds(
    claim: Claim, members: int, then: Callable[[], object] = lambda: None
) -> dict[str, float]:
    """Return rows, look-ups, updates and events a second with so many people in an audience.

    Call *then* when all people are in it.
    """
    memberships = claim.memberships("account")
    loaded = load(claim, memberships, members)
    then()
    version = memberships.look_up(AUDIENCE, []).version

    def look_up(some: Sequence[int]) -> None:
        memberships.look_up(AUDIENCE, memberships.digests(identities(some)))

    def update(some: Sequence[int]) -> None:
        people = memberships.digests(identities(some))
        memberships.unconfirm(AUDIENCE, people)
        save(claim, [(one, Member(False, True, 1_800_000_001)) for one in people], version)

    def deliver(some: Sequence[int]) -> None:
        people = memberships.digests(identities(some))
        known = memberships.look_up(AUDIENCE, people).members
        changed = [
            one
            for number, one in zip(some, people, strict=True)
            if not number % 10 or not known[one].confirmed
        ]
        memberships.unconfirm(AUDIENCE, changed)
        save(claim, [(one, Member(True, True, 1_800_000_002)) for one in changed], version)

    numbers = list(shuffled(members, min(ROUNDS, members)))
    return {
        "loaded": loaded,
        "looked_up": per_second(look_up, numbers, CALL),
        "delivered": per_second(deliver, numbers, BATCH),
        "updated": per_second(update, numbers, BATCH),
    }


def measure(path: Path, members: int) -> str:
    """Return a row of the table."""
    with SQLiteStore(path) as store:
        claim = store.claim("benchmark")
        assert claim is not None
        found = speeds(claim, members)
        with store._reader("read") as database:  # noqa: SLF001
            (pages,) = database.execute("pragma page_count").fetchone()
            (size,) = database.execute("pragma page_size").fetchone()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return (
        f"| {members:,} | {pages * size / members:.1f} | {found['loaded']:,.0f} | "
        f"{found['looked_up']:,.0f} | {found['updated']:,.0f} | {found['delivered']:,.0f} | "
        f"{memory:.0f} |"
    )


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", default="1000000,4000000")
    parser.add_argument("--store", type=Path, help="measure in this process, in a new store here")
    arguments = parser.parse_args()
    if arguments.store:
        print(measure(arguments.store, int(arguments.members)))
        return
    print("| members | bytes each | loaded/s | look-ups/s | updates/s | events/s | MB of memory |")
    print("| --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for members in arguments.members.split(","):
        with tempfile.TemporaryDirectory() as folder:
            store = str(Path(folder) / "events.db")
            command = [sys.executable, __file__, "--members", members, "--store", store]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
