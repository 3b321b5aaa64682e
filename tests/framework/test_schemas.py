"""The published schemas are valid, up to date, and match the documents that they describe."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import destinations.criteo_audiences as criteo
from destinations import webhook
from framework.config import parse_connection
from framework.definition import (
    MATCHING_KEY,
    SYNC_MODE_KEY,
    Action,
    Choice,
    Destination,
    Field,
    Preset,
    Subscription,
    SyncMode,
    subscription_to_public_api,
    subscription_to_wire,
    to_manifest,
)
from framework.delivery import Exchange, Report, ReportItem, Sent
from framework.mapping import DIRECTIVES, ROOT_DIRECTIVE, compile_mapping
from framework.plugins import Registry, open_plugin
from framework.results import Delivered, Failed, Result, Skipped
from framework.schemas import schema_files, stale_schemas, write_schemas
from framework.schemas.connection_schema import connection_schema

ROOT = Path(__file__).parents[2]
PLUGIN = open_plugin(criteo)
SHIPPED = {plugin.definition.slug: plugin for plugin in (PLUGIN, open_plugin(webhook))}
REGISTRY = Registry(SHIPPED)
FILES = schema_files(REGISTRY)
SCHEMAS = {name: content for name, content in FILES.items() if name.endswith(".schema.json")}
SLUG = "actions-criteo-audiences"


def problems(name: str, document: Any) -> list[str]:
    """Return the violations of a published schema by a document."""
    errors = jsonschema.Draft202012Validator(FILES[name]).iter_errors(document)
    return [f"{error.json_path}: {error.message}" for error in errors]


def parts(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Return every schema that stands for a key of a document, with its path."""
    if isinstance(schema, list):
        for index, inner in enumerate(schema):
            yield from parts(inner, f"{path}/{index}")
    if not isinstance(schema, dict):
        return
    for key, inner in schema.items():
        named = inner if key in {"properties", "$defs"} else {}
        for name, part in named.items():
            if key == "properties":
                yield f"{path}/{name}", part
            yield from parts(part, f"{path}/{name}")
        if not named and key not in {"default", "enum", "const", "examples", "if", "not"}:
            yield from parts(inner, path)


def test_which_files_are_published() -> None:
    assert list(FILES) == [
        "certificate.schema.json",
        "connection.schema.json",
        "destination.schema.json",
        "event.schema.json",
        "mapping.schema.json",
        "report.schema.json",
        "subscription.schema.json",
        "test.schema.json",
        f"destinations/{SLUG}/manifest.json",
        f"destinations/{SLUG}/settings.schema.json",
        f"destinations/{SLUG}/actions/addUserToAudience.schema.json",
        f"destinations/{SLUG}/actions/removeUserFromAudience.schema.json",
        "destinations/actions-webhook/manifest.json",
        "destinations/actions-webhook/settings.schema.json",
        "destinations/actions-webhook/actions/send.schema.json",
        "destinations/actions-webhook/actions/addToAudience.schema.json",
        "destinations/actions-webhook/actions/updateInAudience.schema.json",
        "destinations/actions-webhook/actions/removeFromAudience.schema.json",
    ]


def test_the_committed_files_are_fresh() -> None:
    """After a change of a definition, run `actions schemas`."""
    assert stale_schemas(ROOT / "schemas", REGISTRY) == []


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_valid_and_says_what_it_is(name: str) -> None:
    schema = SCHEMAS[name]
    jsonschema.Draft202012Validator.check_schema(schema)
    assert list(schema)[:3] == ["$schema", "title", "description"]
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_key_of_a_document_is_described(name: str) -> None:
    """Except where the schema only repeats a key to say when a rule holds."""
    silent = [
        path
        for path, part in parts(SCHEMAS[name])
        if not {"description", "title", "$ref"} & part.keys()
        and not {"const", "enum", "items"} & part.keys()
    ]
    assert silent == []


def test_schemas_without_destinations_are_valid() -> None:
    for name, content in schema_files(Registry({})).items():
        jsonschema.Draft202012Validator.check_schema(content)
        assert name in FILES


def test_writing_and_staleness(tmp_path: Path) -> None:
    """Missing and stale files are written; files that are no longer published are only named."""
    assert stale_schemas(tmp_path, REGISTRY) == sorted(FILES)
    assert write_schemas(tmp_path, REGISTRY) == sorted(FILES)
    assert stale_schemas(tmp_path, REGISTRY) == []
    assert write_schemas(tmp_path, REGISTRY) == []
    (tmp_path / "event.schema.json").write_text("{}", encoding="utf-8")
    (tmp_path / "destinations" / "gone.json").write_text("{}", encoding="utf-8")
    assert stale_schemas(tmp_path, REGISTRY) == ["destinations/gone.json", "event.schema.json"]
    assert write_schemas(tmp_path, REGISTRY) == ["event.schema.json"]
    assert stale_schemas(tmp_path, REGISTRY) == ["destinations/gone.json"]


EXAMPLES = [
    example.mapping
    for directive in DIRECTIVES.values()
    for example in directive.examples
    if example.refusal is None
]


WORKING = [
    *EXAMPLES,
    {"@path": "$.properties"},
    {"_metadata": {"by": "hand"}, "a": {"_metadata": {}, "@path": "$.x"}},
    {ROOT_DIRECTIVE: {"@transform": {"apply": {"u": {"@path": "$.userId"}}}}, "a": 1},
    {SYNC_MODE_KEY: "mirror", MATCHING_KEY: "email", "onMappingSave": {"outputs": {}}},
]


@pytest.mark.parametrize("mapping", WORKING)
def test_mappings_that_work_are_accepted(mapping: Any) -> None:
    compile_mapping(mapping)
    assert problems("mapping.schema.json", mapping) == []


@pytest.mark.parametrize(
    "mapping",
    [
        5,
        {"a": {"@path": 5}},
        {"a": {"@pth": "$.x"}},
        {"a": {"@path": "$.x", "b": 1}},
        {"@path": "$.x", "@template": "y"},
        {"a": {"@path": "$.x", "@template": "y"}},
        {"a": [{"b": {"@path": ["$.x"]}}]},
        {"a": {"b": {"@case": {"operator": "loud", "value": "x"}}}},
        {SYNC_MODE_KEY: "sometimes"},
    ],
)
def test_mappings_that_do_not_work_are_refused(mapping: Any) -> None:
    assert problems("mapping.schema.json", mapping)


EVENTS = [
    ({"type": "track", "event": "Audience Entered", "userId": None, "timestamp": 5}, True),
    ({"type": "identify", "traits": {"email": "a@b.example"}, "anything": 1}, True),
    ({"type": "screen", "context": {"ip": None, "page": None, "personas": {}}}, True),
    ({"type": "page", "context": {"page": {"url": "https://x.example"}, "more": []}}, True),
    ({"type": "track"}, False),
    ({"event": "x"}, False),
    ({"type": "identify", "traits": []}, False),
]


@pytest.mark.parametrize(("event", "valid"), EVENTS)
def test_events(event: dict[str, Any], valid: Any) -> None:
    assert (problems("event.schema.json", event) == []) is valid


SUBSCRIPTION = Subscription(
    action="addUserToAudience",
    trigger='type = "track"',
    mapping={"email": {"@path": "$.userId"}, SYNC_MODE_KEY: "add", MATCHING_KEY: "email"},
    name="Add",
)


def test_both_forms_of_a_subscription() -> None:
    engine, api = subscription_to_wire(SUBSCRIPTION), subscription_to_public_api(SUBSCRIPTION)
    assert problems("subscription.schema.json", engine) == []
    assert problems("subscription.schema.json", api) == []
    assert problems("subscription.schema.json", {**engine, **api})
    assert problems("subscription.schema.json", {"name": "no action"})


CONNECTION: dict[str, Any] = {
    "$schema": "schemas/connection.schema.json",
    "destination": SLUG,
    "name": "Spring",
    "settings": {
        "advertiser_id": "123",
        "client_id": "${env:CRITEO_CLIENT_ID}",
        "client_secret": "${file:secret.txt}",
    },
    "subscriptions": [
        {
            "name": "Add",
            "partnerAction": "addUserToAudience",
            "subscribe": 'type = "track"',
            "mapping": {"hash_emails": True, "audience_key": {"@path": "$.properties.list"}},
        },
        {"name": "Remove", "actionSlug": "removeUserFromAudience", "settings": {}},
    ],
}


def changed(**changes: Any) -> dict[str, Any]:
    return {**CONNECTION, **changes}


@pytest.mark.parametrize(
    "document",
    [
        CONNECTION,
        changed(subscriptions=None, enabled=False),
        changed(delivery={"tries": 3, "max_age": "20s", "rate_share": 0.5, "proxy": "none"}),
        changed(delivery={"linger": 0, "time_limit": None}),
        changed(settings={**CONNECTION["settings"], "advertiser_id": "${env:ADVERTISER}"}),
        {"destination": "someone-elses", "settings": {"any": 1}},
        changed(filters=[]),
        changed(filters=[{"if": "all", "title": None, "id": "x", "actions": [{"type": "DROP"}]}]),
        changed(
            filters=[
                {
                    "if": "all",
                    "actions": [
                        {"type": "SAMPLE", "percent": 0.5, "path": "userId", "fields": None},
                        {
                            "type": "ALLOW_PROPERTIES",
                            "fields": {"": ["a"], "context": []},
                            "percent": None,
                        },
                    ],
                }
            ]
        ),
    ],
)
def test_connections_that_work_are_accepted(document: dict[str, Any]) -> None:
    """What the schema accepts, reading the file accepts too."""
    assert problems("connection.schema.json", document) == []
    environment = {"CRITEO_CLIENT_ID": "x", "ADVERTISER": "5"}
    folder = Path("/nowhere")
    found = parse_connection(json.dumps(document), "c.json", folder, environment).diagnostics
    assert {finding.code for finding in found} <= {"AD206", "AD207", "AD302"}


@pytest.mark.parametrize("name", ["criteo", "criteo-audiences", SLUG])
def test_a_short_name_is_checked_like_the_slug(name: str) -> None:
    """`criteo` is validated like the slug."""
    assert problems("connection.schema.json", changed(destination=name)) == []
    found = problems("connection.schema.json", changed(destination=name, settings={}))
    assert found
    assert all(problem.startswith("$.settings") for problem in found), found


def test_a_name_that_two_destinations_share_names_neither() -> None:
    definitions = [Destination(slug=slug, name=slug) for slug in ("actions-a", "actions-b")]
    rules = connection_schema(definitions)["allOf"]
    tests = [rule["if"]["properties"]["destination"] for rule in rules]
    assert tests == [{"enum": ["actions-a", "a"]}, {"enum": ["actions-b", "b"]}]


def acting(**action: Any) -> dict[str, Any]:
    return changed(filters=[{"if": "all", "actions": [action]}])


def subscribed(**keys: Any) -> dict[str, Any]:
    return changed(subscriptions=[{"partnerAction": "addUserToAudience", **keys}])


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({}, "$"),
        (changed(destnation="x"), "$"),
        (changed(settings={}), "$.settings"),
        ({"destination": SLUG}, "$"),
        (changed(settings={**CONNECTION["settings"], "advertiser_id": "abc"}),
         "$.settings.advertiser_id"),
        (changed(subscriptions=[{"partnerAction": "add"}]), "$.subscriptions[0].partnerAction"),
        (changed(subscriptions=[{"partnerAction": "addUserToAudience"}] * 51), "$.subscriptions"),
        (subscribed(mapping={"emial": "x"}), "$.subscriptions[0].mapping"),
        (subscribed(mapping={"email": {"@pth": "x"}}), "$.subscriptions[0].mapping.email"),
        (subscribed(enabled="yes"), "$.subscriptions[0].enabled"),
        (changed(filters=[{"actions": [{"type": "DROP"}]}]), "$.filters[0]"),
        (acting(type="DROPP"), "$.filters[0].actions[0].type"),
        (acting(type="DROP", percent=1), "$.filters[0].actions[0].percent"),
        (acting(type="SAMPLE"), "$.filters[0].actions[0]"),
        (acting(type="SAMPLE", percent=10), "$.filters[0].actions[0].percent"),
        (acting(type="SAMPLE", percent=None), "$.filters[0].actions[0].percent"),
        (acting(type="DROP_PROPERTIES", fields={}), "$.filters[0].actions[0].fields"),
        (acting(type="DROP_PROPERTIES", fields={"a": "b"}), "$.filters[0].actions[0].fields.a"),
        (acting(type="DROP_PROPERTIES", path="a", fields={"a": ["b"]}),
         "$.filters[0].actions[0].path"),
        (changed(delivery={"trys": 3}), "$.delivery"),
        (changed(delivery={"rate_share": 90}), "$.delivery.rate_share"),
        (changed(delivery={"tries": 1.5}), "$.delivery.tries"),
    ],
)  # fmt: skip
def test_connections_that_do_not_work_are_refused(document: dict[str, Any], place: str) -> None:
    """The place that an editor underlines is the one that is wrong."""
    found = problems("connection.schema.json", document)
    assert found
    assert all(problem.startswith(f"{place}") for problem in found), found


def test_connection_files_of_the_project_fit() -> None:
    files = [*ROOT.glob("examples/**/*.connection.*"), *ROOT.glob("docs/**/*.connection.*")]
    for file in files:
        text = file.read_text(encoding="utf-8")
        connection = parse_connection(text, file.name, file.parent, AnySecret()).connection
        assert connection is not None, file
        assert problems("connection.schema.json", connection.node.plain()) == [], file


class AnySecret(dict[str, str]):
    """An environment in which every variable is set."""

    def get(self, key: str, default: Any = None) -> Any:
        return f"{key}{default}"


def test_editors_are_offered_the_choices_and_defaults_of_fields() -> None:
    parts = FILES["connection.schema.json"]["$defs"]
    mapping = parts[f"mapping of {SLUG} addUserToAudience"]["properties"]
    assert mapping["hash_emails"]["anyOf"] == [{"type": "boolean"}, {"$ref": "#/$defs/value"}]
    assert mapping["email"]["default"] == {"@path": "$.context.traits.email"}
    assert mapping["identifier_type"]["anyOf"][0]["enum"][0] == "email"


def test_manifests() -> None:
    assert problems("destination.schema.json", FILES[f"destinations/{SLUG}/manifest.json"]) == []
    everything = Destination(
        slug="d",
        name="D",
        settings={"token": Field("Token", type="password", required=True)},
        actions=(
            Action(
                slug="a",
                title="A",
                payload={
                    "x": Field("X", choices=(Choice(1), Choice(2)), properties={}, type="object")
                },
                sync_mode=SyncMode(label="Mode", default="add"),
            ),
        ),
        presets=(Preset(name="P", action="a", kind="specificEvent", event_slug="e"),),
    )
    document: Any = to_manifest(everything)
    assert problems("destination.schema.json", document) == []
    steps = [{"renameField": {"old": "y", "new": "x"}}, {"changeMapping": {"text": "It counts."}}]
    document["actions"]["a"]["migrations"] = [{"version": 1, "steps": steps}]
    assert problems("destination.schema.json", document) == []
    for wrong in ({"version": 0, "steps": steps}, {"steps": steps}, {"version": 1, "steps": [{}]}):
        document["actions"]["a"]["migrations"] = [wrong]
        assert problems("destination.schema.json", document)
    assert problems("destination.schema.json", {"slug": "d", "name": "D"})


def test_reports() -> None:
    """Every kind of result, batch and exchange that a report writes fits its schema."""
    event = {"type": "track", "messageId": "m1"}
    results: list[Result | None] = [
        Delivered(body={"id": 1}),
        Failed(400, "BAD", "It is bad.", problems=("One.", "Two."), body={"code": 1}),
        Skipped("NO", "It was not wanted."),
        None,
    ]
    items = tuple(
        ReportItem(position, "Add", "add", event, True, {"a": 1}, {"a": 1}, "id", 0, result)
        for position, result in enumerate(results)
    )
    exchanges = (
        Exchange("POST", "https://x.example", {}, "{}", 200, "OK", {"a": "b"}, "[]"),
        Exchange("GET", "https://x.example", {}, "", error="No answer."),
    )
    report = Report(SLUG, items, (Sent("add", {"list": "a"}, 4, "end", exchanges),))
    document = json.loads(json.dumps(report.to_json()))
    assert problems("report.schema.json", document) == []
    document["items"][0]["result"]["outcome"] = "lost"
    assert problems("report.schema.json", document)
