"""The page in a real browser, from the catalogue to an exported test."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.sync_api import Browser, Download, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from framework.samples import make_audience_event, make_event
from tests.tester.browser import CHROMIUM, Window, open_window

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="There is no Chromium; `make browser` installs it where it can."
)

CONNECTION = """\
name: Criteo Audiences, spring
destination: actions-criteo-audiences
settings:
  advertiser_id: "12345"
  client_id: sandbox-client
  client_secret: ${env:CRITEO_CLIENT_SECRET}
subscriptions:
  - name: Add users to Audience
    partnerAction: addUserToAudience
  - name: People who leave
    partnerAction: removeUserFromAudience
    mapping:
      hash_emails: true
"""
SLUG = "actions-criteo-audiences"


def _person(email: str, *, entered: bool = True) -> dict[str, Any]:
    event = "Audience Entered" if entered else "Audience Exited"
    return make_event(
        "track",
        event=event,
        messageId=email,
        context={"traits": {"email": email}},
        properties={"audience_key": "spring_sale"},
    )


def _start(window: Window, address: str) -> None:
    """Choose Criteo with the sandbox's credentials."""
    page = window.page
    page.goto(address)
    page.click(f"[data-slug={SLUG}]")
    page.click("#borrow")
    expect(page.locator("#setting-client_id")).not_to_have_value("")


def _run(window: Window, *events: dict[str, Any]) -> None:
    """Write events into the editor and run them."""
    window.step("event")
    window.write("Events as JSON", "\n".join(map(json.dumps, events)))
    window.page.click("#run")
    window.page.wait_for_selector("[data-stage=outcome]")


def _drop(window: Window, name: str, text: str) -> None:
    """Drop a file onto the editor, as a person does."""
    page = window.page
    transfer = page.evaluate_handle(
        "([name, text]) => { const held = new DataTransfer();"
        " held.items.add(new File([text], name)); return held; }",
        [name, text],
    )
    page.dispatch_event(".zone .editor", "drop", {"dataTransfer": transfer})


def test_the_whole_way(window: Window, address: str, tmp_path: Path) -> None:
    """From the catalogue to an exported test that passes, by hand and without a network."""
    window.page.goto(address)
    _choose(window)
    _settle(window)
    _map(window)
    _bring_events(window)
    _read_results(window)
    _go_wrong(window)
    _passes(tmp_path, _exported(window))


def _choose(window: Window) -> None:
    page = window.page
    page.wait_for_selector(f"[data-slug={SLUG}]")
    window.inspect("1-catalogue")
    page.click(f"[data-slug={SLUG}]")


def _settle(window: Window) -> None:
    """Wrong credentials are refused, the sandbox's are let in."""
    page = window.page
    page.fill("#setting-advertiser_id", "12345")
    page.fill("#setting-client_id", "somebody")
    page.fill("#setting-client_secret", "wrong-secret")
    page.click("#test-credentials")
    page.wait_for_selector("#credentials-answer.bad")
    window.inspect("2-settings-refused")
    page.click("#borrow")
    expect(page.locator("#setting-client_id")).to_have_value("sandbox-client")
    page.click("#test-credentials")
    page.wait_for_selector("#credentials-answer.good")
    assert "Criteo Audiences accepts the credentials." in page.inner_text("#credentials-answer")
    page.click("#next")


def _map(window: Window) -> None:
    """Two subscriptions: the first as it comes, the second with a name and a field of its own."""
    cards = window.page.locator(".subscription")
    cards.first.locator(".truth").get_by_text("matches").wait_for()
    assert cards.count() == 2
    cards.nth(1).get_by_label("Subscription name").fill("People who leave")
    cards.nth(1).get_by_label("Hash Emails", exact=True).select_option("true")
    cards.nth(1).get_by_text("custom", exact=True).wait_for()
    window.inspect("3-mappings")
    window.page.click("#next")


def _bring_events(window: Window) -> None:
    people = [_person("ada@example.com"), _person("alan@example.com")]
    leaver = _person("ada@example.com", entered=False)
    events = [*people, leaver, make_event("page")]
    _drop(window, "events.ndjson", "".join(f"{json.dumps(one)}\n" for one in events))
    window.page.locator(".count").get_by_text("4 events").wait_for()
    window.inspect("4-event")
    window.page.click("#run-here")


def _read_results(window: Window) -> None:
    page = window.page
    page.wait_for_selector("[data-stage=outcome]")
    listed = page.locator(".events-list button")
    outcomes = [one.split("\n")[-1] for one in listed.all_inner_texts()]
    assert "alan@example.com · Add users to Audience" in listed.nth(1).inner_text()
    assert "People who leave" in listed.nth(2).inner_text()
    assert outcomes == ["skipped", "delivered", "delivered", "skipped"]
    listed.nth(1).click()
    assert "spring_sale" in window.stage("batch")
    assert "contact-list" in window.stage("requests")
    assert "alan@example.com" in window.stage("mapping")
    page.locator("#aside").get_by_text("spring_sale").wait_for()
    window.inspect("5-result")


def _go_wrong(window: Window) -> None:
    page = window.page
    page.select_option("#fault-kind", "server-error")
    page.click("#inject")
    page.locator(".pending").get_by_text("once").wait_for()
    _run(window, _person("grace@example.com"))
    page.locator("[data-stage=outcome]").get_by_text("failed").wait_for()
    assert "500" in window.stage("requests")
    assert "the partner" in window.stage("outcome")
    window.inspect("6-fault")


def _exported(window: Window) -> dict[str, str]:
    """Run once more, now without a fault, and give the files that the page exports."""
    page = window.page
    page.click("#run")
    page.locator("[data-stage=outcome]").get_by_text("delivered").wait_for()
    downloads: list[Download] = []
    page.on("download", lambda one: downloads.append(one))  # noqa: PLW0108 - a method of a list cannot carry the mark that the driver sets on it
    page.click("#export")
    page.locator(".toast").get_by_text("which it tests").wait_for()
    found = {one.suggested_filename: one.path().read_text(encoding="utf-8") for one in downloads}
    test, connection = found
    assert (test.endswith(".test.yaml"), connection.endswith(".connection.yaml")) == (True, True)
    assert yaml.safe_load(found[test])["tests"][0]["events"][0]["messageId"] == "grace@example.com"
    assert "sandbox-secret" not in "".join(found.values())
    return found


def _passes(folder: Path, files: dict[str, str]) -> None:
    """`actions test` passes the exported files as they are."""
    cases = folder / "cases"
    cases.mkdir()
    for name, text in files.items():
        (cases / name).write_text(text, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "framework", "test", str(cases)],
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed, 0 failed" in ran.stdout, ran.stdout + ran.stderr


def test_nearest_subscription(window: Window, address: str) -> None:
    """A non-delivery names the smallest change; made on the page, the event is delivered."""
    _start(window, address)
    _run(window, {**_person("ada@example.com"), "event": "Audience Joined"})
    nearest = window.page.locator(".nearest")
    assert "Add users to Audience" in nearest.inner_text()
    assert '$.event = "Audience Entered"' in nearest.inner_text()
    window.inspect("7-nearest")
    window.page.click("#apply-changes")
    window.page.locator("[data-stage=outcome]").get_by_text("delivered").wait_for()


def test_payload_problems_are_shown_at_their_fields(window: Window, address: str) -> None:
    _start(window, address)
    _run(window, make_event("track", event="Audience Entered", properties={}, context={}))
    assert "2 problems" in window.stage("payload")
    assert "found nothing in the event" in window.stage("payload")
    window.shoot("8-problems")


def test_curl_is_copied_redacted(window: Window, address: str) -> None:
    _start(window, address)
    _run(window, _person("ada@example.com"))
    page = window.page
    page.locator(".exchange summary").first.click()
    page.get_by_role("button", name="Copy as curl").first.click()
    page.get_by_text("Command copied.").wait_for()
    command = page.evaluate("navigator.clipboard.readText()")
    assert command.startswith("curl ")
    assert "oauth2/token" in command
    assert "sandbox-secret" not in command


def test_triggers_and_mappings_show_errors_in_place(window: Window, address: str) -> None:
    """Both editors mark what is wrong, and complete directives and the event's own paths."""
    _start(window, address)
    page = window.page
    window.step("mappings")
    card = page.locator(".subscription").first
    window.write("Trigger of Add users to Audience", 'type = "track" and event is')
    card.locator(".truth").get_by_text("does not parse").wait_for()
    assert "^" in card.locator(".caret").inner_text()
    window.write("Trigger of Add users to Audience", 'type = "track"')
    card.locator(".truth").get_by_text("matches").wait_for()

    card.get_by_role("button", name="JSON").click()
    window.write("Mapping of Add users to Audience as JSON", '{"email": {"@paht": "$.a"}}')
    card.locator(".cm-lintRange-error").first.wait_for()
    card.locator(".problems").get_by_text("@paht").wait_for()
    window.shoot("9-mapping-error")
    window.write("Mapping of Add users to Audience as JSON", '{"email": {"@')
    _complete(window, "@path")
    window.shoot("10-completion")
    page.keyboard.press("Escape")
    window.write("Mapping of Add users to Audience as JSON", '{"email": {"@path": "$')
    _complete(window, "$.context.traits.email")
    page.keyboard.press("Escape")
    _only_refusals(window)


def test_findings_leave_the_mapping_alone(window: Window, address: str) -> None:
    """What is wrong is told beside the field and below the JSON; the mapping stays as written."""
    _start(window, address)
    window.step("mappings")
    card = window.page.locator(".subscription").first
    card.get_by_role("button", name="JSON").click()
    window.write("Mapping of Add users to Audience as JSON", '{"email": {"@paht": "$.a"}}')
    card.locator(".problems").get_by_text("@paht").wait_for()
    card.get_by_role("button", name="Fields").click()
    card.locator(".field-row .problem").get_by_text("@paht").wait_for()
    assert window.case()["subscriptions"][0]["mapping"] == {"email": {"@paht": "$.a"}}
    card.get_by_role("button", name="JSON").click()
    held = window.text("Mapping of Add users to Audience as JSON")
    assert held == '{"email": {"@paht": "$.a"}}'
    _only_refusals(window)


def _only_refusals(window: Window) -> None:
    """Let go of what the browser itself says about requests with a mapping that is wrong."""
    window.forgive("status of 400")


def _complete(window: Window, expected: str) -> None:
    """Ask for completion until it shows; while the editor settles it may close once more."""
    offered = window.page.locator(".cm-tooltip-autocomplete").get_by_text(expected).first
    for _ in range(5):
        window.page.keyboard.press("Control+Space")
        with suppress(PlaywrightTimeoutError):
            offered.wait_for(timeout=2_000)
            return
    raise AssertionError(expected)


def test_samples(window: Window, address: str) -> None:
    """Events are generated, added, saved, taken up again and forgotten."""
    _start(window, address)
    page = window.page
    window.step("event")
    page.click("#generate")
    page.click("#generate-more")
    page.locator(".count").get_by_text("2 events").wait_for()
    page.fill("#sample-name", "Two people")
    page.get_by_role("button", name="Save").click()
    saved = page.get_by_role("button", name="Two people", exact=True)
    saved.wait_for()
    page.get_by_role("button", name="Page", exact=True).click()
    page.locator(".count").get_by_text("1 event: page").wait_for()
    saved.click()
    page.locator(".count").get_by_text("2 events").wait_for()
    page.get_by_role("button", name="Delete Two people").click()
    saved.wait_for(state="detached")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "Add an event first."),
        ("[]", "Add an event first."),
        ('{"type": "page"}', "1 event: page"),
        ('{"type": "page"}\n{"type": "page"}', "2 events: page (2)"),
        ('{\n"type": "page"\n}\n\n{"type":\n"}"},{"type": "x"}', "3 events"),
        ('[{"type": "page"}, {"type": "track"}]', "2 events: page (1), track (1)"),
        ('{"type": "page"}\n7', "1 event: page. Line 2: An event must be a JSON object, but "),
        ('{"type": "page"}\n{"type" "track"}', "1 event: page. Line 2: The line is not valid JSON"),
        ('{"type": "page"}\n{"type":NaN}', "1 event: page. Line 2: The line is not valid JSON"),
        ('{"batch": [{"type": "page", "userId": "u"}]}', "the request body of a tracking client"),
    ],
)
def test_several_events_are_read(shared: Window, text: str, told: str) -> None:
    shared.step("event")
    shared.write("Events as JSON", "7")
    expect(shared.page.locator(".count")).to_contain_text("An event must be a JSON object")
    shared.page.keyboard.press("Backspace")
    expect(shared.page.locator(".count")).to_contain_text("Add an event first.")
    if text:
        shared.write("Events as JSON", text)
    expect(shared.page.locator(".count")).to_contain_text(told)


@pytest.fixture(scope="module")
def shared(
    browser: Browser, address: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Window]:
    """Return one window to tests that only look at the event's editor."""
    with open_window(browser, tmp_path_factory.mktemp("shared")) as opened:
        _start(opened, address)
        yield opened


def test_keyboard(window: Window, address: str) -> None:
    """Without a mouse: into the page, through its steps, and an event on its way."""
    page = window.page
    page.goto(address)
    page.wait_for_selector(f"[data-slug={SLUG}]")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "jump"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.type("criteo")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.dataset.slug") == SLUG
    page.keyboard.press("Enter")
    page.wait_for_selector("#borrow")
    page.focus("#borrow")
    page.keyboard.press("Space")
    expect(page.locator("#setting-client_id")).not_to_have_value("")
    page.keyboard.press("Alt+3")
    page.locator(".subscription .truth").get_by_text("matches").first.wait_for()
    page.keyboard.press("Control+Enter")
    page.locator("[data-stage=outcome]").get_by_text("delivered").wait_for()


def test_sandbox_panel_resets_and_moves_its_clock(window: Window, address: str) -> None:
    _start(window, address)
    _run(window, _person("ada@example.com"))
    aside = window.page.locator("#aside")
    aside.get_by_text("spring_sale").wait_for()
    window.page.click("#reset")
    aside.get_by_text("No audiences yet.").wait_for()


def test_connection_file_and_live_view(
    window: Window, serve: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tester of a connection file shows it without its secrets, and follows its run."""
    monkeypatch.setenv("CRITEO_CLIENT_SECRET", "not-for-the-page")
    file, outcomes = tmp_path / "criteo.connection.yaml", tmp_path / "outcomes.ndjson"
    file.write_text(CONNECTION, encoding="utf-8")
    rows = [{"line": 1, "messageId": "a", "subscription": "Add", "outcome": "delivered"}]
    outcomes.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    page = window.page
    page.goto(serve("--connection", str(file), "--follow", str(outcomes)))
    page.wait_for_selector("#setting-client_secret")
    kept = page.get_attribute("#setting-client_secret", "placeholder")
    assert kept == "from the connection file"
    page.click("#test-credentials")
    page.wait_for_selector("#credentials-answer.good")
    window.step("live")
    page.locator("tbody").get_by_text("delivered").wait_for()
    failed = {"line": 2, "messageId": "b", "subscription": "Add", "outcome": "failed"}
    with outcomes.open("a", encoding="utf-8") as more:
        more.write(json.dumps({**failed, "code": "GONE", "message": "They left."}) + "\n")
    page.locator("tbody").get_by_text("They left.").wait_for()
    window.inspect("11-live")
    page.get_by_role("button", name="failed").click()
    expect(page.locator("main tbody tr")).to_have_count(1)
    assert "not-for-the-page" not in window.markup() + window.kept()


@pytest.mark.parametrize(("scheme", "width"), [("dark", 1440), ("light", 390)])
def test_every_scheme_and_width(
    browser: Browser, address: str, tmp_path: Path, scheme: str, width: int
) -> None:
    """Dark and light, wide and on a phone: accessible, and never wider than the screen."""
    with open_window(browser, tmp_path, scheme=scheme, width=width, height=844) as window:
        _start(window, address)
        for step in ("settings", "mappings", "event"):
            window.step(step)
            _fits(window, f"{scheme}-{width}-{step}")
        _run(window, _person("ada@example.com"), make_audience_event(entered=False))
        _fits(window, f"{scheme}-{width}-result")


def _fits(window: Window, name: str) -> None:
    window.settle()
    window.inspect(name)
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert window.page.evaluate(wide) == 0
