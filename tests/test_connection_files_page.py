"""The page of connection files lists every key, and its smallest example has no problems."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from framework.cli.app import actions

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "connection-files.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
SCHEMA: dict[str, Any] = json.loads(
    (ROOT / "schemas" / "connection.schema.json").read_text(encoding="utf-8")
)


def keys(heading: str) -> set[str]:
    """Return the keys in the table below a heading of the page."""
    _, _, rest = PAGE.partition(f"## {heading}\n")
    return set(re.findall(r"^\| `([^`]+)` \|", rest.partition("\n## ")[0], re.MULTILINE))


def test_every_key_of_a_file_has_a_row() -> None:
    assert keys("The file") == set(SCHEMA["properties"])


def test_every_key_of_a_subscription_has_a_row_or_is_named_as_another_spelling() -> None:
    declared = SCHEMA["$defs"]["subscription"]["properties"]
    others = {
        key
        for key, schema in declared.items()
        if re.match("The same as|Stored by the host", schema["description"])
    }
    assert keys("A subscription") == set(declared) - others
    assert all(f"`{key}`" in PAGE for key in others)


@pytest.mark.parametrize("page", [PAGE, README], ids=["page", "README"])
def test_the_smallest_example_has_no_problems(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *_ = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "c.yaml").write_text(first, encoding="utf-8")
    for name in ("CRITEO_CLIENT_ID", "CRITEO_CLIENT_SECRET"):
        monkeypatch.setenv(name, "x")
    result = CliRunner().invoke(actions, ["validate", str(tmp_path / "c.yaml")])
    assert (result.exit_code, result.output) == (0, "No problems found.\n")
