"""Run hostile inputs one by one, each within bounds of memory and time, and tell how each ends.

Prints a JSON object from the name of each input to `[kind, text]`: the name of the error's class,
or `value`. What breaks a bound ends as MemoryError or TimeoutError.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from tests.framework.hostile.inputs import INPUTS

EXTRA_BYTES = 100_000_000
"""Memory that one input may need beside itself."""

CPU_SECONDS = 1.0
"""Time of the processor after which an input is stopped: what is promised."""

PACE_SECONDS = 0.008
"""What `_pace` takes on a processor of 2.5 GHz with nothing beside it; slower ones get longer."""

_TRIES = 3


def main() -> None:
    """Run every input."""
    signal.signal(signal.SIGVTALRM, _stop)
    json.dump({name: _end(make) for name, make in INPUTS.items()}, sys.stdout)


def _end(make: Callable[[], Callable[[], object]]) -> tuple[str, str]:
    """Tell how an input ends; what was stopped is given a second and a third try.

    Whatever else the machine does can hold it up once, and seldom three times.
    """
    for _ in range(_TRIES):
        kind, text = _try(make())
        if kind != TimeoutError.__name__:
            break
    return kind, text


def _try(act: Callable[[], object]) -> tuple[str, str]:
    size = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    _, highest = resource.getrlimit(resource.RLIMIT_AS)
    bound = size * resource.getpagesize() + EXTRA_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (bound, highest))
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS * max(1.0, _pace() / PACE_SECONDS))
    try:
        act()
    except Exception as error:  # noqa: BLE001 - the kind of error is what is asked for
        return type(error).__name__, str(error)
    else:
        return "value", ""
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, (highest, highest))


def _pace() -> float:
    """Give the processor time of a fixed piece of work, right now."""
    start = time.process_time()
    table = {str(number): number for number in range(20_000)}
    sum(table[key] for key in table)
    return time.process_time() - start


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise TimeoutError


main()
