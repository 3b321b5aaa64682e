"""Measure the tester in a real browser: start to usable page, event to result on the screen.

    python benchmarks/tester.py --rounds 5

Needs Chromium and playwright, as the browser tests do; prints medians in milliseconds.
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright

SLUG = "actions-criteo-audiences"
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/#token=\S+")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@contextmanager
def serving() -> Iterator[tuple[float, str]]:
    """Start the tester; give the moment at which it was asked to, and its address."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "framework", "serve", SLUG, "--no-open", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        found = next(filter(None, map(ADDRESS.search, process.stdout)))
        yield began, found[0]
    finally:
        process.terminate()
        process.wait()


def one_round(page: Page) -> tuple[float, float]:
    """Give the milliseconds to a usable page, and from `Run` to the outcome on the screen."""
    with serving() as (began, address):
        page.goto(address)
        page.locator("#borrow").wait_for()
        usable = time.perf_counter() - began
        page.click("#borrow")
        page.click("#next")
        page.locator(".subscription .truth").first.wait_for()
        page.click("#next")
        page.locator(".count").get_by_text("1 event").wait_for()
        shown = []
        for _ in range(5):
            asked = time.perf_counter()
            page.click("#run-here")
            page.wait_for_selector("[data-stage=outcome]")
            shown.append(time.perf_counter() - asked)
            page.keyboard.press("Alt+4")
            page.locator("#run-here").wait_for()
        return usable * 1000, statistics.median(shown) * 1000


def main() -> None:
    """Run the rounds and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    found = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for _ in range(rounds):
            context = browser.new_context()
            found.append(one_round(context.new_page()))
            context.close()
        browser.close()
    for name, values in zip(
        ("start to usable page", "event to result"), zip(*found, strict=True), strict=True
    ):
        shown = ", ".join(f"{value:.0f}" for value in sorted(values))
        print(f"{name}: median {statistics.median(values):.0f} ms ({shown})")


if __name__ == "__main__":
    main()
