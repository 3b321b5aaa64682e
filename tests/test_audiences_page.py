"""The commands of docs/audiences.md work as they are shown, one after the other."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from framework.cli.app import actions
from framework.plugins import load_plugins
from framework.sandbox import Sandbox, serve

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "audiences.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(console|text)\n(.*?)```", PAGE, re.DOTALL)
ACCESS = {"advertiser_id": "12345", "client_id": "an-app", "client_secret": "any"}


@pytest.fixture
def criteo() -> Sandbox:
    pretend: Sandbox = load_plugins().get("criteo").call("sandbox")
    pretend.admit(ACCESS)
    return pretend


@pytest.fixture
def url(criteo: Sandbox) -> Iterator[str]:
    with serve(criteo) as server:
        yield server.url


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder in which the commands are typed, with the files that they name."""
    (connection, *_) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "criteo.connection.yaml").write_text(connection)
    for name, numbers in (("monday", range(1_000)), ("tuesday", range(20, 1_015))):
        lines = "".join(f"person-{number}@example.com\n" for number in numbers)
        (tmp_path / f"{name}.txt").write_text(lines)
    monkeypatch.chdir(tmp_path)
    for key in ("client_id", "client_secret"):
        monkeypatch.setenv(f"CRITEO_{key.upper()}", ACCESS[key])
    return tmp_path


def without_ends(text: str) -> str:
    """Return text without white space at the ends of its lines."""
    return "\n".join(line.rstrip() for line in text.splitlines())


@pytest.mark.usefixtures("folder")
def test_the_commands_do_what_is_shown(criteo: Sandbox, url: str) -> None:
    output = ""
    for kind, text in BLOCKS:
        if kind == "text":
            assert without_ends(text) in without_ends(output)
            continue
        for command in text.splitlines():
            program, *given = shlex.split(command)
            if "-c" in given:
                given += ["--endpoint", f"https://api.criteo.com={url}"]
            result = CliRunner().invoke(actions, given)
            assert program == "actions"
            assert result.exit_code == 0, f"{command}\n{result.output}"
            output = result.output
    (segment,) = criteo.describe("members")["segments"]
    people = set(range(20, 1_015)) - {500}
    assert segment["members"]["email"] == sorted(f"person-{one}@example.com" for one in people)


@pytest.mark.parametrize("link", re.findall(r"\]\((?!https?:)([^)#]+)", PAGE))
def test_a_link_leads_somewhere(link: str) -> None:
    assert (ROOT / "docs" / link).exists()
