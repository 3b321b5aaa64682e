"""The page of terms is in order, and has no term that no other page uses."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"
TERMS = re.findall(
    r"^\| ([a-z ]+) \|", (DOCS / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE
)


def test_terms_are_in_the_order_of_the_alphabet() -> None:
    assert sorted(set(TERMS)) == TERMS
    assert len(TERMS) > 30


def test_every_term_is_used_on_two_other_pages() -> None:
    pages = [
        page.read_text(encoding="utf-8").lower()
        for page in DOCS.glob("*.md")
        if page.name != "glossary.md"
    ]
    used = {
        term: sum(bool(re.search(rf"\b{term}(?:e?s)?\b", page)) for page in pages) for term in TERMS
    }
    assert {term: number for term, number in used.items() if number < 2} == {}
