"""A required field that found nothing names the path at which the event has its value."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework import Action, Destination, Payload, Subscription, connect, field, hookimpl
from framework import open_plugin as opened_plugin
from framework.delivery import Connection, DryRun
from framework.explain import trace_event
from framework.paths import Path


class Person(Payload):
    """A person with an address, a number of visits, and an optional name."""

    email: str = field("Email", format="email", mapping={"@path": "$.context.traits.email"})
    visits: int = field("Visits", mapping={"@path": "$.properties.visits"})
    name: str | None = field("Name", mapping={"@path": "$.traits.name"})


class People:
    """A destination that sends nothing."""

    @hookimpl
    def destination(self) -> Destination:
        action = Action(slug="add", title="Add", trigger='type = "track"', payload=Person)
        return Destination(slug="people", name="People", actions=[action])

    @hookimpl
    def perform(self, client: httpx.Client, payload: Person) -> None:
        """Do nothing."""


def opened(mapping: dict[str, Any]) -> Connection:
    chosen = [Subscription(action="add", mapping=mapping)]
    return connect(opened_plugin(People()), {}, chosen, transport=DryRun())


def elsewhere(event: dict[str, Any], mapping: dict[str, Any]) -> dict[str, Any]:
    """Return the paths that are suggested, by field."""
    with opened(mapping) as people:
        (part,) = trace_event(people, {"type": "track", **event}).subscriptions
    found = {one.field: one.elsewhere for one in part.problems}
    return {key: path and str(path) for key, path in found.items()}


AT_PROPERTIES = {"email": {"@path": "$.properties.email"}}
ADDRESS = "ada@example.com"


@pytest.mark.parametrize(
    ("mapping", "event", "path"),
    [
        (AT_PROPERTIES, {"context": {"traits": {"email": ADDRESS}}}, "$.context.traits.email"),
        (AT_PROPERTIES, {"traits": {"email": ADDRESS}}, "$.traits.email"),
        (AT_PROPERTIES, {"email": ADDRESS}, "$.email"),
        (AT_PROPERTIES, {"traits": {"contact": {"email": ADDRESS}}}, "$.traits.contact.email"),
        # The path of the action's default is preferred.
        (
            AT_PROPERTIES,
            {"traits": {"email": ADDRESS}, "context": {"traits": {"email": ADDRESS}}},
            "$.context.traits.email",
        ),
        ({}, {key: {"email": ADDRESS} for key in ("traits", "properties")}, "$.properties.email"),
        # Other spellings, of which those in the same object are preferred.
        (AT_PROPERTIES, {"properties": {"E-Mail": ADDRESS}}, "$.properties.E-Mail"),
        (AT_PROPERTIES, {"properties": {"emial": ADDRESS}}, None),
        (AT_PROPERTIES, {"properties": {"emails": ADDRESS}}, "$.properties.emails"),
        (
            {"email": {"@path": "$.properties.user.mail"}},
            {"properties": {"user": {"Mail": ADDRESS}}, "traits": {"Mail": ADDRESS}},
            "$.properties.user.Mail",
        ),
        # A field that nothing is mapped to is sought by its own name.
        ({"email": None}, {"properties": {"email": ADDRESS}}, "$.properties.email"),
        ({"email": {"@template": "{{properties.mail}}"}}, {"traits": {"mail": ADDRESS}},
         "$.traits.mail"),
        # What would be invalid, empty, or about something else is not suggested.
        (AT_PROPERTIES, {"traits": {"email": "no address"}}, None),
        (AT_PROPERTIES, {"traits": {"email": ""}}, None),
        (AT_PROPERTIES, {"traits": {"email": {"work": ADDRESS}}}, None),
        (AT_PROPERTIES, {"context": {"app": {"email": ADDRESS}}}, None),
        (AT_PROPERTIES, {}, None),
    ],
)  # fmt: skip
def test_a_missing_value_is_found_where_the_event_has_it(
    mapping: dict[str, Any], event: dict[str, Any], path: str | None
) -> None:
    assert (
        elsewhere({**event, "properties": {"visits": 1, **event.get("properties", {})}}, mapping)[
            "email"
        ]
        == path
    )


def test_problems_with_values_that_are_there_suggest_nothing() -> None:
    event = {"properties": {"visits": "many"}, "traits": {"visits": 3, "email": ADDRESS}}
    assert elsewhere(event, AT_PROPERTIES) == {"email": "$.traits.email", "visits": None}


def test_the_sentence_names_the_path_and_no_value() -> None:
    event = {"type": "track", "properties": {"visits": 1}, "traits": {"email": ADDRESS}}
    with opened(AT_PROPERTIES) as people:
        (part,) = trace_event(people, event).subscriptions
    (problem,) = [one.to_json() for one in part.problems]
    assert problem == {
        "field": "email",
        "code": "required",
        "message": (
            "Field `email` of action `add` is required; its mapping `$.properties.email` found "
            "nothing in the event. The event has a value at `$.traits.email`."
        ),
        "elsewhere": "$.traits.email",
    }


KEYS = st.sampled_from(["email", "Email", "e_mail", "mail", "visits", "user", "traits", "a.b", "0"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([ADDRESS, "no address", "", None, 0, 7, True, []]),
    lambda inner: st.dictionaries(KEYS, inner, max_size=4) | st.lists(inner, max_size=2),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(
    event=st.fixed_dictionaries(
        {}, optional={"properties": VALUES, "traits": VALUES, "email": VALUES,
                      "context": st.fixed_dictionaries({"traits": VALUES})}
    ),
    path=st.sampled_from(["$.properties.email", "$.mail", "$.traits.user.email"]),
)  # fmt: skip
def test_a_suggested_path_mends_its_field(event: dict[str, Any], path: str) -> None:
    given_event = {"type": "track", **event}
    for key, found in elsewhere(event, {"email": {"@path": path}}).items():
        if found:
            assert Path.parse(found).get(given_event) not in (None, "")
            assert key not in elsewhere(event, {"email": {"@path": path}, key: {"@path": found}})
