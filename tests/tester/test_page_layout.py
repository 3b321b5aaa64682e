"""Every main state of the page, wide, narrow and on a phone: nothing is clipped, all is usable.

The middle width is dark, the others are light.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from framework.plugins import load_plugins
from framework.sandbox import serve as serve_sandbox
from tests.framework.tester.filled_store import ADA, fill, member
from tests.tester.browser import CHROMIUM, Window, open_window
from tests.tester.conftest import serving

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="There is no Chromium; `make browser` installs it where it can."
)

WIDTHS = (360, 760, 1280)
SCHEMES = {760: "dark"}
LONG = "ANameWithoutAnyBlankThatGoesOnAndOnUntilItIsWiderThanThePage" * 2
FILTERS = """\
filters:
  - title: No internal traffic
    if: context.traits.email != null and match(context.traits.email, "*@example.org")
    actions: [{type: DROP}]
  - title: A tenth of the users
    if: type = "group"
    enabled: false
    actions: [{type: SAMPLE, percent: 0.1, path: userId}]
  - if: all
    actions:
      - type: DROP_PROPERTIES
        fields: {context: [ip], context.device: [id, advertisingId]}
"""
_CLIPPED = """() => {
  const found = new Set();
  const wide = document.documentElement.clientWidth;
  const pen = document.createElement("canvas").getContext("2d");
  const length = (text, node) => {
    const { fontWeight, fontSize, fontFamily } = getComputedStyle(node);
    pen.font = `${fontWeight} ${fontSize} ${fontFamily}`;
    return pen.measureText(text).width;
  };
  const inside = (node) => {
    const { paddingLeft, paddingRight } = getComputedStyle(node);
    return node.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
  };
  const above = (node) => node.parentElement ?? node.getRootNode().host ?? null;
  const judge = (text) => {
    const owner = text.parentElement;
    const hidden = ".unseen, .jump, option, datalist, script, style, .cm-tooltip, .cm-placeholder";
    if (!text.data.trim() || owner.closest(hidden) || !owner.checkVisibility()) return;
    const range = document.createRange();
    for (const { index, 0: word } of text.data.matchAll(/(?<!\\S)[A-Za-z]{2,14}(?!\\S)/g)) {
      range.setStart(text, index);
      range.setEnd(text, index + word.length);
      if (range.getClientRects().length > 1) found.add(`broken: ${word}`);
    }
    range.selectNodeContents(text);
    for (const { left, right, width } of range.getClientRects()) {
      if (width < 1) continue;
      if (left < -1 || right > wide + 1) found.add(`beyond the page: ${text.data.trim()}`);
      for (let node = owner; node; node = above(node)) {
        if (getComputedStyle(node).overflowX === "visible") continue;
        const edge = node.getBoundingClientRect().left + node.clientLeft;
        if (left < edge - 1 || right > edge + node.clientWidth + 1) {
          found.add(`in ${node.className || node.tagName}: ${text.data.trim()}`);
        }
      }
    }
  };
  const walk = (root) => {
    const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) judge(texts.currentNode);
    root.querySelectorAll("*").forEach((node) => node.shadowRoot && walk(node.shadowRoot));
  };
  walk(document.body);
  for (const input of document.querySelectorAll("input:not([type=checkbox], [type=file])")) {
    const whole = input.closest(".field-row")?.querySelector(".whole:not([hidden])");
    const text = input.type === "password" ? "" : input.value || input.placeholder;
    if (input.checkVisibility() && !whole && length(text, input) > inside(input) + 1) {
      found.add(`in an input: ${text}`);
    }
  }
  for (const select of document.querySelectorAll("select")) {
    const text = select.selectedOptions[0]?.text ?? "";
    if (select.checkVisibility() && length(text, select) > inside(select) + 1) {
      found.add(`in a select: ${text}`);
    }
  }
  return [...found];
}"""


def check(window: Window, name: str) -> None:
    """Assert that nothing is clipped or wider than the window, and that axe finds nothing bad."""
    window.settle()
    width = window.page.evaluate("innerWidth")
    if "PAGE_SHOTS" in os.environ:
        window.shoot(f"layout-{width}-{name}")
    found = window.violations()
    assert not found, "\n".join(found)
    assert window.page.evaluate(_CLIPPED) == [], f"{name} at {width}"
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert window.page.evaluate(wide) == 0, name


@pytest.fixture(scope="module")
def everything(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a tester with a connection file, a followed run and a store."""
    folder = tmp_path_factory.mktemp("everything")
    fill(folder)
    with (folder / "spring.connection.yaml").open("a") as file:
        file.write(FILTERS)
    row = {"line": 1, "messageId": "m-1", "subscription": "Add", "outcome": "failed"}
    reason = {"status": 404, "code": "NO_LIST", "message": "The list does not exist any more."}
    (folder / "outcomes.ndjson").write_text(f"{json.dumps({**row, **reason})}\n")
    options = ["--connection", "spring.connection.yaml", "--follow", "outcomes.ndjson"]
    with serving(installed, folder, *options, "--store", "sqlite:events.db") as printed:
        yield printed


@pytest.fixture(params=WIDTHS)
def sized(
    request: pytest.FixtureRequest, browser: Browser, tmp_path: Path, everything: str, bazaar: str
) -> Iterator[Window]:
    """Return a window of each width."""
    del everything, bazaar  # they have to be there before
    width: int = request.param
    scheme = SCHEMES.get(width, "light")
    with open_window(browser, tmp_path, scheme=scheme, width=width) as window:
        yield window


def test_steps_and_results(sized: Window, everything: str) -> None:
    page = sized.page
    page.goto(everything)
    page.wait_for_selector("#setting-client_id")
    check(sized, "settings")
    sized.step("catalogue")
    page.wait_for_selector("[data-slug]")
    check(sized, "catalogue")
    sized.step("mappings")
    page.locator(".truth").get_by_text("matches").first.wait_for()
    check(sized, "mappings")
    page.get_by_role("button", name="JSON").first.click()
    check(sized, "mapping-json")
    page.get_by_label("Subscription name").first.fill("Who joins the spring campaign")
    page.click("#save-file")
    page.wait_for_selector("dialog")
    check(sized, "save")
    page.get_by_role("button", name="Cancel").click()
    sized.step("event")
    people = [member(ADA), member("alan@example.com"), member(ADA, entered=False)]
    known = [*people, {"type": "page", "userId": "u-1"}, {**people[0], "context": {}}]
    known.append({**member("grace@example.org"), "event": LONG})
    sized.write("Events as JSON", "\n".join(map(json.dumps, known)))
    page.locator(".count").get_by_text("6 events").wait_for()
    check(sized, "event")
    page.click("#run")
    page.wait_for_selector("[data-stage=outcome]")
    check(sized, "result")
    for number, name in ((3, "nearest"), (4, "problems"), (5, "filtered")):
        page.locator(".events-list button").nth(number).click()
        check(sized, f"result-{name}")
    page.click("[data-mode=live]")
    page.click("#run")
    page.wait_for_selector("dialog")
    check(sized, "live-question")


def test_filters(sized: Window, everything: str) -> None:
    """Open, invalid, and with a name that is wider than the page, also in a result."""
    page = sized.page
    page.goto(everything)
    sized.step("event")
    sized.write("Events as JSON", json.dumps(member("grace@example.org")))
    sized.step("mappings")
    for one in page.locator(".filter summary").all():
        one.click()
    page.locator(".filter .truth").get_by_text("matches").first.wait_for()
    check(sized, "filters")
    page.get_by_label("Share, from 0 to 1").fill("10")
    sized.write("Condition of filter number 3", "context.traits.email == null")
    page.locator(".filter-action .problem").get_by_text("must be from 0 to 1").wait_for()
    page.locator(".filter .chip").get_by_text("does not parse").wait_for()
    check(sized, "filters-invalid")
    page.get_by_label("Share, from 0 to 1").fill("1")
    sized.write("Condition of filter number 3", "all")
    page.get_by_label("Filter title").first.fill(LONG)
    page.get_by_label("Subscription name").first.fill(LONG)
    page.click("#run")
    page.locator("[data-stage=filter]").get_by_text("all of").wait_for()
    check(sized, "filters-long")


def test_pages_of_runs_and_stores(sized: Window, everything: str) -> None:
    page = sized.page
    page.goto(everything)
    sized.step("live")
    page.locator("main tbody tr").first.wait_for()
    check(sized, "live")
    sized.step("relay")
    page.locator("main").get_by_text("relayed").first.wait_for()
    check(sized, "relay")
    sized.step("audiences")
    page.get_by_role("button", name="spring_sale").click()
    page.locator("main").get_by_text("Confirmed in").wait_for()
    page.get_by_label("Identifier").fill(ADA)
    page.click("#ask-who")
    expect(page.get_by_role("region", name="Memberships")).to_contain_text("spring_sale")
    check(sized, "audiences")
    sized.step("letters")
    page.get_by_role("button", name="Show the event of 000000000001").click()
    expect(page.get_by_role("region", name="Dead letter 000000000001")).to_contain_text(ADA)
    check(sized, "letters")
    page.get_by_label("Choose 000000000001").check()
    page.click("#replay")
    expect(page.get_by_role("dialog")).to_contain_text("may undo their effect")
    check(sized, "replay")
    page.get_by_role("button", name="Cancel").click()
    page.click("#drop")
    expect(page.get_by_role("dialog")).to_contain_text("Drop 1 dead letter?")
    check(sized, "drop")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_label("Code").fill("OTHER")
    page.get_by_label("Code").press("Enter")
    page.get_by_text("No dead letter matches.").wait_for()
    check(sized, "letters-none")
    page.get_by_label("Code").fill("")
    page.get_by_label("Code").press("Enter")
    page.get_by_label("Choose 000000000001").check()
    page.click("#replay")
    page.click("#confirm")
    page.locator(".toast").get_by_text("Requested for 1").wait_for()
    expect(page.locator("main tbody")).to_contain_text("replay requested")


def test_the_whole_contract(sized: Window, bazaar: str) -> None:
    page = sized.page
    page.goto(bazaar)
    page.click("#borrow")
    expect(page.locator("#setting-client_id")).not_to_have_value("")
    page.fill("#audience-key", "spring")
    page.click("#create-audience")
    page.locator(".verdict").get_by_text("audience-spring").wait_for()
    check(sized, "contract-settings")
    sized.step("mappings")
    page.locator("[data-choices=stall]").click()
    page.locator(".choice").first.wait_for()
    hook = page.locator("[data-hook=onMappingSave]").first
    hook.get_by_label("Name").fill("one")
    hook.get_by_role("button", name="Run", exact=True).click()
    hook.locator(".saved").wait_for()
    check(sized, "contract-mappings")


def test_without_a_token(sized: Window, everything: str) -> None:
    page = sized.page
    page.goto(everything.split("#", maxsplit=1)[0] + "#token=wrong")
    page.get_by_role("heading", name="Open the tester").wait_for()
    sized.forgive("status of 401")
    assert page.evaluate(_CLIPPED) == []
    assert sized.violations() == []


@pytest.mark.parametrize("width", WIDTHS)
def test_the_form_of_a_sandbox(browser: Browser, tmp_path: Path, width: int) -> None:
    pretend: Any = load_plugins().get("criteo").call("sandbox")
    with (
        serve_sandbox(pretend) as server,
        open_window(browser, tmp_path, width=width) as window,
    ):
        window.page.goto(f"{server.url}/__sandbox/fault")
        window.inspect(f"layout-{width}-fault")
        assert window.page.evaluate(_CLIPPED) == []
