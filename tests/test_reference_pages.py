"""The reference pages in `docs/` say what the code says."""

from __future__ import annotations

import re

import pytest

import framework.sandbox
from framework.catalogue import declarations_page
from framework.definition import to_document
from framework.definition.json_schema import read_fields
from framework.definition.json_schema_meta import OPTIONS
from framework.mapping import DIRECTIVES
from framework.triggers import FUNCTIONS
from tests.reference_pages import DOCS, MEANINGS, PAGES, SAMPLES


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_fresh(name: str) -> None:
    """`make docs` writes it anew."""
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name]()


def test_every_option_of_a_field_is_explained_by_an_example_that_can_be_read_again() -> None:
    table = {option: SAMPLES[option] for option in OPTIONS}

    assert set(MEANINGS) == set(OPTIONS)
    assert read_fields(to_document(table)) == table


def test_declared_values_are_public() -> None:
    """Authors import them from `framework`, or from `framework.sandbox`."""
    listed = re.findall(r"^### `(\w+)`$", declarations_page(), re.MULTILINE)
    assert {*listed} <= {*framework.__all__, *framework.sandbox.__all__}
    assert len({*listed}) == len(listed) >= 30


def test_everything_carries_three_examples_and_a_refusal() -> None:
    for directive in DIRECTIVES.values():
        assert len(directive.examples) >= 3, directive.name
        assert any(one.refusal is not None for one in directive.examples), directive.name
    for function in FUNCTIONS.values():
        assert len(function.examples) >= 3, function.name
        assert any(isinstance(one.expected, str) for one in function.examples), function.name
