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

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Route

CHROMIUM: Final = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
VENDOR: Final = Path(__file__).parent / "vendor"
SERIOUS: Final = {"serious", "critical"}
_PATIENCE: Final = 15_000

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


@dataclass
class Window:
    """A page of the browser, what it complained about, and where it tried to go."""

    page: Page = field(repr=False)
    shots: Path
    complaints: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def shoot(self, name: str) -> None:
        """Keep a picture of the whole page."""
        self.page.evaluate("document.querySelectorAll('.toast').forEach((one) => one.remove())")
        self.page.screenshot(path=self.shots / f"{name}.png", full_page=True)

    def inspect(self, name: str) -> None:
        """Keep a picture, and assert that everybody can use what it shows."""
        self.shoot(name)
        found = self.violations()
        assert not found, "\n".join(found)

    def violations(self) -> list[str]:
        """List what axe finds that is serious, with the elements that it is about."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate((VENDOR / "axe.min.js").read_text(encoding="utf-8"))
        found: dict[str, Any] = self.page.evaluate("() => axe.run(document)")
        return [
            f"{one['id']}: {node['target']} {node['failureSummary']}"
            for one in found["violations"]
            if one["impact"] in SERIOUS
            for node in one["nodes"]
        ]

    def markup(self) -> str:
        """Give all markup, that of shadow roots included."""
        text: str = self.page.evaluate(_ALL_MARKUP)
        return text

    def kept(self) -> str:
        """Give everything that the browser keeps or shows of the page beside its markup."""
        text: str = self.page.evaluate(
            "() => JSON.stringify([location.href, {...localStorage}, {...sessionStorage},"
            " document.cookie, document.title, history.state])"
        )
        return text

    def write(self, label: str, text: str) -> None:
        """Replace what an editor holds, as if it were pasted."""
        self.page.get_by_role("textbox", name=label).first.click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(text)

    def step(self, name: str) -> None:
        """Go to a step by its button."""
        self.page.click(f"[data-step={name}]")

    def stage(self, name: str) -> str:
        """Give the text of a stage of the journey that is shown."""
        return self.page.locator(f"[data-stage={name}]").inner_text()

    def case(self) -> Any:
        """Give the case that the address holds, once it has caught up with the page."""
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
    assert not window.strangers, window.strangers
    assert not window.complaints, window.complaints


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

    context.route("**/*", decide)
    context.on("console", hear)
    context.on("weberror", lambda error: window.complaints.append(str(error.error)))
