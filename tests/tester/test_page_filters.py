"""Destination filters on the page, and results: what dropped an event, and lists of many."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from playwright.sync_api import expect

from framework.cli.app import actions
from tests.framework.tester.filled_store import ADA, member
from tests.tester.browser import CHROMIUM, Window

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="There is no Chromium; `make browser` installs it where it can."
)

FILE = """\
destination: actions-criteo-audiences
settings: {advertiser_id: "12345", client_id: an-app, client_secret: any}
subscriptions:
  - partnerAction: addUserToAudience
filters:
  # Asked for by Grace.
  - title: No colleagues  # of ours
    if: match(context.traits.email, "*@example.org")
    actions: [{type: DROP}]
  - if: all
    enabled: false
    actions:
      - type: DROP_PROPERTIES  # nothing of machines
        fields: {context: [ip]}
"""


@pytest.fixture
def file(tmp_path: Path, window: Window, serve: Callable[..., str]) -> Path:
    """Return a connection file that the window shows, at its mappings."""
    file = tmp_path / "spring.connection.yaml"
    file.write_text(FILE, encoding="utf-8")
    window.page.goto(serve("--connection", str(file)))
    window.page.wait_for_selector("#setting-client_id")
    window.step("event")
    events = [member(ADA), member("grace@example.org"), {"type": "page"}]
    window.write("Events as JSON", "\n".join(map(json.dumps, events)))
    window.step("mappings")
    return file


def _saved(window: Window) -> None:
    window.page.click("#save-file")
    with window.page.expect_response(lambda one: '"save":true' in (one.request.post_data or "")):
        window.page.click("#confirm")


def test_filters_are_edited_and_saved_with_their_comments(window: Window, file: Path) -> None:
    page = window.page
    first, second = page.locator(".filter").all()
    expect(first.locator("summary")).to_have_text("drops the event")
    expect(first.locator(".truth")).to_have_text("matches 1 of 3")
    expect(second.locator("summary")).to_have_text("removes context.ip")
    expect(second.locator(".truth")).to_have_text("every event")
    second.get_by_role("switch").click()
    second.get_by_label("Filter title").fill("Machines")
    second.locator("summary").click()
    second.get_by_label("Names, separated by commas").fill('ip, "a,b"')
    second.get_by_role("button", name="Add an action").click()
    second.get_by_label("Action 2", exact=True).select_option("SAMPLE")
    second.get_by_label("Share, from 0 to 1").fill("0.5")
    second.get_by_label("Decided by the value at").fill("userId")
    wanted = "removes context.ip, context.a,b; keeps 50% of the events by userId"
    expect(second.locator("summary")).to_have_text(wanted)
    page.click("#add-filter")
    expect(page.get_by_label("Filter title").nth(2)).to_be_focused()
    window.write("Condition of filter number 3", 'type = "page"')
    _saved(window)
    parts = {
        "  - if: all\n    enabled: false\n": "  - if: all\n    enabled: true\n",
        "{context: [ip]}\n": '{context: ["ip", "a,b"]}\n'
        "      - type: SAMPLE\n        percent: 0.5\n        path: userId\n    title: Machines\n"
        '  - if: \'type = "page"\'\n    actions: [{"type": "DROP"}]\n',
    }
    expected = FILE
    for old, new in parts.items():
        expected = expected.replace(old, new)
    assert file.read_text() == expected

    remove = page.locator(".filter").get_by_role("button", name="Remove filter").first
    remove.click()
    expect(page.get_by_label("Filter title")).to_have_count(2)
    page.click("#undo")
    expect(page.get_by_label("Filter title").first).to_have_value("No colleagues")
    expect(page.get_by_label("Filter title")).to_have_count(3)
    for _ in range(3):
        remove.click()
    page.get_by_text("None: every event reaches the subscriptions.").wait_for()
    _saved(window)
    assert file.read_text() == FILE.partition("filters:")[0]


def test_an_invalid_filter_is_told_where_it_is(window: Window, file: Path) -> None:
    page = window.page
    second = page.locator(".filter").nth(1)
    second.locator("summary").click()
    second.get_by_label("Action 1", exact=True).select_option("SAMPLE")
    share = second.get_by_label("Share, from 0 to 1")
    share.fill("10")
    expect(second.locator(".filter-action .problem")).to_contain_text("write 0.1 for 10 percent")
    expect(share).to_have_attribute("aria-invalid", "true")
    expect(second.locator("header .chip").last).to_have_text("1 problem")
    page.locator(".filter summary").first.click()
    window.write("Condition of filter No colleagues", "type ==")
    expect(page.locator(".filter .caret").first).to_contain_text("is not an operator")
    window.write("Condition of filter No colleagues", 'context.traits.emial = "a"')
    expect(page.locator(".filter .remarks").first).to_contain_text("emial")
    page.click("#save-file")
    page.locator(".toast.bad").get_by_text("must be from 0 to 1").wait_for()
    assert file.read_text() == FILE
    share.fill("0.1")
    expect(second.locator(".filter-action .problem")).to_be_empty()
    window.forgive("status of 400")


def test_a_result_opens_the_filter_that_has_dropped_the_event(window: Window, file: Path) -> None:
    assert file.exists()
    page = window.page
    page.click("#run")
    row = page.locator(".events-list button").nth(1)
    expect(row).to_contain_text("Filter No colleagues")
    row.click()
    expect(page.locator("[data-stage=filter]")).to_contain_text('"grace@example.org"')
    assert "The filter No colleagues drops the event." in window.stage("outcome")
    page.get_by_role("button", name="Open the filter").click()
    expect(page.get_by_label("Filter title").first).to_be_focused()
    expect(page.locator(".filter details").first).to_have_attribute("open", "")
    page.get_by_role("button", name="Remove filter No colleagues").click()
    window.step("result")
    page.get_by_role("button", name="Open the filter").click()
    page.locator(".toast").get_by_text("has been removed since this run").wait_for()


def test_an_outcome_of_a_run_opens_the_filter_that_has_dropped_its_event(
    window: Window, serve: Callable[..., str], tmp_path: Path
) -> None:
    """A filter without a title is opened by its number; one that the page lacks is not a link."""
    file, outcomes = tmp_path / "spring.connection.yaml", tmp_path / "outcomes.ndjson"
    enabled = FILE.replace("    enabled: false\n", "").replace("DROP_PROPERTIES", "SAMPLE")
    enabled = enabled.replace("if: all", f"if: context.traits.email = '{ADA}'")
    file.write_text(enabled.replace("fields: {context: [ip]}", "percent: 0"), encoding="utf-8")
    events = tmp_path / "events.ndjson"
    some = [member("grace@example.org"), member(ADA)]
    events.write_text("".join(f"{json.dumps(one)}\n" for one in some), encoding="utf-8")
    command = ["run", "-c", file, "-e", events, "--outcomes", outcomes, "--sandbox", "--quiet"]
    ran = CliRunner().invoke(actions, [*map(str, command)])
    assert ran.exit_code == 0, ran.output
    (line, *_) = outcomes.read_text().splitlines()
    other = line.replace("No colleagues", "Of others")
    with outcomes.open("a", encoding="utf-8") as more:
        more.write(other + "\n")
    page = window.page
    page.goto(serve("--connection", str(file), "--follow", str(outcomes)))
    page.wait_for_selector("#setting-client_id")
    window.step("live")
    rows = page.locator("main tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.filter(has_text="Of others").get_by_role("button")).to_have_count(0)
    for name, number in (("No colleagues", 0), ("number 2", 1)):
        window.step("live")
        rows.filter(has_text=name).get_by_role("button", name="Open the filter").click()
        expect(page.get_by_label("Filter title").nth(number)).to_be_focused()


def test_a_long_result_is_searched_and_listed_to_its_end(
    window: Window, address: str, tmp_path: Path
) -> None:
    page = window.page
    page.goto(address)
    page.click("[data-slug=actions-criteo-audiences]")
    page.click("#borrow")
    page.click("[data-mode=dry]")
    window.step("event")
    events = [{**member(f"p{number}@example.com"), "messageId": "m"} for number in range(450)]
    file = tmp_path / "events.ndjson"
    file.write_text("\n".join(map(json.dumps, events)), encoding="utf-8")
    page.set_input_files("#file", file)
    page.locator(".count").get_by_text("450 events").wait_for()
    page.click("#run")
    rows = page.locator(".events-list button[aria-current]")
    expect(rows).to_have_count(200)
    page.get_by_role("button", name="Show more of 250 others").click()
    expect(rows).to_have_count(400)
    expect(rows.nth(200)).to_be_focused()
    page.get_by_role("button", name="Show more of 50 others").click()
    expect(rows).to_have_count(450)
    page.get_by_label("Search events").fill("P449@example")
    expect(rows).to_have_count(1)
    rows.click()
    expect(page.locator("#journey")).to_contain_text("Event 450")
    page.get_by_label("Search events").fill("no such event")
    page.get_by_text("No event matches.").wait_for()
