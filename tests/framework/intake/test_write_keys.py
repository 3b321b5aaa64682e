"""Write keys: how they are given, and what they feed."""

from __future__ import annotations

from pathlib import Path

import pytest

from framework.errors import ConfigurationError, StorageError
from framework.intake import WriteKeys


def test_keys_feed_streams() -> None:
    keys = WriteKeys.read(["k1", "web=k2", "web,app=k3", "crm=k2", "abc=", "a/b=c"])
    expected = {
        "k1": ("events",),
        "k2": ("web", "crm"),
        "k3": ("web", "app"),
        "abc=": ("events",),
        "a/b=c": ("events",),
        "web=k2": (),
        "": (),
        "k": (),
    }
    assert {key: keys.streams_of(key) for key in expected} == expected
    assert keys.streams == ("app", "crm", "events", "web")


def test_keys_come_from_the_environment_and_from_files(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# keys\n\n k1 \napp=k2\n", encoding="utf-8")
    given = ["web=env:WEB_KEY", "env:KEY", f"crm=file:{file}"]
    keys = WriteKeys.read(given, {"WEB_KEY": " k3\n", "KEY": "k4"})
    found = {key: keys.streams_of(key) for key in ("k1", "k2", "k3", "k4")}
    assert found == {"k1": ("crm",), "k2": ("app",), "k3": ("web",), "k4": ("events",)}


def test_wrong_keys_are_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text("# nothing\n", encoding="utf-8")
    for texts, message in {
        (): "needs a write key",
        ("",): "must not be empty",
        ("web=env:NOT_SET",): "The environment variable `NOT_SET` holds no write key",
        (f"file:{empty}",): "holds no write key",
    }.items():
        with pytest.raises(ConfigurationError, match=message):
            WriteKeys.read(texts, {})
    with pytest.raises(StorageError, match="cannot be read"):
        WriteKeys.read([f"file:{tmp_path / 'none'}"])
    with pytest.raises(ConfigurationError, match="at least one stream"):
        WriteKeys({"k": []})


def test_all_problems_with_keys_are_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as refused:
        WriteKeys.read(["k1", "env:ONE", "web=env:TWO"], {})
    assert [problem.split("`")[1] for problem in refused.value.problems] == ["ONE", "TWO"]


def test_keys_are_not_kept() -> None:
    keys = WriteKeys({"secret-key": ["web"]})
    assert "secret-key" not in repr(vars(keys))
