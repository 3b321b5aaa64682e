"""Measure this project against bare decoding, and against the reference where it is at hand.

    python benchmarks/run.py [--only PART,PART] [--events N] [--rounds N] [--into FOLDER]

Engines run in turn, round after round, and ratios are taken inside each round, because machines
drift. They are compared only where the partner was sent the same. The reference takes part when
PEER_BENCH (the path of a driver script) and PEER_BENCH_DIR (a folder with its packages) are set
and Node is installed. Figures are kept by part in figures.json, and the tables of README.md are
written from that; with `--only nothing` that is all that is done.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks import events
from benchmarks.figures import same
from benchmarks.parts import PARTS, Part, Script
from benchmarks.place import place
from benchmarks.report import comparison, page
from benchmarks.rounds import HERE, SCRATCH, partner, rounds, run

QUICK = {
    "stages": ["--events", "20000", "--rounds", "2"],
    "growth": ["--most", "30000", "--events", "20000"],
    "instructions": ["--events", "1000"],
}
"""What scripts are told where a short run is asked for."""

FAILED = "its run failed"


class UnequalError(Exception):
    """Engines had the partner sent different data, so that their figures say nothing."""


def main() -> None:
    """Measure part by part, keep what is found, write the tables; end with 1 if a part failed."""
    options = arguments().parse_args()
    SCRATCH.mkdir(exist_ok=True)
    kept = options.into / "figures.json"
    if not kept.exists():
        shutil.copy(HERE / "figures.json", kept)
    figures: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    for name in options.only:
        figures[name] = measured(name, options)
        kept.write_text(_lines(figures), encoding="utf-8")
    readme = page((HERE / "README.md").read_text(encoding="utf-8"), figures)
    (options.into / "README.md").write_text(readme, encoding="utf-8")
    raise SystemExit(any(figures[name].get("skipped") == FAILED for name in options.only))


def arguments() -> argparse.ArgumentParser:
    """Give what the command line takes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--only", type=_names, default=list(PARTS), metavar="PART,PART", help=", ".join(PARTS)
    )
    parser.add_argument("--events", type=int, default=200_000, help="in the largest comparisons")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="to see that it works: few events")
    parser.add_argument(
        "--into", type=Path, default=HERE, metavar="FOLDER", help="where figures and tables go"
    )
    return parser


def _names(text: str) -> list[str]:
    names = [] if text == "nothing" else text.split(",")
    if unknown := set(names) - set(PARTS):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: no such part")
    return names


def measured(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Give what was found of a part, where and when, or why it was left out."""
    part = PARTS[name]
    before = {"title": part.title, "taken": place(_command(name, options))}
    missing = part.missing() if isinstance(part, Script) else ""
    print(f"{name}: skipped, {missing}" if missing else f"{name}:", flush=True)
    if missing:
        return {**before, "skipped": missing}
    try:
        found = compared(part, options) if isinstance(part, Part) else reported(part, options)
    except (subprocess.CalledProcessError, UnequalError) as error:
        print(f"{name}: failed, {error}", flush=True)
        return {**before, "skipped": FAILED}
    if "rounds" in found:
        print("\n".join("  ".join(row) for row in comparison(part.title, found)), flush=True)
    return {**before, **found}


def _lines(found: dict[str, Any]) -> str:
    """Give JSON with a line for each part."""
    parts = (f"{json.dumps(name)}: {json.dumps(one)}" for name, one in found.items())
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _command(name: str, options: argparse.Namespace) -> str:
    if options.quick:
        return f"python benchmarks/run.py --only {name} --quick"
    return (
        f"python benchmarks/run.py --only {name} "
        f"--events {options.events} --rounds {options.rounds}"
    )


def compared(part: Part, options: argparse.Namespace) -> dict[str, Any]:
    """Run the engines of a comparison in turn."""
    count = part.count(20_000 if options.quick else options.events)
    file = _file(part.kind, count)
    with partner(part.latency_ms) as port:
        engines = part.engines(file, count, port)
        found = list(rounds(engines, port, 1 if options.quick else options.rounds))
    if not same(found):
        raise UnequalError("the engines sent different data")
    commands = {
        name: shlex.join(_public(one, file, port) for one in command)
        for name, command in engines.items()
    }
    return {"events": count, "commands": commands, "rounds": found}


@cache
def _file(kind: str, count: int) -> Path:
    return events.write(SCRATCH / f"{kind}-{count}.ndjson", kind, count)


def _public(word: str, file: Path, port: int) -> str:
    """Give a word of a command as anybody may type it."""
    if word == str(port):
        return "PORT"
    if word == str(file):
        return file.name
    return Path(word).name if os.sep in word else word


def reported(script: Script, options: argparse.Namespace) -> dict[str, Any]:
    """Run a script that measures on its own."""
    name = Path(script.script).stem
    chosen = QUICK.get(name, []) if options.quick else []
    plot = ["--plot", str(options.into / "growth.svg")] if name == "growth" else []
    return {"found": run(script.command([*chosen, *plot]))}


if __name__ == "__main__":
    main()
