"""Where and when figures were taken: machine, versions, commit, load and command."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LIBRARIES = ("orjson", "msgspec", "httpx")


def place(command: str) -> dict[str, Any]:
    """Give what a reader has to know about figures that *command* is about to take."""
    return {
        "when": datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
        "commit": commit(),
        "load": [round(one, 1) for one in os.getloadavg()],
        "command": command,
        "machine": machine(),
        "versions": versions(),
    }


@cache
def machine() -> str:
    """Give the processor and how many there are."""
    cpus = Path("/proc/cpuinfo")
    text = cpus.read_text(encoding="utf-8") if cpus.exists() else ""
    found = re.search(r"model name\s*:\s*(.+)", text)
    name = found[1] if found else platform.processor()
    return f"{name or platform.machine()}, {os.cpu_count()} processors, {platform.system()}"


@cache
def versions() -> dict[str, str]:
    """Give the versions of what the engines run on."""
    found = {"Python": platform.python_version(), **{one: version(one) for one in LIBRARIES}}
    if shutil.which("node"):
        found["Node"] = _said("node", "--version").removeprefix("v")
    return found


def commit() -> str:
    """Give the commit, and whether what is measured has been changed since."""
    inside = ("git", "-C", str(ROOT))
    changed = _said(*inside, "status", "--porcelain", "--", "framework", "destinations")
    return _said(*inside, "rev-parse", "--short", "HEAD") + (" with changes" if changed else "")


def _said(*command: str) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.stdout.strip()
