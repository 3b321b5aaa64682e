"""Findings of checks have the right positions, in YAML and in JSON."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest

from framework.config import (
    DiagnosticList,
    Reading,
    Spot,
    load_manifest,
    parse_connection,
    parse_manifest,
)
from framework.definition import from_manifest
from framework.linting import MANIFEST, check, choose, model_from_spec, validate

LETTERS = from_manifest(MANIFEST)
HEAD = textwrap.dedent(
    """\
    destination: letters
    settings: {office: "https://x.example", key: "${env:KEY}"}
    subscriptions:
      - partnerAction: sendLetter
    """
)


def read(text: str, file: str = "c.yaml") -> Reading:
    reading = parse_connection(text, file, Path("no-such-folder"), {"KEY": "sesame"})
    assert choose(reading, {"letters": LETTERS})
    validate(reading, LETTERS, model_from_spec())
    return reading


def underlined(text: str, file: str = "c.yaml") -> list[tuple[str, str]]:
    """Return the code of each finding and the text that it underlines."""
    lines = text.splitlines()
    return [
        (each.code, lines[each.line - 1][each.column - 1 : each.column - 1 + each.length])
        for each in read(text, file).diagnostics
    ]


MAPPED = "    mapping: {address: a@b.example, text: Hello}\n"


@pytest.mark.parametrize(
    ("written", "part"),
    [
        ('type = "trak"', "trak"),
        ('"type = \\"trak\\""', "trak"),
        ('"\\u0074ype = \\"trak\\""', "trak"),
        ("'type = \"trak\"'", "trak"),
        ("'type = \"trak\" and event = \"it''s\"'", "trak"),
        ('|\n      type = "track"\n      or type = "trak"\n', 'type = "trak"'),
        ('|\n      type = "trak"\n', "trak"),
        ('>\n      type = "trak"\n', ">"),
        ('"type =\n      \\"trak\\""', '"'),
    ],
)
def test_a_part_of_a_trigger_is_underlined(written: str, part: str) -> None:
    """This works with every style of quotes; a folded text is underlined at its start."""
    text = f"{HEAD}    subscribe: {written}\n{MAPPED}"
    assert underlined(text) == [("AD414", part)]


def test_a_trigger_in_json_is_underlined() -> None:
    document = {
        "destination": "letters",
        "settings": {"office": "https://x.example", "key": "${env:KEY}"},
        "subscriptions": [
            {
                "partnerAction": "sendLetter",
                "subscribe": 'type = "track" and tpye = "x"',
                "mapping": {"adress": "a", "address": "a@b.example", "text": "Hello"},
            }
        ],
    }
    text = json.dumps(document, indent=2)
    assert [pair for pair in underlined(text, "c.json") if pair[0] != "AD416"] == [
        ("AD413", "tpye"),
        ("AD503", '"adress"'),
    ]


def test_a_place_in_a_mapping_is_underlined() -> None:
    """Scalars are underlined themselves, objects by their keys, directives by their names."""
    text = HEAD + textwrap.dedent(
        """\
        #   subscribe
            subscribe: type = "track"
            mapping:
              address: nobody
              text:
                "@tmplate": Hello
              copies:
                "@path": $.context
              sender: {"@path": $.mesageId}
        """
    ).replace("#   subscribe\n", "")
    assert underlined(text) == [
        ("AD515", "nobody"),
        ("AD501", '"@tmplate"'),
        ("AD513", "copies"),
        ("AD521", "sender"),
        ("AD504", "$.mesageId"),
    ]


def test_an_alias_is_underlined_as_a_whole() -> None:
    text = f"{HEAD.replace('letters', '&x letters', 1)}    subscribe: *x\n{MAPPED}"
    assert [code for code, _ in underlined(text)] == ["AD411"]


def test_all_findings_are_reported_together() -> None:
    """Errors of structure do not prevent other checks, and no place is reported twice."""
    text = textwrap.dedent(
        """\
        destination: letters
        nmae: x
        settings: {office: "${env:NOPE}", regin: north, region: east}
        subscriptions:
          - partnerAction: sendLetter
            mapping: {adress: a}
          - partnerAction: sendLeter
        """
    )
    found = [(each.code, each.line) for each in read(text).diagnostics]
    assert found == [
        ("AD203", 2),
        ("AD311", 3),
        ("AD301", 3),
        ("AD313", 3),
        ("AD312", 3),
        ("AD403", 5),
        ("AD511", 5),
        ("AD511", 5),
        ("AD503", 6),
        ("AD402", 7),
    ]


def test_settings_may_be_missing_or_of_a_wrong_kind() -> None:
    rest = f'subscriptions:\n  - partnerAction: sendLetter\n    subscribe: type = "track"\n{MAPPED}'
    for settings, codes in (
        ("", ["AD311"] * 2),
        ("settings: 5\n", ["AD201"]),
        ("settings:\n", ["AD311"] * 2),
    ):
        reading = read(f"destination: letters\n{settings}{rest}")
        assert [each.code for each in reading.diagnostics] == codes, settings


def test_a_disabled_subscription_is_not_compared() -> None:
    text = textwrap.dedent(
        """\
        destination: letters
        settings: {office: "https://x.example", key: "${env:KEY}"}
        subscriptions:
          - {partnerAction: addReader, subscribe: 'type = "track"', mapping: {reader: a@b.example}}
          - {partnerAction: removeReader, subscribe: 'type = "track"', enabled: false,
             mapping: {reader: a@b.example}}
        """
    )
    assert read(text).diagnostics == ()


def test_a_large_file_is_checked_whole() -> None:
    """It has twenty subscriptions with seven fields per trigger, half of them opposites."""
    items = "".join(
        f"  - name: letter {n}\n    partnerAction: {'addReader' if n % 2 else 'removeReader'}\n"
        f'    subscribe: type = "track" and event = "E{n}" and properties.plan != "p{n}" '
        f'and contains(properties.source, "s{n}") and properties.total >= {n} '
        f'and (properties.category = "c{n}" or properties.step < {n})\n'
        "    mapping: {reader: a@b.example}\n"
        for n in range(20)
    )
    found = read(f"{HEAD.partition('  -')[0]}{items}").diagnostics
    assert found == ()


LONG = (
    '(type = "track" or type = "page") and properties.z = 1 and '
    + " and ".join(f"(properties.a{n} > 1 or properties.b{n} > 1)" for n in range(8))
    + " and properties.z = 2"
)
"""No candidate event matches, so the search is long."""


def test_exhausted_budgets_are_reported() -> None:
    """The limit applies to the whole file, and each incomplete check is reported."""
    items = "".join(
        f"  - name: letter {n}\n    partnerAction: sendLetter\n    subscribe: {LONG}{n}\n{MAPPED}"
        for n in range(4)
    )
    text = f"{HEAD.partition('  -')[0]}{items}"
    found = read(text).diagnostics
    assert {each.severity for each in found} == {"warning"}
    hint = "Simplify it, or split the file."
    assert [(each.code, each.line, f"{each.message} {each.hint}") for each in found[-2:]] == [
        (
            "AD105",
            18,
            f"Check incomplete: work limit reached. The rest of the trigger is not checked. {hint}",
        ),
        (
            "AD105",
            19,
            f"Check incomplete: work limit reached. The rest of the mapping is not checked. {hint}",
        ),
    ]
    assert {each.code for each in found} == {"AD105"}
    assert len(found) == 8


OPEN = " and ".join(f"(properties.a{n} > 1 or properties.b{n} > 1)" for n in range(9))
"""Many events match it, so the search for an event that matches a second trigger is long."""


def test_pairs_that_are_not_compared_are_reported() -> None:
    """No pairs of opposite subscriptions are compared after the budget is exhausted."""
    items = "".join(
        f"  - name: pair {n}\n    partnerAction: {'addReader' if n % 2 else 'removeReader'}\n"
        f"    subscribe: {OPEN} and properties.z = {n}\n"
        "    mapping: {reader: a@b.example}\n"
        for n in range(4)
    )
    found = read(f"{HEAD.partition('  -')[0]}{items}").diagnostics
    message = (
        "Check incomplete: work limit reached. "
        "The remaining opposite subscriptions are not compared."
    )
    assert [f"{each.message} {each.hint}" for each in found if each.code == "AD105"] == [
        f"{message} Split the file."
    ]


def test_a_spot_within_a_text_outside_the_document() -> None:
    """A position outside of the document is returned unchanged."""
    findings = DiagnosticList("c.yaml", "a: 1\n")
    assert findings.within(Spot(9, 9), "text", 1, 1) == Spot(9, 9)


def test_a_secret_is_not_shown() -> None:
    """No excerpt of its line contains it, independent of the name of the setting."""
    text = (
        "destination: letters\nsettings: {office: 5, key: sesame, region: x}\nsubscriptions: []\n"
    )
    found = read(text).diagnostics
    assert [each.code for each in found] == ["AD312", "AD305", "AD312", "AD206"]
    assert "sesame" not in str([each.to_json() for each in found])
    assert found[0].excerpt == "settings: {******* *, **** ******, ******* *}"


PLAIN = "is a secret in plain text: anyone with the file can read it."


def test_secrets_in_objects_and_lists_are_found() -> None:
    """Of a secret object every text, of another one those that it declares as secret."""
    letters = from_manifest(
        {
            **MANIFEST,
            "authentication": {
                "scheme": "custom",
                "fields": {
                    "headers": {"type": "object", "secret": True},
                    "account": {
                        "type": "object",
                        "properties": {
                            "name": {"type": "string"},
                            "keys": {"type": "string", "multiple": True, "secret": True},
                        },
                    },
                },
            },
        }
    )
    text = (
        "destination: letters\n"
        "settings:\n"
        "  headers:\n"
        "    x-api-key: sesame\n"
        '    more: {deep: "${env:DEEP}"}\n'
        "  account: {name: open, keys: [mellon]}\n"
        "subscriptions: []\n"
    )
    reading = parse_connection(text, "c.yaml", Path(), {"DEEP": "x"})
    validate(reading, letters, model_from_spec())
    found = [each for each in reading.diagnostics if each.code == "AD305"]
    assert [(each.line, each.message, each.hint) for each in found] == [
        (
            4,
            f"Setting `headers.x-api-key` {PLAIN}",
            "Write `x-api-key: ${env:X_API_KEY}` and set the variable.",
        ),
        (
            6,
            f"Setting `account.keys[0]` {PLAIN}",
            "Write `keys: ${env:KEYS}` and set the variable.",
        ),
    ]
    shown = str([each.to_json() for each in reading.diagnostics])
    assert "sesame" not in shown
    assert "mellon" not in shown


# Manifests


def test_a_manifest_is_read_with_places(tmp_path: Path) -> None:
    path = tmp_path / "metadata.json"
    path.write_text(json.dumps(MANIFEST, indent=1))
    destination, findings = load_manifest(path)
    assert destination is not None
    assert (destination.slug, findings.all) == ("letters", ())
    broken = json.loads(path.read_text())
    broken["actions"]["addReader"]["fields"]["reader"]["type"] = 5
    path.write_text(json.dumps(broken, indent=1))
    _, findings = load_manifest(path)
    assert [path.read_text().splitlines()[each.line - 1].strip() for each in findings.all] == [
        '"type": 5,'
    ]


def test_a_manifest_that_is_not_there(tmp_path: Path) -> None:
    destination, findings = load_manifest(tmp_path / "none.json")
    assert destination is None
    assert [each.message for each in findings.all] == [
        "The file cannot be read: No such file or directory."
    ]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "5", '{"slug": 5}', '{"slug": "a", "actions": {"b": 1}}']
)
def test_a_manifest_of_any_shape_has_findings(text: str) -> None:
    """It leads to findings, never to an exception."""
    _, findings = parse_manifest(text, "metadata.json")
    assert findings.all


def test_a_large_manifest_can_be_used() -> None:
    """A file too large for positions is read; its problems are at the start."""
    large = json.loads(json.dumps(MANIFEST))
    large["notes"] = list(range(120_000))
    large["actions"]["sendLetter"]["defaultSubscription"] = "type ="
    destination, findings = parse_manifest(json.dumps(large), "metadata.json")
    assert destination is not None
    assert [(each.code, each.line, each.column) for each in findings.all] == [("AD602", 1, 1)]


def test_nan_is_not_json() -> None:
    destination, findings = parse_manifest('{"slug": NaN}', "metadata.json")
    assert destination is None
    assert [each.code for each in findings.all] == ["AD101"]


@pytest.mark.parametrize(
    ("destination", "action", "other"),
    [
        ("destination: letters\n", "partnerAction: sendLetters", "AD402"),
        ("destination: letters\n", "name: No action", "AD202"),
        ("destination: leters\n", "partnerAction: sendLetter", "AD401"),
        ("", "partnerAction: sendLetter", "AD202"),
    ],
)
def test_what_needs_no_destination_is_checked_in_spite_of_an_unknown_name(
    destination: str, action: str, other: str
) -> None:
    """Triggers and filters; findings of a disabled subscription are warnings."""
    text = (
        f'{destination}settings: {{office: "https://x.example", key: "${{env:KEY}}"}}\n'
        "filters: [{if: 'type is \"track\"', actions: [{type: DROP}]}]\n"
        f'subscriptions:\n  - {action}\n    subscribe: type == "track"\n'
        '  - {partnerAction: sendLetter, name: b, enabled: false, subscribe: "type == 7"}\n'
    )
    reading = parse_connection(text, "c.yaml", Path("no-such-folder"), {"KEY": "sesame"})
    found = check(reading, {"letters": LETTERS}, model_from_spec())
    codes = [(one.code, one.severity) for one in found if one.code != "AD511"]
    assert sorted(codes) == sorted(
        [("AD411", "error"), ("AD411", "error"), ("AD411", "warning"), (other, "error")]
    )


def test_settings_beside_the_object_of_settings_are_said_to_be_misplaced() -> None:
    head = 'destination: letters\noffice: "https://x.example"\n'
    text = f"{head}subscriptions: []\nsettings: {{key: $KEY}}\n"
    found = [(one.code, one.hint) for one in read(text).diagnostics if one.code != "AD206"]
    known = next(hint for code, hint in found if code == "AD203")
    assert found == [
        ("AD203", known),
        ("AD311", "Move `office` from line 2 below `settings`."),
        ("AD305", "Write `key: ${env:NAME}` for the variable NAME."),
    ]


def test_directives_are_checked_in_spite_of_an_unknown_action() -> None:
    """So are the paths that they read; fields are not, which only the action knows."""
    text = (
        'destination: letters\nsettings: {office: "https://x.example", key: "${env:KEY}"}\n'
        "subscriptions:\n"
        "  - partnerAction: sendLeter\n"
        '    subscribe: type = "track"\n'
        "    mapping:\n"
        "      text: {'@pth': $.userId}\n"
        "      address: {'@path': $.usreId}\n"
        "      '': {'@if': {then: 1}}\n"
        "      any thing: {'@path': $.userId}\n"
    )
    found = [(one.code, one.line) for one in read(text).diagnostics]
    assert sorted(found) == [("AD402", 4), ("AD501", 7), ("AD502", 9), ("AD504", 8)]
