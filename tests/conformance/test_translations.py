"""The few untagged cases with intended differences are listed, and each has its row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.conformance import definition, delivery
from tests.conformance.differences import read_rows
from tests.conformance.runner import case_files, excuses, read_cases, run_case

LISTS = "Formats of multiple fields, dates too"
LIMITS = "Limits of integer fields"
TRANSLATED = {
    "batch.unknown_action.002": "A batch for an action without batches",
    "batch.oauth.004": "A refused token that cannot be renewed",
    "batch.settings.003": "An empty setting",
    "payload.random.005": LISTS,
    "payload.random.017": LISTS,
    "payload.random.037": LISTS,
    "fields_schema.allow_null.008": LISTS,
    "fields_schema.multiple.003": LISTS,
    "fields_schema.random.017": LISTS,
    "fields_schema.random.015": LIMITS,
    "fields_schema.conditions_single.007": "Conditions on a list of values",
    "fields_schema.conditions_multi.007": "Unknown operators of conditions",
}
"""Recorded cases without a tag that are translated before the comparison, and their row."""

NOTHING: dict[tuple[Any, str], Callable[..., Any]] = {
    (delivery, "_ours"): lambda *_: False,
    (definition, "_ours"): lambda _: False,
    (definition, "_amended_rule"): lambda rule: rule,
    (definition, "_amended_field"): lambda schema, _: schema,
    (definition, "_takes_any_operator"): lambda _: False,
}
"""The translations, and their replacements without effect."""


def test_only_these_cases_need_a_translation(monkeypatch: pytest.MonkeyPatch) -> None:
    for (module, name), nothing in NOTHING.items():
        monkeypatch.setattr(module, name, nothing)
    needing = {
        case["id"]
        for file in case_files()
        if file.stem in {"batch", "payload", "fields_schema", "corpus"}
        for case in read_cases(file)
        if not excuses().intersection((case["id"], *case.get("note", ())))
        and run_case(case) is not None
    }
    assert needing == set(TRANSLATED)


@pytest.mark.parametrize("topic", sorted({*TRANSLATED.values()}))
def test_a_translation_has_its_row(topic: str) -> None:
    assert topic in {row.topic for row in read_rows()}
