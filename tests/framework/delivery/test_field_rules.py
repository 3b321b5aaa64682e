"""Rules across fields: enforced in every way to a payload, published, and told in one sentence."""

from __future__ import annotations

from itertools import product
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from framework import (
    Action,
    AllOrNone,
    AtMostOne,
    DefinitionError,
    Destination,
    Failed,
    OneOf,
    Payload,
    Settings,
    Subscription,
    connect,
    field,
    hookimpl,
    open_plugin,
)
from framework.definition import FieldRule, compile_shape, from_manifest, to_manifest
from framework.errors import PayloadValidationError, SettingsError
from framework.plugins import load_plugins
from framework.schemas import schema_files


class Person(Payload):
    """Somebody, known in one of three ways."""

    email: str | None = field("Email", mapping={"@path": "$.email"})
    phone: str | None = field("Phone", mapping={"@path": "$.phone"})
    lat: float | None = field("Latitude", mapping={"@path": "$.lat"})
    lon: float | None = field("Longitude", mapping={"@path": "$.lon"})


ONE, ALL, MOST = OneOf("email", "phone"), AllOrNone("lat", "lon"), AtMostOne("email", "phone")
OF_SETTINGS = "This is a rule of the settings."
ROWS: list[tuple[FieldRule, dict[str, Any], bool]] = [
    (ONE, {}, False),
    (ONE, {"email": ""}, False),
    (ONE, {"email": None}, False),
    (ONE, {"email": None, "phone": "1"}, True),
    (ONE, {"email": "a", "phone": "1"}, True),
    (ALL, {}, True),
    (ALL, {"lat": 1}, False),
    (ALL, {"lat": None, "lon": 2}, False),
    (ALL, {"lat": 0, "lon": 0}, True),
    (MOST, {}, True),
    (MOST, {"email": "a", "phone": None}, True),
    (MOST, {"email": "a", "phone": "1"}, False),
]
TEXTS = {
    ONE: "One of `email`, `phone` is required. This is a rule of the payload.",
    ALL: "All of `lat`, `lon` are required, or none of them. This is a rule of the payload.",
    MOST: "At most one of `email`, `phone` may have a value. This is a rule of the payload.",
}


@pytest.mark.parametrize(("rule", "given", "met"), ROWS)
def test_a_rule_applies_to_shaped_values(
    rule: FieldRule, given: dict[str, Any], *, met: bool
) -> None:
    shape = compile_shape(Person, rules=[rule])
    if met:
        shape.apply(given)
    else:
        with pytest.raises(PayloadValidationError) as caught:
            shape.apply(given)
        assert caught.value.problems == (TEXTS[rule],)
    shaped, problems = shape.interpret(given)
    assert (not problems) is met
    valid = Draft202012Validator(shape.schema).is_valid(shaped)
    assert valid is met


def test_a_rule_is_told_after_everything_else() -> None:
    """A value that is invalid is there, so no rule is told about it."""
    with pytest.raises(PayloadValidationError) as caught:
        compile_shape(Person, rules=[ALL]).apply({"lat": "no number", "lon": 1})
    (problem,) = caught.value.problems
    assert "`lat`" in problem
    assert "must be a number" in problem


@pytest.mark.parametrize("rule", [ONE, ALL, MOST])
def test_a_rule_of_three_counts_all(rule: FieldRule) -> None:
    three = type(rule)("email", "phone", "lat")
    shape = compile_shape(Person, rules=[three])
    for present in product((False, True), repeat=3):
        given = {k: 1 for k, one in zip(three.keys, present, strict=True) if one}
        assert (not shape.interpret(given)[1]) is three.holds(present)


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        ([OneOf("email", "fax")], "There is no field for OneOf('email', 'fax') of `rules` \"fax\""),
        ([AllOrNone("email")], "needs two different fields or more"),
        ([AtMostOne("email", "email")], "needs two different fields or more"),
        (["email"], "`rules` must hold rules such as OneOf, got str"),
    ],
)
def test_rules_of_an_action_are_checked(rules: Any, problem: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        Action(slug="a", title="A", payload=Person, rules=rules)
    assert problem in str(caught.value)


ACCESS = {"key": "k-123456"}


class Access(Settings):
    """A key, or a user with a password."""

    key: str | None = field("Key", type="password")
    user: str | None = field("User")
    password: str | None = field("Password", type="password")


class Partner:
    """A destination with rules for its settings and its action."""

    @hookimpl
    def destination(self) -> Destination:
        return Destination(
            slug="acme",
            name="Acme",
            settings=Access,
            actions=(self._action(),),
            settings_rules=[OneOf("key", "user"), AllOrNone("user", "password")],
        )

    @hookimpl
    def perform(self, client: httpx.Client, payload: Person) -> httpx.Response:
        return client.post("https://acme.test/", json={"email": payload.email})

    def _action(self) -> Action:
        return Action(
            slug="person", title="Person", trigger="event = 'e'", payload=Person, rules=[ONE, ALL]
        )


def test_an_event_that_breaks_a_rule_fails_alone() -> None:
    sent: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.read())
        return httpx.Response(200)

    events = [{"event": "e", "email": "a@x.com"}, {"event": "e"}, {"event": "e", "phone": "1"}]
    wire = httpx.MockTransport(answer)
    chosen = [Subscription(action="person")]
    with connect(open_plugin(Partner()), ACCESS, chosen, transport=wire) as connection:
        first, second, third = connection.deliver(events).results
    assert isinstance(second, Failed)
    assert (second.status, second.code) == (400, "PAYLOAD_VALIDATION_FAILED")
    assert second.message.startswith("One of `email`, `phone` is required.")
    assert len(sent) == 2
    assert not isinstance(first, Failed)
    assert not isinstance(third, Failed)


@pytest.mark.parametrize(
    ("given", "problems"),
    [
        ({"key": "k-123456"}, []),
        ({"user": "u", "password": "p-123456"}, []),
        ({}, ["One of `key`, `user` is required. " + OF_SETTINGS]),
        (
            {"user": "u"},
            ["All of `user`, `password` are required, or none of them. " + OF_SETTINGS],
        ),
    ],
)
def test_settings_keep_their_rules(given: dict[str, Any], problems: list[str]) -> None:
    plugin = open_plugin(Partner())
    if not problems:
        connect(plugin, given).close()
        return
    with pytest.raises(SettingsError) as caught:
        connect(plugin, given)
    assert list(caught.value.problems) == problems


def test_a_manifest_holds_the_rules_of_actions() -> None:
    document = to_manifest(open_plugin(Partner()).definition)
    assert document["actions"]["person"]["rules"] == [
        {"oneOf": ["email", "phone"]},
        {"allOrNone": ["lat", "lon"]},
    ]
    again = from_manifest(document)
    assert tuple(again.actions[0].rules) == (ONE, ALL)
    assert to_manifest(again) == document
    schema = schema_files(load_plugins())["destination.schema.json"]
    Draft202012Validator(schema).validate(document)


@pytest.mark.parametrize(
    "rules",
    [{}, [1], [{}], [{"someOf": ["email"]}], [{"oneOf": ["email"]}], [{"oneOf": ["email", "fax"]}]],
)
def test_a_manifest_with_other_rules_is_refused(rules: Any) -> None:
    document = to_manifest(open_plugin(Partner()).definition)
    document["actions"]["person"]["rules"] = rules
    with pytest.raises(DefinitionError):
        from_manifest(document)
