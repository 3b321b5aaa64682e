"""Tell what each stage of a delivery costs, in microseconds of processor time an event.

    python benchmarks/stages.py [--events N] [--rounds N]

A file is delivered as `actions run` does, by this process to itself, with watches on the doors
between the rooms; each stage is without those inside it. Bare decoding runs in turn with it.
"""

from __future__ import annotations

import argparse
import importlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import wraps
from inspect import isgeneratorfunction
from typing import Any

from benchmarks import engine, events
from benchmarks.rounds import SCRATCH

DOORS = {
    "open the connection": "benchmarks.engine:opened",
    "read": "framework.events.files:EventFile.chunks",
    "decode": "framework.delivery.projection:Projection.decode",
    "trigger, mapping, shape": "framework.delivery.prepare:Intake.add_structs",
    "identify": "framework.delivery.performing:HookRunner.identify",
    "batch": "framework.delivery.batching:Batcher.add",
    "body and answer": "destinations.criteo_audiences.api:Criteo.amend",
    "call, answered in this process": "framework.delivery.client:Client.send",
    "checkpoint": "framework.relay.file_run:save",
}
"""The stages, with the functions in which they are done."""

_END = object()


class Watch:
    """Seconds of processor time by stage, without those of the stages inside."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self._inside = threading.local()

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Give *function* with a watch on it."""

        @wraps(function)
        def timed(*given: Any, **named: Any) -> Any:
            outer = getattr(self._inside, "spent", 0.0)
            self._inside.spent, start = 0.0, time.thread_time()
            try:
                return function(*given, **named)
            finally:
                took = time.thread_time() - start
                self.spent[stage] += took - self._inside.spent
                self._inside.spent = outer + took

        return timed

    def timed_each(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Give a generator function with a watch on each of its steps."""
        step = self.timed(stage, next)

        @wraps(function)
        def timed_each(*given: Any, **named: Any) -> Iterator[Any]:
            steps = function(*given, **named)
            while (one := step(steps, _END)) is not _END:
                yield one

        return timed_each


def attach(watch: Watch) -> list[str]:
    """Put the watch on every door; give the stages whose door is not where it was."""
    lost = []
    for stage, door in DOORS.items():
        module, _, path = door.partition(":")
        *kinds, name = path.split(".")
        owner: Any = importlib.import_module(module)
        for kind in kinds:
            owner = getattr(owner, kind, None)
        found = getattr(owner, name, None)
        if found is None:
            lost.append(stage)
            continue
        timed = watch.timed_each if isgeneratorfunction(found) else watch.timed
        setattr(owner, name, timed(stage, found))
    return lost


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Give the stages of the quickest round, and the quickest bare decoding."""
    file = events.write(SCRATCH / "stages.ndjson", "audience", options.events)
    given = engine.arguments().parse_args([str(file)])
    watch = Watch()
    lost = attach(watch)
    delivered, bare = [], []
    for _ in range(options.rounds):
        watch.spent.clear()
        total = _cost(engine.deliver, given)
        delivered.append((total, {k: v / options.events * 1e6 for k, v in watch.spent.items()}))
        bare.append(_cost(engine.decode, given))
    total, stages = min(delivered, key=lambda one: one[0])
    stages = {stage: stages[stage] for stage in DOORS if stage in stages}
    stages["everything else"] = total - sum(stages.values())
    return {"stages": stages, "total": total, "bare": min(bare), "lost": lost}


def _cost(work: Callable[[argparse.Namespace], int], given: argparse.Namespace) -> float:
    """Give the microseconds of processor time that *work* takes for each line."""
    used = time.process_time()
    lines = work(given)
    return (time.process_time() - used) / lines * 1e6


def main() -> None:
    """Measure, and print a line for each stage and then the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    SCRATCH.mkdir(exist_ok=True)
    engine.quieten()
    found = measure(options)
    for stage, cost in found["stages"].items():
        print(f"{stage:32} {cost:6.3f} µs  {cost / found['bare']:6.1%} of bare decoding")
    print(f"{'all':32} {found['total']:6.3f} µs; bare decoding {found['bare']:.3f} µs")
    for stage in found["lost"]:
        print(f"{stage:32} is not measured: `{DOORS[stage]}` is gone")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
