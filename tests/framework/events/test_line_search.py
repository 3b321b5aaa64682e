"""A line of a plain file is found by its number."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.events import Position, find_line, line_search


@given(
    content=st.text("ab\n\r", max_size=60).map(str.encode),
    number=st.integers(1, 40),
    block=st.integers(1, 9),
)
def test_a_line_begins_where_splitting_says(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, number: int, block: int
) -> None:
    path = tmp_path_factory.mktemp("found") / "events"
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_search, "_BLOCK", block)
        found = find_line(path, number)
    ended = content.split(b"\n")[:-1]
    before = ended[: number - 1]
    assert found == Position(sum(len(line) + 1 for line in before), len(before))


def test_lines_are_found_beyond_a_block(tmp_path: Path) -> None:
    path = tmp_path / "events"
    path.write_bytes(b"x" * 99 + b"\n" + (b"y" * 299_999 + b"\n") * 10)
    assert find_line(path, 8) == Position(100 + 6 * 300_000, 7)
