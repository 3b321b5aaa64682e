"""The state of a connection in a file beside it."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from framework.errors import ConfigurationError, StorageError
from framework.relay import StateFile, state_path


@pytest.fixture
def state(tmp_path: Path) -> StateFile:
    return StateFile(tmp_path / "crm.state.json")


def test_the_file_is_beside_the_connection_file() -> None:
    assert state_path("conf/crm.yaml") == Path("conf/crm.state.json")


def test_values_are_kept_by_kind_and_key(state: StateFile, tmp_path: Path) -> None:
    assert state.get("token", "a") is None
    state.put("token", "a", {"x": 1})
    state.put("audience", "a", "17")
    again = StateFile(tmp_path / "crm.state.json")
    assert (again.get("token", "a"), again.get("audience", "a")) == ({"x": 1}, "17")
    assert (again.keys("token"), again.keys("job")) == (["a"], [])
    assert again.delete("token", "a")
    assert not again.delete("token", "a")
    assert state.get("token", "a") is None


def test_a_value_is_created_once_and_swapped_if_it_is_the_one_seen(state: StateFile) -> None:
    assert state.create("job", "k", 1)
    assert not state.create("job", "k", 2)
    assert not state.swap("job", "k", 2, 3)
    assert state.swap("job", "k", 1, 3)
    assert state.get("job", "k") == 3


def test_the_file_is_private(state: StateFile, tmp_path: Path) -> None:
    state.put("token", "a", "secret-4711")
    path = tmp_path / "crm.state.json"
    if os.name != "posix":
        pytest.skip("There are no such modes.")
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    with pytest.raises(ConfigurationError, match="chmod 600") as caught:
        state.get("token", "a")
    assert "secret-4711" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "[]", '{"token": 1}', "{", "\udcff"])
def test_another_file_is_refused_and_left_alone(
    state: StateFile, tmp_path: Path, content: str
) -> None:
    path = tmp_path / "crm.state.json"
    path.write_text(content, errors="surrogateescape")
    path.chmod(0o600)
    for use in (lambda: state.get("token", "a"), lambda: state.put("token", "a", 1)):
        with pytest.raises(ConfigurationError, match="holds no state"):
            use()
    assert path.read_text(errors="surrogateescape") == content


def test_changes_of_many_threads_are_all_kept(tmp_path: Path) -> None:
    def add(name: str) -> None:
        own = StateFile(tmp_path / "crm.state.json")
        for number in range(10):
            own.put("plugin", f"{name}{number}", number)

    threads = [threading.Thread(target=add, args=(name,)) for name in "abcd"]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    kept = json.loads((tmp_path / "crm.state.json").read_text())["plugin"]
    assert kept == {f"{name}{number}": number for name in "abcd" for number in range(10)}


def test_a_lock_is_held_by_one_at_a_time(state: StateFile) -> None:
    with state.lock("a"):
        with pytest.raises(StorageError, match="not free"), state.lock("a", 0.0):
            pass
        with state.lock("b", 0.0):
            state.put("token", "a", 1)  # values can be changed under a lock
