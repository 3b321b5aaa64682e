"""The definition package and its tests need no package that Pyodide does not have."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

from scripts.pyodide_tests import PYODIDE_NEEDS
from scripts.pythons import PYODIDE_TESTS, ROOT

IMPORT_NAMES = {
    "jinja2": "jinja2",
    "prometheus-client": "prometheus_client",
    "python-liquid": "liquid",
    "pyyaml": "yaml",
}


def run(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "pyodide_tests.py"), *arguments]
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def absent() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [Requirement(text).name for text in project["dependencies"]]
    return [IMPORT_NAMES.get(name, name) for name in names if name not in PYODIDE_NEEDS]


def test_the_tests_are_imported_with_the_packages_of_pyodide_alone() -> None:
    done = run("--collect-only", *PYODIDE_TESTS)

    assert done.returncode == 0, done.stdout
    assert " error" not in done.stdout.splitlines()[-1]
    skipped = [line for line in done.stdout.splitlines() if line.startswith("SKIPPED")]
    assert all(line.endswith("there is no jsonschema for Pyodide") for line in skipped)


def test_packages_that_pyodide_does_not_have_are_not_found(tmp_path: Path) -> None:
    names = sorted({*absent()} - {"jsonschema"})
    for name in names:
        text = f"import {name}\n\n\ndef test_one() -> None: ...\n"
        (tmp_path / f"test_{name}.py").write_text(text)

    done = run(cwd=tmp_path)

    assert len(names) > 8
    assert done.returncode != 0
    missing = [line for line in done.stdout.splitlines() if line.startswith("E ")]
    assert missing == [f"E   ModuleNotFoundError: No module named '{name}'" for name in names]
