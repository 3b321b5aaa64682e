"""No secret is written anywhere, even if the partner repeats it."""

from __future__ import annotations

import json
import logging
import stat
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from framework.sandbox import SandboxRequest, SandboxResponse, Server
from framework.sandbox.partner import respond
from tests.deliveries import event, write

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

    from tests.proof.conftest import Bench

SECRET, TOKEN = "hush/hush+secret", "t0ken.of.the.app"
PEOPLE = ("ada.lovelace@example.com", "bob+news@mail.example.org")
TELLING = (SECRET, quote(SECRET, safe=""), TOKEN, "lovelace", "bob+news", "bob%2Bnews")


class Echo:
    """A partner that issues a token and echoes every other request.

    With *token_status* it refuses the token, too. *form* is where a refusal says why.
    """

    def __init__(self, status: int, form: str, token_status: int = 200) -> None:
        self._status, self._form, self._token_status = status, form, token_status

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = SandboxRequest.read(environ, None)
        if request.path == "/oauth2/token" and self._token_status == 200:
            given = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 900}
            return respond(SandboxResponse(200, given), start_response)
        status = self._token_status if request.path == "/oauth2/token" else self._status
        said = f"{request.headers.get('authorization')} {request.body.decode()} {SECRET} {PEOPLE}"
        token = TOKEN if self._token_status == 200 else ""
        headers = (
            ("X-Echo", said),
            ("Deprecation", said),
            ("Sunset", said),
            ("Set-Cookie", f"token={token}"),
        )
        return respond(SandboxResponse(status, self._body(said), headers), start_response)

    def _body(self, said: str) -> bytes:
        problem = dict.fromkeys(("code", "type", "title", "detail", "traceId"), said)
        problem["instance"] = quote(said)
        forms = {
            "problem": {"errors": [problem], "warnings": [problem]},
            "oauth": {"error": said, "error_description": said},
            "short": {"errors": [{"code": SECRET, "title": PEOPLE[0]}]},
            "data": {"data": [{"id": said, "attributes": {"name": said}}], "errors": [problem]},
        }
        return json.dumps(forms[self._form]).encode() if self._form in forms else said.encode()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """Record all log messages, including debug messages of libraries."""
    root, level = logging.getLogger(), logging.getLogger().level
    keeper = logging.FileHandler(tmp_path / "debug.log", encoding="utf-8")
    root.addHandler(keeper)
    root.setLevel(logging.DEBUG)
    yield tmp_path / "debug.log"
    root.setLevel(level)
    root.removeHandler(keeper)
    keeper.close()


def searched(path: Path) -> str:
    """Return the text of a file in which nothing telling may be."""
    text = path.read_text("utf-8")
    if not path.name.endswith(".dead-letters.ndjson"):
        return text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [word for word in (SECRET, TOKEN) if word in text] == []
    rest = [json.loads(line) for line in text.splitlines()]
    return json.dumps([{**one, "event": None} for one in rest])


ODD = [
    event({"inside": PEOPLE[0]}),
    event([PEOPLE[0], PEOPLE[1]]),
    event(f"{PEOPLE[0]} {PEOPLE[1]}"),
    event(PEOPLE[0], {"key": PEOPLE[0]}),
    f'{{"email": "{PEOPLE[0]}"'.encode(),
    f'["{PEOPLE[0]}"]'.encode(),
]


@pytest.mark.parametrize(
    ("status", "token_status", "form"),
    [
        *((status, 200, "problem") for status in (200, 400, 401, 403, 404, 409, 413, 429, 500)),
        *((status, 200, "text") for status in (200, 400, 401, 503)),
        *((status, 200, "short") for status in (200, 400, 429)),
        *((200, token_status, "oauth") for token_status in (400, 401, 500)),
        (401, 200, "oauth"),
        (200, 200, "data"),
        (403, 200, "data"),
    ],
)
def test_nothing_telling_is_written(
    here: Bench,
    log: Path,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    token_status: int,
    form: str,
) -> None:
    """Results, tables, logs of every level, the outcome file and the checkpoint are searched.

    So are dead letters, without the events, which they are there to keep.
    """
    monkeypatch.setenv("CRITEO_CLIENT_SECRET", SECRET)
    here = replace(here, options=("--debug",))
    lines: list[Any] = [
        event(person, enters=enters) for person in PEOPLE for enters in (True, False)
    ]
    lines = [*lines, *map(event, PEOPLE), *ODD]
    numbered = [
        line if isinstance(line, bytes) else {**line, "messageId": f"m{number}"}
        for number, line in enumerate(lines)
    ]
    write(here.events, numbered)
    with Server(Echo(status, form, token_status)) as server:
        options = (server.url, "--restart", "--retry-for", "30s")
        shown = [here.run(*options), here.run(*options, "--json")]
        shown.append(here.check(server.url))
    written = [searched(path) for path in here.written() if path != here.events]
    refused = token_status in {400, 401}  # halts after one request for a token
    assert log.read_text("utf-8").count("\n") > (8 if refused else 10)
    for text in (*(one.output for one in shown), *written):
        assert [word for word in TELLING if word in text] == []
