"""Whatever the ledger knows and the partner has, a mirror and a repair end in what shall be."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from destinations.criteo_audiences.sandbox import CriteoSandbox
from framework.sandbox import serve
from tests.framework.cli.audience_bench import AudienceBench, address

State: TypeAlias = tuple[bool, bool, bool] | None
"""Whether a person is wanted, whether that is confirmed, and if not, whether the partner has them.

None if the ledger does not know the person.
"""
PEOPLE = 8
states = st.lists(
    st.none() | st.tuples(st.booleans(), st.booleans(), st.booleans()),
    min_size=PEOPLE,
    max_size=PEOPLE,
)
people = st.sets(st.integers(0, PEOPLE - 1))
forms = st.sampled_from([str, str.upper, "  {} ".format])


@pytest.fixture(scope="module")
def criteo() -> CriteoSandbox:
    return CriteoSandbox()


@pytest.fixture(scope="module")
def url(criteo: CriteoSandbox) -> Iterator[str]:
    with serve(criteo) as server:
        yield server.url


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    return (tmp_path_factory.mktemp("example") for _ in itertools.count())


def prepared(folder: Path, criteo: CriteoSandbox, url: str, known: list[State]) -> AudienceBench:
    """Return a bench whose ledger and partner have people in these states."""
    criteo.reset()
    bench = AudienceBench(folder, criteo, url)
    ledger = {address(who): one[:2] for who, one in enumerate(known) if one}
    bench.know(ledger)
    there = [
        address(who) for who, one in enumerate(known) if one and (one[0] if one[1] else one[2])
    ]
    criteo.add_segment("spring", members=there)
    return bench


def identifiers_sent(criteo: CriteoSandbox) -> int:
    """Return the number of identifiers in all amendments."""
    return sum(call.note.get("add", 0) + call.note.get("remove", 0) for call in criteo.requests)


@given(known=states, listed=people, form=forms)
@settings(max_examples=40)
def test_a_mirror_ends_equal_with_the_fewest_identifiers(
    criteo: CriteoSandbox, url: str, folders: Iterator[Path], known: list[State],
    listed: set[int], form: object,
) -> None:  # fmt: skip
    """Sent is who is not in yet, who is not out yet, and who is not confirmed; once each."""
    assert callable(form)
    bench = prepared(next(folders), criteo, url, known)
    path = bench.write("list.txt", [form(address(who)) for who in sorted(listed)] * 2)
    former = bench.write("former.txt", map(address, range(PEOPLE)))
    told = bench.told(
        "mirror", "--name", "spring", "--members", path, "--previous", former,
        "--max-removals", "100%", "--yes",
    )  # fmt: skip
    assert criteo.members("spring") == {address(who) for who in listed}
    needed = [
        who
        for who, one in enumerate(known)
        if (one is not None or who in listed)
        and one not in {(who in listed, True, True), (who in listed, True, False)}
    ]
    assert identifiers_sent(criteo) == len(needed)
    assert told["listed"] == told["repeated"] == len(listed)
    again = bench.told("mirror", "--name", "spring", "--members", path, "--yes")
    assert (again["results"], again["unchanged"]) == ([], len(listed))


@given(known=states, there=people)
@settings(max_examples=40)
def test_a_repair_after_damage_and_a_clear_ends_equal(
    criteo: CriteoSandbox, url: str, folders: Iterator[Path], known: list[State], there: set[int]
) -> None:
    """Whoever was added or removed at the partner by hand, of those whom the ledger knows."""
    bench = prepared(next(folders), criteo, url, known)
    criteo.clear()
    criteo.add_segment("spring", members=[address(who) for who in there if known[who]])
    if any(known):
        bench.run("clear", "spring")
    everybody = bench.write("list.txt", map(address, range(PEOPLE)))
    told = bench.told("repair", "--list", everybody, "--yes")
    assert told["withoutIdentifier"] == 0
    wanted = {address(who) for who, one in enumerate(known) if one and one[0]}
    assert criteo.members("spring") == wanted
    assert identifiers_sent(criteo) == sum(one is not None for one in known)
    assert bench.told("repair", "--list", everybody, "--yes")["results"] == []
