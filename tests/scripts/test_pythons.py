"""The tests on other Pythons: which are found, what runs there, and what is said of the rest."""

from __future__ import annotations

import ast
import os
import sys
import time
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from scripts.pythons import (
    ROOT,
    Tally,
    environments,
    find_pythons,
    lowest_constraints,
    report,
    run_parts,
    suite_parts,
)

CURRENT = "{}.{}".format(*sys.version_info)


def interpreter(file: Path, says: str) -> Path:
    """Return a program that answers as an interpreter would that is asked for its version."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{says}\n")
    file.chmod(0o755)
    return file


def test_pythons_are_found_in_pyenv_and_on_path(tmp_path: Path) -> None:
    """The newest of pyenv's wins; PyPy, older versions and shims that fail are left out."""
    pyenv, first, second = tmp_path / "versions", tmp_path / "a", tmp_path / "b"
    interpreter(pyenv / "3.13.9" / "bin" / "python", "echo cpython 3.13")
    newest = interpreter(pyenv / "3.13.10" / "bin" / "python", "echo cpython 3.13")
    interpreter(pyenv / "3.10.1" / "bin" / "python", "echo cpython 3.10")
    interpreter(first / "python3.14", "echo no such version >&2; exit 127")
    interpreter(first / "python3.12", "echo pypy 3.12")
    other = interpreter(second / "python3", "echo cpython 3.15")

    found = find_pythons(pyenv, os.pathsep.join([str(first), "", str(second)]))

    assert found == {"3.13": newest, "3.15": other}


def test_a_python_is_found_where_there_is_no_pyenv(tmp_path: Path) -> None:
    here = Path(sys.executable).parent
    assert CURRENT in find_pythons(tmp_path / "none", str(here))


def test_the_parts_hold_every_test_but_those_of_the_browser() -> None:
    parts = suite_parts(ROOT)
    covered = [
        file
        for file in (ROOT / "tests").rglob("test_*.py")
        if any(file.is_relative_to(ROOT / part) for part in parts)
    ]
    left = {*(ROOT / "tests").rglob("test_*.py")} - {*covered}
    assert {file.parent.relative_to(ROOT).as_posix() for file in left} == {"tests/tester"}
    assert len(covered) == len({*covered})
    assert (parts[:4], parts[-1]) == (
        [f"tests/framework/{name}" for name in ("definition", "triggers", "mapping", "delivery")],
        "tests/proof",
    )


def test_parts_run_on_each_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (tmp_path / "test_good.py").write_text("def test_good() -> None: pass\n")
    (tmp_path / "test_bad.py").write_text("def test_bad() -> None: raise ValueError\n")
    pythons = {"one": Path(sys.executable), "two": Path(sys.executable)}

    tally = run_parts(pythons, ["test_good.py", "test_bad.py"], time.monotonic() + 600, tmp_path)

    assert tally == Tally(
        passed={"one": ["test_good.py"], "two": ["test_good.py"]},
        failed={"one": ["test_bad.py"], "two": ["test_bad.py"]},
    )


def test_a_failure_is_not_lost_when_the_time_is_over(tmp_path: Path) -> None:
    """The test after the one that fails would never end."""
    (tmp_path / "test_both.py").write_text(
        "def test_bad(): raise ValueError\ndef test_long():\n    while True: pass\n"
    )

    tally = run_parts(
        {CURRENT: Path(sys.executable)}, ["test_both.py"], time.monotonic() + 600, tmp_path
    )

    assert tally == Tally(failed={CURRENT: ["test_both.py"]})


@pytest.mark.parametrize(
    ("says", "seconds", "expected"),
    [
        ("exit 1", 600, Tally(failed={"3.13": ["its environment"]})),
        ("while true; do :; done", 0.1, Tally(late={"3.13": ["its environment"]})),
        ("exit 1", 0, Tally(late={"3.13": ["its environment"]})),
    ],
)
def test_an_environment_that_cannot_be_made_is_named(
    says: str, seconds: float, expected: Tally, tmp_path: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    python = interpreter(tmp_path / "python", says)

    deadline = time.monotonic() + seconds

    assert environments({"3.13": python}, "", deadline, tmp_path) == ({}, expected)


def test_parts_run_until_the_time_is_over(tmp_path: Path) -> None:
    """A part that takes too long is stopped; it and those after it are named, not failed."""
    (tmp_path / "test_long.py").write_text("def test_long() -> None:\n    while True: pass\n")
    parts = ["test_long.py", "test_good.py"]

    tally = run_parts({CURRENT: Path(sys.executable)}, parts, time.monotonic() + 1, tmp_path)

    assert tally == Tally(late={CURRENT: parts})


@pytest.mark.parametrize(("failed", "status"), [({}, 0), ({"3.13": ["b"]}, 1)])
def test_what_was_not_run_is_named(
    failed: dict[str, list[str]], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    skipped = {"3.14 by Pyodide": "Node and npm are not present"}
    late = {"3.13": ["c", "d"]}
    tally = Tally(passed={"3.13": ["a"]}, failed=failed, late=late, skipped=skipped)

    assert report([tally], ["3.14"]) == status

    failures = [f"{name}: FAILED {' '.join(parts)}" for name, parts in failed.items()]
    assert capsys.readouterr().out.splitlines() == [
        "",
        "Summary",
        "3.13: passed a",
        "3.13: no time left for c d",
        "3.14 by Pyodide: skipped, Node and npm are not present",
        *failures,
        "3.14: skipped, no interpreter in pyenv's folder or on PATH",
    ]


def test_lowest_versions_replace_pinned_ones() -> None:
    pinned = "anyio==4.0\nJinja2==3.1.9\ntyping_extensions==4.16\n"
    lowest = "# A comment\njinja2==3.1.6\ntyping-extensions==4.1\n"
    assert lowest_constraints(pinned, lowest).splitlines() == [
        "anyio==4.0",
        "jinja2==3.1.6",
        "typing-extensions==4.1",
    ]


def lowest() -> dict[str, str]:
    text = (ROOT / "constraints-lowest.txt").read_text(encoding="utf-8")
    rows = (line.split("==") for line in text.splitlines() if not line.startswith("#"))
    return {name.lower(): version for name, version in rows}


def dependencies() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    return [Requirement(text) for text in (*project["dependencies"], *chain(*extras))]


@pytest.mark.parametrize("needed", dependencies(), ids=lambda needed: needed.name)
def test_the_lowest_set_is_what_the_bounds_allow(needed: Requirement) -> None:
    """Each bound is tried: `make lowest` installs exactly it, or the first release of its line."""
    version = lowest()[needed.name.lower()]
    (bound,) = [one.version for one in needed.specifier if one.operator == ">="]
    assert needed.specifier.contains(version)
    assert f"{version}.".startswith(f"{bound}.")


BELOW_ONE_MAJOR = ("httpx", "msgspec", "pluggy", "python-liquid")


@pytest.mark.parametrize("name", BELOW_ONE_MAJOR)
def test_what_is_used_from_the_inside_has_an_upper_bound(name: str) -> None:
    (needed,) = [needed for needed in dependencies() if needed.name == name]
    assert [one.operator for one in needed.specifier if one.operator == "<"] == ["<"]


def test_types_of_parameters_take_no_parameter_when_they_run() -> None:
    """`click.ParamType` is generic from click 8.3 on only; type checkers see it everywhere."""
    for file in (ROOT / "framework").rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        bases = [
            base for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for base in node.bases
        ]
        assert [ast.unparse(one) for one in bases if "ParamType[" in ast.unparse(one)] == []
