"""What the wheel holds, and that it works without the source tree and beside other packages."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

from scripts.wheel_smoke import build_wheel, smoke

ROOT = Path(__file__).parent.parent
BUNDLE = "framework/tester/page/vendor/LICENSE-codemirror.txt"
SECOND = """
from framework import Action, Destination, Payload, field, hookimpl


class Note(Payload):
    text: str = field("Text", "What to say.")


@hookimpl
def destination() -> Destination:
    return Destination(slug="acme", name="Acme", description="Notes for Acme.")


@hookimpl
def actions() -> list[Action]:
    trigger = 'type = "track"'
    return [Action(slug="note", title="Note", trigger=trigger, payload=Note)]


@hookimpl
def perform(payload: Note) -> None:
    return None
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel of this checkout."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def home(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what an installer unpacks from the wheel."""
    folder = tmp_path_factory.mktemp("home")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def test_the_wheel_holds_the_packages_and_nothing_else(home: Path) -> None:
    assert {path.name.partition("-")[0] for path in home.iterdir()} == {
        "action_destinations",
        "destinations",
        "framework",
    }
    source = {path.relative_to(ROOT) for path in (ROOT / "framework").rglob("*") if path.is_file()}
    shipped = {path.relative_to(home) for path in (home / "framework").rglob("*")}
    assert {path for path in source if "__pycache__" not in path.parts} <= shipped


def test_the_metadata_names_the_licences_of_shipped_code(home: Path) -> None:
    """The page's editor is one file made of several packages; each has its licence."""
    (info,) = home.glob("*.dist-info")
    metadata = message_from_string((info / "METADATA").read_text(encoding="utf-8"))
    assert metadata["License-Expression"] == "MIT"
    assert metadata.get_all("License-File") == ["LICENSE", BUNDLE]
    text = (info / "licenses" / BUNDLE).read_text(encoding="utf-8")
    assert text == (ROOT / BUNDLE).read_text(encoding="utf-8")
    named = re.findall(r"^(@?[a-z0-9/-]+) \d+\.\d+\.\d+$", text, re.MULTILINE)
    assert len(named) == 16
    assert {"@codemirror/view", "@lezer/common", "crelt", "style-mod", "w3c-keyname"} <= {*named}


def test_every_file_of_others_has_a_licence_beside_it() -> None:
    """A bundle of third-party code that the package ships is not added without one."""
    folders = [path for path in (ROOT / "framework").rglob("vendor") if path.is_dir()]
    licences = [path for folder in folders for path in folder.glob("LICENSE*")]
    assert [str(path.relative_to(ROOT)) for path in licences] == [BUNDLE]


def test_the_wheel_works_without_the_source_tree(home: Path, tmp_path: Path) -> None:
    """From an empty folder; `make wheel-smoke` does the same with an installed wheel."""
    python = Path(sys.executable)
    command: list[str | Path] = [python, "-P", "-m", "framework"]
    passed = list(smoke(command, python, home, tmp_path, {"PYTHONPATH": str(home)}))
    assert passed == [
        "--version",
        "list",
        "validate",
        "run --sandbox",
        "names of framework",
        "place of framework",
        "files of the tester's page",
        "licences",
        "pytest beside another `framework`",
    ]


def test_another_distribution_adds_to_destinations(home: Path, tmp_path: Path) -> None:
    """`destinations` is a namespace package: both distributions' modules can be imported."""
    module = tmp_path / "destinations" / "acme.py"
    module.parent.mkdir()
    module.write_text(SECOND, encoding="utf-8")
    info = tmp_path / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[action_destinations]\nacme = destinations.acme\n")
    code = (
        "import destinations.acme, destinations.criteo_audiences\n"
        "from framework import load_plugins\n"
        "print(sorted(load_plugins().destinations))\n"
    )
    for order in ([home, tmp_path], [tmp_path, home]):
        path = os.pathsep.join(map(str, order))
        done = subprocess.run(
            [sys.executable, "-P", "-c", code],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.stdout, done.stderr) == (
            "['acme', 'actions-criteo-audiences', 'actions-webhook']\n",
            "",
        )
