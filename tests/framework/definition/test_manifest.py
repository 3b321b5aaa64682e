"""Manifests are written and read, and round-trip also after arbitrary changes."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.definition import (
    Action,
    Batching,
    Choice,
    Condition,
    Conditions,
    Destination,
    Field,
    Payload,
    Preset,
    Rate,
    Settings,
    SyncMode,
    field,
    from_manifest,
    read_manifest,
    to_manifest,
)
from framework.errors import DefinitionError


def wire_field(**options: Any) -> dict[str, Any]:
    """Return a field as in Segment's manifests, with null for absent values."""
    silent = {
        "label": "Label",
        "description": "Description.",
        "type": "string",
        "required": False,
        "multiple": False,
        "allowNull": False,
        "dynamic": False,
        "default": None,
        "choices": None,
        "placeholder": None,
        "properties": None,
        "category": None,
        "depends_on": None,
        "readOnly": None,
        "hidden": None,
        "minimum": None,
        "maximum": None,
        "defaultObjectUI": None,
        "disabledInputMethods": None,
        "displayMode": None,
        "additionalProperties": False,
    }
    return {**silent, **options}


def wire_setting(**options: Any) -> dict[str, Any]:
    silent = {
        "label": "Label",
        "description": "Description.",
        "type": "string",
        "required": True,
        "multiple": False,
        "choices": None,
        "default": None,
        "depends_on": None,
    }
    return {**silent, **options}


REFERENCE: dict[str, Any] = {
    "slug": "actions-lists",
    "name": "Lists",
    "mode": "cloud",
    "authentication": {
        "scheme": "oauth2",
        "fields": {
            "token": wire_setting(type="password"),
            "region": wire_setting(
                required=False,
                default="eu",
                choices=[{"label": "Europe", "value": "eu"}, {"label": "us", "value": "us"}],
            ),
        },
    },
    "audienceConfig": {
        "mode": {"type": "synced", "full_audience_sync": False},
        "audienceFields": {"owner": wire_setting()},
        "supportsAudienceFunctions": True,
    },
    "actions": {
        "sync": {
            "title": "Sync",
            "description": "Sync a list.",
            "platform": "cloud",
            "defaultSubscription": 'type = "track" or type = "identify"',
            "hidden": False,
            "hasPerformBatch": True,
            "syncMode": {
                "default": "mirror",
                "label": "Sync mode",
                "description": "How rows are sent.",
                "choices": [
                    {"value": "mirror", "label": "Mirror"},
                    {"value": "delete", "label": "Remove"},
                ],
            },
            "hooks": {"retlOnMappingSave": {"label": "Choose", "inputFields": {"x": wire_field()}}},
            "fields": {
                "email": wire_field(
                    required={
                        "match": "any",
                        "conditions": [
                            {"fieldKey": "phone", "operator": "is"},
                            {"type": "syncMode", "operator": "is", "value": ["add", "mirror"]},
                        ],
                    },
                    default={"@path": "$.traits.email"},
                    category="hashedPII",
                    format="email",
                ),
                "phone": wire_field(
                    depends_on={
                        "conditions": [{"fieldKey": "email", "operator": "is_not", "value": ""}]
                    }
                ),
                "person": wire_field(
                    type="object",
                    default={"name": {"@path": "$.traits.name"}},
                    properties={
                        "name": {k: v for k, v in wire_field().items() if k != "description"},
                        "age": wire_field(type="integer", minimum=0, maximum=150, default=0),
                    },
                    defaultObjectUI="keyvalue:only",
                    additionalProperties=True,
                ),
                "batch_size": wire_field(type="number", default=500, hidden=True),
                "batch_keys": wire_field(multiple=True, default=["email"], readOnly=True),
            },
        }
    },
    "presets": [
        {
            "name": "Everything",
            "type": "automatic",
            "partnerAction": "sync",
            "subscribe": 'type = "track"',
            "mapping": {"email": {"@path": "$.userId"}, "__segment_internal_sync_mode": "add"},
        },
        {
            "name": "Row added",
            "partnerAction": "sync",
            "mapping": {},
            "type": "specificEvent",
            "eventSlug": "warehouse_entity_added_track",
        },
    ],
}


def text(document: Any) -> str:
    """Return a document as text in which 1, 1.0 and true differ."""
    return json.dumps(document, sort_keys=True)


def test_a_manifest_of_segment_round_trips() -> None:
    assert text(to_manifest(from_manifest(REFERENCE))) == text(REFERENCE)


def test_what_a_manifest_says() -> None:
    destination = from_manifest(REFERENCE)
    assert (destination.slug, destination.name, destination.mode) == (
        "actions-lists",
        "Lists",
        "cloud",
    )
    assert destination.scheme == "oauth2"
    assert destination.settings_fields["token"].secret
    assert destination.settings_fields["region"].choices == (Choice("eu", "Europe"), Choice("us"))
    assert [preset.kind for preset in destination.presets] == ["automatic", "specificEvent"]
    assert destination.presets[1].event_slug == "warehouse_entity_added_track"
    assert destination.extra == {"audienceConfig": REFERENCE["audienceConfig"]}


def test_what_a_manifest_says_about_an_action() -> None:
    action = from_manifest(REFERENCE).action("sync")
    assert action.trigger == 'type = "track" or type = "identify"'
    assert action.batching == Batching(keys=("email",), max_size=500)
    assert action.sync_mode == SyncMode(
        label="Sync mode",
        description="How rows are sent.",
        default="mirror",
        choices=("mirror", "delete"),
    )
    assert set(action.extra) == {"hooks", "syncMode"}


def test_what_a_manifest_says_about_fields() -> None:
    """Defaults with a directive anywhere in them are mappings, others are values."""
    fields = from_manifest(REFERENCE).action("sync").fields
    assert fields["email"] == Field(
        "Label",
        "Description.",
        required=Conditions.any(Condition("phone", "is"), Condition(None, "is", ["add", "mirror"])),
        mapping={"@path": "$.traits.email"},
        category="hashedPII",
        format="email",
    )
    assert fields["person"].mapping == {"name": {"@path": "$.traits.name"}}
    assert fields["person"].properties is not None
    assert fields["person"].properties["age"].default == 0
    assert fields["person"].additional_properties is True
    assert fields["email"].additional_properties is None
    assert fields["phone"].depends_on == Conditions.all(Condition("email", "is_not", ""))
    assert fields["batch_size"].default == 500


class Access(Settings):
    """Access."""

    account: str = field("Account", pattern="^[0-9]+$")
    token: str = field("Token", secret=True)


class Message(Payload):
    """A message."""

    text: str = field("Text", mapping={"@path": "$.event"}, hashed="sha256")
    room: str | None = field("Room", choices=["one", "two"])


OURS = Destination(
    slug="chat",
    name="Chat",
    settings=Access,
    rate=Rate(calls=5, seconds=1.5),
    actions=(
        Action(
            slug="post",
            title="Post",
            trigger='type = "track"',
            payload=Message,
            batching=Batching(keys=("room",), max_size=7, lane="rooms", order_keys=("text",)),
        ),
    ),
    presets=(Preset(name="All", action="post", trigger='type = "track"'),),
)


def test_our_own_keys_are_written_in_addition_to_those_of_segment() -> None:
    document = to_manifest(OURS)
    assert document["rate"] == {"calls": 5, "seconds": 1.5}
    assert document["actions"]["post"]["batching"] == {
        "keys": ["room"],
        "order_keys": ["text"],
        "max_size": 7,
        "max_bytes": 4_000_000,
        "max_age": 10.0,
        "lane": "rooms",
    }
    assert document["authentication"] == {
        "scheme": "custom",
        "fields": {
            "account": wire_setting(label="Account", description="", pattern="^[0-9]+$"),
            "token": wire_setting(label="Token", description="", type="password"),
        },
    }
    path = {"@path": "$.event"}
    silent = wire_field(label="Text", required=True, default=path, hashed="sha256")
    del silent["description"]
    assert document["actions"]["post"]["fields"]["text"] == silent
    assert document["audienceConfig"] is None
    assert "description" not in document


def test_our_own_destination_survives_the_wire() -> None:
    read = from_manifest(to_manifest(OURS))
    assert read.rate == OURS.rate
    assert read.actions[0].batching == OURS.actions[0].batching
    assert read.settings_fields == OURS.settings_fields
    assert read.actions[0].fields == OURS.actions[0].fields
    assert read.presets == OURS.presets


RATES = (
    Rate(100, 60, scope=("account",)),
    Rate(10, 1, endpoint="POST /batch"),
    Rate(5, 1, endpoint="GET /lists/{id}", concurrency=2, scope=("account",)),
)


def test_all_rates_survive_the_wire() -> None:
    document = to_manifest(replace(OURS, rates=RATES))
    assert document["rates"][2] == {
        "calls": 5,
        "seconds": 1,
        "endpoint": "GET /lists/{id}",
        "concurrency": 2,
        "scope": ["account"],
    }
    assert from_manifest(document).rates == RATES
    assert "rates" not in to_manifest(OURS)


def test_rates_of_settings_survive_as_such() -> None:
    document = to_manifest(replace(OURS, rates=lambda _: RATES))
    assert document["rates"] == "by-settings"
    read = from_manifest(document)
    assert callable(read.rates)
    assert to_manifest(read)["rates"] == "by-settings"


def test_the_former_name_of_a_scope_is_read() -> None:
    document = {**to_manifest(OURS), "rate": {"calls": 5, "account": ["account"]}}
    assert from_manifest(document).rate == Rate(5, scope=("account",))


def test_a_manifest_is_not_shared_with_its_reader() -> None:
    document = to_manifest(OURS)
    document["actions"]["post"]["fields"]["text"]["default"]["@path"] = "$.changed"
    assert OURS.actions[0].fields["text"].mapping == {"@path": "$.event"}


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return Segment's manifest with *value* at a path; a `-` before it removes the key."""
    document = copy.deepcopy(REFERENCE)
    place: Any = document
    *way, last = path.lstrip("-").split("/")
    for step in way:
        place = place[int(step) if isinstance(place, list) else step]
    if path.startswith("-"):
        del place[last]
    else:
        place[int(last) if isinstance(place, list) else last] = value
    return document


FIELD = "actions/sync/fields/email"
TYPES = "string, text, password, number, integer, boolean, datetime, object"
ERRORS = [
    ("-slug", None, "`/slug` is required."),
    ("slug", 5, "`/slug` must be a string, got 5."),
    ("name", "", "`/name` is required."),
    ("authentication", [], "`/authentication` must be an object, got a list."),
    ("actions", "x", '`/actions` must be an object, got "x".'),
    ("actions/sync", True, "`/actions/sync` must be an object, got true."),
    ("-actions/sync/title", None, "`/actions/sync/title` is required."),
    ("actions/sync/hidden", 1, "`/actions/sync/hidden` must be true or false, got 1."),
    ("presets", {}, "`/presets` must be a list, got an object."),
    ("presets/0", None, "`/presets/0` must be an object, got null."),
    (FIELD, "x", f'`/{FIELD}` must be an object, got "x".'),
    (f"-{FIELD}/type", None, f"`/{FIELD}/type` is required."),
    (f"{FIELD}/type", "strnig", f'`/{FIELD}/type` must be one of {TYPES}, got "strnig".'),
    (f"{FIELD}/label", ["x"], f"`/{FIELD}/label` must be a string, got a list."),
    (f"{FIELD}/minimum", "1", f'`/{FIELD}/minimum` must be a finite number, got "1".'),
    (f"{FIELD}/maximum", math.inf, f"`/{FIELD}/maximum` must be a finite number, got Infinity."),
    (f"{FIELD}/choices", "x" * 80, f'`/{FIELD}/choices` must be a list, got "{"x" * 56}....'),
    (
        f"{FIELD}/pattern",
        "(",
        (
            f"`/{FIELD}` is left out. Field `Label` has the pattern `(`, which "
            "is not a regular expression: missing ), unterminated subpattern at position 0."
        ),
    ),
    ("rate", {"seconds": 0}, "`/rate/calls` must be a positive whole number, got null."),
    ("rates", [{"calls": 1}, 5], "`/rates/1` must be an object, got 5."),
    (
        "rates",
        [{"calls": 1, "concurrency": 0}],
        "`/rates/0/concurrency` must be a positive whole number, got 0.",
    ),
    (
        "actions/sync/batching",
        {"max_size": 1.5},
        "`/actions/sync/batching/max_size` must be a positive whole number, got 1.5.",
    ),
]


@pytest.mark.parametrize(("path", "value", "message"), ERRORS)
def test_problems_of_a_manifest(path: str, value: Any, message: str) -> None:
    """Every error has its path, and the rest of the document is read."""
    document = changed(path, value)
    with pytest.raises(DefinitionError) as caught:
        from_manifest(document)
    assert caught.value.problems[0] == message
    assert str(caught.value) == "\n".join(caught.value.problems)
    reading = read_manifest(document)
    if reading.destination:
        assert text(to_manifest(reading.destination)) == text(document)


MODES = "add, update, upsert, delete, mirror"
WARNINGS = [
    (
        "authentication/scheme",
        "magic",
        (
            "`/authentication/scheme` must be one of custom, basic, "
            'oauth2, oauth-managed, none, got "magic"; it is left out.'
        ),
    ),
    (
        f"{FIELD}/category",
        "soul",
        (
            f"`/{FIELD}/category` must be one of identifier, data, internal, "
            'config, sync, hashedPII, got "soul"; it is left out.'
        ),
    ),
    (f"{FIELD}/choices", ["a", "a"], f'`/{FIELD}/choices` offers "a" twice.'),
    (
        f"{FIELD}/choices",
        [{"label": "A"}],
        f"`/{FIELD}/choices/0` is a choice without a value and is left out.",
    ),
    (
        f"{FIELD}/depends_on",
        {"conditions": []},
        f"`/{FIELD}/depends_on` is not a usable condition and is left out.",
    ),
    (
        f"{FIELD}/required",
        {},
        (f"`/{FIELD}/required` is not a usable condition and is left out."),
    ),
    (
        "actions/sync/fields/phone/depends_on/conditions/0/fieldKey",
        "fax",
        (
            "`/actions/sync/fields` has a field with an ineffective option. Field `phone` has a "
            "condition on the unknown field `fax`. "
            "Known fields: email, phone, person, batch_size, batch_keys."
        ),
    ),
    (
        "actions/sync/syncMode/default",
        "guess",
        f'`/actions/sync/syncMode/default` must be one of {MODES}, got "guess"; it is left out.',
    ),
    (
        "presets/0/partnerAction",
        "send",
        '`/presets/0/partnerAction` must be one of sync, got "send"; it is left out.',
    ),
    (
        "presets/0/mapping/fax",
        1,
        "`/presets/0/mapping/fax` is left out of the mapping. `sync` has no such field.",
    ),
]


@pytest.mark.parametrize(("path", "value", "message"), WARNINGS)
def test_what_is_left_out_of_a_manifest(path: str, value: Any, message: str) -> None:
    """Unusable parts are reported and kept for writing, and do not affect the rest."""
    document = changed(path, value)
    assert message in read_manifest(document).warnings
    assert text(to_manifest(from_manifest(document))) == text(document)


def test_a_trigger_that_does_not_work_is_left_out() -> None:
    document = changed("actions/sync/defaultSubscription", "type = = 5")
    (warning,) = read_manifest(document).warnings
    start = "`/actions/sync/defaultSubscription` is not a valid trigger and is left out. "
    assert warning.startswith(start)
    assert from_manifest(document).action("sync").trigger is None
    assert text(to_manifest(from_manifest(document))) == text(document)


def test_a_default_mapping_that_does_not_work_is_left_out() -> None:
    document = changed(f"{FIELD}/default", {"@pth": "$.x"})
    (warning,) = read_manifest(document).warnings
    assert warning.startswith(f"`/{FIELD}/default` is not a valid mapping and is left out. ")
    assert from_manifest(document).action("sync").fields["email"].mapping is None
    assert text(to_manifest(from_manifest(document))) == text(document)


def test_problems_are_ordered_by_path() -> None:
    document = changed("slug", None)
    document["presets"] = [5] * 11
    paths = [error.split("`")[1] for error in read_manifest(document).errors]
    assert paths == [*(f"/presets/{index}" for index in range(11)), "/slug"]


@pytest.mark.parametrize("document", [None, 5, "x", [], {}, {"actions": {}}])
def test_an_invalid_manifest_has_no_destination(document: Any) -> None:
    assert read_manifest(document).destination is None
    with pytest.raises(DefinitionError):
        from_manifest(document)


def test_a_manifest_is_not_nested_without_end() -> None:
    document: Any = {}
    for _ in range(5000):
        document = {"fields": document}
    with pytest.raises(DefinitionError) as caught:
        from_manifest(document)
    assert str(caught.value) == "`/` is nested more than 100 levels deep."


KEYS = st.text("abcdefgh_", min_size=1, max_size=6)
TEXT = st.text(max_size=10)
NUMBERS = st.none() | st.integers(-5, 5) | st.floats(-5, 5)
SCALARS = st.booleans() | st.integers(-9, 9) | st.text("xyz", max_size=4)
CONDITIONS = st.builds(
    Conditions,
    st.lists(
        st.builds(Condition, st.none() | KEYS, st.sampled_from(["is", "is_not"]), SCALARS),
        min_size=1,
        max_size=2,
    ),
    st.sampled_from(["all", "any"]),
)


def fields(properties: st.SearchStrategy[Any]) -> st.SearchStrategy[Field]:
    """Return fields of every kind; a mapping is an expression, a default is not."""
    defaults = st.fixed_dictionaries({"default": SCALARS | st.lists(SCALARS) | st.none()})
    mappings = st.fixed_dictionaries({"mapping": st.builds(lambda p: {"@path": p}, TEXT)})
    start = st.one_of(defaults, mappings)
    return st.builds(
        lambda start, options: Field(**start, **options),
        start,
        st.fixed_dictionaries(
            {
                "label": TEXT,
                "description": TEXT,
                "type": st.sampled_from(["string", "password", "number", "object", "datetime"]),
                "required": st.booleans() | CONDITIONS,
                "multiple": st.booleans(),
                "nullable": st.booleans(),
                "choices": st.lists(SCALARS, unique_by=text, max_size=3).map(
                    lambda values: tuple(Choice(value, "Shown") for value in values)
                ),
                "pattern": st.sampled_from([None, "^a$"]),
                "format": st.sampled_from([None, "email"]),
                "minimum": NUMBERS,
                "maximum": NUMBERS,
                "placeholder": TEXT,
                "category": st.sampled_from([None, "identifier"]),
                "depends_on": st.none() | CONDITIONS,
                "dynamic": st.booleans(),
                "properties": properties,
                "additional_properties": st.sampled_from([None, True]),
                "object_ui": st.sampled_from([None, "arrayeditor"]),
                "disabled_input_methods": st.sampled_from([(), ("literal", "function")]),
                "display_mode": st.sampled_from([None, "collapsed"]),
                "read_only": st.booleans(),
                "hidden": st.booleans(),
                "secret": st.booleans(),
            }
        ),
    )


LEAVES = fields(st.none())
TABLES = st.dictionaries(
    KEYS, fields(st.none() | st.dictionaries(KEYS, LEAVES, max_size=2)), max_size=3
)


@settings(max_examples=60, deadline=None)
@given(TABLES, TABLES, st.booleans(), st.sampled_from([None, Rate(calls=3)]))
def test_every_definition_survives_the_wire(
    table: Any, payload: Any, hidden: Any, rate: Any
) -> None:
    """Reading is the inverse of writing."""
    destination = Destination(
        slug="any",
        name="Any",
        settings=table,
        rate=rate,
        actions=(Action(slug="do", title="Do", hidden=hidden, payload=payload),),
    )
    assert from_manifest(json.loads(json.dumps(to_manifest(destination)))) == destination


JUNK = st.recursive(
    st.none() | SCALARS | st.floats() | st.sampled_from(["all", "@path", "type ="]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["value", "label", "@path", "@if", "conditions", "match", "keys"]),
            inner,
            max_size=2,
        )
    ),
    max_leaves=4,
)


def spots(document: Any) -> list[tuple[Any, Any]]:
    """Return every position of a document as its container and its key."""
    keys = list(document) if isinstance(document, dict) else range(len(document))
    found = [(document, key) for key in keys]
    for key in keys:
        if isinstance(document[key], dict | list):
            found += spots(document[key])
    return found


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_change_to_a_manifest_is_lost_or_a_crash(data: st.DataObject) -> None:
    """A changed document is read, each error is reported, and it is written back unchanged."""
    document = copy.deepcopy(REFERENCE)
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(spots(document)))
        if data.draw(st.booleans()) and isinstance(container, dict):
            del container[key]
        else:
            container[key] = data.draw(JUNK)
    reading = read_manifest(document)
    assert reading.errors or reading.destination
    if reading.destination:
        assert text(to_manifest(reading.destination)) == text(document)
