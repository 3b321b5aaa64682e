"""Connection files: their contents, and every problem with its position and exact text."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from framework.config import (
    ConnectionFile,
    Diagnostic,
    Reading,
    Spot,
    load_connection,
    parse_connection,
    read_connection,
)
from framework.definition import MAX_SUBSCRIPTIONS, SYNC_MODE_KEY, Subscription
from framework.errors import ConfigurationError
from framework.linting import CODES

SUBSCRIPTION = "subscriptions: [{partnerAction: add}]\n"


def parse(
    text: str,
    file: str = "c.yaml",
    folder: Path = Path(),
    environment: Mapping[str, str] | None = None,
) -> Reading:
    return parse_connection(textwrap.dedent(text), file, folder, environment or {})


def connection(text: str, **options: Mapping[str, str]) -> ConnectionFile:
    reading = parse(text, **options)  # type: ignore[arg-type]
    assert reading.connection, reading.diagnostics
    return reading.connection


def found(reading: Reading) -> list[tuple[str, int, int, int, str]]:
    return [
        (d.code, d.line, d.column, d.length, f"{d.message} {d.hint}".strip())
        for d in reading.diagnostics
    ]


FULL = """\
    $schema: connection.json
    destination: criteo
    name: Criteo, spring
    enabled: false
    settings: {advertiser_id: "12345", client_secret: "${env:SECRET}"}
    subscriptions:
      - name: Add users
        partnerAction: addUser
        subscribe: type = "track"
        mapping: {hash_emails: true, email: {"@path": $.email}}
      - id: abc
        actionSlug: removeUser
        trigger: type = "identify"
        settings: {hash_emails: false}
        enabled: false
        actionId: x
        destinationId: x
        modelId: null
"""


def test_a_connection_file_is_read() -> None:
    """Both spellings of a subscription are accepted; keys that only Segment uses are ignored."""
    made = connection(FULL, environment={"SECRET": "s3cret"})
    assert (made.file, made.destination, made.name, made.enabled) == (
        "c.yaml",
        "criteo",
        "Criteo, spring",
        False,
    )
    assert made.settings == {"advertiser_id": "12345", "client_secret": "s3cret"}
    assert made.subscriptions == (
        Subscription(
            name="Add users",
            action="addUser",
            trigger='type = "track"',
            mapping={"hash_emails": True, "email": {"@path": "$.email"}},
        ),
        Subscription(
            name="removeUser",
            action="removeUser",
            trigger='type = "identify"',
            mapping={"hash_emails": False},
            enabled=False,
            id="abc",
        ),
    )
    assert "s3cret" not in repr(made)


def test_json_and_yaml_say_the_same() -> None:
    text = '{"destination": "x", "settings": {"a": 1e3}, "subscriptions": [{"partnerAction": "b"}]}'
    for file in ("c.json", "c.yaml", "c"):
        made = connection(text, file=file)  # type: ignore[arg-type]
        assert (made.name, made.settings, len(made.items)) == ("c", {"a": 1000.0}, 1)


def test_every_part_of_a_subscription_knows_its_place() -> None:
    """Findings about triggers and mappings point into the file."""
    first, second = connection(FULL, environment={"SECRET": "s"}).items
    assert first.spot("trigger") == Spot(9, 16, 14)
    assert first.spot("mapping", "email", "@path") == Spot(10, 51, 7)
    assert first.spot("mapping", "email", "@none", "x") == Spot(10, 41, 1)
    assert first.spot("enabled") == first.node.spot == Spot(7, 5, 1)
    assert second.spot("action") == Spot(12, 17, 10)
    assert second.spot("mapping", "hash_emails") == Spot(14, 29, 5)


CASES = json.loads((Path(__file__).parents[2] / "cases/connection_problems.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case["text"][:40]))
def test_all_problems_are_found_at_once(case: dict[str, Any]) -> None:
    """The case states code, line, column and text of each problem."""
    reading = parse(case["text"], case["file"], environment={"EMPTY": ""})
    assert reading.connection is None
    assert [
        f"{d.code} {d.line}:{d.column} {d.message} {d.hint}".strip() for d in reading.diagnostics
    ] == case["problems"]


def test_fifty_subscriptions_are_the_limit() -> None:
    def many(count: int) -> Reading:
        rows = "".join(f"- partnerAction: a{number}\n" for number in range(count))
        return parse(f"destination: x\nsubscriptions:\n{rows}")

    assert MAX_SUBSCRIPTIONS == 50
    assert found(many(50)) == []
    assert found(many(51)) == [
        (
            "AD205",
            53,
            3,
            1,
            "A connection has at most 50 subscriptions, got 51. Split it into two files.",
        )
    ]


def test_warnings_do_not_keep_a_file_from_being_used() -> None:
    text = "destination: x\nsubscriptions:\n- {partnerAction: a, mapping: {e: '${env:A}'}}"
    reading = parse(text)
    assert reading.connection is not None
    hint = "References are resolved in `settings`, `delivery` and `audiences` only."
    assert found(reading) == [("AD304", 3, 35, 10, f"`${{env:A}}` is not replaced here. {hint}")]
    assert {finding.severity for finding in reading.diagnostics} == {"warning"}
    reading = parse("destination: x")
    assert reading.connection is not None
    assert found(reading) == [
        ("AD206", 1, 1, 1, "There are no subscriptions, so nothing will be delivered.")
    ]


@pytest.mark.parametrize("key", ["subscription", "Subscriptions", "subscripitons"])
def test_mistyped_subscriptions_are_told_once(key: str) -> None:
    """The key is the problem: that there are no subscriptions follows from it."""
    text = f"destination: letters\n{key}: [{{partnerAction: sendLetter}}]\n"
    found = parse_connection(text, "c.yaml", Path(), {}).diagnostics
    assert [(one.code, one.hint) for one in found] == [("AD203", "Did you mean `subscriptions`?")]


def test_references_are_replaced_wherever_settings_have_text(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"from file\r\n")
    reading = parse(
        """\
        destination: x
        settings:
          a: [1, "x${env:A}y", {"b": "${file:secret}"}]
          c: $${env:A} $5 ${open
          d: ${env:A}${env:A}
        """
        + SUBSCRIPTION,
        folder=tmp_path,
        environment={"A": "${env:A}"},
    )
    assert reading.connection
    assert reading.connection.settings == {
        "a": [1, "x${env:A}y", {"b": "from file"}],
        "c": "${env:A} $5 ${open",
        "d": "${env:A}${env:A}",
    }


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none", None, "The file `none` cannot be read: No such file or directory."),
        (".", None, "The file `.` cannot be read: Is a directory."),
        ("a\\0b", None, "The file `a\0b` cannot be read: Invalid name."),
        ("bad", b"\xff", "The file `bad` is not UTF-8 text."),
        ("empty", b"\n", "The file `empty` is empty."),
        ("large", b"x" * 65_537, "The file `large` is larger than 64 KiB."),
    ],
)
def test_an_invalid_file_is_reported(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    text = f'destination: x\nsettings: {{a: "${{file:{name}}}"}}\n{SUBSCRIPTION}'
    assert found(parse(text, folder=tmp_path)) == [("AD302", 2, 15, len(name) + 10, message)]


def test_loading_lists_every_problem(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("name: x\nfoo: 1\n")
    with pytest.raises(ConfigurationError) as caught:
        load_connection(path)
    known = (
        "destination, name, enabled, settings, audiences, features, consent, delivery, filters, "
        "subscriptions"
    )
    assert caught.value.problems == (
        f"{path}:1:1: `destination` is required.",
        f"{path}:2:1: A connection file has no key `foo`. Known keys: {known}.",
    )
    assert str(caught.value) == f"`{path}` has 2 problems:\n" + "\n".join(caught.value.problems)
    path.write_text("destination: x\n" + SUBSCRIPTION)
    assert load_connection(path).destination == "x"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "1:1: The file cannot be read: No such file or directory."),
        (b"a: 1\nb: \xff", "2:4: The text is not UTF-8. Save it as UTF-8."),
        (
            "a: 1".encode("utf-16"),
            (
                "1:1: The text is not UTF-8. "
                "It is UTF-16: convert it, for example with `iconv -f UTF-16 -t UTF-8`."
            ),
        ),
        (b"#" * (1024 * 1024 + 1), "1:1: The document is larger than 1,024 KiB."),
    ],
)
def test_an_unreadable_file_is_reported(
    tmp_path: Path, content: bytes | None, problem: str
) -> None:
    path = tmp_path / "c.yaml"
    if content is not None:
        path.write_bytes(content)
    reading = read_connection(path)
    assert reading.connection is None
    assert [str(finding) for finding in reading.diagnostics] == [f"{path}:{problem}"]


def test_a_byte_order_mark_is_not_part_of_the_text(tmp_path: Path) -> None:
    for name in ("c.yaml", "c.json"):
        path = tmp_path / name
        path.write_bytes(b'\xef\xbb\xbf{"destination": "x"}')
        assert load_connection(path).destination == "x"


def test_a_diagnostic_is_data_without_secrets() -> None:
    """A finding contains its excerpt; values of keys that may be secret are hidden."""
    text = 'destination: x\nsettings: {client_secret: "a${env:B}c", apiKey: d}\n' + SUBSCRIPTION
    (finding,) = parse(text).diagnostics
    assert finding == Diagnostic(
        file="c.yaml",
        line=2,
        column=27,
        length=12,
        severity="error",
        code="AD301",
        message="The environment variable `B` is not set.",
        hint="Set it, as in `export B=...`, or use `${file:PATH}`.",
        excerpt='settings: {client_secret: "*${env:B}*", ******* *}',
    )
    assert finding.to_json()["severity"] == "error"
    said = f"c.yaml:2:27: {finding.message} {finding.hint}"
    assert str(finding) == said


def test_every_code_is_explained() -> None:
    """Codes of one kind share a hundred; each has a sentence as its title."""
    assert sorted(CODES) == list(CODES)
    assert all(text.endswith(".") for text in CODES.values())


@pytest.mark.parametrize(
    ("written", "categories", "findings"),
    [
        ("{categories: [Ads, 'My Data']}", ("Ads", "My Data"), []),
        ("", (), []),
        ("{}", (), ["AD202 2:10 `consent.categories` is required."]),
        ("{categories: }", (), ["AD202 2:11 `consent.categories` is required."]),
        ("{categories: []}", (), ["AD202 2:11 `consent.categories` is required."]),
        (
            "{categories: Ads}",
            (),
            ["AD201 2:23 `consent.categories` must be a list, got a string."],
        ),
        ("[Ads]", (), ["AD201 2:10 `consent` must be an object, got a list."]),
        (
            "{categories: [Ads, 7, ' ', Ads]}",
            ("Ads",),
            [
                "AD201 2:29 `consent.categories[1]` must be a string, got a number.",
                "AD201 2:32 `consent.categories[2]` must be a string, got a blank one.",
                "AD204 2:37 `consent.categories[3]` repeats an earlier category.",
            ],
        ),
        (
            "{categories: [Ads], category: x}",
            ("Ads",),
            ["AD203 2:30 `consent` has no key `category`."],
        ),
        (
            "{categories: ['${env:ADS}']}",
            ("${env:ADS}",),
            ["AD304 2:24 `${env:ADS}` is not replaced here."],
        ),
    ],
)
def test_consent_categories_are_read(
    written: str, categories: tuple[str, ...], findings: list[str]
) -> None:
    """Every problem is found in its place."""
    reading = parse(f"destination: x\nconsent: {written}\n{SUBSCRIPTION}")
    assert reading.draft is not None
    assert reading.draft.consent == categories
    assert [
        f"{one.code} {one.line}:{one.column} {one.message}" for one in reading.diagnostics
    ] == findings


ROWS = """\
    destination: crm
    subscriptions:
      - partnerAction: upsert
        syncMode: delete
        matchingKey: email
        mapping: {email: x}
"""


def test_sync_mode_and_matching_key_stand_beside_a_mapping() -> None:
    file = connection(ROWS)
    (item,) = file.items
    assert (item.subscription.sync_mode, item.subscription.matching_key) == ("delete", "email")
    assert item.spot("mapping", SYNC_MODE_KEY).line == 4
    assert item.spot("mapping", "email").line == 6


@pytest.mark.parametrize(("written", "kept"), [("s7", "s7"), ("7", ""), ("{}", ""), ("", "")])
def test_a_subscription_keeps_an_id_that_is_a_text(written: str, kept: str) -> None:
    """Other values were never refused."""
    (item,) = connection(f"{ROWS}        id: {written}\n").items
    assert item.subscription.id == kept


def test_two_sync_modes_are_refused() -> None:
    twice = ROWS.replace("{email: x}", "{__segment_internal_sync_mode: add}")
    same = "`syncMode` and `__segment_internal_sync_mode` in the mapping are the same."
    assert found(parse(twice)) == [("AD204", 4, 15, 6, f"{same} Keep one of them.")]
