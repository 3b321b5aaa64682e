"""What README shows is true: its programs run, its commands end well, its links lead somewhere."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from framework import Delivered
from framework.cli.app import actions
from framework.plugins import load_plugins
from framework.sandbox import Sandbox, serve

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = ROOT / "examples" / "criteo"
ACCESS = {"CRITEO_CLIENT_ID": "an-app", "CRITEO_CLIENT_SECRET": "any"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


COMMANDS = [line for block in blocks("console") for line in block.splitlines()]
NOT_RUN = {
    "make demo": "It is `examples/criteo/demo.py`, which CI runs.",
    "make test": "This runs in it.",
    "actions serve --connection criteo.connection.yaml": "`tests/tester` runs it.",
}
CONNECTION, *_ = blocks("yaml")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder in which README's commands are typed, with the files that they name."""
    (tmp_path / "criteo.connection.yaml").write_text(CONNECTION)
    (events,) = blocks("json")
    first, *_ = events.splitlines()
    (tmp_path / "events.ndjson").write_text(events)
    (tmp_path / "event.json").write_text(first)
    shutil.copy(EXAMPLES / "criteo.test.yaml", tmp_path)
    shutil.copy(EXAMPLES / "criteo.connection.yaml", tmp_path / "whole.yaml")
    monkeypatch.chdir(tmp_path)
    for name, value in ACCESS.items():
        monkeypatch.setenv(name, value)
    return tmp_path


@pytest.fixture
def criteo() -> Iterator[str]:
    """Give the address of a pretend Criteo."""
    pretend: Sandbox = load_plugins().get("criteo").call("sandbox")
    pretend.admit({"advertiser_id": "12345", "client_id": "an-app", "client_secret": "any"})
    with serve(pretend) as server:
        yield server.url


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", [one for one in COMMANDS if one not in NOT_RUN])
def test_a_command_ends_well(command: str, criteo: str) -> None:
    """What would call Criteo calls a pretend one; nothing else is added."""
    program, name, *rest = shlex.split(command)
    calls = name == "check-auth" or (name == "run" and "--dry-run" not in rest)
    if calls:
        rest += ["--endpoint", f"https://api.criteo.com={criteo}"]
    if name == "test":  # the tests are those of the example, which maps its fields
        shutil.move("whole.yaml", "criteo.connection.yaml")

    result = CliRunner().invoke(actions, [name, *rest])

    assert program == "actions"
    assert result.exit_code == 0, result.output


@pytest.mark.usefixtures("folder")
def test_both_events_are_delivered() -> None:
    command = next(one for one in COMMANDS if "--sandbox" in one)
    done = CliRunner().invoke(actions, [*shlex.split(command)[1:], "--json"])
    counts = json.loads(done.output)["counts"]
    assert [one["count"] for one in counts if one["outcome"] == "delivered"] == [1, 1]


@pytest.mark.usefixtures("folder")
def test_the_event_that_is_posted_is_one_that_is_delivered() -> None:
    """Its path says the type; `tests/framework/intake` posts to the intake."""
    ((path, body),) = re.findall(r"^curl .*http://127.0.0.1:8080/v1/(\w+) --data '(.*?)'", README,
                                 re.DOTALL | re.MULTILINE)  # fmt: skip
    Path("posted.ndjson").write_text(json.dumps({"type": path, **json.loads(body)}))
    command = ["run", "-c", "criteo.connection.yaml", "-e", "posted.ndjson", "--sandbox", "--json"]
    counts = json.loads(CliRunner().invoke(actions, command).output)["counts"]
    assert [one["count"] for one in counts if one["outcome"] == "delivered"] == [1]


def test_only_commands_that_readme_shows_are_left_out() -> None:
    assert set(NOT_RUN) <= set(COMMANDS)


def test_the_finding_is_shown_as_it_is(folder: Path) -> None:
    """It is about the connection file above it, with one more field."""
    lines = CONNECTION.splitlines()
    slip = '      audience_key: {"@path": $.properties.audience_kye}'
    (folder / "criteo.connection.yaml").write_text("\n".join([*lines[:8], "    mapping:", slip]))

    result = CliRunner().invoke(actions, ["validate", "criteo.connection.yaml"])

    (shown,) = blocks("text")
    assert shown in result.stdout


def test_the_smallest_destination_is_small_and_formatted() -> None:
    """`tests/test_typing.py` checks its types, and the next test delivers with it."""
    destination, _ = blocks("python")
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--line-length", "100", "-"],
        input=destination,
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout == destination
    assert len(destination.splitlines()) <= 25


class _Partner(BaseHTTPRequestHandler):
    """Takes what is posted to it."""

    posted: list[Any]

    def do_POST(self) -> None:
        size = int(self.headers["Content-Length"])
        self.posted.append(json.loads(self.rfile.read(size)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def partner() -> Iterator[tuple[str, list[Any]]]:
    """Give the address of a server, and what is posted to it."""
    posted: list[Any] = []
    server = HTTPServer(("127.0.0.1", 0), type("Taking", (_Partner,), {"posted": posted}))
    with ExitStack() as stack:
        stack.callback(server.server_close)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stack.callback(server.shutdown)
        yield f"http://127.0.0.1:{server.server_port}", posted


def test_the_programs_run(
    tmp_path: Path,
    partner: tuple[str, list[Any]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The destination is installed as README says, and the second program delivers with it."""
    destination, program = blocks("python")
    (entry,) = blocks("toml")
    points = tomllib.loads(entry)["project"]["entry-points"]["action_destinations"]
    ((name, module),) = points.items()
    (tmp_path / f"{module}.py").write_text(destination)
    info = tmp_path / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[action_destinations]\n{name} = {module}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    url, posted = partner
    assert "https://example.com" in program

    found: dict[str, Any] = {}
    exec(compile(program.replace("https://example.com", url), "README.md", "exec"), found)  # noqa: S102 - what the test is about
    sys.modules.pop(module, None)

    assert posted == [{"text": "Order Completed"}]
    assert [type(result) for result in found["report"].results] == [Delivered]
    assert capsys.readouterr().out == f"{found['report'].results}\n"


@pytest.mark.parametrize("link", re.findall(r"\]\((?!https?:)([^)#]+)", README))
def test_a_link_leads_somewhere(link: str) -> None:
    assert (ROOT / link).exists()
