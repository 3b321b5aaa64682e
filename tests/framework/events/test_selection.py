"""Names of files, folders and patterns stand for events files, each once and in a known order."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from framework.errors import ConfigurationError, StorageError
from framework.events import select_files

Make: TypeAlias = Callable[..., None]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Make empty files in a folder, which is the working directory."""
    monkeypatch.chdir(tmp_path)

    def made(*names: str) -> None:
        for name in names:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).touch()

    return made


def test_files_keep_the_order_in_which_they_are_given(make: Make) -> None:
    make("b", "a")
    assert select_files(["b", "-", "a"]).names == ["b", "-", "a"]


def test_a_folder_stands_for_its_events_files_by_name(make: Make) -> None:
    make(
        "day/b.NDJSON", "day/a.json", "day/c.jsonl.gz", "day/d.json.gz", "day/e.ndjson.gz",
        "day/notes.txt", "day/.hidden.json", "day/inner/x.json", "day/f.jsonl",
    )  # fmt: skip
    Path("day/folder.json").mkdir()
    expected = ["a.json", "b.NDJSON", "c.jsonl.gz", "d.json.gz", "e.ndjson.gz", "f.jsonl"]
    assert select_files(["day"]).names == [f"day/{name}" for name in expected]
    assert select_files(["day/"]).names == [f"day/{name}" for name in expected]


def test_a_pattern_stands_for_what_it_matches_by_name(make: Make) -> None:
    make("day-2.log", "day-1.log", "other", "deep/er/day-3.log")
    assert select_files(["day-*"]).names == ["day-1.log", "day-2.log"]
    assert select_files(["**/day-*"]).names == ["day-1.log", "day-2.log", "deep/er/day-3.log"]


def test_a_name_that_exists_is_no_pattern(make: Make) -> None:
    make("[ab].json", "a.json")
    assert select_files(["[ab].json"]).names == ["[ab].json"]


def test_what_runs_write_is_left_out(make: Make) -> None:
    """A second run over a folder must not deliver its own files."""
    make(
        "day/a.ndjson", "day/a.ndjson.sale-01234567.checkpoint",
        "day/a.ndjson.sale-01234567.checkpoint.lock",
        "day/a.ndjson.sale-01234567.dead-letters.ndjson",
        "day/a.ndjson.sale-01234567.dead-letters.ndjson.dropped",
        "day/a.ndjson.sale-01234567.outcomes.ndjson", "day/told.ndjson",
    )  # fmt: skip
    for given in ("day", "day/*"):
        assert select_files([given], but=[Path("day/told.ndjson")]).names == ["day/a.ndjson"]


@pytest.mark.parametrize(
    ("given", "single"),
    [(["a.json"], True), (["-"], True), (["a.json", "b.json"], False), (["day"], False),
     (["a*.json"], False)],
)  # fmt: skip
def test_only_the_name_of_one_file_is_single(make: Make, given: list[str], *, single: bool) -> None:
    make("a.json", "b.json", "day/c.json")
    assert select_files(given).single is single


def test_a_missing_file_is_refused(make: Make) -> None:
    make("a.json")
    with pytest.raises(StorageError) as refused:
        select_files(["a.json", "b.json"])
    text = "The events file `b.json` cannot be read: No such file or directory."
    assert str(refused.value) == text


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (["a.json", "a.json"], "The events file `a.json` is given twice."),
        (["a.json", "./a.json"], "The events file `./a.json` is given twice, also as `a.json`."),
        (["a.json", "link.json"], "The events file `link.json` is given twice, also as `a.json`."),
        (["hard.json", "a.json"], "The events file `a.json` is given twice, also as `hard.json`."),
        (["day", "day/b.json"], "The events file `day/b.json` is given twice."),
        (["-", "a.json", "-"], "Standard input is given twice."),
    ],
)
def test_a_repeated_file_is_refused(make: Make, given: list[str], text: str) -> None:
    make("a.json", "day/b.json")
    Path("link.json").symlink_to("a.json")
    os.link("a.json", "hard.json")
    with pytest.raises(ConfigurationError) as refused:
        select_files(given)
    assert str(refused.value) == f"{text} Name each file once."


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("none*", "No events file matches `none*`."),
        (
            "day",
            (
                "The folder `day` {none} To read other files in it, give a quoted pattern, such as "
                "'day/*.txt'."
            ),
        ),
        (
            "days",
            (
                "The folder `days` {none} To read other files in it, give a quoted pattern, such "
                "as 'days/**/*.gz'."
            ),
        ),
        ("drafts", "The folder `drafts` {none}"),
        ("empty", "The folder `empty` {none}"),
    ],
)
def test_what_stands_for_no_file_is_refused(make: Make, given: str, text: str) -> None:
    make("day/notes.txt", "days/1/a.log.gz", "drafts/.hidden", "drafts/a.tmp", "a.json")
    Path("empty").mkdir()
    with pytest.raises(ConfigurationError) as refused:
        select_files(["a.json", given])
    none = "holds no events files (*.ndjson, *.jsonl, *.json, each also with .gz)."
    assert str(refused.value) == text.format(none=none)
