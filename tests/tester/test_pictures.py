"""The pictures of the page in the docs: made here with `make pictures`, and checked."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, expect

from tests.framework.tester.filled_store import ADA, fill, member
from tests.guides import blocks_in
from tests.tester.browser import CHROMIUM, Window, open_window
from tests.tester.conftest import serving

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="There is no Chromium; `make browser` installs it where it can."
)

PICTURES: Final = Path(__file__).parents[2] / "docs" / "pictures"
WIDTH, HEIGHT = 1280, 800
_LARGEST: Final = 200_000
_STILL: Final = """() => {
  document.querySelectorAll(".toast").forEach((one) => one.remove());
  document.querySelectorAll("#aside summary .quiet").forEach((one) => { one.textContent = ""; });
  document.activeElement?.blur();
  scrollTo(0, 0);
}"""


@pytest.fixture(scope="module")
def spring(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a tester with a connection file and a store."""
    folder = tmp_path_factory.mktemp("spring")
    fill(folder)
    options = ["--connection", "spring.connection.yaml", "--store", "sqlite:events.db"]
    with serving(installed, folder, *options) as printed:
        yield printed


@pytest.fixture
def camera(browser: Browser, tmp_path: Path) -> Iterator[Window]:
    with open_window(browser, tmp_path, width=WIDTH, height=HEIGHT) as window:
        yield window


def take(window: Window, name: str, folder: Path) -> None:
    """Take a picture, and assert that the docs have one of it that is as large and small enough.

    With `PICTURES` in the environment, the picture of the docs is replaced.
    """
    window.settle()
    window.page.evaluate(_STILL)
    shown = PICTURES if "PICTURES" in os.environ else folder
    shown.mkdir(parents=True, exist_ok=True)
    content = window.page.screenshot(path=shown / f"{name}.png", animations="disabled")
    assert len(content) <= _LARGEST
    kept = (PICTURES / f"{name}.png").read_bytes()
    assert (_size(kept), len(kept) <= _LARGEST) == (_size(content), True)


def _size(picture: bytes) -> tuple[int, int]:
    """Return width and height of a PNG."""
    assert picture.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", picture[16:24])
    return width, height


def test_mappings_and_result(camera: Window, spring: str, tmp_path: Path) -> None:
    page = camera.page
    page.goto(spring)
    page.wait_for_selector("#setting-client_id")
    camera.step("event")
    people = [member(ADA), member("alan@example.com"), {"type": "page", "userId": "u-1"}]
    numbered = [{**one, "messageId": f"m-{number}"} for number, one in enumerate(people, 1)]
    camera.write("Events as JSON", "\n".join(map(json.dumps, numbered)))
    page.locator(".count").get_by_text("3 events").wait_for()
    camera.step("mappings")
    page.locator(".truth").get_by_text("matches 2 of 3").first.wait_for()
    page.locator(".found").get_by_text("spring_sale").first.wait_for()
    take(camera, "mappings", tmp_path)
    page.click("#run")
    page.wait_for_selector("[data-stage=outcome]")
    take(camera, "result", tmp_path)


def test_filters(
    camera: Window, installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the page about filters, one of them open, with an event that another one drops."""
    for name in ("CRITEO_CLIENT_ID", "CRITEO_CLIENT_SECRET"):
        monkeypatch.setenv(name, "any")
    page_of_filters = (PICTURES.parent / "filters.md").read_text(encoding="utf-8")
    (yaml,) = [one.text for one in blocks_in(page_of_filters) if one.language == "yaml"]
    file = tmp_path / "spring.connection.yaml"
    file.write_text(yaml, encoding="utf-8")
    page = camera.page
    with serving(installed, tmp_path, "--connection", file.name) as printed:
        page.goto(printed)
        page.wait_for_selector("#setting-client_id")
        camera.step("event")
        events = [member(ADA), member("grace@example.org"), {"type": "page", "userId": "u-1"}]
        camera.write("Events as JSON", "\n".join(map(json.dumps, events)))
        page.locator(".count").get_by_text("3 events").wait_for()
        camera.step("mappings")
        page.locator(".filter summary").first.click()
        page.locator(".filter .truth").get_by_text("matches 1 of 3").first.wait_for()
        take(camera, "filters", tmp_path)


def test_dead_letters(camera: Window, spring: str, tmp_path: Path) -> None:
    page = camera.page
    page.goto(spring)
    page.wait_for_selector("#setting-client_id")
    camera.step("letters")
    expect(page.locator("main tbody")).to_contain_text("NO_LIST")
    page.evaluate(
        "document.querySelectorAll('[data-column=Failed]')"
        ".forEach((one) => { one.textContent = '2027-01-02T03:04:05Z'; })"
    )
    take(camera, "dead-letters", tmp_path)
