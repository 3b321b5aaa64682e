"""Try new examples on the property tests for a bounded time, and print the seed.

    python scripts/explore.py [--seconds N] [--seed N]

Property tests are those that Hypothesis marks. Their files run in an order that depends on the
seed, each once, until the time is over; the files that were left are named. Exits with 1 after the
first file with a failure, and prints the command that repeats it.
"""

from __future__ import annotations

import argparse
import random
import secrets
import sys
import time
from pathlib import Path

from scripts.bounded import run_bounded

ROOT = Path(__file__).parent.parent
NOTHING_SELECTED = 5  # pytest's exit status


def property_files(folder: Path) -> list[str]:
    """Return the test files below *folder* that use Hypothesis, in alphabetical order."""
    return sorted(
        str(file)
        for file in folder.rglob("test_*.py")
        if "from hypothesis import" in file.read_text(encoding="utf-8")
    )


def explore(files: list[str], seed: int, deadline: float, root: Path = ROOT) -> int:
    """Run *files* until *deadline*, a time of `time.monotonic`; return the exit status."""
    random.Random(seed).shuffle(files)  # noqa: S311 - an order, not a secret
    print(f"Seed {seed}", flush=True)
    for count, file in enumerate(files):
        options = [file, "--hypothesis-profile=explore", f"--hypothesis-seed={seed}"]
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
        left = deadline - time.monotonic()
        status = run_bounded([*command, "-m", "hypothesis", *options], left, root)
        if status is None:
            print(f"Time is over; not explored: {' '.join(sorted(files[count:]))}")
            return 0
        if status not in {0, NOTHING_SELECTED}:
            print(f"Found with seed {seed}. Repeat with: python -m pytest {' '.join(options)}")
            return 1
    print(f"Explored all {len(files)} files with seed {seed}")
    return 0


def main() -> int:
    """Explore as the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    options = parser.parse_args()
    return explore(property_files(ROOT / "tests"), options.seed, time.monotonic() + options.seconds)


if __name__ == "__main__":
    sys.exit(main())
