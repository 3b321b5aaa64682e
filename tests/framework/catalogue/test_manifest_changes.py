"""Each kind of change between two definitions, in both directions, and what never happens."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from framework import (
    Action,
    AddField,
    Batching,
    ChangeMapping,
    Choice,
    Condition,
    Conditions,
    Destination,
    Field,
    HookCall,
    KeepTrigger,
    MappingHook,
    Migration,
    OneOf,
    Payload,
    Preset,
    Rate,
    RemoveField,
    RenameField,
    ReplaceSyncMode,
    Saved,
    SyncMode,
    field,
)
from framework.catalogue import DefinitionChange, changes_between, resolving_steps
from framework.definition import FieldTable, Shape, from_manifest, to_manifest
from framework.paths import JSON
from tests.framework.definition.tables import fields, tables

BREAKING, NOTE, COMPATIBLE = "breaking", "note", "compatible"
A, B = Condition("a", "is", "x"), Condition("b", "is", "x")
OBJECT = Field(type="object")
KEYS = {"sku": Field("SKU")}
CLOSED = Field(type="object", properties=KEYS)
OPEN = Field(type="object", properties=KEYS, additional_properties=True)
MORE = Field(type="object", properties={**KEYS, "name": Field()})
NEEDED = Field(type="object", properties={**KEYS, "name": Field(required=True, default="x")})
OPEN_MORE = replace(MORE, additional_properties=True)
LIST = Field(type="object", properties={"sku": Field("SKU", multiple=True)})
OBJECTS = Field(type="object", properties={"sku": Field("SKU", type="object")})
OBJECTS_LIST = Field(type="object", properties={"sku": Field("SKU", type="object", multiple=True)})


def with_field(field: Field | None, *, setting: bool = False) -> Destination:
    table = {} if field is None else {"x": field}
    action = Action(
        slug="send", title="Send", payload={"kept": Field(), **({} if setting else table)}
    )
    return Destination(slug="d", name="D", actions=(action,), settings=table if setting else {})


def kinds(old: Destination, new: Destination) -> list[tuple[str, str]]:
    return [(change.level, change.code) for change in changes_between(old, new)]


FIELDS: dict[str, tuple[Field, Field, list[tuple[str, str]], list[tuple[str, str]]]] = {
    "string to text": (
        Field(),
        Field(type="text"),
        [(COMPATIBLE, "type-changed")],
        [(COMPATIBLE, "type-changed")],
    ),
    "password": (
        Field(),
        Field(type="password"),
        [(COMPATIBLE, "type-changed"), (NOTE, "secret-changed")],
        [(COMPATIBLE, "type-changed"), (NOTE, "secret-changed")],
    ),
    "integer to number": (
        Field(type="integer"),
        Field(type="number"),
        [(COMPATIBLE, "type-changed")],
        [(BREAKING, "type-changed")],
    ),
    "number to string": (
        Field(type="number"),
        Field(),
        [(NOTE, "type-changed")],
        [(BREAKING, "type-changed")],
    ),
    "boolean to string": (
        Field(type="boolean"),
        Field(),
        [(NOTE, "type-changed")],
        [(BREAKING, "type-changed")],
    ),
    "datetime to string": (
        Field(type="datetime"),
        Field(),
        [(NOTE, "type-changed")],
        [(BREAKING, "type-changed")],
    ),
    "boolean to number": (
        Field(type="boolean"),
        Field(type="number"),
        [(BREAKING, "type-changed")],
        [(BREAKING, "type-changed")],
    ),
    "object to string": (
        OBJECT,
        Field(),
        [(BREAKING, "type-changed")],
        [(BREAKING, "type-changed")],
    ),
    "multiple": (
        Field(),
        Field(multiple=True),
        [(NOTE, "multiple-changed")],
        [(BREAKING, "multiple-changed")],
    ),
    "nullable list": (
        Field(nullable=True),
        Field(nullable=True, multiple=True),
        [(NOTE, "multiple-changed"), (BREAKING, "null-changed")],
        [(BREAKING, "multiple-changed"), (NOTE, "null-changed")],
    ),
    "required": (
        Field(),
        Field(required=True),
        [(BREAKING, "required-changed")],
        [(COMPATIBLE, "required-changed")],
    ),
    "required sometimes": (
        Field(),
        Field(required=Conditions.all(A)),
        [(BREAKING, "required-changed")],
        [(COMPATIBLE, "required-changed")],
    ),
    "required in more cases": (
        Field(required=Conditions.any(A)),
        Field(required=Conditions.any(A, B)),
        [(BREAKING, "required-changed")],
        [(COMPATIBLE, "required-changed")],
    ),
    "required in fewer cases": (
        Field(required=Conditions.all(A)),
        Field(required=Conditions.all(A, B)),
        [(COMPATIBLE, "required-changed")],
        [(BREAKING, "required-changed")],
    ),
    "required always": (
        Field(required=Conditions.all(A)),
        Field(required=True),
        [(BREAKING, "required-changed")],
        [(COMPATIBLE, "required-changed")],
    ),
    "required in other cases": (
        Field(required=Conditions.all(A)),
        Field(required=Conditions.all(B)),
        [(BREAKING, "required-changed")],
        [(BREAKING, "required-changed")],
    ),
    "null": (Field(), Field(nullable=True), [(NOTE, "null-changed")], [(BREAKING, "null-changed")]),
    "choices": (
        Field(),
        Field(choices=(Choice("a"),)),
        [(BREAKING, "choices-changed")],
        [(COMPATIBLE, "choices-changed")],
    ),
    "more choices": (
        Field(choices=(Choice("a"),)),
        Field(choices=(Choice("a"), Choice("b"))),
        [(COMPATIBLE, "choices-changed")],
        [(BREAKING, "choices-changed")],
    ),
    "other choices": (
        Field(choices=(Choice("a"),)),
        Field(choices=(Choice("b"),)),
        [(BREAKING, "choices-changed"), (COMPATIBLE, "choices-changed")],
        [(BREAKING, "choices-changed"), (COMPATIBLE, "choices-changed")],
    ),
    "labels of choices": (
        Field(choices=(Choice("a"),)),
        Field(choices=(Choice("a", "A"),)),
        [(COMPATIBLE, "appearance-changed")],
        [(COMPATIBLE, "appearance-changed")],
    ),
    "format": (
        Field(),
        Field(format="email"),
        [(BREAKING, "format-changed")],
        [(COMPATIBLE, "format-changed")],
    ),
    "format without effect": (
        Field(),
        Field(format="text"),
        [(COMPATIBLE, "option-changed")],
        [(COMPATIBLE, "option-changed")],
    ),
    "other format": (
        Field(format="email"),
        Field(format="uri"),
        [(BREAKING, "format-changed")],
        [(BREAKING, "format-changed")],
    ),
    "pattern": (
        Field(),
        Field(pattern="^a"),
        [(BREAKING, "pattern-changed")],
        [(COMPATIBLE, "pattern-changed")],
    ),
    "other pattern": (
        Field(pattern="^b"),
        Field(pattern="^a"),
        [(BREAKING, "pattern-changed")],
        [(BREAKING, "pattern-changed")],
    ),
    "minimum": (
        Field(),
        Field(minimum=1),
        [(BREAKING, "minimum-changed")],
        [(COMPATIBLE, "minimum-changed")],
    ),
    "higher minimum": (
        Field(minimum=1),
        Field(minimum=2),
        [(BREAKING, "minimum-changed")],
        [(COMPATIBLE, "minimum-changed")],
    ),
    "maximum": (
        Field(),
        Field(maximum=9),
        [(BREAKING, "maximum-changed")],
        [(COMPATIBLE, "maximum-changed")],
    ),
    "lower maximum": (
        Field(maximum=9),
        Field(maximum=8),
        [(BREAKING, "maximum-changed")],
        [(COMPATIBLE, "maximum-changed")],
    ),
    "bounds without effect": (
        Field(type="text"),
        Field(type="text", minimum=1),
        [(COMPATIBLE, "option-changed")],
        [(COMPATIBLE, "option-changed")],
    ),
    "bounds of another type": (
        Field(type="number", minimum=5),
        Field(minimum=1),
        [(NOTE, "type-changed"), (BREAKING, "minimum-changed")],
        [(BREAKING, "type-changed"), (BREAKING, "minimum-changed")],
    ),
    "default": (
        Field(),
        Field(default="a"),
        [(NOTE, "default-changed")],
        [(NOTE, "default-changed")],
    ),
    "another default": (
        Field(default="b"),
        Field(default="a"),
        [(NOTE, "default-changed")],
        [(NOTE, "default-changed")],
    ),
    "default mapping": (
        Field(mapping={"@path": "$.a"}),
        Field(mapping={"@path": "$.b"}),
        [(NOTE, "default-changed")],
        [(NOTE, "default-changed")],
    ),
    "default of what is required": (
        Field(required=True, default="a"),
        Field(required=True),
        [(BREAKING, "default-changed")],
        [(NOTE, "default-changed")],
    ),
    "keys of an object": (
        OBJECT,
        CLOSED,
        [(BREAKING, "properties-changed")],
        [(COMPATIBLE, "properties-changed")],
    ),
    "undeclared keys": (
        CLOSED,
        OPEN,
        [(COMPATIBLE, "properties-changed")],
        [(BREAKING, "properties-changed")],
    ),
    "key of an object": (
        CLOSED,
        MORE,
        [(COMPATIBLE, "field-added")],
        [(BREAKING, "field-removed")],
    ),
    "required key of an object": (
        CLOSED,
        NEEDED,
        [(BREAKING, "field-added")],
        [(BREAKING, "field-removed")],
    ),
    "key of an open object": (
        OPEN,
        OPEN_MORE,
        [(BREAKING, "field-added")],
        [(NOTE, "field-removed")],
    ),
    "list in an object": (
        CLOSED,
        LIST,
        [(NOTE, "multiple-changed")],
        [(BREAKING, "multiple-changed")],
    ),
    "list of objects in an object": (
        OBJECTS,
        OBJECTS_LIST,
        [(BREAKING, "multiple-changed")],
        [(BREAKING, "multiple-changed")],
    ),
    "dynamic": (
        Field(),
        Field(dynamic=True),
        [(NOTE, "dynamic-changed")],
        [(NOTE, "dynamic-changed")],
    ),
    "secret": (Field(), Field(secret=True), [(NOTE, "secret-changed")], [(NOTE, "secret-changed")]),
    "hash": (
        Field(hashed="md5"),
        Field(hashed="sha256"),
        [(NOTE, "hashed-changed")],
        [(NOTE, "hashed-changed")],
    ),
    "texts": (
        Field("A"),
        Field("B", "C"),
        [(COMPATIBLE, "appearance-changed")],
        [(COMPATIBLE, "appearance-changed")],
    ),
    "visibility": (
        Field(),
        Field(hidden=True, depends_on=Conditions.all(A)),
        [(COMPATIBLE, "appearance-changed")],
        [(COMPATIBLE, "appearance-changed")],
    ),
    "unknown option": (
        Field(),
        Field(extra={"new": 1}),
        [(NOTE, "option-changed")],
        [(NOTE, "option-changed")],
    ),
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_changes(name: str) -> None:
    old, new, forward, backward = FIELDS[name]
    assert kinds(with_field(old), with_field(new)) == forward
    assert kinds(with_field(new), with_field(old)) == backward


@pytest.mark.parametrize(
    ("field", "setting", "added", "removed"),
    [
        (Field(), False, COMPATIBLE, BREAKING),
        (Field(required=True), False, BREAKING, BREAKING),
        (Field(required=Conditions.all(A)), False, BREAKING, BREAKING),
        (Field(required=True, default="x"), False, NOTE, BREAKING),
        (Field(mapping={"@path": "$.a"}), False, NOTE, BREAKING),
        (Field(), True, COMPATIBLE, BREAKING),
        (Field(required=True), True, BREAKING, BREAKING),
        (Field(default="x"), True, NOTE, BREAKING),
        (Field(required=True, default="x"), True, BREAKING, BREAKING),
    ],
)
def test_a_field_comes_and_goes(field: Field, setting: bool, added: str, removed: str) -> None:  # noqa: FBT001 - a column
    """A saved connection has no value for a new setting; a subscription has the default."""
    without, having = (with_field(one, setting=setting) for one in (None, field))
    assert kinds(without, having) == [(added, "field-added")]
    assert kinds(having, without) == [(removed, "field-removed")]


ONE = Action(slug="send", title="Send", payload={"text": Field()}, trigger='type = "track"')
BASE = Destination(slug="d", name="D", actions=(ONE,), scheme="basic")
PRESET = Preset(name="P", action="send")


def having(**options: Any) -> Destination:
    return replace(BASE, actions=(replace(ONE, **options),))


class Inputs(Payload):
    """What a hook asks for."""

    name: str | None = field("Name")


class OtherInputs(Payload):
    """What it may ask for later."""

    name: str = field("Name")


def run(call: HookCall[Any, Any]) -> Saved:
    del call
    return Saved()


HOOK = MappingHook(kind="onMappingSave", label="Create", run=run, inputs=Inputs)
TWO = {"a": Field(), "b": Field()}
RULED = having(payload=TWO)
MODE = SyncMode(label="L", default="add", choices=("add", "update"))
WITH_MODE = having(sync_mode=MODE)
DEFINITIONS: dict[str, tuple[Destination, Destination, str, str, str | None]] = {
    "slug": (BASE, replace(BASE, slug="e"), "slug-changed", BREAKING, BREAKING),
    "name": (BASE, replace(BASE, name="E"), "name-changed", BREAKING, BREAKING),
    "mode": (BASE, replace(BASE, mode="device"), "mode-changed", NOTE, NOTE),
    "description": (BASE, replace(BASE, description="x"), "text-changed", COMPATIBLE, COMPATIBLE),
    "scheme": (BASE, replace(BASE, scheme="oauth2"), "scheme-changed", BREAKING, BREAKING),
    "rate": (BASE, replace(BASE, rate=Rate(calls=5)), "rate-changed", NOTE, NOTE),
    "rates": (BASE, replace(BASE, rates=[Rate(5, 1)]), "rate-changed", NOTE, NOTE),
    "rates of settings": (
        replace(BASE, rates=[Rate(5, 1)]),
        replace(BASE, rates=lambda _: [Rate(5, 1)]),
        "rate-changed",
        NOTE,
        NOTE,
    ),
    "preset": (BASE, replace(BASE, presets=(PRESET,)), "preset-changed", NOTE, NOTE),
    "trigger of a preset": (
        replace(BASE, presets=(PRESET,)),
        replace(BASE, presets=(replace(PRESET, trigger='type = "page"'),)),
        "preset-changed",
        NOTE,
        NOTE,
    ),
    "unknown key": (BASE, replace(BASE, extra={"k": 1}), "option-changed", NOTE, NOTE),
    "title": (BASE, having(title="x"), "text-changed", COMPATIBLE, COMPATIBLE),
    "platform": (BASE, having(platform="web"), "platform-changed", BREAKING, BREAKING),
    "trigger": (BASE, having(trigger='type = "page"'), "trigger-changed", BREAKING, BREAKING),
    "no trigger": (BASE, having(trigger=None), "trigger-changed", BREAKING, COMPATIBLE),
    "spelling of a trigger": (
        BASE,
        having(trigger="type='track'"),
        "text-changed",
        COMPATIBLE,
        COMPATIBLE,
    ),
    "hidden": (BASE, having(hidden=True), "hidden-changed", NOTE, NOTE),
    "batches": (BASE, having(batching=Batching()), "batching-changed", NOTE, NOTE),
    "rules of batches": (
        having(batching=Batching()),
        having(batching=Batching(keys=("text",))),
        "batching-changed",
        NOTE,
        NOTE,
    ),
    "unknown key of an action": (BASE, having(extra={"k": 1}), "option-changed", NOTE, NOTE),
    "sync mode": (BASE, WITH_MODE, "sync-mode-changed", NOTE, BREAKING),
    "choice of a sync mode": (
        WITH_MODE,
        having(sync_mode=replace(MODE, choices=("add", "update", "delete"))),
        "sync-mode-changed",
        COMPATIBLE,
        BREAKING,
    ),
    "default of a sync mode": (
        WITH_MODE,
        having(sync_mode=replace(MODE, default="update")),
        "sync-mode-changed",
        NOTE,
        NOTE,
    ),
    "matching keys": (
        BASE,
        having(matching_keys=("text",)),
        "matching-keys-changed",
        BREAKING,
        COMPATIBLE,
    ),
    "rule": (
        RULED,
        having(payload=TWO, rules=(OneOf("a", "b"),)),
        "rule-changed",
        BREAKING,
        COMPATIBLE,
    ),
    "hook": (BASE, having(hooks=(HOOK,)), "hook-added", NOTE, None),
    "text of a hook": (
        having(hooks=(HOOK,)),
        having(hooks=(replace(HOOK, label="x"),)),
        "hook-changed",
        NOTE,
        NOTE,
    ),
    "label of a sync mode": (
        WITH_MODE,
        having(sync_mode=replace(MODE, label="x")),
        "text-changed",
        COMPATIBLE,
        COMPATIBLE,
    ),
}


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_definition_changes(name: str) -> None:
    old, new, code, forward, backward = DEFINITIONS[name]
    assert kinds(old, new) == [(forward, code)]
    if backward is not None:
        assert kinds(new, old) == [(backward, code)]


def test_a_hook_goes_and_asks_for_more() -> None:
    """A manifest has it as it is; a saved mapping holds its inputs."""
    one = having(hooks=(HOOK,))
    two = having(hooks=(replace(HOOK, inputs=OtherInputs),))
    for read in (lambda found: found, lambda found: from_manifest(to_manifest(found))):
        assert kinds(read(one), read(BASE)) == [(BREAKING, "hook-removed")]
        assert kinds(read(one), read(two)) == [
            (BREAKING, "required-changed"),
            (BREAKING, "null-changed"),
        ]
        assert kinds(read(two), read(one)) == [
            (COMPATIBLE, "required-changed"),
            (NOTE, "null-changed"),
        ]
        assert kinds(read(one), read(one)) == []


def test_an_action_comes_and_goes() -> None:
    two = replace(BASE, actions=(ONE, replace(ONE, slug="other")))
    assert kinds(BASE, two) == [(COMPATIBLE, "action-added")]
    assert kinds(two, BASE) == [(BREAKING, "action-removed")]


def test_the_order_of_actions_and_fields_does_not_matter() -> None:
    other = replace(ONE, slug="other", payload={"a": Field(), "b": Field()})
    turned = replace(other, payload={"b": Field(), "a": Field()})
    one, two = (replace(BASE, actions=found) for found in ((ONE, other), (turned, ONE)))
    assert changes_between(one, two) == []


def test_a_change_has_a_place_and_a_sentence() -> None:
    field = Field(type="object", properties={"a/b": Field(maximum=5)})
    other = Field(type="object", properties={"a/b": Field(maximum=4)})
    (change,) = changes_between(with_field(field), with_field(other))
    assert change.to_json() == {
        "level": "breaking",
        "code": "maximum-changed",
        "place": "/actions/send/fields/x/properties/a~1b",
        "message": "`/actions/send/fields/x/properties/a~1b` has the maximum 4 now.",
    }
    (root,) = changes_between(BASE, replace(BASE, extra={"k": 1}))
    assert root.message == "`/` differs in `k`."


def test_a_change_of_rates_shows_all_of_them() -> None:
    old = replace(BASE, rates=[Rate(10, 1, endpoint="POST /batch")])
    new = replace(BASE, rates=[Rate(10, 1, endpoint="POST /batch", concurrency=2), Rate(5, 60)])
    (change,) = changes_between(old, new)
    assert change.message == (
        "`/rates` are 10 calls in 1 s to `POST /batch`, 2 at one time; 5 calls in 60 s, "
        "before 10 calls in 1 s to `POST /batch`."
    )


def test_default_values_of_secrets_are_not_shown() -> None:
    one, two = (Field(type="password", default=text) for text in ("sesame", "mellon"))
    changes = [
        *changes_between(with_field(one), with_field(two)),
        *changes_between(with_field(None), with_field(two)),
        *changes_between(with_field(one), with_field(replace(one, default=None))),
    ]
    shown = " ".join(change.message for change in changes)
    assert len(changes) == 3
    assert "sesame" not in shown
    assert "mellon" not in shown


def of_table(table: FieldTable) -> Destination:
    action = Action(slug="send", title="Send", payload=table)
    return Destination(slug="d", name="D", actions=(action,))


def through_manifest(table: FieldTable) -> Destination:
    return from_manifest(json.loads(json.dumps(to_manifest(of_table(table)))))


@given(tables())
def test_a_manifest_does_not_differ_from_itself(table: dict[str, Field]) -> None:
    assert changes_between(of_table(table), of_table(table)) == []
    assert changes_between(through_manifest(table), through_manifest(table)) == []


@given(fields(1), fields(1))
def test_whatever_differs_is_a_change(old: Field, new: Field) -> None:
    found = changes_between(with_field(old), with_field(new))
    assert bool(found) == (old != new)


VALUES: tuple[JSON, ...] = (
    None, "", " ", "a", "b", "ab", "a@b.co", "https://x.y/z", "5", "5.5", "true", "2024-03-05",
    0, 1, 5, 7, 9, 10, 2.5, -1, True, False,
    [], [None], [""], ["a"], ["a", "b"], ["5"], [1], [1, 2], [True], [{}], [{"sku": "a"}],
    {}, {"sku": "a"}, {"sku": ["a"]}, {"sku": {}}, {"sku": None}, {"sku": ""},
    {"sku": "a", "name": "b"}, {"sku": "a", "name": None}, {"sku": "a", "other": 1}, {"name": {}},
)  # fmt: skip
OTHERS = (
    Field(type="integer", nullable=True),
    Field(type="number", nullable=True, multiple=True),
    Field(type="boolean", required=True),
    Field(type="boolean", nullable=True),
    Field(type="object", nullable=True),
    Field(type="object", required=True, multiple=True),
    Field(type="number", choices=(Choice(1), Choice(5))),
    Field(type="integer", choices=(Choice(1), Choice(5), Choice(7))),
    Field(type="integer", minimum=1, maximum=7),
    Field(choices=(Choice(1), Choice(5))),
    Field(nullable=True, required=True),
    Field(multiple=True, required=True),
    Field(type="object", properties={"sku": Field(required=True)}),
    Field(type="object", properties={"sku": Field(required=True, multiple=True)}),
    Field(type="object", properties={"sku": Field(type="number")}, multiple=True),
)
ALL = [
    field
    for field in (*(one for row in FIELDS.values() for one in row[:2]), *OTHERS)
    if isinstance(field.required, bool)
]


def _declared(raw: Mapping[str, JSON], table: FieldTable) -> dict[str, JSON]:
    """Return the values of declared keys: others are refused when a mapping is saved."""
    return {key: _kept(raw[key], table[key]) for key in raw if key in table}


def _kept(value: JSON, field: Field) -> JSON:
    if isinstance(value, list):
        return [_kept(one, field) for one in value]
    if isinstance(value, dict) and field.properties is not None and not field.additional_properties:
        return _declared(value, field.properties)
    return value


def _accepts(field: Field, raw: Mapping[str, JSON]) -> bool:
    _, problems = Shape({"x": field}).interpret(raw)
    return not problems


@pytest.mark.parametrize("old", ALL, ids=repr)
def test_what_is_not_breaking_accepts_what_was_accepted(old: Field) -> None:
    """For every other field that it could become: each value that it accepts is still accepted."""
    raws = [{}, *(_declared({"x": value}, {"x": old}) for value in VALUES)]
    taken = [raw for raw in raws if _accepts(old, raw)]
    for new in ALL:
        changes = changes_between(with_field(old), with_field(new))
        if all(change.level != BREAKING for change in changes):
            assert [raw for raw in taken if not _accepts(new, raw)] == [], new


def action_with(*steps: Any, version: int = 1, **options: Any) -> Destination:
    migrations = [Migration(version, steps)] if steps else []
    given: dict[str, Any] = {
        "slug": "send",
        "title": "Send",
        "payload": {"kept": Field()},
        "migrations": migrations,
        **options,
    }
    return Destination(slug="d", name="D", actions=(Action(**given),))


NEEDED_FIELD = {"kept": Field(), "new": Field(required=True)}
MODES = SyncMode(label="M", default="mirror", choices=("mirror", "delete"))
FEWER = SyncMode(label="M", default="upsert", choices=("upsert", "delete"))
MIGRATED: dict[str, tuple[Destination, dict[str, Any], Any, str]] = {
    "a renamed field": (
        action_with(
            payload={"kept": Field(), "old": Field(required=True)},
            matching_keys=["old"],
            batching=Batching(keys=("old",), order_keys=("kept", "old")),
            rules=[OneOf("kept", "old")],
        ),
        {
            "payload": NEEDED_FIELD,
            "matching_keys": ["new"],
            "batching": Batching(keys=("new",), order_keys=("kept", "new")),
            "rules": [OneOf("kept", "new")],
        },
        RenameField("old", "new"),
        "`/actions/send/fields/old` is called `new` now. A migration changes saved mappings.",
    ),
    "a removed field": (
        action_with(payload={"kept": Field(), "old": Field()}),
        {},
        RemoveField("old"),
        (
            "`/actions/send/fields/old` is no longer a field of an action. A migration removes it "
            "from saved mappings."
        ),
    ),
    "a required field": (
        action_with(),
        {"payload": NEEDED_FIELD},
        AddField("new", "x"),
        (
            "`/actions/send/fields/new` is a new field of an action, and required. A migration "
            "changes saved mappings."
        ),
    ),
    "a default trigger": (
        action_with(trigger='type = "track"'),
        {"trigger": 'type = "page"'},
        KeepTrigger("type='track'"),
        (
            '`/actions/send/defaultSubscription` is `type = "page"`, before `type = "track"`: '
            "subscriptions without a trigger of their own change. A migration changes saved "
            "mappings."
        ),
    ),
    "a sync mode": (
        action_with(sync_mode=MODES),
        {"sync_mode": FEWER},
        ReplaceSyncMode("mirror", "upsert"),
        (
            "`/actions/send/syncMode/choices` has `upsert` in place of `mirror`. A migration "
            "changes saved mappings."
        ),
    ),
    "a function": (
        action_with(),
        {"payload": {"kept": Field(type="number")}},
        ChangeMapping(dict, "It converts.", ["kept"]),
        (
            "`/actions/send/fields/kept` has the type number, before string. A migration changes "
            "saved mappings."
        ),
    ),
}


@pytest.mark.parametrize(("old", "options", "step", "message"), MIGRATED.values(), ids=MIGRATED)
def test_a_migration_makes_a_breaking_change_a_note(
    old: Destination, options: dict[str, Any], step: Any, message: str
) -> None:
    """Without it the change is breaking; one that older connections have passed is no help."""
    without = changes_between(old, action_with(**options))
    assert BREAKING in {change.level for change in without}
    named = {name for change in without for name in resolving_steps(change)}
    assert type(step).__name__ in named
    new = action_with(step, **options)
    found = changes_between(old, new)
    assert {change.level for change in found} <= {NOTE, COMPATIBLE}
    assert message in [change.message for change in found if change.level == NOTE]
    read = changes_between(*(from_manifest(to_manifest(one)) for one in (old, new)))
    assert read == found
    passed = replace(old, actions=[replace(old.actions[0], migrations=[Migration(1, [LATER])])])
    assert BREAKING in {change.level for change in changes_between(passed, new)}


def test_a_step_is_named_only_where_a_migration_helps() -> None:
    """Neither settings nor rules are part of a mapping."""
    inner = Field(type="object", properties={"a": Field()}, additional_properties=False)
    fields = {"kept": inner, "other": Field()}
    old = action_with(payload=fields)
    less = action_with(payload={**fields, "kept": replace(inner, properties={})})
    changed = [
        (less, [("ChangeMapping",)]),
        (replace(old, actions=()), [("RenameAction",)]),
        (replace(old, settings={"a": Field(required=True)}), [()]),
        (action_with(payload=fields, rules=[OneOf("kept", "other")]), [()]),
        (action_with(payload=fields, description="Other"), [()]),
    ]
    for new, steps in changed:
        assert [resolving_steps(one) for one in changes_between(old, new)] == steps


LATER = ChangeMapping(dict, "Something else.")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((1,), (1, 2), [(COMPATIBLE, "migration-added")]),
        ((1, 2), (2,), [(NOTE, "migration-changed")]),
        ((1, 2), (1,), [(BREAKING, "migration-changed")]),
        ((1,), (), [(BREAKING, "migration-changed")]),
    ],
)
def test_changes_of_migrations_themselves(
    before: tuple[int, ...], after: tuple[int, ...], expected: list[tuple[str, str]]
) -> None:
    old, new = (
        action_with(migrations=[Migration(one, [LATER]) for one in versions])
        for versions in (before, after)
    )
    assert kinds(old, new) == expected
    other = action_with(migrations=[Migration(1, [RemoveField("x")])])
    assert kinds(action_with(migrations=[Migration(1, [LATER])]), other) == [
        (NOTE, "migration-changed")
    ]


def test_changes_are_of_known_kinds() -> None:
    assert {one.level for one in _all()} == {BREAKING, NOTE, COMPATIBLE}


def _all() -> list[DefinitionChange]:
    pairs = [(with_field(old), with_field(new)) for old, new, *_ in FIELDS.values()]
    pairs += [(old, new) for old, new, *_ in DEFINITIONS.values()]
    return [change for old, new in pairs for change in changes_between(old, new)]
