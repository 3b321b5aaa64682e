"""The table of kits shows differences only, each with the rule that it is compared to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from framework.normalize import Unusable
from tests.normalize_page import ROWS, ours

DOCUMENT = json.loads(ROWS.read_text(encoding="utf-8"))


@pytest.mark.parametrize("row", DOCUMENT["rows"], ids=lambda row: f"{row['profile']} {row['text']}")
def test_a_row_shows_a_kit_that_differs(row: dict[str, Any]) -> None:
    found = ours(row)
    usual = {"error", "nothing"} if isinstance(found, Unusable) else {found}
    assert any(result not in usual for result in row["kits"].values())
    assert row["kits"].keys() <= DOCUMENT["versions"].keys()
