"""The page's address and its token, as people, links and other tabs change them."""

from __future__ import annotations

import json
from typing import Final

import pytest
from playwright.sync_api import Page, expect

from tests.tester.browser import CHROMIUM, Window

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="There is no Chromium; `make browser` installs it where it can."
)

CRITEO: Final = "actions-criteo-audiences"
_PACK: Final = """async (text) => {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const packed = btoa(String.fromCharCode(...bytes));
  return packed.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}"""

_NO_CASES: Final = (
    "null",
    *(
        f'{{"destination": "{CRITEO}", {rest}}}'
        for rest in (
            '"subscriptions": {}',
            '"subscriptions": [{"subscribe": 7}]',
            '"subscriptions": [{"mapping": "a"}]',
            '"settings": []',
            '"filters": {}',
            '"filters": ["DROP"]',
            '"filters": [{"if": 7, "actions": []}]',
            '"filters": [{"if": "all", "actions": [{"type": "DROP", "fields": {"a": "b"}}]}]',
            '"text": 7',
            '"text',
        )
    ),
)


def _start(window: Window, address: str) -> Page:
    page = window.page
    page.goto(address)
    page.click(f"[data-slug={CRITEO}]")
    page.fill("#setting-client_id", "somebody")
    window.case()
    return page


@pytest.mark.parametrize("locked", ["missing", "wrong", "none at all: §é"])
def test_a_case_waits_for_the_token(window: Window, address: str, locked: str) -> None:
    """A link that is opened without a token is still there when the token is given."""
    page = _start(window, address)
    page.evaluate("(token) => localStorage.setItem('actions-token', token)", locked)
    page.reload()
    page.fill("#token", address)
    page.keyboard.press("Enter")
    expect(page.locator("#setting-client_id")).to_have_value("somebody")
    page.evaluate("localStorage.clear()")
    page.reload()
    page.wait_for_selector("#token")
    page.evaluate("(fragment) => { location.hash = fragment; }", address.partition("#")[2])
    expect(page.locator("#setting-client_id")).to_have_value("somebody")
    window.forgive("status of 401")


def test_another_token_lets_the_page_go_on(window: Window, address: str) -> None:
    """In the address of the page itself, or taken by another tab: nothing is lost or asked for."""
    page = _start(window, address)
    page.fill("#setting-client_secret", "a secret of mine")
    page.locator("#aside .lamp.on").wait_for()
    page.evaluate("localStorage.setItem('actions-token', 'old')")
    _see(page, "hidden")
    _see(page, "visible")
    page.locator("#aside .lamp:not(.on)").wait_for(state="attached")
    page.evaluate("(fragment) => { location.hash = fragment; }", address.partition("#")[2])
    page.locator("#aside .lamp.on").wait_for()
    assert page.input_value("#setting-client_secret") == "a secret of mine"
    assert "token" not in page.evaluate(
        "() => new Promise((go) => setInterval(() => location.hash.includes('case=') &&"
        " go(location.hash), 20))"
    )
    page.evaluate("localStorage.setItem('actions-token', 'old')")
    _see(page, "hidden")
    _see(page, "visible")
    page.locator("#aside .lamp:not(.on)").wait_for(state="attached")
    with page.context.expect_page() as opened:
        page.evaluate("window.open('about:blank', '', 'noopener')")
    opened.value.goto(address)
    opened.value.wait_for_selector("[data-slug]")
    page.locator("#aside .lamp.on").wait_for()
    window.forgive("status of 401")


def _see(page: Page, how: str) -> None:
    page.evaluate(
        "(how) => { Object.defineProperty(document, 'visibilityState',"
        " { configurable: true, value: how });"
        " document.dispatchEvent(new Event('visibilitychange')); }",
        how,
    )


def test_an_address_that_holds_no_case(window: Window, address: str) -> None:
    """Whatever it holds, the page says that it cannot be read, and is there."""
    page = window.page
    page.goto(address)
    page.wait_for_selector("[data-slug]")
    packed = [page.evaluate(_PACK, case) for case in _NO_CASES]
    fragments = ["step=constructor&case=-", *(f"step=event&case={one}" for one in packed)]
    for fragment in fragments:
        page.goto("about:blank")
        page.goto(f"{address.partition('#')[0]}#{fragment}")
        page.locator(".toast.bad").get_by_text("The case in the address cannot be read").wait_for()
        page.wait_for_selector("[data-slug]")


def test_a_case_keeps_its_filters(window: Window, address: str) -> None:
    """They apply to a run, and the result shows the one that has dropped the event."""
    page = window.page
    page.goto(address)
    page.wait_for_selector("[data-slug]")
    drop = {"title": "No tests", "if": "all", "actions": [{"type": "DROP"}]}
    event = {"type": "track", "event": "Audience Entered", "userId": "u1"}
    settings = {"advertiser_id": "1", "client_id": "an-app"}
    case = {
        "destination": CRITEO,
        "settings": settings,
        "filters": [drop],
        "text": json.dumps(event),
    }
    packed = page.evaluate(_PACK, json.dumps(case))
    page.goto("about:blank")
    page.goto(f"{address.partition('#')[0]}#step=settings&case={packed}")
    page.click("#borrow")
    expect(page.locator("#setting-client_secret")).not_to_have_value("")
    window.step("event")
    page.click("#run")
    expect(page.locator("[data-stage=filter]")).to_contain_text("Filter No tests")
    outcome = page.locator("[data-stage=outcome]")
    expect(outcome).to_contain_text("The filter No tests drops the event.")
    expect(outcome).to_contain_text("FILTERED")
