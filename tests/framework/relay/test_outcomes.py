"""Outcome lines are neither lost nor duplicated, whatever happens between checkpoints."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from framework.errors import ConfigurationError, StorageError
from framework.events.decoding import Rejected
from framework.relay.outcomes import OutcomeFile
from framework.results import DELIVERED, Delivered, Failed, Result, Skipped
from framework.storage import write_durably

FAILED = Failed(400, "BAD", "It is bad.", problems=("One.", "Two."))


def rows(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_outcome_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "out.ndjson"
    results: list[Result] = [DELIVERED, FAILED, Skipped("NO_MATCH", "It did not match.")]
    with OutcomeFile(path) as out:
        for line, result in enumerate(results, 1):
            out.add([line], [f"m{line}"], 'Add "users"', result)
        out.add([4], [{"no": "text"}], "Remove", Delivered(202, {"id": 7}))
        out.reject(Rejected(5, 900, "The line is nested deeper than 200 levels."))
        assert out.flush() == path.stat().st_size
    add = {"subscription": 'Add "users"'}
    assert rows(path) == [
        {"line": 1, "messageId": "m1", **add, "outcome": "delivered", "status": 200},
        {"line": 2, "messageId": "m2", **add, **FAILED.to_json()},
        {
            "line": 3,
            "messageId": "m3",
            **add,
            "outcome": "skipped",
            "code": "NO_MATCH",
            "message": "It did not match.",
        },
        {
            "line": 4,
            "messageId": None,
            "subscription": "Remove",
            "outcome": "delivered",
            "status": 202,
            "body": {"id": 7},
        },
        {
            "line": 5,
            "messageId": None,
            "subscription": None,
            "outcome": "rejected",
            "message": "The line is nested deeper than 200 levels.",
            "offset": 900,
        },
    ]


def test_many_outcomes_are_noted_at_once(tmp_path: Path) -> None:
    path = tmp_path / "out.ndjson"
    message_ids: list[Any] = ["é", "100 %s", 7, 2**70, True, None, ["m"]]
    with OutcomeFile(path) as out:
        out.add(range(3, 3 + 700 * 7), message_ids * 700, "100 % of users", FAILED)
        out.flush()
    shown = ["é", "100 %s", 7, None, True, None, None] * 700
    assert rows(path) == [
        {"line": line, "messageId": one, "subscription": "100 % of users", **FAILED.to_json()}
        for line, one in enumerate(shown, 3)
    ]


def test_a_result_that_differs_is_never_written_as_the_one_before(tmp_path: Path) -> None:
    """Rows of one subscription share their end only while the result is the same object."""
    path = tmp_path / "out.ndjson"
    codes = ["A", "B", "A", "B"]
    with OutcomeFile(path) as out:
        for line, code in enumerate(codes):
            out.add([line], [None], "x" if line % 3 else "y", Skipped(code, "Why."))
        out.flush()
    assert [row["code"] for row in rows(path)] == codes


def test_what_was_written_after_the_checkpoint_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "out.ndjson"
    with OutcomeFile(path) as out:
        out.add([1], ["a"], "s", DELIVERED)
        length = out.flush()
        out.sync()
        out.add([2], ["b"], "s", DELIVERED)
        out.flush()
    with path.open("ab") as file:
        file.write(b'{"half')
    with OutcomeFile(path, length) as out:
        out.add([2], ["b"], "s", DELIVERED)
        out.add([3], ["c"], "s", DELIVERED)
        assert out.flush() == path.stat().st_size
    assert [row["line"] for row in rows(path)] == [1, 2, 3]


def test_large_outcomes_go_to_disk_before_they_are_flushed(tmp_path: Path) -> None:
    path = tmp_path / "out.ndjson"
    with OutcomeFile(path) as out:
        for line in range(10_000):
            out.add([line], ["m"], "s", DELIVERED)
        assert path.stat().st_size > 500_000
        length = out.flush()
    assert length == path.stat().st_size
    assert [row["line"] for row in rows(path)] == list(range(10_000))


def test_a_new_run_begins_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "out.ndjson"
    path.write_text("old\n")
    with OutcomeFile(path) as out:
        assert out.flush() == 0
    assert path.read_text() == ""


@pytest.mark.parametrize("content", [None, b"short"])
def test_a_file_that_lost_outcomes_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "out.ndjson"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        OutcomeFile(path, 2000)
    size = len(content or b"")
    assert str(caught.value) == (
        f"The outcome file `{path}` has {size} bytes, fewer than the 2,000 that were written when "
        "the run stopped. Restore it, or deliver the whole file again with --restart."
    )


def test_a_file_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError) as caught:
        OutcomeFile(tmp_path)
    assert str(caught.value) == f"The outcome file `{tmp_path}` cannot be written: Is a directory."


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_a_full_disk_is_a_clear_error() -> None:
    with OutcomeFile("/dev/full") as out:
        out.add([1], ["m"], "s", DELIVERED)
        with pytest.raises(StorageError) as caught:
            out.flush()
    assert str(caught.value) == (
        "The outcome file `/dev/full` cannot be written: No space left on device. "
        "Free some space, then run the command again."
    )


CONTROLS = "\x07\x08\r\x1b\x7f\x9b\u061c\u200f\u2028\u202e\u2066\ufeff"


def test_control_characters_are_escaped(tmp_path: Path) -> None:
    """In message IDs, results and rejected lines; their values stay."""
    path = tmp_path / "out.ndjson"
    with OutcomeFile(path) as out:
        out.add([1], [f"m{CONTROLS}"], "Add", Failed(400, "BAD", f"Bad{CONTROLS}"))
        out.reject(Rejected(2, 9, f"Worse{CONTROLS}"))
        assert out.flush() == path.stat().st_size
    text = path.read_text("utf-8")
    assert text.replace("\n", "").isprintable()
    first, second = rows(path)
    assert (first["messageId"], first["message"]) == (f"m{CONTROLS}", f"Bad{CONTROLS}")
    assert second["message"] == f"Worse{CONTROLS}"


def test_a_new_file_is_private_and_an_existing_one_keeps_its_mode(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with OutcomeFile(tmp_path / "new"):
            pass
        (tmp_path / "old").touch(0o640)
        with OutcomeFile(tmp_path / "old"):
            pass
        with OutcomeFile(tmp_path / "old", 0):
            pass
        for name, mode in (("checkpoint", None), ("shared", 0o644)):
            if mode:
                (tmp_path / name).touch(mode)
            write_durably(tmp_path / name, b"content")
            write_durably(tmp_path / name, b"more")
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"new": 0o600, "old": 0o640, "checkpoint": 0o600, "shared": 0o644}
