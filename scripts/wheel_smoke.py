"""Build the wheel and use it without the source tree, on the oldest and the newest Python found.

    python scripts/wheel_smoke.py

Each Python gets an environment of its own in a temporary folder. Exits with 1 after the first
check that fails, and shows what it printed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.pythons import PYENV, ROOT, find_pythons

LARGEST = 90 * 2**20
"""Bytes that the package and all that it needs may take on a disk, without pip itself."""

EXAMPLE = ROOT / "examples" / "criteo"
ACCESS = {"CRITEO_CLIENT_ID": "an-app", "CRITEO_CLIENT_SECRET": "any"}
CONNECTION = ["--connection", "criteo.connection.yaml"]
OUTCOMES = {"delivered": 3, "failed": 1, "skipped": 12}
"""What becomes of the example's eight events in two subscriptions."""

LOOK = """
import importlib.metadata, json, pathlib
import framework

names = [name for name in framework.__all__ if getattr(framework, name) is None]
dist = importlib.metadata.distribution("action-destinations")
page = pathlib.Path(framework.__file__).parent / "tester" / "page"
print(json.dumps({
    "without value": names,
    "home": str(pathlib.Path(framework.__file__).parents[1]),
    "page": sorted(str(file.relative_to(page)) for file in page.rglob("*") if file.is_file()),
    "licences": dist.metadata.get_all("License-File"),
}))
"""

LIQUID = """
destination: actions-criteo-audiences
settings: {advertiser_id: "1", client_id: a, client_secret: "${env:CRITEO_CLIENT_SECRET}"}
subscriptions:
  - partnerAction: addUserToAudience
    mapping: {audience_key: {"@liquid": "{{ event }}"}}
"""

OWN_TEST = """
from framework import OWN


def test_own() -> None:
    assert OWN == 1
"""


class SmokeError(AssertionError):
    """A check of the installed wheel failed; the text says which and shows what was printed."""


def build_wheel(folder: Path) -> Path:
    """Return the wheel of this checkout, built into *folder*."""
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "-t",
        "wheel",
        "-d",
        folder,
    ]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def call(command: Sequence[str | Path], folder: Path, extra: Mapping[str, str], status: int) -> str:
    """Return what *command* prints in *folder*; it must end with *status*."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        command, cwd=folder, env={**kept, **ACCESS, **extra}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode != status:
        raise SmokeError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def smoke(
    command: Sequence[str | Path],
    python: Path,
    home: Path,
    folder: Path,
    extra: Mapping[str, str],
) -> Iterator[str]:
    """Yield the name of each check that the package in *home* passes.

    *command* is `actions`; it and *python* run in *folder*, an empty one, with the variables
    *extra* in their environment. What fails raises SmokeError.
    """
    for name in ("criteo.connection.yaml", "events.ndjson"):
        shutil.copy(EXAMPLE / name, folder)

    def actions(*arguments: str, status: int = 0) -> str:
        return call([*command, *arguments], folder, extra, status)

    def check(what: str, seen: Any, expected: Any) -> str:
        if seen != expected:
            raise SmokeError(f"{what}: {seen} instead of {expected}")
        return what

    version = (ROOT / "framework" / "version.py").read_text(encoding="utf-8").split('"')[-2]
    yield check("--version", version in actions("--version"), expected=True)
    yield check("list", "actions-criteo-audiences" in actions("list"), expected=True)
    actions("validate", CONNECTION[1])
    yield "validate"
    run = actions("run", *CONNECTION, "--events", "events.ndjson", "--sandbox", "--json", status=1)
    yield check("run --sandbox", json.loads(run)["outcomes"], OUTCOMES)

    look = json.loads(call([python, "-P", "-c", LOOK], folder, extra, 0))
    yield check("names of framework", look["without value"], [])
    yield check("place of framework", look["home"], str(home))
    page = ROOT / "framework" / "tester" / "page"
    files = sorted(str(file.relative_to(page)) for file in page.rglob("*") if file.is_file())
    yield check("files of the tester's page", look["page"], files)
    licences = ["LICENSE", "framework/tester/page/vendor/LICENSE-codemirror.txt"]
    yield check("licences", look["licences"], licences)

    own = folder / "own" / "framework"
    own.mkdir(parents=True)
    (own / "__init__.py").write_text("OWN = 1\n", encoding="utf-8")
    (own.parent / "test_own.py").write_text(OWN_TEST, encoding="utf-8")
    tests: list[str | Path] = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    said = call(tests, own.parent, extra, 0)
    yield check("pytest beside another `framework`", "1 passed" in said, expected=True)


def check_extra(command: Path, folder: Path) -> str:
    """Return the name of the check that a command names the extra which a template needs."""
    (folder / "liquid.connection.yaml").write_text(LIQUID, encoding="utf-8")
    said = call([command, "validate", "liquid.connection.yaml"], folder, {}, 1)
    if "pip install 'action-destinations[liquid]'" not in said:
        raise SmokeError(f"@liquid without its extra: {said}")
    return "@liquid without its extra"


def installed(python: Path, wheel: Path, folder: Path) -> tuple[Path, Path, int]:
    """Return the interpreter and the packages of a new environment with *wheel* and pytest.

    The number is the bytes that the wheel and what it needs take without pytest. Nothing is
    compiled: a package without a wheel for this Python fails.
    """
    subprocess.run([python, "-m", "venv", folder], check=True)
    made = folder / "bin" / "python"
    pip: list[str | Path] = [
        made,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--only-binary=:all:",
        "--constraint",
        ROOT / "constraints.txt",
    ]
    (home,) = (folder / "lib").glob("python3.*/site-packages")
    before = _size(home)
    subprocess.run([*pip, wheel], check=True)
    size = _size(home) - before
    subprocess.run([*pip, "pytest"], check=True)
    return made, home, size


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def main() -> int:
    """Build, install and check; say what passed on which Python."""
    found = find_pythons(PYENV, os.environ.get("PATH", ""))
    with tempfile.TemporaryDirectory() as name:
        work = Path(name).resolve()
        wheel = build_wheel(work)
        print(f"{wheel.name}: {wheel.stat().st_size:,} bytes")
        for version in dict.fromkeys([min(found, key=_minor), max(found, key=_minor)]):
            python, home, size = installed(found[version], wheel, work / version)
            print(f"{version}: {size / 2**20:.0f} MiB installed, at most {LARGEST / 2**20:.0f}")
            if size > LARGEST:
                return 1
            empty = work / f"empty-{version}"
            empty.mkdir()
            try:
                for passed in smoke([python.parent / "actions"], python, home, empty, {}):
                    print(f"{version}: {passed}")
                print(f"{version}: {check_extra(python.parent / 'actions', empty)}")
            except SmokeError as error:
                print(f"{version}: FAILED {error}")
                return 1
    return 0


def _minor(version: str) -> int:
    return int(version.partition(".")[2])


if __name__ == "__main__":
    sys.exit(main())
