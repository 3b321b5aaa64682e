"""`actions test` runs mapping tests, shows differences, and updates what is expected."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from framework.cli.app import actions

EXAMPLES = Path(__file__).parents[3] / "examples" / "criteo"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("criteo.connection.yaml", "criteo.test.yaml"):
        shutil.copy(EXAMPLES / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_examples_pass(folder: Path) -> None:
    result = CliRunner().invoke(actions, ["test", str(folder)])

    assert result.output.splitlines()[-1] == "3 passed, 0 failed"
    assert result.exit_code == 0


def test_a_difference_is_shown_and_can_be_taken_over(folder: Path) -> None:
    """Differences are shown; `--update` saves the actual results, and the test passes."""
    file = folder / "criteo.test.yaml"
    good = file.read_text(encoding="utf-8")
    file.write_text(good.replace("audience_key: spring_sale\n          event", "event"))

    failed = CliRunner().invoke(actions, ["test"])
    updated = CliRunner().invoke(actions, ["test", "--update"])

    assert failed.exit_code == 1
    assert (
        '    expect[0]["Add users"].payload.audience_key: expected nothing, got "spring_sale"'
        in failed.output.splitlines()
    )
    assert updated.exit_code == 0
    assert updated.output.splitlines()[-1] == "2 passed, 1 updated"
    assert file.read_text(encoding="utf-8") == good


def test_a_folder_without_tests_is_reported(tmp_path: Path) -> None:
    result = CliRunner().invoke(actions, ["test", str(tmp_path)])

    assert (
        "No `*.test.yaml` files found. Name a test file or a folder that holds one."
        in result.output
    )
    assert result.exit_code == 2


CANNOT_PASS = """\
connection: criteo.connection.yaml
environment: {CRITEO_CLIENT_ID: any, CRITEO_CLIENT_SECRET: any}
tests:
  - events: [{type: page}]
    expect: [{Add user: {}}]
  - events: [{type: page}]
    expect: [{Add users: {code: X}, (deletions): {outcome: delivered, code: X}}]
  - events: [{type: page}]
    expect: [{Remove users: {outcome: failed, code: X}, Add users: null, zzz: {}}]
"""


def test_tests_that_cannot_pass_are_told(folder: Path) -> None:
    """By `validate` and by `test`, which runs them nevertheless and can update them."""
    (folder / "x.test.yaml").write_text(CANNOT_PASS)
    validated = CliRunner().invoke(actions, ["validate", "x.test.yaml"])
    tested = CliRunner().invoke(actions, ["test", "x.test.yaml"])
    assert (validated.exit_code, tested.exit_code) == (0, 1)
    for output in (validated.output, tested.output):
        assert re.findall(r"x\.test\.yaml:(\d+:\d+)", output) == ["7:27", "7:71", "5:15", "9:74"]
        assert output.count("The test cannot pass: the outcome `delivered` has no code.") == 2
        assert "there is no enabled subscription `Add user`." in output
        assert "Did you mean `Add users`?" in output
        assert "there is no enabled subscription `zzz`." in output
        assert "Known names: Add users, Remove users, (deletions)." in output
    updated = CliRunner().invoke(actions, ["test", "x.test.yaml", "--update"])
    assert updated.output.splitlines()[-1] == "0 passed, 3 updated"
    again = CliRunner().invoke(actions, ["test", "x.test.yaml"])
    assert again.output.splitlines()[-1] == "3 passed, 0 failed"
    assert "cannot pass" not in again.output
