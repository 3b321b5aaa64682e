"""Destination filters of a connection file, in every command that uses it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from click.testing import Result

Actions: TypeAlias = Callable[..., Result]
Write: TypeAlias = Callable[..., Path]

FILTERS = """\
filters:
  - title: No coffee
    if: properties.thing = "coffee"
    actions: [{type: DROP}]
  - title: Some milk
    if: properties.thing = "milk"
    actions: [{type: SAMPLE, percent: 0, path: messageId}]
  - if: all
    actions: [{type: DROP_PROPERTIES, fields: {properties: [note]}}]
"""
THINGS = ["tea", "coffee", "milk", {"type": "identify"}]
DROPPED = "The filter `No coffee` drops the event."
SAMPLED = "The filter `Some milk` keeps 0% of the events by `$.messageId`, without this one."


@pytest.fixture
def filtered(connection: Path) -> Path:
    connection.write_text(FILTERS + connection.read_text())
    return connection


@pytest.mark.parametrize("options", [(), ("--processes", "2")])
def test_a_run_counts_what_is_filtered(
    run_actions: Actions, filtered: Path, write_events: Write, options: tuple[str, ...]
) -> None:
    """Events that no filter drops are delivered; those dropped have outcomes of their own."""
    events = write_events(THINGS)
    outcomes = events.with_suffix(".outcomes")
    result = run_actions(
        "run", "-c", filtered, "-e", events, "--sandbox", "--outcomes", outcomes, *options
    )
    assert result.exit_code == 0, result.output
    rows = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert f"Orders skipped 1 FILTERED {DROPPED}" in rows
    assert f"Orders skipped 1 SAMPLED {SAMPLED}" in rows
    written = [json.loads(line) for line in outcomes.read_text().splitlines()]
    assert sorted((one["line"], one["outcome"], one.get("code")) for one in written) == [
        (1, "delivered", None),
        (2, "skipped", "FILTERED"),
        (3, "skipped", "SAMPLED"),
        (4, "skipped", "NOT_MATCHED"),
    ]


def test_an_explanation_shows_the_filters(
    run_actions: Actions, filtered: Path, write_events: Write
) -> None:
    tea = {"type": "track", "messageId": "m1", "properties": {"thing": "tea", "note": "hot"}}
    events = write_events([tea, "coffee"])
    shown = run_actions("explain", "-c", filtered, "--event", events).output.splitlines()
    first, second = shown[: shown.index("")], shown[shown.index("") + 1 :]
    assert first[1:4] == [
        "  ✗ filter Some milk: SAMPLE   (The condition is not met.)",
        "  ✗ filter No coffee: DROP   (The condition is not met.)",
        "  ✓ filter number 3: DROP_PROPERTIES   (Removed `$.properties.note`.)",
    ]
    assert second[1:3] == [
        "  ✗ filter Some milk: SAMPLE   (The condition is not met.)",
        f"  ✓ filter No coffee: DROP   ({DROPPED})",
    ]
    assert second[-2:] == [f"    outcome: skipped FILTERED: {DROPPED}", ""]
    told = json.loads(run_actions("explain", "-c", filtered, "--event", events, "--json").stdout)
    assert [step["matched"] for step in told[1]["filters"]] == [False, True]
    assert told[1]["nearest"] is None


def test_a_test_file_may_expect_what_is_filtered(
    run_actions: Actions, filtered: Path, tmp_path: Path
) -> None:
    cases = tmp_path / "shop.test.yaml"
    event: dict[str, Any] = {"type": "track", "properties": {"thing": "coffee"}}
    expect = {"Orders": {"outcome": "skipped", "code": "FILTERED"}}
    cases.write_text(
        json.dumps(
            {
                "connection": filtered.name,
                "environment": {"SHOP_KEY": "any"},
                "tests": [{"name": "No coffee", "events": [event], "expect": [expect]}],
            }
        )
    )
    result = run_actions("test", cases)
    assert "No coffee: passed" in result.output, result.output


def test_commands_refuse_invalid_filters(
    run_actions: Actions, connection: Path, write_events: Write
) -> None:
    """Every problem with its position; nothing is read or sent."""
    given = (
        "filters:\n  - if: type == 'x'\n    actions: [{type: DROP}]\n"
        "  - if: all\n    actions: [{type: SAMPLE, percent: 10}, {type: DROPP}]\n"
    )
    connection.write_text(given + connection.read_text())
    for command in (
        ("validate", connection),
        ("run", "-c", connection, "-e", write_events(["tea"]), "--sandbox"),
    ):
        result = run_actions(*command)
        assert result.exit_code != 0
        for code, place in (("AD411", "2:14"), ("AD209", "5:39"), ("AD209", "5:51")):
            assert f"error[{code}]" in result.output
            assert f":{place}" in result.output


@pytest.mark.parametrize("word", ["ALL", "'*'", "'true'", "every event"])
def test_words_for_every_event_are_answered_with_all(
    run_actions: Actions, connection: Path, word: str
) -> None:
    """A filter's condition may be `all`, which a trigger cannot be."""
    filters = f"filters: [{{if: {word}, actions: [{{type: DROP}}]}}]\n"
    connection.write_text(filters + connection.read_text())
    output = run_actions("validate", connection).output
    assert "is not a condition; every event matches `all`." in output
    assert 'type != ""' not in output


def test_generated_tests_are_filtered_as_events_are(run_actions: Actions, connection: Path) -> None:
    dropped = "filters: [{if: all, actions: [{type: DROP}]}]\n"
    connection.write_text(dropped + connection.read_text())
    made = run_actions("test", "--generate", connection)
    assert made.exit_code == 0, made.output
    (file,) = connection.parent.glob("*.test.yaml")
    assert "payload" not in file.read_text()
    ran = run_actions("test", file)
    assert ran.exit_code == 0, ran.output
