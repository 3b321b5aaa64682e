"""The cache of a connection: values with an end, and one that keeps what is absent."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from framework.delivery import Cache


def test_a_value_is_kept_until_its_end() -> None:
    now = [0.0]
    cache = Cache(lambda: now[0])
    cache.set("token", "a", ttl=10)
    cache.set("id", None)
    now[0] = 9.9
    assert (cache.get("token"), cache.get("id", "none")) == ("a", None)
    now[0] = 10.0
    assert (cache.get("token"), cache.get("token", "none")) == (None, "none")
    cache.delete("id")
    cache.delete("unknown")
    assert cache.get("id", "none") == "none"


def test_what_is_there_stays_until_its_end() -> None:
    now = [0.0]
    cache = Cache(lambda: now[0])
    assert cache.set_if_absent("lock", "first", ttl=5)
    assert not cache.set_if_absent("lock", "second", ttl=100)
    assert cache.get("lock") == "first"
    now[0] = 5.0
    assert cache.set_if_absent("lock", "third")
    now[0] = 1e9
    assert not cache.set_if_absent("lock", "fourth")
    assert cache.get("lock") == "third"


def test_one_of_many_sets_what_is_absent() -> None:
    cache, start = Cache(), Barrier(8)

    def attempt(number: int) -> bool:
        start.wait()
        return cache.set_if_absent("lock", number)

    with ThreadPoolExecutor(8) as pool:
        won = [number for number, kept in enumerate(pool.map(attempt, range(8))) if kept]
    assert won == [cache.get("lock")]
