"""What is said of measurements follows from the measurements alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.figures import BARE, OURS, PEER, Spread, exponent, ratio, same, short
from benchmarks.goals import GOALS, Goal, speed
from benchmarks.parts import PARTS
from benchmarks.report import MARK, page, table

HERE = Path(__file__).parents[2] / "benchmarks"
FASTER = Goal("a file", "audience", "≥", 10, "times the reference", speed)
SCRIPTS = sorted(
    path for path in HERE.glob("*.py") if "ArgumentParser(" in path.read_text(encoding="utf-8")
)


def rates(*pairs: tuple[int, int]) -> list[dict[str, dict[str, Any]]]:
    return [{OURS: {"median_per_s": ours}, PEER: {"median_per_s": peer}} for ours, peer in pairs]


def test_ratios_are_taken_inside_rounds() -> None:
    """The second round was three times as slow for both, and changes nothing."""
    found = ratio(rates((300, 30), (110, 10), (270, 30)), "median_per_s", OURS, PEER)
    assert found == Spread(10, 9, 11)
    assert str(found) == "10 (9 to 11)"


def test_there_is_no_ratio_to_an_engine_that_did_not_take_part() -> None:
    assert ratio([{OURS: {"median_per_s": 1}}], "median_per_s", OURS, PEER) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [(157384.4, "157,384"), (100, "100"), (6.3871, "6.39"), (0.0912, "0.0912"), (10, "10")],
)
def test_numbers_have_the_digits_that_a_measurement_is_good_for(value: float, text: str) -> None:
    assert short(value) == text


@pytest.mark.parametrize(
    ("costs", "power"),
    [
        ({1: 3, 10: 30}, 1),
        ({1: 3, 5: 3, 50: 3}, 0),
        ({10: 1, 100: 100}, 2),
        ({10_000: 2, 100_000: 3, 1_000_000: 30}, 1),
    ],
)
def test_growth_is_told_as_a_power(costs: dict[int, float], power: float) -> None:
    points = [{"size": size, "cost": cost} for size, cost in costs.items()]
    assert exponent(points) == pytest.approx(power)


@pytest.mark.parametrize(("other", "equal"), [("a", True), ("b", False)])
def test_engines_are_compared_only_where_the_partner_was_sent_the_same(
    other: str, *, equal: bool
) -> None:
    rounds = [{OURS: {"sha256": "a"}, BARE: {}, PEER: {"sha256": other}}]
    assert same(rounds) is equal


@pytest.mark.parametrize(
    ("figures", "row"),
    [
        ({"rounds": rates((20, 2), (30, 2), (40, 2))}, ("15 (10 to 20)", "met")),
        ({"rounds": rates((199, 20))}, ("9.95", "**not met**")),
        ({"rounds": [{OURS: {}}]}, ("", "not measured: the reference did not take part")),
        ({"skipped": "no room"}, ("", "not measured: no room")),
        (None, ("", "not measured: it was not run")),
    ],
)
def test_the_median_decides_whether_a_goal_is_met(
    figures: dict[str, Any] | None, row: tuple[str, str]
) -> None:
    known = {} if figures is None else {"audience": figures}
    assert FASTER.row(known) == ("a file", "≥ 10 times the reference", *row)


def test_every_goal_is_of_a_part_that_is_run() -> None:
    assert {goal.part for goal in GOALS} <= set(PARTS)


def test_tables_are_markdown() -> None:
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_a_page_keeps_what_stands_above_its_tables() -> None:
    written = page(f"# Title\n\n{MARK}\n\nold", {})
    assert written.startswith(f"# Title\n\n{MARK}\n\n## Goals")
    assert page(written, {}) == written


def test_the_tables_are_those_of_the_figures() -> None:
    """Nobody writes a verdict by hand; `run.py --only nothing` writes the tables anew."""
    text = (HERE / "README.md").read_text(encoding="utf-8")
    figures = json.loads((HERE / "figures.json").read_text(encoding="utf-8"))
    assert page(text, figures) == text


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_script_tells_how_it_is_used(script: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(script), "--help"], capture_output=True, check=True, text=True
    )
    assert done.stdout.startswith(f"usage: {script.name}")
