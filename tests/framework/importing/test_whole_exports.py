"""Several files become one export: references, repetitions, and what is missing of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import destinations.criteo_audiences
from framework.importing import Export, ImportedConnection, import_connections, read_exports
from framework.plugins import open_plugin
from tests.framework.importing.exports import (
    Json,
    Workspace,
    imported_documents,
)

CRITEO = open_plugin(destinations.criteo_audiences).definition
INSTALLED = {CRITEO.slug: CRITEO}
SETTINGS = {"advertiser_id": "12345", "client_id": "an-app"}
ADDING = {
    "name": "Add users",
    "action": "addUserToAudience",
    "trigger": 'type = "track" and event = "Audience Entered"',
    "mapping": {"audience_key": "spring", "email": {"@path": "$.context.traits.email"}},
}
DROPPING = {"id": "f1", "title": "F", "if": "all", "enabled": True, "actions": [{"type": "DROP"}]}
MANIFEST: Json = {
    "slug": CRITEO.slug,
    "name": CRITEO.name,
    "authentication": {"fields": {}},
    "actions": {
        "addUserToAudience": {"fields": {}},
        "removeUserFromAudience": {"fields": {}},
    },
}
WORKSPACE = Workspace(MANIFEST, SETTINGS, [ADDING], [DROPPING])


def one_of(documents: list[Any]) -> ImportedConnection:
    (found,) = imported_documents(documents, INSTALLED)
    return found


def switches(one: ImportedConnection) -> tuple[bool, list[bool]]:
    """Return whether a connection is enabled, and whether its subscriptions are."""
    document = yaml.safe_load(one.text)
    return document.get("enabled", True), [
        each.get("enabled", True) for each in document["subscriptions"]
    ]


@pytest.mark.parametrize("form", ["answers", "catalogue", "state", "show"])
def test_what_is_exported_twice_counts_once(form: str) -> None:
    """The same request made twice, or a folder with a copy."""
    documents = WORKSPACE.documents(form)
    one = one_of([*documents, *json.loads(json.dumps(documents))])
    identified = form in {"answers", "catalogue"}
    assert one.filters == 1 if identified else one.filters
    assert one.subscriptions == (1 if identified else 2)


def test_a_state_and_an_answer_hold_the_same() -> None:
    (state,) = WORKSPACE.documents("state")
    for resource in state["resources"]:
        kind, body = resource["type"], resource["instances"][0]["attributes"]
        body["id"] = {"segment_destination": "d1", "segment_destination_filter": "f1"}.get(
            kind, "x0"
        )
    one = one_of([state, *WORKSPACE.documents("answers")])
    assert (one.subscriptions, one.filters) == (1, 1)


def test_a_state_comes_before_configuration() -> None:
    """A folder of Terraform holds both; what is in the state is not taken twice."""
    (configuration, entry), (state,) = WORKSPACE.documents("tf.json"), WORKSPACE.documents("state")
    one = one_of([configuration, entry, state])
    assert (one.subscriptions, one.filters, one.active) == (1, 1, 1)


def test_references_between_files() -> None:
    (configuration, entry) = WORKSPACE.documents("tf.json")
    files = [{"resource": {kind: named}} for kind, named in configuration["resource"].items()]
    one = one_of([*reversed(files), entry])
    assert (one.subscriptions, one.filters, switches(one)) == (1, 1, (True, [True]))


def test_a_plan_is_read() -> None:
    (shown,) = WORKSPACE.documents("show")
    plan = {"format_version": "1.2", "terraform_version": "1.9", "planned_values": shown["values"]}
    assert one_of([plan]).subscriptions == 1


def test_an_instance_without_attributes_is_none() -> None:
    (state,) = WORKSPACE.documents("state")
    state["resources"][1]["instances"] += [{"attributes": None}, {}]
    assert one_of([state]).subscriptions == 1


def changed(kind: str, **given: Any) -> list[Any]:
    """Return configuration with other values of a resource."""
    (configuration, entry) = WORKSPACE.documents("tf.json")
    named = configuration["resource"][f"segment_destination{kind}"]
    for group in named if isinstance(named, list) else [named]:
        for body in group.values():
            body.update(given)
    return [configuration, entry]


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        ("", {"enabled": "false"}, (False, [True])),
        ("", {"enabled": "true"}, (True, [True])),
        ("", {"enabled": "${var.on}"}, (False, [True])),
        ("", {"count": 2}, (False, [True])),
        ("_subscription", {"enabled": "false"}, (True, [False])),
        ("_subscription", {"enabled": "${var.on}"}, (True, [False])),
        ("_subscription", {"count": 1}, (True, [True])),
        ("_subscription", {"count": 0}, (True, [])),
        ("_subscription", {"for_each": []}, (True, [])),
        ("_subscription", {"count": "${var.number}"}, (True, [False])),
        ("_subscription", {"for_each": {"a": 1, "b": 2}}, (True, [False])),
        ("_subscription", {"trigger": 'event = "${each.key}"'}, (True, [False])),
        ("_subscription", {"settings": "${jsonencode(local.mapping)}"}, (True, [False])),
        ("_subscription", {"settings": '{"email": {"@path": "${var.path}"}}'}, (True, [False])),
        ("_subscription", {"settings": '{"email": {"@template": "{{a}}${var.x}"}}'},
         (True, [False])),
        ("_filter", {"enabled": "false"}, (True, [True])),
        ("_filter", {"enabled": "${var.on}"}, (False, [True])),
        ("_filter", {"for_each": {"a": 1}}, (False, [True])),
        ("_filter", {"count": 0}, (True, [True])),
        ("_filter", {"if": 'context.app.name = "${var.app}"'}, (False, [True])),
        ("_filter", {"actions": [{"type": "SAMPLE", "percent": "0.5"}]}, (True, [True])),
        ("_filter", {"actions": [{"type": "SAMPLE", "percent": "${var.share}"}]}, (False, [True])),
        ("_filter", {"actions": [{"type": "DROP_PROPERTIES", "fields": "${var.fields}"}]},
         (False, [True])),
        ("_filter",
         {"actions": [{"type": "DROP_PROPERTIES", "fields": '{"context": ["$${ip}"]}'}]},
         (True, [True])),
    ],
)  # fmt: skip
def test_what_only_terraform_can_compute_is_switched_off(
    kind: str, given: Json, expected: tuple[bool, list[bool]]
) -> None:
    """Texts are read as Terraform converts them; an expression is never taken as a value."""
    assert switches(one_of(changed(kind, **given))) == expected


def page(part: str, current: str, following: str, items: list[Json]) -> Json:
    return {"data": {part: items, "pagination": {"current": current, "next": following}}}


@pytest.mark.parametrize(
    ("more", "enabled"),
    [
        ([page("filters", "MA==", "MQ==", [{**DROPPING, "destinationId": "d1"}])], False),
        ([page("filters", "MA==", "MQ==", [])], False),
        ([page("filters", "MA==", "MQ==", [{**DROPPING, "destinationId": "d2"}])], True),
        ([page("filters", "MA==", "MQ==", [{**DROPPING, "destinationId": "d1"}]),
          page("filters", "MQ==", "", [{**DROPPING, "id": "f2", "destinationId": "d1"}])], True),
        ([page("filters", "MA==", "MQ==", [{**DROPPING, "destinationId": "d1"}]),
          page("filters", "MQ==", "", [])], True),
        ([page("subscriptions", "MA==", "MQ==", [])], True),
        ([{"errors": [{"type": "forbidden"}]}], False),
    ],
)  # fmt: skip
def test_a_connection_with_filters_missing_is_disabled(more: list[Json], *, enabled: bool) -> None:
    """More would be sent than before."""
    documents = WORKSPACE.documents("answers")[:2]
    assert switches(one_of([*documents, *more]))[0] is enabled


def written(folder: Path, content: dict[str, bytes]) -> Export:
    for name, each in content.items():
        (folder / name).write_bytes(each)
    return read_exports([folder])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_encodings_of_files(tmp_path: Path, encoding: str) -> None:
    """PowerShell writes the output of a command as UTF-16."""
    texts = [json.dumps(one) for one in WORKSPACE.documents("answers")]
    export = written(tmp_path, {f"{n}.json": text.encode(encoding) for n, text in enumerate(texts)})
    (one,) = import_connections(export, INSTALLED)
    assert (one.subscriptions, one.filters, switches(one)[0]) == (1, 1, True)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"data": {"filters": [{"id',
        b"\xff\x00\xfe",
        b"[" * 100_000,
        b'{"data": ' * 300 + b"1" + b"}" * 300,
    ],
)
@pytest.mark.parametrize("suffix", ["json", "yaml", "tfstate"])
def test_a_file_that_cannot_be_read_may_have_held_a_filter(
    tmp_path: Path, content: bytes, suffix: str
) -> None:
    texts = [json.dumps(one).encode() for one in WORKSPACE.documents("answers")[:2]]
    files = {f"{n}.json": text for n, text in enumerate(texts)}
    export = written(tmp_path, {**files, f"filters.{suffix}": content})
    (one,) = import_connections(export, INSTALLED)
    assert switches(one)[0] is False
    assert any("could not be read" in note.text for note in one.notes)


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_numbers_that_json_does_not_have(tmp_path: Path, number: str) -> None:
    export = written(
        tmp_path, {"1.json": b'{"data": {"destination": {"id": %b}}}' % number.encode()}
    )
    (note,) = export.notes
    assert note.text == "The file is not valid JSON: a number is infinite or not a number."


def test_the_size_of_a_file_is_limited() -> None:
    export = read_exports([Path("/dev/zero")])
    assert [note.text for note in export.notes] == ["The file is larger than 16 MiB."]


PLAIN = "hidden-value-0123"
SECRETS: Json = {
    "headers": {"X-Own": f"Bearer {PLAIN}", "Authorization": PLAIN},
    "list": [{"name": "X-Api-Key", "value": PLAIN}, {"key": "password", "value": PLAIN}],
    "deep": {"credentials": {"inner": {"x": PLAIN}}},
    "tokens": [PLAIN],
    "url": f"https://user:{PLAIN}@example.com/",
    "hook": f"https://example.com/?a=1&api_key={PLAIN}",
    "apiKey": 1234509876,
}
PUBLIC: Json = {
    "url": "https://example.com/a:b?monkey=1&x=2#token",
    "tokenTtl": 3600,
    "useToken": True,
    "headers": {"Accept": "application/json"},
    "list": [{"name": "Accept", "value": "basic"}],
    "audience_key": "spring",
}


UNKNOWN: Json = {**MANIFEST, "slug": "unknown", "actions": {}}
NAMED = ("answers", "state", "show")
"""Forms that name actions, so that nothing needs to be known of the destination."""


@pytest.mark.parametrize("form", NAMED)
def test_secrets_at_any_depth(form: str) -> None:
    """By the name of a key on the way, by the name of an item, or by the look of a value."""
    mapping = {
        **SECRETS,
        "api_key": {"@if": {"exists": {"@path": "$.a"}, "then": PLAIN, "else": PLAIN}},
        "password": {"@case": {"operator": "lower", "value": PLAIN}},
        "link": {"@template": f"https://example.com/{{{{userId}}}}?token={PLAIN}"},
    }
    workspace = Workspace(UNKNOWN, SECRETS, [{**ADDING, "mapping": mapping}], name="S")
    (one,) = imported_documents(workspace.documents(form))
    assert PLAIN not in one.text
    assert "1234509876" not in one.text
    assert not any(PLAIN in note.text for note in one.notes)
    assert len(one.variables) == 9
    assert switches(one)[1] == [False]


@pytest.mark.parametrize("form", NAMED)
def test_what_only_looks_like_secrets_is_kept(form: str) -> None:
    mapping = {
        **PUBLIC,
        "token": {"@path": "$.properties.token"},
        "api_keys": {"@arrayPath": ["$.properties.list", {"key": {"@path": "$.key"}}]},
        "header": {"@template": "Bearer {{properties.token}}"},
    }
    workspace = Workspace(UNKNOWN, PUBLIC, [{**ADDING, "mapping": mapping}], name="S")
    (one,) = imported_documents(workspace.documents(form))
    document = yaml.safe_load(one.text)
    assert document["settings"] == PUBLIC
    assert document["subscriptions"][0]["mapping"] == mapping
