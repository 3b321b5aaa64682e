"""The examples of docs/tables.md print what is shown, one after the other."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest

from tests.postgres import executed

if TYPE_CHECKING:
    Blocks: TypeAlias = list[tuple[str, str]]

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
(CONNECTION,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE.replace(CONNECTION, ""), re.DOTALL)
ID = re.compile(r'"messageId":"[0-9a-f]+"')
SERVER = "postgresql://reporting@localhost/crm"
PEOPLE = """
CREATE SCHEMA crm;
CREATE TABLE crm.people (id int, email text, plans text[], balance numeric, since timestamptz);
INSERT INTO crm.people VALUES
  (2, 'grace@example.com', '{}', NULL, '2026-03-10 01:00:00+01'),
  (1, 'ada@example.com', '{pro,beta}', 12.5, '2026-03-09 10:00:00+00'),
  (3, NULL, NULL, NULL, NULL)
"""
SHELL = """#!{python}
import contextlib, sqlite3, sys
with contextlib.closing(sqlite3.connect(sys.argv[1])) as database:
    database.executescript(sys.argv[2])
"""


def _divided() -> tuple[Blocks, Blocks]:
    """Return the blocks that need no server, and those that do, each with what they print."""
    local: Blocks = []
    remote: Blocks = []
    chosen = local
    for kind, text in BLOCKS:
        if kind != "text":
            chosen = remote if SERVER in text else local
        chosen.append((kind, text))
    return local, remote


def _programs(folder: Path) -> Path:
    """Make a folder of the commands that the page uses."""
    folder.mkdir()
    commands = {"actions": f'#!/bin/sh\nexec "{sys.executable}" -m framework "$@"\n'}
    if shutil.which("sqlite3") is None:
        commands["sqlite3"] = SHELL.format(python=sys.executable)
    for name, text in commands.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


def _printed(blocks: Iterable[tuple[str, str]], folder: Path) -> Iterator[str]:
    """Run what is no text, and compare the output of `actions rows` with the text after it."""
    (folder / "people.connection.yaml").write_text(CONNECTION)
    programs = _programs(folder / "bin")
    environment = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "CRITEO_CLIENT_ID": "anything",
        "CRITEO_CLIENT_SECRET": "anything",
    }
    printed = ""
    for kind, text in blocks:
        if kind == "text":
            assert ID.sub("ID", printed) == ID.sub("ID", text)
            continue
        run = ["sh", "-ec", text] if kind == "sh" else [sys.executable, "-c", text]
        done = subprocess.run(
            run, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert (done.stderr, done.returncode) == ("", 0), text
        if "actions run" in text:
            assert " delivered " in done.stdout, done.stdout
        if "actions validate" in text:
            assert not re.search(r"^(?:error|warning)\[", done.stdout, re.MULTILINE), done.stdout
        printed = re.sub(r"^[\d,]+ rows saved in .*\n", "", done.stdout, flags=re.MULTILINE)
        yield done.stdout


def test_the_examples_print_what_is_shown(tmp_path: Path) -> None:
    blocks, _ = _divided()
    assert {kind for kind, _ in BLOCKS} == {"sh", "text", "yaml", "python"}
    *_, last = _printed([one for one in blocks if one[0] != "yaml"], tmp_path)
    assert last == "['deleted', 'updated', 'new']\n{'id': 2}\n"
    assert (tmp_path / "delivered.parquet").exists()
    assert not (tmp_path / "today.parquet").exists()


def test_the_examples_with_a_server_print_what_is_shown(
    postgres_server: str, tmp_path: Path
) -> None:
    pytest.importorskip("psycopg", reason="the extra `postgres` is not installed")
    _, blocks = _divided()
    executed(postgres_server, PEOPLE)
    try:
        # By its name, which is looked up also where destinations are kept offline.
        address = postgres_server.replace("127.0.0.1", "localhost")
        found = [*_printed([(kind, text.replace(SERVER, address)) for kind, text in blocks],
                           tmp_path)]  # fmt: skip
    finally:
        executed(postgres_server, "DROP SCHEMA crm CASCADE")
    assert len(found) == 2
