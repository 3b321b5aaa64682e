"""Every command reports invalid settings at their position, before any request."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from framework.cli import exits

WRONG = """\
destination: shop
settings:
  custmer: us
  key: ${env:SHOP_KEY}
subscriptions:
  - partnerAction: order
"""
TESTS = "connection: c.yaml\ntests: [{events: [{type: track}]}]\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "c.yaml").write_text(WRONG)
    (tmp_path / "event.json").write_text('{"type": "track"}')
    (tmp_path / "c.test.yaml").write_text(TESTS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


FINDINGS = """\
error[AD311]: Setting `customer` is required.
 --> c.yaml:2:1
  |
2 | settings:
  | ^^^^^^^^

warning[AD313]: Destination `shop` has no setting `custmer`.
 --> c.yaml:3:3
  |
3 |   custmer: us
  |   ^^^^^^^
  = Did you mean `customer`?

1 error, 1 warning.
"""


def test_validate_shows_them(run_actions: Callable[..., Result], folder: Path) -> None:
    """What the other commands show is what `actions validate` shows."""
    shown = run_actions("validate", folder / "c.yaml").stdout.replace(f"{folder}/", "")

    assert FINDINGS.removesuffix("1 error, 1 warning.\n") in shown


@pytest.mark.parametrize(
    "command",
    [
        "run -c c.yaml -e event.json",
        "run -c c.yaml -e event.json --dry-run",
        "run -c c.yaml -e event.json --sandbox",
        "explain -c c.yaml --event event.json",
        "explain -c c.yaml --event event.json --sandbox",
        "check-auth -c c.yaml",
        "test",
        "show --generated c.yaml",
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_command_shows_wrong_settings(run_actions: Callable[..., Result], command: str) -> None:
    result = run_actions(*command.split())

    assert (result.stderr, result.exit_code) == (FINDINGS, exits.USAGE)
    assert result.stdout == ""
    assert not list(Path().glob("*checkpoint*"))
