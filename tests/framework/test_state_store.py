"""State in memory keeps the contract of stores."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from framework.errors import StorageError
from framework.state_store import MemoryState, StateStore


@pytest.fixture
def state() -> StateStore:
    return MemoryState()


def test_values_are_kept_by_kind_and_key(state: StateStore) -> None:
    state.put("token", "b", 2)
    state.put("token", "a", {"x": 1})
    state.put("audience", "a", "17")
    assert (state.get("token", "a"), state.get("audience", "a")) == ({"x": 1}, "17")
    assert (state.keys("token"), state.keys("job")) == (["a", "b"], [])
    assert [state.delete("token", "a") for _ in range(2)] == [True, False]
    assert state.get("token", "a") is None


def test_a_value_is_created_once_and_swapped_if_it_is_the_one_seen(state: StateStore) -> None:
    assert [state.create("job", "k", value) for value in (1, 2)] == [True, False]
    assert not state.swap("job", "k", 2, 3)
    assert state.swap("job", "k", 1, 3)
    assert state.get("job", "k") == 3


def test_a_value_is_a_copy(state: StateStore) -> None:
    value = {"list": [1]}
    state.put("plugin", "k", value)
    value["list"].append(2)
    state.get("plugin", "k")["list"].append(3)
    assert state.get("plugin", "k") == {"list": [1]}


def test_a_lock_excludes_other_threads(state: StateStore) -> None:
    def wait(key: str) -> str:
        with state.lock(key, patience=0.0):
            return key

    with ThreadPoolExecutor(1) as other:
        with state.lock("a"):
            assert other.submit(wait, "b").result() == "b"
            with pytest.raises(StorageError, match="in use"):
                other.submit(wait, "a").result()
        assert other.submit(wait, "a").result() == "a"
