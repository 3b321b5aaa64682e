"""Kill, freeze and stop a relay again and again while a client posts events; compare in the end.

Everything runs on this machine, with real processes: `actions relay`, a client that repeats what
is not acknowledged, and Criteo's sandbox, which fails some of the requests, refuses all for two
minutes, and never takes the changes of one list before the end. Clocks are ten minutes apart. Where
a file system can be mounted, the store is on it and its power is cut at times. At the end nothing
acknowledged may be lost, the members of each list must be those of the event history, what cannot
be delivered must be a dead letter, and the rate must have been kept.

With --hosts, an intake and two workers share a PostgreSQL store; each worker is on a host of its
own, a network namespace. They are also cut off, and frozen while the partner has their request;
the server is stopped at once, and in the middle the primary gives way to its synchronous standby.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.cluster_chaos import cluster_chaos
from tests.disks import Disk
from tests.relay_chaos import Chaos


def main() -> int:
    """Run as the command line says; return 0 if everything was right."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200, help="of any kind (200)")
    parser.add_argument("--seed", type=int, default=None, help="of the random moments")
    parser.add_argument("--hosts", action="store_true", help="several hosts, with PostgreSQL")
    parser.add_argument("--outage", type=float, default=120, help="seconds in the middle (120)")
    options = parser.parse_args()
    seed = random.randrange(1_000_000) if options.seed is None else options.seed  # noqa: S311
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        if options.hosts:
            return _run(stack.enter_context(cluster_chaos(Path(folder), seed)), options.kills, seed)
        disk = None
        try:
            disk = stack.enter_context(Disk(Path(folder)))
        except OSError as error:
            print(f"No power cuts, as there is no file system of its own: {error}")
        chaos = Chaos(Path(folder), seed, outage=options.outage, disk=disk)
        return _run(chaos, options.kills, seed)


def _run(chaos: Chaos, kills: int, seed: int) -> int:
    print(f"{kills} kills, seed {seed}", flush=True)
    started = time.monotonic()
    chaos.run(kills)
    print(f"{chaos.report()}; {time.monotonic() - started:.0f} s")
    return 1 if chaos.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
