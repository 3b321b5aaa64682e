"""The framework behaves like Segment's implementation, except for intended differences."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance.runner import OUTSIDE, absent_files, case_files, excuses, run_file

IN_REPOSITORY = (
    "batch",
    "fields_schema",
    "fql",
    "get",
    "mapping",
    "mapping_validate",
    "membership",
    "payload",
)


def test_the_repository_holds_the_cases() -> None:
    """Only files with texts of others may be absent, and no others are skipped."""
    here = [file.stem for file in case_files() if file not in OUTSIDE]
    assert here == list(IN_REPOSITORY)


@pytest.mark.parametrize(
    "file",
    [
        *case_files(),
        *(
            pytest.param(file, marks=pytest.mark.skip(reason="not beside the checkout"))
            for file in absent_files()
        ),
    ],
    ids=lambda file: file.stem,
)
def test_every_case_passes_or_is_excused(
    file: Path, record_property: Callable[[str, object], None]
) -> None:
    """No case differs without a tag that the page of differences explains."""
    tally = run_file(file, excuses())
    record_property("passed", tally.passed)
    record_property("excused", tally.excused)

    assert tally.failed == []
    assert tally.passed > 0
