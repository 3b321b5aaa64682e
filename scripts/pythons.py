"""Run the non-browser tests on other Pythons, and on the lowest allowed versions.

    python scripts/pythons.py [--others] [--seconds N]
    python scripts/pythons.py --lowest [--seconds N]

Looks for CPython 3.11 and newer in pyenv's folder and on PATH, and names the versions that are
missing. Each has an environment of its own, `.venv-3.13` or the like, made once for each state of
`pyproject.toml` and of the constraints. The definition package also runs on CPython 3.14 by
Pyodide, where Node is present. `--lowest` takes this Python instead, and the versions of
`constraints-lowest.txt`.

The parts of the suite run in turn, each on every Python, and the most telling ones first. What
`--seconds` leaves no time for is named and no failure; making environments counts. Exits with 1 if
a test failed or an environment cannot be made, 0 otherwise.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scripts.bounded import run_bounded
from scripts.pyodide_tests import PYODIDE_NEEDS

ROOT = Path(__file__).parent.parent
PYENV = Path.home() / ".pyenv" / "versions"
EXPECTED = ("3.11", "3.12", "3.13", "3.14")
BROWSER = "tests/tester"
FIRST = (
    "tests/framework/definition",
    "tests/framework/triggers",
    "tests/framework/mapping",
    "tests/framework/delivery",
)
"""The parts that depend most on the Python that runs them."""
LAST = "tests/proof"
LOWEST = "lowest"
SETUP = "its environment"

PYODIDE = "pyodide@314.0.7"
PYODIDE_TAGS = ("--platform=pyemscripten_2026_0_wasm32", "--python-version=3.14", "--abi=cp314")
PYODIDE_TESTS = ("tests/framework/definition",)


@dataclass
class Tally:
    """What was run, by Python: parts that passed, failed, had no time; why others are skipped."""

    passed: dict[str, list[str]] = field(default_factory=dict)
    failed: dict[str, list[str]] = field(default_factory=dict)
    late: dict[str, list[str]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, part: str, status: int | None) -> None:
        """Add what became of a part: *status* is pytest's, None if there was no time left."""
        side = self.late if status is None else self.failed if status else self.passed
        side.setdefault(name, []).append(part)


def version_of(python: Path) -> str | None:
    """Return `3.13` or the like, or None where *python* is not a CPython that starts."""
    code = "import sys; print(sys.implementation.name, '%d.%d' % sys.version_info[:2])"
    try:
        said = subprocess.run(
            [python, "-c", code], capture_output=True, text=True, check=True, timeout=60
        ).stdout.split()
    except (OSError, subprocess.SubprocessError):  # a shim of pyenv without a version fails too
        return None
    return said[1] if said[:1] == ["cpython"] else None


def candidates(pyenv: Path, path: str) -> Iterator[Path]:
    """Yield the interpreters of pyenv's folder, the newest first, then those on *path*."""

    def number(folder: Path) -> list[int]:
        return [int(part) for part in folder.name.split(".") if part.isdecimal()]

    folders = sorted(pyenv.glob("3.*"), key=number, reverse=True) if pyenv.is_dir() else []
    yield from (folder / "bin" / "python" for folder in folders)
    for folder in filter(None, path.split(os.pathsep)):
        yield from sorted(Path(folder).glob("python3.[0-9]*[0-9]"))
        yield Path(folder) / "python3"


def find_pythons(pyenv: Path, path: str) -> dict[str, Path]:
    """Return one interpreter for each version from 3.11 on, ordered by version."""
    found: dict[str, Path] = {}
    for python in candidates(pyenv, path):
        if python.exists() and (version := version_of(python)):
            found.setdefault(version, python)
    order = sorted(found, key=lambda version: int(version.partition(".")[2]))
    return {version: found[version] for version in order if int(version.partition(".")[2]) >= 11}


def suite_parts(root: Path) -> list[str]:
    """Return the folders and files of the non-browser suite, in the order in which they run."""
    tests = [*(root / "tests").iterdir(), *(root / "tests" / "framework").iterdir()]
    parts = {
        str(path.relative_to(root))
        for path in tests
        if path.match("test_*.py") or (path.is_dir() and any(path.rglob("test_*.py")))
    } - {BROWSER, "tests/framework", LAST}
    return [*FIRST, *sorted(parts - {*FIRST}), LAST]


def lowest_constraints(pinned: str, lowest: str) -> str:
    """Return the lines of *pinned* with those replaced that *lowest* has a version for."""

    def name(line: str) -> str:
        return line.partition("==")[0].strip().lower().replace("_", "-")

    low = {name(line): line for line in lowest.splitlines() if "==" in line}
    kept = [line for line in pinned.splitlines() if name(line) not in low]
    return "\n".join([*kept, *low.values(), ""])


class SetupError(Exception):
    """An environment cannot be made; the text names the command that failed."""


def environment(
    python: Path, name: str, constraints: str, deadline: float, root: Path = ROOT
) -> Path | None:
    """Return the interpreter of the environment *name*, made anew where something has changed.

    Returns None if that takes longer than *deadline* allows; raises SetupError if it fails.
    """
    folder = root / f".venv-{name}"
    state = (root / "pyproject.toml").read_text(encoding="utf-8") + constraints
    digest = hashlib.sha256(state.encode()).hexdigest()
    stamp, made = folder / ".ready", folder / "bin" / "python"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == digest:
        return made
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    limits = folder / "constraints.txt"
    limits.write_text(constraints, encoding="utf-8")
    pip: list[str | Path] = [made, "-m", "pip", "install", "--quiet", "--constraint", limits]
    commands: list[list[str | Path]] = [
        [python, "-m", "venv", folder],
        [*pip, "--upgrade", "pip"],
        [*pip, "--group", "dev", "--editable", "."],
    ]
    for command in commands:
        status = run_bounded(command, deadline - time.monotonic(), root)
        if status is None:
            return None
        if status:
            raise SetupError(f"`{' '.join(map(str, command))}` ended with {status}")
    stamp.write_text(digest, encoding="utf-8")
    return made


def environments(
    pythons: Mapping[str, Path], constraints: str, deadline: float, root: Path = ROOT
) -> tuple[dict[str, Path], Tally]:
    """Return the interpreter of an environment for each Python, and those that cannot be had."""
    made, tally = {}, Tally()
    for name, python in pythons.items():
        try:
            found = environment(python, name, constraints, deadline, root)
        except SetupError as error:
            print(f"{name}: {error}", flush=True)
            tally.failed[name] = [SETUP]
        else:
            if found is None:
                tally.late[name] = [SETUP]
            else:
                made[name] = found
    return made, tally


def run_parts(
    pythons: Mapping[str, Path], parts: Iterable[str], deadline: float, root: Path = ROOT
) -> Tally:
    """Run each part on every Python until *deadline*, a time of `time.monotonic`.

    A part ends with its first failure, so that none is lost when the time is over.
    """
    tally = Tally()
    for part in parts:
        for name, python in pythons.items():
            if (left := deadline - time.monotonic()) > 0:
                print(f"--- {name}: {part}", flush=True)
            options = ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
            tally.add(name, part, run_bounded([python, *options, part], left, root))
    return tally


def pyodide(deadline: float) -> Tally:
    """Run the tests of the definition package on CPython 3.14 by Pyodide, where Node is."""
    name, parts, tally = "3.14 by Pyodide", " ".join(PYODIDE_TESTS), Tally()
    if not (shutil.which("node") and shutil.which("npm")):
        tally.skipped[name] = "Node and npm are not present"
        return tally
    folder = ROOT / "build" / "pyodide"
    if not fetched(folder, deadline):
        tally.skipped[name] = f"{PYODIDE} or a package for it cannot be had"
        return tally
    print(f"--- {name}: {parts}", flush=True)
    script = ROOT / "scripts" / "pyodide.mjs"
    # Code that is not optimized yet needs more stack: tests of deep nesting overflow node's 1 MB.
    command: list[str | Path] = ["node", "--stack-size=3900", script, folder, ROOT, *PYODIDE_TESTS]
    tally.add(name, parts, run_bounded(command, deadline - time.monotonic(), ROOT))
    return tally


def fetched(folder: Path, deadline: float) -> bool:
    """Return whether Pyodide and the packages that its tests need are in *folder*."""
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    # The wheel of msgspec for Pyodide may be of another version than the one that is pinned.
    limits = [line for line in pinned if not line.startswith("msgspec==")]
    state = "\n".join([PYODIDE, *PYODIDE_TAGS, *PYODIDE_NEEDS, *limits])
    stamp = folder / "state.txt"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == state:
        return True
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "package.json").write_text("{}", encoding="utf-8")
    (folder / "constraints.txt").write_text("\n".join(limits), encoding="utf-8")
    npm: list[str | Path] = ["npm", "install", "--silent", "--no-audit", "--no-fund", PYODIDE]
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-compile",
    ]
    pip += ["--target", folder / "site", "--constraint", folder / "constraints.txt"]
    wheels = ["--only-binary=:all:", "--implementation=cp", *PYODIDE_TAGS, *PYODIDE_NEEDS]
    for command in (npm, [*pip, *wheels]):
        if run_bounded(command, deadline - time.monotonic(), folder) != 0:
            return False
    # There is no wheel of MarkupSafe for Pyodide; its compiled part is optional.
    markupsafe = Path(sysconfig.get_path("purelib")) / "markupsafe"
    compiled = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(markupsafe, folder / "site" / "markupsafe", ignore=compiled)
    stamp.write_text(state, encoding="utf-8")
    return True


def report(tallies: Iterable[Tally], missing: Iterable[str]) -> int:
    """Print what was run, what was not and why; return the exit status."""
    failed = False
    print("\nSummary")
    for tally in tallies:
        for name, parts in tally.passed.items():
            print(f"{name}: passed {' '.join(parts)}")
        for name, parts in tally.late.items():
            print(f"{name}: no time left for {' '.join(parts)}")
        for name, why in tally.skipped.items():
            print(f"{name}: skipped, {why}")
        for name, parts in tally.failed.items():
            print(f"{name}: FAILED {' '.join(parts)}")
            failed = True
    for version in missing:
        print(f"{version}: skipped, no interpreter in pyenv's folder or on PATH")
    return 1 if failed else 0


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lowest", action="store_true", help="this Python, lowest versions")
    parser.add_argument("--others", action="store_true", help="leave out the Python that runs this")
    parser.add_argument("--seconds", type=float, default=7200, help="stop after this time")
    options = parser.parse_args()
    deadline = time.monotonic() + options.seconds
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    missing: list[str] = []
    tallies: list[Tally] = []
    if options.lowest:
        low = (ROOT / "constraints-lowest.txt").read_text(encoding="utf-8")
        pinned, found = lowest_constraints(pinned, low), {LOWEST: Path(sys.executable)}
    else:
        found = find_pythons(PYENV, os.environ.get("PATH", ""))
        missing += [version for version in EXPECTED if version not in found]
        if options.others:
            found.pop("{}.{}".format(*sys.version_info), None)
        tallies.append(pyodide(deadline))
    pythons, setup = environments(found, pinned, deadline)
    tallies += [setup, run_parts(pythons, suite_parts(ROOT), deadline)]
    return report(tallies, missing)


if __name__ == "__main__":
    sys.exit(main())
