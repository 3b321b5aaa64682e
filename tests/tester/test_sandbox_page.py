"""The page of a pretend partner in a browser."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser, Route

from framework.cli.app import actions
from framework.plugins import load_plugins
from framework.sandbox import Sandbox, serve
from tests.tester.browser import CHROMIUM, open_window

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="There is no Chromium; `make browser` installs it where it can."
)
CRITEO = Path(__file__).parents[2] / "examples" / "criteo"
_WIDER = """() => [...document.querySelectorAll("section")]
  .filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.innerText)"""


def _lasting(route: Route) -> None:
    """Return the page without what makes it load again, which may be at any time."""
    answer = route.fetch()
    lasting, number = re.subn(r'<meta http-equiv="refresh"[^>]*>', "", answer.text())
    assert number == 1
    route.fulfill(response=answer, body=lasting)


@pytest.mark.parametrize("width", [1440, 1200, 1024])
def test_no_table_scrolls_sideways(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("CRITEO_CLIENT_ID", "an-app")
    monkeypatch.setenv("CRITEO_CLIENT_SECRET", "any")
    pretend: Sandbox = load_plugins().get("criteo").call("sandbox")
    pretend.admit({"advertiser_id": "12345", "client_id": "an-app", "client_secret": "any"})
    with serve(pretend) as server, open_window(browser, tmp_path, width=width) as window:
        options = ["--endpoint", f"https://api.criteo.com={server.url}", "--quiet"]
        events = shutil.copy(CRITEO / "events.ndjson", tmp_path)
        files = ["-c", CRITEO / "criteo.connection.yaml", "-e", events]
        kept = ["--checkpoint", tmp_path / "kept"]
        CliRunner().invoke(actions, ["run", *map(str, files), *options, *map(str, kept)])
        window.page.route(f"{server.url}/", _lasting)
        window.page.goto(server.url)
        window.shoot(f"sandbox-{width}")

        assert "/contact-list" in window.markup()
        assert window.page.evaluate(_WIDER) == []


def test_a_fault_is_injected_without_scripts(browser: Browser, tmp_path: Path) -> None:
    pretend: Sandbox = load_plugins().get("criteo").call("sandbox")
    with serve(pretend) as server, open_window(browser, tmp_path, width=360) as window:
        page = window.page
        page.goto(server.url)
        page.get_by_role("link", name="Inject a fault").click()
        page.get_by_label("Fault").select_option("server-error")
        page.get_by_label("Times").fill("2")
        window.inspect("sandbox-fault")
        page.get_by_role("button", name="Inject fault").click()
        page.get_by_role("heading", name="Pending faults").wait_for()
        assert "server-error" in page.inner_text("main")
    assert [(one.kind, one.times) for one in pretend.pending_faults()] == [("server-error", 2)]
