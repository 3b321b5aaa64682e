"""The page against what is typed into it: text stays text, and secrets stay where they are."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import expect

from framework.samples import make_event
from tests.tester.browser import CHROMIUM, Window

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="There is no Chromium; `make browser` installs it where it can."
)

ATTACK = '<img src=x onerror="window.taken=1"><script>window.taken=1</script>'
SECRET = "sandbox-secret"
OTHER_SECRET = 'pa"ss\\word-9f27'


def _open(window: Window, address: str) -> None:
    window.page.goto(address)
    window.page.click("[data-slug=actions-criteo-audiences]")
    window.page.click("#borrow")
    expect(window.page.locator("#setting-client_id")).not_to_have_value("")


def _event(**more: Any) -> dict[str, Any]:
    properties = {"audience_key": ATTACK, "note": ATTACK}
    traits = {"email": "ada@example.com", ATTACK: ATTACK}
    told = {"event": "Audience Entered", "context": {"traits": traits}, "properties": properties}
    return make_event("track", **told, **more)


def _is_text(window: Window) -> None:
    """Nothing that was typed has become an element, and nothing of it ran."""
    page = window.page
    assert page.evaluate("window.taken") is None
    assert page.locator("img, main script, aside script").count() == 0


def test_scripts_are_shown_as_text(window: Window, address: str) -> None:
    """Markup in every text field: settings, names, triggers, mappings, events, samples, answers."""
    page = window.page
    _open(window, address)
    page.fill("#setting-advertiser_id", ATTACK)
    page.click("#test-credentials")
    page.wait_for_selector("#credentials-answer")
    _is_text(window)
    page.fill("#setting-advertiser_id", "12345")

    window.step("event")
    window.write("Events as JSON", json.dumps(_event(messageId=ATTACK)))
    page.fill("#sample-name", ATTACK)
    page.get_by_role("button", name="Save").click()
    page.locator(".toast.bad").wait_for()
    _is_text(window)

    window.step("mappings")
    card = page.locator(".subscription").first
    card.get_by_label("Subscription name").fill(ATTACK)
    window.write("Trigger of Add users to Audience", f'type = "track" or event = {ATTACK}')
    card.locator(".truth").get_by_text("does not parse").wait_for()
    _is_text(window)
    quoted = "<img src=x onerror=window.taken=1>"
    window.write("Trigger of Add users to Audience", f'type = "track" or event = "{quoted}"')
    card.locator(".truth").get_by_text("matches").wait_for()
    card.get_by_label("Event name", exact=True).fill(f"{ATTACK}{{{{event}}}}")
    card.locator(".found").nth(1).get_by_text("Audience Entered").wait_for()
    _is_text(window)

    page.click("#run")
    page.wait_for_selector("[data-stage=outcome]")
    _is_text(window)
    assert ATTACK in page.inner_text(".legs")
    assert "onerror" in window.stage("mapping")
    page.locator("#aside").get_by_text("onerror").first.wait_for()
    _is_text(window)
    # The browser itself tells of the sample that was refused and of the unfinished setting.
    window.forgive("status of 4")


def test_secrets_are_nowhere(window: Window, address: str) -> None:
    """Not in markup, address, storage or permalink, whatever the partner answers."""
    page = window.page
    _open(window, address)

    def check() -> None:
        seen = window.markup() + window.kept()
        assert SECRET not in seen
        assert json.dumps(OTHER_SECRET)[1:-1] not in seen
        assert OTHER_SECRET not in seen

    for secret in (SECRET, OTHER_SECRET):
        page.fill("#setting-client_secret", secret)
        page.click("#test-credentials")
        mood = "good" if secret == SECRET else "bad"
        page.wait_for_selector(f"#credentials-answer.{mood}")
        check()
        window.step("event")
        window.write("Events as JSON", json.dumps(_event()))
        page.click("#run")
        page.wait_for_selector("[data-stage=outcome]")
        check()
        closed = page.locator(".exchange:not([open]) > summary")
        while closed.count():
            closed.first.click()
        check()
        told = json.dumps(window.case())
        assert "client_id" in told
        assert "client_secret" not in told
        window.step("settings")


def test_a_secret_in_a_mapping_is_not_in_the_address(window: Window, address: str) -> None:
    _open(window, address)
    window.step("mappings")
    window.page.locator(".subscription").first.get_by_label("Event name", exact=True).fill(SECRET)
    case = window.case()
    assert SECRET not in json.dumps(case)
    assert case["subscriptions"][0]["mapping"]["event"] == "••••"


def test_permalink_brings_the_case_back(window: Window, address: str) -> None:
    page = window.page
    _open(window, address)
    window.step("event")
    window.write("Events as JSON", '{"type": "page", "name": "Here"}')
    window.step("mappings")
    page.locator(".subscription").first.get_by_label("Subscription name").fill("Mine")
    window.step("event")
    page.click("#run")
    page.wait_for_selector(".nearest")
    page.click("#permalink")
    page.get_by_text("Link copied").wait_for()
    link = page.evaluate("navigator.clipboard.readText()")
    assert "token" not in link
    page.goto("about:blank")
    page.goto(link)
    page.wait_for_selector("#setting-client_id")
    assert page.input_value("#setting-client_id") == "sandbox-client"
    assert page.input_value("#setting-client_secret") == ""
    window.step("event")
    page.locator(".count").get_by_text("1 event: page · Here").wait_for()
    window.step("mappings")
    name = page.locator(".subscription").first.get_by_label("Subscription name")
    assert name.input_value() == "Mine"


def test_token_leaves_the_address_and_is_asked_for(window: Window, address: str) -> None:
    """The address shows no token; without one the page asks for it, and says nothing else."""
    page = window.page
    origin, _, token = address.partition("/#token=")
    page.goto(address)
    page.wait_for_selector("[data-slug]")
    assert token not in page.url
    assert token not in window.markup()
    page.evaluate("localStorage.clear()")
    page.goto("about:blank")
    page.goto(origin)
    page.wait_for_selector("#token")
    assert window.violations() == []
    page.fill("#token", address)
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-slug]")
    # The browser itself tells of the request that was refused.
    window.forgive("status of 401")
