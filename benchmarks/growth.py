"""Tell how cost grows with events, with subscriptions that do not match, and with audiences.

    python benchmarks/growth.py [--most N] [--events N] [--plot FILE]

Each point is a process of its own. Calls are made at any rate: Criteo's limit of 250 a minute
would be all that is seen of 1,000 audiences. With `--plot`, an SVG is drawn there.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks import events
from benchmarks.figures import exponent
from benchmarks.rounds import HERE, SCRATCH, partner, run

SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
SUBSCRIPTIONS = (1, 2, 5, 10, 20, 50)
AUDIENCES = (1, 10, 100, 1_000)
BLOCK = 10_000

Point: TypeAlias = dict[str, Any]
"""A size, its cost (see `SERIES`), and what the engine reported."""

SERIES = {
    "events": ("events", "seconds of processor time"),
    "subscriptions": ("subscriptions, told apart by a text", "µs of processor time an event"),
    "conditions": ("subscriptions, asked one by one", "µs of processor time an event"),
    "audiences": ("audiences", "µs of processor time an event"),
}
"""What grows, and in what its cost is counted."""


def main() -> None:
    """Measure all series, draw them if wanted, and print the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--most", type=int, default=SIZES[-1], help="the largest file, in events")
    parser.add_argument("--events", type=int, default=200_000, help="in the other series")
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    SCRATCH.mkdir(exist_ok=True)
    found: dict[str, Any] = {"events": list(by_events(options.most))}
    found["subscriptions"] = list(by_subscriptions(options.events, "text"))
    found["conditions"] = list(by_subscriptions(options.events, "part of a text"))
    found["audiences"] = list(by_audiences(options.events))
    if found["events"][-1]["size"] < options.most:
        found["note"] = f"The disk had no room for a file of {options.most:,} events."
    if options.plot:
        draw(found, options.plot)
    print(json.dumps(found))


def by_events(most: int) -> Iterator[Point]:
    """Yield the seconds for files of growing size, as long as there is room for them."""
    for size in (one for one in SIZES if one <= most):
        if shutil.disk_usage(SCRATCH).free < size * 2_000:
            return
        file = write(SCRATCH / "growth.ndjson", size)
        point = _point(size, file, "--runs", "3" if size <= BLOCK * 10 else "1")
        file.unlink()
        yield _shown("events", {**point, "cost": point["cpu_us"] * size / 1e6})


def by_subscriptions(count: int, unmatched: str) -> Iterator[Point]:
    """Yield the cost of an event with a growing number of subscriptions, of which one matches."""
    file = events.write(SCRATCH / "growth.ndjson", "audience", count)
    series = "subscriptions" if unmatched == "text" else "conditions"
    for size in SUBSCRIPTIONS:
        point = _point(size, file, "--subscriptions", str(size), "--unmatched", unmatched)
        yield _shown(series, point)


def by_audiences(count: int) -> Iterator[Point]:
    """Yield the cost of an event where events are about a growing number of audiences in turn."""
    for size in AUDIENCES:
        file = events.write(SCRATCH / "growth.ndjson", "audience", count, audiences=size)
        yield _shown("audiences", _point(size, file))


def write(path: Path, count: int) -> Path:
    """Write *count* events of one audience, quickly: they differ in person and message alone."""
    (event,) = events.events("audience", 1)
    event["messageId"], event["userId"] = "message-%026d", "user_%08d"
    event["context"]["traits"]["email"] = "person%08d@example.com"
    line = json.dumps(event, separators=(",", ":")) + "\n"
    with path.open("w", encoding="utf-8") as file:
        for start in range(0, count, BLOCK):
            numbers = range(start, min(start + BLOCK, count))
            file.write("".join([line % (number, number, number) for number in numbers]))
    return path


def _point(size: int, file: Path, *options: str) -> Point:
    command = [sys.executable, str(HERE / "engine.py"), str(file)]
    with partner() as port:
        row = run([*command, str(port), "--unthrottled", *options])
    return {"size": size, "cost": row["cpu_us"], **row}


def _shown(series: str, point: Point) -> Point:
    what, unit = SERIES[series]
    rate, memory = point["median_per_s"], point["peak_mb"]
    print(
        f"{point['size']:>10,} {what}: {point['cost']:.3f} {unit}, "
        f"{rate:,} events/s, {memory} MB at the peak"
    )
    return point


def draw(found: dict[str, Any], path: Path) -> None:
    """Draw every series: its cost over its size, both on logarithmic axes."""
    import matplotlib as mpl  # noqa: PLC0415 - heavy, and for this alone

    mpl.use("svg")
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "growth", "font.size": 9})
    from matplotlib import pyplot as plt  # noqa: PLC0415 - the same

    figure, places = plt.subplots(2, 2, figsize=(9, 6.5), layout="constrained")
    for place, (series, (what, unit)) in zip(places.flat, SERIES.items(), strict=True):
        _draw_one(place, found[series], what, unit)
    figure.savefig(path, metadata={"Date": None})
    path.write_text(_without_trailing_space(path.read_text(encoding="utf-8")), encoding="utf-8")


def _draw_one(place: Any, points: list[Point], what: str, unit: str) -> None:
    sizes, costs = [one["size"] for one in points], [one["cost"] for one in points]
    place.plot(sizes, costs, marker="o", label="measured")
    place.plot(sizes, [costs[0] * size / sizes[0] for size in sizes], ":", label="linear")
    place.set(xscale="log", yscale="log", xlabel=what, ylabel=unit)
    place.set_ylim(bottom=min(costs) / 3)
    if len(points) > 1:
        place.set_title(f"exponent {exponent(points):.2f}")
    place.legend()


def _without_trailing_space(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


if __name__ == "__main__":
    main()
