"""`actions run` over several files: in order, with a checkpoint each, and none overtaken."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from click.testing import Result

from framework.cli import exits
from framework.sandbox import Fault, Sandbox

Actions: TypeAlias = Callable[..., Result]
Things: TypeAlias = Callable[[str, Iterable[str]], Path]


@pytest.fixture
def things(tmp_path: Path) -> Things:
    """Write a file of ordered things, or with the end of its name, a compressed one."""

    def write(name: str, ordered: Iterable[str]) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        events = [{"type": "track", "properties": {"thing": one}} for one in ordered]
        content = "".join(json.dumps(one) + "\n" for one in events).encode()
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
        return path

    return write


@pytest.fixture
def deliver(run_actions: Actions, connection: Path, shop: str) -> Actions:
    def run(*arguments: object) -> Result:
        return run_actions("run", "-c", connection, "--endpoint", shop, *arguments)

    return run


def kept(path: Path) -> dict[str, Any]:
    """Return the only checkpoint of an events file."""
    (checkpoint,) = path.parent.glob(f"{path.name}.spring-sale-????????.checkpoint")
    found: dict[str, Any] = json.loads(checkpoint.read_text())
    return found


def test_files_are_delivered_in_the_order_given(
    deliver: Actions, things: Things, shop_sandbox: Sandbox
) -> None:
    late, early = things("a.ndjson", ["tea", "milk"]), things("b.ndjson", ["bread"])
    result = deliver("-e", early, "-e", late)
    assert shop_sandbox.state()["sold"] == ["bread", "tea", "milk"]
    assert result.exit_code == exits.DONE
    assert (kept(early)["finished"], kept(early)["read"]["lines"]) == (True, 1)
    assert (kept(late)["finished"], kept(late)["read"]["lines"]) == (True, 2)
    assert kept(late)["calls"] == {"POST shop.example/orders": 2}
    shown = [" ".join(line.split()) for line in result.stdout.splitlines() if "─" not in line]
    ends = [line.partition(" in ")[0] for line in shown if line.startswith("Done")]
    assert ends == ["Done: 1 line", "Done: 2 lines"]
    assert [line for line in shown if line.startswith(("/", "Orders", "POST"))] == [
        str(early), "Orders delivered 1", "POST shop.example/orders 1",
        str(late), "Orders delivered 2", "POST shop.example/orders 2",
    ]  # fmt: skip


@pytest.mark.parametrize("options", [[], ["--threads", "3"], ["--processes", "2"]])
def test_a_folder_is_delivered_by_name_and_not_again(
    deliver: Actions, things: Things, shop_sandbox: Sandbox, options: list[str]
) -> None:
    """Its checkpoints and dead letters are no events."""
    for name in ("day/3.jsonl.gz", "day/1.ndjson", "day/2.json"):
        things(name, [f"{name} a", f"{name} poison", f"{name} b"])
    folder = things("day/4.ndjson", ["poison"]).parent
    result = deliver("-e", folder, *options)
    assert sorted(shop_sandbox.state()["sold"]) == [
        f"day/{name} {one}"
        for name in ("1.ndjson", "2.json", "3.jsonl.gz")
        for one in ("a", "b", "poison")
    ]
    assert result.exit_code == exits.FAILED
    letters = list(folder.glob("*.dead-letters.ndjson"))
    assert [one.name[:8] for one in letters] == ["4.ndjson"]
    sold = shop_sandbox.state()["sold"]
    again = deliver("-e", folder, "--json", *options)
    assert shop_sandbox.state()["sold"] == sold
    assert [Path(one["events"]).name for one in json.loads(again.stdout)["files"]] == [
        "1.ndjson", "2.json", "3.jsonl.gz", "4.ndjson",
    ]  # fmt: skip


def test_what_is_held_in_one_file_is_not_overtaken_by_the_next(
    deliver: Actions, things: Things, shop_sandbox: Sandbox
) -> None:
    first, second, third = (things(f"{n}.ndjson", [f"tea {n}", f"milk {n}"]) for n in (1, 2, 3))
    shop_sandbox.inject(Fault("closed", "order", call=4))
    files = ["-e", first, "-e", second, "-e", third]
    result = deliver(*files, "--retry-for", "0")
    assert result.exit_code == exits.UNAVAILABLE
    assert shop_sandbox.state()["sold"] == ["tea 1", "milk 1", "tea 2"]
    assert result.stdout.endswith(
        f"Not started, so that nothing overtakes what has no result yet: `{third}`.\n"
    )
    assert list(third.parent.glob("3.ndjson.*")) == []
    assert kept(second)["unsettled"] == {"0": "2"}
    again = deliver(*files)
    assert again.exit_code == exits.DONE
    assert shop_sandbox.state()["sold"] == [
        "tea 1", "milk 1", "tea 2", "milk 2", "tea 3", "milk 3",
    ]  # fmt: skip


def test_a_refused_connection_starts_no_other_file(
    deliver: Actions, connection: Path, things: Things, shop_sandbox: Sandbox
) -> None:
    connection.write_text(connection.read_text().replace("${env:SHOP_KEY}", "wrong"))
    first, second = things("a.ndjson", ["tea"]), things("b.ndjson", ["milk"])
    result = deliver("-e", first, "-e", second, "--json")
    told = json.loads(result.stdout)
    assert [(one["events"], one["exitCode"]) for one in told["files"]] == [(str(first), 4)]
    assert (told["notStarted"], told["exitCode"]) == ([str(second)], 4)
    assert result.exit_code == exits.REFUSED
    assert shop_sandbox.state()["sold"] == []


def test_failures_for_good_hold_nothing_and_the_worst_code_is_returned(
    deliver: Actions, things: Things, shop_sandbox: Sandbox
) -> None:
    result = deliver(
        "-e", things("a.ndjson", ["poison"]), "-e", things("b.ndjson", ["tea"]), "--json"
    )
    told = json.loads(result.stdout)
    assert [one["exitCode"] for one in told["files"]] == [exits.FAILED, exits.DONE]
    assert [one["outcomes"] for one in told["files"]] == [{"failed": 1}, {"delivered": 1}]
    assert [one["calls"] for one in told["files"]] == [{"POST shop.example/orders": 1}] * 2
    assert (told["exitCode"], told["notStarted"]) == (exits.FAILED, [])
    assert result.exit_code == exits.FAILED
    assert shop_sandbox.state()["sold"] == ["tea"]


@pytest.mark.parametrize(("more", "code"), [("none", exits.STORAGE), ("a.ndjson", exits.USAGE)])
def test_a_missing_or_repeated_file_is_refused_before_anything_is_sent(
    deliver: Actions, things: Things, shop_sandbox: Sandbox, more: str, code: int
) -> None:
    first = things("a.ndjson", ["tea"])
    result = deliver("-e", first, "-e", first.with_name(more))
    assert (result.exit_code, result.stdout) == (code, "")
    assert shop_sandbox.state()["sold"] == []


def test_a_file_that_cannot_be_read_on_ends_the_run_after_telling_of_the_others(
    deliver: Actions, things: Things, shop_sandbox: Sandbox
) -> None:
    first, second, third = (things(f"{n}.ndjson.gz", [f"tea {n}"]) for n in (1, 2, 3))
    second.write_bytes(second.read_bytes()[:-12])
    result = deliver("-e", first, "-e", second, "-e", third, "--json")
    told = json.loads(result.stdout)
    assert [one["events"] for one in told["files"]] == [str(first)]
    assert told["notStarted"] == [str(second), str(third)]
    assert told["exitCode"] == result.exit_code == exits.STORAGE
    assert "is damaged or incomplete gzip" in result.stderr
    assert shop_sandbox.state()["sold"][0] == "tea 1"
    assert "tea 3" not in shop_sandbox.state()["sold"]


def test_a_limit_counts_the_lines_of_all_files(
    deliver: Actions, things: Things, shop_sandbox: Sandbox
) -> None:
    first, second = things("a.ndjson", ["tea", "milk"]), things("b.ndjson", ["bread", "salt"])
    files = ["-e", first, "-e", second]
    result = deliver(*files, "--limit", "3")
    assert shop_sandbox.state()["sold"] == ["tea", "milk", "bread"]
    assert (result.exit_code, kept(second)["read"]["lines"]) == (exits.DONE, 1)
    again = deliver(*files, "--limit", "1", "--json")
    assert shop_sandbox.state()["sold"] == ["tea", "milk", "bread", "salt"]
    assert [one["lines"] for one in json.loads(again.stdout)["files"]] == [2, 2]


def test_a_limit_that_ends_with_a_file_starts_no_other(
    deliver: Actions, things: Things, shop_sandbox: Sandbox
) -> None:
    first, second = things("a.ndjson", ["tea"]), things("b.ndjson", ["milk"])
    result = deliver("-e", first, "-e", second, "--limit", "1")
    assert shop_sandbox.state()["sold"] == ["tea"]
    assert result.stdout.endswith(f"Not started: `{second}`.\n")


def test_several_files_have_outcomes_checkpoints_and_dead_letters_of_their_own(
    deliver: Actions, things: Things, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    files = ["-e", things("a.ndjson", ["tea", "poison"]), "-e", things("b.ndjson", ["milk"])]
    folders = ["--outcomes", out, "--checkpoint", out, "--dead-letters", out]
    assert deliver(*files, *folders).exit_code == exits.FAILED
    names = sorted(one.name for one in out.iterdir())
    assert [re.sub(r"\.spring-sale-[0-9a-f]{8}", "", name) for name in names] == [
        "a.ndjson.checkpoint", "a.ndjson.dead-letters.ndjson", "a.ndjson.outcomes.ndjson",
        "b.ndjson.checkpoint", "b.ndjson.outcomes.ndjson",
    ]  # fmt: skip
    rows = [json.loads(line) for name in names if "outcomes" in name
            for line in (out / name).read_text().splitlines()]  # fmt: skip
    assert [(one["line"], one["outcome"]) for one in rows] == [
        (1, "delivered"), (2, "failed"), (1, "delivered"),
    ]  # fmt: skip
    assert list(tmp_path.glob("*.checkpoint")) == []


@pytest.mark.parametrize("flag", ["--outcomes", "--checkpoint", "--dead-letters"])
def test_several_files_do_not_share_a_file_that_is_written(
    deliver: Actions, things: Things, tmp_path: Path, shop_sandbox: Sandbox, flag: str
) -> None:
    first, second = things("a.ndjson", ["tea"]), things("day/a.ndjson", ["milk"])
    result = deliver("-e", first, "-e", second, flag, tmp_path / "out")
    text = f"{flag} must name an existing folder where --events names several files"
    assert (result.exit_code, text in result.stderr) == (exits.USAGE, True)
    (tmp_path / "out").mkdir()
    result = deliver("-e", first, "-e", second, flag, tmp_path / "out")
    text = f"`{first}` and `{second}` have the same name, so {flag} would write one file for both."
    assert (result.exit_code, text in result.stderr) == (exits.USAGE, True)
    assert shop_sandbox.state()["sold"] == []


def test_a_dry_run_shows_the_requests_of_all_files(
    run_actions: Actions, connection: Path, things: Things, tmp_path: Path
) -> None:
    files = ["-e", things("a.ndjson", ["tea"]), "-e", things("b.ndjson", ["milk"])]
    before = sorted(tmp_path.iterdir())
    result = run_actions("run", "-c", connection, *files, "--dry-run")
    assert (result.exit_code, result.stdout.count("POST /orders")) == (exits.DONE, 2)
    assert sorted(tmp_path.iterdir()) == before


def test_the_first_line_is_one_of_a_single_file(
    deliver: Actions, things: Things, shop_sandbox: Sandbox
) -> None:
    files = ["-e", things("a.ndjson", ["tea"]), "-e", things("b.ndjson", ["milk"])]
    result = deliver(*files, "--from-line", "2")
    text = "--from-line applies to one file, but --events names several.\n"
    assert (result.exit_code, result.stderr.endswith(text)) == (exits.USAGE, True)
    assert shop_sandbox.state()["sold"] == []
