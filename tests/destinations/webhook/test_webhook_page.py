"""The examples of the page are connection files that send what it says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from destinations import webhook
from framework.config import parse_connection
from framework.delivery import connect
from framework.plugins import open_plugin

PAGE = (Path(__file__).parents[3] / "docs" / "webhook.md").read_text(encoding="utf-8")
EVENTS: list[dict[str, Any]] = json.loads(
    re.findall(r"```json events\n(.*?)```", PAGE, re.DOTALL)[0]
)
ENVIRONMENT = {"HOOK_PATH": "T0/B0", "HOOK_TOKEN": "a-token", "HOOK_SECRET": "a-secret"}


class Example(NamedTuple):
    """A connection file, and the requests that it sends."""

    title: str
    connection: str
    requests: str


def examples() -> list[Example]:
    found = []
    for section in PAGE.split("\n## ")[1:]:
        title = section.partition("\n")[0]
        yaml = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
        http = re.findall(r"```http\n(.*?)```", section, re.DOTALL)
        found += [Example(title, *pair) for pair in zip(yaml, http, strict=True)]
    return found


def written(request: httpx.Request, like: str) -> str:
    """Return a request as the page writes it, with the headers that *like* has."""
    names = re.findall(r"^([a-z0-9-]+): ", like, re.MULTILINE)
    head = [f"{request.method} {request.url}"]
    head += [f"{name}: {request.headers[name]}" for name in names]
    return "\n".join([*head, request.content.decode().rstrip("\n")])


@pytest.mark.parametrize("example", examples(), ids=lambda one: one.title)
def test_an_example_sends_what_the_page_says(example: Example, tmp_path: Path) -> None:
    reading = parse_connection(example.connection, "c.yaml", tmp_path, ENVIRONMENT)
    assert reading.connection is not None, reading.diagnostics
    assert {one.code for one in reading.diagnostics} <= {"AD206"}  # no subscriptions
    file = reading.connection
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(204)

    events = [{"type": "delete", "userId": "u-1"}] if not file.subscriptions else EVENTS
    transport = httpx.MockTransport(answer)
    with connect(
        open_plugin(webhook), file.settings, file.subscriptions, transport=transport
    ) as connection:
        report = connection.deliver(events)
    assert {type(one).__name__ for one in report.results} <= {"Delivered", "Skipped"}
    assert "\n\n".join(written(one, example.requests) for one in sent) == example.requests.rstrip()


def test_every_code_is_listed() -> None:
    """Those that the package raises, and one of the engine's."""
    listed = set(re.findall(r"^\| `([A-Z_]+)` \|", PAGE, re.MULTILINE))
    folder = Path(webhook.__file__).parent
    sources = "".join(file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.py")))
    raised = set(re.findall(r'"([A-Z]+_[A-Z_]+)"', sources)) - {"DELETION_NOT_SUPPORTED"}
    assert listed == raised | {"NO_IDENTIFIER"}
