"""Whatever a connection file maps: saved, it reads as its migrations leave it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.config import edited, migration_edits, parse_connection
from framework.config.yamltext import write_yaml
from framework.definition import (
    Action,
    AddField,
    ChangeMapping,
    Destination,
    Field,
    KeepTrigger,
    Migration,
    RemoveField,
    RenameAction,
    RenameField,
    ReplaceSyncMode,
    ReplaceValue,
    SyncMode,
    migrate,
)

PATH = {"@path": "$.userId"}


def tidy(mapping: dict[str, Any]) -> dict[str, Any]:
    """Leave out the text and the paper where they are equal."""
    same = mapping.get("text") is not None and mapping.get("text") == mapping.get("paper")
    return {key: one for key, one in mapping.items() if not (same and key in {"text", "paper"})}


MIGRATIONS = [
    Migration(1, [RenameField("adress", "mail"), RemoveField("seal"), RenameAction("post")]),
    Migration(2, [RenameField("mail", "email"), ReplaceValue("paper", "plain", {"@path": "$.p"})]),
    Migration(3, [ReplaceSyncMode("mirror", "upsert"), KeepTrigger('type = "page"')]),
    Migration(5, [AddField("copies", 1), RenameField("words", "text")]),
    Migration(8, [ChangeMapping(tidy, "Equal ones are left out.")]),
]
LETTERS = Destination(
    slug="letters",
    name="Letters",
    actions=[
        Action(
            slug="send",
            title="Send",
            trigger='type = "track"',
            payload={key: Field(key) for key in ("email", "paper", "text", "copies")},
            sync_mode=SyncMode(label="Mode", default="upsert", choices=("upsert", "delete")),
            migrations=MIGRATIONS,
        )
    ],
)

KEYS = ["adress", "mail", "email", "seal", "paper", "words", "text", "copies"]
VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [PATH, "plain", "PLAIN", "é: #", "a\nb\n", "", 1, True, None, [1, {"a": []}], {"b": {}}, "no"]
)
SUBSCRIPTIONS = st.fixed_dictionaries(
    {"partnerAction": st.sampled_from(["send", "post"])},
    optional={
        "mapping": st.dictionaries(st.sampled_from(KEYS), VALUES) | st.none(),
        "syncMode": st.sampled_from(["mirror", "delete"]),
        "subscribe": st.just('type = "screen"'),
        "mappingVersion": st.sampled_from([1, 2, 3, 8]),
        "matchingKey": st.sampled_from(["mail", "paper"]),
        "enabled": st.booleans(),
    },
)


def written(document: Any, form: str) -> str:
    if form == "flow":
        return json.dumps(document, ensure_ascii=False)
    if form == "json":
        return json.dumps(document, indent=2)
    return write_yaml(json.loads(json.dumps(document))).replace(
        "subscriptions:\n", "subscriptions: # all\n"
    )


@settings(max_examples=60, deadline=None)
@given(
    subscriptions=st.lists(SUBSCRIPTIONS, min_size=1, max_size=2),
    form=st.sampled_from(["block", "flow", "json"]),
)
def test_what_is_saved_is_what_was_migrated(subscriptions: list[Any], form: str) -> None:
    named = [{"name": f"n{number}", **one} for number, one in enumerate(subscriptions)]
    text = written({"destination": "letters", "subscriptions": named}, form)
    before = parse_connection(text, "c.yaml", Path(), {}).draft
    assert before is not None
    results = [migrate(LETTERS, one) for one in before.subscriptions]
    edits = [
        edit
        for index, (item, result) in enumerate(zip(before.items, results, strict=True))
        if result.notes
        for edit in migration_edits(index, item, result)
    ]
    reading = parse_connection(edited(text, "c.yaml", edits), "c.yaml", Path(), {})
    assert reading.draft is not None
    for one, item, result in zip(before.items, reading.draft.items, results, strict=True):
        expected = result.subscription if result.notes else one.subscription
        assert item.subscription == expected
        assert migrate(LETTERS, item.subscription).notes == ()


@pytest.mark.parametrize("key", ["partnerAction", "actionSlug"])
def test_a_renamed_action_keeps_the_name_of_its_subscription(key: str) -> None:
    """Checkpoints, results and what hooks returned are kept by it."""
    text = f"destination: letters\nsubscriptions:\n  - {key}: post\n"
    draft = parse_connection(text, "c.yaml", Path(), {}).draft
    assert draft is not None
    edits = migration_edits(0, draft.items[0], migrate(LETTERS, draft.subscriptions[0]))
    trigger = "trigger" if key == "actionSlug" else "subscribe"
    assert edited(text, "c.yaml", edits) == (
        f"destination: letters\nsubscriptions:\n  - {key}: send\n    name: post\n"
        f"    {trigger}: 'type = \"page\"'\n"
        '    mapping: {"copies": 1}\n    mappingVersion: 8\n'
    )
