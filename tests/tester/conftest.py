"""The built package, installed beside nothing, and testers started from it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.tester.browser import CHROMIUM, FLAGS, Window, open_window

ROOT = Path(__file__).parent.parent.parent
ODD_FORMS = Path(__file__).parent / "odd_forms.py"
BULK = ROOT / "tests" / "plugins" / "acme_bulk" / "acme_bulk.py"
BAZAAR = ROOT / "tests" / "framework" / "tester" / "bazaar.py"
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/#token=\S+")


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and install it into an empty folder: files that it misses are missing."""
    wheels = tmp_path_factory.mktemp("wheel")
    target = tmp_path_factory.mktemp("installed")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run([*build, "--directory", str(wheels)], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = wheels.glob("*.whl")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    quiet = ["--disable-pip-version-check", "--root-user-action=ignore"]
    subprocess.run([*install, *quiet, "--target", str(target), str(wheel)], check=True)
    return target


@pytest.fixture(scope="module")
def both(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a tester that has a second destination, with unusual forms."""
    folder = tmp_path_factory.mktemp("both")
    install(folder, ODD_FORMS)
    with serving(installed, folder) as printed:
        yield printed


@pytest.fixture(scope="module")
def bazaar(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a tester of a destination that does everything."""
    folder = tmp_path_factory.mktemp("bazaar")
    install(folder, BAZAAR)
    with serving(installed, folder, "actions-bazaar") as printed:
        yield printed


@pytest.fixture(scope="module")
def bulk(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a tester of a destination whose partner finishes jobs later."""
    folder = tmp_path_factory.mktemp("bulk")
    install(folder, BULK, BULK.with_name("acme_bulk_sandbox.py"))
    with serving(installed, folder, "acme-bulk") as printed:
        yield printed


def install(folder: Path, module: Path, *others: Path) -> None:
    """Install a destination into the folder in which a tester is started."""
    for file in (module, *others):
        shutil.copy(file, folder)
    about = folder / f"{module.stem}-1.0.dist-info"
    about.mkdir()
    metadata = f"Name: {module.stem.replace('_', '-')}\nVersion: 1.0\n"
    about.joinpath("METADATA").write_text(metadata, encoding="utf-8")
    found = f"[action_destinations]\n{module.stem} = {module.stem}\n"
    about.joinpath("entry_points.txt").write_text(found, encoding="utf-8")


@pytest.fixture(scope="module")
def address(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a tester that a module's tests share."""
    with serving(installed, tmp_path_factory.mktemp("tester")) as printed:
        yield printed


@pytest.fixture(scope="module")
def browser(installed: Path) -> Iterator[Browser]:
    """Return a browser; it ends with its module, since its loop would be in the way of others."""
    assert installed.is_dir()
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield opened
        opened.close()


@pytest.fixture
def window(browser: Browser, serve: Callable[..., str], tmp_path: Path) -> Iterator[Window]:
    """Return a window that closes before its tester; it must not complain nor go elsewhere."""
    del serve  # it has to be there before and to end after
    with open_window(browser, tmp_path) as opened:
        yield opened


@pytest.fixture
def serve(installed: Path, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Start a tester with arguments of the command line; gives the address that it prints."""
    with ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(serving(installed, tmp_path, *arguments))


@contextmanager
def serving(installed: Path, folder: Path, *arguments: str) -> Iterator[str]:
    """Start a tester of the installed package in a folder; give the address that it prints."""
    command = [sys.executable, "-m", "framework", "serve", "--no-open", "--port", "0", *arguments]
    environment = {"PYTHONPATH": str(installed), "HOME": str(folder), "PYTHONUNBUFFERED": "1"}
    environment |= {key: value for key, value in os.environ.items() if key.startswith("CRITEO_")}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield _address(process)
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _address(process: subprocess.Popen[str]) -> str:
    said = []
    assert process.stdout is not None
    for line in process.stdout:
        if found := _ADDRESS.search(line):
            return found.group()
        said.append(line)
    raise AssertionError("".join(said))
