"""docs/authoring.md is followed literally: it ends with a certified destination that delivers."""

from __future__ import annotations

import re
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.guides import DOCS, Terminal, blocks_of, without_ends

PAGE = "authoring.md"
BLOCKS = blocks_of(PAGE)
NOT_TYPED = {
    "python3 -m venv .venv": "The terminal has an environment of its own.",
    ". .venv/bin/activate": "The same.",
}
FAILING = {
    "actions run -c acme-mail.connection.yaml --events events.ndjson --dry-run": 1,
    "actions run -c acme-mail.connection.yaml --events events.ndjson --outcomes outcomes.ndjson "
    "--endpoint https://api.acme-mail.example=http://127.0.0.1:8010": 1,
}
"""Commands of which the page says that they do not end with 0."""

SANDBOX = "http://127.0.0.1:8010"
SERVERS = ("actions sandbox ", "actions serve ")


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    folder = tmp_path / "work"
    folder.mkdir()
    return Terminal(folder, tmp_path / "home")


def typed(terminal: Terminal, command: str, addresses: dict[str, str]) -> str:
    """Run a command of the page; what is sent to the sandbox goes to its real port."""
    real = command
    for shown, address in addresses.items():
        real = real.replace(shown, address)
    code, output = terminal.type(real)
    assert code == FAILING.get(command, 0), f"{command}\n{output}"
    return output


def test_the_page_leads_to_a_certified_destination(terminal: Terminal) -> None:
    output = ""
    addresses: dict[str, str] = {}
    commands: list[str] = []
    with ExitStack() as servers:
        for block in BLOCKS:
            if block.file or block.language == "json":
                file = terminal.folder / (block.file or "acme-mail.json")
                file.write_text(block.text)
            elif block.language == "text":
                assert without_ends(block.text) in without_ends(output)
            else:
                assert block.language == "console"
                output = ""
                for command in block.text.splitlines():
                    commands.append(command)
                    if command.startswith(SERVERS):
                        address = servers.enter_context(terminal.started(command))
                        urllib.request.urlopen(address, timeout=60).close()  # noqa: S310 - http
                        addresses.setdefault(SANDBOX, address)
                    elif command not in NOT_TYPED:
                        output += typed(terminal, command, addresses)
    assert {*NOT_TYPED, *FAILING} <= {*commands}
    (wheel,) = (terminal.folder / "dist").iterdir()
    assert wheel.name == "acme_mail-0.1.0-py3-none-any.whl"


@pytest.mark.parametrize("link", re.findall(r"\]\(([\w./-]+\.md)", (DOCS / PAGE).read_text()))
def test_a_link_leads_somewhere(link: str) -> None:
    assert (DOCS / link).exists()
