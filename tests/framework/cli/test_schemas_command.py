"""`actions schemas`: files are written, and stale ones are reported."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from framework.cli.app import actions

NAMES = ("connection", "destination", "event", "mapping", "report", "subscription")


def test_files_are_written_once(tmp_path: Path) -> None:
    run = CliRunner()
    first = run.invoke(actions, ["schemas", "--out", str(tmp_path)])
    assert first.exit_code == 0, first.output
    for name in NAMES:
        assert f"Wrote {tmp_path / name}.schema.json" in first.stdout
        assert (tmp_path / f"{name}.schema.json").exists()
    second = run.invoke(actions, ["schemas", "--out", str(tmp_path)])
    assert (second.exit_code, second.stdout) == (0, "")


def test_stale_files_are_reported_and_left_alone(tmp_path: Path) -> None:
    run = CliRunner()
    run.invoke(actions, ["schemas", "--out", str(tmp_path)])
    stale = tmp_path / "event.schema.json"
    stale.write_text("{}", encoding="utf-8")
    checked = run.invoke(actions, ["schemas", "--check", "--out", str(tmp_path)])
    assert checked.exit_code == 1
    assert f"Stale: {stale}\nUpdate them with `actions schemas`.\n" in checked.stderr
    assert stale.read_text(encoding="utf-8") == "{}"


def test_fresh_files_pass_the_check(tmp_path: Path) -> None:
    run = CliRunner()
    run.invoke(actions, ["schemas", "--out", str(tmp_path)])
    checked = run.invoke(actions, ["schemas", "--check", "--out", str(tmp_path)])
    assert (checked.exit_code, checked.stdout) == (0, "")


def test_files_that_are_not_published_any_more_are_named(tmp_path: Path) -> None:
    gone = tmp_path / "gone.schema.json"
    gone.write_text("{}", encoding="utf-8")
    written = CliRunner().invoke(actions, ["schemas", "--out", str(tmp_path)])
    assert written.exit_code == 0
    assert f"No longer published: {gone}\n" in written.stderr
    assert gone.exists()
