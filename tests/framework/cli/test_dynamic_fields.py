"""Dynamic fields and hooks of mappings: asked for and run by commands, connections and harness."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from click.testing import Result

from framework import (
    Action,
    Choices,
    ConfigurationError,
    DefinitionError,
    IntegrationError,
    MappingHook,
    Payload,
    Saved,
    UnknownNameError,
    field,
)
from framework.delivery import ChoicesQuery
from framework.plugins import load_plugins
from framework.sandbox import serve
from framework.testing import Harness

Actions: TypeAlias = Callable[..., Result]
SETTINGS = {"region": "eu", "token": "sesame-77"}
CONNECTION = {
    "destination": "lists",
    "settings": SETTINGS,
    "subscriptions": [{"name": "Rows", "partnerAction": "row"}],
}


@pytest.fixture
def lists(run_actions: Actions, install: Callable[..., None], tmp_path: Path) -> Iterator[Path]:
    """Install the destination, and return the path of a connection to it."""
    del run_actions  # which has the project itself on the path
    plugin = Path(__file__).parent / "plugin" / "lists_destination.py"
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / plugin.name).write_text(plugin.read_text())
    install(folder, "lists", "1.0", {"lists": "lists_destination"})
    sys.path.insert(0, str(folder))
    path = tmp_path / "lists.yaml"
    path.write_text(json.dumps(CONNECTION))
    yield path
    sys.path.remove(str(folder))
    sys.modules.pop("lists_destination", None)


@pytest.fixture
def serve_lists(lists: Path) -> Iterator[str]:
    """Serve the sandbox; yield its URL."""
    del lists
    with serve(load_plugins().get("lists").call("sandbox")) as server:
        yield server.url


@pytest.fixture
def harness(lists: Path) -> Iterator[Harness]:
    del lists
    with Harness("lists", SETTINGS) as made:
        yield made


def shown(choices: Choices) -> list[tuple[Any, str]]:
    return [(one.value, one.label) for one in choices.choices]


def test_choices_come_in_pages(harness: Harness) -> None:
    first = harness.choices("row", "list_id")
    assert shown(first) == [("L0", "Spring"), ("L1", "Summer")]
    assert (first.next_page, first.error) == ("2", None)
    last = harness.choices("row", "list_id", ChoicesQuery(page=first.next_page))
    assert (shown(last), last.next_page) == ([("L2", "Autumn")], None)
    assert shown(harness.choices("row", "list_id", ChoicesQuery(search="sum"))) == [
        ("L1", "Summer")
    ]


@pytest.mark.parametrize(
    ("place", "query", "seen"),
    [
        ("address.country", ChoicesQuery(), ["address.country"]),
        ("items[].sku", ChoicesQuery(selected_index=2), ["items[].sku", 2]),
        ("extra.__keys__", ChoicesQuery(payload={"list_id": "L1"}), ["extra.__keys__", "L1"]),
    ],
)
def test_fields_at_any_depth_have_choices(
    harness: Harness, place: str, query: ChoicesQuery, seen: list[Any]
) -> None:
    assert [one.value for one in harness.choices("row", place, query).choices] == seen


def test_settings_and_inputs_of_hooks_have_choices(harness: Harness) -> None:
    assert [one.value for one in harness.choices(None, "region").choices] == ["region"]
    found = harness.choices("row", "folder", hook="onMappingSave")
    assert [one.value for one in found.choices] == ["folder"]


@pytest.mark.parametrize(
    ("kind", "code", "message"),
    [
        ("refuse", "NOT_NOW", "Not with <redacted>."),
        ("list", "CHOICES_TYPE", "must return Choices of Choice, got list."),
        ("choice", "CHOICES_TYPE", "must return Choices of Choice, got a str among them."),
        ("page", "CHOICES_TYPE", "must return Choices of Choice, got `next_page` of type int."),
        ("label", "CHOICES_TYPE", "got a Choice whose `label` is of type int."),
    ],
)
def test_an_error_takes_the_place_of_choices(
    harness: Harness, kind: str, code: str, message: str
) -> None:
    found = harness.choices("row", "extra.__values__", ChoicesQuery(payload={"kind": kind}))
    assert found.error is not None
    assert (shown(found), found.error.code) == ([], code)
    assert found.error.message.endswith(message)
    assert found.to_json()["error"] == {"code": code, "message": found.error.message}


def test_a_place_without_function_is_told(harness: Harness) -> None:
    with pytest.raises(UnknownNameError, match="There is no dynamic field"):
        harness.choices("row", "text")
    with pytest.raises(UnknownNameError, match="hook of action `row`"):
        harness.choices("row", "folder", hook="retlOnMappingSave")


def test_the_command_asks_for_choices(lists: Path, run_actions: Actions) -> None:
    told = run_actions("choices", "-c", lists, "row", "list_id", "--sandbox")
    assert (told.exit_code, "Spring" in told.output, "More: --page 2" in told.output) == (
        0, True, True,
    )  # fmt: skip
    told = run_actions("choices", "-c", lists, "row", "list_id", "--sandbox", "--page", 2, "--json")
    assert json.loads(told.stdout) == {
        "choices": [{"label": "Autumn", "value": "L2"}],
        "nextPage": "",
    }
    told = run_actions("choices", "-c", lists, "settings", "region", "--sandbox", "--json")
    assert json.loads(told.stdout)["choices"] == [{"label": "region", "value": "region"}]


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_an_error_of_the_partner_is_told_without_secrets(
    lists: Path, run_actions: Actions, options: list[str]
) -> None:
    arguments = ["--sandbox", "--payload", '{"kind": "refuse"}', *options]
    told = run_actions("choices", "-c", lists, "row", "extra.__values__", *arguments)
    assert told.exit_code == 1
    assert "NOT_NOW" in told.output
    assert SETTINGS["token"] not in told.output


def test_arguments_that_are_no_object_are_refused(lists: Path, run_actions: Actions) -> None:
    for given in ("[]", "{"):
        told = run_actions("choices", "-c", lists, "row", "list_id", "--payload", given)
        assert told.exit_code == 2
        assert "Write it like" in told.output


def test_a_hook_runs_and_its_outputs_reach_perform(harness: Harness) -> None:
    saved = harness.save_mapping("row", {"name": "Winter"})
    assert saved.to_json() == {"inputs": {"name": "Winter"}, "outputs": {"id": "L77"}}
    assert saved.message == "List Winter was made."
    ran = harness.run_action(
        "row", {"event": "e"}, mapping={"text": "t", "onMappingSave": saved.to_json()}
    )
    assert ran.requests[0]["url"] == "https://lists.test/lists/L77/rows"
    ran = harness.run_action("row", {"event": "e"}, mapping={"text": "t"})
    assert ran.requests[0]["url"] == "https://lists.test/lists/none/rows"


@pytest.mark.parametrize(
    ("inputs", "problems"),
    [
        ({}, ["Field `name` of hook `onMappingSave` is required"]),
        (
            {"name": "much too long", "colour": 1},
            ['no input of hook `onMappingSave` "colour"', "at most 10 characters"],
        ),
    ],
)
def test_inputs_are_checked_all_at_once(
    harness: Harness, inputs: dict[str, Any], problems: list[str]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        harness.save_mapping("row", inputs)
    assert len(caught.value.problems) == len(problems)
    for problem, text in zip(problems, caught.value.problems, strict=True):
        assert problem in text
    assert not harness.sandbox or not harness.sandbox.calls


@pytest.mark.parametrize("name", ["odd", "nothing", "empty"])
def test_outputs_that_do_not_fit_are_refused(harness: Harness, name: str) -> None:
    with pytest.raises(IntegrationError) as caught:
        harness.save_mapping("row", {"name": name})
    assert caught.value.code == "HOOK_OUTPUT"


def test_the_command_keeps_outputs_for_later_deliveries(
    lists: Path, run_actions: Actions, tmp_path: Path, serve_lists: str
) -> None:
    to = ["--endpoint", f"https://lists.test={serve_lists}"]
    told = run_actions(
        "save-mapping", "-c", lists, "--subscription", "Rows", "--inputs", '{"name": "W"}', *to
    )
    assert (told.exit_code, told.output) == (0, "List W was made.\n")
    state = tmp_path / "lists.state.json"
    assert json.loads(state.read_text()) == {
        "outputs": {"Rows": {"onMappingSave": {"inputs": {"name": "W"}, "outputs": {"id": "L77"}}}}
    }
    assert os.name != "posix" or state.stat().st_mode & 0o777 == 0o600
    event = tmp_path / "event.json"
    event.write_text('{"type": "track", "event": "e"}')
    told = run_actions("explain", "-c", lists, "--event", event, "--sandbox", "--json")
    (trace,) = json.loads(told.stdout)
    assert "lists/L77/rows" in json.dumps(trace)


def test_what_the_mapping_holds_takes_precedence(
    lists: Path, run_actions: Actions, tmp_path: Path, serve_lists: str
) -> None:
    to = ["--endpoint", f"https://lists.test={serve_lists}", "--subscription", "Rows"]
    told = run_actions("save-mapping", "-c", lists, *to, "--inputs", '{"name": "W"}', "--print")
    assert json.loads(told.stdout) == {
        "onMappingSave": {"inputs": {"name": "W"}, "outputs": {"id": "L77"}}
    }
    assert not (tmp_path / "lists.state.json").exists()
    run_actions("save-mapping", "-c", lists, *to, "--inputs", '{"name": "W"}')
    own = {"onMappingSave": {"inputs": {"name": "X"}, "outputs": {"id": "L88"}}}
    document = {**CONNECTION, "subscriptions": [{**CONNECTION["subscriptions"][0], "mapping": own}]}  # type: ignore[index]
    lists.write_text(json.dumps(document))
    event = tmp_path / "event.json"
    event.write_text('{"type": "track", "event": "e"}')
    told = run_actions("explain", "-c", lists, "--event", event, "--sandbox", "--json")
    assert "lists/L88/rows" in told.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--subscription", "Nope"], "There is no subscription"),
        (["--subscription", "Rows", "--hook", "retlOnMappingSave"], "There is no hook of action"),
        (["--subscription", "Rows"], "Field `name` of hook `onMappingSave` is required"),
    ],
)
def test_mistakes_are_told(
    lists: Path, run_actions: Actions, arguments: list[str], message: str
) -> None:
    told = run_actions("save-mapping", "-c", lists, "--sandbox", *arguments)
    assert told.exit_code == 2
    assert message in told.output


def test_a_state_that_others_can_read_is_refused(
    lists: Path, run_actions: Actions, tmp_path: Path
) -> None:
    state = tmp_path / "lists.state.json"
    state.write_text("{}")
    state.chmod(0o644)
    told = run_actions("choices", "-c", lists, "row", "list_id", "--sandbox")
    assert told.exit_code == 2
    assert "chmod 600" in told.output


class Line(Payload):
    """A payload with a dynamic field."""

    text: str | None = field("Text", dynamic=True)
    plain: str | None = field("Plain")


@pytest.mark.parametrize(
    ("dynamic", "problem"),
    [
        ({"nope": len}, "names the unknown field `nope`"),
        ({"plain": len}, "`plain` is not `dynamic=True`"),
        ({"text.__keys__": len}, "`text` is not an object"),
        ({"text": "no function"}, "must hold functions, got str for `text`"),
    ],
)
def test_functions_are_for_dynamic_fields(dynamic: Any, problem: str) -> None:
    with pytest.raises(DefinitionError, match=problem):
        Action(slug="a", title="A", payload=Line, dynamic=dynamic)


def hook(**options: Any) -> MappingHook:
    return MappingHook(**{"kind": "onMappingSave", "label": "L", "run": Saved, **options})


@pytest.mark.parametrize(
    ("hooks", "problem"),
    [
        ([hook(kind="onSunday")], "There is no kind of hook"),
        ([hook(), hook()], "Two hooks have the kind `onMappingSave`"),
        ([hook(run=None)], "must be a function, got NoneType"),
        ([hook(inputs=dict)], "`inputs` of hook `onMappingSave` must be a Payload class"),
        ([hook(inputs=Line, dynamic={"plain": len})], "`plain` is not `dynamic=True`"),
    ],
)
def test_hooks_are_checked(hooks: list[MappingHook], problem: str) -> None:
    with pytest.raises(DefinitionError, match=problem):
        Action(slug="a", title="A", payload=Line, dynamic={"text": len}, hooks=hooks)  # type: ignore[dict-item]
