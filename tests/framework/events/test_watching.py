"""Watched files are found as they appear and grow, each once and in a known order."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from framework.errors import StorageError
from framework.events import FileState, WatchedFiles

OLD = 1_700_000_000_000_000_000


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working directory, which is empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(*names: str) -> None:
    for name in names:
        path = Path(name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(path.name.encode())
        os.utime(path, ns=(OLD, OLD))


def settle(watched: WatchedFiles, name: str) -> None:
    watched.settle(name, FileState.of(Path(name).stat()))


def looked(watched: WatchedFiles) -> list[str]:
    watched.look()
    return watched.unread()


def test_files_that_appear_together_are_in_the_order_of_their_names(folder: Path) -> None:
    make("b/2.ndjson", "b/1.ndjson", "a/3.ndjson", "late.log")
    watched = WatchedFiles(["late.log", "b", "a/*.ndjson"])
    first = ["late.log", "b/1.ndjson", "b/2.ndjson", "a/3.ndjson"]
    assert looked(watched) == first
    make("b/0.ndjson", "a/1.ndjson")
    assert looked(watched) == [*first, "b/0.ndjson", "a/1.ndjson"]
    assert watched.next() == "late.log"
    assert folder.exists()


def test_a_file_is_unread_again_when_it_grows_behind_those_that_wait(folder: Path) -> None:
    make("1.ndjson", "2.ndjson", "3.ndjson")
    watched = WatchedFiles([str(folder)])
    names = looked(watched)
    settle(watched, names[0])
    assert looked(watched) == names[1:]
    Path(names[0]).write_bytes(b"more than before")
    assert looked(watched) == [*names[1:], names[0]]


def test_what_is_not_to_be_delivered_is_left_out(folder: Path) -> None:
    make(
        "in/.hidden.ndjson", "in/a.log", "in/a.log.1", "in/a.log.2.gz", "in/b.log.1",
        "in/c.log.tmp", "in/d.log.part", "in/e.log.crdownload", "in/chosen.log",
        "in/a.log.sale-01234567.checkpoint", "in/a.log.sale-01234567.dead-letters.ndjson",
    )  # fmt: skip
    Path("in/folder.log").mkdir()
    Path("in/link.log").symlink_to("a.log")
    Path("in/nowhere.log").symlink_to("nothing")
    watched = WatchedFiles(["in/*"], [Path("in/chosen.log")])
    assert looked(watched) == ["in/a.log", "in/b.log.1"]
    assert looked(WatchedFiles(["in/a.log", "in/a.log.1"])) == ["in/a.log", "in/a.log.1"]
    assert folder.exists()


def test_a_postponed_file_is_left_out_for_a_moment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("framework.events.watching.time.monotonic", lambda: now[0])
    make("1.log", "2.log")
    watched = WatchedFiles(["*.log"])
    assert watched.next() == "1.log"
    watched.postpone("1.log")
    assert (watched.next(), watched.others_wait("2.log")) == ("2.log", False)
    now[0] += 1.0
    assert (watched.next(), watched.others_wait("2.log")) == ("1.log", True)
    assert folder.exists()


def test_a_file_is_quiet_by_its_time_or_after_a_while(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clocks of file servers may be ahead."""
    now = [100.0]
    monkeypatch.setattr("framework.events.watching.time.monotonic", lambda: now[0])
    make("old.log", "new.log")
    os.utime("new.log", ns=(2 * OLD, 2 * OLD))
    watched = WatchedFiles(["*.log"])
    watched.look()
    assert (watched.is_quiet("old.log"), watched.is_quiet("new.log")) == (True, False)
    now[0] += 1.5
    Path("new.log").write_bytes(b"longer than before")
    os.utime("new.log", ns=(2 * OLD, 2 * OLD))
    watched.look()
    now[0] += 1.5
    watched.look()
    assert not watched.is_quiet("new.log")
    now[0] += 0.5
    assert watched.is_quiet("new.log")
    assert folder.exists()


def test_files_that_are_gone_before_they_were_read_are_named_once(folder: Path) -> None:
    make("read.log", "unread.log", "current.log", "moved.log", "replaced.log")
    watched = WatchedFiles(["*.log"])
    watched.look()
    settle(watched, "read.log")
    settle(watched, "replaced.log")
    Path("replaced.log").write_bytes(b"more")
    watched.look()
    for name in ("read.log", "unread.log", "current.log"):
        Path(name).unlink()
    Path("moved.log").rename("by-this-name.log")
    make("new.log")
    Path("new.log").replace("replaced.log")
    watched.look("current.log")
    assert watched.take_missed() == ["unread.log"]
    assert watched.take_missed() == []
    assert (watched.knows("read.log"), watched.knows("replaced.log")) == (True, False)
    assert folder.exists()


@pytest.mark.parametrize("given", ["in", "in/*.log", "in/de*/*.log"])
def test_a_folder_that_is_removed_is_an_error(folder: Path, given: str) -> None:
    make("in/a.log")
    watched = WatchedFiles([given])
    watched.look()
    Path("in/a.log").unlink()
    Path("in").rmdir()
    watched.forget("in/a.log")
    assert watched.others_wait("in/a.log")
    with pytest.raises(StorageError, match="The folder of events `in` cannot be read: No such"):
        watched.next()
    assert folder.exists()
