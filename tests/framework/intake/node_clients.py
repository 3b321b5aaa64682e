"""The official clients for Node and browsers, installed once into `build/clients`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

PACKAGES: Final = (
    "@segment/analytics-node@3.1.0",
    "@segment/analytics-next@1.84.3",
    "@rudderstack/rudder-sdk-node@3.0.13",
    "@customerio/cdp-analytics-node@0.5.9",
)
FOLDER: Final = Path(__file__).parents[3] / "build" / "clients"


def node_clients() -> Path:
    """Return the folder with the clients; skips the test where they cannot be had."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("Node and npm are not present")
    stamp, state = FOLDER / "state.txt", "\n".join(PACKAGES)
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != state:
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir(parents=True)
        (FOLDER / "package.json").write_text("{}", encoding="utf-8")
        npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", *PACKAGES]
        if subprocess.run(npm, cwd=FOLDER, check=False, timeout=300).returncode:
            pytest.skip("the clients for Node cannot be had")
        stamp.write_text(state, encoding="utf-8")
    return FOLDER
