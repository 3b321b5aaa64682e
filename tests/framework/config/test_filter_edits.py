"""Destination filters are edited in place: comments, form and keys of the host stay."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from framework.config import ConnectionFile, parse_connection
from framework.config.connection_edits import ConnectionDraft, edit_connection, new_connection
from framework.definition import Destination, Settings, read_filters
from framework.errors import ConfigurationError

DESTINATION = Destination(slug="acme", name="Acme", settings=Settings, actions=[])
PLAIN = "# Ours.\ndestination: acme\n"
FILTERS = """\
filters:
  # Asked for by Ada.
  - title: No machines  # theirs
    id: f-1
    if: all
    enabled: true
    actions:
      # First those of the event.
      - type: DROP_PROPERTIES
        fields: {context: [ip]}  # also of IPv6
      - {type: SAMPLE, percent: 0.5, path: userId}

  # None from the office.
  - if: context.traits.email = "ada@example.org"
    actions: [{type: DROP}]
# The end.
"""


def read(text: str, file: str = "acme.connection.yaml") -> ConnectionFile:
    reading = parse_connection(text, file, Path(), {})
    assert reading.connection, [one.message for one in reading.diagnostics]
    return reading.connection


def edit(change: Callable[[list[Any]], object], text: str = PLAIN + FILTERS) -> str:
    """Return the text after *change* to the filters as the page gets them."""
    file = read(text)
    filters: list[Any] = [one.to_json() for one in file.filters]
    change(filters)
    draft = ConnectionDraft(settings={}, subscriptions=[], filters=filters)
    new = edit_connection(text, file, DESTINATION, draft).text
    wanted = read_filters(filters)
    assert sorted(map(repr, read(new).filters)) == sorted(map(repr, wanted))
    return new


def difference(new: str, old: str = PLAIN + FILTERS) -> list[str]:
    lines = difflib.ndiff(old.splitlines(), new.splitlines())
    return [line for line in lines if line.startswith(("+ ", "- "))]


NEW = {"if": 'type = "page"', "actions": [{"type": "DROP"}]}


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (lambda _: None, []),
        (
            lambda it: it[0].update(title="No devices"),
            ["-   - title: No machines  # theirs", '+   - title: "No devices"  # theirs'],
        ),
        (
            lambda it: it[0].update({"if": 'type = "track"', "enabled": False}),
            [
                "-     if: all",
                "-     enabled: true",
                "+     if: 'type = \"track\"'",
                "+     enabled: false",
            ],
        ),
        (
            lambda it: it[1].update(title="Office"),
            ["+     title: Office"],
        ),
        (
            lambda it: it[0]["actions"][0]["fields"].update({"context": ["ip", "os"]}),
            [
                "-         fields: {context: [ip]}  # also of IPv6",
                '+         fields: {context: ["ip", "os"]}  # also of IPv6',
            ],
        ),
        (
            lambda it: it[0]["actions"][1].update(percent=0.1),
            [
                "-       - {type: SAMPLE, percent: 0.5, path: userId}",
                "+       - {type: SAMPLE, percent: 0.1, path: userId}",
            ],
        ),
        (
            lambda it: it[0]["actions"].pop(),
            ["-       - {type: SAMPLE, percent: 0.5, path: userId}"],
        ),
        (
            lambda it: it[1]["actions"].append({"type": "SAMPLE", "percent": 0.5}),
            [
                "-     actions: [{type: DROP}]",
                '+     actions: [{type: DROP}, {"type": "SAMPLE", "percent": 0.5}]',
            ],
        ),
        (
            lambda it: it[1].update(actions=[{"type": "SAMPLE", "percent": 0}]),
            [
                "-     actions: [{type: DROP}]",
                '+     actions: [{type: "SAMPLE", "percent": 0}]',
            ],
        ),
        (
            lambda it: it.pop(),
            [
                '-   - if: context.traits.email = "ada@example.org"',
                "-     actions: [{type: DROP}]",
            ],
        ),
        (
            lambda it: it.append(NEW),
            ["+   - if: 'type = \"page\"'", '+     actions: [{"type": "DROP"}]'],
        ),
    ],
)
def test_only_the_lines_of_a_change_change(
    change: Callable[[list[Any]], object], lines: list[str]
) -> None:
    assert sorted(difference(edit(change))) == sorted(lines)


def test_a_first_filter_has_lines_of_its_own() -> None:
    new = edit(lambda it: it.append({"title": "Pages", **NEW}), PLAIN)
    assert new == PLAIN + (
        'filters:\n  - title: Pages\n    if: \'type = "page"\'\n    actions: [{"type": "DROP"}]\n'
    )


def test_without_a_filter_the_key_is_gone() -> None:
    assert edit(lambda it: it.clear()) == f"{PLAIN}# The end.\n"
    assert edit(lambda _: None, f"{PLAIN}filters: []\n") == f"{PLAIN}filters: []\n"


def test_lists_in_flow_style_lose_an_item() -> None:
    text = f"{PLAIN}filters: [{json.dumps(NEW)}, {{if: all, actions: [{{type: DROP}}]}}]  # two\n"
    for index, left in enumerate(["{if: all, actions: [{type: DROP}]}", json.dumps(NEW)]):
        new = edit(lambda it, at=index: it.pop(at), text)  # type: ignore[misc]
        assert new == f"{PLAIN}filters: [{left}]  # two\n"
    whole = {"destination": "acme", "filters": [NEW, {**NEW, "if": "all"}]}
    new = edit(lambda it: it.pop(), json.dumps(whole))
    assert json.loads(new) == {"destination": "acme", "filters": [NEW]}


def test_invalid_filters_are_refused() -> None:
    text = PLAIN + FILTERS
    wrong = {"if": "", "actions": []}
    draft = ConnectionDraft(settings={}, subscriptions=[], filters=[wrong])
    with pytest.raises(ConfigurationError, match=r"`filters\[0\].if` is required"):
        edit_connection(text, read(text), DESTINATION, draft)


def test_a_new_file_has_them() -> None:
    draft = ConnectionDraft(settings={}, subscriptions=[], filters=[NEW])
    made = read(new_connection(DESTINATION, draft).text)
    assert [one.to_json() for one in made.filters] == [NEW]
