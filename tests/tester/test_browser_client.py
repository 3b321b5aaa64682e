"""Segment's client for browsers sends through the intake as it is, from another origin."""

from __future__ import annotations

import functools
import http.server
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from framework.intake import IntakeOptions, IntakeServer, WriteKeys
from framework.relay import SQLiteStore
from tests.framework.intake.node_clients import node_clients
from tests.tester.browser import CHROMIUM, FLAGS

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="There is no Chromium; `make browser` installs it where it can."
)

LOAD = """([host, strategy]) => {
  const settings = { integrations: { 'Segment.io': {
    apiKey: 'k', apiHost: `${host}/v1`, protocol: 'http', deliveryStrategy: strategy,
  } } };
  window.client = AnalyticsNext.AnalyticsBrowser.load({ writeKey: 'k', cdnSettings: settings });
}"""
SEND = """async () => {
  await client.identify('u1', { email: 'nora@example.com' });
  await client.group('g1', { name: 'Group' });
  await client.page('Docs', 'Start', { path: '/start' });
  for (let number = 0; number < 5; number++) await client.track('Signed Up', { number });
}"""
BATCHING = {"strategy": "batching", "config": {"size": 3, "timeout": 200}}
FILES = "node_modules/@segment/analytics-next/dist/umd"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without log lines."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """Serve the client's files, and return their address."""
    handler = functools.partial(Quiet, directory=str(node_clients() / FILES))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def page(site: str) -> Iterator[Page]:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = browser.new_page()
        page.goto(f"{site}/index.js")
        yield page
        browser.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    with SQLiteStore(tmp_path / "events.db") as store:
        yield store


def send(page: Page, site: str, intake: IntakeServer, strategy: Any) -> None:
    """Load the client anew in a page of the site, and send the events of the test."""
    page.goto(f"{site}/index.js")
    page.set_content("<title>Shop</title>")
    page.add_script_tag(url=f"{site}/index.js")
    page.evaluate(LOAD, [f"127.0.0.1:{intake.port}", strategy])
    page.evaluate(SEND)


@pytest.mark.parametrize("strategy", [None, BATCHING], ids=["one by one", "batches"])
def test_events_of_a_page_arrive(page: Page, site: str, store: SQLiteStore, strategy: Any) -> None:
    keys, options = WriteKeys({"k": ["web"]}), IntakeOptions(origins=[site])
    with IntakeServer(store, keys, options=options) as intake:
        send(page, site, intake, strategy)
        end = time.monotonic() + 30
        while intake.counts().get(("accepted", "web"), 0) < 8 and time.monotonic() < end:
            time.sleep(0.05)
        assert intake.counts() == {("accepted", "web"): 8}
    lines = [line for chunk in store.read("web", 0) for line in chunk.lines]
    events = list(map(json.loads, lines))
    kinds = sorted(event["type"] for event in events)
    assert kinds == ["group", "identify", "page", *["track"] * 5]
    numbers = [event["properties"]["number"] for event in events if event["type"] == "track"]
    assert sorted(numbers) == list(range(5))
    assert {event["userId"] for event in events} == {"u1"}
    assert all(event["anonymousId"] and event["sentAt"] for event in events)
    assert all("writeKey" not in event for event in events)


def test_events_of_other_pages_do_not(page: Page, site: str, store: SQLiteStore) -> None:
    options = IntakeOptions(origins=["https://shop.example.com"])
    with IntakeServer(store, WriteKeys({"k": ["web"]}), options=options) as intake:
        send(page, site, intake, None)
        end = time.monotonic() + 30
        while not intake.counts() and time.monotonic() < end:
            time.sleep(0.05)
        assert set(intake.counts()) == {("refused", "WRONG_ORIGIN")}
    assert store.read("web", 0) == []
