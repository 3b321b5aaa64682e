"""Count what a reader of the code has to cope with, in one or two checkouts.

    python benchmarks/structure.py CHECKOUT [CHECKOUT]

Lines, names and call sites are counted from source. Calls, modules entered and moves between
modules are counted while an event is delivered to a partner on the loopback address, by the
interpreter of each checkout (`CHECKOUT/.venv/bin/python`); code of `framework` and `destinations`
counts, third-party code and generated functions do not. Prints a table; with two checkouts, one
column for each.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import subprocess
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE
from typing import Any

from benchmarks import events
from benchmarks.partner import Partner
from benchmarks.startup import CONNECTION, serve

PACKAGES = ("framework", "destinations")
ENGINE = frozenset(
    [
        "errors",
        "results",
        "paths",
        "numbers",
        "dates",
        "codegen",
        "doors",
        "lazy",
        "clock",
        "normalize",
        "version",
        "triggers",
        "mapping",
        "definition",
        "delivery",
        "hookspecs",
        "plugins",
        "relay",
    ]
)
"""The modules and packages of `framework` that take part in a delivery."""

PROBE = Path(__file__).with_name("structure_probe.py")


@dataclass(frozen=True)
class Source:
    """One module of a checkout: where it is in it, its text and its tree."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def lines(self) -> int:
        """The number of lines."""
        return len(self.text.splitlines())


def sources(checkout: Path, package: str) -> list[Source]:
    """Return the modules of a package in alphabetical order."""
    found = []
    for file in sorted((checkout / package).rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        found.append(Source(file.relative_to(checkout), text, ast.parse(text)))
    return found


def type_names(tree: ast.Module) -> set[str]:
    """Return the names of a module's top-level classes and type aliases."""
    classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    return classes | {
        node.target.id
        for node in tree.body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and "TypeAlias" in ast.unparse(node.annotation)
    }


def repeated(names: Iterable[str]) -> list[str]:
    """Return the names that occur more than once."""
    return sorted(name for name, count in Counter(names).items() if count > 1)


def called_once(source: Source) -> tuple[int, int]:
    """Return how many private functions a module has, and how many it names in one place only.

    A place is any occurrence of the name besides the definition.
    """
    names = {
        node.name
        for node in source.tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("_")
    }
    once = [name for name in names if len(re.findall(rf"\b{name}\b", source.text)) == 2]
    return len(names), len(once)


def counted(checkout: Path) -> dict[str, str]:
    """Return the measures that the source text gives, by name."""
    framework = sources(checkout, "framework")
    both = [*framework, *sources(checkout, "destinations")]
    engine = [one for one in framework if one.path.parts[1].removesuffix(".py") in ENGINE]
    types = repeated(name for one in both for name in type_names(one.tree))
    public = [name for name in types if not name.startswith("_")]
    files = repeated(one.path.name for one in both if not one.path.name.startswith("__"))
    folders = defaultdict(set)
    for one in both:
        folders[one.path.name].add("/".join(one.path.parts[1:-1]) or one.path.parts[0])
    beyond_cli = [name for name in files if len({*folders[name]} - {"cli"}) > 1]
    largest = max(framework, key=lambda one: one.lines)
    functions, once = map(sum, zip(*map(called_once, framework), strict=True))
    return {
        "lines of framework/": f"{sum(one.lines for one in framework):,}",
        "lines of the engine": f"{sum(one.lines for one in engine):,}",
        "modules": f"{len(framework)}",
        "public type names defined twice": f"{len(public)}",
        "type names defined twice, private ones included": f"{len(types)}",
        "file names used twice": f"{len(files)}",
        "file names used twice, not counting cli/": f"{len(beyond_cli)}",
        "largest module": f"{largest.lines} {largest.path.relative_to('framework')}",
        "private functions named in one place only": f"{once} of {functions}",
    }


def observed(checkout: Path, python: Path) -> dict[str, str]:
    """Return the measures that a delivery by *python* in *checkout* gives, by name."""
    partner = Partner()
    port = serve(partner)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        connection = folder / "criteo.connection.yaml"
        connection.write_text(CONNECTION, encoding="utf-8")
        file = events.write(folder / "event.ndjson", "audience", 1)

        def probe(*arguments: object) -> dict[str, Any]:
            command = list(map(str, [python, PROBE, *arguments, port]))
            done = subprocess.run(command, cwd=checkout, check=True, stdout=PIPE, text=True)
            return dict(json.loads(done.stdout))

        deliver = probe("deliver", file)
        partner.lists.clear()
        run = probe("run", connection, file)
    warm, first = deliver["warm"], deliver["first"]
    return {
        "warm deliver([event]): calls": f"{warm['calls']}",
        "warm deliver([event]): modules": f"{warm['modules']}",
        "warm deliver([event]): moves": f"{warm['moves']}",
        "first event, compiling included: modules": f"{first['modules']}",
        "first event, compiling included: moves": f"{first['moves']}",
        "modules imported by a run of one event: all": f"{run['all']}",
        "modules imported by a run of one event: ours": f"{run['ours']}",
    }


def table(columns: dict[str, dict[str, str]]) -> str:
    """Return the measures as a Markdown table, with one column for each checkout."""
    names = next(iter(columns.values()))
    rows = [["Measure", *columns], ["---", *("--:" for _ in columns)]]
    rows += [[name, *(column[name] for column in columns.values())] for name in names]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    """Count, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("checkouts", nargs="+", type=Path, metavar="CHECKOUT")
    checkouts = parser.parse_args().checkouts
    columns = {}
    for one in checkouts:
        python = one.resolve() / ".venv" / "bin" / "python"
        columns[str(one)] = {**counted(one), **observed(one, python)}
    print(table(columns))


if __name__ == "__main__":
    main()
