"""What `serve --reload` watches: no change is lost, whenever it comes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from framework.tester.reloading import changes, snapshot

WATCHING = """
import sys
from pathlib import Path
from framework.tester import serve_again

watched = Path(sys.argv[1])


class Starts:
    started = 0

    def keys(self):
        # It is asked for when the command is about to start.
        self.started += 1
        print("start", self.started, flush=True)
        if self.started == 2:
            raise KeyboardInterrupt
        watched.write_text("x = 22")
        return ()

    def __getitem__(self, name):
        raise KeyError(name)


serve_again([sys.executable, "-c", ""], Starts(), [watched])
"""


def test_a_change_while_the_command_starts_starts_it_again(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("x = 1")
    command = [sys.executable, "-c", WATCHING, str(module)]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=True, env=os.environ
    )
    assert ended.stdout == "start 1\nstart 2\n"
    assert ended.stderr == "Files changed; restarting.\n"


def test_what_changed_since_a_snapshot_is_a_change(tmp_path: Path) -> None:
    """Also before anybody asks for the first change; each is told once."""
    (tmp_path / "module.py").write_text("x = 1")
    before = snapshot([tmp_path])
    (tmp_path / "other.yaml").write_text("y: 1")
    (tmp_path / "notes.txt").write_text("not of interest")
    found = changes([tmp_path], before)
    next(found)
    (tmp_path / "other.yaml").unlink()
    next(found)
    assert snapshot([tmp_path]) == before
