"""Mappings are checked at every depth: undeclared keys, paths as text, dead branches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import destinations.criteo_audiences
from framework.config import parse_connection
from framework.definition import Action, Choice, Field
from framework.linting import (
    Issue,
    check,
    check_mapping,
    model_from_sample,
    model_from_spec,
)
from framework.plugins import open_plugin

ITEM = Field(type="object", multiple=True, properties={"sku": Field(), "amount": Field()})
BOX = Field(
    type="object",
    properties={
        "town": Field(),
        "inner": Field(type="object", properties={"depth": Field()}),
        "open": Field(type="object", properties={"a": Field()}, additional_properties=True),
        "free": Field(type="object"),
    },
)
FIELDS = {
    "items": ITEM,
    "box": BOX,
    "text": Field(),
    "kind": Field(choices=(Choice("$.properties.a", "Path"),)),
    "free": Field(type="object"),
}
ACTION = Action(slug="send", title="Send", payload=FIELDS)


def issues(mapping: dict[str, Any], code: str) -> list[Issue]:
    found = check_mapping(ACTION, mapping, model_from_spec()).issues
    return [issue for issue in found if issue.code == code]


GOOD_ITEM = {"sku": {"@path": "$.sku"}}
BAD_ITEM = {**GOOD_ITEM, "amont": {"@path": "$.qty"}}
UNDECLARED: list[tuple[dict[str, Any], list[str]]] = [
    ({"items": {"@arrayPath": ["$.properties.lines", GOOD_ITEM]}}, []),
    ({"items": {"@arrayPath": ["$.properties.lines", BAD_ITEM]}}, ["items/@arrayPath/1/amont"]),
    ({"items": [GOOD_ITEM, BAD_ITEM]}, ["items/1/amont"]),
    ({"items": BAD_ITEM}, ["items/amont"]),
    ({"box": {"twon": "x"}}, ["box/twon"]),
    ({"box": {"inner": {"detph": 1}}}, ["box/inner/detph"]),
    ({"box": {"inner": {"depth": 1}, "open": {"b": 1}, "free": {"b": {"c": 1}}}}, []),
    (
        {"box": {"@if": {"exists": {"@path": "$.userId"}, "then": {"twon": 1}, "else": {"x": 2}}}},
        ["box/@if/then/twon", "box/@if/else/x"],
    ),
    (
        {"box": {"@merge": {"direction": "right", "objects": [{"@path": "$.traits"}, {"x": 1}]}}},
        ["box/@merge/objects/1/x"],
    ),
    ({"box": {"@literal": {"twon": "x"}}}, ["box/@literal/twon"]),
    ({"box": {"@excludeWhenNull": {"twon": "x"}}}, ["box/@excludeWhenNull/twon"]),
    (
        {"box": {"@transform": {"apply": {"a": 1}, "mapping": {"twon": {"@path": "$.a"}}}}},
        ["box/@transform/mapping/twon"],
    ),
    (
        {"box": {"inner": {"@if": {"exists": {"@path": "$.userId"}, "then": {"deep": 1}}}}},
        ["box/inner/@if/then/deep"],
    ),
    ({"box": {"@path": "$.traits"}, "free": {"anything": {"goes": 1}}}, []),
    ({"box": {"@json": {"mode": "decode", "value": '{"x": 1}'}}}, []),
]


@pytest.mark.parametrize(("mapping", "places"), UNDECLARED)
def test_undeclared_keys_are_found_at_every_depth(
    mapping: dict[str, Any], places: list[str]
) -> None:
    found = issues(mapping, "AD503")
    assert ["/".join(issue.place) for issue in found] == places
    assert all(issue.on_key for issue in found)


@pytest.mark.parametrize(
    ("key", "severity", "hint"),
    [
        ("twon", "error", "Did you mean `town`?"),
        ("colour", "warning", "Known keys: free, inner, open, town."),
    ],
)
def test_a_likely_typo_is_an_error(key: str, severity: str, hint: str) -> None:
    (found,) = issues({"box": {key: 1}}, "AD503")
    assert found.message == f"Field `box` of action `send` has no key `{key}`."
    assert (found.severity, found.hint) == (severity, hint)


AS_TEXT = [
    "$.context.traits.email", "$.userId", "$['a']", '$["a"].b', "$.a[0].b", "$[0]",
    "context.traits.email", "properties.order_id", "traits.first_name", "properties['a b'].c",
    "$.properties.first name", "{{properties.a}}", "Order {{properties.id}}", "{{{userId}}}",
    "${properties.total}", "a ${userId}", "@path: $.userId", "@template {{userId}}",
    '{"@path":"$.userId"}', " { '@if' : {} } ", '{"@template": "a"}',
]  # fmt: skip
TEXTS = [
    "", "hello", "a.b", "$", "$5.00", "$.50", "US$.", "price: $9.99", "user@example.com", "userId",
    "event", "properties", "Traits. And more", "context is all", "properties.", "https://a.example",
    "2026-03-05", "1.2.3", "@home", "${env:NAME}", "$${literal}", "{not a template}", "{{}}",
    '{"a": "@path"}', '{"@context": "https://schema.org"', "{@home}",
    "My properties.email", "contextual.ads", "a/b.c", "properties of traits",
]  # fmt: skip


@pytest.mark.parametrize("text", AS_TEXT)
def test_a_text_that_looks_like_a_path_is_found(text: str) -> None:
    for mapping, place in (
        ({"text": text}, "text"),
        ({"text": {"@case": {"operator": "lower", "value": text}}}, "text/@case/value"),
        ({"box": {"town": text}}, "box/town"),
        ({"items": [{"sku": text}]}, "items/0/sku"),
        ({"items": {"@arrayPath": ["$.properties.a", {"sku": text}]}}, "items/@arrayPath/1/sku"),
        ({"text": {"@if": {"exists": {"@path": "$.userId"}, "then": text}}}, "text/@if/then"),
        ({"text": {"@if": {"exists": text, "then": "x"}}}, "text/@if/exists"),
    ):
        found = issues(mapping, "AD509")
        assert [("/".join(each.place), each.severity) for each in found] == [(place, "warning")]


@pytest.mark.parametrize("text", TEXTS)
def test_other_texts_are_text(text: str) -> None:
    assert issues({"text": text, "box": {"town": text}}, "AD509") == []


@pytest.mark.parametrize("text", AS_TEXT)
def test_what_is_meant_as_text_is_not_found(text: str) -> None:
    """`@literal` and arguments of directives; a choice of the field, too."""
    mapping = {
        "text": {"@literal": text},
        "kind": "$.properties.a",
        "free": {"@arrayPath": ["$.properties.a"]},
        "items": {"@arrayPath": ["$.properties.a", {"sku": {"@path": "$.properties.b"}}]},
    }
    assert issues(mapping, "AD509") == []


def test_the_hint_has_the_path() -> None:
    (found,) = issues({"text": "context.traits.email"}, "AD509")
    assert found.message == "This text looks like a path, but text is sent unchanged."
    assert found.hint == 'Write `{"@path": "$.context.traits.email"}`.'


PATH = {"@path": "$.properties.a"}
TEMPLATE = {"@template": "{{properties.a}}"}
ALWAYS, NEVER = "always", "never"
CONDITIONS: list[tuple[dict[str, Any], str]] = [
    ({"exists": PATH}, ""),
    ({"blank": PATH}, ""),
    ({"blank": TEMPLATE}, ""),
    ({"exists": TEMPLATE}, ALWAYS),
    ({"exists": {"@template": "x {{properties.a}}"}}, ALWAYS),
    ({"blank": {"@template": "x {{properties.a}}"}}, ALWAYS),
    ({"exists": "x"}, ALWAYS),
    ({"exists": 5}, ALWAYS),
    ({"blank": "x"}, ALWAYS),
    ({"exists": {"@literal": None}}, NEVER),
    ({"exists": {"@merge": {"direction": "right", "objects": [PATH]}}}, ALWAYS),
    ({"exists": {"@if": {"exists": PATH, "then": PATH}}}, ""),
    ({"exists": {"@case": {"operator": "lower", "value": PATH}}}, ""),
    ({"exists": {"@path": "$.messageId"}}, ""),
    ({"exists": {"@path": "$.type"}}, ""),
]


@pytest.mark.parametrize(("condition", "result"), CONDITIONS)
def test_a_condition_without_effect_is_found(condition: dict[str, Any], result: str) -> None:
    """Conditions on paths have an effect, also where Segment's spec always has a value."""
    found = issues({"text": {"@if": {**condition, "then": "a", "else": "b"}}}, "AD516")
    assert [issue.message.split()[3] for issue in found] == ([result] if result else [])


def test_a_condition_within_its_own_branch_has_no_effect() -> None:
    inner = {"@if": {"exists": PATH, "then": "a", "else": "b"}}
    found = issues({"text": {"@if": {"exists": PATH, "then": inner, "else": inner}}}, "AD516")
    assert ["/".join(issue.place) for issue in found] == ["text/@if/then/@if/exists"]


def test_dead_branches_are_found_in_items() -> None:
    shape = {"sku": {"@if": {"exists": {"@template": "{{sku}}"}, "then": "a", "else": "b"}}}
    found = issues({"items": {"@arrayPath": ["$.properties.a", shape]}}, "AD516")
    assert [(issue.message, issue.severity) for issue in found] == [
        ("The condition `exists` always holds, so `else` is never used.", "warning")
    ]


@pytest.mark.parametrize("name", ["@path", "@merge", "@if", "@literal", "@nonsense"])
def test_a_directive_cannot_be_the_whole_mapping(name: str) -> None:
    """One error, also if other keys stand beside it, and the way out."""
    found = check_mapping(ACTION, {name: "$.properties", "txet": 1}, model_from_spec()).issues
    assert [(issue.code, issue.severity, issue.place) for issue in found] == [
        ("AD501", "error", (name,))
    ]
    assert "__segment_internal_directive" in found[0].hint


def test_defaults_are_not_told_apart_from_what_is_good() -> None:
    """The issues of nested keys and texts concern what the subscription itself maps."""
    fields = {"text": Field(default="$.properties.a"), "box": BOX}
    action = Action(slug="send", title="Send", payload=fields)
    assert check_mapping(action, {}, model_from_spec()).issues == ()


MINIMAL = {
    "destination": "actions-criteo-audiences",
    "settings": {
        "advertiser_id": "12345",
        "client_id": "${env:CRITEO_CLIENT_ID}",
        "client_secret": "${env:CRITEO_CLIENT_SECRET}",
    },
    "subscriptions": [
        {
            "partnerAction": "addUserToAudience",
            "subscribe": 'type = "track" and event = "Audience Entered"',
        },
        {
            "partnerAction": "removeUserFromAudience",
            "subscribe": 'type = "track" and event = "Audience Exited"',
        },
    ],
}


def test_the_minimal_connection_has_no_findings() -> None:
    """Not even hints: its mappings are the destination's defaults."""
    environment = {"CRITEO_CLIENT_ID": "a", "CRITEO_CLIENT_SECRET": "b"}
    reading = parse_connection(json.dumps(MINIMAL), "c.json", Path(), environment)
    definition = open_plugin(destinations.criteo_audiences).definition
    assert check(reading, {definition.slug: definition}, model_from_spec()) == ()


def test_a_sample_without_the_default_s_value_is_told() -> None:
    """A hint by the spec is no news; events that lack what is needed are."""
    definition = open_plugin(destinations.criteo_audiences).definition
    action = definition.action("addUserToAudience")
    sample = model_from_sample([{"type": "track", "event": "Audience Entered", "properties": {}}])
    found = check_mapping(action, {}, sample).issues
    assert {issue.code for issue in found} == {"AD511"}
