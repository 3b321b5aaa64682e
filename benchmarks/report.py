"""The tables of README.md, written from the figures alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from benchmarks.figures import BARE, OURS, PEER, Spread, exponent, ratio, short, values
from benchmarks.goals import GOALS, Figures
from benchmarks.growth import SERIES
from benchmarks.parts import PARTS

MARK = "<!-- below: written by run.py from figures.json -->"

STARTS = {
    "python": "Python, which does nothing",
    "libraries": "Python, which imports httpx, pluggy and jsonschema",
    "import": "`import framework`",
    "author": "Python, which imports what a destination begins with",
    "version": "`actions --version`",
    "help": "`actions --help`",
    "validate": "`actions validate`",
    "first_event": "`actions run`, until the first event is delivered",
    "reference": "the reference, loaded",
}


def page(text: str, figures: Figures) -> str:
    """Give the page: *text* up to the mark, then the tables."""
    known = {name: figures[name] for name in PARTS if name in figures}
    parts = (heading(known), goals(known), comparisons(known), *scripts(known), takings(known))
    return "\n\n".join([text.partition(MARK)[0].rstrip(), MARK, *filter(None, parts)]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Give a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def heading(figures: Figures) -> str:
    """Say on what machine, and with what, the figures were taken."""
    found = {
        f"{one['taken']['machine']}; "
        + ", ".join(f"{name} {number}" for name, number in one["taken"]["versions"].items())
        for one in figures.values()
    }
    return "\n".join(f"{one}." for one in sorted(found))


def goals(figures: Figures) -> str:
    """Say of each goal whether it is met."""
    rows = table(("What", "Goal", "Measured", "Verdict"), (one.row(figures) for one in GOALS))
    return (
        "## Goals\n\n"
        "A ratio is taken inside each round; the median decides, the least and the greatest stand "
        f"behind it.\n\n{rows}"
    )


def comparisons(figures: Figures) -> str:
    """Show what every engine did in every comparison."""
    rows = [
        row
        for part in figures.values()
        if "rounds" in part
        for row in comparison(part["title"], part)
    ]
    head = (
        "What",
        "Engine",
        "events/s",
        f"times {PEER}",
        f"times {BARE}",
        "processor µs/event",
        "peak MB",
        "requests",
    )
    return f"## Engines\n\n{table(head, rows)}" if rows else ""


def comparison(title: str, part: Mapping[str, Any]) -> Iterator[list[str]]:
    """Yield the cells of each engine's row."""
    rounds = part["rounds"]
    for engine in (one for one in (OURS, BARE, PEER) if one in rounds[0]):
        yield [
            f"{title}, {part['events']:,} events",
            engine,
            _cell(_spread(rounds, engine, "median_per_s")),
            _cell(ratio(rounds, "median_per_s", engine, PEER)),
            _cell(ratio(rounds, "median_per_s", engine, BARE)),
            _cell(_spread(rounds, engine, "cpu_us")),
            _cell(_spread(rounds, engine, "peak_mb")),
            _cell(_spread(rounds, engine, "requests")),
        ]


def scripts(figures: Figures) -> Iterator[str]:
    """Show what the scripts found that measure this project alone."""
    writers = {
        "startup": startup,
        "stages": stages,
        "growth": growth,
        "instructions": instructions,
    }
    for name, write in writers.items():
        found = figures.get(name, {}).get("found")
        if found:
            yield f"## {figures[name]['title']}\n\n{write(found)}"


def startup(found: Mapping[str, float]) -> str:
    """Show the milliseconds of each start."""
    names = [key.removesuffix("_least_s") for key in found if key.endswith("_least_s")]
    rows = (
        [STARTS.get(name, name), *(f"{found[name + one] * 1000:.0f}" for one in ("_s", "_least_s"))]
        for name in names
    )
    return table(("Start", "median ms", "least ms"), rows)


def stages(found: Mapping[str, Any]) -> str:
    """Show the stages beside bare decoding."""
    costs = {**found["stages"], "all": found["total"], BARE: found["bare"]}
    rows = ([name, f"{one:.3f}", f"{one / found['bare']:.0%}"] for name, one in costs.items())
    lost = "".join(f"\n\nNot measured: {one}." for one in found["lost"])
    return table(("Stage", "processor µs/event", f"of {BARE}"), rows) + lost


def growth(found: Mapping[str, Any]) -> str:
    """Show the plot, and the points of every series."""
    head = ("What grows", "to", "cost", "in", "events/s", "peak MB")
    rows = [
        [what, f"{one['size']:,}", *cost(one, unit)]
        for series, (what, unit) in SERIES.items()
        for one in found[series]
    ]
    powers = (f"{what}: {exponent(found[series]):.2f}" for series, (what, _) in SERIES.items())
    note = f"\n\n{found['note']}" if "note" in found else ""
    return (
        "![Cost over size, four plots](growth.svg)\n\n"
        f"Exponents (1 is linear): {'; '.join(powers)}.\n\n{table(head, rows)}{note}"
    )


def cost(point: Mapping[str, Any], unit: str) -> list[str]:
    """Give the cells of a point: its cost in a unit, speed and memory."""
    speed, memory = f"{point['median_per_s']:,}", str(point["peak_mb"])
    return [short(point["cost"]), unit, speed, memory]


def instructions(found: Mapping[str, Any]) -> str:
    """Show the instructions that an event takes."""
    rows = ([name, f"{one:,}", f"{one / found[BARE]:.0%}"] for name, one in found.items())
    return table(("Engine", "instructions/event", f"of {BARE}"), rows)


def takings(figures: Figures) -> str:
    """Say when each part was taken, of which commit, and with which command."""
    rows = (
        [
            name,
            part["taken"]["when"],
            part["taken"]["commit"],
            ", ".join(map(str, part["taken"]["load"])),
            f"`{part['taken']['command']}`",
        ]
        for name, part in figures.items()
    )
    head = ("Part", "When (UTC)", "Commit", "Load before", "Command")
    return f"## How they were taken\n\n{table(head, rows)}" if figures else ""


def _spread(rounds: Sequence[Any], engine: str, key: str) -> Spread | None:
    found = values(rounds, engine, key)
    return Spread.of(found) if found else None


def _cell(spread: Spread | None) -> str:
    return str(spread) if spread else ""
