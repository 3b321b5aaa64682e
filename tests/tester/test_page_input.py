"""What is written on the page: it stays as it was written, whatever it is and wherever one goes."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

from tests.tester.browser import CHROMIUM, Window

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="There is no Chromium; `make browser` installs it where it can."
)

ODD: Final = "actions-odd"
SECRET: Final = 'op"en\\se same'
MAPPING: Final = "Mapping of Odd as JSON"
EVENTS: Final = "Events as JSON"
_LINES: Final = """async (values) => {
  const { expressionOf, lineOf } = await import("/page/fields.js");
  return values.flatMap((value) => ["string", "number", "boolean", "object"].map((type) => {
    const line = lineOf(value, { type });
    const input = Object.assign(document.createElement("input"), { value: line });
    return [line, expressionOf(input.value, { type })];
  }));
}"""
_LISTENERS: Final = """
  let count = 0;
  for (const [name, by] of [["addEventListener", 1], ["removeEventListener", -1]]) {
    const given = Document.prototype[name];
    document[name] = function (kind, ...more) {
      if (kind === "selectionchange") count += by;
      return given.call(this, kind, ...more);
    };
  }
  window.listeners = () => count;
"""
_LEADS: Final = """async (event) => {
  const { eventPaths, state } = await import("/page/state.js");
  state.text = JSON.stringify(event);
  return [...eventPaths().keys()];
}"""
_HIDDEN_HOST: Final = """async () => {
  const { exchangeViews } = await import("/page/exchanges.js");
  const request = { url: "https://<redacted>.test/all", method: "GET", headers: {}, body: "" };
  return exchangeViews([{ request, response: null, error: null, curl: "" }]).textContent;
}"""


def _choose(window: Window, both: str) -> Page:
    page = window.page
    page.goto(both)
    page.click(f"[data-slug={ODD}]")
    page.wait_for_selector("#setting-constructor")
    return page


def _map(window: Window, both: str) -> Page:
    """Choose the odd destination and subscribe to its first action."""
    page = _choose(window, both)
    window.step("mappings")
    page.click("#add-subscription")
    page.wait_for_selector(".subscription")
    return page


def _mapped(window: Window) -> Any:
    return window.case()["subscriptions"][0]["mapping"]


def test_settings_of_every_kind(window: Window, both: str) -> None:
    """Each is taken as it is typed, not only when its input is left, and shown again as it is."""
    page = _choose(window, both)
    assert page.input_value("#setting-constructor") == ""
    page.fill("#setting-constructor", "F1")
    page.fill("#setting-size", "2.5")
    page.select_option("#setting-level", label="one")
    page.uncheck("#setting-flag")
    page.fill("#setting-part", '{"a": [1]}')
    page.focus("#setting-several")
    page.keyboard.type('["x", "y"]')
    page.keyboard.press("Alt+3")
    told = {"constructor": "F1", "size": 2.5, "level": 1, "flag": False, "several": ["x", "y"]}
    assert window.case()["settings"] == {**told, "part": {"a": [1]}}
    window.step("settings")
    assert page.input_value("#setting-several") == '["x","y"]'
    assert page.input_value("#setting-level") == "1"
    assert not page.is_checked("#setting-flag")
    page.fill("#setting-several", '["x"')
    page.fill("#setting-size", "1e999")
    page.fill("#setting-constructor", "")
    page.locator("#setting-constructor-problem span").wait_for()
    window.step("mappings")
    window.step("settings")
    assert page.input_value("#setting-several") == '["x"'
    assert page.input_value("#setting-size") == "1e999"
    assert page.locator("#setting-constructor-problem span").count() == 1
    page.fill("#setting-keys", '["abc"]')
    assert page.get_by_role("button", name="Show Keys").count() == 0


def test_choosing_a_destination_again_keeps_its_settings(window: Window, both: str) -> None:
    page = _choose(window, both)
    page.fill("#setting-key", SECRET)
    window.step("catalogue")
    page.click(f"[data-slug={ODD}]")
    page.wait_for_selector("#setting-key")
    assert page.input_value("#setting-key") == SECRET


def test_an_unfinished_mapping_stays(window: Window, both: str) -> None:
    """In both panes, over steps and over other subscriptions; it is said what is wrong with it."""
    page = _map(window, both)
    card = page.locator(".subscription").first
    card.get_by_label("Constructor", exact=True).fill('{"@path')
    card.locator(".problem").get_by_text("Invalid JSON").wait_for()
    window.step("event")
    window.step("mappings")
    assert card.get_by_label("Constructor", exact=True).input_value() == '{"@path'
    card.locator(".problem").get_by_text("Invalid JSON").wait_for()
    window.settle()
    card.locator(".problem").get_by_text("Invalid JSON").wait_for()
    assert _mapped(window) == {}

    card.get_by_role("button", name="JSON").click()
    for text, told in (("[7]", "A mapping is an object"), ('{"flag": tr', "Invalid JSON")):
        window.write(MAPPING, text)
        card.locator(".problems").get_by_text(told).wait_for()
        page.click("#add-subscription")
        assert window.text(MAPPING) == text
        window.step("event")
        window.step("mappings")
        assert window.text(MAPPING) == text
        card.locator(".problems").get_by_text(told).wait_for()
    window.write(MAPPING, '{"flag": true}')
    card.locator(".problems li").first.wait_for(state="detached")
    assert _mapped(window) == {"flag": True}


def test_fields_show_what_the_mapping_says(window: Window, both: str) -> None:
    """An expression in a field that has a list of choices, and choices where a text was."""
    page = _map(window, both)
    card = page.locator(".subscription").first
    card.get_by_label("Flag", exact=True).select_option("false")
    card.get_by_role("button", name="JSON").click()
    assert json.loads(window.text(MAPPING)) == {"flag": False}
    wanted = {"flag": {"@path": "$.a"}, "level": {"@path": "$.b"}, "constructor": "$.c"}
    window.write(MAPPING, json.dumps(wanted))
    card.get_by_role("button", name="Fields").click()
    expect(card.get_by_label("Flag", exact=True)).to_have_value("$.a")
    expect(card.get_by_label("Level", exact=True)).to_have_value("$.b")
    expect(card.get_by_label("Constructor", exact=True)).to_have_value('"$.c"')
    assert _mapped(window) == wanted
    card.get_by_role("button", name="Default mapping for Flag").click()
    card.get_by_label("Flag", exact=True).select_option("true")
    card.get_by_label("Constructor", exact=True).fill("null")
    card.get_by_label("Numbers", exact=True).fill("[1, 2]")
    assert _mapped(window) == {"flag": True, "level": {"@path": "$.b"}, "numbers": [1, 2]}


def test_lines_of_a_mapping_mean_what_they_are_made_of(window: Window, both: str) -> None:
    """Whatever a mapping holds, its line in a field is read as the very same."""
    page = window.page
    page.goto(both)
    texts = [
        "a",
        "a {{b}}",
        "{{a}}",
        "$.a",
        "$",
        "$a",
        " $.a ",
        "  ",
        "",
        "5",
        "1e21",
        "true",
        "null",
    ]
    texts += ["a\nb", '"quoted"', "[1]", "{", "-5 apples", "$['a b']"]
    values: list[Any] = [*texts, *({"@path": one} for one in texts)]
    values += [{"@template": one} for one in texts]
    values += [True, False, {}, [], ["$.a"], {"a": {"@path": "$.b"}}, {"@path": "$.a", "@x": 1}]
    read = [value for _, value in page.evaluate(_LINES, values)]
    assert read == [value for value in values for _ in range(4)]
    numbers = [0, -5, 2.5, 1e21, 1e-7]
    assert [value for _, value in page.evaluate(_LINES, numbers)][1::4] == numbers


def test_only_paths_that_lead_somewhere_are_offered(window: Window, both: str) -> None:
    page = window.page
    page.goto(both)
    page.wait_for_selector("[data-slug]")
    event = {"a": {"b c": 1, "d.e": 2, "it's": 3}, "": 4, "größe": [{"x": 5}]}
    found = page.evaluate(_LEADS, event)
    assert found == ["$.a", "$.a['b c']", "$['größe']", "$['größe'][0]", "$['größe'][0].x"]


def test_a_hidden_host_is_shown(window: Window, both: str) -> None:
    """What was hidden in an address need not leave one that a browser reads."""
    page = window.page
    page.goto(both)
    page.wait_for_selector("[data-slug]")
    assert "https://<redacted>.test/all" in page.evaluate(_HIDDEN_HOST)


def test_an_action_without_fields(window: Window, both: str) -> None:
    page = _choose(window, both)
    page.fill("#setting-constructor", "F1")
    window.step("mappings")
    page.select_option("#new-action", "nothing")
    page.click("#add-subscription")
    page.locator(".truth").get_by_text("no event").wait_for()
    window.step("event")
    window.write(EVENTS, '{"type": "page"}')
    page.click("#run")
    page.locator("[data-stage=outcome]").get_by_text("delivered").wait_for()
    assert "dry run, no requests sent" in page.inner_text("main")


def test_more_events_than_the_page_takes(window: Window, both: str) -> None:
    """Ten thousand are read and counted; the page says what it takes, and goes on."""
    page = _choose(window, both)
    window.step("event")
    many = "\r\n".join(json.dumps({"type": "page", "name": str(one)}) for one in range(10_000))
    page.set_input_files("#file", {"name": "m.ndjson", "mimeType": "", "buffer": many.encode()})
    told = "At most 5,000 events at a time, got 10,000."
    expect(page.locator(".count")).to_have_text(told)
    page.click("#run")
    page.locator(".toast.bad").get_by_text(told, exact=True).wait_for()
    assert window.case()["text"] == ""
    window.write(EVENTS, '{"type": "page"}')
    expect(page.locator(".count")).to_contain_text("1 event: page")


def test_editors_that_are_left_are_let_go(window: Window, both: str) -> None:
    """Of an editor whose step is left, nothing listens on."""
    window.page.add_init_script(_LISTENERS)
    page = _map(window, both)
    for _ in range(3):
        window.step("event")
        page.wait_for_selector(".cm-content")
        window.step("mappings")
        page.wait_for_selector(".cm-content")
    window.step("settings")
    assert page.evaluate("listeners()") == 0


@pytest.mark.parametrize("secret", ["name", "true"])
def test_a_secret_that_is_a_common_word_breaks_no_address(
    window: Window, both: str, secret: str
) -> None:
    """Only what somebody wrote is hidden in an address, not what the page itself calls so."""
    page = _map(window, both)
    window.step("settings")
    page.fill("#setting-key", secret)
    case = window.case()
    assert case["subscriptions"][0] == {
        "name": "Odd",
        "partnerAction": "odd",
        "subscribe": 'type = "track"',
        "mapping": {},
        "enabled": True,
    }
    page.reload()
    page.wait_for_selector("#setting-constructor")
    assert page.locator(".toast").count() == 0


def test_a_secret_within_events_is_in_no_address(window: Window, both: str) -> None:
    """However it is written: as it is, as JSON, and as JSON in a text of JSON; one of a list."""
    page = _choose(window, both)
    page.fill("#setting-key", SECRET)
    page.fill("#setting-keys", json.dumps(["first-key", SECRET]))
    window.step("event")
    event = {"type": "page", "a": SECRET, "b": json.dumps([SECRET]), "c": "first-key"}
    window.write(EVENTS, json.dumps(event))
    told = json.loads(window.case()["text"])
    assert told == {"type": "page", "a": "••••", "b": '["••••"]', "c": "••••"}
