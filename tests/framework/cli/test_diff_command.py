"""`actions diff`: changes between manifests and installed destinations, and the exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from click.testing import Result

from framework.cli import exits

Actions: TypeAlias = Callable[..., Result]


@pytest.fixture
def manifest(run_actions: Actions) -> dict[str, Any]:
    """Return the manifest of the shop."""
    found: dict[str, Any] = json.loads(run_actions("show", "shop", "--json").stdout)
    return found


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Any], Path]:
    """Write a manifest, and return its path."""

    def write_(document: Any) -> Path:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.json"
        path.write_text(json.dumps(document))
        return path

    return write_


Write: TypeAlias = Callable[[Any], Path]


def test_a_manifest_is_what_an_installed_destination_writes(
    run_actions: Actions, manifest: dict[str, Any], write: Write
) -> None:
    for new in ("shop", write(manifest)):
        result = run_actions("diff", write(manifest), new)
        assert (result.exit_code, result.output) == (exits.DONE, "No changes.\n")


def test_breaking_changes_come_first_and_end_with_1(
    run_actions: Actions, manifest: dict[str, Any], write: Write
) -> None:
    fields = manifest["actions"]["order"]["fields"]
    (first, *_) = fields
    fields[first]["label"] = "Other"
    manifest["name"] = "Other shop"
    manifest["authentication"]["fields"]["new"] = {"type": "string", "required": False}
    result = run_actions("diff", "shop", write(manifest))
    assert result.exit_code == exits.FAILED
    assert result.stdout == (
        "breaking: `/name` is `Other shop`, before `The Shop`: events whose `integrations` "
        "exclude the old name are sent.\n"
        "compatible: `/authentication/fields/new` is a new setting.\n"
        f"compatible: `/actions/order/fields/{first}` looks different in forms: `label`.\n"
        "Changes: 1 breaking, 2 compatible.\n"
    )


def test_compatible_changes_end_with_0(
    run_actions: Actions, manifest: dict[str, Any], write: Write
) -> None:
    manifest["description"] = "Another text."
    result = run_actions("diff", "shop", write(manifest), "--json")
    assert result.exit_code == exits.DONE
    assert json.loads(result.stdout) == {
        "breaking": 0,
        "note": 0,
        "compatible": 1,
        "changes": [
            {
                "level": "compatible",
                "code": "text-changed",
                "place": "/description",
                "message": "`/description` is another text.",
            }
        ],
    }


def test_no_changes_as_json(run_actions: Actions) -> None:
    result = run_actions("diff", "shop", "shop", "--json")
    assert json.loads(result.stdout) == {"breaking": 0, "note": 0, "compatible": 0, "changes": []}


def test_an_invalid_manifest_is_no_breaking_change(
    run_actions: Actions, manifest: dict[str, Any], write: Write
) -> None:
    """Neither one that cannot be read, nor one of which parts are left out."""
    manifest["actions"]["order"]["fields"]["wrong"] = {"type": "none"}
    for path in (write([]), write(manifest), "missing.json", "missing/shop"):
        result = run_actions("diff", "shop", path)
        assert result.exit_code == exits.USAGE
        assert result.stdout == ""
        assert f"Error: `{path}` is not a valid manifest.\n" in result.stderr
        assert "error[AD" in result.stderr


def test_an_unknown_destination_is_reported(run_actions: Actions) -> None:
    result = run_actions("diff", "shop", "shpo")
    assert result.exit_code == exits.USAGE
    assert 'There is no destination "shpo".' in result.stderr
