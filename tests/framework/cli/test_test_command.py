"""`actions test` runs mapping tests, shows differences, and updates what is expected."""

from __future__ import annotations

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
