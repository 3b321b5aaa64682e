"""Edits of a document change what they say, and keep every other character."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.config import DocumentEdit, UneditableError, edited, parse_connection
from framework.paths import MISSING

TEXT = """\
destination: letters # where to
# the first
subscriptions:
  - partnerAction: "send" # how
    mapping:
      # whom to
      email: {"@path": $.userId, other: [1, 2]} # by id
      text: |
        Hello,
        you

      paper:
        - plain # white
        - fine
  - {partnerAction: send, mapping: {email: ü, paper: a}}
name: Mine
"""
FIRST, SECOND = ("subscriptions", 0), ("subscriptions", 1)

CASES: dict[str, tuple[DocumentEdit, str, str]] = {
    "a word": (
        DocumentEdit(("name",), "Yours"),
        "name: Mine\n",
        "name: Yours\n",
    ),
    "a text": (DocumentEdit(("name",), "it's: so"), "name: Mine\n", 'name: "it\'s: so"\n'),
    "a word that is a literal": (DocumentEdit(("name",), "no"), "name: Mine\n", 'name: "no"\n'),
    "a quoted value": (
        DocumentEdit((*FIRST, "partnerAction"), "post it"),
        '"send" # how',
        '"post it" # how',
    ),
    "an object": (
        DocumentEdit((*FIRST, "mapping", "email"), 5),
        '{"@path": $.userId, other: [1, 2]} # by id',
        "5 # by id",
    ),
    "a member of an object": (
        DocumentEdit((*FIRST, "mapping", "email", "@path"), "$.x"),
        '{"@path": $.userId, other: [1, 2]}',
        '{"@path": "$.x", other: [1, 2]}',
    ),
    "a block of text": (
        DocumentEdit((*FIRST, "mapping", "text"), "Hi"),
        "text: |\n        Hello,\n        you\n",
        "text: Hi\n",
    ),
    "a list": (
        DocumentEdit((*FIRST, "mapping", "paper"), ["a"]),
        "paper:\n        - plain # white\n        - fine\n",
        'paper: ["a"]\n',
    ),
    "a new name": (DocumentEdit((*FIRST, "mapping", "email"), key="mail"), "email: {", "mail: {"),
    "a new member": (
        DocumentEdit((*FIRST, "mapping", "seal"), {"a": None}),
        "        - fine\n",
        '        - fine\n      seal: {"a": null}\n',
    ),
    "a new member at the end": (
        DocumentEdit(("enabled",), value=False),
        "name: Mine\n",
        "name: Mine\nenabled: false\n",
    ),
    "a removed member": (
        DocumentEdit((*FIRST, "mapping", "email")),
        '      email: {"@path": $.userId, other: [1, 2]} # by id\n',
        "",
    ),
    "a removed list": (
        DocumentEdit((*FIRST, "mapping", "paper")),
        "      paper:\n        - plain # white\n        - fine\n",
        "",
    ),
    "a removed item": (
        DocumentEdit(SECOND),
        "  - {partnerAction: send, mapping: {email: ü, paper: a}}\n",
        "",
    ),
    "an added item": (
        DocumentEdit(("subscriptions", 2), {"name": "Third", "mapping": {"to": ["a"]}}),
        "paper: a}}\n",
        'paper: a}}\n  - name: Third\n    mapping:\n      to: ["a"]\n',
    ),
    "in braces, a new member": (
        DocumentEdit((*SECOND, "mapping", "seal"), "x"),
        "paper: a}",
        'paper: a, "seal": "x"}',
    ),
    "in braces, a new name": (
        DocumentEdit((*SECOND, "mapping", "email"), key="mail"),
        "email: ü",
        "mail: ü",
    ),
    "in braces, the first member removed": (
        DocumentEdit((*SECOND, "mapping", "email")),
        "{email: ü, paper: a}",
        "{paper: a}",
    ),
    "in braces, the last member removed": (
        DocumentEdit((*SECOND, "mapping", "paper")),
        "{email: ü, paper: a}",
        "{email: ü}",
    ),
}


@pytest.mark.parametrize(("edit", "before", "after"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_only_what_an_edit_names_changes(
    edit: DocumentEdit, before: str, after: str, newline: str
) -> None:
    assert TEXT.count(before) == 1
    expected = TEXT.replace(before, after)
    found = edited(TEXT.replace("\n", newline), "c.yaml", [edit])
    assert found == expected.replace("\n", newline)


DOCUMENT = {"a": {"b": [1, {"c": "x/y", "ü": None}], "d": {}}, "e": "😀"}
KEYS = st.sampled_from(["c", "ü", "new key", "z", "@path"])


@settings(max_examples=25, deadline=None)
@given(
    keys=st.lists(KEYS, unique=True, max_size=4),
    value=st.recursive(
        st.none() | st.booleans() | st.integers(-9, 9) | st.text("aé:#'\"{}\\ \n-", max_size=6),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=2),
        max_leaves=4,
    ),
    indent=st.sampled_from([None, 2]),
)
def test_json_stays_json(keys: list[str], value: Any, indent: int | None) -> None:
    text = json.dumps(DOCUMENT, indent=indent, ensure_ascii=False)
    edits = [DocumentEdit(("a", "b", 1, key), value) for key in keys]
    edits += [DocumentEdit(("a", "d", key), value) for key in keys]
    edits += [DocumentEdit(("a", "b", 1, key)) for key in keys[:2]]
    result = json.loads(edited(text, "c.json", edits))
    kept = dict.fromkeys(keys[2:], value)
    inner = {key: one for key, one in {"c": "x/y", "ü": None}.items() if key not in keys}
    assert result == {
        "a": {"b": [1, {**inner, **kept}], "d": dict.fromkeys(keys, value)},
        "e": "😀",
    }


def test_members_beside_aliases_change() -> None:
    text = "a: &x {k: 1}\nb:\n  c: *x # the same\nd: *x\n"
    edits = [DocumentEdit(("b", "e"), 2), DocumentEdit(("d",)), DocumentEdit(("f",), "g")]
    assert edited(text, "c.yaml", edits) == ("a: &x {k: 1}\nb:\n  c: *x # the same\n  e: 2\nf: g\n")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a: &x {k: 1}\nb: *x\n", ("b", "k")),
        ("a: &x {k: 1}\nb: {<<: *x, l: 2}\n", ("b", "k")),
        ("- k: 1\n  l: 2\n", (0, "k")),
        ("a: {k: 1}\n", ("a", "missing")),
    ],
)
def test_what_cannot_be_changed_in_place_is_refused(text: str, path: tuple[str | int, ...]) -> None:
    """An alias, a merge key, a member in the line of its dash; a removal of what is not there."""
    with pytest.raises((UneditableError, KeyError)):
        edited(text, "c.yaml", [DocumentEdit(path, MISSING)])


def test_the_result_reads_as_the_edits_say() -> None:
    edits = [edit for edit, _, _ in CASES.values() if edit.path[0] == "subscriptions"][:1]
    reading = parse_connection(edited(TEXT, "c.yaml", edits), "c.yaml", folder=None)  # type: ignore[arg-type]
    assert reading.draft is not None
    assert reading.draft.subscriptions[0].action == "post it"
