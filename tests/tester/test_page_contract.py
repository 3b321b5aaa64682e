"""What a destination offers beyond events, on the page: choices, hooks, audiences, deletions."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.tester.browser import CHROMIUM, Window

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="There is no Chromium; `make browser` installs it where it can."
)


def _start(window: Window, address: str) -> None:
    window.page.goto(address)
    window.page.click("#borrow")
    expect(window.page.locator("#setting-client_id")).not_to_have_value("")


def test_choices_are_searched_paged_and_taken(window: Window, bazaar: str) -> None:
    page = window.page
    _start(window, bazaar)
    window.step("mappings")
    row = page.locator(".field-row", has=page.get_by_label("Stall", exact=True))
    row.get_by_role("button", name="Choices", exact=True).click()
    expect(row.locator(".choice")).to_have_text(['Lamps"lamps"', 'Carpets"carpets"'])
    row.get_by_role("button", name="More choices").click()
    expect(row.locator(".choice")).to_have_count(4)
    row.get_by_label("Search").fill("carp")
    expect(row.locator(".choice")).to_have_count(1)
    window.inspect("contract-choices")
    row.locator(".choice").click()
    expect(row.get_by_label("Stall", exact=True)).to_have_value("carpets")
    assert window.case()["subscriptions"][0]["mapping"] == {"stall": "carpets"}


def test_choices_show_why_there_are_none(window: Window, bazaar: str) -> None:
    page = window.page
    _start(window, bazaar)
    page.fill("#setting-client_secret", "wrong-4712")
    window.step("mappings")
    page.locator("[data-choices=stall]").click()
    expect(page.locator(".choices .problem")).to_contain_text("401")
    assert "wrong-4712" not in page.locator(".choices").first.inner_text()


def test_a_hook_runs_and_its_outputs_are_kept_in_the_mapping(window: Window, bazaar: str) -> None:
    page = window.page
    _start(window, bazaar)
    window.step("mappings")
    hook = page.locator("[data-hook=onMappingSave]").first
    hook.get_by_role("button", name="Run", exact=True).click()
    expect(hook.locator(".verdict.bad")).to_contain_text("A name is needed.")
    hook.get_by_label("Name").fill("one")
    hook.get_by_role("button", name="Run", exact=True).click()
    expect(hook.locator(".saved")).to_contain_text("shelf-one")
    window.inspect("contract-hook")
    kept = window.case()["subscriptions"][0]["mapping"]["onMappingSave"]
    assert kept == {"inputs": {"name": "one"}, "outputs": {"id": "shelf-one"}}
    hook.get_by_role("button", name="Remove the outputs of Make a shelf").click()
    expect(hook.locator(".saved")).to_have_count(0)
    assert window.case()["subscriptions"][0]["mapping"] == {}
    window.forgive("status of 400")


def test_audiences_are_created_found_and_forgotten(window: Window, bazaar: str) -> None:
    page = window.page
    _start(window, bazaar)
    card = page.get_by_role("region", name="Audiences")
    page.fill("#audience-key", "spring")
    page.click("#create-audience")
    expect(card.locator(".verdict")).to_contain_text("audience-spring")
    window.inspect("contract-audiences")
    page.fill("#audience-id", "nowhere")
    page.click("#get-audience")
    expect(card.locator(".verdict.bad")).to_contain_text("There is no such audience.")
    page.click("#unlink-audience")
    expect(card.locator(".verdict")).to_contain_text("The ID is forgotten")
    window.forgive("status of 400")


def test_a_deletion_is_requested(window: Window, bazaar: str) -> None:
    page = window.page
    _start(window, bazaar)
    window.step("event")
    window.write("Events as JSON", "[]")
    page.fill("#delete-userId", "user-7")
    page.click("#add-deletion")
    page.locator(".count").get_by_text("1 event: delete").wait_for()
    page.click("#run")
    page.locator("[data-stage=outcome]").get_by_text("delivered").wait_for()
    assert "/people/user-7" in window.stage("requests")


def test_a_dry_run_without_a_sandbox_asks_nothing(window: Window, both: str) -> None:
    """Sync mode, matching key and rules are shown, and kept in the mapping."""
    page = window.page
    page.goto(both)
    page.click("[data-slug=actions-odd]")
    window.step("mappings")
    page.select_option("#new-action", "odd")
    page.click("#add-subscription")
    card = page.locator(".subscription").first
    card.get_by_label("How rows are sent").select_option("mirror")
    card.get_by_label("Matching key").select_option("level")
    expect(card.get_by_role("list", name="Rules across fields")).to_contain_text(
        "At most one of constructor, numbers may have a value."
    )
    mapping = window.case()["subscriptions"][0]["mapping"]
    assert mapping == {
        "__segment_internal_sync_mode": "mirror",
        "__segment_internal_matching_key": "level",
    }
    card.locator("[data-choices=level]").click()
    expect(card.locator(".choices .problem")).to_contain_text("A dry run sends no requests.")
    window.inspect("contract-sync-mode")
    window.forgive("status of 409")


def test_jobs_of_a_run_are_asked_for(window: Window, bulk: str) -> None:
    """An upload that the partner imports later: it is accepted, then delivered."""
    page = window.page
    page.goto(bulk)
    page.click("#borrow")
    window.step("mappings")
    page.locator(".subscription").first.or_(page.locator("#add-subscription")).first.wait_for()
    if not page.locator(".subscription").count():
        page.click("#add-subscription")
    window.step("event")
    page.click("#generate")
    page.locator(".count").get_by_text("1 event:").wait_for()
    page.click("#run")
    page.locator("[data-stage=outcome]").get_by_text("accepted").wait_for()
    window.inspect("contract-jobs")
    expect(page.locator("#jobs")).to_contain_text("has not finished 1 job.")
    page.click("#ask-jobs")
    window.settle()
    page.locator("[data-stage=outcome]").get_by_text("accepted").wait_for()
    page.click("#ask-jobs")
    page.locator("[data-stage=outcome]").get_by_text("delivered").wait_for()
    expect(page.locator("#jobs")).to_have_count(0)
