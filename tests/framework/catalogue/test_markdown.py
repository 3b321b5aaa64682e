"""Texts of others are shown in Markdown as they are, in lines, tables and code."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from framework.catalogue.markdown import code, heading, items, joined, table, text
from framework.controls import visible
from tests.framework.catalogue.rendered import render, shown, tables, tags

NASTY = st.text(alphabet="\\`*_~[]()<>|#+-=.!&;:@$\"'{}0aZ \n\t\r/", max_size=30) | st.text(
    max_size=30
)


def plain(value: str) -> str:
    return " ".join(visible(value).split())


@given(NASTY)
@example("1. one")
@example("2) two")
@example("---")
@example("# title")
@example("<script>alert(1)</script>")
@example("[a](javascript:b)")
@example("![a](b)")
@example("&amp; &#124;")
@example("a\\")
@example("__init__ snake_case *x*")
@example("===")
def test_a_text_is_read_as_it_was_written(value: str) -> None:
    assert shown(render(text(value))) == plain(value)
    assert tags(text(value)) <= {"p"}
    assert tables(table(("a", "b"), [(text(value), "x")]))[0][1] == [plain(value), "x"]
    assert shown(render(heading(2, text(value)))) == plain(value)
    assert tags(items([text(value)])) <= {"ul", "li"}


@given(NASTY)
@example("^(a|b)$")
@example("a\\|b")
@example("```")
@example("`|`")
@example("\\")
def test_code_is_read_as_it_was_written(value: str) -> None:
    assert shown(render(code(value))) == plain(value)
    assert tags(f"x {code(value)}") <= {"p", "code"}
    assert tables(table(("a", "b"), [(code(value), code(value))]))[0][1] == [plain(value)] * 2


@pytest.mark.parametrize(
    ("parts", "expected"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_parts_are_joined(parts: list[str], expected: str) -> None:
    assert joined(parts) == expected
