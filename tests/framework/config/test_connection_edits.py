"""A connection file is edited in place: comments, order and references stay."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.config import ConnectionFile, edited, parse_connection
from framework.config.connection_edits import (
    ConnectionDraft,
    EditedConnection,
    differences,
    edit_connection,
    new_connection,
)
from framework.definition import (
    Action,
    Destination,
    Field,
    Payload,
    Settings,
    field,
    subscription_to_wire,
)
from framework.errors import ConfigurationError


class Access(Settings):
    """A setting of each kind."""

    account: str = field("Account")
    region: str = field("Region", default="eu")
    key: str | None = field("Key", type="password")


class Person(Payload):
    """Somebody."""

    email: str | None = field("Mail", mapping={"@path": "$.context.traits.email"})
    plan: str | None = field("Plan")


ADD = Action(slug="add", title="Add", trigger='type = "track"', payload=Person)
OTHER = Action(slug="other", title="Other", payload={"note": Field(type="string")})
DESTINATION = Destination(slug="acme", name="Acme", settings=Access, actions=[ADD, OTHER])
ENVIRONMENT = {"ACCOUNT": "a-17", "KEY": "resolved-secret"}

TEXT = """\
# Who reads this? Ask the team.
destination: acme  # the only one

settings:
  # From the vault.
  account: ${env:ACCOUNT}
  key: ${env:KEY}   # never in the clear

subscriptions:
  # The first one.
  - name: People   # who come
    partnerAction: add
    mapping:
      plan: gold # for everybody
      # The address is not sent in clear.
      email: {"@path": $.traits.email}

  # The second one.
  - partnerAction: other
    subscribe: >
      type = "page"
    mapping: {note: "a"}
# The end.
"""


def read(text: str, file: str = "acme.connection.yaml") -> ConnectionFile:
    reading = parse_connection(text, file, Path(), ENVIRONMENT)
    assert reading.connection, [one.message for one in reading.diagnostics]
    return reading.connection


def shown(file: ConnectionFile) -> dict[str, Any]:
    """Return what the page holds of a file: settings without secrets, own mappings."""
    return {
        "settings": {"region": "eu", **{k: v for k, v in file.settings.items() if k != "key"}},
        "enabled": file.enabled,
        "subscriptions": [
            {"subscribe": DESTINATION.action(one.action).trigger, **subscription_to_wire(one)}
            for one in file.subscriptions
        ],
    }


def edit(change: Callable[[dict[str, Any]], object], text: str = TEXT) -> EditedConnection:
    file = read(text)
    draft = shown(file)
    change(draft)
    return edit_connection(text, file, DESTINATION, ConnectionDraft(**draft))


def difference(new: str) -> list[str]:
    """Return the lines that are gone and new, in their order."""
    import difflib  # noqa: PLC0415 - here only

    lines = difflib.ndiff(TEXT.splitlines(), new.splitlines())
    return [line for line in lines if line.startswith(("+ ", "- "))]


def test_nothing_changes_without_a_change() -> None:
    assert edit(lambda _: None) == EditedConnection(TEXT)


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (
            lambda it: it["settings"].update(region="us"),
            ["+   region: us"],
        ),
        (
            lambda it: it["settings"].update(account="b-1"),
            ["-   account: ${env:ACCOUNT}", "+   account: b-1"],
        ),
        (
            lambda it: it.update(enabled=False),
            ["+ enabled: false"],
        ),
        (
            lambda it: it["subscriptions"][0].update(enabled=False, name="Members"),
            [
                "-   - name: People   # who come",
                "+   - name: Members   # who come",
                "+     enabled: false",
            ],
        ),
        (
            lambda it: it["subscriptions"][0]["mapping"].update(plan={"@template": "{{a}}"}),
            [
                "-       plan: gold # for everybody",
                '+       plan: {"@template": "{{a}}"} # for everybody',
            ],
        ),
        (
            lambda it: it["subscriptions"][0]["mapping"].pop("plan"),
            ["-       plan: gold # for everybody"],
        ),
        (
            lambda it: it["subscriptions"].pop(0),
            [
                "-   - name: People   # who come",
                "-     partnerAction: add",
                "-     mapping:",
                "-       plan: gold # for everybody",
                "-       # The address is not sent in clear.",
                '-       email: {"@path": $.traits.email}',
            ],
        ),
        (
            lambda it: it["subscriptions"].append({"name": "Third", "partnerAction": "add"}),
            ["+   - name: Third", "+     partnerAction: add"],
        ),
        (
            lambda it: it["subscriptions"][1].update(subscribe='type = "track"'),
            ["-     subscribe: >", '-       type = "page"', "+     subscribe: 'type = \"track\"'"],
        ),
        (
            lambda it: it["subscriptions"][0]["mapping"].update(
                __segment_internal_sync_mode="mirror"
            ),
            ["+     syncMode: mirror"],
        ),
    ],
)
def test_only_the_lines_of_a_change_change(
    change: Callable[[dict[str, Any]], object], lines: list[str]
) -> None:
    result = edit(change)
    assert sorted(difference(result.text)) == sorted(lines)
    assert result.left_out == ()


def test_an_item_in_flow_style_stays_one() -> None:
    item = "{name: Other, partnerAction: other, mapping: {note: a}}  # short\n"
    text = TEXT.replace(
        'partnerAction: other\n    subscribe: >\n      type = "page"\n    mapping: {note: "a"}\n',
        item,
    )
    result = edit(lambda it: it["subscriptions"][1].update(enabled=False), text)
    assert result.text == text.replace("a}}  # short", 'a}, "enabled": false}  # short')


def test_a_secret_is_changed_to_a_reference_only() -> None:
    kept = edit(lambda it: it["settings"].update(key="typed-in"))
    assert kept == EditedConnection(TEXT, ("key",))
    assert edit(lambda it: it["settings"].update(key="resolved-secret")) == EditedConnection(TEXT)
    moved = edit(lambda it: it["settings"].update(key="${file:key.txt}"))
    assert 'key: "${file:key.txt}"   # never in the clear' in moved.text


def test_a_resolved_secret_is_never_written() -> None:
    with pytest.raises(ConfigurationError, match="would hold a secret"):
        edit(lambda it: it["settings"].update(account="resolved-secret"))


def test_text_that_looks_like_a_reference_stays_text() -> None:
    result = edit(lambda it: it["settings"].update(account="pre-${env:X}"))
    assert read(result.text).settings["account"] == "pre-${env:X}"


def test_default_values_are_not_written() -> None:
    text = TEXT.replace("      plan: gold # for everybody\n", "").replace(
        "traits", "context.traits"
    )
    file = read(text)
    draft = shown(file)
    draft["subscriptions"][0]["mapping"] = {}  # the page leaves out what equals the default
    assert edit_connection(text, file, DESTINATION, ConnectionDraft(**draft)).text == text


def test_json_is_written_anew() -> None:
    text = json.dumps({"destination": "acme", "settings": {"account": "${env:ACCOUNT}"}}, indent=4)
    result = edit(lambda it: it.update(enabled=False), text)
    assert result.text == text.replace("\n}", ', "enabled": false\n}')


def test_anchors_that_an_edit_would_change_elsewhere_are_refused() -> None:
    text = TEXT.replace("mapping:\n      plan", "mapping: &all\n      plan").replace(
        'mapping: {note: "a"}', "mapping: *all"
    )
    with pytest.raises(ConfigurationError, match="cannot be changed in place"):
        edit(lambda it: it["subscriptions"][0]["mapping"].update(plan="silver"), text)


def test_a_new_file_refers_to_secrets() -> None:
    draft = ConnectionDraft(
        settings={"account": "a", "key": "typed-in", "region": "eu"},
        subscriptions=[{"name": "A", "partnerAction": "add", "subscribe": 'type = "track"'}],
    )
    made = new_connection(DESTINATION, draft)
    assert made.left_out == ("key",)
    assert "typed-in" not in made.text
    again = read(made.text)
    assert again.settings == {"account": "a", "key": "resolved-secret"}
    assert [one.name for one in again.subscriptions] == ["A"]


_texts = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=12)
_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | _texts
    | st.sampled_from(
        ["yes", "007", "1e3", "null", "# no", "a: b", "- c", "*x", "${env:A}", "two\nlines", ""]
    )
)
_keys = st.from_regex(r"[@$_a-z][a-z0-9_. -]{0,8}", fullmatch=True)
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=3),
    max_leaves=6,
)


@given(
    old=st.dictionaries(st.sampled_from("abcde"), _values, min_size=1),
    new=st.dictionaries(st.sampled_from("abcdef"), _values, min_size=1),
)
@settings(max_examples=60, deadline=None)
def test_an_edit_results_in_what_was_wanted(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Whatever is replaced by whatever; other parts of the document stay as they are."""
    before = "# first\nkeep: 'as it is'   # why\nx:\n"
    items = "".join(
        f"  {key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in old.items()
    )
    document, wanted = {"keep": "as it is", "x": old}, {"keep": "as it is", "x": new}
    new_text = edited(f"{before}{items}# last\n", "a.yaml", [*differences(document, wanted)])
    assert new_text.startswith("# first\nkeep: 'as it is'   # why\nx:")
    assert new_text.endswith("# last\n")
