"""Pages for authors: files and commands are run, tables are the code's."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from framework import samples
from framework.sandbox import Sandbox, server
from framework.sandbox.faults import GENERIC_FAULTS
from framework.testing import Harness
from tests.guides import DOCS, Terminal, blocks_of

SANDBOXES, TESTING = ((DOCS / name).read_text() for name in ("sandboxes.md", "testing.md"))


def rows(page: str, first: str) -> list[tuple[str, str]]:
    """Return the first two cells of the rows of the table whose first column is *first*."""
    head = re.search(rf"^\| {first} \|.*\n\|[-| ]+\|\n((?:\|.*\n)+)", page, re.MULTILINE)
    assert head, first
    cells = [row.split(" | ") for row in head[1].splitlines()]
    return [(one[0].strip("| "), one[1].strip("| ")) for one in cells]


@pytest.mark.parametrize("page", ["dynamic-fields.md", "sandboxes.md", "testing.md"])
def test_the_files_and_commands_of_a_page_work(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    terminal = Terminal(folder, tmp_path / "home")
    blocks = blocks_of(page)
    for block in blocks:
        if block.file:
            (folder / block.file).write_text(block.text)
        elif block.language == "console":
            for command in block.text.splitlines():
                code, output = terminal.type(command)
                assert code == 0, f"{command}\n{output}"
        else:
            exec(compile(block.text, page, "exec"), {})  # noqa: S102 - what the test is about
    if not any(block.language == "console" for block in blocks):
        code, output = terminal.type("pytest")
        assert code == 0, output


def test_every_fault_is_listed() -> None:
    listed = {kind.strip("`"): text for kind, text in rows(SANDBOXES, "Fault")}
    assert listed == GENERIC_FAULTS


def test_every_member_of_a_sandbox_that_can_be_overridden_is_listed() -> None:
    listed = {name.strip("`") for name, _ in rows(SANDBOXES, "Member")}
    inherited = {"app", "faults", "requests", "inject", "pending_faults", "reset", "state"}
    assert listed == {name for name in vars(Sandbox) if not name.startswith("_")} - inherited


def test_the_requests_of_the_control_api_are_those_of_the_server() -> None:
    described = inspect.getdoc(server)
    for request, _ in rows(SANDBOXES, "Request"):
        assert request in (described or ""), request


def test_every_argument_of_the_harness_is_listed() -> None:
    _, _, *arguments = inspect.signature(Harness.__init__).parameters
    assert [name.strip("`") for name, _ in rows(TESTING, "Argument")] == arguments


def test_every_function_for_events_is_listed() -> None:
    listed = {re.findall(r"`(\w+)", name)[0] for name, _ in rows(TESTING, "Function")}
    assert listed == {name for name in samples.__all__ if name.startswith(("make_", "generate_"))}


@pytest.mark.parametrize("page", [SANDBOXES, TESTING])
def test_links_lead_somewhere(page: str) -> None:
    for link in re.findall(r"\]\(([\w./-]+\.md)", page):
        assert (DOCS / link).exists(), link
