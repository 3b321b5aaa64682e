"""Every promise of docs/operations.md and docs/memberships.md names a test that exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = "\n".join(
    (ROOT / "docs" / name).read_text(encoding="utf-8")
    for name in ("operations.md", "memberships.md")
)
FILES = re.findall(r"tests/[a-z_/]+\.py", PAGE)
TESTS = re.findall(r"`(test_[a-z_]+)`", PAGE)


def test_the_files_exist() -> None:
    assert FILES
    assert [one for one in FILES if not (ROOT / one).is_file()] == []


def test_the_tests_exist() -> None:
    assert TESTS
    sources = "".join(
        one.read_text(encoding="utf-8") for one in (ROOT / "tests").rglob("test_*.py")
    )
    assert [one for one in TESTS if f"def {one}(" not in sources] == []
