"""Exploring: property tests run with a seed that is printed, and the time is bounded."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from scripts.explore import ROOT, explore, property_files

PROPERTY = """
from hypothesis import given, settings, strategies as st

settings.register_profile("explore", derandomize=False)

@given(st.integers())
def test_property(number):
    assert {}

def test_plain():
    raise ValueError
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "test_a.py").write_text(PROPERTY.format("number < 1000"))
    (tmp_path / "test_b.py").write_text("def test_plain():\n    raise ValueError\n")
    (tmp_path / "conftest.py").write_text(
        "from hypothesis import settings\nsettings.register_profile('explore')\n"
    )
    return tmp_path


def test_property_tests_are_found() -> None:
    files = property_files(ROOT / "tests")
    assert str(ROOT / "tests" / "framework" / "triggers" / "test_trigger_properties.py") in files
    assert str(ROOT / "tests" / "test_floor_plan.py") not in files


def test_a_failure_is_printed_with_its_seed(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    files = property_files(folder)
    assert files == [str(folder / "test_a.py")]

    assert explore(files, 7, time.monotonic() + 60, folder) == 1

    said = capfd.readouterr().out
    assert said.startswith("Seed 7\n")
    assert "number = 1000" in said
    assert said.endswith(
        "Found with seed 7. Repeat with: python -m pytest "
        f"{folder}/test_a.py --hypothesis-profile=explore --hypothesis-seed=7\n"
    )


def test_only_properties_are_explored(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "test_a.py").write_text(PROPERTY.format("number == number"))
    assert explore(property_files(folder), 7, time.monotonic() + 60, folder) == 0
    assert capfd.readouterr().out.endswith("Explored all 1 files with seed 7\n")


def test_time_is_bounded(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert explore(property_files(folder), 7, time.monotonic(), folder) == 0
    said = capfd.readouterr().out
    assert said.endswith(f"Time is over; not explored: {folder}/test_a.py\n")
