"""What was edited on the page is saved, copied, taken back, and sent live after a question only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.tester.browser import CHROMIUM, Window

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="There is no Chromium; `make browser` installs it where it can."
)

FILE = """\
# The spring campaign; ask Grace.
destination: actions-criteo-audiences
settings:
  advertiser_id: "12345"
  client_id: sandbox-client
  client_secret: ${env:CRITEO_CLIENT_SECRET}  # from the vault
subscriptions:
  - name: Joiners
    partnerAction: addUserToAudience
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CRITEO_CLIENT_SECRET", "not-for-the-page")
    file = tmp_path / "spring.connection.yaml"
    file.write_text(FILE, encoding="utf-8")
    return file


def _open(window: Window, serve: Callable[..., str], file: Path) -> None:
    window.page.goto(serve("--connection", str(file)))
    window.page.wait_for_selector("#setting-client_id")
    window.step("mappings")
    window.page.locator(".truth").get_by_text("matches").first.wait_for()


def test_edits_are_saved_after_they_were_shown(
    window: Window, serve: Callable[..., str], file: Path
) -> None:
    page = window.page
    _open(window, serve, file)
    page.get_by_label("Subscription name").fill("Members")
    page.get_by_label("Connection enabled").click()
    page.click("#save-file")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(str(file))
    expect(dialog.locator(".added")).to_have_text(["+  - name: Members\n", "+enabled: false\n"])
    window.inspect("saving")
    page.get_by_role("button", name="Cancel").click()
    assert file.read_text() == FILE
    page.click("#save-file")
    page.click("#confirm")
    page.locator(".toast").get_by_text("Saved").wait_for()
    assert file.read_text() == FILE.replace("Joiners", "Members") + "enabled: false\n"
    expect(page.locator(".brand")).to_contain_text("(disabled)")
    page.click("#save-file")
    page.locator(".toast").get_by_text("The file already says this.").wait_for()


def test_edits_made_elsewhere_are_kept(
    window: Window, serve: Callable[..., str], file: Path
) -> None:
    """Also when the page is loaded again: its address holds what was edited before."""
    page = window.page
    _open(window, serve, file)
    page.get_by_label("Subscription name").fill("Members")
    window.settle()
    theirs = FILE.replace("Joiners", "Theirs")
    file.write_text(theirs, encoding="utf-8")
    page.reload()
    expect(page.get_by_label("Subscription name")).to_have_value("Members")
    page.click("#save-file")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("was changed elsewhere")
    window.inspect("changed-elsewhere")
    page.get_by_role("button", name="Load the file again").click()
    expect(page.get_by_label("Subscription name")).to_have_value("Theirs")
    assert file.read_text() == theirs
    window.forgive("status of 409")


def test_the_yaml_is_copied_without_secrets(
    window: Window, serve: Callable[..., str], file: Path
) -> None:
    page = window.page
    _open(window, serve, file)
    page.get_by_label("Subscription name").fill("Members")
    page.click("#copy-yaml")
    page.locator(".toast").get_by_text("Copied as YAML.").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == FILE.replace("Joiners", "Members")


def test_edits_are_taken_back_across_steps(window: Window, address: str) -> None:
    page = window.page
    page.goto(address)
    page.click("[data-slug=actions-criteo-audiences]")
    expect(page.locator("#undo")).to_be_disabled()
    page.fill("#setting-advertiser_id", "777")
    expect(page.locator("#undo")).to_be_enabled()
    window.step("mappings")
    page.get_by_label("Subscription name").first.fill("Members")
    expect(page.locator("#undo")).to_be_enabled()
    window.step("event")
    page.click("#undo")
    expect(page.get_by_label("Subscription name").first).not_to_have_value("Members")
    page.click("#undo")
    expect(page.locator("#setting-advertiser_id")).to_have_value("")
    expect(page.locator("#undo")).to_be_disabled()
    page.click("#redo")
    expect(page.locator("#setting-advertiser_id")).to_have_value("777")
    page.click("#redo")
    expect(page.get_by_label("Subscription name").first).to_have_value("Members")
    expect(page.locator("#redo")).to_be_disabled()


def test_nothing_is_sent_live_without_a_confirmation(
    window: Window, serve: Callable[..., str], file: Path
) -> None:
    page = window.page
    _open(window, serve, file)
    held = window.hold("/run")
    page.click("[data-mode=live]")
    page.click("#run")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Send 1 event to Criteo Audiences?")
    expect(dialog).to_contain_text("Joiners")
    window.inspect("live-question")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.get_by_label("Connection enabled").click()
    page.click("#run")
    page.locator(".toast").get_by_text("The connection is disabled").wait_for()
    assert held.waiting == []
    page.get_by_label("Connection enabled").click()
    page.click("#run")
    page.click("#confirm")
    route = held.take()
    assert '"mode":"live"' in (route.request.post_data or "")
    route.abort()
    window.forgive("ERR_FAILED")
