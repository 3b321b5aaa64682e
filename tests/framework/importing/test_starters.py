"""Starter connection files: what is marked is what validation misses, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.config import Diagnostic, parse_manifest, read_connection
from framework.definition import Action, Destination, to_manifest
from framework.errors import DefinitionError
from framework.importing import open_lines, starter
from framework.linting import MANIFEST, check, model_from_spec
from framework.plugins import load_plugins
from tests.framework.definition.tables import TEXTS, tables

ACME: dict[str, Any] = {
    "name": "Acme Ads",
    "slug": "acme-ads",
    "mode": "cloud",
    "description": "Ads.",
    "authentication": {
        "scheme": "custom",
        "fields": {
            "url": {"label": "Server\nof\u2028yours", "type": "string", "format": "uri",
                    "required": True},
            "path": {"label": "Key", "type": "password", "required": True},
            "region": {"label": "Region", "type": "string", "required": True,
                       "choices": [{"label": "EU", "value": "eu"}, {"label": "US", "value": "us"}]},
            "no": {"label": "Number", "type": "integer", "default": 3},
            "text": {"label": "Text", "type": "string", "default": "${x}", "required": True},
        },
    },
    "actions": {
        "send": {
            "title": "Send: a letter # now",
            "fields": {
                "address": {"label": "Address", "type": "string", "format": "email",
                            "required": True},
                "text": {"label": "Text", "type": "string", "required": True,
                         "default": {"@path": "$.properties.text"}},
                "items": {"label": "Items", "type": "integer", "multiple": True, "required": True},
                "paper": {"label": "Paper", "type": "object", "required": True, "properties": {
                    "size": {"label": "Size", "type": "string", "required": True},
                    "colour": {"label": "Colour", "type": "string"},
                }},
            },
        },
        "cancel": {"title": "Cancel", "defaultSubscription": 'type = "track"', "fields": {}},
    },
}  # fmt: skip

ACME_STARTER = r"""destination: acme-ads
settings:
  url: ""  # TODO: Server of yours (uri)
  path: ${env:ACME_ADS_PATH}  # TODO: set this environment variable: Key
  region: ""  # TODO: Region (one of "eu", "us")
  # "no": 3  # Number
  text: "$${x}"  # Text
subscriptions:
  - name: "Send: a letter # now"
    partnerAction: send
    subscribe: ""  # TODO: for which events, such as type = "track" and event = "Order Completed"
    mapping:
      address: ""  # TODO: Address (email)
      text: {"@path": "$.properties.text"}
      items: ""  # TODO: Items (integer, several)
      paper:
        size: ""  # TODO: Size (string)
        # colour: ""  # Colour
  - name: Cancel
    partnerAction: cancel
    subscribe: "type = \"track\""
    mapping:
"""


def destination_of(manifest: dict[str, Any]) -> Destination:
    destination, findings = parse_manifest(json.dumps(manifest), "metadata.json")
    assert destination is not None, findings.all
    return destination


def errors(text: str, destination: Destination, folder: Path) -> list[Diagnostic]:
    path = folder / "starter.connection.yaml"
    path.write_text(text, encoding="utf-8")
    found = check(read_connection(path), {destination.slug: destination}, model_from_spec())
    return [one for one in found if one.severity == "error"]


def test_each_line_to_complete_says_what_it_takes(tmp_path: Path) -> None:
    destination = destination_of(ACME)
    assert starter(destination) == ACME_STARTER
    marked = open_lines(ACME_STARTER)
    assert [(one.line, one.text) for one in marked[:3]] == [
        (3, "`url`: Server of yours (uri)."),
        (4, "`ACME_ADS_PATH`: set this environment variable: Key."),
        (5, '`region`: Region (one of "eu", "us").'),
    ]
    lines = {one.line for one in errors(ACME_STARTER, destination, tmp_path)}
    assert lines <= {one.line for one in marked}


def test_a_completed_starter_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    destination = destination_of(ACME)
    values = {
        "url": "https://acme.example", "region": "eu", "address": "ada@acme.example", "size": "A4",
        "subscribe": 'type = "track" and event = "Sent"', "items": [1],
    }  # fmt: skip
    lines = ACME_STARTER.splitlines()
    for one in open_lines(ACME_STARTER):
        if not one.variable:
            key = lines[one.line - 1].split(":")[0]
            lines[one.line - 1] = f"{key}: {json.dumps(values.pop(key.strip()))}"
    assert values == {}
    completed = "\n".join(lines)
    missing, *others = errors(completed, destination, tmp_path)
    assert others == []
    assert missing.code == "AD301"
    monkeypatch.setenv("ACME_ADS_PATH", "sesame")
    assert errors(completed, destination, tmp_path) == []


@pytest.mark.parametrize("slug", ["letters", *load_plugins().destinations])
def test_what_validation_misses_is_marked(slug: str, tmp_path: Path) -> None:
    found = load_plugins().destinations.get(slug)
    destination = destination_of(MANIFEST) if found is None else found.definition
    text = starter(destination)
    marked = {one.line for one in open_lines(text)}
    assert {one.line for one in errors(text, destination, tmp_path)} == marked


@settings(max_examples=60, deadline=None)
@given(tables(1), tables(2), TEXTS, st.none() | st.just('type = "track"'))
def test_a_starter_of_any_fields_can_be_read(
    tmp_path_factory: pytest.TempPathFactory, wanted: Any, fields: Any, title: str, trigger: Any
) -> None:
    """Its errors are of marked lines, or of values that the definition itself gives."""
    try:
        destination = Destination(
            slug="any",
            name=title or "Any",
            settings=wanted,
            actions=[Action(slug="send", title=title or "Send", trigger=trigger, payload=fields)],
        )
    except DefinitionError:
        return
    destination = destination_of(json.loads(json.dumps(to_manifest(destination))))
    text = starter(destination)
    assert yaml.safe_load(text)["destination"] == "any"
    marked = {one.line for one in open_lines(text)}
    lines = text.splitlines()
    for one in errors(text, destination, tmp_path_factory.mktemp("any")):
        given_ = ': ""' not in lines[one.line - 1]
        assert one.line in marked or given_, (one, text)
