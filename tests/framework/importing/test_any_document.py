"""Whatever JSON an export holds, importing it ends well."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.config import parse_connection
from framework.importing import import_report
from tests.framework.importing.exports import FORMS, imported_documents
from tests.framework.importing.test_imports import INSTALLED, adding, criteo

DROP = {"title": "F", "if": "all", "actions": [{"type": "DROP"}]}
ODD: Any = st.sampled_from(
    [None, True, 0, -1.5, 10**20, "", "x", "${x.y}", "\ud800", [], [[]], {}, {"": None}, [{"a": 1}]]
)
WHOLE = {form: criteo(adding(), filters=[DROP]).documents(form) for form in FORMS}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of every value in a document."""
    yield path
    inner = (
        value if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0)
    )
    for key in inner:
        yield from places(value[key], (*path, key))


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    made = copy.copy(document)
    made[path[0]] = changed(document[path[0]], path[1:], value)
    return made


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_any_value_anywhere(form: str, data: st.DataObject) -> None:
    """A file that is written can be read, and the report too."""
    documents: Any = WHOLE[form]
    for _ in range(data.draw(st.integers(1, 2))):
        place = data.draw(st.sampled_from([*places(documents)][1:]))
        documents = changed(documents, place, data.draw(ODD))
    for one in imported_documents(documents, INSTALLED):
        reading = parse_connection(one.text, "c.yaml", Path(), dict.fromkeys(one.variables, "x"))
        assert reading.connection is not None, reading.diagnostics
        assert import_report([one], []).startswith("# Import report")


json_values = st.recursive(
    ODD, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner), max_leaves=6
)
KEYS = st.sampled_from(
    ["data", "destination", "destinations", "filters", "subscriptions", "resource", "errors",
     "terraform_version", "resources", "format_version", "values", "destinationsCatalog"]
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(document=st.dictionaries(KEYS, json_values | st.dictionaries(KEYS, json_values)))
def test_any_document(document: dict[str, Any]) -> None:
    """Also those that look like an export."""
    json.dumps(document)
    imported_documents([document, [document]], INSTALLED)
