"""Kill a relay again and again while clients post events; check what the partner has in the end.

Everything runs on this machine, with real processes: `actions relay`, a client that repeats what
is not acknowledged, and Criteo's sandbox, which fails some of the requests. At the end nothing
acknowledged may be lost, and the members of each list must be those of the event history.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.relay_chaos import Chaos


def main() -> int:
    """Run as the command line says; return 0 if everything was right."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200, help="number of kills (200)")
    parser.add_argument("--seed", type=int, default=None, help="of the random moments")
    options = parser.parse_args()
    seed = random.randrange(1_000_000) if options.seed is None else options.seed  # noqa: S311
    with tempfile.TemporaryDirectory() as folder:
        print(f"{options.kills} kills, seed {seed}")
        started = time.monotonic()
        chaos = Chaos(Path(folder), seed)
        chaos.run(options.kills)
        print(f"{chaos.report()}; {time.monotonic() - started:.0f} s")
    return 1 if chaos.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
