"""Slips of authors that would keep a hook from being called are told when the plugin is loaded."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from framework.errors import PluginError
from framework.plugins import open_plugin
from framework.results import DELIVERED
from tests.framework.delivery.bench import connected

HEAD = """\
from __future__ import annotations
import functools, httpx
from framework import Action, Destination, Payload, Settings, field, hookimpl
from slip_helpers import *
class Key(Settings):
    key: str = field("Key", secret=True)
class Line(Payload):
    text: str | None = field("Text")
@hookimpl
def destination() -> Destination:
    return Destination(slug="x", name="X")
@hookimpl
def settings() -> type[Key]:
    return Key
@hookimpl
def actions() -> list[Action]:
    return [Action(slug="send", title="Send", trigger="type != null", payload=Line)]
"""
PERFORM = "@hookimpl\ndef perform(payload): ...\n"
UNMARKED = (
    "Function `{}` is named like a hook but is not marked as one. Write `@hookimpl` above it, or "
    "rename it."
)
NEAR = (
    "Function `{}` is not called, but its name and arguments resemble hook `{}`. Correct the name "
    "and write `@hookimpl` above it, or rename it."
)
NO_FUNCTION = (
    "`{0}` is named like a hook but is {1}, which is never called. Write a function: `@hookimpl` "
    "above `def {0}(...)`. Or rename it."
)
SLIPS = [
    ("def auth(settings): ...\n", 18, UNMARKED.format("auth")),
    ("async def auth(settings): ...\n", 18, UNMARKED.format("auth")),
    ("auth = lambda settings: None\n", 18, UNMARKED.format("auth")),
    ("def auht(settings): ...\n", 18, NEAR.format("auht", "auth")),
    ("def aut(settings): ...\n", 18, NEAR.format("aut", "auth")),
    ("def auths(settings): ...\n", 18, NEAR.format("auths", "auth")),
    ("def outh(settings): ...\n", 18, NEAR.format("outh", "auth")),
    ("def identfy(payloads): ...\n", 18, NEAR.format("identfy", "identify")),
    (
        "def check_autentication(client): ...\n",
        18,
        NEAR.format("check_autentication", "check_authentication"),
    ),
    (
        "def sandbx(): ...\n",
        18,
        NEAR.format("sandbx", "sandbox"),
    ),
    ("class auth(httpx.Auth): ...\n", 18, NO_FUNCTION.format("auth", "a class")),
    ("auth = httpx.BasicAuth('a', 'b')\n", 18, NO_FUNCTION.format("auth", "of type BasicAuth")),
    (
        "def _auth(settings, more): ...\nauth = hookimpl(functools.partial(_auth, more=1))\n",
        19,
        NO_FUNCTION.format("auth", "of type partial"),
    ),
    (
        "class Own:\n    def __call__(self, settings): ...\nauth = hookimpl(Own())\n",
        20,
        NO_FUNCTION.format("auth", "of type Own"),
    ),
    (
        "@functools.cache\ndef auth(settings): ...\n",
        18,
        NO_FUNCTION.format("auth", "of type _lru_cache_wrapper"),
    ),
    (
        "@hookimpl\ndef auth(settings): ...\n@hookimpl\ndef auth(): ...\n",
        21,
        "Hook `auth` is defined again; the definition in line 19 is never used.",
    ),
    (
        "@hookimpl\ndef auth(settings): yield\n",
        18,
        "Hook `auth` contains `yield`. Return the result in place of it.",
    ),
    (
        "@hookimpl\nasync def auth(settings): yield\n",
        18,
        "Hook `auth` is an `async` function. Write `def` in place of `async def`.",
    ),
    (
        "import pluggy\n@pluggy.HookimplMarker('other')\ndef auth(settings): ...\n",
        19,
        UNMARKED.format("auth"),
    ),
]
FINE = [
    "",
    "from slip_other_folder.hooks import auth\n",
    "from slip_beside import auth\n",
    "import poll\n",
    "def _auth(settings): ...\n",
    "def perform_one(payload): ...\n",
    "def preform(payload): ...\n",  # the hook itself is there
    "def auths(of_something_else): ...\n",
    "auth: httpx.Auth\n",
    "@hookimpl(specname='auth')\ndef sign(settings): ...\n",
    "@hookimpl(tryfirst=True)\ndef auth(settings): ...\n",
    "auth = hookimpl(lambda settings: None)\n",
    "@hookimpl\n@hookimpl\ndef auth(settings): ...\n",
    "@hookimpl\ndef auth(settings, /): ...\n",
    (
        "def kept(f):\n    @functools.wraps(f)\n    def inner(*a):\n        return f(*a)\n"
        "    return inner\n@hookimpl\n@kept\ndef auth(settings): ...\n"
    ),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield a folder that modules are imported from, with modules beside the plugin."""
    (tmp_path / "slip_helpers.py").write_text("def helper(): ...\n", "utf-8")
    (tmp_path / "slip_beside.py").write_text("def auth(settings): ...\n", "utf-8")
    (tmp_path / "poll.py").write_text("", "utf-8")
    (tmp_path / "slip_other_folder").mkdir()
    (tmp_path / "slip_other_folder" / "hooks.py").write_text("def auth(settings): ...\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        del sys.modules[name]


def loaded(folder: Path, text: str) -> ModuleType:
    (folder / "slip_plugin.py").write_text(f"{HEAD}{text}{PERFORM}", "utf-8")
    importlib.invalidate_caches()
    return importlib.import_module("slip_plugin")


@pytest.mark.parametrize(("text", "line", "problem"), SLIPS)
def test_a_slip_is_told_with_its_line(folder: Path, text: str, line: int, problem: str) -> None:
    with pytest.raises(PluginError) as caught:
        open_plugin(loaded(folder, text))
    assert str(caught.value) == f"{folder / 'slip_plugin.py'}:{line}: {problem}"


def test_a_hook_imported_within_a_package_is_told_with_its_file(folder: Path) -> None:
    package = folder / "slip_package"
    package.mkdir()
    (package / "hooks.py").write_text("def auth(settings): ...\n", "utf-8")
    text = f"{HEAD}from slip_package.hooks import auth\n{PERFORM}"
    (package / "plugin.py").write_text(text, "utf-8")
    importlib.invalidate_caches()
    with pytest.raises(PluginError) as caught:
        open_plugin(importlib.import_module("slip_package.plugin"))
    assert str(caught.value) == f"{package / 'hooks.py'}:1: {UNMARKED.format('auth')}"


@pytest.mark.parametrize("text", FINE)
def test_what_is_no_slip_loads_and_delivers(folder: Path, text: str) -> None:
    with connected(open_plugin(loaded(folder, text))) as connection:
        assert connection.deliver([{"type": "track", "event": "a"}]).results == [DELIVERED]
