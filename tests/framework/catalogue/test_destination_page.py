"""A destination's page shows everything that its definition says, as it says it."""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from destinations import criteo_audiences
from framework import (
    Action,
    AllOrNone,
    AtMostOne,
    Batching,
    Choice,
    Condition,
    Conditions,
    Destination,
    Field,
    HookCall,
    MappingHook,
    OneOf,
    Payload,
    Preset,
    Rate,
    Saved,
    SyncMode,
    field,
)
from framework.catalogue import markdown_page
from framework.controls import visible
from framework.definition import from_manifest, to_manifest
from framework.definition.json_schema_meta import OPTIONS
from framework.plugins import HOOKS, Plugin, open_plugin
from tests.framework.catalogue.rendered import tables, tags
from tests.reference_pages import SAMPLES

PLUGINS = Path(__file__).parents[2] / "plugins"
WORKING = ("acme_webhook",)


def page_of(plugin: Plugin) -> str:
    return markdown_page(plugin.definition, set(filter(plugin.implements, HOOKS)))


def one_action(**options: Any) -> Destination:
    given = {"slug": "send", "title": "Send", "payload": {"text": Field("Text")}, **options}
    return Destination(slug="depot", name="Depot", actions=(Action(**given),))


def row_of(field: Field) -> list[str]:
    """Return the cells of the only field of a page."""
    page = markdown_page(one_action(payload={"a": field}))
    ((_, row),) = [table for table in tables(page) if table[0][0] == "Field"]
    return row


@pytest.mark.parametrize("name", WORKING)
def test_the_page_of_a_plugin_names_all_its_fields(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(PLUGINS / name))
    monkeypatch.delitem(sys.modules, name, raising=False)
    plugin = open_plugin(importlib.import_module(name))
    definition = plugin.definition
    page = page_of(plugin)
    keys = [row[1] for table in tables(page) if table[0][0] == "Field" for row in table[1:]]
    assert keys == [key for action in definition.actions for key in action.fields]
    settings = [row[1] for table in tables(page) if table[0][0] == "Setting" for row in table[1:]]
    assert settings == list(definition.settings_fields)


def test_criteo() -> None:
    """What its people ask for: credentials, triggers, defaults, sizes of batches, the rate."""
    page = page_of(open_plugin(criteo_audiences))
    overview, settings, actions, added, removed, presets = tables(page)
    assert overview[1:5] == [
        ["Slug", "actions-criteo-audiences"],
        ["Mode", "cloud"],
        ["Authentication", "custom"],
        ["Rate limit", "250 requests in 60 s, shared by connections with equal client_id"],
    ]
    assert [row[3] for row in settings[1:]] == ["yes", "yes", "yes", "", ""]
    assert actions[1][:3] == [
        "Add users to Audience",
        "addUserToAudience",
        'type = "track" and event = "Audience Entered"',
    ]
    assert added == removed
    assert added[3][:5] == [
        "Email",
        "email",
        "string",
        'if identifier_type is "email"',
        "$.context.traits.email",
    ]
    assert len(presets) == 3
    assert "- A batch holds at most 50,000 payloads and about 9,500,000 bytes." in page
    assert "- Order is kept together with `removeUserFromAudience`." in page
    assert "- Users cannot be deleted: events of type `delete` fail." in page
    assert "- Credentials can be checked without an event: `actions check-auth`." in page


@pytest.mark.parametrize(
    ("field", "cells"),
    [
        (Field("A", "What."), ["A", "a", "string", "", "", "What."]),
        (Field(), ["a", "a", "string", "", "", ""]),
        (Field(required=True), ["a", "a", "string", "yes", "", ""]),
        (Field(multiple=True, type="number"), ["a", "a", "list of number", "", "", ""]),
        (Field(format="email"), ["a", "a", "string (email)", "", "", ""]),
        (Field(default="x|`y`"), ["a", "a", "string", "", '"x|`y`"', ""]),
        (Field(mapping={"@path": "$.a|b"}), ["a", "a", "string", "", "$.a|b", ""]),
        (
            Field(mapping={"@template": "{{a}}|"}),
            ["a", "a", "string", "", '{"@template": "{{a}}|"}', ""],
        ),
        (
            Field(type="password", default="sesame"),
            ["a", "a", "password", "", "(secret)", "Never shown."],
        ),
        (
            Field(minimum=1, maximum=1000.0),
            ["a", "a", "string", "", "", "From 1 to 1,000 characters."],
        ),
        (Field(type="number", minimum=0.5), ["a", "a", "number", "", "", "At least 0.5."]),
        (Field(type="integer", maximum=9), ["a", "a", "integer", "", "", "At most 9."]),
        (
            Field(hashed="sha256"),
            ["a", "a", "string", "", "", "Sent as its sha256 hash; a hash is sent as it is."],
        ),
        (Field(pattern="^(a|b)$"), ["a", "a", "string", "", "", "Matches ^(a|b)$."]),
        (
            Field(choices=(Choice("x", "First"), Choice(2), Choice("z", description="Last"))),
            ["a", "a", "string", "", "", "Choices: x (First), 2, z (Last)."],
        ),
        (
            Field(nullable=True, dynamic=True),
            ["a", "a", "string", "", "", "Choices are requested from the partner. May be null."],
        ),
        (
            Field(hidden=True, read_only=True),
            ["a", "a", "string", "", "", "Not shown in forms. Read-only in forms."],
        ),
        (
            Field(depends_on=Conditions.all(Condition("a", "is_not", [1, None]))),
            ["a", "a", "string", "", "", "Shown if a is not 1 or null."],
        ),
        (
            Field(required=Conditions.all(Condition(None, "is", "add"))),
            ["a", "a", "string", 'if the sync mode is "add"', "", ""],
        ),
        (
            Field(required=Conditions.any(Condition("a"), Condition("b", "is_not"))),
            ["a", "a", "string", "if a has no value or b has a value", "", ""],
        ),
    ],
)
def test_every_option_has_its_place(field: Field, cells: list[str]) -> None:
    assert row_of(field) == cells


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_can_be_shown(option: str) -> None:
    page = markdown_page(one_action(payload={"a": SAMPLES[option]}))
    assert [row[1] for row in tables(page)[2][1:2]] == ["a"]


def test_more_choices_than_people_read_are_counted() -> None:
    assert row_of(Field(choices=tuple(map(Choice, range(1060)))))[5].endswith(
        "48, 49, 1,010 others."
    )


def test_fields_of_objects_have_rows_of_their_own() -> None:
    inner = {
        "sku": Field("SKU", required=True),
        "price": Field(type="object", properties={"net": Field()}),
    }
    field = Field(
        "Items", type="object", multiple=True, properties=inner, additional_properties=True
    )
    page = markdown_page(one_action(payload={"items": field}))
    (table,) = [table for table in tables(page) if table[0][0] == "Field"]
    assert [row[1] for row in table[1:]] == [
        "items",
        "items[].sku",
        "items[].price",
        "items[].price.net",
    ]
    assert table[1][5] == "Other keys are kept."


@pytest.mark.parametrize(
    ("batching", "lines"),
    [
        (None, ["Each event is sent by itself."]),
        (
            Batching(max_size=10, max_bytes=2_000, max_age=1.5),
            [
                "- A batch holds at most 10 payloads and about 2,000 bytes.",
                "- In a slow stream, a payload waits at most 1.5 s.",
                "- All payloads are sent, in order, an identifier once per batch.",
            ],
        ),
        (
            Batching(max_size=1),
            [
                "- Each event is sent by itself.",
                "- All payloads are sent, in order, an identifier once per batch.",
            ],
        ),
        (Batching(keys=("text",)), ["- Payloads of a batch have equal `text`."]),
        (
            Batching(max_size=1, keys=("text",)),
            [
                "- Each event is sent by itself.",
                "- Order is kept between payloads with equal `text`.",
            ],
        ),
        (
            Batching(order_keys=("text",)),
            ["- Without batches, order is kept between payloads with equal `text`."],
        ),
        (
            Batching(coalesce="last"),
            [
                "- Of several payloads about one identifier that wait, only the newest is sent.",
            ],
        ),
        (
            Batching(coalesce="membership"),
            [
                (
                    "- Of several payloads about one identifier that wait, only the newest that "
                    "adds or removes is sent."
                ),
            ],
        ),
        (
            Batching(coalesce="merge", merge=lambda _action, _older, newer: newer),
            ["- Consecutive payloads about one identifier that wait are merged into one."],
        ),
    ],
)
def test_batches_are_described(batching: Batching | None, lines: list[str]) -> None:
    page = markdown_page(one_action(batching=batching)).splitlines()
    assert [line for line in lines if line not in page] == []


def test_sync_modes_are_described() -> None:
    mode = SyncMode(
        label="How to *sync*", description="a|b", default="add", choices=("add", "update")
    )
    page = markdown_page(one_action(sync_mode=mode))
    assert "**How to \\*sync\\***: `add` and `update`; by default `add`. a\\|b" in page


class Inputs(Payload):
    """What a hook asks for."""

    name: str = field("Name", "Of the list.")


def run(call: HookCall[Any, Any]) -> Saved:
    del call
    return Saved()


def test_rules_matching_keys_and_hooks_are_described() -> None:
    table = {"a|b": Field(), "c": Field()}
    hook = MappingHook(
        kind="onMappingSave", label="Create *one*", run=run, inputs=Inputs, required=True
    )
    rules = (OneOf("a|b", "c"), AllOrNone("a|b", "c"), AtMostOne("c", "a|b"))
    found = replace(
        one_action(payload=table, rules=rules, matching_keys=("c", "a|b"), hooks=(hook,)),
        settings=table,
        settings_rules=(OneOf("c", "a|b"),),
    )
    page = markdown_page(found)
    name = "<code>a&#124;b</code>"
    assert page.count(f"- At least one of `c` and {name} needs a value.") == 1
    assert (
        f"- At least one of {name} and `c` needs a value.\n"
        f"- All of {name} and `c` need a value, or none.\n"
        f"- At most one of `c` and {name} may have a value."
    ) in page
    assert f"Records of a warehouse are identified by `c` or {name}." in page
    assert "**Create \\*one\\*** (`onMappingSave`, required)" in page
    (inputs,) = [table for table in tables(page) if table[0][0] == "Input"]
    assert inputs[1] == ["Name", "name", "string", "yes", "", "Of the list."]


def test_what_a_definition_does_not_have_is_said() -> None:
    page = markdown_page(Destination(slug="bare", name=""), ())
    assert page.startswith("# bare\n")
    assert "| Rate limit | none |" in page
    assert "This destination has no settings." in page
    assert "This destination has no actions." in page
    assert "- It has no sandbox." in page
    assert "## Presets" not in page


def test_special_destinations_and_actions() -> None:
    found = Destination(
        slug="depot",
        name="Depot",
        transport="other",
        rate=Rate(calls=1, seconds=0.5),
        actions=(
            Action(slug="send", title="Send", payload={}, hidden=True, membership=False),
        ),
        presets=(
            Preset(name="Late", action="send", kind="specificEvent", event_slug="warehouse_late"),
        ),
    )  # fmt: skip
    page = markdown_page(found)
    assert "| Rate limit | 1 request in 0.5 s |" in page
    assert "| Transport | not only HTTP; not called in dry runs |" in page
    assert "- Hidden in lists of actions.\n- Each payload removes from an audience." in page
    assert "This action has no fields." in page
    assert (
        "| Late | `send` | the event `warehouse_late` of the host | the action's defaults |" in page
    )


def test_all_rates_are_shown() -> None:
    action = Action(slug="send", title="Send", payload={}, idempotent=True)
    found = Destination(
        slug="depot",
        name="Depot",
        rate=Rate(250, 60),
        rates=[Rate(10, 1, endpoint="POST /batch"), Rate(5, 1, concurrency=2)],
        actions=[action],
    )
    page = markdown_page(found)
    assert (
        "| Rate limits | 250 requests in 60 s; 10 requests in 1 s to `POST /batch`; "
        "5 requests in 1 s, 2 at one time in each process |"
    ) in page
    assert "- Requests may be sent twice: a POST is repeated after an answer of 5xx." in page
    by_plan = replace(found, rates=lambda _: [])
    assert "| Rate limit | 250 requests in 60 s |" in markdown_page(by_plan)
    assert "| Further rate limits | depend on the settings |" in markdown_page(by_plan)
    assert "| Rate limits | depend on the settings |" in markdown_page(replace(by_plan, rate=None))


def test_a_manifest_has_the_same_page() -> None:
    """But for what a document cannot hold: functions and Python's options."""
    definition = open_plugin(criteo_audiences).definition
    again = markdown_page(from_manifest(to_manifest(definition)))
    ours = markdown_page(definition)
    lost = set(ours.splitlines()) - set(again.splitlines())
    assert lost == {
        "| Settings that may change during a run | `api_version` and `enable_batching` |",
        "- Each payload adds to an audience.",
        "- Each payload removes from an audience.",
    }


TEXTS = st.text(alphabet="|`\\\n*_<>&[]()#-+1. \x1b\u202e\"'", max_size=20)
ELEMENTS = {"h1", "h2", "h3", "p", "table", "thead", "tbody", "tr", "th", "td"}
ELEMENTS |= {"ul", "li", "code", "strong"}


@given(TEXTS, TEXTS, TEXTS.filter(lambda key: bool(key.strip())))
def test_whatever_a_definition_holds_is_text(label: str, description: str, key: str) -> None:
    mode = SyncMode(label=label, description=description, default="add")
    field = Field(label, description, choices=(Choice("x", label, description),), default="x")
    action = Action(slug="send", title=label, description=description, payload={key: field},
                    sync_mode=mode)  # fmt: skip
    preset = Preset(name=label, action="send", mapping={key: description})
    found = Destination(slug="a|`b`", name=label, description=description, mode=label,
                        settings={key: field}, actions=(action,), presets=(preset,))  # fmt: skip
    page = markdown_page(found)
    assert tags(page) <= ELEMENTS
    assert len(page.splitlines()) == len(markdown_page(_plain(found)).splitlines()) or not (
        label.strip() and description.strip()
    )
    settings = [table for table in tables(page) if table[0][0] == "Setting"]
    ((_, row),) = settings
    assert row[0] == " ".join(visible(label or key).split())
    assert row[1] == " ".join(visible(key).split())


def _plain(found: Destination) -> Destination:
    """Return the same destination with harmless texts."""
    (action,) = found.actions
    mode = SyncMode(label="a", description="b", default="add")
    field = Field("a", "b", choices=(Choice("x", "a", "b"),), default="x")
    action = Action(slug="send", title="a", description="b", payload={"k": field}, sync_mode=mode)
    preset = Preset(name="a", action="send", mapping={"k": "b"})
    return Destination(slug="s", name="a", description="b", mode="m", settings={"k": field},
                       actions=(action,), presets=(preset,))  # fmt: skip
