"""A real browser on the tester of the built package, cut off from every other address."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Route,
    expect,
)

CHROMIUM: Final = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
VENDOR: Final = Path(__file__).parent / "vendor"
SERIOUS: Final = {"serious", "critical"}
_PATIENCE: Final = 15_000
_STREAMS: Final = ("/events", "/live", "/changes")

FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
_ALL_MARKUP: Final = """() => {
  const parts = [];
  const take = (root) => {
    parts.push(root.innerHTML);
    root.querySelectorAll("*").forEach((node) => node.shadowRoot && take(node.shadowRoot));
  };
  take(document.documentElement);
  return parts.join("\\n");
}"""

_CASE: Final = """async () => {
  const { address, unpacked } = await import("/page/state.js");
  while (location.hash !== await address()) await new Promise((go) => setTimeout(go, 50));
  return unpacked(new URLSearchParams(location.hash.slice(1)).get("case"));
}"""


_HOLDS: Final = """([box, text]) => [...box.querySelectorAll(".cm-line")]
  .map((line) => line.textContent).join("\\n") === text"""
# The rest of the result, which is long, stays in the browser.
_VIOLATIONS: Final = """async () =>
  (await axe.run(document, {resultTypes: ["violations"]})).violations"""
_IDLE: Final = "() => new Promise((go) => requestAnimationFrame(() => setTimeout(go)))"

expect.set_options(timeout=_PATIENCE)


@dataclass
class Held:
    """Requests of one kind that wait until they are let go."""

    page: Page = field(repr=False)
    waiting: list[Route] = field(default_factory=list)

    def take(self) -> Route:
        """Return the request that has waited longest, once there is one."""
        for _ in range(_PATIENCE // 10):
            if self.waiting:
                return self.waiting.pop(0)
            self.page.wait_for_timeout(10)
        raise AssertionError("Nothing was asked.")

    def let_go(self, route: Route | None = None) -> None:
        """Let a request go, the one that has waited longest if none is named, until it is told."""
        route = route or self.take()
        with self.page.expect_event("requestfinished", lambda one: one == route.request):
            route.continue_()
        self.page.evaluate(_IDLE)


@dataclass
class Window:
    """A page of the browser, what it complained about, and where it tried to go."""

    page: Page = field(repr=False)
    shots: Path
    complaints: list[str] = field(default_factory=list)
    forgiven: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    asked: list[Request] = field(default_factory=list, repr=False)

    def shoot(self, name: str) -> None:
        """Keep a picture of the whole page."""
        self.page.evaluate("document.querySelectorAll('.toast').forEach((one) => one.remove())")
        path = self.shots / f"{name}.png"
        self.page.screenshot(path=path, full_page=True, timeout=4 * _PATIENCE)

    def inspect(self, name: str) -> None:
        """Keep a picture, and assert that everybody can use what it shows."""
        self.shoot(name)
        found = self.violations()
        assert not found, "\n".join(found)

    def violations(self) -> list[str]:
        """List what axe finds that is serious, with the elements that it is about."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate((VENDOR / "axe.min.js").read_text(encoding="utf-8"))
        found: list[Any] = self.page.evaluate(_VIOLATIONS)
        return [
            f"{one['id']}: {node['target']} {node['failureSummary']}"
            for one in found
            if one["impact"] in SERIOUS
            for node in one["nodes"]
        ]

    def markup(self) -> str:
        """Return all markup, that of shadow roots included."""
        text: str = self.page.evaluate(_ALL_MARKUP)
        return text

    def kept(self) -> str:
        """Return everything that the browser keeps or shows of the page beside its markup."""
        text: str = self.page.evaluate(
            "() => JSON.stringify([location.href, {...localStorage}, {...sessionStorage},"
            " document.cookie, document.title, history.state])"
        )
        return text

    def write(self, label: str, text: str) -> None:
        """Replace what an editor holds, as if it were pasted."""
        box = self.page.get_by_role("textbox", name=label).first
        box.focus()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(text)
        self.page.wait_for_function(_HOLDS, arg=[box.element_handle(), text])

    def text(self, label: str) -> str:
        """Return what an editor holds, lines that it shows."""
        box = self.page.get_by_role("textbox", name=label).first
        return "\n".join(box.locator(".cm-line").all_text_contents())

    def hold(self, path: str) -> Held:
        """Let requests for a path of the API wait from now on."""
        held = Held(self.page)
        self.page.route(f"**/api{path}", lambda route: held.waiting.append(route))  # noqa: PLW0108 - a method of a list cannot carry the mark that the driver sets on it
        return held

    def answer(self, path: str, **more: Any) -> None:
        """Let the answers for a path of the API say more than they do."""

        def say(route: Route) -> None:
            answer = route.fetch()
            route.fulfill(response=answer, json={**answer.json(), **more})

        self.page.route(f"**/api{path}", say)

    def settle(self) -> None:
        """Wait until the address has caught up and every question is answered."""
        self.case()
        for _ in range(_PATIENCE // 20):
            if not self.asked:
                return
            self.page.wait_for_timeout(20)
        raise AssertionError(self.asked)

    def forgive(self, text: str) -> None:
        """Let go of what the browser itself says, soon or late, about requests that fail."""
        self.forgiven.append(text)

    def unforgiven(self) -> list[str]:
        """List the complaints about what nobody expects."""
        return [one for one in self.complaints if not any(text in one for text in self.forgiven)]

    def step(self, name: str) -> None:
        """Go to a step by its button."""
        self.page.click(f"[data-step={name}]")

    def stage(self, name: str) -> str:
        """Return the text of a stage of the journey that is shown."""
        return self.page.locator(f"[data-stage={name}]").inner_text()

    def case(self) -> Any:
        """Return the case that the address holds, once it has caught up with the page."""
        return self.page.evaluate(_CASE)


@contextmanager
def open_window(
    browser: Browser, folder: Path, *, scheme: str = "light", width: int = 1440, height: int = 900
) -> Iterator[Window]:
    """Open a window that knows nothing yet; asserts that nothing went wrong in it."""
    shots = Path(os.environ.get("PAGE_SHOTS", folder / "shots"))
    shots.mkdir(parents=True, exist_ok=True)
    options: dict[str, Any] = {
        "viewport": {"width": width, "height": height},
        "color_scheme": scheme,
        "permissions": ["clipboard-read", "clipboard-write"],
    }
    with browser.new_context(**options) as context:
        context.set_default_timeout(_PATIENCE)
        window = Window(context.new_page(), shots)
        _cut_off(context, window)
        yield window
        # What comes of requests that are still waiting is no complaint; the context is first, since
        # it would take up what a page leaves half answered.
        strangers, complaints = list(window.strangers), window.unforgiven()
        context.unroute_all(behavior="ignoreErrors")
        for page in context.pages:
            page.unroute_all(behavior="ignoreErrors")
    assert not strangers, strangers
    assert not complaints, complaints


def _cut_off(context: BrowserContext, window: Window) -> None:
    def decide(route: Route) -> None:
        if urlsplit(route.request.url).hostname == "127.0.0.1":
            route.continue_()
        else:
            window.strangers.append(route.request.url)
            route.abort()

    def hear(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            window.complaints.append(f"{message.text} {json.dumps(message.location)}")

    def ask(request: Request) -> None:
        if not urlsplit(request.url).path.endswith(_STREAMS):
            window.asked.append(request)

    def told(request: Request) -> None:
        window.asked[:] = [one for one in window.asked if one != request]

    context.route("**/*", decide)
    context.on("request", ask)
    context.on("requestfinished", told)
    context.on("requestfailed", told)
    context.on("console", hear)
    context.on("weberror", lambda error: window.complaints.append(str(error.error)))
