"""Lists of identifiers: lines and columns, plain and packed, read several times."""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from framework import ConfigurationError
from framework.audiences import IdentifierList
from framework.audiences.identifier_lists import MAX_LINE
from framework.errors import StorageError


def lines_of(path: Path | str, column: str | None = None) -> list[tuple[int, str | None]]:
    with IdentifierList(str(path), column) as given:
        first, again = list(given.lines()), list(given.lines())
    assert first == again
    return first


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people.txt"


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_each_line_is_an_identifier(path: Path, pack: Callable[[bytes], bytes]) -> None:
    path.write_bytes(pack(b"\xef\xbb\xbfada@example.com\r\n\n  bob@example.com \n\xff\ncyd"))
    assert lines_of(path) == [
        (1, "ada@example.com"),
        (3, "bob@example.com"),
        (4, None),
        (5, "cyd"),
    ]


@pytest.mark.parametrize("more", [0, 1, MAX_LINE, MAX_LINE + 1])
def test_a_long_line_is_no_identifier(path: Path, more: int) -> None:
    path.write_bytes(b"ada\n" + b"b" * (MAX_LINE + more) + b"\ncyd\n")
    assert lines_of(path) == [(1, "ada"), (2, None), (3, "cyd")]


@pytest.mark.parametrize("delimiter", list(",;\t|"))
def test_a_column_holds_the_identifiers(path: Path, delimiter: str) -> None:
    rows = ['id,"E-mail",city', '1,ada@example.com,"Aix,\nBains"', "2", "", ",,", "3, bob ,x"]
    path.write_text("\n".join(rows).replace(",", delimiter), encoding="utf-8-sig")
    assert lines_of(path, "E-mail") == [(3, "ada@example.com"), (4, None), (7, "bob")]


def test_a_wrong_column_is_named_with_those_that_there_are(path: Path) -> None:
    path.write_text("id,mail\n1,ada\n")
    with pytest.raises(ConfigurationError, match=r"no column `email`.*which has `id`, `mail`\."):
        lines_of(path, "email")


def test_text_that_is_not_utf8_is_no_identifier(path: Path) -> None:
    path.write_bytes(b"mail\nb\xf6b\nada\n")
    assert lines_of(path, "mail") == [(2, None), (3, "ada")]


def test_standard_input_is_read_several_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"ada\nbob\n")))
    assert lines_of("-") == [(1, "ada"), (2, "bob")]


def test_a_damaged_list_is_told(path: Path) -> None:
    path.write_bytes(gzip.compress(b"ada\n" * 1000)[:-20])
    with pytest.raises(StorageError, match="cannot be read"):
        lines_of(path)
