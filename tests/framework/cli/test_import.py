"""`actions import` with exports: files written, problems told, nothing overwritten."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from framework.cli import exits
from framework.cli.app import actions

EXPORT = Path(__file__).parents[3] / "examples" / "segment-export"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(actions, ["import", *map(str, arguments)])


def test_files_of_an_export_may_be_given_one_by_one() -> None:
    files = sorted(EXPORT.glob("*.json"))
    assert run(*files, "--out", "a").exit_code == exits.DONE
    assert run(EXPORT, "--out", "b").exit_code == exits.DONE
    written = sorted(one.name for one in Path("a").iterdir())
    assert written == ["criteo-spring.connection.yaml", "import-report.md"]
    assert [(Path("a") / one).read_text() for one in written] == [
        (Path("b") / one).read_text() for one in written
    ]
    again = run(EXPORT, "--out", "a")
    assert again.exit_code == exits.USAGE
    assert "already exist. Name another folder with --out." in again.stderr


def test_a_destination_that_is_not_installed_gets_a_manifest() -> None:
    """From the catalogue, so that the connection file can be checked."""
    Path("x.json").write_text(
        json.dumps(
            {
                "data": {
                    "destination": {
                        "id": "d",
                        "name": "Letters",
                        "settings": {"key": "sesame-0123"},
                        "metadata": {
                            "id": "m",
                            "slug": "actions-letters",
                            "name": "Letters",
                            "options": [{"name": "key", "type": "password", "required": True}],
                            "actions": [
                                {
                                    "id": "a",
                                    "slug": "send",
                                    "name": "Send",
                                    "fields": [{"fieldKey": "text", "type": "STRING"}],
                                }
                            ],
                        },
                    },
                    "subscriptions": [
                        {
                            "name": "Send",
                            "destinationId": "d",
                            "actionId": "a",
                            "trigger": 'type = "track"',
                            "settings": {"text": {"@path": "$.event"}},
                        }
                    ],
                }
            }
        )
    )
    result = run("x.json", "--out", "new")
    assert result.exit_code == exits.DONE, result.output
    assert "letters: 1 subscription, 1 variable to set." in result.stdout
    manifest = ["--manifest", "new/actions-letters.manifest.json"]
    command = ["validate", "new/letters.connection.yaml", *manifest]
    checked = CliRunner().invoke(actions, command, env={"LETTERS_KEY": "any"})
    assert checked.exit_code == exits.DONE, checked.output
    assert "sesame" not in "".join(one.read_text() for one in Path("new").iterdir())


def test_what_cannot_be_written_whole_leaves_no_file() -> None:
    """So that the same command works once it can: it overwrites no file."""
    out = Path("a")
    out.mkdir()
    report = out / "import-report.md"
    report.symlink_to(Path("gone") / "report.md")
    failed = run(EXPORT, "--out", out)
    assert failed.exit_code == exits.STORAGE
    assert "Wrote" not in failed.output
    assert [*out.iterdir()] == [report]
    report.unlink()
    assert run(EXPORT, "--out", out).exit_code == exits.DONE


def test_files_without_a_destination() -> None:
    """Each is told of, by name; nothing is written."""
    folder = Path("export")
    folder.mkdir()
    (folder / "errors.json").write_text('{"errors": [{"type": "not-found"}]}')
    (folder / "bad.json").write_text("{")
    (folder / "bad.yaml").write_text("data:\n\tx: 1\n")
    (folder / "notes.txt").write_text("Not read.")
    (folder / "other.json").write_text('{"a": 1}')
    (folder / "main.tf").write_text('resource "segment_destination" "d" {}')
    (folder / "page.json").write_text('{"data": {"destinations": [], "pagination": {"next": "x"}}}')
    (folder / "s.tfstate").write_text(
        '{"version": 4, "terraform_version": "1.9", "resources": [{"type": "segment_source"}]}'
    )
    result = run(folder)
    assert result.exit_code == exits.USAGE
    for name, text in (
        ("errors.json", "The file is an error answer of the API."),
        (
            "bad.json",
            "The file is not valid JSON: Expecting property name enclosed in double quotes (line",
        ),
        (
            "bad.yaml",
            "This is not valid YAML: found character '\\t' that cannot start any token. (line 2)",
        ),
        ("other.json", "The file is not an answer of the Public API, a Terraform document"),
        ("main.tf", "Terraform's own language is not read."),
        ("page.json", "The answer is one page of several; give the following pages, too."),
    ):
        assert f"{folder / name}: {text}" in result.stderr
    assert "There is no destination in these files. Give answers of" in result.stderr
    assert "files are read that end in .json, .tfstate, .yaml, .yml." in result.stderr
    for name in ("main.tf", "bad.yaml"):
        alone = run(folder / name)
        assert f"{folder / name}: " in alone.stderr
        assert "There is no destination in these files." in alone.stderr
    assert [*Path().glob("*")] == [folder]


def test_answers_in_yaml_are_taken_as_those_in_json() -> None:
    """People convert what the API answers; files that an import wrote are not read again."""
    yaml_export = Path("in-yaml")
    yaml_export.mkdir()
    for file in EXPORT.glob("*.json"):
        text = yaml.safe_dump(json.loads(file.read_text()), allow_unicode=True, sort_keys=False)
        (yaml_export / f"{file.stem}.yaml").write_text(text)
    for folder, source in (("a", EXPORT), ("b", yaml_export)):
        assert run(source, "--out", folder).exit_code == exits.DONE
    written = [{file.name: file.read_text() for file in Path(folder).iterdir()} for folder in "ab"]
    assert written[0] == written[1]
    again = run("a", yaml_export, "--out", "c")
    assert (again.exit_code, again.stderr) == (exits.DONE, "")


def test_an_incomplete_metadata_file_says_what_it_lacks() -> None:
    Path("metadata.json").write_text('{"name": "Acme", "actions": {}}')
    result = run("metadata.json")
    assert "error[AD601]: `/slug` is required." in result.stderr + result.stdout
    assert result.exit_code == exits.FAILED


def test_an_unknown_kind_of_destination_is_refused() -> None:
    result = run(EXPORT, "--destination", "criteoo")
    assert result.exit_code == exits.USAGE
    assert 'There is no destination "criteoo".' in result.stderr


def test_several_manifests_need_an_export() -> None:
    for name in "ab":
        Path(f"{name}.json").write_text(json.dumps({"slug": name, "name": name, "actions": {}}))
    result = run("a.json", "b.json")
    assert result.exit_code == exits.USAGE
    assert "Give one metadata.json at a time" in result.stderr
