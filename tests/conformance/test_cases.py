"""The framework means what the reference means, but for the differences that are on purpose."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance.runner import CASES, excuses, run_file

FILES = sorted(CASES.glob("*.jsonl"))


@pytest.mark.skipif(not FILES, reason=f"no recorded cases beside the checkout ({CASES.name}/)")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_case_passes_or_is_excused(
    file: Path, record_property: Callable[[str, object], None]
) -> None:
    """No case differs without a tag that the page of differences explains."""
    tally = run_file(file, excuses())
    record_property("passed", tally.passed)
    record_property("excused", tally.excused)

    assert tally.failed == []
    assert tally.passed > 0
