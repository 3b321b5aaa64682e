"""Pages that are followed as a reader would: their files are written, their commands typed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sysconfig
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"

_BLOCK = re.compile(r"(?:`([\w./-]+)`:\n\n)?^```([\w ]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_PROGRAMS = {
    "actions": "from framework.cli import main as run",
    "pip": "from pip._internal.cli.main import main as run",
    "pytest": "from pytest import console_main as run",
}
# No network: what is needed to build and install is there already. The plugins of pytest that the
# project's own tests need are not loaded.
_ALONE = {
    "PIP_NO_INDEX": "1",
    "PIP_NO_BUILD_ISOLATION": "false",
    "PIP_NO_DEPS": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
}


class Block(NamedTuple):
    """A fenced block of a page; *file* is what it is called in the line before, if it is a file."""

    file: str
    language: str
    text: str


def blocks_of(page: str) -> list[Block]:
    """Return the fenced blocks of a page in `docs/`, in order."""
    return blocks_in((DOCS / page).read_text(encoding="utf-8"))


def blocks_in(text: str) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    return [Block(*found.groups(default="")) for found in _BLOCK.finditer(text)]


def without_ends(text: str) -> str:
    """Return text without white space at the ends of its lines."""
    return "\n".join(line.rstrip() for line in text.splitlines())


class Terminal:
    """A shell in *folder* with an environment in which the framework is installed."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        venv.create(home, with_pip=False, symlinks=True)
        self._programs = home / "bin"
        (packages,) = home.glob("lib/python*/site-packages")
        known = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), str(ROOT)]
        (packages / "installed.pth").write_text("\n".join(dict.fromkeys(known)) + "\n")
        for name, line in _PROGRAMS.items():
            file = self._programs / name
            file.write_text(f"#!{home}/bin/python -P\nimport sys\n{line}\nsys.exit(run())\n")
            file.chmod(0o755)
        self.environment = {
            **{key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
            **_ALONE,
            "PATH": f"{self._programs}{os.pathsep}{os.environ['PATH']}",
        }

    def type(self, command: str) -> tuple[int, str]:
        """Run one command; return its exit code and what it writes."""
        program, *rest = shlex.split(command)
        if program == "cd":
            self.folder /= rest[0]
            return 0, ""
        if program == "export":
            name, _, value = rest[0].partition("=")
            self.environment[name] = value
            return 0, ""
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    @contextmanager
    def started(self, command: str) -> Iterator[str]:
        """Run a server meanwhile; yield its address, which is in the first line that it writes."""
        with subprocess.Popen(
            [str(self._programs / "actions"), *shlex.split(command)[1:], "--port", "0"],
            cwd=self.folder,
            env={**self.environment, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as server:
            try:
                assert server.stdout is not None
                line = server.stdout.readline()
                (address, *_) = re.findall(r"http://\S+", line) or [line]
                yield address
            finally:
                server.terminate()
