"""`actions docs`: the page of an installed destination, or of one from its manifest."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from click.testing import Result

from framework.cli import exits
from framework.linting import MANIFEST

Actions: TypeAlias = Callable[..., Result]


def test_the_page_of_an_installed_destination_is_printed(run_actions: Actions) -> None:
    result = run_actions("docs", "shop")
    assert result.exit_code == exits.DONE
    assert result.stdout.startswith("# The Shop\n\nTakes orders.\n")
    assert "| `customer` |" in result.stdout
    assert "### " in result.stdout
    assert result.stderr == ""


def test_the_page_of_a_manifest_is_printed(run_actions: Actions, tmp_path: Path) -> None:
    """Problems of the manifest are shown apart from the page."""
    path = tmp_path / "metadata.json"
    path.write_text(json.dumps({**MANIFEST, "rate": {"calls": 0, "seconds": 1}}))
    result = run_actions("docs", "--manifest", path)
    assert result.exit_code == exits.DONE
    assert result.stdout.startswith("# ")
    assert "error[AD601]" in result.stderr


def test_an_unusable_manifest_has_no_page(run_actions: Actions, tmp_path: Path) -> None:
    path = tmp_path / "metadata.json"
    path.write_text("[]")
    result = run_actions("docs", "--manifest", path)
    assert result.exit_code == exits.FAILED
    assert result.stdout == ""
    assert "error[AD601]" in result.stderr


def test_one_destination_is_needed(run_actions: Actions, tmp_path: Path) -> None:
    both = run_actions("docs", "shop", "--manifest", tmp_path / "m.json")
    for result in (run_actions("docs"), both):
        assert result.exit_code == exits.USAGE
        assert "Give either a destination, or --manifest FILE, or --contract." in result.stderr


def test_an_unknown_destination_is_reported(run_actions: Actions) -> None:
    result = run_actions("docs", "shpo")
    assert result.exit_code == exits.USAGE
    assert "shop" in result.stderr


def test_the_contract_is_printed(run_actions: Actions) -> None:
    """Of no destination: what one implements."""
    result = run_actions("docs", "--contract")
    assert result.exit_code == exits.DONE
    assert result.stdout.startswith("# Hooks\n")
    assert "\n## `perform_batch`\n" in result.stdout
    assert run_actions("docs", "shop", "--contract").exit_code == exits.USAGE
