"""The tables of docs/results.md say what the code does, and its example delivers."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

import framework
from framework import Action, Batching, Destination, Payload, field, hookimpl
from framework.delivery import http_errors
from framework.delivery.holding import PLUGIN_ERRORS, hold_scope
from framework.delivery.http_messages import SAFE_METHODS
from framework.delivery.retries import Retry
from framework.results import (
    DELIVERED,
    NOT_RETRYABLE,
    Accepted,
    Delivered,
    Failed,
    Result,
    Skipped,
    Unconfirmed,
)
from framework.testing import Harness, Sandbox, SandboxRequest, SandboxResponse, make_event
from tests.guides import DOCS, ROOT, blocks_of

PAGE = (DOCS / "results.md").read_text(encoding="utf-8")


def table(first: str) -> list[list[str]]:
    """Return the rows of the table whose first column is called *first*."""
    head = re.search(rf"^\| {re.escape(first)} \|.*\n\|[-| ]+\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert head, first
    return [[cell.strip() for cell in row[1:-1].split("|")] for row in head[1].splitlines()]


# --- codes

SOURCES = ("delivery", "relay", "sandbox", "clock.py")
CODE = re.compile(r"[A-Z][A-Z_]{3,}")
MAKING = {"Failed", "Skipped", "Unconfirmed", "replace", "ChoicesError"}
OF_CHOICES = {"CHOICES_TYPE"}


def files() -> Iterator[Path]:
    for name in SOURCES:
        place = ROOT / "framework" / name
        yield from [place] if place.is_file() else sorted(place.glob("*.py"))


def constants_of(tree: ast.Module) -> dict[str, Any]:
    """Return the values of the constants of a module, as far as they are literals."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            found[ast.unparse(target)] = node.value.value
    return found


def codes_in(tree: ast.Module) -> Iterator[str]:
    """Yield the codes that a module gives to results and exceptions."""
    known = constants_of(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func).rpartition(".")[2]
        if name in MAKING or name.endswith("Error") or name == "_unusable":
            given = [*node.args, *(one.value for one in node.keywords if one.arg == "code")]
            for one in given:
                code = known.get(one.id) if isinstance(one, ast.Name) else None
                code = one.value if isinstance(one, ast.Constant) else code
                if isinstance(code, str) and CODE.fullmatch(code):
                    yield code


def exceptions() -> dict[str, type[framework.IntegrationError]]:
    found = (getattr(framework, name) for name in framework.__all__)
    return {
        one.__name__: one
        for one in found
        if isinstance(one, type) and issubclass(one, framework.IntegrationError)
    }


def test_every_code_of_the_framework_is_listed_and_no_other() -> None:
    found = {code for file in files() for code in codes_in(ast.parse(file.read_text()))}
    found |= {code for _, _, code, _ in http_errors._FAILURES}
    found |= {code for _, code, _ in http_errors._REFUSED}
    found |= {one.code for one in exceptions().values()}
    listed = [row[0].strip("`") for row in table("Code")]
    others = {"DRY_RUN_NETWORK", "NO_AUDIENCE"}  # constants that other modules use
    assert listed == sorted(listed)
    assert set(listed) == (found - OF_CHOICES) | others


@pytest.mark.parametrize("row", [row for row in table("Code") if row[1]], ids=lambda row: row[0])
def test_what_is_retryable_follows_from_the_status(row: list[str]) -> None:
    code, status, result, retryable, _ = row
    failed = Failed(int(status), code.strip("`"), "")
    assert (result, retryable) == ("failed", "yes" if failed.retryable else "no")


def test_failures_without_a_response_have_the_status_of_the_table() -> None:
    listed = {row[0].strip("`"): row[1] for row in table("Code")}
    for _, status, code, _ in http_errors._FAILURES:
        assert listed[code] == str(status), code


# --- results and exceptions


def test_outcomes_are_those_of_files() -> None:
    made: list[Result] = [
        DELIVERED,
        Failed(400, "A", ""),
        Skipped("A", "B"),
        Unconfirmed("A", "B"),
        Accepted("1"),
    ]
    rows = [(row[0].strip("`").partition("(")[0], row[1].strip("`")) for row in table("Result")]
    assert rows == [(type(one).__name__, one.to_json()["outcome"]) for one in made]


def test_exceptions_have_the_status_code_and_scope_of_the_table() -> None:
    expected = {}
    for name, kind in exceptions().items():
        failed = Failed.from_error(kind("Text."))
        retryable = "yes" if failed.retryable else "no"
        expected[f"`{name}`"] = [str(failed.status), f"`{failed.code}`", retryable, failed.scope]
    assert {row[0]: row[1:] for row in table("Exception")} == expected


def test_what_a_failure_holds() -> None:
    """The rows of the table, in their order."""
    made = [
        [Failed(503, "A", "")],
        [Failed(503, "A", "", scope="connection")],
        [Failed(403, "A", "", scope="connection"), Failed(401, "A", "")],
        [Failed(400, "A", "")],
        [Failed(500, code, "") for code in sorted(PLUGIN_ERRORS)],
    ]
    scopes = [{hold_scope(one) for one in some} for some in made]
    assert scopes == [{"key"}, {"connection"}, {"halt"}, {""}, {""}]
    *_, last = table("A failure that is")
    assert {*re.findall(r"[A-Z_]{4,}", last[0])} == PLUGIN_ERRORS
    assert len(made) == len(table("A failure that is"))
    assert {f"`{code}`" for code in NOT_RETRYABLE} <= {*re.findall(r"`[A-Z_]+`", PAGE)}


def test_the_client_makes_as_many_attempts_as_the_page_says() -> None:
    assert f"({', '.join(sorted(SAFE_METHODS))})" in PAGE
    assert f"{Retry().attempts} attempts within {Retry().total:.0f} seconds" in PAGE


# --- what hooks may return


class Partner(Sandbox):
    """Accepts everything."""

    origins = ("https://api.acme.test",)

    def answer(self, request: SandboxRequest) -> SandboxResponse:
        del request
        return SandboxResponse(202, {"ok": True})


class Line(Payload):
    """A text, or none."""

    text: str | None = field("Text")


A_RESPONSE = object()
RETURNED: Sequence[tuple[Any, list[Any], list[Any]]] = (
    (None, [200], [200, 200]),
    (A_RESPONSE, [202], [202, 202]),
    (Skipped("OLD", "It is old."), ["OLD"], ["OLD", "OLD"]),
    ([Delivered(201), Failed(404, "GONE", "It is gone.")], ["RESULT_TYPE"], [201, "GONE"]),
    ([Delivered()], ["RESULT_TYPE"], ["RESULT_COUNT", "RESULT_COUNT"]),
    ("yes", ["RESULT_TYPE"], ["RESULT_TYPE", "RESULT_TYPE"]),
)
"""What a hook returns, and the results of one payload and of two; in the order of the table."""


def plugin(returned: Any) -> ModuleType:
    """Return a destination whose hooks return *returned*."""
    made = ModuleType("acme_returns")

    @hookimpl
    def destination() -> Destination:
        actions = [
            Action(slug="one", title="One", payload=Line),
            Action(slug="many", title="Many", payload=Line, batching=Batching()),
        ]
        return Destination(slug="acme-returns", name="Acme", actions=actions)

    @hookimpl
    def perform(client: httpx.Client) -> Any:
        return client.get("https://api.acme.test/") if returned is A_RESPONSE else returned

    @hookimpl
    def perform_batch(client: httpx.Client) -> Any:
        return client.get("https://api.acme.test/") if returned is A_RESPONSE else returned

    @hookimpl
    def sandbox() -> Partner:
        return Partner()

    for hook in (destination, perform, perform_batch, sandbox):
        setattr(made, hook.__name__, hook)
    return made


def shown(result: Any) -> Any:
    return result.status if isinstance(result, Delivered) else result.code


@pytest.mark.parametrize(("returned", "alone", "together"), RETURNED)
def test_what_hooks_return_becomes_results(
    returned: Any, alone: list[Any], together: list[Any]
) -> None:
    with Harness(plugin(returned)) as harness:
        one = harness.run_action("one")
        many = harness.run_batch("many", [make_event(), make_event()])
    assert [shown(result) for result in one.results] == alone
    assert [shown(result) for result in many.results] == together
    assert len(RETURNED) == len(table("`perform` or `perform_batch` returns"))


def test_the_example_fails_one_row_of_a_batch() -> None:
    (block,) = [one for one in blocks_of("results.md") if one.language == "python"]
    made = ModuleType("acme_lines")
    exec(block.text, vars(made))  # noqa: S102 - what the test is about
    events = [make_event(event="Fine"), make_event(event="A\x07bell")]
    with Harness(made) as harness:
        ran = harness.run_batch("say", events, defaults=True)
    assert [shown(result) for result in ran.results] == [200, "NOT_PRINTABLE"]


@pytest.mark.parametrize("link", re.findall(r"\]\(([\w./-]+\.md)", PAGE))
def test_a_link_leads_somewhere(link: str) -> None:
    assert (DOCS / link).exists()
