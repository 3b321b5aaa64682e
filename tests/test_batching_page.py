"""The tables of docs/batching.md say what the code does, and its examples batch as they say."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import fields
from types import ModuleType
from typing import Any, get_args

import pytest

from framework import (
    Action,
    Batching,
    Delivered,
    Destination,
    Skipped,
    Subscription,
    connect,
    hookimpl,
    open_plugin,
)
from framework.definition import SYNC_MODES, Coalesce, membership
from framework.delivery.holding import _REFUSALS
from framework.testing import Harness, make_event, make_row_event
from tests.guides import DOCS, blocks_of

PAGE = (DOCS / "batching.md").read_text(encoding="utf-8")
README = (DOCS.parent / "README.md").read_text(encoding="utf-8")
FIRST, RATES, SECOND, ALONE, THIRD = (
    block.text for block in blocks_of("batching.md") if block.language == "python"
)


def plugin(actions: Sequence[Action], sent: list[list[Any]]) -> ModuleType:
    """Return a destination that keeps the payloads of each batch in *sent*."""
    made = ModuleType("acme_batches")

    @hookimpl
    def destination() -> Destination:
        return Destination(slug="acme-batches", name="Acme", actions=actions)

    @hookimpl
    def identify(payloads: Sequence[Any]) -> list[str]:
        return [one.email for one in payloads]

    @hookimpl
    def perform_batch(payloads: Sequence[Any]) -> None:
        sent.append(list(payloads))

    for hook in (destination, identify, perform_batch):
        setattr(made, hook.__name__, hook)
    return made


def scope_of(text: str) -> dict[str, Any]:
    scope: dict[str, Any] = {"__name__": "acme_example"}
    exec(text, scope)  # noqa: S102 - what the test is about
    return scope


def test_every_option_is_listed_with_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", PAGE, re.MULTILINE)
    assert rows == [(one.name, repr(one.default)) for one in fields(Batching)]


def test_every_value_of_coalesce_is_listed_as_in_readme() -> None:
    rows = re.findall(r'^\| `"(\w+)"` \|', PAGE, re.MULTILINE)
    assert tuple(rows) == get_args(Coalesce)


def test_the_membership_of_rows_is_that_of_the_table() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (\w+) \| (\w+) \|$", PAGE, re.MULTILINE)
    assert [mode for mode, *_ in rows] == list(SYNC_MODES)
    for mode, *shown in rows:
        found = [membership(make_row_event(row), mode) for row in ("new", "updated", "deleted")]
        assert shown == [str(one) for one in found], mode


def test_the_refusals_that_are_halved_are_listed() -> None:
    first, second, third = sorted(_REFUSALS)
    assert f"with {first}, {second} or {third} is halved" in PAGE


def test_requests_about_different_users_are_under_way_at_one_time() -> None:
    """And those about one user come one after the other."""
    scope = scope_of(ALONE)
    together = threading.Barrier(2, timeout=30)
    sent: list[tuple[str, str]] = []

    @hookimpl
    def destination() -> Destination:
        return Destination(slug="acme-notes", name="Acme", actions=[scope["ADD_NOTE"]])

    @hookimpl
    def perform(payload: Any) -> None:
        together.wait()
        sent.append((payload.user_id, payload.text))

    made = ModuleType("acme_notes")
    for hook in (destination, perform):
        setattr(made, hook.__name__, hook)
    events = [
        make_event("track", event=name, userId=user)
        for name in ("One", "Two")
        for user in ("ada", "bob")
    ]
    with connect(open_plugin(made), {}, [Subscription(action="addNote")]) as connection:
        report = connection.deliver(events, threads=2)
    assert report.results == [Delivered()] * 4
    assert [text for user, text in sent if user == "ada"] == ["One", "Two"]
    assert [text for user, text in sent if user == "bob"] == ["One", "Two"]


def test_the_third_example_merges_after_what_came_before() -> None:
    """And before what comes later, with what `identify` returns there."""
    scope = scope_of(THIRD)
    sent: list[list[Any]] = []
    made = plugin([scope["UPSERT"], scope["MERGE"]], sent)
    made.identify = scope["identify"]  # type: ignore[attr-defined]
    events = [
        make_event("identify", userId="old", traits={"name": "Ada"}),
        make_event("alias", previousId="old", userId="new"),
        make_event("identify", userId="new", traits={"name": "Ada L."}),
    ]
    with Harness(made, {}) as harness:
        chosen = [Subscription(action=slug) for slug in ("merge", "upsert")]
        harness.connect(chosen).deliver(events)
    assert [[type(one).__name__ for one in batch] for batch in sent] == [
        ["Contact"],
        ["Merge"],
        ["Contact"],
    ]


def test_the_first_example_merges_and_weighs() -> None:
    scope = scope_of(FIRST)
    sent: list[list[Any]] = []
    people = [{"email": "a@x.test", "name": "Ada"}, {"email": "a@x.test"}, {"email": "b@x.test"}]
    events = [make_event("identify", traits=one) for one in people]
    with Harness(plugin([scope["MEMBER"]], sent)) as harness:
        ran = harness.run_batch("setMember", events, defaults=True)
    assert [(one.email, one.name) for batch in sent for one in batch] == [
        ("a@x.test", "Ada"),
        ("b@x.test", None),
    ]
    assert [type(one) for one in ran.results] == [Skipped, Delivered, Delivered]
    assert scope["csv_size"](sent[0][0]) == len("a@x.test,Ada\n")


def test_the_second_example_keeps_the_last_membership() -> None:
    scope = scope_of(SECOND)
    sent: list[list[Any]] = []
    person = {"traits": {"email": "a@x.test"}, "personas": {"computation_key": "spring"}}
    event = make_event(context=person)
    with Harness(plugin([scope["ADD"], scope["REMOVE"]], sent)) as harness:
        connection = harness.connect([
            harness._subscription("add", {}, defaults=True),
            harness._subscription("remove", {}, defaults=True),
        ])  # fmt: skip
        results = connection.deliver([event]).results
    assert [type(one) for one in results] == [Skipped, Delivered]
    assert len(sent) == 1


@pytest.mark.parametrize("coalesce", ["none", "last", "membership"])
def test_what_is_sent_of_two_payloads_about_one_person(coalesce: Coalesce) -> None:
    """By an action whose payloads neither add nor remove."""
    payload = scope_of(FIRST)["Member"]
    sent: list[list[Any]] = []
    action = Action(slug="a", title="A", payload=payload, batching=Batching(coalesce=coalesce))
    events = [make_event("identify", traits={"email": "a@x.test"})] * 2
    with Harness(plugin([action], sent)) as harness:
        ran = harness.run_batch("a", events, defaults=True)
    assert len(sent) == (1 if coalesce == "last" else 2)
    assert [len(batch) for batch in sent] == [1] * len(sent)
    superseded = [one.code for one in ran.results if isinstance(one, Skipped)]
    assert superseded == (["SUPERSEDED"] if coalesce == "last" else [])


def test_a_payload_that_is_larger_than_a_batch_is_sent_alone() -> None:
    payload = scope_of(FIRST)["Member"]
    sent: list[list[Any]] = []
    action = Action(slug="a", title="A", payload=payload, batching=Batching(max_bytes=200))
    names = ("Ada", "B" * 400, "Charles")
    events = [
        make_event("identify", traits={"email": f"{number}@x.test", "name": name})
        for number, name in enumerate(names)
    ]
    with Harness(plugin([action], sent)) as harness:
        ran = harness.run_batch("a", events, defaults=True)
    assert [type(one) for one in ran.results] == [Delivered] * 3
    assert [len(one.name) for one in next(b for b in sent if len(b[0].name) > 200)] == [400]


@pytest.mark.parametrize("link", re.findall(r"\]\(([\w./-]+\.md)", PAGE))
def test_a_link_leads_somewhere(link: str) -> None:
    assert (DOCS / link).exists()


@pytest.mark.parametrize(("plan", "calls"), [("small", 250), ("large", 2_500)])
def test_the_rates_of_the_example_are_those_of_a_plan(plan: str, calls: int) -> None:
    scope = scope_of(RATES)
    found = scope["limited"].limits(scope["Account"](client_id="c", plan=plan))
    assert [one.calls for one in found] == [calls, 10, 5]
    assert [one.endpoint for one in found] == ["", "POST /batch", "GET /lists/{id}"]
