"""Every code has an entry whose example leads to exactly its message."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from framework.config import Diagnostic, parse_connection, parse_manifest, read_connection
from framework.definition import Conflict, Subscription, from_manifest
from framework.linting import (
    CATALOGUE,
    MANIFEST,
    Entry,
    choose,
    model_from_sample,
    model_from_spec,
    page,
    validate,
)

ROOT = Path(__file__).parents[3]


def other_reader(subscriptions: Sequence[Subscription]) -> list[Conflict]:
    """Find a subscription that removes another reader than the first one adds."""
    readers = [one.mapping.get("reader") for one in subscriptions if "Reader" in one.action]
    if len(set(map(str, readers))) < 2 or len(readers) < len(subscriptions):
        return []
    text = "The reader that is added is not the one that is removed."
    return [Conflict(1, text, "Map the same reader in both.", "reader")]


LETTERS = replace(from_manifest(MANIFEST), conflicts=other_reader)
ENTRIES = list(CATALOGUE.values())


def findings(entry: Entry, folder: Path) -> tuple[Diagnostic, ...]:
    if entry.code == "AD100":
        return read_connection(folder / entry.name).diagnostics
    if entry.name.endswith(".json"):
        return parse_manifest(entry.document, entry.name)[1].all
    reading = parse_connection(entry.document, entry.name, folder, {"LETTERS_KEY": "sesame"})
    model = model_from_sample([{"type": "track"}]) if entry.code == "AD419" else model_from_spec()
    if choose(reading, {LETTERS.slug: LETTERS}):
        validate(reading, LETTERS, model)
    return reading.diagnostics


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.code)
def test_an_example_gives_its_message(entry: Entry, tmp_path: Path) -> None:
    """The first finding with the code has the message of the catalogue."""
    found = [each for each in findings(entry, tmp_path) if each.code == entry.code]
    assert found
    said = f"{found[0].message} {found[0].hint}".strip().partition("\n")[0]
    assert said == entry.message


def test_every_code_that_is_used_is_explained() -> None:
    """The catalogue contains exactly the codes that the sources use."""
    used: set[str] = set()
    for package in ("config", "cli", "linting"):
        for file in (ROOT / "framework" / package).rglob("*.py"):
            if "catalogue" not in file.relative_to(ROOT).parts:
                used |= set(re.findall(r'"(AD\d{3})"', file.read_text(encoding="utf-8")))
    assert used == set(CATALOGUE)


def test_entries_are_sentences() -> None:
    """Summaries and reasons are sentences of one line."""
    for entry in ENTRIES:
        for text in (entry.summary, entry.why):
            assert text.endswith("."), entry.code
            assert "\n" not in text, entry.code


def test_the_page_is_up_to_date() -> None:
    """`actions validate --explain all > docs/diagnostics.md` writes it."""
    written = (ROOT / "docs" / "diagnostics.md").read_text(encoding="utf-8")
    assert written == page(ENTRIES, MANIFEST)


def test_an_entry_as_text() -> None:
    """The text of an entry contains the code, the reason, an example and its message."""
    assert str(CATALOGUE["AD403"]) == (
        "AD403: The trigger is missing.\n\n"
        "The action has no default trigger, so the subscription must define one.\n\n"
        "    destination: letters\n"
        "    settings:\n"
        "      office: https://letters.example\n"
        "      key: ${env:LETTERS_KEY}\n"
        "    subscriptions:\n"
        "      - partnerAction: sendLetter\n"
        "        mapping: {address: a@b.example, text: Hello}\n\n"
        "The trigger is missing: action `sendLetter` has no default trigger. "
        "Set `subscribe`.\n"
    )
