"""The examples of docs/tables.md print what is shown, one after the other."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
(CONNECTION,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
BLOCKS = re.findall(r"```(sh|text|python)\n(.*?)```", PAGE, re.DOTALL)
ID = re.compile(r'"messageId":"[0-9a-f]+"')


def test_the_examples_print_what_is_shown(tmp_path: Path) -> None:
    (tmp_path / "people.connection.yaml").write_text(CONNECTION)
    command = tmp_path / "bin" / "actions"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m framework "$@"\n')
    command.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "CRITEO_CLIENT_ID": "anything",
        "CRITEO_CLIENT_SECRET": "anything",
    }
    printed = None
    for kind, text in BLOCKS:
        if kind == "text":
            assert printed is None or ID.sub("ID", printed) == ID.sub("ID", text)
            printed = None
            continue
        run = ["sh", "-ec", text] if kind == "sh" else [sys.executable, "-c", text]
        done = subprocess.run(
            run, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert (done.stderr, done.returncode) == ("", 0), text
        if "--dry-run" in text:
            assert " delivered " in done.stdout, done.stdout
        if "actions validate" in text:
            assert not re.search(r"^(?:error|warning)\[", done.stdout, re.MULTILINE), done.stdout
        printed = done.stdout if "actions rows" in text else None
    assert done.stdout == "['deleted', 'updated', 'new']\n"
