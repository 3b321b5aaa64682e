"""Exports of Segment become connection files that validate; what differs is noted."""

from __future__ import annotations

import json
import re
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

import destinations.criteo_audiences
from framework.config import parse_connection
from framework.definition import (
    Action,
    Destination,
    Field,
    Migration,
    RenameAction,
    RenameField,
    from_manifest,
)
from framework.importing import ImportedConnection, Note, import_report, summary
from framework.linting import choose, model_from_spec, validate
from framework.plugins import open_plugin
from tests.framework.importing.exports import (
    FORMS,
    Json,
    Workspace,
    imported,
    imported_documents,
    metadata_of,
)

SECRET = "s3cret-value-0123"
CRITEO = open_plugin(destinations.criteo_audiences).definition
TYPES = ("string", "number", "boolean", "object", "datetime", "text")
PATHS = ("$.properties.a", "$.userId", "$.context.ip", "$.traits.email", "$.event", "$.timestamp")
WORDS = ("Order Completed", "a|b", 'say "hi"', "it's", "${env:X}", "%{if}", "Ünïcode", "tab\there")
CONDITIONS = (
    'type = "track"',
    'type = "track" and event = "Order Completed"',
    'event = "a" or event = "b" and properties.total > 5',
    "context.ip != null",
    'type == "track"',
    "type = ",
    "",
)


def field_of(random: Random) -> Json:
    kind = random.choice(TYPES)
    default: Any = random.choice([None, {"@path": random.choice(PATHS)}, random.choice(WORDS)])
    return {
        "label": random.choice(WORDS),
        "description": "",
        "type": kind,
        "required": random.random() < 0.3,
        "default": default if kind in {"string", "text"} else None,
    }


def value_of(random: Random) -> Any:
    return random.choice(
        [
            {"@path": random.choice(PATHS)},
            {"@template": "{{properties.a}} ${x}"},
            {"@if": {"exists": {"@path": "$.userId"}, "then": {"@path": "$.userId"}}},
            {"@nonsense": 1},
            random.choice(WORDS),
            {"a": {"@path": random.choice(PATHS)}, "b": None},
            [1, 2.5, True],
            None,
        ]
    )


def table_of(actions: Json, action: str) -> Json:
    table: Json = actions.get(action, {}).get("fields", {})
    return table


def made_up(number: int) -> Workspace:
    """Return a workspace with much of what exports may hold; numbers give the same again."""
    random = Random(number)  # noqa: S311 - the same each time
    fields = {
        f"s{n}": {"label": "S", "description": "", "type": kind, "required": n == 0}
        for n, kind in enumerate(random.choices(("string", "password", "boolean"), k=3))
    }
    actions = {
        f"action{n}": {
            "title": random.choice(WORDS),
            "description": "",
            "defaultSubscription": random.choice([None, 'type = "track"']),
            "fields": {f"f{k}": field_of(random) for k in range(random.randint(1, 5))},
        }
        for n in range(random.randint(1, 3))
    }
    manifest = {
        "slug": f"made-up-{number}",
        "name": random.choice(WORDS),
        "mode": "cloud",
        "authentication": {"scheme": "custom", "fields": fields},
        "actions": actions,
        "presets": [],
    }
    subscriptions = [
        {
            "name": random.choice(WORDS),
            "action": (action := random.choice([*actions, "gone"])),
            "enabled": random.random() < 0.8,
            "trigger": random.choice(CONDITIONS),
            "mapping": {
                key: value_of(random)
                for key in (*table_of(actions, action), "other")
                if random.random() < 0.8
            },
        }
        for _ in range(51 if number == 0 else random.choice([0, 1, 2, 3]))
    ]
    filters = [
        {
            "title": random.choice(WORDS),
            "if": random.choice(["all", *CONDITIONS]),
            "enabled": random.random() < 0.7,
            "actions": [
                random.choice(
                    [
                        {"type": "DROP"},
                        {"type": "SAMPLE", "percent": random.choice([0.1, 5])},
                        {"type": "DROP_PROPERTIES", "fields": {"properties": ["a"]}},
                    ]
                )
            ],
        }
        for _ in range(random.randint(0, 2))
    ]
    settings = {
        "s0": random.choice(["plain", "••••••••••OWQz", "${env:HOME}", True, ""]),
        "apiToken": SECRET,
        "nested": {"password": SECRET, "list": [1]},
    }
    return Workspace(
        manifest, settings, subscriptions, filters, random.choice(WORDS), random.random() < 0.8
    )


def checked(one: ImportedConnection, definition: Destination) -> list[str]:
    """Return the errors of a connection file, but for those of values that are not known."""
    environment = dict.fromkeys(one.variables, "true")
    reading = parse_connection(one.text, "c.yaml", Path(), environment)
    assert choose(reading, {definition.slug: definition})
    validate(reading, definition, model_from_spec())
    return [
        str(each)
        for each in reading.diagnostics
        if each.severity == "error" and not each.code.startswith("AD31")
    ]


@pytest.mark.parametrize("form", FORMS)
def test_made_up_exports_become_files_that_validate(form: str) -> None:
    """Fifty workspaces in each form; no secret is written, and every subscription is told of."""
    for number in range(50):
        workspace = made_up(number)
        definition = from_manifest(workspace.manifest)
        found = imported(workspace, form, {} if number % 3 else {definition.slug: definition})
        for one in found:
            known = definition if one.manifest is None else from_manifest(one.manifest)
            assert checked(one, known) == []
            assert SECRET not in one.text + repr(one.notes)
            document = yaml.safe_load(one.text)
            assert len(document["subscriptions"]) == one.subscriptions <= 50
        left_out = [note for one in found for note in one.notes if "action is not" in note.text]
        taken = sum(one.subscriptions for one in found) + len(left_out)
        assert taken == len(workspace.subscriptions)


def notes_of(one: ImportedConnection) -> list[tuple[str, str]]:
    return [(note.kind, note.where) for note in one.notes]


def criteo(*subscriptions: Json, **more: Any) -> Workspace:
    kinds = {"advertiser_id": "string", "client_id": "string", "client_secret": "password"}
    fields = {key: {"label": key, "type": kind} for key, kind in kinds.items()}
    email = {"label": "E", "type": "string", "default": {"@path": "$.context.traits.email"}}
    key = {"label": "K", "type": "string", "default": {"@path": "$.properties.audience_key"}}
    table = {"audience_key": key, "email": email}
    manifest = {
        "slug": "actions-criteo-audiences",
        "name": "Criteo Audiences",
        "authentication": {"scheme": "oauth2", "fields": fields},
        "actions": {
            "addUserToAudience": {"title": "Add users to audience", "fields": table},
            "removeUserFromAudience": {"title": "Remove users", "fields": table},
        },
    }
    given = {"advertiser_id": "12345", "client_id": "app", "client_secret": SECRET}
    return Workspace(manifest, given, subscriptions, **more)


def adding(**more: Any) -> Json:
    mapping = {
        "audience_key": {"@path": "$.properties.audience_key"},
        "email": {"@path": "$.context.traits.email"},
    }
    return {
        "name": "Add users",
        "action": "addUserToAudience",
        "trigger": 'type = "track" and event = "Audience Entered"',
        "mapping": mapping,
        **more,
    }


INSTALLED = {CRITEO.slug: CRITEO}


@pytest.mark.parametrize("form", FORMS)
def test_a_workspace_for_an_installed_destination(form: str) -> None:
    drop = {"title": "No tests", "if": "context.ip = null", "actions": [{"type": "DROP"}]}
    workspace = criteo(adding(), filters=[drop])
    (one,) = imported(workspace, form, INSTALLED)
    assert one.text.startswith(
        "destination: actions-criteo-audiences\n"
        "name: Spring\n"
        "settings:\n"
        '  advertiser_id: "12345"\n'
        "  client_id: app\n"
        '  client_secret: "${env:SPRING_CLIENT_SECRET}"\n'
        "filters:\n"
        '  - title: "No tests"\n'
        '    if: "context.ip = null"\n'
        "    actions:\n"
        "      - type: DROP\n"
        "subscriptions:\n"
        '  - name: "Add users"\n'
        "    partnerAction: addUserToAudience\n"
        '    subscribe: \'type = "track" and event = "Audience Entered"\'\n'
        "    mapping:\n"
        '      audience_key: {"@path": "$.properties.audience_key"}\n'
    )
    assert (one.stem, one.variables, one.manifest) == ("spring", ("SPRING_CLIENT_SECRET",), None)
    assert checked(one, CRITEO) == []
    # Fields that Segment's version of the action does not have keep their default.
    assert [note.where for note in one.notes] == ["subscription `Add users`"]
    assert "so the default applies: `event`" in one.notes[0].text


def test_what_a_mapping_leaves_out_stays_empty() -> None:
    """Segment's engine does not fill it with the default."""
    workspace = criteo(adding(mapping={"email": {"@path": "$.userId"}}))
    fields = workspace.manifest["actions"]["addUserToAudience"]["fields"]
    fields["email"]["allowNull"] = True
    (one,) = imported(workspace, "answers")
    mapping = yaml.safe_load(one.text)["subscriptions"][0]["mapping"]
    assert mapping == {"email": {"@path": "$.userId"}, "audience_key": None}
    (one,) = imported(criteo(adding(mapping={"audience_key": "k"})), "answers")
    fields["email"]["allowNull"] = True
    (one,) = imported(criteo_with(fields, {"audience_key": "k"}), "answers")
    mapping = yaml.safe_load(one.text)["subscriptions"][0]["mapping"]
    assert mapping == {"audience_key": "k", "email": {"@excludeWhenNull": None}}


def criteo_with(fields: Json, mapping: Json) -> Workspace:
    workspace = criteo(adding(mapping=mapping))
    workspace.manifest["actions"]["addUserToAudience"]["fields"] = fields
    return workspace


@pytest.mark.parametrize(
    ("subscription", "enabled", "notes"),
    [
        (adding(enabled=False), False, [("disabled", "It is disabled in the export.")]),
        (
            adding(trigger='type == "track"'),
            False,
            [("changed", '`type == "track"` is written `type = "track"`'), ("disabled", "changed")],
        ),
        (
            adding(trigger='event = "=="'),
            True,
            [],
        ),
        (
            adding(trigger='type = "track" and anonymousId = "x"'),
            True,
            [("to check", "it ignores conditions on fields other than")],
        ),
        (adding(trigger="type = "), False, [("to check", "is invalid"), ("disabled", "changed")]),
        (adding(action="gone"), False, [("disabled", "has no action `gone`")]),
        (adding(mapping={"email": {"@pth": "a"}}), False, [("disabled", "[AD501]")]),
        (adding(mapping={"audience_key": "k", "email": "e", "new": 1}), True,
         [("left out", "has no field `new`")]),
        (adding(mapping={"audience_key": "k", "email": "e", "token": SECRET}), False,
         [("left out", "`token` looks like a secret"), ("disabled", "changed")]),
    ],
)  # fmt: skip
def test_a_subscription_that_means_something_else_is_switched_off(
    subscription: Json, *, enabled: bool, notes: list[tuple[str, str]]
) -> None:
    (one,) = imported(criteo(subscription), "answers")
    assert yaml.safe_load(one.text)["subscriptions"][0].get("enabled", True) is enabled
    assert one.active == enabled
    assert [note.kind for note in one.notes] == [kind for kind, _ in notes]
    for note, (_, text) in zip(one.notes, notes, strict=True):
        assert text in note.text
    assert checked(one, from_manifest(one.manifest)) == []


def test_rows_of_a_warehouse_are_noted() -> None:
    (destination, subscriptions, _) = criteo(adding()).documents("answers")
    subscriptions["data"]["subscriptions"][0] |= {
        "modelId": "m1",
        "reverseETLSchedule": {"strategy": "PERIODIC", "config": {"interval": "1h"}},
    }
    (one,) = imported_documents([destination, subscriptions])
    assert [(note.kind, note.text[:25]) for note in one.notes] == [
        ("to check", "It is for rows of a model"),
        ("left out", "Schedules are not taken o"),
    ]


def test_migrations_of_an_installed_destination_are_applied() -> None:
    """Names that its older version had, which is the one at Segment, are not lost."""
    renamed = (RenameAction("addUserToAudience"), RenameField("audience_key", "list"))
    fields = {"list": Field("List"), "email": Field("E-mail", mapping={"@path": "$.userId"})}
    action = Action(
        slug="add",
        title="Add",
        trigger='type = "track"',
        payload=fields,
        migrations=(Migration(3, renamed),),
    )
    workspace = criteo(adding(mapping={"audience_key": "spring"}))
    slug = workspace.manifest["slug"]
    installed = Destination(slug=slug, name="Criteo", actions=(action,))
    (one,) = imported(workspace, "answers", {slug: installed})
    (subscription,) = yaml.safe_load(one.text)["subscriptions"]
    assert (subscription["partnerAction"], subscription["mappingVersion"]) == ("add", 3)
    assert subscription["mapping"] == {"list": "spring", "email": None}
    assert {note.kind for note in one.notes if note.where.startswith("sub")} == {"changed"}


@pytest.mark.parametrize(
    "bad",
    [
        {"if": "type == 'x'", "actions": [{"type": "DROP"}]},
        {"if": "all", "actions": [{"type": "SAMPLE", "percent": 10}]},
        {"if": "all", "actions": [{"type": "ENCRYPT"}]},
    ],
)
@pytest.mark.parametrize("enabled", [True, False])
def test_without_one_of_its_filters_a_connection_is_disabled(bad: Json, *, enabled: bool) -> None:
    """More would be sent than before; a disabled filter is not missed."""
    workspace = criteo(adding(), filters=[{**bad, "title": "F", "enabled": enabled}])
    (one,) = imported(workspace, "state")
    assert ("left out", "filter `F`") in notes_of(one)
    assert (yaml.safe_load(one.text).get("enabled", True), one.filters) == (not enabled, 0)


def test_settings_that_do_not_fit() -> None:
    """Values that are not accepted, unknown, missing, or known to Terraform only."""
    fields = {
        "region": {"label": "R", "type": "string", "required": True,
                   "choices": [{"label": "EU", "value": "eu"}, {"label": "US", "value": "us"}]},
        "mode": {"label": "M", "type": "string", "choices": [{"label": "A", "value": "a"}]},
        "host": {"label": "H", "type": "string", "required": True},
        "port": {"label": "P", "type": "number", "required": True, "default": 443},
    }  # fmt: skip
    manifest = {**criteo().manifest, "authentication": {"scheme": "custom", "fields": fields}}
    given = {"region": "mars", "mode": "b", "gone": "x", "port": None}
    installed = {manifest["slug"]: from_manifest(manifest)}
    (one,) = imported(Workspace(manifest, given), "answers", installed)
    assert yaml.safe_load(one.text)["settings"] == {
        "region": "${env:SPRING_REGION}",
        "host": "${env:SPRING_HOST}",
        "port": 443,
    }
    assert sorted(notes_of(one)) == [
        ("changed", "setting `region`"),
        ("left out", "setting `gone`"),
        ("left out", "setting `mode`"),
        ("to check", "setting `host`"),
        ("to check", "subscriptions"),
    ]
    assert "mars" not in one.text


def test_expressions_of_terraform() -> None:
    """References are followed; other expressions are variables in settings, or noted."""
    (configuration, catalogue) = criteo(adding()).documents("tf.json")
    body = configuration["resource"]["segment_destination"]["d"]
    given = {"advertiser_id": "${var.advertiser}", "client_id": "$${x}"}
    body["settings"] = "${jsonencode(" + json.dumps(given) + ")}"
    body["metadata"] = {"id": "${data.segment_destination_metadata.criteo.id}"}
    configuration["data"] = {
        "segment_destination_metadata": {"criteo": {"id": metadata_of(criteo().manifest)["id"]}}
    }
    (one,) = imported_documents([configuration, catalogue], INSTALLED)
    settings = yaml.safe_load(one.text)["settings"]
    assert settings["advertiser_id"] == "${env:SPRING_ADVERTISER_ID}"
    body["settings"] = "${local.settings}"
    (one,) = imported_documents([configuration, catalogue], INSTALLED)
    assert set(yaml.safe_load(one.text)["settings"].values()) >= {"${env:SPRING_ADVERTISER_ID}"}


def test_an_action_without_a_slug_is_found_by_name_or_fields() -> None:
    """Terraform's configuration has only its ID, which the catalogue would resolve."""
    (configuration, _) = criteo(adding(name="Add users to Audience"), adding(name="x")).documents(
        "tf.json"
    )
    body = configuration["resource"]["segment_destination"]["d"]
    body["metadata"] = {"id": "unknown"}
    (one,) = imported_documents([configuration], INSTALLED, "criteo")
    assert yaml.safe_load(one.text)["subscriptions"][0]["partnerAction"] == "addUserToAudience"
    assert ("left out", "subscription `x`") in notes_of(one)
    guessed = next(note for note in one.notes if note.where.endswith("Audience`"))
    assert guessed == Note(
        "to check", "subscription `Add users to Audience`",
        "The action `addUserToAudience` was found by its name.",
    )  # fmt: skip


def test_a_destination_of_which_nothing_is_known() -> None:
    """The file is written, and the note says what would make it checked."""
    (destination, subscriptions, _) = criteo(adding()).documents("answers")
    destination["data"]["destination"]["metadata"] = {"id": "m", "slug": "actions-x", "name": "X"}
    (one,) = imported_documents([destination, subscriptions])
    assert (one.slug, one.manifest, one.subscriptions) == ("actions-x", None, 1)
    assert one.variables == ("SPRING_CLIENT_SECRET",)
    assert one.notes[-1].where == "destination"
    assert "Nothing is known of the destination `actions-x`" in one.notes[-1].text


def test_a_classic_destination_is_not_taken_for_one_of_which_its_slug_is_a_short_name() -> None:
    """It would send something else: the connection is switched off."""
    (destination, _, _) = criteo().documents("answers")
    destination["data"]["destination"]["metadata"] = {"id": "m", "slug": "criteo", "name": "Criteo"}
    (one,) = imported_documents([destination], INSTALLED)
    assert yaml.safe_load(one.text)["enabled"] is False
    assert notes_of(one)[-2:] == [("disabled", "connection"), ("to check", "subscriptions")]
    texts = [note.text for note in one.notes]
    assert texts[-2].startswith(
        "Segment's `criteo` is another destination than `actions-criteo-audiences`"
    )
    assert "a classic destination, which has no actions, cannot be taken over" in texts[-1]
    (named,) = imported_documents([destination], INSTALLED, "criteo")
    assert "enabled" not in yaml.safe_load(named.text)


def test_many_subscriptions_become_several_files() -> None:
    workspace = criteo(*(adding(name=f"s{n}") for n in range(120)))
    found = imported(workspace, "answers")
    assert [one.subscriptions for one in found] == [50, 50, 20]
    assert [one.stem for one in found] == ["spring", "spring-2", "spring-3"]
    assert all(("changed", "subscriptions") in notes_of(one) for one in found)


def test_subscriptions_without_their_destination() -> None:
    _, subscriptions, _ = criteo(adding()).documents("answers")
    (one,) = imported_documents([subscriptions], INSTALLED, "criteo")
    assert one.slug == CRITEO.slug
    assert ("to check", "settings") in notes_of(one)
    assert checked(one, CRITEO) == []


def test_names_are_unique() -> None:
    (one,) = imported(criteo(adding(), adding(), adding(name="")), "answers")
    names = [one["name"] for one in yaml.safe_load(one.text)["subscriptions"]]
    assert names == ["Add users", "Add users (2)", "addUserToAudience"]


ODD = ("\u2028\ufeff\x7f\x00", "\U0001f600", "\ud800", "'", "\"'", "~", "0x1F", "1e3")


@pytest.mark.parametrize("text", [*WORDS, *ODD, "null", "yes", "- a", "#", "", "a: b"])
def test_any_text_survives_in_the_file(text: str) -> None:
    """As a name, a value and a key, read by the reader of connection files."""
    mapping = {"audience_key": text, "email": {"@path": "$.userId"}, "x": {text or "k": text}}
    workspace = criteo(adding(name=f"n{text}", mapping=mapping))
    workspace.manifest["actions"]["addUserToAudience"]["fields"]["x"] = {
        "label": "X",
        "type": "object",
    }
    (one,) = imported(workspace, "answers")
    reading = parse_connection(one.text, "c.yaml", Path(), dict.fromkeys(one.variables, "x"))
    assert reading.connection is not None, reading.diagnostics
    (subscription,) = reading.connection.subscriptions
    read = text.replace("\ud800", "\ufffd")
    assert subscription.name == f"n{read}"
    assert dict(subscription.mapping) == {
        "audience_key": read, "email": {"@path": "$.userId"}, "x": {read or "k": read},
    }  # fmt: skip


def test_the_report_names_everything() -> None:
    (one,) = imported(criteo(adding(trigger='type == "a|b"'), enabled=False), "answers")
    report = import_report([one], [Note("left out", "x.json", "The file is not valid JSON.")])
    assert summary(one) == "1 subscription (0 enabled), 1 variable to set, 3 notes"
    assert "## spring.connection.yaml" in report
    assert "Set these variables: `SPRING_CLIENT_SECRET`." in report
    assert "--manifest actions-criteo-audiences.manifest.json" in report
    assert "| Disabled | connection | The destination is disabled in the export. |" in report
    assert '`type == "a\\|b"`' in report
    assert "| Left out | x.json | The file is not valid JSON. |" in report
    assert len(re.findall(r"^\| (?!--|\|)", report, re.MULTILINE)) == len(one.notes) + 1
