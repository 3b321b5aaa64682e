"""Migrations: older mappings become current ones, each step once, and mistakes are told at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.definition import (
    MATCHING_KEY,
    SYNC_MODE_KEY,
    Action,
    AddField,
    ChangeMapping,
    Destination,
    Field,
    KeepTrigger,
    Migration,
    MigrationStep,
    Preset,
    RemoveField,
    RenameAction,
    RenameField,
    ReplaceSyncMode,
    ReplaceValue,
    Subscription,
    SyncMode,
    from_manifest,
    migrate,
    starting_subscriptions,
    subscription_from_wire,
    subscription_to_public_api,
    subscription_to_wire,
    to_manifest,
)
from framework.errors import ConfigurationError, DefinitionError

PATH = {"@path": "$.userId"}
FIELDS = {"email": Field("E-mail"), "paper": Field("Paper"), "batch_keys": Field("Keys")}
MODES = SyncMode(label="Mode", default="upsert", choices=("upsert", "delete"))


def with_steps(*steps: MigrationStep, slug: str = "send") -> Destination:
    return with_migrations(Migration(1, steps), slug=slug)


def with_migrations(*migrations: Any, slug: str = "send") -> Destination:
    action = Action(
        slug=slug,
        title="Send",
        trigger='type = "track"',
        payload=FIELDS,
        sync_mode=MODES,
        migrations=migrations,
    )
    return Destination(slug="letters", name="Letters", actions=[action])


def upper(mapping: dict[str, Any]) -> dict[str, Any]:
    """Write what is mapped to `paper` in capitals."""
    paper = mapping.get("paper")
    return {**mapping, "paper": paper.upper()} if isinstance(paper, str) else mapping


CASES: dict[str, tuple[MigrationStep, Mapping[str, Any], Mapping[str, Any], str]] = {
    "a renamed field": (
        RenameField("mail", "email"),
        {"mail": PATH, "paper": "a"},
        {"email": PATH, "paper": "a"},
        "`mail` is called `email` now.",
    ),
    "a renamed field that is mapped already": (
        RenameField("mail", "email"),
        {"mail": "old", "email": PATH},
        {"email": PATH},
        "`mail` is left out: `email` replaces it.",
    ),
    "a renamed matching key": (
        RenameField("mail", "email"),
        {MATCHING_KEY: "mail"},
        {MATCHING_KEY: "email"},
        "The matching key `mail` is called `email` now.",
    ),
    "a renamed batch key": (
        RenameField("mail", "email"),
        {"batch_keys": ["mail", "email", "paper"]},
        {"batch_keys": ["email", "paper"]},
        "The batch key `mail` is called `email` now.",
    ),
    "a removed field": (
        RemoveField("seal"),
        {"seal": True, "paper": "a"},
        {"paper": "a"},
        "`seal` is left out: the action no longer has it.",
    ),
    "a new field": (
        AddField("paper", "plain"),
        {"email": PATH},
        {"email": PATH, "paper": "plain"},
        "`paper` is new and is set as it was before.",
    ),
    "a replaced default": (
        ReplaceValue("email", {"@path": "$.traits.email"}, PATH),
        {"email": {"@path": "$.traits.email"}},
        {"email": PATH},
        "`email` has another value.",
    ),
    "a replaced sync mode": (
        ReplaceSyncMode("mirror", "upsert"),
        {SYNC_MODE_KEY: "mirror"},
        {SYNC_MODE_KEY: "upsert"},
        "The sync mode `mirror` is `upsert` now.",
    ),
    "a function": (
        ChangeMapping(upper, "Papers are written in capitals."),
        {"paper": "a"},
        {"paper": "A"},
        "Papers are written in capitals.",
    ),
}


@pytest.mark.parametrize(("step", "old", "new", "note"), CASES.values(), ids=CASES)
def test_a_step_changes_an_older_mapping(
    step: MigrationStep, old: Mapping[str, Any], new: Mapping[str, Any], note: str
) -> None:
    saved = Subscription(action="send", mapping=old)
    migrated = migrate(with_steps(step), saved)
    assert migrated.subscription == Subscription(action="send", mapping=new, mapping_version=1)
    assert migrated.notes == (note,)
    assert saved.mapping == old


@pytest.mark.parametrize(("step", "old", "new", "note"), CASES.values(), ids=CASES)
def test_a_current_mapping_stays(
    step: MigrationStep, old: Mapping[str, Any], new: Mapping[str, Any], note: str
) -> None:
    """By its form if it is not marked, and by its mark whatever it holds."""
    del note
    unmarked = migrate(with_steps(step), Subscription(action="send", mapping=new))
    assert (unmarked.subscription.mapping, unmarked.notes) == (new, ())
    marked = Subscription(action="send", mapping=old, mapping_version=1)
    assert migrate(with_steps(step), marked).subscription is marked


def test_one_and_true_are_different_values() -> None:
    step = ReplaceValue("paper", 1, 2)
    kept = migrate(with_steps(step), Subscription(action="send", mapping={"paper": True}))
    assert kept.subscription.mapping == {"paper": True}
    assert kept.notes == ()


def test_an_action_is_renamed() -> None:
    """What the new one needs in addition is added, where the mapping has nothing."""
    destination = with_steps(RenameAction("post", {"paper": "plain", "email": "x"}))
    saved = Subscription(action="post", mapping={"email": PATH}, name="Mine")
    migrated = migrate(destination, saved)
    assert migrated.subscription == Subscription(
        action="send", mapping={"paper": "plain", "email": PATH}, name="Mine", mapping_version=1
    )
    assert migrated.notes == ("The action `post` is called `send` now.",)
    current = migrate(destination, Subscription(action="send", mapping={}))
    assert (current.subscription.mapping, current.notes) == ({}, ())


def test_a_renamed_action_is_found_whatever_the_mark() -> None:
    destination = with_migrations(
        Migration(1, [RenameAction("post")]), Migration(2, [RenameField("mail", "email")])
    )
    saved = Subscription(action="post", mapping={"mail": 1}, mapping_version=2)
    assert migrate(destination, saved).subscription.action == "send"
    assert migrate(destination, saved).subscription.mapping == {"mail": 1}


def test_a_default_trigger_is_kept() -> None:
    destination = with_steps(KeepTrigger('type = "page"'))
    kept = migrate(destination, Subscription(action="send"))
    assert kept.subscription.trigger == 'type = "page"'
    own = migrate(destination, Subscription(action="send", trigger='type = "screen"'))
    assert own.subscription.trigger == 'type = "screen"'
    new = Subscription(action="send", mapping_version=1)
    assert migrate(destination, new).subscription.trigger is None


def test_migrations_are_applied_in_order_from_the_mark_on() -> None:
    def note(name: str) -> ChangeMapping:
        def change(mapping: dict[str, Any]) -> dict[str, Any]:
            return {**mapping, "paper": f"{mapping.get('paper', '')}{name}"}

        return ChangeMapping(change, name)

    destination = with_migrations(
        Migration(1, [note("a"), note("b")]), Migration(3, [note("c")]), Migration(10, [note("d")])
    )
    found = {
        mark: migrate(destination, Subscription(action="send", mapping_version=mark))
        for mark in (None, 1, 2, 3, 9, 10)
    }
    papers = {mark: one.subscription.mapping.get("paper") for mark, one in found.items()}
    assert papers == {None: "abcd", 1: "cd", 2: "cd", 3: "d", 9: "d", 10: None}
    assert {one.subscription.mapping_version for one in found.values()} == {10}


@pytest.mark.parametrize("migrations", [(), (Migration(2, [RemoveField("seal")]),)])
def test_a_mapping_from_the_future_is_refused(migrations: tuple[Migration, ...]) -> None:
    saved = Subscription(action="send", mapping_version=3)
    with pytest.raises(ConfigurationError, match="The mapping has version 3"):
        migrate(with_migrations(*migrations), saved)


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (ZeroDivisionError(), "failed with ZeroDivisionError: It counts."),
        (None, "did not return an object: It counts."),
        ({1: 2}, "did not return an object: It counts."),
    ],
)
def test_a_function_that_fails_names_its_text(result: Any, text: str) -> None:
    def change(mapping: dict[str, Any]) -> Any:
        mapping.clear()
        if isinstance(result, Exception):
            raise result
        return result

    saved = Subscription(action="send", mapping={"email": "ada@example.com"})
    with pytest.raises(ConfigurationError) as raised:
        migrate(with_steps(ChangeMapping(change, "It counts.")), saved)
    assert text in str(raised.value)
    assert "ada" not in str(raised.value)
    assert saved.mapping == {"email": "ada@example.com"}


NAMES = st.sampled_from(["email", "mail", "paper", "sheet", "seal", "batch_keys", MATCHING_KEY])
VALUES = st.sampled_from([PATH, "plain", "fine", 1, True, None, "mail", ["mail", "paper"]])
STEPS = (
    Migration(1, [RenameField("adress", "mail"), RemoveField("seal")]),
    Migration(2, [RenameField("mail", "email"), ReplaceValue("paper", "plain", "fine")]),
    Migration(4, [RenameField("sheet", "paper"), AddField("email", PATH), RenameAction("post")]),
    Migration(5, [KeepTrigger('type = "page"'), ChangeMapping(upper, "Papers are capitals.")]),
)


@given(
    mapping=st.dictionaries(NAMES, VALUES),
    action=st.sampled_from(["send", "post"]),
    mark=st.sampled_from([None, 1, 2, 4]),
)
def test_twice_is_once(mapping: dict[str, Any], action: str, mark: int | None) -> None:
    """The mark says so, and the steps themselves change nothing in what they made."""
    destination = with_migrations(*STEPS)
    saved = Subscription(action=action, mapping=mapping, mapping_version=mark)
    once = migrate(destination, saved)
    assert migrate(destination, once.subscription).subscription is once.subscription
    if mark is None:
        made = once.subscription
        unmarked = Subscription(action=made.action, trigger=made.trigger, mapping=made.mapping)
        again = migrate(destination, unmarked)
        assert again.subscription == made
        assert again.notes == ()
        assert {"mail", "seal", "sheet"}.isdisjoint(made.mapping)


def problems_of(*migrations: Any, slug: str = "send") -> list[str]:
    with pytest.raises(DefinitionError) as raised:
        with_migrations(*migrations, slug=slug)
    return list(raised.value.problems)


WRONG: dict[str, tuple[list[Any], list[str]]] = {
    "no migration": ([3], ["`migrations` must be a list of Migration objects, one is int."]),
    "no version": (
        [Migration(0, [RemoveField("a")])],
        ["The version of a migration must be a whole number from 1, got 0."],
    ),
    "no steps": ([Migration(1, [])], ["Migration 1 needs a list of steps, got an empty one."]),
    "no step": (
        [Migration(1, ["email"])],  # type: ignore[list-item]
        [
            (
                "A step of migration 1 is str. Steps are RenameField, RemoveField, AddField, "
                "ReplaceValue, RenameAction, ReplaceSyncMode, KeepTrigger, ChangeMapping."
            )
        ],
    ),
    "versions twice": (
        [Migration(1, [RemoveField("a")]), Migration(1, [RemoveField("b")])],
        ["Two migrations have the version 1."],
    ),
    "versions that fall": (
        [Migration(2, [RemoveField("a")]), Migration(1, [RemoveField("b")])],
        ["Migration 1 must not follow migration 2: versions increase."],
    ),
    "unknown targets": (
        [Migration(1, [RenameField("mail", "emial"), AddField("papre", 1)])],
        [
            (
                'Migration 1 renames a field that the action lacks. There is no field "emial". Did '
                "you mean `email`? Known fields: batch_keys, email, paper."
            ),
            (
                'Migration 1 adds a field that the action lacks. There is no field "papre". Did '
                "you mean `paper`? Known fields: batch_keys, email, paper."
            ),
        ],
    ),
    "a target that is renamed to nothing": (
        [Migration(1, [RenameField("a", "b")]), Migration(2, [RenameField("b", "c")])],
        [
            (
                'Migration 1 renames a field that the action lacks. There is no field "c". Known '
                "fields: batch_keys, email, paper."
            ),
            (
                'Migration 2 renames a field that the action lacks. There is no field "c". Known '
                "fields: batch_keys, email, paper."
            ),
        ],
    ),
    "fields that exist": (
        [Migration(1, [RenameField("paper", "email"), RemoveField("email")])],
        [
            (
                "Migration 1 renames `paper`, which is a field of the action. Use ChangeMapping "
                "for fields that have another meaning now."
            ),
            (
                "Migration 1 removes `email`, which is a field of the action. Use ChangeMapping "
                "for fields that have another meaning now."
            ),
        ],
    ),
    "a circle": (
        [Migration(1, [RenameField("a", "email")]), Migration(2, [RenameField("email", "a")])],
        ["Fields are renamed in a circle: `a`, `email`, `a`."],
    ),
    "a field twice": (
        [Migration(1, [RenameField("a", "email")]), Migration(2, [RemoveField("a")])],
        ["Migrations 1 and 2 both rename or remove `a`."],
    ),
    "values in a circle": (
        [Migration(1, [ReplaceValue("paper", 1, 2), ReplaceValue("paper", 2, 1)])],
        ["Values of `paper` are replaced in a circle: `1`, `2`, `1`."],
    ),
    "a value twice": (
        [Migration(1, [ReplaceValue("paper", 1, 2), ReplaceValue("paper", 1, 3)])],
        ["Two steps replace the value 1 of `paper`."],
    ),
    "an invalid value": (
        [Migration(1, [AddField("paper", {"@nothing": 1})])],
        ["Migration 1 gives `paper` an invalid value."],
    ),
    "sync modes": (
        [Migration(1, [ReplaceSyncMode("upsert", "delete"), ReplaceSyncMode("mirror", "add")])],
        [
            "Migration 1 replaces `upsert`, which is a sync mode of the action.",
            'Migration 1: There is no sync mode "add". Known sync modes: delete, upsert.',
        ],
    ),
    "the action itself": (
        [Migration(1, [RenameAction("send")])],
        ["Migration 1 renames the action `send` to itself."],
    ),
    "an action twice": (
        [Migration(1, [RenameAction("post")]), Migration(2, [RenameAction("post")])],
        ["Migrations 1 and 2 both rename the action `post`."],
    ),
    "a trigger": (
        [Migration(1, [KeepTrigger("type =")])],
        ["The trigger of migration 1 does not parse:"],
    ),
    "a function without a text": (
        [Migration(1, [ChangeMapping(upper, "")])],
        ["ChangeMapping of migration 1 needs a text: what it does."],
    ),
    "no function": (
        [Migration(1, [ChangeMapping("upper", "It does.")])],  # type: ignore[arg-type]
        ["`run` of migration 1 must be a function, got str."],
    ),
}


@pytest.mark.parametrize(("migrations", "expected"), WRONG.values(), ids=WRONG)
def test_mistakes_are_told_together(migrations: list[Any], expected: list[str]) -> None:
    found = problems_of(*migrations)
    assert len(found) == len(expected)
    for problem, start in zip(found, expected, strict=True):
        assert problem.startswith(start)


def test_an_action_is_claimed_once_and_only_if_it_is_gone() -> None:
    def action(slug: str, *old: str) -> Action:
        steps = [RenameAction(one) for one in old]
        migrations = [Migration(1, steps)] if steps else []
        return Action(slug=slug, title=slug, payload=FIELDS, migrations=migrations)

    with pytest.raises(DefinitionError) as raised:
        Destination(slug="d", name="D", actions=[action("a", "b", "c"), action("b", "c")])
    assert raised.value.problems == (
        "Action `a` renames the action `b`, which still exists.",
        "Actions `a` and `b` rename the action `c`.",
    )


def test_a_manifest_holds_all_but_the_functions() -> None:
    """It can be read again, and says what a function would do."""
    destination = with_migrations(*STEPS)
    document = to_manifest(destination)
    read = from_manifest(document)
    assert to_manifest(read) == document
    saved = Subscription(action="post", mapping={"mail": PATH, "sheet": "plain", "seal": 1})
    migrated = migrate(read, saved)
    assert migrated.subscription.mapping == {"email": PATH, "paper": "plain"}
    assert migrated.subscription.mapping_version is None
    assert (
        migrated.notes[-1] == "The destination's code may change it further: Papers are capitals."
    )


def test_a_manifest_with_invalid_migrations_is_refused() -> None:
    document: Any = to_manifest(with_migrations(*STEPS))
    document["actions"]["send"]["migrations"] = [
        3,
        {"version": "1", "steps": [{"removeField": {"field": "a"}}]},
        {"version": 1, "steps": [{"renameField": {"old": 1}}, {"rename": {}}, {"removeField": 2}]},
    ]
    with pytest.raises(DefinitionError) as raised:
        from_manifest(document)
    where = "`/actions/send/migrations"
    assert raised.value.problems == (
        f"{where}/0` must be an object, got 3.",
        f'{where}/1/version` must be a whole number from 1, got "1".',
        f"{where}/2/steps/0/renameField/new` is required.",
        f"{where}/2/steps/0/renameField/old` must be a string, got 1.",
        (
            f"{where}/2/steps/1` must be an object with one of the keys renameField, removeField, "
            "addField, replaceValue, renameAction, replaceSyncMode, keepTrigger, changeMapping."
        ),
        f"{where}/2/steps/2/removeField` must be an object, got 2.",
    )


def test_the_mark_is_kept_in_every_form() -> None:
    marked = Subscription(action="send", mapping_version=3)
    for document in (subscription_to_wire(marked), subscription_to_public_api(marked)):
        assert document["mappingVersion"] == 3
        assert subscription_from_wire(document) == marked
    assert "mappingVersion" not in subscription_to_wire(Subscription(action="send"))
    for wrong in (0, True, "1", 1.5):
        with pytest.raises(ConfigurationError, match="must be a whole number from 1"):
            subscription_from_wire({"partnerAction": "send", "mappingVersion": wrong})


def test_new_connections_are_marked() -> None:
    """Their presets are those of the current definition."""
    destination = with_migrations(*STEPS)
    preset = Preset(name="All", action="send", mapping={"paper": "a"})
    with_preset = Destination(
        slug="letters", name="Letters", actions=destination.actions, presets=[preset]
    )
    (started,) = starting_subscriptions(with_preset)
    assert started.mapping_version == 5
    assert migrate(with_preset, started).subscription is started
