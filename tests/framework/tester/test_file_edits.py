"""What was edited is saved to the tester's own file only, and never over edits made elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from framework.config import load_cases, load_connection
from framework.explain import run_case
from framework.plugins import Registry
from framework.tester import LocalServer

FILE = """\
# Ours.
destination: actions-bazaar
settings:
  client_id: ${env:BAZAAR_ID}  # not a secret
  client_secret: ${env:BAZAAR_SECRET}
subscriptions:
  - name: Orders  # all of them
    partnerAction: order
    subscribe: event = "Ordered"
"""
EVENT = {"type": "track", "event": "Ordered", "properties": {"thing": "lamp"}}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAZAAR_ID", "trader")
    monkeypatch.setenv("BAZAAR_SECRET", "open-sesame-4711")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "bazaar.connection.yaml"
    path.write_text(FILE, encoding="utf-8")
    return path


@pytest.fixture
def ask(serve: Callable[..., LocalServer], path: Path) -> Callable[..., httpx.Response]:
    """Ask a tester of the connection file."""
    server = serve(file=load_connection(path), destination="actions-bazaar")
    headers = {"X-Actions-Token": "only-the-page-knows"}

    def ask(place: str = "connection-file", **body: Any) -> httpx.Response:
        url = f"{server.url}/api/{place}"
        if not body:
            return httpx.get(url, headers=headers, timeout=20)
        return httpx.post(url, json=body, headers=headers, timeout=20)

    return ask


def loaded(ask: Callable[..., httpx.Response]) -> tuple[dict[str, Any], str]:
    """Return the connection as the page gets it, and the digest of its file."""
    told = ask("status").json()["connection"]
    return told["connection"], told["digest"]


def test_the_file_is_shown_with_its_path(ask: Callable[..., httpx.Response], path: Path) -> None:
    told = ask("status").json()["connection"]
    assert (told["file"], told["path"]) == (path.name, str(path))
    assert told["connection"]["settings"] == {"client_id": "trader"}
    assert told["connection"]["enabled"] is True


def test_edits_are_shown_then_saved(ask: Callable[..., httpx.Response], path: Path) -> None:
    connection, digest = loaded(ask)
    asked = {"connection": connection, "digest": digest}
    same = ask(**asked).json()
    assert (same["changed"], same["difference"], same["text"]) == (False, [], FILE)

    connection["enabled"] = False
    connection["subscriptions"][0]["mapping"]["pieces"] = 2
    shown = ask(**asked).json()
    assert (shown["changed"], shown["saved"], path.read_text()) == (True, False, FILE)
    assert [one for one in shown["difference"] if one[0] in "+-"] == [
        '+    mapping: {"pieces": 2}',
        "+enabled: false",
    ]
    saved = ask(**asked, save=True).json()
    new = f'{FILE}    mapping: {{"pieces": 2}}\nenabled: false\n'
    assert (saved["saved"], path.read_text()) == (True, new)
    again, now = loaded(ask)
    assert (again["enabled"], again["subscriptions"][0]["mapping"]) == (False, {"pieces": 2})
    assert now == saved["digest"]


def test_filters_are_saved_and_removed(ask: Callable[..., httpx.Response], path: Path) -> None:
    connection, digest = loaded(ask)
    connection["filters"] = [{"title": "No lamps", "if": "all", "actions": [{"type": "DROP"}]}]
    saved = ask(connection=connection, digest=digest, save=True).json()
    added = '  - title: "No lamps"\n    if: all\n    actions: [{"type": "DROP"}]\n'
    assert path.read_text() == f"{FILE}filters:\n{added}"
    again, digest = loaded(ask)
    assert (again["filters"], digest) == (connection["filters"], saved["digest"])
    wrong = {**again, "filters": [{"if": "all", "actions": []}]}
    refused = ask(connection=wrong, digest=digest, save=True)
    assert refused.json()["error"]["message"] == "`filters[0].actions` is required."
    del again["filters"]
    assert ask(connection=again, digest=digest, save=True).json()["saved"] is True
    assert path.read_text() == FILE


def test_edits_made_elsewhere_are_never_overwritten(
    ask: Callable[..., httpx.Response], path: Path
) -> None:
    connection, digest = loaded(ask)
    path.write_text(f"{FILE}# theirs\n", encoding="utf-8")
    connection["enabled"] = False
    answer = ask(connection=connection, digest=digest, save=True)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "CHANGED_ELSEWHERE")
    assert str(path) in answer.json()["error"]["message"]
    assert path.read_text() == f"{FILE}# theirs\n"
    path.write_text("destination: [", encoding="utf-8")
    _, digest = loaded(ask)
    answer = ask(connection=connection, digest=digest, save=True)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "NOT_EDITED")


def test_secrets_are_neither_shown_nor_written(
    ask: Callable[..., httpx.Response], path: Path
) -> None:
    in_the_clear = FILE.replace("${env:BAZAAR_SECRET}", "open-sesame-4711")
    path.write_text(in_the_clear, encoding="utf-8")
    connection, digest = loaded(ask)
    connection["settings"]["region"] = "us"
    asked = {"connection": connection, "digest": digest}
    assert "open-sesame-4711" not in ask(**asked).text
    assert ask(**asked, save=True).json()["saved"] is True
    expected = "open-sesame-4711\n  region: us\nsubscriptions"
    assert path.read_text() == in_the_clear.replace("open-sesame-4711\nsubscriptions", expected)
    connection["settings"]["client_secret"] = "typed-in-4712"
    _, digest = loaded(ask)
    left = ask(connection=connection, digest=digest, save=True).json()
    assert (left["saved"], left["leftOut"]) == (False, ["client_secret"])
    assert "typed-in-4712" not in path.read_text() + str(left)


def test_without_a_file_there_is_a_text_only(client: httpx.Client) -> None:
    connection = {"destination": "actions-bazaar", "settings": {"client_id": "me"}}
    told = client.post("/api/connection-file", json={"connection": connection}).json()
    assert (told["path"], told["saved"]) == (None, False)
    assert told["text"].startswith("destination: actions-bazaar\nsettings:\n  client_id: me\n")
    body = {"connection": connection, "save": True}
    answer = client.post("/api/connection-file", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "NO_FILE")


@pytest.mark.parametrize("edited", [False, True])
def test_an_exported_test_passes_as_it_is(
    ask: Callable[..., httpx.Response],
    path: Path,
    registry: Registry,
    monkeypatch: pytest.MonkeyPatch,
    edited: bool,  # noqa: FBT001 - a case
) -> None:
    """Of the file as it is, the test names it; of what was edited, a file comes with it."""
    connection, _ = loaded(ask)
    if edited:
        connection["subscriptions"][0]["mapping"] = {"pieces": 3}
    told = ask("export", connection=connection, events=[EVENT], name="A lamp").json()
    assert (told["connection"] is not None) is edited
    if edited:
        path.with_name(told["connection"]["file"]).write_text(told["connection"]["text"])
    test = path.with_name(told["file"])
    test.write_text(told["text"], encoding="utf-8")
    monkeypatch.delenv("BAZAAR_ID")
    monkeypatch.delenv("BAZAAR_SECRET")
    file = load_cases(test)
    assert file.connection.exists()
    for name in ("BAZAAR_ID", "BAZAAR_SECRET", "CLIENT_SECRET"):
        if name in file.environment:
            monkeypatch.setenv(name, file.environment[name])
    tested = load_connection(file.connection)
    (case,) = file.cases
    plugin = registry.get(tested.destination)
    ran = run_case(plugin, tested.settings, tested.subscriptions, case, **tested.arguments)
    assert not ran.differences
