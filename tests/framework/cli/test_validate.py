"""`actions validate` and `actions import`, for people and machines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import click
import pytest
from click.testing import Result

from framework.cli import exits
from framework.cli.findings import render
from framework.config import Diagnostic
from framework.linting import CATALOGUE, MANIFEST, page

Actions: TypeAlias = Callable[..., Result]

GOOD = """\
destination: letters
settings: {office: "https://x.example", key: "${env:LETTERS_KEY}"}
subscriptions:
  - partnerAction: sendLetter
    subscribe: type = "track"
    mapping: {address: a@b.example, text: Hello}
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with a manifest and a good connection file for it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LETTERS_KEY", "sesame")
    Path("metadata.json").write_text(json.dumps(MANIFEST))
    Path("good.yaml").write_text(GOOD)
    Path("bad.yaml").write_text(GOOD.replace("text: Hello", "txet: Hello"))


MANIFESTS = ("--manifest", "metadata.json")


def test_a_valid_file_has_no_findings(run_actions: Actions) -> None:
    result = run_actions("validate", "good.yaml", *MANIFESTS)
    assert (result.exit_code, result.stdout) == (exits.DONE, "No problems found.\n")


def test_findings_are_shown_in_their_lines(run_actions: Actions) -> None:
    """All files are checked; the command exits with 1 if one has an error."""
    result = run_actions("validate", "good.yaml", "bad.yaml", *MANIFESTS)
    assert result.exit_code == exits.FAILED
    assert result.stdout == (
        "error[AD511]: Field `text` of action `sendLetter` is required; nothing is mapped to it.\n"
        " --> bad.yaml:4:20\n"
        "  |\n"
        "4 |   - partnerAction: sendLetter\n"
        "  |                    ^^^^^^^^^^\n"
        "\n"
        "error[AD503]: Action `sendLetter` has no field `txet`.\n"
        " --> bad.yaml:6:36\n"
        "  |\n"
        "6 |     mapping: {address: a@b.example, txet: Hello}\n"
        "  |                                    ^^^^\n".replace("   ^^^^\n", "    ^^^^\n")
        + "  = Did you mean `text`?\n"
        "\n"
        "2 errors, 0 warnings.\n"
    ).replace("bad.yaml:6:36", "bad.yaml:6:37")


def test_warnings_and_hints_do_not_fail(run_actions: Actions) -> None:
    Path("c.yaml").write_text(GOOD.replace("text: Hello", 'text: {"@path": $.userId}'))
    result = run_actions("validate", "c.yaml", *MANIFESTS)
    assert result.exit_code == exits.DONE
    assert result.stdout.startswith("hint[AD512]: ")
    assert result.stdout.endswith("\n0 errors, 0 warnings, 1 hint.\n")


def test_hints_have_a_colour() -> None:
    finding = Diagnostic("c.yaml", 1, 1, 1, "hint", "AD512", "Perhaps.")
    assert render(finding).startswith(click.style("hint[AD512]", fg="cyan", bold=True))


def test_an_installed_destination_is_found(connection: Path, run_actions: Actions) -> None:
    result = run_actions("validate", connection)
    assert result.exit_code == exits.DONE, result.stdout


def test_an_unknown_destination_is_reported(run_actions: Actions) -> None:
    result = run_actions("validate", "good.yaml")
    assert result.exit_code == exits.FAILED
    assert 'There is no destination "letters". Known destinations: shop.' in result.stdout


def test_json_holds_every_finding(run_actions: Actions) -> None:
    result = run_actions("validate", "bad.yaml", *MANIFESTS, "--format", "json")
    found = json.loads(result.stdout)
    assert [(each["code"], each["line"]) for each in found] == [("AD511", 4), ("AD503", 6)]
    assert (
        json.loads(run_actions("validate", "good.yaml", *MANIFESTS, "--format", "json").stdout)
        == []
    )


def test_sarif_names_rules_and_places(run_actions: Actions) -> None:
    result = run_actions("validate", "bad.yaml", *MANIFESTS, "--format", "sarif")
    log: dict[str, Any] = json.loads(result.stdout)
    (run,) = log["runs"]
    assert log["version"] == "2.1.0"
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["AD503", "AD511"]
    assert run["results"][1] == {
        "ruleId": "AD503",
        "level": "error",
        "message": {"text": "Action `sendLetter` has no field `txet`. Did you mean `text`?"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": "bad.yaml"},
                    "region": {"startLine": 6, "startColumn": 37, "endColumn": 41},
                }
            }
        ],
    }


def test_github_annotates_lines(run_actions: Actions) -> None:
    Path("a,b:c.yaml").write_text(Path("bad.yaml").read_text())
    result = run_actions("validate", "a,b:c.yaml", *MANIFESTS, "--format", "github")
    assert result.stdout.splitlines()[1] == (
        "::error file=a%2Cb%3Ac.yaml,line=6,col=37,endColumn=40,title=AD503::"
        "Action `sendLetter` has no field `txet`. Did you mean `text`?"
    )


def test_codes_are_explained(run_actions: Actions) -> None:
    """One code is explained in the terminal, all codes as the page of the documentation."""
    assert run_actions("validate", "--explain", "ad503").stdout == str(CATALOGUE["AD503"])
    whole = run_actions("validate", "--explain", "all").stdout
    assert whole == page(CATALOGUE.values(), MANIFEST)
    result = run_actions("validate", "--explain", "AD999")
    assert result.exit_code == exits.USAGE
    assert "Unknown code `AD999`. Known codes: AD100, AD101, " in result.stderr


def test_events_are_known_from_a_sample_or_a_schema(run_actions: Actions) -> None:
    Path("c.yaml").write_text(GOOD.replace("text: Hello", 'text: {"@path": $.note}'))
    Path("events.ndjson").write_text('{"type": "track", "note": "x"}\n\n{"type": "track"}\n')
    result = run_actions("validate", "c.yaml", *MANIFESTS, "--events", "events.ndjson")
    assert "warning[AD512]" in result.stdout
    schema = {"type": "object", "required": ["note"], "properties": {"note": {"const": "x"}}}
    Path("schema.json").write_text(json.dumps(schema))
    result = run_actions("validate", "c.yaml", *MANIFESTS, "--event-schema", "schema.json")
    assert result.stdout == "No problems found.\n"


@pytest.mark.parametrize(
    ("files", "arguments", "message"),
    [
        ({}, (), "Specify at least one connection file."),
        ({}, ("good.yaml", "--events", "a", "--event-schema", "b"),
         "Specify either --events or --event-schema, not both."),
        ({"e": ""}, ("good.yaml", "--events", "e"), "`e` contains no events."),
        ({"e": "a,b\n1,2\n"}, ("good.yaml", "--events", "e"), "`e` looks like CSV, "),
        ({"e": "[{},\n"}, ("good.yaml", "--events", "e"), "`e:2`: the file holds a JSON array "),
        ({"s": "[]"}, ("good.yaml", "--event-schema", "s"), "`s` must contain an object."),
        ({"s": '{\n "a":}'}, ("good.yaml", "--event-schema", "s"),
         "`s:2:6`: the file is not JSON: Expecting value."),
        ({"s": b'{\n"a": "\xe9"}'}, ("good.yaml", "--event-schema", "s"),
         "`s:2` is not UTF-8 text. Save the file as UTF-8."),
    ],
)  # fmt: skip
def test_what_cannot_be_checked(
    run_actions: Actions,
    files: dict[str, str | bytes],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    for name, text in files.items():
        Path(name).write_bytes(text.encode() if isinstance(text, str) else text)
    result = run_actions("validate", *arguments)
    assert result.exit_code == exits.USAGE
    assert message in result.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{\n", "e:1: The line is not valid JSON: Expecting property name"),
        (b"\n5\n", "e:2: An event must be a JSON object, but the line holds a number."),
        (b"{}\n" + b'{"a":' * 201 + b"1" + b"}" * 201, "e:2: The line is nested deeper than 200"),
        (b"\xff", "e:1: The line is not UTF-8 text (byte 1)."),
        (b'{"type":"track"}\n{"type":NaN}\n', "e:2: The line is not valid JSON: `NaN` is not"),
    ],
)
def test_an_invalid_line_of_a_sample_is_an_error(
    run_actions: Actions, content: bytes, message: str
) -> None:
    Path("e").write_bytes(content)
    result = run_actions("validate", "good.yaml", "--events", "e")
    assert result.exit_code == exits.FAILED
    assert message in result.stderr


def test_a_missing_sample_is_reported(run_actions: Actions) -> None:
    result = run_actions("validate", "good.yaml", "--events", "none")
    assert result.exit_code == exits.STORAGE
    assert "The events file `none` cannot be read: No such file" in result.stderr


# import


def test_import_generates_starter_files(
    run_actions: Actions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is to be completed is listed, unless a variable is set; no file is overwritten."""
    set_already = run_actions("import", "metadata.json", "--out", "set")
    assert "`office`: Office (uri)." in set_already.stdout
    assert "LETTERS_KEY" not in set_already.stdout
    monkeypatch.delenv("LETTERS_KEY")
    result = run_actions("import", "metadata.json", "--out", "new")
    written = ("letters.connection.yaml", "letters.md", "letters.manifest.json")
    starter, _, manifest = (Path("new") / name for name in written)
    wrote = "".join(f"Wrote {Path('new') / name}\n" for name in written)
    assert result.stdout.startswith(
        f"{wrote}\nTo complete:\n"
        f"  {starter}:3: `office`: Office (uri).\n"
        f"  {starter}:4: `LETTERS_KEY`: set this environment variable: Key.\n"
        f"  {starter}:10: `subscribe`: for which events, such as type = "
    )
    assert result.stdout.endswith(
        f"\nThen check it: actions validate {starter} --manifest {manifest}\n"
    )
    again = run_actions("import", "new/letters.manifest.json", "--out", "new")
    assert again.exit_code == exits.USAGE
    assert "`new/letters.connection.yaml`, `new/letters.md`" in again.stderr
    assert "already exist. Name another folder with --out.\n" in again.stderr
    assert (Path("new") / "letters.connection.yaml").read_text().startswith(
        "destination: letters\n"
        "settings:\n"
        '  office: ""  # TODO: Office (uri)\n'
        "  key: ${env:LETTERS_KEY}  # TODO: set this environment variable: Key\n"
        '  # region: ""  # Region\n'
        '  # branch: ""  # Branch\n'
        "subscriptions:\n"
        '  - name: "Send letter"\n'
        "    partnerAction: sendLetter\n"
        '    subscribe: ""  # TODO: for which events, such as type = "track" and event = '
        '"Order Completed"\n'
        "    mappingVersion: 1\n"
        "    mapping:\n"
        '      address: ""  # TODO: Address (email)\n'
    )  # fmt: skip
    page_ = (Path("new") / "letters.md").read_text()
    assert '| Paper | `paper` | string |  | `"plain"` | Choices: `plain`, `fine`. |' in page_
    checked = run_actions("validate", "new/letters.connection.yaml", *MANIFESTS, "--format", "json")
    codes = {each["code"] for each in json.loads(checked.stdout)}
    assert codes == {"AD301", "AD311", "AD403", "AD511"}, codes


def test_a_manifest_that_cannot_be_used(run_actions: Actions) -> None:
    Path("metadata.json").write_text("[]")
    result = run_actions("import", "metadata.json")
    assert result.exit_code == exits.FAILED
    assert "error[AD601]" in result.stderr


def test_a_folder_that_cannot_be_written(run_actions: Actions) -> None:
    Path("file").write_text("")
    result = run_actions("import", "metadata.json", "--out", "file")
    assert result.exit_code != exits.DONE


def test_a_disabled_connection_is_a_warning(run_actions: Actions) -> None:
    """`run` refuses it, which nobody should learn from `run` alone."""
    Path("c.yaml").write_text(GOOD + "enabled: false\n")
    result = run_actions("validate", "c.yaml", *MANIFESTS)
    assert result.exit_code == exits.DONE
    assert result.stdout == (
        "warning[AD207]: The connection is disabled: `actions run` refuses it.\n"
        " --> c.yaml:7:1\n"
        "  |\n"
        "7 | enabled: false\n"
        "  | ^^^^^^^\n"
        "  = Set `enabled: true` to deliver.\n"
        "\n"
        "0 errors, 1 warning.\n"
    )
