"""Mapping test files: read with every problem at once, rewritten without touching the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from framework.cli.app import actions
from framework.config import load_cases, rewritten
from framework.errors import ConfigurationError

FILE = """\
# Kept.
connection: ours.connection.yaml
environment: {NAME: value}

tests:
  - name: First
    # Kept, too.
    events:
      - {type: track}
    expect:
      - Add: {payload: {a: 1}}
    calls: []
  - events: [{type: page}]
"""

CONNECTION = """\
destination: actions-criteo-audiences
settings: {advertiser_id: "1", client_id: "${env:NAME}", client_secret: "${env:NAME}"}
subscriptions: [{partnerAction: addUserToAudience}]
"""


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "ours.test.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_file_holds_tests_and_names_its_connection(tmp_path: Path) -> None:
    read = load_cases(write(tmp_path, FILE))

    assert read.connection == tmp_path / "ours.connection.yaml"
    assert read.environment["NAME"] == "value"
    first, second = read.cases
    assert (first.name, first.events) == ("First", [{"type": "track"}])
    assert (first.expect, first.calls) == ([{"Add": {"payload": {"a": 1}}}], [])
    assert (second.name, second.expect, second.calls) == ("test 2", None, None)


@pytest.mark.parametrize("ending", ["yaml", "json"])
def test_the_connection_next_to_the_file_is_the_default(tmp_path: Path, ending: str) -> None:
    (tmp_path / f"ours.connection.{ending}").write_text("{}", encoding="utf-8")

    read = load_cases(write(tmp_path, "tests: [{events: [{type: page}]}]"))

    assert read.connection == tmp_path / f"ours.connection.{ending}"


def test_rewriting_replaces_what_is_expected_and_nothing_else(tmp_path: Path) -> None:
    read = load_cases(write(tmp_path, FILE))

    text = rewritten(read, {0: {"expect": [{"Add": {"payload": {"a": 2}}}], "calls": []}})

    assert text == FILE.replace(
        "      - Add: {payload: {a: 1}}\n", "    - Add:\n        payload:\n          a: 2\n"
    )


def test_rewriting_adds_what_was_not_there(tmp_path: Path) -> None:
    read = load_cases(write(tmp_path, FILE))

    text = rewritten(read, {1: {"expect": [{}]}})

    assert text == FILE + "    expect:\n    - {}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "tests: [{events: EVENTS, expect: [{A: {}}]}]\n",
            "tests: [{events: EVENTS, expect: [{}]}]\n",
        ),
        (
            "tests:\n- {events: EVENTS, expect: [{A: {}}]}\n- events: EVENTS\n",
            "tests:\n- {events: EVENTS, expect: [{}]}\n- events: EVENTS\n",
        ),
        (
            "tests:\n  - expect: [\n      {A: {}},\n    ]\n    events: EVENTS\n",
            "tests:\n  - expect: [{}]\n    events: EVENTS\n",
        ),
        (
            "tests:\n  - events: EVENTS\n    expect:\n\n      - A: {}\n    name: n # y\n",
            "tests:\n  - events: EVENTS\n    expect: [{}]\n    name: n # y\n",
        ),
        (
            '{"tests": [\n  {"events": EVENTS,\n   "expect": [{"A": {}}]}]}\n',
            '{"tests": [\n  {"events": EVENTS,\n   "expect": [{}]}]}\n',
        ),
    ],
)  # fmt: skip
def test_other_forms_than_blocks_are_rewritten_in_place(
    tmp_path: Path, text: str, expected: str
) -> None:
    """In braces, in JSON, over several lines, and with blank lines."""
    text, expected = (one.replace("EVENTS", '[{"type": "a"}]') for one in (text, expected))
    assert rewritten(load_cases(write(tmp_path, text)), {0: {"expect": [{}]}}) == expected


def test_what_an_alias_repeats_is_not_rewritten(tmp_path: Path) -> None:
    text = (
        "tests:\n  - events: [{type: a}]\n    expect: &x [{A: {}}]\n"
        "  - events: [{type: a}]\n    expect: *x\n"
    )
    with pytest.raises(ConfigurationError, match=r"`tests\[0\]\.expect` in `.*` cannot be changed"):
        rewritten(load_cases(write(tmp_path, text)), {0: {"expect": [{}]}})


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("[]", ["1:1: A test file must be an object, got a list.", "1:1: `tests` is required."]),
        (
            "tests: [{events: [], expected: []}]",
            ["1:22: A test has no key `expected`. Known keys: name, events, expect, calls."],
        ),
        ("tests: [{events: 1}]", ["1:9: `events` must be a list of objects.",
                                  "1:18: `events` must be a list, got a number."]),
        (
            "tests: [{events: [{type: a}, {type: b}], expect: [{}]}]",
            ["1:42: `expect` must have one object for each of the 2 events."],
        ),
        (
            "tests: [{events: [{type: a}], expect: [{A: {paylod: {}, outcome: lost, code: 1}}]}]",
            ["1:45: A result has no key `paylod`. Known keys: outcome, code, payload, includes.",
             "1:66: `outcome` must be one of delivered, failed, skipped, unconfirmed, accepted.",
             "1:78: `code` must be a string, got a number."],
        ),
        (
            "tests: [{events: [{type: a}], expect: [{A: 1}], calls: [{verb: GET}]}]",
            ["1:44: A result must be an object, got a number.",
             "1:58: A request has no key `verb`. Known keys: method, url, body, includes."],
        ),
        (
            "tests: [{events: [{event: a}]}]",
            ['1:19: The object has no `type` (such as "track"), so it is no event.'],
        ),
        (
            "tests: [{events: [{batch: [{type: page, userId: u}]}]}]",
            [
                (
                    '1:19: The object has no `type` (such as "track"), so it is no event. It looks '
                    "like the request body of a tracking client, with an event in `batch`. Write "
                    "each event as an item of its own."
                )
            ],
        ),
    ],
)  # fmt: skip
def test_all_problems_are_reported_at_once(tmp_path: Path, text: str, problems: list[str]) -> None:
    file = write(tmp_path, text)

    with pytest.raises(ConfigurationError) as caught:
        load_cases(file)

    assert [f"{file}:{problem}" for problem in problems] == list(caught.value.problems)


def test_validate_takes_test_files_for_what_they_are(tmp_path: Path) -> None:
    """The tests' own problems are reported, and what keeps their connection from being used."""
    good, bad = write(tmp_path, FILE), tmp_path / "bad.test.yaml"
    (tmp_path / "ours.connection.yaml").write_text(CONNECTION, encoding="utf-8")
    bad.write_text("tests: [{events: [], expected: []}]", encoding="utf-8")

    passed = CliRunner().invoke(actions, ["validate", str(good)])
    failed = CliRunner().invoke(actions, ["validate", str(bad)])

    assert passed.exit_code == 0
    assert "error[AD203]: A test has no key `expected`." in failed.output
    assert failed.exit_code == 1
