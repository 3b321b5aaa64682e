"""Dead letters on the page: filtered, chosen, dropped after a question that tells their number."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from framework.relay import DeadLetter, SQLiteStore
from tests.framework.tester.filled_store import ADA, member
from tests.tester.browser import CHROMIUM, Window

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="There is no Chromium; `make browser` installs it where it can."
)


@pytest.fixture
def store(tmp_path: Path, window: Window, serve: Callable[..., str]) -> Path:
    """Return a store with 105 dead letters, two of which are `GONE`; the window lists them."""
    path = tmp_path / "events.db"
    with SQLiteStore(path) as store:
        store.append("live", [b"{}"], [None])
        owner = store.own("spring", "live", from_start=True)
        assert owner
        letters = []
        for line in range(1, 106):
            code = "GONE" if line <= 2 else "NO_LIST"
            outcome = {"outcome": "failed", "code": code, "message": "There is no list."}
            event = json.dumps(member(ADA)).encode()
            letters.append(
                DeadLetter(
                    connection="spring",
                    line=line,
                    subscription="Add",
                    event=event,
                    code=code,
                    outcome=outcome,
                )
            )
        owner.save(0, b"", letters)
        owner.release()
    window.page.goto(serve("--store", f"sqlite:{path}"))
    window.step("letters")
    window.page.get_by_text("105 dead letters in the store; the oldest 100 are listed.").wait_for()
    return path


def _left(path: Path) -> list[str]:
    with SQLiteStore(path) as store:
        return [one.code for one in store.dead_letters.list(most=1_000)]


def test_only_what_the_filter_shows_is_dropped(window: Window, store: Path) -> None:
    """What was chosen, then all that match, also those that are not listed."""
    page = window.page
    expect(page.locator("#drop")).to_be_disabled()
    page.get_by_label("Choose 000000000003").check()
    page.get_by_label("Choose 000000000001").check()
    expect(page.locator("#drop")).to_have_text("Drop 2")
    page.get_by_label("Code").fill("GONE")
    page.get_by_label("Code").press("Enter")
    page.get_by_text("105 dead letters in the store, 2 match.").wait_for()
    expect(page.locator("#drop")).to_have_text("Drop 1")
    page.get_by_role("button", name="Show the event of 000000000001").click()
    page.get_by_role("region", name="Dead letter 000000000001").wait_for()
    page.click("#drop")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Drop 1 dead letter?")
    expect(dialog).to_contain_text("Only those of code GONE.")
    page.keyboard.press("Escape")
    assert len(_left(store)) == 105
    page.click("#drop")
    page.click("#confirm")
    page.locator(".toast").get_by_text("Dropped 1.").wait_for()
    page.get_by_text("104 dead letters in the store, 1 matches.").wait_for()
    expect(page.get_by_role("region", name="Dead letter 000000000001")).to_have_count(0)
    assert _left(store) == ["GONE", *["NO_LIST"] * 103]

    page.get_by_label("Code").fill("NO_LIST")
    page.get_by_label("Code").press("Enter")
    page.get_by_text("104 dead letters in the store, 103 match").wait_for()
    page.get_by_role("button", name="Choose all", exact=True).click()
    expect(page.locator("#drop")).to_have_text("Drop 100")
    page.click("#choose-every")
    expect(page.locator("#drop")).to_have_text("Drop 103")
    page.click("#drop")
    expect(page.get_by_role("dialog")).to_contain_text("Drop 103 dead letters?")
    page.click("#confirm")
    page.locator(".toast").get_by_text("Dropped 103.").wait_for()
    page.get_by_text("No dead letter matches.").wait_for()
    assert _left(store) == ["GONE"]
