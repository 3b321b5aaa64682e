"""The page while answers are late, come in another order, break off, or do not come."""

from __future__ import annotations

import json
from typing import Final

import pytest
from playwright.sync_api import Page, Route, expect

from framework.samples import make_audience_event, make_event
from tests.tester.browser import CHROMIUM, Held, Window

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="There is no Chromium; `make browser` installs it where it can."
)

CRITEO: Final = "actions-criteo-audiences"
FIRST: Final = "Add users to Audience"
EVENTS: Final = "Events as JSON"
_LATER: Final = """async () => {
  const { later } = await import("/page/dom.js");
  const done = [];
  let go;
  const act = later(0, (name) => new Promise((resume) => {
    go = () => { done.push(name); resume(); };
  }));
  const pause = () => new Promise((resume) => setTimeout(resume, 20));
  for (const name of ["first", "second", "third"]) { act(name); await pause(); }
  while (done.at(-1) !== "third") { go(); await pause(); }
  return done;
}"""


_FILTER_AND_LEAVE: Final = """(field) => {
  field.value = "gone";
  field.dispatchEvent(new Event("input", { bubbles: true }));
  document.querySelector("[data-step=settings]").click();
}"""
_SEE: Final = """(how) => {
  Object.defineProperty(document, "visibilityState", { configurable: true, value: how });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def _choose(window: Window, address: str, slug: str = CRITEO) -> Page:
    page = window.page
    page.goto(address)
    page.click(f"[data-slug={slug}]")
    page.wait_for_selector("main[data-step=settings]")
    return page


def _start(window: Window, address: str) -> Page:
    page = _choose(window, address)
    page.click("#borrow")
    expect(page.locator("#setting-client_id")).to_have_value("sandbox-client")
    return page


def test_the_last_destination_that_was_picked_is_chosen(window: Window, both: str) -> None:
    """One whose definition comes late does not take the place of the one that was picked after."""
    page = window.page
    page.goto(both)
    held = window.hold(f"/destinations/{CRITEO}")
    page.click(f"[data-slug={CRITEO}]")
    late = held.take()
    page.click("[data-slug=actions-odd]")
    page.fill("#setting-constructor", "mine")
    held.let_go(late)
    assert page.input_value("#setting-constructor") == "mine"
    assert window.case()["destination"] == "actions-odd"


def test_credentials_are_not_borrowed_for_another_destination(window: Window, both: str) -> None:
    """They are for the destination that was asked for, and are shown however often it is drawn."""
    page = _choose(window, both)
    held = window.hold(f"/sandboxes/{CRITEO}")
    page.click("#borrow")
    late = held.take()
    window.step("mappings")
    window.step("settings")
    held.let_go(late)
    expect(page.locator("#setting-client_id")).to_have_value("sandbox-client")
    page.click("#borrow")
    late = held.take()
    window.step("catalogue")
    page.click("[data-slug=actions-odd]")
    page.wait_for_selector("#setting-constructor")
    held.let_go(late)
    assert window.case()["settings"] == {"level": 0, "flag": True}


def test_credentials_are_judged_as_they_are(window: Window, address: str) -> None:
    """No verdict is shown about settings that have changed since, whenever it comes."""
    page = _start(window, address)
    held = window.hold("/authenticate")
    page.click("#test-credentials")
    late = held.take()
    page.fill("#setting-client_id", "somebody")
    held.let_go(late)
    assert page.locator("#credentials-answer").count() == 0
    page.click("#test-credentials")
    held.let_go()
    page.wait_for_selector("#credentials-answer.bad")
    page.fill("#setting-client_id", "sandbox-client")
    assert page.locator("#credentials-answer").count() == 0


def test_findings_are_about_the_subscriptions_that_are_there(window: Window, address: str) -> None:
    """What comes late about a subscription that is gone is not told of the one in its place."""
    page = _start(window, address)
    window.step("mappings")
    held = window.hold("/validate")
    page.locator(".subscription").first.get_by_label("Event name", exact=True).fill('{"@paht": 1}')
    late = held.take()
    while "@paht" not in (late.request.post_data or ""):
        held.let_go(late)
        late = held.take()
    page.get_by_label(f"Remove subscription {FIRST}").click()
    held.let_go(late)
    assert page.locator(".subscription").count() == 1
    assert page.locator(".subscription .problem span").count() == 0
    held.let_go()
    window.forgive("status of 400")


def test_a_trigger_is_judged_as_it_is(window: Window, address: str) -> None:
    """What comes late about the text that stood there before is not told of the new one."""
    page = _start(window, address)
    window.step("mappings")
    card = page.locator(".subscription").first
    card.locator(".truth").get_by_text("matches").wait_for()
    held = window.hold("/trigger")
    window.write(f"Trigger of {FIRST}", "type is")
    late = held.take()
    window.write(f"Trigger of {FIRST}", 'type = "page"')
    held.let_go(late)
    assert card.locator(".truth").inner_text() == "matches"
    assert not card.locator(".caret").is_visible()
    held.let_go()
    card.locator(".truth").get_by_text("does not match").wait_for()


def test_slow_answers_do_not_pile_up(window: Window, address: str) -> None:
    """While one is awaited, only the last question waits behind it."""
    page = window.page
    page.goto(address)
    page.wait_for_selector("[data-slug]")
    assert page.evaluate(_LATER) == ["first", "third"]


def test_unknown_truth_is_not_shown_as_false(window: Window, address: str) -> None:
    """Without an answer the page says so, and not that a trigger does not parse."""
    page = _start(window, address)
    page.route("**/api/trigger", lambda route: route.abort())
    page.route("**/api/resolve", lambda route: route.abort())
    window.step("mappings")
    page.locator(".truth").get_by_text("not evaluated").first.wait_for()
    window.settle()
    assert page.locator(".caret").first.inner_text().startswith("The tester is not responding.")
    assert page.locator(".found *").count() == 0
    window.forgive("ERR_FAILED")


def test_late_events_replace_nothing_that_was_written_since(window: Window, address: str) -> None:
    page = _start(window, address)
    window.step("event")
    held = window.hold("/examples/generate")
    page.click("#generate")
    late = held.take()
    window.write(EVENTS, '{"type": "page"}')
    held.let_go(late)
    assert window.text(EVENTS) == '{"type": "page"}'
    for _ in range(2):
        page.click("#generate-more")
    held.let_go()
    held.let_go()
    expect(page.locator(".count")).to_contain_text("3 events")
    assert len({json.dumps(one) for one in json.loads(window.case()["text"])}) == 3
    window.write(EVENTS, '{"type": "pa')
    page.click("#generate-more")
    held.let_go()
    page.locator(".toast.bad").get_by_text("No event was added.").wait_for()
    assert window.text(EVENTS) == '{"type": "pa'


def test_samples_are_those_of_the_last_answer(window: Window, address: str) -> None:
    """A list that comes late hides nothing; a name that is refused stays to be mended."""
    page = _start(window, address)
    window.step("event")
    page.get_by_role("button", name="Page", exact=True).wait_for()
    held = window.hold("/examples")
    window.step("event")
    late = held.take()
    page.fill("#sample-name", "Late")
    page.get_by_role("button", name="Save").click()
    held.let_go(late)
    held.let_go()
    page.get_by_role("button", name="Late", exact=True).wait_for()
    expect(page.locator("#sample-name")).to_have_value("")
    page.fill("#sample-name", "no/name")
    page.get_by_role("button", name="Save").click()
    refused = held.take()
    refused.fulfill(status=400, json={"error": {"message": "This is no name."}})
    page.locator(".toast.bad").get_by_text("This is no name.").wait_for()
    assert page.input_value("#sample-name") == "no/name"
    window.forgive("status of 400")


def test_a_run_that_ends_late_leaves_people_where_they_are(window: Window, address: str) -> None:
    page = _start(window, address)
    window.step("event")
    window.write(EVENTS, json.dumps(make_audience_event(entered=True)))
    held = window.hold("/run")
    page.click("#run")
    late = held.take()
    window.step("mappings")
    held.let_go(late)
    page.get_by_text("The run is complete; see Result.").wait_for()
    assert page.get_attribute("main", "data-step") == "mappings"
    window.step("result")
    page.locator("[data-stage=outcome]").get_by_text("delivered").wait_for()


def test_a_run_is_shown_with_its_destination_only(window: Window, both: str) -> None:
    page = _start(window, both)
    window.step("event")
    window.write(EVENTS, json.dumps(make_event("page")))
    held = window.hold("/run")
    page.click("#run")
    late = held.take()
    window.step("catalogue")
    page.click("[data-slug=actions-odd]")
    page.wait_for_selector("#setting-constructor")
    held.let_go(late)
    page.get_by_text("another destination is selected now").wait_for()
    window.step("result")
    page.get_by_text("No run yet.").wait_for()


def test_the_reason_for_no_run_stays(window: Window, address: str) -> None:
    """Until the next run, on whichever steps somebody looks for the reason."""
    page = _choose(window, address)
    window.step("event")
    window.write(EVENTS, json.dumps(make_event("page")))
    page.click("#run")
    verdict = page.locator("main .verdict.bad")
    verdict.get_by_text("Not run").wait_for()
    window.step("settings")
    window.step("result")
    verdict.get_by_text("Not run").wait_for()
    window.forgive("status of 400")


def test_an_incomplete_response_is_an_error(window: Window, address: str) -> None:
    page = _start(window, address)
    window.step("event")
    window.write(EVENTS, json.dumps(make_event("page")))
    page.route("**/api/run", lambda route: route.fulfill(body='{"journeys": ['))
    page.click("#run")
    verdict = page.locator("main .verdict.bad")
    verdict.get_by_text("The tester's response is incomplete. Is").wait_for()
    assert "No response" in verdict.inner_text()


def test_many_travel_together(window: Window, address: str) -> None:
    """All of them are counted; an answer names some, or it would grow with their square."""
    page = _start(window, address)
    window.step("event")
    event = make_audience_event(entered=True)
    many = [
        {**event, "messageId": f"{number}", "context": {"traits": {"email": f"{number}@a.example"}}}
        for number in range(120)
    ]
    told = "\n".join(map(json.dumps, many)).encode()
    page.set_input_files("#file", {"name": "m.ndjson", "mimeType": "", "buffer": told})
    page.locator(".count").get_by_text("120 events").wait_for()
    with page.expect_response("**/api/run") as answered:
        page.click("#run")
    page.locator("[data-stage=batch]").get_by_text("and 107 more").wait_for()
    batches = [one["legs"][0]["batch"] for one in answered.value.json()["journeys"]]
    assert {(len(one["mates"]), one["others"]) for one in batches} == {(50, 119)}


def test_changes_are_made_to_the_event_that_they_are_for(window: Window, address: str) -> None:
    """Not to another one that has come into its place."""
    page = _start(window, address)
    window.step("event")
    window.write(EVENTS, json.dumps(make_audience_event(entered=True) | {"event": "Joined"}))
    page.click("#run")
    page.wait_for_selector("#apply-changes")
    window.step("event")
    window.write(EVENTS, json.dumps(make_event("page")))
    window.step("result")
    page.locator(".nearest").get_by_text("$.event").wait_for()
    assert page.locator("#apply-changes").count() == 0


def test_a_followed_run_is_counted_once(window: Window, address: str) -> None:
    """A connection that begins anew tells all outcomes again; they are the same ones."""
    row = {"line": 1, "messageId": "a", "subscription": "Add", "outcome": "delivered"}
    stream = f"event: outcome\ndata: {json.dumps(row)}\n\n"
    window.answer("/status", follows=True)
    held = window.hold("/live*")
    page = window.page
    page.goto(address)
    window.step("live")
    for _ in range(2):
        held.take().fulfill(body=stream, content_type="text/event-stream")
        expect(page.locator(".tally")).to_contain_text("delivered 1")
    held.take()  # a second after what was told last
    expect(page.locator(".tally")).to_contain_text("delivered 1")
    assert page.locator("main tbody tr").count() == 1


def test_nothing_is_followed_for_nobody(window: Window, address: str) -> None:
    """A filter of the live view that was just written is not asked for once the view is left."""
    window.answer("/status", follows=True)
    held = window.hold("/live*")
    page = _choose(window, address)
    window.step("live")
    held.take()
    page.get_by_label("Contains").evaluate(_FILTER_AND_LEAVE)
    window.settle()
    assert held.waiting == []


def test_pages_behind_others_hold_no_connection(window: Window, address: str) -> None:
    """A browser has six for a server; what is followed goes on when the page is seen again."""
    page = _choose(window, address)
    page.locator("#aside .lamp.on").wait_for()
    with page.expect_event("requestfailed", lambda one: one.url.endswith("/events")):
        page.evaluate(_SEE, "hidden")
    with page.expect_request("**/events"):
        page.evaluate(_SEE, "visible")


def test_a_restart_takes_nothing_away(window: Window, both: str) -> None:
    """What was written stays, secrets too; a definition that has changed is taken up."""
    window.answer("/status", reload=True)
    changes = window.hold("/changes")
    page = _choose(window, both, "actions-odd")
    page.fill("#setting-key", "a secret of mine")
    _restart(changes, "one")
    window.answer("/destinations/actions-odd", name="Even", hasSandbox=False)
    _restart(changes, "two")
    page.locator("#bar").get_by_text("Even").wait_for()
    assert page.input_value("#setting-key") == "a secret of mine"
    page.route("**/api/destinations/actions-odd", _refuse)
    _restart(changes, "three")
    page.locator(".toast.bad").get_by_text("It is broken.").wait_for()
    assert page.input_value("#setting-key") == "a secret of mine"
    window.forgive("status of 404")


def test_a_restart_shows_what_there_is_to_choose(window: Window, address: str) -> None:
    window.answer("/status", reload=True)
    changes = window.hold("/changes")
    window.page.goto(address)
    window.page.wait_for_selector("[data-slug]")
    _restart(changes, "one")
    window.answer("/destinations", problems=["Plugin `new` is left out."])
    _restart(changes, "two")
    left_out = window.page.locator("main .problems li")
    expect(left_out).to_have_text("Plugin new is left out.")
    expect(left_out.locator("code")).to_have_text("new")


def _restart(changes: Held, started: str) -> None:
    told = f"event: started\ndata: {json.dumps({'started': started})}\n\n"
    changes.take().fulfill(body=told, content_type="text/event-stream")


def _refuse(route: Route) -> None:
    route.fulfill(status=404, json={"error": {"message": "It is broken."}})
